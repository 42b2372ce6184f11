r"""Traces over the second moment of k random tasks in d dimensions.

Tasks w_j are isotropic, of squared norm d; their second moment :math:`R = \frac1k \sum_j w_j w_j'`
has a Marchenko-Pastur spectrum. Its resolvent solves

.. math:: M = \frac1d \mathrm{tr}\,(R + \nu)^{-1} = \frac{1}{\nu + D}, \qquad
    D = \frac{1}{1 + M/\kappa}, \qquad \kappa = k/d,

and every trace that errors are made of is a product of M, D, nu M and their ratios: nothing is
subtracted.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, needs_float64

__all__ = ["TaskTraces", "task_traces"]


class TaskTraces(NamedTuple):
    """Means over the spectrum of R, lambda an eigenvalue.

    Attributes:
        inverse: of 1/(lambda + nu), M.
        inverse2: of 1/(lambda + nu)^2.
        kept: of lambda/(lambda + nu), 1 - nu M.
        mixed: of lambda/(lambda + nu)^2.
        kept2: of lambda^2/(lambda + nu)^2.
        signal: of lambda^2/(lambda + nu).
        signal2: of lambda^3/(lambda + nu)^2.
        own: D = 1/(1 + M/kappa), what a task's own weight in R leaves of its response.
    """

    inverse: Array
    inverse2: Array
    kept: Array
    mixed: Array
    kept2: Array
    signal: Array
    signal2: Array
    own: Array


@needs_float64
def task_traces(nu: Any, diversity: Any) -> TaskTraces:
    r"""Means over the spectrum of the second moment of kappa d isotropic tasks.

    .. math::
        M = \frac{2}{a + \sqrt{a^2 + 4\nu/\kappa}}, \qquad a = \nu + 1 - \frac1\kappa, \qquad
        -M' = \frac{M^2}{\nu M + M D^2}

    Args:
        nu: > 0.
        diversity: kappa, tasks per dimension, > 0; may be infinite.

    Regime: exact for the limit k, d -> infinity at fixed kappa; relative corrections 1/d.

    Limits: kappa -> infinity 1/(1 + nu); kappa -> 0 nothing is kept but a vanishing part of space.

    Source: Marchenko, Pastur 1967; the other traces by differentiation.

    >>> made = task_traces(0.5, 2.0)
    >>> print(f"{float(made.inverse):.6f} {float(made.kept + 0.5 * made.inverse):.6f}")
    0.828427 1.000000
    """
    nu, few = jnp.asarray(nu, float), 1 / jnp.asarray(diversity, float)
    a = nu + 1 - few
    root = jnp.sqrt(a**2 + 4 * nu * few)
    rising = a > 0
    above = 2 / jnp.where(rising, a + root, 1.0)
    inverse = jnp.where(rising, above, (root - a) / jnp.where(rising, 1.0, 2 * nu * few))
    own = 1 / (1 + inverse * few)
    kept, lost = inverse * own, nu * inverse
    slope = lost + kept * own  # 1 - kept^2/kappa
    inverse2 = inverse**2 / slope
    kept2 = kept**2 * (own + lost * few) / slope
    signal = 1 - nu * kept
    return TaskTraces(
        inverse=inverse,
        inverse2=inverse2,
        kept=kept,
        mixed=inverse2 * own**2,
        kept2=kept2,
        signal=signal,
        signal2=signal - nu * kept2,
        own=own,
    )
