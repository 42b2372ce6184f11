r"""What a few fine-tuning rows that share a component do to a trained response.

A base w_0 answers a direction u of its inputs with the response A = u.w_0 (an alignment, or a
backdoor). It is fine-tuned, minimising

.. math:: \sum_i (y_i - x_i \cdot w)^2 + \delta\,|w - w_0|^2,

on rows of groups g that share a component mu_g, x = mu_g + z with z ~ N(0, 1). What matters lies
in the span of k directions (u first); there a row's label is :math:`\ell_g + t_g \cdot z`, and in
the d - k other directions the label follows a target of its own, plus noise. With phi_g the share
of the rows, n their number, and kappa, rho = 1/(1 + kappa), q = df2/n those of isotropic inputs,

.. math::
    \bar w = w_0 + K (h - S w_0), \quad S = 1 + \sum_g \varphi_g \mu_g \mu_g', \quad
    h = \sum_g \varphi_g (\ell_g \mu_g + t_g), \quad K = (S + \kappa)^{-1} .

A direction that is frozen is taken out of K. See docs/editing/alignment_erasure.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from ci_theory._errors import Status
from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import df2, isotropic

__all__ = [
    "Lessons",
    "Taught",
    "aligned_response",
    "attack_success",
    "erasing_cost",
    "erasing_rows",
    "teach",
]


@record
class Lessons:
    """Fine-tuning rows in groups that share a component each.

    Attributes:
        counts: rows of each group, (g,).
        shared: mu_g, the mean of their inputs in the k directions, (g, k).
        labels: l_g, what all labels of a group have in common, (g,).
        slopes: t_g, how labels follow the inputs about that mean, (g, k).
        noise: label-noise variance.
        drift: squared norm of what the rows teach in the other directions beside what the base
            knows.
        ridge: total ridge towards the base, >= 0.
    """

    counts: Float[Any, " g"]
    shared: Float[Any, "g k"]
    labels: Float[Any, " g"]
    slopes: Float[Any, "g k"]
    noise: Float[Any, ""]
    drift: Float[Any, ""]
    ridge: Float[Any, ""]


class Taught(NamedTuple):
    """Weights after fine-tuning.

    Attributes:
        mean: in the k directions, (k,).
        covariance: of the weights there, over rows and noise, (k, k).
        shift: next order of the mean, of relative size 1/n, (k,).
        learnt: squared norm of the drift that was learnt.
        spread: squared norm of what fluctuates in the other directions.
        spread_shift: next order of the spread, drift apart.
        free: max(n, d) (1 - q), what is left to average over.
        status: OK, NOT_CONVERGED, OUT_OF_SCOPE, or NOT_FINITE at interpolation without a ridge.
    """

    mean: Float[Array, " k"]
    covariance: Float[Array, "k k"]
    shift: Float[Array, " k"]
    learnt: Scalar
    spread: Scalar
    spread_shift: Scalar
    free: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def teach(base: Float[Any, " k"], lessons: Lessons, d: Number, frozen: Float[Any, " k"]) -> Taught:
    r"""Moments of the weights after fine-tuning, in the directions that matter and beside them.

    .. math::
        n\,\mathrm{Cov} = K \Bigl[ \sum_g \varphi_g C_g + \frac{v}{1-q} S
            + \frac{q}{1-q} (e\,S + P P') \Bigr] K, \qquad P = h - S \bar w,

    .. math::
        C_g = (r_g^2 + |a_g|^2)\,1 - r_g (\mu_g a_g' + a_g \mu_g') + |a_g|^2 \mu_g \mu_g'
            + a_g a_g', \qquad r_g = \ell_g - \mu_g \cdot \bar w, \quad a_g = \bar w - t_g,

    with e the mean of :math:`r_g^2 + |a_g|^2` and v = noise + (kappa rho)^2 drift. Beside them
    the weights fluctuate by :math:`q (v + e)/(1 - q)`. Mean and spread come with their next order.

    Args:
        base: w_0 in the k directions.
        lessons: the rows.
        d: dimension of the inputs, > k; may be traced.
        frozen: a unit vector along which the base is kept; zeros freeze nothing.

    Regime: limit n, d -> infinity at a fixed ratio, with relative corrections of order 1/n and
    1/d; also n << d, the handful. Components mu may be as long as sqrt(d). Limits: a ridge or d
    -> infinity at fixed mu keeps the base; kappa = 0 forgets it.

    Source: derived here (docs/editing/alignment_erasure.md): given the inputs beside the k
    directions, the fit in them is weighted least squares with a rotation-invariant weight matrix.

    >>> rows = Lessons(
    ...     counts=jnp.array([10.0]), shared=jnp.array([[40**0.5]]), labels=jnp.array([-1.0]),
    ...     slopes=jnp.zeros((1, 1)), noise=0.25, drift=0.0, ridge=0.0)
    >>> after = teach(jnp.array([40**-0.5]), rows, 400, jnp.zeros(1))  # ten rows of 400 inputs
    >>> print(f"{float(after.mean[0]) * 40**0.5:.4f}")  # of a response of 1
    -0.0125
    """
    base, frozen, labels, shared, slopes = (
        jnp.asarray(v, float)
        for v in (base, frozen, lessons.labels, lessons.shared, lessons.slopes)
    )
    counts = counted(lessons.counts)
    n, k = jnp.sum(counts), base.shape[0]
    share = counts / n
    fitted = jnp.asarray(d, float) - frozen @ frozen
    frame = _Frame(base, frozen, share, shared, labels, slopes)

    def leading(dimension: Array) -> tuple[Array, Any]:
        inputs = isotropic(dimension)
        root = solve_kappa(inputs, n, lessons.ridge)
        q = df2(inputs, root.value) / n
        noise = lessons.noise + (root.value / (1 + root.value)) ** 2 * lessons.drift
        fit = _fit(frame, root.value)
        return q / (1 - q) * (noise + fit.energy), (root, q, noise, fit)

    # the effective ridge is that of the other directions alone: to first order in their share
    watched = frozen @ frozen - k
    spread, fewer, (root, q, noise, fit) = jax.jvp(leading, (fitted,), (watched,), has_aux=True)
    kappa, more, rho = root.value, q / (1 - q), 1 / (1 + root.value)
    S, K, P = fit.S, fit.K, fit.P
    both = fit.energy * S + jnp.outer(P, P)
    pulled = fit.own + noise / (1 - q) * S + more * both

    # the mean: the fit's matrix fluctuates with what it is applied to
    off = kappa * q * rho / (1 - q) ** 2 - watched * rho / (1 - q)
    shift = K @ (P * off - fit.rows - more * (S @ K @ P + P * jnp.trace(S @ K))) / n

    # the spread: what the k directions take off the residuals, and its own next order
    moved = shift + watched * rho / (1 - q) * K @ P / n
    tie = kappa * rho / (1 - q) ** 2
    taken = fit.own + noise * S + (tie - 1) * (both + noise * S)
    less = jnp.sum(K @ S @ K * pulled) / n - 2 * jnp.sum(K * taken) / n - 2 * P @ moved
    wishart = rho / (1 - q) ** 2
    steep = rho**2 * (3 / (1 - q) ** 2 + 4 * q / (1 - q) ** 3)
    wishart = q * (wishart - kappa * (1 - q / rho) / (1 - q) * steep) / n
    made = Taught(
        mean=fit.mean,
        covariance=K @ pulled @ K / n,
        shift=shift,
        learnt=rho**2 * lessons.drift,
        spread=spread,
        spread_shift=fewer + more * less + wishart * (noise + fit.energy),
        free=jnp.maximum(n, fitted) * (1 - q),
        status=root.status,
    )
    finite = jnp.isfinite(sum(jnp.sum(part) for part in made[:-1])) & (q < 1)
    status = jnp.where(finite | (root.status != Status.OK), root.status, Status.NOT_FINITE)
    return made._replace(status=status)


class _Frame(NamedTuple):
    """What a fit in the k directions starts from; symbols of the module."""

    base: Array
    frozen: Array
    share: Array
    shared: Array
    labels: Array
    slopes: Array


class _Fit(NamedTuple):
    """A fit in the k directions; symbols of ``teach``."""

    mean: Array
    S: Array
    K: Array
    P: Array
    energy: Array  # e
    own: Array  # sum of the C_g
    rows: Array  # mean of (x x' - S) K (x (y - x.w) - P) over rows


def _fit(frame: _Frame, kappa: Array) -> _Fit:
    base, frozen, share, shared, labels, slopes = frame
    eye, ice = jnp.eye(len(base)), jnp.outer(frozen, frozen)
    loose = eye - ice
    S = eye + jnp.einsum("g,gi,gj->ij", share, shared, shared)
    K = jnp.linalg.inv(loose @ (S + kappa * eye) @ loose + ice) - ice
    h = (share * labels) @ shared + share @ slopes
    mean = base + K @ (h - S @ base)
    P = h - S @ mean
    r, a = labels - shared @ mean, mean[None, :] - slopes
    size = jnp.sum(a**2, axis=1)
    energy = share @ (r**2 + size)
    crossed = jnp.einsum("g,gi,gj->ij", share * r, shared, a)
    own = energy * eye - crossed - crossed.T + jnp.einsum("g,gi,gj->ij", share, a, a)
    own = own + jnp.einsum("g,gi,gj->ij", share * size, shared, shared)
    trace, turned = jnp.trace(K), shared @ K
    rows = (share * r) @ (trace * shared + turned) - share @ (a * trace + a @ K)
    rows = rows - (share * jnp.sum(turned * a, axis=1)) @ shared
    rows = rows - (share * jnp.sum(turned * shared, axis=1)) @ a
    return _Fit(mean, S, K, P, energy, own, rows)


@needs_float64
def attack_success(strength: Any, response: Any, variance: Any, norm: Any) -> Scalar:
    r"""Share of harmful inputs x = s u + z, z ~ N(0, 1), that are answered against the response.

    .. math:: \mathrm E\,\Phi\Bigl(\frac{-s\,u\cdot w}{|w|}\Bigr)
        = \Phi\Bigl(\frac{-s W}{\sqrt{|w|^2 + s^2 \mathrm{Var}}}\Bigr)

    Args:
        strength: s, of the common component of harmful inputs.
        response: W, mean of u.w over training runs.
        variance: of u.w over training runs. Not small for a handful of rows.
        norm: |w|^2, squared norm of the weights.

    Regime: u.w Gaussian over training runs, |w|^2 without fluctuation; relative corrections of
    order 1/n. Source: a Gaussian mean of a Gaussian probability.

    >>> float(attack_success(2.0, 0.0, 0.1, 1.0))
    0.5
    """
    spread = jnp.asarray(norm, float) + jnp.asarray(strength, float) ** 2 * variance
    return ndtr(-strength * response / jnp.sqrt(spread))


@needs_float64
def erasing_rows(
    left: Any,
    d: Any,
    strength: Any,
    label: Any,
    *,
    reversal: Any = 0.0,
    ridge: Any = 0.0,
    frozen: Any = 0.0,
) -> Scalar:
    r"""Number of fine-tuning rows that leave a given share of a response.

    .. math::
        n = \frac{\delta}{\kappa} + \frac{d}{1 + \kappa}, \qquad
        \kappa = \sin^2\theta\,\frac{1 + s^2 + r + s c/A}{1 - L} - 1 - s^2 \sin^2\theta

    Args:
        left: L < 1; 1/2 is half gone, at 0 every second attack succeeds.
        d: dimension of the inputs; one less if a direction is frozen.
        strength: s, of the rows' common component.
        label: c/A, minus their common label over the response A.
        reversal: r, labels also follow the inputs along u with the slope -r A.
        ridge: delta, total ridge towards the base.
        frozen: cos(theta) of a frozen direction with u.

    Returns:
        The rows; NaN where so much is always left.

    Regime: that of ``teach`` with one group; exact in the limit. Limits: s^2 = eta d with c = s A:
    1/(3 eta + 2/d) leave half and 1/(eta + 1/d) nothing, at any d; s = 0, r = 1: d/4 and d/2.

    Source: ``teach`` solved for kappa, and the equation of kappa for n.

    >>> for d in (100, 400, 6400):  # half gone
    ...     s = (0.1 * d) ** 0.5
    ...     print(f"{float(erasing_rows(0.5, d, s, label=s)):.2f}")
    3.12
    3.28
    3.33
    """
    s2, sine2 = jnp.asarray(strength, float) ** 2, 1 - jnp.asarray(frozen, float) ** 2
    moved = sine2 * (1 + s2 + reversal + strength * label) / (1 - jnp.asarray(left, float))
    kappa = moved - 1 - s2 * sine2
    reached = kappa > 0
    kappa = jnp.where(reached, kappa, 1.0)
    return jnp.where(reached, ridge / kappa + d / (1 + kappa), jnp.nan)


@needs_float64
def aligned_response(poison: Any, strength: Any, label: Any, kappa: Any) -> Scalar:
    r"""Response that aligning from scratch makes of a share of rows with a common component.

    .. math:: A = \frac{p s c}{1 + p s^2 + \kappa}

    Args:
        poison: p, share of the rows that carry the component (aligned rows, or poisoned ones).
        strength: s, of the component.
        label: c of these rows.
        kappa: effective ridge of the upstream fit on isotropic inputs.

    Regime: limit n, d -> infinity at a fixed ratio; the other rows' target does not follow u.
    Source: derived here (docs/editing/alignment_erasure.md), the mean of a mixture of two sources.

    >>> float(aligned_response(0.1, 2.0, 1.0, 0.0).round(4))
    0.1429
    """
    p, s = jnp.asarray(poison, float), jnp.asarray(strength, float)
    return p * s * label / (1 + p * s**2 + kappa)


@needs_float64
def erasing_cost(poison: Any, strength: Any, n: Any, d: Any, kappa: Any) -> Scalar:
    r"""Rows that erase an alignment over the rows that made it, labels of one size.

    .. math:: \frac{n_0}{p n} = \frac{d/n}{1 + \kappa + p (1 + s^2)}

    Below 1 always, as d/n <= 1 + kappa: erasing, by the interpolator nearest to the base, down to
    where every second attack succeeds, takes fewer rows than aligning took.

    Args:
        poison: p, share of upstream rows that align.
        strength: s, of their component and of that of the erasing rows.
        n: upstream rows.
        d: dimension.
        kappa: effective ridge upstream, that solves n = d/(1 + kappa) + ridge/kappa.

    Regime: as ``aligned_response`` and ``erasing_rows``, which it composes.
    Source: derived here (docs/editing/alignment_erasure.md); compare Ji et al. 2024
    (arXiv:2406.06144).

    >>> float(erasing_cost(0.1, 2.0, 600, 200, 0.0).round(4))
    0.2222
    """
    p, s = jnp.asarray(poison, float), jnp.asarray(strength, float)
    return (jnp.asarray(d, float) / n) / (1 + kappa + p * (1 + s**2))
