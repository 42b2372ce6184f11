"""Linear teacher on inputs that vary on several scales: two blocks of modes, or a power law.

A target is given by its power on each mode, lambda w^2: the label variance that the mode explains.

>>> variances("two_block", 4, slow_variance=0.01)
Array([1.  , 1.  , 0.01, 0.01], dtype=float...)
"""

from typing import Any

import jax.numpy as jnp

from ci_theory._errors import unknown
from ci_theory._types import Array, Float

SPECTRA = ("two_block", "power_law")
"""Kinds of spectra."""


def fast_modes(d: int) -> int:
    """How many modes of a two-block spectrum are the fast ones, half of them."""
    return (d + 1) // 2


def variances(
    spectrum: str, d: int, *, slow_variance: Any = 0.01, alpha: float = 1.5
) -> Float[Array, " d"]:
    """Variance of each input (d,), largest first.

    Args:
        spectrum: "two_block" (half the modes 1, the others ``slow_variance``) or "power_law"
            (k^-alpha, k = 1..d).
        d: inputs.
        slow_variance: variance of the slow block; may be traced.
        alpha: decay exponent of the power law.
    """
    if spectrum == "two_block":
        return jnp.where(jnp.arange(d) < fast_modes(d), 1.0, slow_variance)
    if spectrum == "power_law":
        return jnp.arange(1.0, d + 1) ** -alpha
    raise unknown("spectrum", spectrum, SPECTRA)


def powers(
    spectrum: str, d: int, *, slow_share: Any = 0.5, beta: float = 1.5
) -> Float[Array, " d"]:
    """Target power of each mode (d,), 1 in all.

    Args:
        spectrum: as in ``variances``.
        d: inputs.
        slow_share: share of the power on the slow block, spread evenly; may be traced.
        beta: decay exponent of the power on the modes of a power law.

    >>> powers("two_block", 4, slow_share=0.8)
    Array([0.1, 0.1, 0.4, 0.4], dtype=float...)
    """
    if spectrum == "two_block":
        fast = fast_modes(d)
        own = (1 - slow_share) / fast, slow_share / max(d - fast, 1)
        return jnp.where(jnp.arange(d) < fast, *own)
    if spectrum == "power_law":
        decay = jnp.arange(1.0, d + 1) ** -beta
        return decay / jnp.sum(decay)
    raise unknown("spectrum", spectrum, SPECTRA)
