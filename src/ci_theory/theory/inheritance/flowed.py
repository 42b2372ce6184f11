r"""A stage of a chain that is stopped early: gradient flow for a time from a combination of models.

On isotropic rows the error e = a.w - tau of what it starts from, a combination of the models so
far less the stage's teacher, is mapped by a matrix K that has no direction. So one number of its
spectrum is enough for every mean, k_1 = tr K/p, and one more for squares, k_2 = tr K^2/p,

.. math::
    w' = \tau + K e + \text{noise}, \qquad \mathrm E\,w' = \bar\tau + k_1 \bar e, \qquad
    \mathrm{Cov}(w', w_j) = \mathrm{Cov}(\tau, w_j) + k_1\,\mathrm{Cov}(e, w_j),

    V' = V_\tau + 2 k_1 \mathrm{Cov}(\tau, e) + k_2 V_e + (k_2 - k_1^2)\,|\bar e|^2 + \text{noise},

with k_1, k_2 and the noise of ``poisoning.clean_tuning``: the share exp(-s t) that a mode s of the
rows' covariance keeps, over the law of the modes. See docs/inheritance/inheritance.md.
"""

from typing import Any

import jax.numpy as jnp

from ci_theory._types import Float, needs_float64
from ci_theory.theory.inheritance.combination import IsotropicJoint
from ci_theory.theory.inheritance.poisoning import Tuning

__all__ = ["flowed_isotropic"]


@needs_float64
def flowed_isotropic(
    joint: IsotropicJoint,
    anchor: Float[Any, " k"],
    tuning: Tuning,
    target: Float[Any, " q"],
    labels: Float[Any, " k"] | None = None,
) -> IsotropicJoint:
    r"""Follow the gradient flow from a combination of the weights so far, and keep all moments.

    Args:
        joint: the weights so far.
        anchor: coefficients of the combination that the flow starts from, (k,); it is the start
            of a ridge's pull as well.
        tuning: of the rows of the stage, from ``poisoning.clean_tuning``: flow for a time, to the
            end, or with a ridge.
        target: what makes the labels, in the span of the targets, (q,).
        labels: coefficients of the weights so far that are added to the target, (k,); None for
            nothing.

    Returns:
        the joint moments, the new weights last.

    Regime: exact for isotropic rows in the numbers of ``tuning``, whose own order that function
    tells. Limits: time 0: the start itself; infinite time with a ridge, to leading order:
    ``combination.fine_tuned_isotropic``.

    Source: derived here (docs/inheritance/inheritance.md); early stopping as a ridge: Ali, Kolter,
    Tibshirani, arXiv:1810.10082 (from memory).

    >>> from ci_theory.theory.inheritance.combination import independent_isotropic
    >>> from ci_theory.theory.inheritance.operator import IsotropicWeights
    >>> from ci_theory.theory.inheritance.poisoning import clean_tuning
    >>> base = independent_isotropic(IsotropicWeights(mean=jnp.zeros(1), spread=0.5))
    >>> for time in (0.0, 2.0, 1e9):
    ...     tuning = clean_tuning(400, 200, 0.0, time, 0.1)
    ...     made = flowed_isotropic(base, [1.0], tuning, [1.0])
    ...     print(f"{float(made.means[1, 0]):.4f} {float(made.covariance[1, 1]):.4f}")
    0.0000 0.5000
    0.7319 0.1566
    1.0000 0.1005
    """
    a, target = jnp.asarray(anchor, float), jnp.asarray(target, float)
    b = jnp.zeros_like(a) if labels is None else jnp.asarray(labels, float)
    one, two = tuning.kept, tuning.kept_square
    taught, error = b @ joint.means + target, (a - b) @ joint.means - target
    of_teacher, of_error = b @ joint.covariance, (a - b) @ joint.covariance  # with each model
    shared = of_teacher + one * of_error
    spread = of_teacher @ b + 2 * one * (of_error @ b) + two * (of_error @ (a - b))
    spread = spread + (two - one**2) * (error @ error) + tuning.noise
    return IsotropicJoint(
        means=jnp.concatenate([joint.means, (taught + one * error)[None]]),
        covariance=jnp.block([[joint.covariance, shared[:, None]], [shared[None], spread]]),
    )
