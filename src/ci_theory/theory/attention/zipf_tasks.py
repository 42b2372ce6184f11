r"""Linear attention when some tasks come more often than others.

Task j comes with a share p_j of the prompts. Prompts of one task are a kind of their own, with the
covariance :math:`w_j w_j' + b`: it is wrong to put the weighted second moment of the tasks in the
place of R, by an amount that does not vanish with d. The tasks are isotropic and independent, so
that only g, the mean trace of the resolvent, and a scalar for each task remain:

.. math:: e_j = \frac{g (D_j + b)}{\tau}, \qquad D_j = \frac{1}{1 + \omega_j d g}, \qquad
    \omega_j = \frac{p_j}{1 + e_j}, \qquad g \lambda + \tau \sum_j \omega_j e_j = 1 .

D_j is what is left of a task's own response: a task is known by heart where D_j is small,
:math:`p_j \gtrsim 1/(d g)`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.attention.linear_attention import Contexts
from ci_theory.theory.spectra.fixed_point import log_root

__all__ = ["UnequalTasks", "unequal_tasks"]


class UnequalTasks(NamedTuple):
    """Errors of linear attention on tasks of unequal frequency [label^2].

    Attributes:
        task_errors: mean squared error on new prompts of every task trained on, (k,).
        trained_error: their mean, weighted as in training.
        fresh_error: mean squared error on new tasks.
        missing: nu g, what of a new task's response is missing (no unit); D_j of that of task j.
        left: D_j, (k,): 1 for a task that might as well be new, 0 for one known by heart.
        level: 1/(d g), the share of the prompts at which half of a task is known (D_j = 1/2, while
            e_j is small).
        status: that of the fixed point; NOT_FINITE without a ridge for d^2 prompts or fewer.
    """

    task_errors: Float[Array, " k"]
    trained_error: Scalar
    fresh_error: Scalar
    missing: Scalar
    left: Float[Array, " k"]
    level: Scalar
    status: Int[Array, ""]


class _At(NamedTuple):
    e: Array
    omega: Array
    left: Array


def _at(g: Array, args: tuple) -> _At:
    """Solve for every task at a given g: y = 1 + e is the root of a quadratic."""
    share, dimension, spread, tau, _ = args
    own, rest = dimension * g * share, g * spread / tau
    # (y - 1 - rest)(y + own) = y g/tau
    half = (1 + rest + g / tau - own) / 2
    root = jnp.sqrt(half**2 + own * (1 + rest))
    y = jnp.where(half > 0, half + root, own * (1 + rest) / jnp.where(half > 0, 1.0, root - half))
    omega = share / y
    left = 1 / (1 + omega * dimension * g)
    return _At(g * (left + spread) / tau, omega, left)


def _surplus(g: Array, args: tuple) -> Array:
    """Return g lambda + tau sum omega e - 1, increasing in g."""
    at = _at(g, args)
    return g * args[4] + args[3] * jnp.sum(at.omega * at.e) - 1


@needs_float64
@jax.jit
def unequal_tasks(
    shares: Float[Array, " k"], dimension: Any, prompts: Any, ridge: Any, seen: Contexts
) -> UnequalTasks:
    r"""Errors on every task trained on and on new ones, tasks of any frequencies.

    .. math::
        E_j = \mathrm E y^2 - 1 + \nu^2 g_2 D_j^2 + b t_2 + \frac1\tau\Bigl[
        v_j d g^2 D_j^2 E_j + g_2 (D_j^2 + b) \sum_h v_h (D_h^2 + b) E_h\Bigr]

    .. math::
        E_{new} = \mathrm E y^2 - 2(1 - \nu g) + (1 + b)\Bigl[t_2
        + \frac{g_2}{\tau} \sum_h v_h (D_h^2 + b) E_h\Bigr]

    with :math:`\nu = \lambda + b \sum_j \omega_j`,
    :math:`g_2 = g^2/(1 - g^2 d \sum_j \omega_j^2 D_j^2)`, :math:`t_2 = 1 - 2 \nu g + \nu^2 g_2`,
    :math:`v_j = p_j/(1 + e_j)^2`.

    Args:
        shares: p_j, of the prompts, > 0; they add up to 1.
        dimension: d.
        prompts: tau, prompts over d^2.
        ridge: lambda, penalty a prompt.
        seen: contexts and queries, of training and test: only ``spread`` and ``label`` are read;
            signs are right.

    Regime: limit d -> infinity at fixed k/d, l/d, tau, shares of order 1/d; corrections 1/d.

    Limits: equal shares are ``linear_attention``.

    Source: derived here (docs/attention/in_context.md).

    >>> from ci_theory.theory.attention.linear_attention import contexts
    >>> made = unequal_tasks(jnp.ones(64) / 64, 32.0, 2.0, 0.1, contexts(2.0, 0.25, 0.25))
    >>> print(f"{float(made.trained_error):.4f} {float(made.fresh_error):.4f}")
    0.9740 1.1604
    """
    share = jnp.asarray(shares, float)
    d, tau, ridge = (jnp.asarray(v, float) for v in (dimension, prompts, ridge))
    b, label = jnp.asarray(seen.spread, float), jnp.asarray(seen.label, float)
    asked = (ridge >= 0) & (tau > 0) & jnp.all(share > 0)
    exists = (ridge > 0) | (tau > 1)
    fine = asked & exists
    args = (
        jnp.where(fine, share, 1 / share.size),
        d,
        b,
        jnp.where(fine, tau, 2.0),
        jnp.where(fine, ridge, 1.0),
    )
    # e >= g b/tau, so g (lambda + b tau/(tau + g b)) <= 1 bounds g above, 1/(lambda + 1 + b) below
    low = 1 / (args[4] + 1 + b)
    room = jnp.where(args[4] > 0, 1 / jnp.where(args[4] > 0, args[4], 1.0), jnp.inf)
    many = args[3] / (b * jnp.where(args[3] > 1, args[3] - 1, 1.0))
    high = jnp.minimum(room, jnp.where(args[3] > 1, many, jnp.inf))
    root = log_root(_surplus, 0.5 * low, 2 * high, args)
    g, tau, ridge = root.value, args[3], args[4]
    at = _at(g, args)
    nu = ridge + b * jnp.sum(at.omega)
    second = jnp.sum((at.omega * at.left) ** 2)
    g2 = g**2 / (1 - g**2 * d * second)
    kept = jnp.sum(at.omega * at.left) * g  # 1 - nu g
    t2 = 1 - 2 * nu * g + nu**2 * g2
    weight = args[0] / (1 + at.e) ** 2
    size = at.left**2 + b
    own = label - 1 + nu**2 * g2 * at.left**2 + b * t2
    alone = 1 - weight * d * (g * at.left) ** 2 / tau
    # E = (own + g2/tau size X)/alone with X = sum weight size E
    coupled = jnp.sum(weight * size * own / alone)
    coupled = coupled / (1 - g2 / tau * jnp.sum(weight * size**2 / alone))
    errors = (own + g2 / tau * size * coupled) / alone
    fresh = label - 2 * kept + (1 + b) * (t2 + g2 / tau * coupled)
    number = jnp.where(fine, 1.0, jnp.nan)
    status = jnp.where(
        asked, jnp.where(exists, root.status, Status.NOT_FINITE), Status.OUT_OF_SCOPE
    )
    return UnequalTasks(
        task_errors=errors * number,
        trained_error=jnp.sum(args[0] * errors) * number,
        fresh_error=fresh * number,
        missing=nu * g * number,
        left=at.left * number,
        level=number / (d * g),
        status=status,
    )
