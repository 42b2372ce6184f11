r"""Gradient flow on least squares at any time: any spectrum, finite n and p, ridge, repeated rows.

Training from zero weights on the mean loss of all N copies (N = sum of n_g c_g),

.. math:: \frac{1}{2N}\Bigl[\sum_i c_i (y_i - \phi_i\cdot w)^2 + \delta |w|^2\Bigr],
    \qquad \dot w = -\nabla, \qquad t = \text{rate} \times \text{steps}.

The Laplace transform of w(t) is a ridge estimator of ridge delta + N s, divided by s. Errors are
quadratic in w, so they need two ridges at once: the *two-point* errors of ridge regression,
inverted in both variables on the contour of ``talbot``. The derivation is in
docs/dynamics/dynamics.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.dynamics.complex_ridge import ComplexLevels, levels_along, leverages
from ci_theory.theory.dynamics.talbot import Contour, contour
from ci_theory.theory.spectra.groups import Groups, counted, plain_rows
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, per_kappa, rank, trace

__all__ = ["FlowRisk", "flow_ridges", "flow_risk", "weighted_flow_risk"]

COUNT, CHECK = 24, 20
"""Contour nodes, and those of the second contour that tells the error."""

AGREED = 1e-8
"""Relative difference of the two contours above which a point is NOT_CONVERGED."""

LONGEST = 1e30
"""Times beyond this over the total variance count as infinite, and below its inverse as 0."""


class FlowRisk(NamedTuple):
    """Errors at one time.

    Attributes:
        excess_risk: mean squared error on fresh clean labels [label^2]; the next three add up
            to it.
        bias: squared error of the estimator averaged over rows and noise [label^2].
        signal_variance: part due to the sampling of the rows [label^2].
        noise_variance: part due to the label noise [label^2].
        train_error: mean squared residual of a row's mean label in each group [label^2], (g,);
            a scalar in ``flow_risk``.
        train_noise: its part due to the label noise [label^2], likewise.
        status: OK, NOT_CONVERGED (the two contours or the solver disagree), OUT_OF_SCOPE or
            NOT_FINITE (infinite time, no ridge, at the interpolation peak).
        residual: difference of the excess risk on two contours, relative to it: an estimate
            from above of the relative error.
    """

    excess_risk: Scalar
    bias: Scalar
    signal_variance: Scalar
    noise_variance: Scalar
    train_error: Float[Array, "*g"]
    train_noise: Float[Array, "*g"]
    status: Int[Array, ""]
    residual: Scalar


def _two_point(
    spectrum: Spectrum, groups: Groups, p: Array, at: ComplexLevels, other: ComplexLevels
) -> tuple[Array, Array, Array, Array]:
    """Two-point errors between the nodes ``at`` (j,) and ``other`` (k,).

    Returns:
        bias, signal variance and noise variance, (j, k), and mean squared residuals by target and
        by noise, (2, g, j, k).
        Nothing is a difference of large numbers: see docs/dynamics/dynamics.md.
    """
    kappa, kappa_o = at.kappa[:, None], other.kappa[:, None]
    x, y = fractions(spectrum.eigenvalues[None, :], kappa)
    x_o, y_o = fractions(spectrum.eigenvalues[None, :], kappa_o)
    learned, power = spectrum.multiplicity[None, :] * x, spectrum.power[None, :] * y

    # q: both learn; mixed: the first learns what the second misses.
    both = learned @ x_o.T
    mixed = learned @ y_o.T + per_kappa(spectrum.tail_trace, kappa)
    mirrored = mixed * kappa / kappa_o.T
    beta = at.left[:, None]
    missing = beta + mixed / p  # 1 - q/p
    second = both + mixed * mirrored / p / missing
    bias = power @ y_o.T + spectrum.tail_power + mixed / p / missing * (power @ x_o.T)

    h, miss = leverages(groups.weights[:, None], at.ratio[None, :])
    h_o, miss_o = leverages(groups.weights[:, None], other.ratio[None, :])
    share = h / (groups.counts @ h)[None, :]
    share_o = h_o / (groups.counts @ h_o)[None, :]
    squares = (groups.counts[:, None] * share).T @ share_o
    fitted = (groups.counts[:, None] * groups.noise[:, None] * share).T @ share_o
    gap = (groups.counts[:, None] * share).T @ miss_o + mirrored * beta / missing * squares
    signal = bias * second * squares / gap
    noise = second * fitted / gap
    target = jnp.broadcast_to((bias + signal)[None], (len(h), *noise.shape))
    left = jnp.stack([target, noise[None] + groups.noise[:, None, None]])
    return bias, signal, noise, (miss[:, :, None] * miss_o[:, None, :])[None] * left


def _inverted(
    spectrum: Spectrum, groups: Groups, p: Array, nodes: Contour, at: ComplexLevels
) -> tuple[Array, Array]:
    """Sum over a contour on which the levels are known: errors (3,) and residuals (2, g)."""
    whole = ComplexLevels(*(jnp.concatenate([leaf, jnp.conj(leaf)]) for leaf in at))
    weight = nodes.weights / nodes.nodes
    pairs = jnp.asarray(weight[:, None] * np.concatenate([weight, np.conj(weight)])[None, :])
    bias, signal, noise, left = _two_point(spectrum, groups, p, at, whole)
    errors = 2 * jnp.sum(pairs[None] * jnp.stack([bias, signal, noise]), axis=(1, 2)).real
    return errors, 2 * jnp.sum(pairs[None, None] * left, axis=(2, 3)).real


def flow_ridges(spectrum: Spectrum, groups: Groups, time: Any, ridge: Any) -> Array:
    """Return the total ridges, complex, (k,), at which ``weighted_flow_risk`` needs the levels.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(flow_ridges(isotropic(50), plain_rows(100, 0.0), 2.0, 1.0).shape)
    (22,)
    """
    total = trace(spectrum)
    scale = jnp.where(total > 0, total, 1.0)
    when = jnp.clip(time, 1 / (LONGEST * scale), LONGEST / scale)
    copies = jnp.sum(counted(groups.counts) * groups.weights)
    return ridge + copies * np.concatenate([contour(COUNT).nodes, contour(CHECK).nodes]) / when


@needs_float64
@jax.jit
def weighted_flow_risk(
    spectrum: Spectrum,
    groups: Groups,
    time: Any,
    ridge: Any,
    p: Any = jnp.inf,
    at: ComplexLevels | None = None,
) -> FlowRisk:
    r"""Errors of gradient flow on rows of unequal weight.

    .. math::
        E_x(t) = \mathcal L^{-1}_{s\to t}\mathcal L^{-1}_{s'\to t}\;
        \frac{1}{s s'}\,\frac{B + Q\sum_g n_g a_g a'_g v_g}{1 - Q\sum_g n_g a_g a'_g}

    with a_g = h_g/z the shares at the ridges delta + N s and delta + N s' (``complex_levels``),
    x = lambda/(lambda + kappa), y = 1 - x, primes at s', sums over modes,

    .. math::
        q = \sum m x x',\quad u = \sum m x y',\quad u' = \sum m x' y,\quad
        Q = q + \frac{u u'}{p - q},\quad
        B = \sum v^2 y y' + \frac{u}{p - q} \sum v^2 y x'

    and the residual of group g is the same transform of (1 - h_g)(1 - h'_g)(G + v_g), where G
    is the fraction above.

    Args:
        spectrum: covariance and the target's power on it; of the features' mean kernel if p is
            finite. ``tail_power`` is never learned.
        groups: training rows, with counts, weights and noise of their mean labels, (g,) each.
        time: t, >= 0, in units of 1/eigenvalue; may be infinite.
        ridge: total ridge delta, >= 0.
        p: random features, > 0; infinite trains on the inputs themselves.
        at: the levels at ``flow_ridges``, if they were solved with others (``levels_along``).

    Returns:
        the errors; the test error is the excess risk plus the test noise.

    Regime: limit n, p -> infinity with relative corrections of order 1/n; weights independent
    of the inputs; training from zero. Its evaluation has a relative error near 1e-12.

    Limits: t = 0: the target's power; t -> infinity: ``weighted_ridge_risk`` and
    ``repeated_feature_risk``; equal weights: plain rows; n -> infinity: every mode by itself.

    Errors: the derivative with respect to time is not defined at 0 and infinity.

    Source: derived here (docs/dynamics/dynamics.md). Plain rows: the mean-field theory of Bordelon,
    Atanasov, Pehlevan, arXiv:2402.01092; two scales: Pezeshki et al., arXiv:2112.03215, and
    Heckel, Yilmaz, arXiv:2007.10099.

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> rows = repeated_rows(150, 10, 15, 0.5, True)
    >>> found = weighted_flow_risk(isotropic(100), rows, 3.0, 0.0)
    >>> print(f"{float(found.excess_risk):.9f}", int(found.status))
    0.389958601 0
    """
    weights = jnp.asarray(groups.weights, float)
    groups = Groups(
        counts=jnp.where(weights > 0, counted(groups.counts), 0.0),
        weights=weights,
        noise=jnp.asarray(groups.noise, float),
    )
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    time, ridge, p = (jnp.asarray(v, float) for v in (time, ridge, p))
    total = trace(spectrum)
    inside = (time >= 0) & (ridge >= 0) & (p > 0) & (total > 0) & jnp.all(weights >= 0)
    inside = inside & jnp.all(groups.counts >= 0) & (jnp.sum(groups.counts) > 0)
    inside = inside & jnp.all(groups.noise >= 0)
    # A point out of scope is replaced by an easy one: no NaN may leak into gradients.
    easy = Groups(
        counts=jnp.where(inside, groups.counts, 1.0),
        weights=jnp.where(inside, weights, 1.0),
        noise=jnp.where(inside, groups.noise, 0.0),
    )
    safe_p, delta = jnp.where(inside, p, jnp.inf), jnp.where(inside, ridge, 0.0)
    if at is None:
        ridges = flow_ridges(spectrum, easy, jnp.where(inside, time, 1.0), delta)
        (at,) = levels_along(spectrum, easy, safe_p, ridges)
    fine, coarse = (
        ComplexLevels(*part)
        for part in zip(*(jnp.split(leaf, [COUNT // 2]) for leaf in at), strict=True)
    )
    errors, left = _inverted(spectrum, easy, safe_p, contour(COUNT), fine)
    again, _ = _inverted(spectrum, easy, safe_p, contour(CHECK), coarse)
    status = jnp.max(at.status)
    excess = jnp.sum(errors)
    residual = jnp.abs(excess - jnp.sum(again)) / jnp.maximum(jnp.abs(excess), 1e-300)
    status = jnp.where(residual <= AGREED, status, jnp.maximum(status, Status.NOT_CONVERGED))
    distinct = jnp.sum(groups.counts)
    peak = jnp.isinf(time) & (ridge == 0) & (distinct == jnp.minimum(p, rank(spectrum)))
    broken = peak | ~jnp.isfinite(excess)
    status = jnp.where(inside, jnp.where(broken, Status.NOT_FINITE, status), Status.OUT_OF_SCOPE)
    good = inside & ~peak
    excess, errors, left = (jnp.where(good, v, jnp.nan) for v in (excess, errors, left))
    bias, signal, noise = errors
    return FlowRisk(excess, bias, signal, noise, left[0] + left[1], left[1], status, residual)


@needs_float64
@jax.jit
def flow_risk(
    spectrum: Spectrum, n: Any, time: Any, ridge: Any, noise: Any, p: Any = jnp.inf
) -> FlowRisk:
    """Errors of gradient flow on n plain rows: ``weighted_flow_risk`` with one group.

    Args:
        spectrum: covariance and the target's power on it.
        n: training rows.
        time: t, >= 0; may be infinite.
        ridge: total ridge, >= 0.
        noise: label-noise variance [label^2].
        p: random features, > 0; infinite trains on the inputs themselves.

    Two scales of variance give epoch-wise double descent: the large one over-fits before the
    small one is learned.

    Regime: as ``weighted_flow_risk``. Source: as ``weighted_flow_risk``.

    >>> from ci_theory.theory.spectra.spectrum import two_block
    >>> spectrum = two_block(200, 200, 1.0, 0.01, 0.2, 100.0)
    >>> for t in (0.3, 10.0, 300.0, 3000.0):
    ...     print(f"{float(flow_risk(spectrum, 400, t, 0.0, 0.64).excess_risk):.6f}")
    1.162256
    2.139309
    1.735467
    3.478214
    """
    found = weighted_flow_risk(spectrum, plain_rows(n, noise), time, ridge, p)
    return found._replace(train_error=found.train_error[0], train_noise=found.train_noise[0])
