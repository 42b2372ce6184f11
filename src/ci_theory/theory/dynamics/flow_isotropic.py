r"""Gradient flow and gradient descent on least squares, isotropic inputs: every error at any time.

Rows x ~ N(0, I_p), labels ``y = x.w + e`` with ``var e = noise``, training from w(0) on

.. math:: \frac{1}{2n}\sum_i (y_i - x_i\cdot w)^2 + \frac{\delta}{2n}|w|^2,
    \qquad \dot w = -\nabla, \qquad t = \text{rate} \times \text{steps}.

A mode of the sample covariance with eigenvalue s forgets its start as e = exp(-a t), with
a = s + delta/n, or as (1 - rate a)^steps; errors are averages over the Marchenko-Pastur law. The
ridge is the total ridge of the package, delta. Derivations: docs/dynamics/dynamics.md.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import Root, log_root
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.marchenko_pastur import (
    EigenvalueLaw,
    bessel_ratio,
    eigenvalue_law,
    lower_edge,
)

__all__ = ["FlowErrors", "isotropic_descent", "isotropic_flow", "optimal_time", "stable_rate"]


class FlowErrors(NamedTuple):
    """Errors at one time; all in label^2.

    Attributes:
        test_error: mean squared error on a fresh noisy label.
        excess_risk: test_error - noise; the sum of the next three.
        initial: what is left of the random start.
        bias: what is not yet learned of the target.
        noise_variance: label noise that has been learned.
        train_error: mean squared residual on the training labels.
        status: OK, OUT_OF_SCOPE (bad inputs) or NOT_FINITE (descent that has diverged).
    """

    test_error: Scalar
    excess_risk: Scalar
    initial: Scalar
    bias: Scalar
    noise_variance: Scalar
    train_error: Scalar
    status: Int[Array, ""]


def _errors(
    law: EigenvalueLaw,
    left: tuple[Array, Array],
    learned: Array,
    gamma: Array,
    level: Array,
    noise: Any,
    signal: Any,
    start: Any,
) -> FlowErrors:
    """Average over the modes; ``left`` is e at the nodes and at the atom, ``learned`` (1-e)/a."""
    s, weights = law.eigenvalues, law.weights
    e, e_null = left
    kept = (level + s * e) / (level + s)  # 1 - s h, as positive terms
    initial = start * (jnp.sum(weights * e**2) + law.atom * e_null**2)
    bias = signal * (jnp.sum(weights * kept**2) + law.atom)
    variance = noise * gamma * jnp.sum(weights * s * learned**2)
    clean = jnp.sum(weights * s * (start * e**2 + signal * kept**2))
    unfitted = jnp.maximum(1 - gamma, 0.0) + gamma * jnp.sum(weights * kept**2)
    excess = initial + bias + variance
    inside = (gamma > 0) & (level >= 0) & (noise >= 0) & (signal >= 0) & (start >= 0)
    finite = jnp.isfinite(excess)
    status = jnp.where(finite, Status.OK, Status.NOT_FINITE)
    return FlowErrors(
        test_error=excess + noise,
        excess_risk=excess,
        initial=initial,
        bias=bias,
        noise_variance=variance,
        train_error=clean + noise * unfitted,
        status=jnp.where(inside, status, Status.OUT_OF_SCOPE),
    )


@needs_float64
def isotropic_flow(
    n: Any, p: Any, time: Any, noise: Any, signal: Any = 1.0, start: Any = 0.0, ridge: Any = 0.0
) -> FlowErrors:
    r"""Errors of gradient flow at a time.

    .. math::
        E_x(t) = \int dF(s)\,\bigl\{ s_0^2 e^2 + r^2 (1 - s h)^2 + \sigma^2\gamma\, s h^2 \bigr\},
        \qquad e = e^{-a t},\quad h = \frac{1 - e}{a},\quad a = s + \frac{\delta}{n}

    Without a ridge, with M and A of ``marchenko_pastur``,

    .. math::
        E_x(t) = (r^2 + s_0^2)\,M(2t) + \sigma^2\gamma \int_0^{2t} A(v)\min(v, 2t - v)\,dv,
        \qquad E_{tr}(t) = (r^2 + s_0^2)\,A(2t) + \sigma^2 [1 - \gamma + \gamma M(2t)]

    Args:
        n: training rows.
        p: inputs; gamma = p/n.
        time: t, >= 0; may be infinite.
        noise: label-noise variance sigma^2 [label^2].
        signal: r^2 = ``|w|^2`` [label^2].
        start: s_0^2, the mean of ``|w(0)|^2`` for a start independent of the target [label^2].
        ridge: total ridge delta, >= 0.

    Regime: limit n, p -> infinity, relative corrections of order 1/n; its evaluation has a
    relative error near 1e-14.

    Limits: t = 0: r^2 + s_0^2; t -> infinity: ``ridge_risk`` (and the start's part in the null
    space without a ridge). At p = n without a ridge the noise part grows as sqrt(t) for ever.

    Source: Advani, Saxe, arXiv:1710.03667; Ali, Kolter, Tibshirani, arXiv:1810.10082; the forms
    without a ridge are derived here (docs/dynamics/dynamics.md).

    >>> found = isotropic_flow(100, 50, 4.0, noise=0.25)
    >>> print(f"{float(found.excess_risk):.9f} {float(found.train_error):.9f}")
    0.182161530 0.141302867
    """
    n = counted(n)
    gamma, level, time = (jnp.asarray(v, float) for v in (p / n, ridge / n, time))
    law = eigenvalue_law(gamma)
    rate = law.eigenvalues + level
    decay = rate * time
    null = jnp.where(level > 0, jnp.exp(-jnp.where(level > 0, level * time, 0.0)), 1.0)
    return _errors(
        law, (jnp.exp(-decay), null), -jnp.expm1(-decay) / rate, gamma, level, noise, signal, start
    )


@needs_float64
def isotropic_descent(
    n: Any,
    p: Any,
    steps: Any,
    rate: Any,
    noise: Any,
    signal: Any = 1.0,
    start: Any = 0.0,
    ridge: Any = 0.0,
) -> FlowErrors:
    r"""Errors of gradient descent after a number of steps.

    .. math:: e = (1 - \eta a)^k, \qquad h = \frac{1 - e}{a}

    in the averages of ``isotropic_flow``.

    Args:
        n: training rows.
        p: inputs.
        steps: k, a whole number >= 0.
        rate: learning rate eta, > 0; beyond ``stable_rate`` errors grow until NOT_FINITE.
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2].
        start: mean of ``|w(0)|^2`` [label^2].
        ridge: total ridge, >= 0.

    Regime: limit n, p -> infinity. Limits: eta -> 0 with eta k = t is the flow; differences are
    of order eta.

    Source: as ``isotropic_flow``.

    >>> found = isotropic_descent(100, 50, 40, 0.1, noise=0.25)
    >>> print(f"{float(found.excess_risk):.9f}")
    0.182523836
    """
    n = counted(n)
    gamma, level, steps = (jnp.asarray(v, float) for v in (p / n, ridge / n, steps))
    law = eigenvalue_law(gamma)
    whole = law.eigenvalues + level
    e = _power(rate * whole, steps)
    slow = rate * whole < 0.5
    gentle = -jnp.expm1(steps * jnp.log1p(-jnp.where(slow, rate * whole, 0.0)))
    learned = jnp.where(slow, gentle, 1 - e) / whole
    return _errors(
        law, (e, _power(rate * level, steps)), learned, gamma, level, noise, signal, start
    )


def _power(loss: Array, steps: Array) -> Array:
    """Return (1 - loss)^steps for a whole number of steps, differentiable in the loss."""
    base = 1 - loss
    empty = base == 0
    size = jnp.exp(steps * jnp.log(jnp.abs(jnp.where(empty, 1.0, base))))
    odd = jnp.mod(steps, 2.0) == 1
    signed = jnp.where(odd & (base < 0), -size, size)
    return jnp.where(empty, jnp.where(steps == 0, 1.0, 0.0), signed)


@needs_float64
def stable_rate(n: Any, p: Any, ridge: Any = 0.0) -> Scalar:
    r"""Largest learning rate at which gradient descent does not diverge.

    .. math:: \eta < \frac{2}{(1 + \sqrt{p/n})^2 + \delta/n}

    Args:
        n: training rows.
        p: inputs.
        ridge: total ridge, >= 0.

    Regime: limit n, p -> infinity; the largest eigenvalue fluctuates by n^(-2/3).

    Source: the upper edge of Marchenko and Pastur 1967 (Math. USSR Sbornik 1; from memory).

    >>> float(stable_rate(100, 100))
    0.5
    """
    gamma = jnp.asarray(p / n, float)
    return 2 / ((1 + jnp.sqrt(gamma)) ** 2 + ridge / n)


def _still_falling(time: Array, gamma: Array, ratio: Array) -> Array:
    """Log of (r^2 + s_0^2) A(2t) / (sigma^2 gamma [M(t) - M(2t)]), falling in t.

    The common factor exp(-s_- t) is taken out, so that nothing underflows.
    """
    law = eigenvalue_law(gamma)
    overfit = law.weights * jnp.exp(-law.above_edge * time) * -jnp.expm1(-law.eigenvalues * time)
    useful = jnp.log(bessel_ratio(4 * jnp.sqrt(gamma) * time)) - lower_edge(gamma) * time
    return jnp.log(ratio) + useful - jnp.log(jnp.sum(overfit))


@needs_float64
def optimal_time(n: Any, p: Any, noise: Any, signal: Any = 1.0, start: Any = 0.0) -> Root:
    r"""Time at which stopping gradient flow is best; no ridge.

    .. math:: (r^2 + s_0^2)\,A(2t) = \sigma^2\gamma\,[M(t) - M(2t)]

    Its root lies between log(1 + s_+ q)/s_+ and q = (r^2 + s_0^2)/(sigma^2 gamma), because the
    mode s alone would be stopped at log(1 + s q)/s, which falls with s.

    Args:
        n: training rows.
        p: inputs.
        noise: label-noise variance [label^2]; without noise, or with infinitely many rows, the
            time is infinite.
        signal: ``|w|^2`` [label^2].
        start: mean of ``|w(0)|^2`` [label^2].

    Regime: exact for the limiting law.

    Source: derived here (docs/dynamics/dynamics.md).

    >>> print(f"{float(optimal_time(100, 50, 0.25).value):.6f}")
    4.004370
    """
    endless, n = jnp.isinf(jnp.asarray(n, float)), counted(n)
    gamma, noise = jnp.asarray(p / n, float), jnp.asarray(noise, float)
    power = jnp.asarray(signal + start, float)
    inside = (gamma > 0) & (noise >= 0) & (power >= 0)
    harmless = (noise == 0) | endless & (power > 0)
    solvable = inside & ~harmless & (power > 0)
    gamma = jnp.where(inside, gamma, 1.0)
    ratio = jnp.where(solvable, power, 1.0) / (jnp.where(solvable, noise, 1.0) * gamma)
    upper = (1 + jnp.sqrt(gamma)) ** 2
    low = jnp.log1p(upper * ratio) / upper
    root = log_root(_still_falling, low * (1 - 1e-9), ratio * (1 + 1e-9), gamma, ratio)
    limit = jnp.where(harmless, jnp.inf, 0.0)  # nothing to fear, or nothing to learn
    value = jnp.where(solvable, root.value, jnp.where(inside, limit, jnp.nan))
    status = jnp.where(solvable, root.status, Status.OK)
    return Root(
        value, jnp.where(inside, status, Status.OUT_OF_SCOPE), jnp.where(solvable, root.residual, 0)
    )
