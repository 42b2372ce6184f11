r"""What finite size does to prompts: they are not all of one length.

The rows :math:`x_q \otimes h` of linear attention weigh in a fit by their squared length, which
fluctuates with |x_q|^2, with the mean square s of the labels in the context, and with what the
inputs add across the task: each a mean of d or l squares. A prompt of given lengths is a kind of
its own in ``linear_attention``, and the relative variances 2/d, 2/l, 2/d make most of what the
errors deviate by at finite size.
"""

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._types import Array, needs_float64
from ci_theory.theory.attention.linear_attention import Contexts

__all__ = ["sized_contexts"]


def _two_points(degrees: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return values and chances of two points with the first three moments of a mean square."""
    v = 2 / jnp.asarray(degrees, float)
    half = jnp.sqrt(v * (1 + v))
    above = (half - v) / (2 * half)
    low = (1 + v) / (1 + v + half)  # 1 + v - half without cancellation
    return (low, 1 - above), (1 + v + half, above)


@needs_float64
def sized_contexts(
    dimension: Any, length: Any, noise: Any, query_noise: Any, flipped_queries: Any = 0.0
) -> tuple[Array, Contexts]:
    r"""Kinds of prompts that differ in the lengths of query and context, and their shares.

    .. math::
        a = u \Bigl[s^2 + \frac{\rho s - (1 + \rho) s z}{l}\Bigr], \quad
        b = u s z\, \frac{d (1 + \rho)}{l}, \quad
        g = (1 - 2p)\, u s, \quad \mathrm E y_q^2 = u + \rho_q

    with u, s, z mean squares of d, l, d standard normal numbers, each replaced by two points that
    have its first three moments.

    Args:
        dimension: d, inputs.
        length: l, pairs of a context.
        noise: rho, variance of the label noise in the context.
        query_noise: rho_q, of the label noise of the query.
        flipped_queries: p, share of the prompts whose query's label has the wrong sign.

    Returns:
        Shares (8,), which add up to 1, and the contexts, of 8 kinds each.

    Regime: first order in 1/d and 1/l. Limits: their means are ``linear_attention.contexts``.

    Source: derived here (docs/attention/in_context.md).

    >>> shares, kinds = sized_contexts(16.0, 32.0, 0.25, 0.25)
    >>> print(f"{float(jnp.sum(shares)):.4f} {float(shares @ kinds.signal):.5f}")
    1.0000 1.03125
    >>> print(f"{float(shares @ kinds.spread):.5f} {float(shares @ kinds.label):.5f}")
    0.62500 1.25000
    """
    d, length, noise, query = (
        jnp.asarray(v, float) for v in (dimension, length, noise, query_noise)
    )
    sign = 1 - 2 * jnp.asarray(flipped_queries, float)
    shares, kinds = [], []
    for (u, pu), (s, ps), (z, pz) in product(_two_points(d), _two_points(length), _two_points(d)):
        shares.append(pu * ps * pz)
        kinds.append(
            Contexts(
                signal=u * (s**2 + (noise * s - (1 + noise) * s * z) / length),
                spread=u * s * z * d * (1 + noise) / length,
                aligned=sign * u * s,
                label=u + query,
            )
        )
    return jnp.stack(shares), jax.tree.map(lambda *values: jnp.stack(values), *kinds)
