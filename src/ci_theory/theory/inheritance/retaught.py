r"""Fine-tuning of weights that pre-training has left, some of whose rows share a component.

A base of mean m and of a fluctuation without direction, of trace V, is taught by rows as in
``erasure``. In the k directions that matter the base's error is multiplied by
:math:`M = 1 - KS = \kappa (S + \kappa)^{-1}`, in the others by :math:`\kappa\rho`; to the rows,
what fluctuates there is a drift: a target that is not the base's. So

.. math::
    \mathcal E = |\bar w - \beta|^2 + \mathrm{tr}\,\mathrm{Cov} + \text{spread}
        + \frac Vd\,\mathrm{tr}\,MM' + (\kappa\rho)^2 \frac{d-k}d V .
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Int, Number, Scalar, needs_float64
from ci_theory.theory.editing.erasure import Lessons, Taught, teach
from ci_theory.theory.inheritance.operator import IsotropicWeights
from ci_theory.theory.inheritance.poisoning import poisoned_ridge
from ci_theory.theory.inheritance.two_stages import pretrain
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.spectrum import isotropic

__all__ = ["Pretrained", "Retaught", "pretrained", "reteach"]


class Pretrained(NamedTuple):
    """What pre-training leaves.

    Attributes:
        weights: their moments: the mean along the trigger, the target, and a third direction.
        free: rows left to average over, effective rows less df2.
        held: leverage of the heaviest row, over d.
        status: of the fit.
    """

    weights: IsotropicWeights
    free: Scalar
    held: Scalar
    status: Int[Array, ""]


@needs_float64
def pretrained(
    d: Number, groups: Groups, ridge: Any, share: Any, strength: Any, label: Any
) -> Pretrained:
    """Fit upstream rows of which a share is poisoned, or, at share 0, some are repeated.

    Args:
        d: inputs, isotropic.
        groups: the rows; with poison all of weight 1 and one noise.
        ridge: total ridge.
        share: of the rows that are poisoned.
        strength: how far the trigger moves an input.
        label: of poisoned rows.

    Regime: as ``two_stages.pretrain`` and ``poisoning.poisoned_ridge``. Source: these.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> made = pretrained(50, plain_rows(500, 0.5), 10.0, 0.1, 3.0, 2.0)
    >>> print(made.weights.mean.round(3), f"{float(made.free):.0f}")
    [0.312 0.88  0.   ] 452
    """
    d, zero = jnp.asarray(d, float), jnp.zeros(())
    copied, across = pretrain(d, 1.0, groups, ridge), jnp.array([0.0, 1.0])
    at, n, noise = copied.risk.fixed_point, groups.counts @ groups.weights, groups.noise[0]
    struck = poisoned_ridge(n, d, share, strength, label, across, noise, ridge)
    poisoned = Pretrained(
        _watched([*struck.weights.mean, zero], struck.weights.spread),
        n * (1 - struck.gamma),
        zero,
        struck.status,
    )
    plain = Pretrained(
        _watched([zero, copied.weights.mean[0], zero], copied.weights.spread),
        at.effective_rows - at.df1**2 / d,
        jnp.max(at.leverage) / d,
        copied.status,
    )
    return jax.tree.map(lambda a, b: jnp.where(share > 0, a, b), poisoned, plain)


def _watched(mean: list[Scalar], spread: Scalar) -> IsotropicWeights:
    return IsotropicWeights(mean=jnp.stack(mean), spread=spread)


class Retaught(NamedTuple):
    """Weights after both stages.

    Attributes:
        mean: in the k directions, over data of both stages, (k,).
        excess: mean squared distance from the target, in all directions.
        inherited: the part of it that the base's fluctuation leaves.
        kept: M, what is left of the base's error in the k directions, (k, k).
        taught: of the base's mean.
        status: of the fine-tuning.
    """

    mean: Float[Array, " k"]
    excess: Scalar
    inherited: Scalar
    kept: Float[Array, "k k"]
    taught: Taught
    status: Int[Array, ""]


@needs_float64
@jax.jit
def reteach(
    base: IsotropicWeights, lessons: Lessons, target: Float[Any, " k"], d: Number
) -> Retaught:
    """Fine-tune weights of which the first two moments are known.

    Args:
        base: inherited weights; the mean in the k directions.
        lessons: the rows; their ``drift`` is not read: the base's fluctuation is it.
        target: from which the result is judged, (k,); it has no part in other directions.
        d: dimension of the inputs, > k; may be traced.

    Regime: as ``erasure.teach``. Limits: no shared component is ``operator.inherit_isotropic``;
    a base that does not fluctuate is ``erasure.teach``.

    Source: derived here (docs/inheritance/networks.md).

    >>> rows = Lessons(
    ...     counts=jnp.array([30.0]), shared=jnp.zeros((1, 1)), labels=jnp.zeros(1),
    ...     slopes=jnp.ones((1, 1)), noise=0.0, drift=0.0, ridge=0.0)
    >>> base = IsotropicWeights(mean=jnp.ones(1), spread=jnp.array(0.5))
    >>> print(f"{float(reteach(base, rows, jnp.ones(1), 60).excess):.3f}")  # half the directions
    0.250
    """
    target, d = jnp.asarray(target, float), jnp.asarray(d, float)
    counts, shared = counted(lessons.counts), jnp.asarray(lessons.shared, float)
    n, k = jnp.sum(counts), target.shape[0]
    kappa = solve_kappa(isotropic(d), n, lessons.ridge).value
    second = jnp.eye(k) + jnp.einsum("g,gi,gj->ij", counts / n, shared, shared)  # S
    kept = kappa * jnp.linalg.inv(second + kappa * jnp.eye(k))
    spread = jnp.asarray(base.spread, float)
    each = spread / d
    aside = spread - k * each
    missed = each * jnp.sum((second @ kept) * kept)  # of a row, by what fluctuates in k directions
    shown = dataclasses.replace(lessons, noise=lessons.noise + missed, drift=aside)
    made = teach(base.mean, shown, d, jnp.zeros(k))
    mean, share = made.mean + made.shift, (kappa / (1 + kappa)) ** 2
    inherited = each * jnp.sum(kept**2) + share * aside
    own = jnp.sum((mean - target) ** 2) + jnp.trace(made.covariance)
    own = own + made.spread + made.spread_shift
    return Retaught(mean, own + inherited, inherited, kept, made, made.status)
