"""Handwritten digits: a real finite population, the 1797 images bundled with scikit-learn.

The images are all there is: rows are drawn from them without replacement and tested on the rest.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from ci_theory._errors import BadInput, unknown
from ci_theory._types import Array, Float

FEATURES = ("pixels", "relu", "gaussian")
"""Kernels on the images: their pixels, random rectified features of them, a Gaussian kernel."""

LABELS = ("parity", "zero", "at_least_five")
"""Binary labels +-1 of a digit: even, 0, at least 5."""

RELU_FEATURES = 300
_WEIGHT_SEED = 1797  # of the fixed random features


@lru_cache(maxsize=1)
def _data() -> tuple[np.ndarray, np.ndarray]:
    """Read scikit-learn's file, where it is: to import all of that takes longer than the rest."""
    library = find_spec("sklearn")
    if library is None or library.origin is None:
        raise BadInput("the digits need scikit-learn: pip install 'ci-theory[data]'")
    file = Path(library.origin).with_name("datasets") / "data" / "digits.csv.gz"
    if file.is_file():
        table = np.loadtxt(file, delimiter=",")
        return table[:, :-1], table[:, -1].astype(int)
    from sklearn.datasets import load_digits

    images, digit = load_digits(return_X_y=True)
    return np.asarray(images, float), np.asarray(digit)


@lru_cache(maxsize=1)
def images() -> np.ndarray:
    """Return the images (1797, 64), centred, of mean squared length 1.

    Raises:
        BadInput: scikit-learn is not installed.
    """
    centred = _data()[0] - _data()[0].mean(axis=0)
    return centred / np.sqrt(np.mean(np.sum(centred**2, axis=1)))


def labels(name: str) -> np.ndarray:
    """Return the labels (1797,) of a name in ``LABELS``: +1 or -1."""
    digit = _data()[1]
    if name == "parity":
        positive = digit % 2 == 0
    elif name == "zero":
        positive = digit == 0
    elif name == "at_least_five":
        positive = digit >= 5
    else:
        raise unknown("label", name, LABELS)
    return np.where(positive, 1.0, -1.0)


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    normal = np.random.default_rng(_WEIGHT_SEED).normal(size=(64, RELU_FEATURES))
    return normal / np.sqrt(RELU_FEATURES)


def kernel(
    features: str, left: Float[Any, "n 64"], right: Float[Any, "k 64"]
) -> Float[Array, "n k"]:
    """Kernel between images: inner products of their features, total ridge in its units."""
    if features == "pixels":
        return left @ right.T
    if features == "relu":
        w = _weights()
        return jnp.maximum(left @ w, 0.0) @ jnp.maximum(right @ w, 0.0).T
    if features == "gaussian":
        far = jnp.sum(left**2, axis=1)[:, None] + jnp.sum(right**2, axis=1)[None, :]
        return jnp.exp(-jnp.maximum(far - 2 * left @ right.T, 0.0) / 2)
    raise unknown("features", features, FEATURES)
