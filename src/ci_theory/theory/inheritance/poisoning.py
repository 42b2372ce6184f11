r"""A trigger planted by poisoned rows: how strong it gets, whom it fools, what fine-tuning leaves.

Upstream rows are isotropic; of n a share q also has s times a unit direction t, the trigger, added
and one label c. Rotating the poisoned rows among themselves leaves all of them but one without
trigger and with label zero, and puts everything into that one: a row of trigger sqrt(q n) s and
label sqrt(q n) c. So poison is contamination by rows of label zero, and one strong row. In the
limit, with kappa the effective ridge per row (no unit) and D = 1 + kappa + q s^2,

.. math::
    m_t = \frac{(1-q)\,b + q s c}{D}, \qquad m_\perp = \frac{1-q}{1+\kappa}\,\beta_\perp, \qquad
    V = \frac{\gamma}{1-\gamma}\Bigl[(1-q)(v + |m - \beta|^2)
        + q\bigl((c - s m_t)^2 + |m|^2\bigr)\Bigr],

b the clean target's own part along t and gamma = (p/n)/(1 + kappa)^2. The weight along the trigger
differs from run to run: its variance, of order 1/n, is what makes a mean attack success at finite
size differ most from its limit. See docs/inheritance/poisoning.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.inheritance.operator import IsotropicWeights, isotropic_risk
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.marchenko_pastur import EigenvalueLaw, eigenvalue_law
from ci_theory.theory.spectra.spectrum import isotropic

__all__ = [
    "Backdoor",
    "Tuning",
    "attack_success",
    "clean_tuning",
    "half_removed",
    "half_saturated",
    "poisoned_ridge",
    "tuned",
]

NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()

ARCSINE = 128
"""Nodes between the edges of the spectrum."""


class Backdoor(NamedTuple):
    """Weights with a trigger in them.

    Attributes:
        weights: their moments; the first coordinate of the mean is that along the trigger, the
            second that along the rest of the clean target.
        wobble: variance of the coordinate along the trigger, from run to run.
        kappa: effective ridge per row.
        gamma: share of the spread that spreads again, df2/n.
        status: of kappa; NOT_FINITE where the spread is infinite.
    """

    weights: IsotropicWeights
    wobble: Scalar
    kappa: Scalar
    gamma: Scalar
    status: Int[Array, ""]


class Tuning(NamedTuple):
    """What clean fine-tuning on isotropic rows leaves of the error of its start.

    Attributes:
        kept: of a direction's error in the mean: the share of a trigger that survives.
        kept_square: of the squared error.
        noise: squared error that it adds by label noise.
        shifts: the next order in each of the three, (3,).
        free: rows left to average over, n - p (1 - kept)^2.
        status: NOT_FINITE where the noise part is infinite; OUT_OF_SCOPE for inputs without a
            meaning.
    """

    kept: Scalar
    kept_square: Scalar
    noise: Scalar
    shifts: Float[Array, " 3"]
    free: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def poisoned_ridge(
    n: Any,
    p: Any,
    share: Any,
    strength: Any,
    label: Any,
    target: Float[Any, " 2"],
    noise: Any,
    ridge: Any,
) -> Backdoor:
    """Fit ridge regression on rows of which a share is poisoned.

    Args:
        n: rows.
        p: inputs, isotropic.
        share: q, of the rows that are poisoned, in [0, 1].
        strength: s, how far the trigger moves an input [x].
        label: c, that of every poisoned row.
        target: clean target, along the trigger and across it, (2,) [label/x].
        noise: variance of a clean row's label.
        ridge: total ridge, >= 0; 0 is least squares or the interpolator of least norm.

    Regime: n, p -> infinity at fixed s and c, relative corrections of order 1/(n - df2); no
    centring of the data. Limits: share 0 is ``operator.inherit_isotropic`` from zero;
    strength 0 contamination by rows of label c that no input predicts.

    Source: derived here (docs/inheritance/poisoning.md).

    >>> found = poisoned_ridge(600, 300, 0.05, 3.0, 5.0, jnp.array([0.0, 1.0]), 0.1, 60.0)
    >>> print(f"{3 * float(found.weights.mean[0]):.4f}")  # what the trigger adds to an output
    1.3853
    """
    n, p, q, s, c = (jnp.asarray(v, float) for v in (n, p, share, strength, label))
    n, p, target = counted(n), counted(p), jnp.asarray(target, float)
    root = solve_kappa(isotropic(p), n, ridge)
    kappa = root.value
    gamma = p / n / (1 + kappa) ** 2
    stiff = 1 + kappa + q * s**2
    along = ((1 - q) * target[0] + q * s * c) / stiff
    mean = jnp.stack([along, (1 - q) * target[1] / (1 + kappa)])
    missed, power = (mean - target) @ (mean - target), mean @ mean
    off = c - s * along
    own = (1 - q) * (noise + missed) + q * (off**2 + power)
    finite = gamma < 1
    again = 1 / jnp.where(finite, 1 - gamma, 1.0)
    spread = gamma * again * own
    wobble = _wobble(n, kappa, gamma, again, q, s, c, target, noise)
    asked = (q >= 0) & (q <= 1) & (noise >= 0) & (root.status != Status.OUT_OF_SCOPE)
    status = jnp.where(finite, root.status, jnp.maximum(root.status, Status.NOT_FINITE))
    status = jnp.where(asked, status, Status.OUT_OF_SCOPE)
    number = jnp.where(status == Status.OK, 1.0, jnp.nan)
    weights = IsotropicWeights(mean=number * mean, spread=number * spread)
    return Backdoor(weights, number * wobble, kappa, gamma, status)


def _wobble(
    n: Array,
    kappa: Array,
    gamma: Array,
    again: Array,
    q: Array,
    s: Array,
    c: Array,
    target: Array,
    noise: Any,
) -> Scalar:
    """Variance along the trigger: of the fit without the strong row, and of how that row moves it.

    In units of 1/(n (1 + kappa)^2). The strong row enters by five numbers that fluctuate: the
    weight along the trigger before it and the resolvent there, the row's own prediction, its
    overlap with the trigger and its leverage (docs/inheritance/poisoning.md).
    """
    rho = 1 / (1 + kappa)
    mean = (1 - q) * rho * target
    missed, power = jnp.sum((mean - target) ** 2), jnp.sum(mean**2)
    own = (1 - q) * (noise + missed) + q * power
    pull = kappa * mean[0]  # what rows still ask for along the trigger, in the mean over kinds
    strong = q * s**2 * rho
    calm = 1 / (1 + strong)
    off = c - s * mean[0]
    lever = s * q * off
    first = again * (own + pull**2) + q * (1 - q) * target[0] ** 2
    resolvent = 2 * again * (calm * lever * rho) ** 2 - 4 * again * calm * lever * rho * pull
    own_row = s**2 * q * (power + gamma * again * own)
    overlap = again * q * (off * calm * (1 - strong)) ** 2
    both = -2 * lever * calm * (1 - strong) * (mean[0] - gamma * again * pull)
    leverage = 2 * gamma * again * (lever * calm) ** 2
    return (calm * rho) ** 2 / n * (first + resolvent + own_row + overlap + both + leverage)


@needs_float64
def attack_success(backdoor: Backdoor, strength: Any) -> Scalar:
    r"""Share of fresh inputs whose output the trigger makes positive, in the mean over runs.

    .. math:: \mathrm E\,\Phi\Bigl(\frac{s\,w_t}{|w|}\Bigr), \qquad
        w_t \sim N(m_t, u), \qquad |w|^2 = w_t^2 + |m|^2 + V - m_t^2 - u

    with u the ``wobble``: what is left out fluctuates less, or without a direction.

    Args:
        backdoor: the model, by its moments.
        strength: s, of the trigger that the attacker shows.

    Regime: isotropic inputs; corrections of order 1/(n - df2), measured well below those of the
    limit Phi(s m_t / sqrt(|m|^2 + V)). Without poison and target along t it is 1/2.

    Source: derived here (docs/inheritance/poisoning.md).

    >>> found = poisoned_ridge(600, 300, 0.0, 3.0, 5.0, jnp.array([0.0, 1.0]), 0.1, 60.0)
    >>> print(f"{float(attack_success(found, 3.0)):.6f}")
    0.500000
    """
    mean, spread, wobble = backdoor.weights.mean, backdoor.weights.spread, backdoor.wobble
    along = mean[0] + jnp.sqrt(wobble) * NODES
    aside = jnp.maximum(mean[1] ** 2 + spread - wobble, 0.0)
    length = jnp.sqrt(along**2 + aside)
    ratio = along / jnp.where(length > 0, length, 1.0)
    return jnp.sum(NODE_WEIGHTS * norm.cdf(strength * ratio))


@needs_float64
@jax.jit
def clean_tuning(n: Any, p: Any, ridge: Any, time: Any, noise: Any) -> Tuning:
    r"""Fine-tune on clean isotropic rows, by gradient flow with a ridge towards the start.

    .. math::
        k(x) = \frac{\ell + x\,e^{-(x + \ell) t}}{x + \ell}, \qquad \ell = \delta/n

    is what a mode of the sample covariance keeps of the error of the start, on the loss
    (1/2n)[sum (y - x.w)^2 + delta |w - w_0|^2]; averages over the Marchenko-Pastur law carry
    their next order, for sums over the modes

    .. math::
        \tfrac14 [f(s_-) + f(s_+)] - \tfrac1{2\pi}\int \frac{f(s)\,ds}{\sqrt{(s_+-s)(s-s_-)}} .

    Args:
        n: rows, > 0.
        p: inputs.
        ridge: delta, total ridge towards the start, >= 0.
        time: t, rate times steps, >= 0; may be infinite.
        noise: label-noise variance.

    Regime: Gaussian rows; what is left out is of relative order 1/(n - df2)^2. Limits:
    t -> infinity is ``operator.inherit_isotropic`` and its next order; then kept is
    kappa/(1 + kappa), and without a ridge 1 - n/p, which is exact.

    Source: derived here (docs/inheritance/poisoning.md); the next order as in Bai, Silverstein 2004
    (Annals of Probability 32).

    >>> for ridge, time in [(0.0, 1e9), (40.0, 1e9), (0.0, 2.0)]:
    ...     print(f"{float(clean_tuning(400, 200, ridge, time, 0.1).kept):.5f}")
    0.00000
    0.14871
    0.26812
    """
    n, p, ridge, time, noise = (jnp.asarray(v, float) for v in (n, p, ridge, time, noise))
    n, p = counted(n), counted(p)
    law, level = eigenvalue_law(p / n), ridge / n

    def modes(s: Array) -> tuple[Array, Array]:
        """Return what a mode keeps, and the share of its labels that it learns per s."""
        rate = s + level
        there = rate > 0
        safe = jnp.where(there, rate, 1.0)
        left = jnp.where(there, (level + s * jnp.exp(-rate * time)) / safe, 1.0)
        return left, jnp.where(there, -jnp.expm1(-rate * time) / safe, time)

    (left, share), (bulk_left, bulk_share) = modes(law.eigenvalues), modes(_arcsine(law))
    added = noise * p / n
    kept = _mean(law, left, bulk_left, p, 1.0)
    square = _mean(law, left**2, bulk_left**2, p, 1.0)
    s, t = law.eigenvalues, _arcsine(law)
    learned = _mean(law, s * share**2, t * bulk_share**2, p, 0.0)
    inside = (n > 0) & (ridge >= 0) & (time >= 0) & (noise >= 0)
    status = jnp.where(jnp.isfinite(added * learned.value), Status.OK, Status.NOT_FINITE)
    return Tuning(
        kept=kept.value,
        kept_square=square.value,
        noise=added * learned.value,
        shifts=jnp.stack([kept.shift, square.shift, added * learned.shift]),
        free=n - p * (1 - kept.value + kept.shift) ** 2,
        status=jnp.where(inside, status, Status.OUT_OF_SCOPE),
    )


class _Mean(NamedTuple):
    value: Scalar
    shift: Scalar


def _arcsine(law: EigenvalueLaw) -> Array:
    """Return nodes of the arcsine law between the edges, and the edges themselves."""
    angles = (jnp.arange(ARCSINE) + 0.5) * jnp.pi / ARCSINE
    inside = law.lower + (law.upper - law.lower) * jnp.cos(angles / 2) ** 2
    return jnp.concatenate([jnp.stack([law.lower, law.upper]), inside])


def _mean(law: EigenvalueLaw, values: Array, bulk: Array, p: Array, nothing: float) -> _Mean:
    """Average a function of the modes: the limit plus its next order, and that order."""
    edges, inside = jnp.mean(bulk[:2]), jnp.mean(bulk[2:])
    shift = 0.5 * (edges - inside) / p
    return _Mean(jnp.sum(law.weights * values) + law.atom * nothing + shift, shift)


@needs_float64
def tuned(backdoor: Backdoor, tuning: Tuning, target: Float[Any, " 2"], p: Any) -> Backdoor:
    r"""Return the moments of the weights after clean fine-tuning.

    The error e of the start is mapped by a matrix K that has no direction, so that

    .. math::
        \mathrm E\,(t'Ke)^2 = (k_1^2 - 2\beta/p)\,e_t^2 + \beta\,(|e|^2 + e_t^2), \qquad
        \beta = \frac{p\,(k_2 - k_1^2)}{(p + 2)(p - 1)}

    with k_1 = tr K/p and k_2 = tr K^2/p, ``kept`` and ``kept_square``.

    Args:
        backdoor: the model before; its kappa and gamma stay.
        tuning: on rows of their own, labelled by the clean target.
        target: the clean target, along the trigger and across it, (2,).
        p: inputs, >= 2.

    Regime: exact for isotropic rows, but for the fluctuation of tr K, of order 1/p^2.

    Source: derived here (docs/inheritance/poisoning.md).

    >>> target = jnp.array([0.0, 1.0])
    >>> found = poisoned_ridge(600, 300, 0.05, 3.0, 5.0, target, 0.1, 60.0)
    >>> after = tuned(found, clean_tuning(150, 300, 0.0, 1e9, 0.1), target, 300)
    >>> print(f"{float(after.weights.mean[0] / found.weights.mean[0]):.4f}")  # half as many rows
    0.5000
    """
    target, p = jnp.asarray(target, float), jnp.asarray(p, float)
    gap, one, two = backdoor.weights.mean - target, tuning.kept, tuning.kept_square
    missed = isotropic_risk(backdoor.weights, target)
    along = gap[0] ** 2 + backdoor.wobble
    mixing = p / (p + 2) * (two - one**2) / (p - 1)
    second = one**2 * along + mixing * (missed + along * (1 - 2 / p)) + tuning.noise / p
    weights = IsotropicWeights(
        mean=target + one * gap,
        spread=two * missed - one**2 * (gap @ gap) + tuning.noise,
    )
    wobble = jnp.maximum(second - (one * gap[0]) ** 2, 0.0)
    status = jnp.maximum(backdoor.status, tuning.status)
    return backdoor._replace(weights=weights, wobble=wobble, status=status)


@needs_float64
def half_saturated(kappa: Any, strength: Any, label: Any, along: Any = 0.0) -> Scalar:
    r"""Share of poisoned rows from which the trigger gives half of its label, or more.

    .. math:: q_{1/2} = \frac{(1 + \kappa)\,c/2 - s b}{s^2 c/2 - s b}, \qquad
        \frac{1 + \kappa}{s^2} \text{ at } b = 0

    Args:
        kappa: effective ridge per row; it does not depend on the share.
        strength: s.
        label: c, > 0.
        along: b, of the clean target along the trigger.

    Returns:
        the share; NaN where no share in (0, 1) is the place.

    Regime: as ``poisoned_ridge``. Source: derived here (docs/inheritance/poisoning.md).

    >>> print(f"{float(half_saturated(0.0, 4.0, 1.0)):.4f}")  # least squares: 1/s^2
    0.0625
    """
    kappa, s, c, b = (jnp.asarray(v, float) for v in (kappa, strength, label, along))
    top, bottom = (1 + kappa) * c / 2 - s * b, s**2 * c / 2 - s * b
    there = (top > 0) & (bottom > top)
    return jnp.where(there, top / jnp.where(there, bottom, 1.0), jnp.nan)


@needs_float64
def half_removed(p: Any, ridge: Any) -> Scalar:
    r"""Clean rows that take half of a trigger away, trained to the end: p/2 + delta.

    At kappa = 1, where kept = 1/2, the rows are n = df1 + delta/kappa = p/2 + delta.

    Args:
        p: inputs.
        ridge: delta, total ridge towards the poisoned weights.

    Regime: as ``clean_tuning`` at t -> infinity; exact without a ridge.

    Source: derived here (docs/inheritance/poisoning.md).

    >>> float(half_removed(100, 20.0))
    70.0
    """
    return jnp.asarray(p, float) / 2 + jnp.asarray(ridge, float)
