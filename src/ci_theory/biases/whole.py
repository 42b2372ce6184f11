"""Counts of rows are whole numbers, except where their derivative is asked for.

>>> float(whole(2.6))
3.0
>>> with unrounded():
...     float(whole(2.6))
2.6
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax.numpy as jnp

from ci_theory._types import Scalar, Value

_ROUNDED: ContextVar[bool] = ContextVar("rounded", default=True)


def whole(count: Value) -> Scalar:
    """Return the nearest whole number."""
    return jnp.round(count) if _ROUNDED.get() else jnp.asarray(count)


def whole_below(count: Value) -> Scalar:
    """Return the largest whole number that is not above."""
    return jnp.floor(count) if _ROUNDED.get() else jnp.asarray(count)


@contextmanager
def unrounded() -> Iterator[None]:
    """Let counts be any number in what is traced inside: a rounded one has no derivative."""
    token = _ROUNDED.set(False)
    try:
        yield
    finally:
        _ROUNDED.reset(token)
