r"""One-pass SGD on random features, averaged over the features: widths and budgets without end.

Inputs x_j ~ N(0, j^-2alpha), j <= v, target y = sum_j j^-beta x_j, features W'x with W (v, d) of
independent N(0, 1/d). At a small rate the recursion of ``one_pass_sgd`` becomes a Volterra
equation in the time T = 2 gamma B r, and averaged resolvents of W'DW turn it into one quotient
of Laplace transforms. The derivation is in docs/dynamics/sgd.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import BadInput, Status
from ci_theory._types import Int, Scalar, needs_float64
from ci_theory.theory.dynamics.complex_ridge import complex_levels
from ci_theory.theory.dynamics.one_pass_sgd import Descent
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.spectra.groups import plain_rows
from ci_theory.theory.spectra.power_law import endless
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, per_kappa, trace

__all__ = ["AveragedRisk", "RareDraw", "averaged_risk", "inputs", "rare_draw"]

COUNT, CHECK = 24, 20
"""Contour nodes, and those of the second contour that tells the error."""

AGREED = 1e-7
"""Relative difference of the two contours above which a point is NOT_CONVERGED."""

WIDEST = 1e15
"""Widths beyond it count as it: no matter for spectra that are resolved."""


class AveragedRisk(NamedTuple):
    """Risk on clean labels at one number of steps.

    Attributes:
        risk: P [label^2].
        flow: the part without the sampling noise of SGD, gradient flow [label^2].
        status: OK, NOT_CONVERGED (contours or solver disagree), OUT_OF_SCOPE (bad input or an
            unstable rate).
        residual: relative difference of the risk on two contours.
    """

    risk: Scalar
    flow: Scalar
    status: Int[Any, ""]
    residual: Scalar


@needs_float64
def inputs(v: float, alpha: float, beta: float) -> Spectrum:
    """Spectrum of v inputs: variances j^-2alpha, target power j^-(2 alpha + 2 beta).

    ``power_law.endless`` in the exponents of this model.

    Args:
        v: inputs, >= 1; may be infinite if alpha > 1/2.
        alpha: decay of the inputs, > 0.
        beta: decay of the target, alpha + beta > 1/2.

    Raises:
        BadInput: exponents for which a variance diverges, or no inputs.

    >>> from ci_theory.theory.spectra.spectrum import trace
    >>> print(f"{float(trace(inputs(1e8, 0.4, 1.0))):.6f}")  # 5 1e8^.2 + zeta(.8)
    194.616047
    """
    source = (2 * alpha + 2 * beta - 1) / (4 * alpha) if alpha > 0 else 0.0
    if not (source > 0 and v >= 1):
        raise BadInput(f"v = {v}, alpha = {alpha}, beta = {beta}: expected v >= 1, alpha > 0, "
                       "alpha + beta > 1/2")  # fmt: skip
    return endless(2 * alpha, source, modes=v)


@needs_float64
@jax.jit
def averaged_risk(
    spectrum: Spectrum, width: Any, descent: Descent, noise: Any, steps: Any
) -> AveragedRisk:
    r"""Risk of one-pass SGD on random features, averaged over them.

    .. math:: \hat P(s) = \frac{\hat F(s) + \sigma^2/s}{1 - \frac{\gamma Q}{2B}\,\hat k(s)}
        - \frac{\sigma^2}{s}, \qquad
        \hat F = \frac{\kappa}{s} \sum_j \frac{v_j^2}{\lambda_j + \kappa}, \qquad
        \hat k = \sum_j \lambda_j - s\,\mathrm{df}_1(\kappa), \qquad
        \kappa\,\bigl(1 - \mathrm{df}_1(\kappa)/d\bigr) = s

    inverted at T = 2 gamma B r on one contour.

    Args:
        spectrum: of the inputs, with the target's power v_j^2.
        width: d, features, > 0; need not be whole, may be infinite.
        descent: rate, rows, squares.
        noise: label-noise variance [label^2].
        steps: r, > 0.

    Returns:
        an ``AveragedRisk``.

    Regime: small rate, relative error O(gamma (B + 1) s_max) where the sampling noise matters;
    limit d -> infinity, relative error O(1/d). A single draw of the features scatters around it
    by 10-20 % at d of tens.

    Limits: rate -> 0 at fixed T: gradient flow on the features; width -> infinity: on the inputs.

    Source: derived here (docs/dynamics/sgd.md); the equivalents are those of arXiv:2405.15074.

    >>> found = averaged_risk(inputs(800, 0.8, 0.4), 100.0, Descent(0.05, 1.0, 1.0), 0.0, 2000.0)
    >>> print(f"{float(found.risk):.6f}", int(found.status))
    0.019718 0
    """
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    width, noise, steps = (jnp.asarray(v, float) for v in (width, noise, steps))
    rate, rows, squares = (jnp.asarray(v, float) for v in descent)
    inside = (width > 0) & (noise >= 0) & (steps > 0) & (rate > 0) & (rows > 0)
    width = jnp.where(inside, jnp.minimum(width, WIDEST), 1.0)
    time = jnp.where(inside, 2 * rate * rows * steps, 1.0)
    share, whole = rate * squares / (2 * rows), trace(spectrum)

    def quotient(node: Any) -> tuple[Any, ...]:
        s = node / time
        at = complex_levels(spectrum, plain_rows(width, 0.0), jnp.inf, width * s)
        x, y = fractions(spectrum.eigenvalues, at.kappa)
        flow = (jnp.sum(spectrum.power * y) + spectrum.tail_power) / s
        degrees = jnp.sum(spectrum.multiplicity * x) + per_kappa(spectrum.tail_trace, at.kappa)
        kernel = whole - s * degrees
        sampled = (flow + noise / s) / (1 - share * kernel) - noise / s
        return flow, sampled, at.status

    fine, coarse = contour(COUNT), contour(CHECK)
    flow, sampled, status = jax.vmap(quotient)(jnp.concatenate([fine.nodes, coarse.nodes]))

    def inverted(values: Any) -> tuple[Any, Any]:
        first, second = values[: COUNT // 2], values[COUNT // 2 :]
        sums = [jnp.sum(c.weights * v) for c, v in ((fine, first), (coarse, second))]
        return 2 * sums[0].real / time, 2 * sums[1].real / time

    risk, again = inverted(sampled)
    residual = jnp.abs(risk - again) / jnp.maximum(jnp.abs(risk), 1e-300)
    worst = jnp.max(status)
    worst = jnp.where(residual <= AGREED, worst, jnp.maximum(worst, Status.NOT_CONVERGED))
    stable = share * whole < 1
    worst = jnp.where(inside & stable, worst, Status.OUT_OF_SCOPE)
    good = inside & stable
    return AveragedRisk(
        risk=jnp.where(good, risk, jnp.nan),
        flow=jnp.where(good, inverted(flow)[0], jnp.nan),
        status=worst,
        residual=residual,
    )


class RareDraw(NamedTuple):
    """Bounds for all draws of the features but rare ones; see ``Stability`` for the symbols."""

    kernel: Scalar
    fastest: Scalar


@needs_float64
@jax.jit
def rare_draw(
    spectrum: Spectrum, width: Any, descent: Descent, deviations: float = 3.0
) -> RareDraw:
    r"""Bound |K|_1 and the fastest mode over draws of the features.

    .. math:: \|D^{1/2}W\| \le s = \sqrt{\lambda_1}\Bigl(1 + \frac{t}{\sqrt d}\Bigr)
        + \sqrt{\frac{\mathrm{tr} D}{d}}, \qquad
        f = \gamma\frac{B^2 + Q}{2B}s^2, \qquad
        |K|_1 \le \frac{\gamma Q}{2B}\,\frac{\mathrm{tr} D + s^2 - \lambda_1}{1 - f}

    A mean over draws is infinite in the end if a single one of them is unstable, so it needs rates
    far below the edge of a typical draw where the width is small.

    Args:
        spectrum: of the inputs.
        width: d.
        descent: rate, rows, squares.
        deviations: t; the norm is beyond the bound with a probability of at most exp(-t^2/2);
            measured, none of 3000 draws is beyond 3.

    Returns:
        the bounds; infinite where the fastest mode may be unstable.

    Regime: a bound for all but rare draws; see ``deviations``.

    Source: the norm: Chevet's and Gordon's inequality with the concentration of Lipschitz functions
    of Gaussians. That the trace exceeds its mean by no more than the largest mode's excess is an
    estimate, not a bound.

    >>> made = rare_draw(inputs(1000.0, 1.0, 0.4), 100.0, Descent(0.1, 1.0, 1.0))
    >>> print(f"{float(made.kernel):.3f} {float(made.fastest):.3f}")
    0.169 0.204
    """
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    width = jnp.asarray(width, float)
    rate, rows, squares = (jnp.asarray(v, float) for v in descent)
    there = spectrum.multiplicity > 0
    top, whole = jnp.max(jnp.where(there, spectrum.eigenvalues, 0.0)), trace(spectrum)
    norm = jnp.sqrt(top) * (1 + deviations / jnp.sqrt(width)) + jnp.sqrt(whole / width)
    fastest = rate * (rows**2 + squares) / (2 * rows) * norm**2
    kernel = rate * squares / (2 * rows) * (whole + norm**2 - top)
    safe = jnp.where(fastest < 1, 1 - fastest, 1.0)
    return RareDraw(jnp.where(fastest < 1, kernel / safe, jnp.inf), fastest)
