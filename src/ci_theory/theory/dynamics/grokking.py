r"""Grokking that can be solved: when a linear student fits its data, and when it generalises.

A point counts as right if its squared error, averaged over the outputs, is below a tolerance;
the accuracy is the share of right points. The curves are those of ``flow_isotropic``: d inputs, n
rows, gradient flow with weight decay mu (a total ridge of n mu), started at random. Training
accuracy rises while the bulk of the modes is learned; test accuracy waits for the slowest modes,
or, with d > n, for the decay of what the data never touch. Derivations: docs/dynamics/dynamics.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammainc, gammaln

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.spectra.fixed_point import Root, log_root
from ci_theory.theory.spectra.marchenko_pastur import lower_edge

__all__ = [
    "GrokTimes",
    "accuracy",
    "asymptotic_delay",
    "decay_time",
    "fall_times",
    "grok_times",
    "large_start_time",
    "largest_ratio",
    "loss_at_accuracy",
]

GRID = 192
"""Times at which a curve is looked at before its first fall below the level is refined."""


class GrokTimes(NamedTuple):
    """When training and test accuracy first reach a share of right points.

    Attributes:
        train: time for the training points, on their own labels.
        test: time for fresh points with clean labels; infinite if never.
        delay: test - train.
        level: mean squared error per output at which the accuracy is the one asked for.
        status: OK; NO_BREAK if the test accuracy never gets there, or the training accuracy
            does not; OUT_OF_SCOPE; or that of the solver.
    """

    train: Scalar
    test: Scalar
    delay: Scalar
    level: Scalar
    status: Int[Array, ""]


@needs_float64
def accuracy(loss: Any, tolerance: Any, outputs: Any = 1) -> Scalar:
    r"""Share of points whose mean squared error over the outputs is below the tolerance.

    .. math:: \mathrm{Acc} = P\Bigl(\frac k2, \frac{k\epsilon}{2L}\Bigr)

    with P the regularised lower incomplete gamma function; k = 1: erf(sqrt(epsilon/(2L))).

    Args:
        loss: mean squared error per output L, >= 0 [label^2].
        tolerance: epsilon [label^2].
        outputs: k.

    Regime: exact for Gaussian errors, independent between outputs, of variance L: an isotropic
    Gaussian input and weights given. Test points; training points in the limit of many.

    Source: Levi, Beck, Bar-Sinai, arXiv:2310.16441.

    >>> print(f"{float(accuracy(1e-3, 1e-3)):.12f}")  # one standard deviation
    0.682689492137
    """
    loss = jnp.asarray(loss, float)
    there = loss > 0
    ratio = outputs * tolerance / (2 * jnp.where(there, loss, 1.0))
    return jnp.where(there, gammainc(outputs / 2.0, ratio), 1.0)


def _short_of(x: Array, half: Array, share: Array) -> Array:
    return gammainc(half, x) - share


@needs_float64
def loss_at_accuracy(share: Any, tolerance: Any, outputs: Any = 1) -> Root:
    r"""Loss at which the accuracy is a given share: the inverse of ``accuracy``.

    .. math:: L = \frac{k\epsilon}{2\,P^{-1}(k/2, q)}

    Args:
        share: q, strictly between 0 and 1.
        tolerance: epsilon [label^2].
        outputs: k.

    Regime: exact; the bracket is P(a, x) Gamma(a + 1) <= x^a below, and the chi-square tail bound
    of Laurent and Massart (Ann. Statist. 2000) above.

    Source: the inverse of ``accuracy``.

    >>> print(f"{float(loss_at_accuracy(0.95, 1e-3).value):.9e}")
    2.603177716e-04
    """
    share, half = jnp.asarray(share, float), jnp.asarray(outputs, float) / 2
    inside = (share > 0) & (share < 1) & (half > 0) & (jnp.asarray(tolerance) > 0)
    q, a = jnp.where(inside, share, 0.5), jnp.where(inside, half, 0.5)
    low = jnp.exp((jnp.log(q) + gammaln(a + 1)) / a)
    rare = -jnp.log1p(-q)
    high = a + jnp.sqrt(2 * a * rare) + rare
    root = log_root(_short_of, low * (1 - 1e-9), high * (1 + 1e-9), a, q)
    value = jnp.where(inside, a * tolerance / root.value, jnp.nan)
    return Root(value, jnp.where(inside, root.status, Status.OUT_OF_SCOPE), root.residual)


def _log_loss(time: Array, model: tuple, level: Array, of_train: Array) -> Array:
    """Return log(loss / level) of the model (n, d, decay, noise, signal, start) at a time."""
    n, d, decay, noise, signal, start = model
    found = isotropic_flow(n, d, time, noise, signal, start, n * decay)
    return jnp.log(jnp.where(of_train, found.train_error, found.excess_risk) / level)


def _first_fall(model: tuple, level: Array, of_train: Array) -> tuple[Array, Array]:
    """Return when the loss first falls to the level, and a status.

    No mode is faster than the upper edge, which bounds the time from below. After 40 over the
    slowest rate, or when the power law of gamma = 1 is through, nothing falls any more.
    """
    n, d, decay, noise, signal, start = model
    gamma = d / n
    begin = jnp.where(of_train, signal + start + noise, signal + start)
    power = (signal + start) / level
    drop = jnp.maximum(jnp.log(begin / level), 0.0)
    low = drop / (2 * ((1 + jnp.sqrt(gamma)) ** 2 + decay))
    null = ~of_train & (gamma > 1)
    slowest = decay + jnp.where(null, 0.0, lower_edge(gamma))
    algebraic = 1 + gamma**-1.5 * (1 + power) ** 2
    slow = jnp.where(null, jnp.inf, algebraic)
    high = jnp.minimum(
        jnp.where(slowest > 0, 40 / jnp.where(slowest > 0, slowest, 1.0), slow), slow
    )
    high = jnp.where(jnp.isfinite(high), high, algebraic)  # a null space without decay stays
    low = jnp.where(drop > 0, low * (1 - 1e-9), 1.0)
    times = jnp.exp(jnp.linspace(jnp.log(low), jnp.log(jnp.maximum(high, 2 * low)), GRID))
    fixed, goal, times = lax.stop_gradient((model, level, times))
    curve = jax.vmap(_log_loss, (0, None, None, None))(times, fixed, goal, of_train)
    below = curve <= 0
    index = jnp.maximum(jnp.argmax(below), 1)
    root = log_root(_log_loss, times[index - 1], times[index], model, level, of_train)
    reached = jnp.any(below)
    value = jnp.where(reached, root.value, jnp.inf)
    status = jnp.where(reached, root.status, Status.NO_BREAK)
    already = drop == 0
    return jnp.where(already, 0.0, value), jnp.where(already, Status.OK, status)


@needs_float64
@jax.jit
def grok_times(
    n: Any,
    d: Any,
    tolerance: Any,
    share: Any = 0.95,
    outputs: Any = 1,
    decay: Any = 0.0,
    noise: Any = 0.0,
    signal: Any = 1.0,
    start: Any = 0.0,
) -> GrokTimes:
    r"""When training and test accuracy reach a share, by root finding on the exact curves.

    .. math::
        L_{train}(t_1) = L_{gen}(t_2) = \frac{k\epsilon}{2\,P^{-1}(k/2, q)}

    Without decay and noise the curves are (r^2 + s_0^2) A(2t) and (r^2 + s_0^2) M(2t).

    Args:
        n: training rows.
        d: inputs.
        tolerance: epsilon, of the squared error averaged over outputs [label^2].
        share: accuracy asked for, q in (0, 1).
        outputs: k; the next three are per output.
        decay: weight decay mu, the coefficient in dw/dt = ... - mu w; >= 0.
        noise: variance of the training labels' noise [label^2]; test labels are clean.
        signal: r^2 = ``|w*|^2`` [label^2].
        start: s_0^2, mean of ``|w(0)|^2`` [label^2].

    Regime: limit n, d -> infinity. At finite n the loss of one draw fluctuates, which smears
    accuracy curves, the more so at many outputs and d near n; times are sharper.

    With label noise the test loss may rise again: the first time below the level counts.
    Without decay and with d > n the null space stays: NO_BREAK unless the level is above it.

    Source: Levi, Beck, Bar-Sinai, arXiv:2310.16441, who treat decay too; this form of it (theirs
    was not compared) is derived here.

    >>> found = grok_times(300, 600, 1e-3, 0.95, decay=0.01, signal=1e-4, start=100.0)
    >>> print(f"{float(found.test):.3f}", int(found.status))
    618.948 0
    """
    root = loss_at_accuracy(share, tolerance, outputs)
    found = _times_at(root.value, (n, d, decay, noise, signal, start))
    inside = root.status == Status.OK
    train, test, delay = (jnp.where(inside, v, jnp.nan) for v in found[:3])
    status = jnp.where(inside, found.status, Status.OUT_OF_SCOPE)
    return GrokTimes(train, test, delay, root.value, status)


@needs_float64
@jax.jit
def fall_times(
    n: Any,
    d: Any,
    level: Any,
    decay: Any = 0.0,
    noise: Any = 0.0,
    signal: Any = 1.0,
    start: Any = 0.0,
) -> GrokTimes:
    """When training and test loss first fall to a level: ``grok_times`` where it is known.

    Args:
        n: training rows.
        d: inputs.
        level: mean squared error per output [label^2], > 0.
        decay: as in ``grok_times``, like the rest.
        noise: variance of the training labels' noise [label^2].
        signal: ``|w*|^2`` [label^2].
        start: mean of ``|w(0)|^2`` [label^2].

    >>> level = loss_at_accuracy(0.95, 1e-3).value
    >>> print(f"{float(fall_times(300, 600, level, 0.01, 0.0, 1e-4, 100.0).test):.3f}")
    618.948
    """
    return _times_at(jnp.asarray(level, float), (n, d, decay, noise, signal, start))


def _times_at(level: Array, of: tuple) -> GrokTimes:
    model = tuple(jnp.asarray(v, float) for v in of)
    inside = (level > 0) & (model[0] > 0) & (model[1] > 0)
    for amount in model[2:]:
        inside = inside & (amount >= 0)
    easy = (2.0, 1.0, 0.0, 0.0, 1.0, 0.0)
    safe = tuple(jnp.where(inside, v, e) for v, e in zip(model, easy, strict=True))
    safe_level = jnp.where(inside, level, 0.5)
    of_train = jnp.array([True, False])
    found, statuses = jax.vmap(_first_fall, (None, None, 0))(safe, safe_level, of_train)
    status = jnp.where(inside, jnp.max(statuses), Status.OUT_OF_SCOPE)
    train, test = jnp.where(inside, found, jnp.nan)
    both = jnp.isfinite(train)
    delay = jnp.where(both, test - jnp.where(both, train, 0.0), jnp.nan)
    return GrokTimes(train, test, delay, level, status)


@needs_float64
def asymptotic_delay(n: Any, d: Any) -> Scalar:
    r"""Delay between fitting and generalising in the limit of a vanishing tolerance, d < n.

    .. math:: t_2 - t_1 \to \frac{\log(1/\nu)}{2\nu}, \qquad \nu = \bigl(1 - \sqrt{d/n}\bigr)^2

    because A/M -> nu at late times. It is a poor guide at practical tolerances: at 1e-3 the true
    delay is 0.57, 0.60, 0.36 and 0.09 of it for d/n = 0.1, 0.5, 0.9 and 0.99 (share 0.95).

    Args:
        n: training rows.
        d: inputs, < n; infinite at d = n, and without meaning beyond.

    Regime: limit of a vanishing tolerance, no decay, no noise.

    Source: Levi, Beck, Bar-Sinai, arXiv:2310.16441, up to constants of their time.

    >>> print(f"{float(asymptotic_delay(200, 100)):.6f}")
    14.314001
    """
    edge = lower_edge(jnp.asarray(d / n, float))
    return -jnp.log(edge) / (2 * edge)


@needs_float64
def decay_time(n: Any, d: Any, level: Any, decay: Any, signal: Any, start: Any) -> Root:
    r"""Grokking time by weight decay, more inputs than rows: the null space has to shrink.

    .. math::
        t = \frac{1}{2\mu} \log\frac{s_0^2 (1 - n/d)}{L_c - r^2 (1 - n/d)}

    Args:
        n: training rows.
        d: inputs, > n.
        level: loss L_c at which the accuracy is the one asked for [label^2].
        decay: mu, > 0.
        signal: r^2 = ``|w*|^2`` [label^2].
        start: s_0^2, mean of ``|w(0)|^2`` [label^2].

    Returns:
        the time; infinite with NO_BREAK where the signal in the null space alone exceeds the
        level (``largest_ratio``); 0 where the start is below it; OUT_OF_SCOPE for d <= n.

    Regime: limit n, d -> infinity, then small decay: corrections exp(-2 nu t) from the bulk and
    O(mu^2) from its shrinkage, nu the lower edge of the bulk.

    Source: derived here (docs/dynamics/dynamics.md); t ~ 1/(rate decay): Liu, Michaud, Tegmark,
    arXiv:2210.01117.

    >>> level = loss_at_accuracy(0.95, 1e-3).value
    >>> print(f"{float(decay_time(300, 600, level, 0.01, 1e-4, 100.0).value):.3f}")
    618.946
    """
    n, d, level, decay, signal, start = (
        jnp.asarray(v, float) for v in (n, d, level, decay, signal, start)
    )
    inside = (d > n) & (n > 0) & (decay > 0) & (level > 0) & (signal >= 0) & (start >= 0)
    null = jnp.where(inside, 1 - n / jnp.where(inside, d, 2.0), 0.5)
    room = level - signal * null
    reached = room > 0
    ratio = start * null / jnp.where(reached, room, 1.0)
    falling = ratio > 1
    time = jnp.log(jnp.where(falling, ratio, 1.0)) / (2 * jnp.where(inside, decay, 1.0))
    value = jnp.where(inside, jnp.where(reached, time, jnp.inf), jnp.nan)
    status = jnp.where(reached, Status.OK, Status.NO_BREAK)
    return Root(value, jnp.where(inside, status, Status.OUT_OF_SCOPE), jnp.zeros(()))


@needs_float64
def largest_ratio(level: Any, signal: Any) -> Scalar:
    r"""Largest d/n at which small weight decay leads to generalisation.

    .. math:: \frac dn < \frac{1}{1 - L_c/r^2}

    Args:
        level: loss L_c at which the accuracy is the one asked for [label^2].
        signal: ``|w*|^2`` [label^2]; at most L_c: every ratio will do, infinite.

    Regime: limit n, d -> infinity, small decay, no label noise.

    Source: derived here (docs/dynamics/dynamics.md).

    >>> float(largest_ratio(0.5, 1.0))
    2.0
    """
    level, signal = jnp.asarray(level, float), jnp.asarray(signal, float)
    hard = signal > level
    return jnp.where(hard, signal / jnp.where(hard, signal - level, 1.0), jnp.inf)


@needs_float64
def large_start_time(scale: Any, decay: Any) -> Scalar:
    r"""Time of the lazy-to-rich transition of a homogeneous network started at a large scale.

    .. math:: t = \frac{\log\alpha}{\mu}\,(1 + o(1))

    Weights of scale alpha fit the data in the kernel regime at once and then shrink as
    exp(-mu t); features move when they are of order 1.

    Args:
        scale: alpha, > 1, size of the initial weights.
        decay: mu in dw/dt = ... - mu w, > 0.

    Regime: limit alpha -> infinity, with an additive constant of order 1/mu that it does not
    give: only differences between scales are predicted, (log alpha_2 - log alpha_1)/mu.

    Source: Lyu, Jin, Li, Du, Lee, Hu, arXiv:2311.18817; rich after lazy: Kumar et al.,
    arXiv:2310.06110.

    >>> print(f"{float(large_start_time(8.0, 0.02) - large_start_time(4.0, 0.02)):.3f}")
    34.657
    """
    return jnp.log(jnp.asarray(scale, float)) / decay
