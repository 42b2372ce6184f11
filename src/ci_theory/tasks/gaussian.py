"""Linear teacher on Gaussian inputs: the clean world of ridge regression.

Rows x ~ N(0, diag(variances)), labels x.w + noise. The target is a fixed unit direction scaled
to the wanted power, so that a prediction knows it exactly.

>>> variances("power_law", 4, alpha=1.0)
array([1.        , 0.5       , 0.33333333, 0.25      ])
"""

import jax
import numpy as np

from ci_theory._errors import unknown
from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key

SPECTRA = ("isotropic", "two_block", "power_law")
"""Covariances a Gaussian task can have."""


def variances(spectrum: str, p: int, *, alpha: float = 1.5) -> np.ndarray:
    """Return the covariance eigenvalues (p,) of a named spectrum, largest first.

    Args:
        spectrum: "isotropic" (all 1), "two_block" (half the modes 1, the others 1/10) or
            "power_law" (k^-alpha).
        p: number of modes.
        alpha: decay exponent of the power law.
    """
    if spectrum == "isotropic":
        return np.ones(p)
    if spectrum == "two_block":
        return np.where(np.arange(p) < (p + 1) // 2, 1.0, 0.1)
    if spectrum == "power_law":
        return np.arange(1.0, p + 1) ** -alpha
    raise unknown("spectrum", spectrum, SPECTRA)


def target(p: int) -> np.ndarray:
    """Return the unit target direction (p,): all coordinates equal, so every mode carries it."""
    return np.full(p, p**-0.5)


def rows(key: Key, n: int, variances: Float[Array, " p"]) -> Float[Array, "n p"]:
    """Draw n rows of N(0, diag(variances)) from the stream "design"."""
    p = variances.shape[0]
    z = jax.random.normal(stream(key, "design"), (n, p), variances.dtype)
    return z * jax.numpy.sqrt(variances)[None, :]
