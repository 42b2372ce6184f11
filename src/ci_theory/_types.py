"""Array aliases, dimension letters and floating-point precision.

Dimension letters, package-wide: ``n`` training rows, ``d`` input dimension, ``p`` features or
parameters, ``k`` outputs, ``m`` inner points or spectrum nodes (the docstring says which),
``g`` groups, ``t`` points along an axis, ``r`` replicates.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

Key = PRNGKeyArray
Scalar = Float[Array, ""]

__all__ = ["Array", "Bool", "Float", "Int", "Key", "Scalar", "enable_float64", "needs_float64"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def enable_float64() -> None:
    """Turn on float64 for the process: call it once, first thing, in a program.

    Libraries must not; the command line, the tests and the figure scripts do.

    >>> enable_float64()
    >>> jax.numpy.zeros(()).dtype
    dtype('float64')
    """
    jax.config.update("jax_enable_x64", True)


def needs_float64(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a theory function refuse, in one line, to run in single precision."""

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not jax.config.read("jax_enable_x64"):
            raise RuntimeError(
                f"{function.__name__} needs float64: call ci_theory.enable_float64() first"
            )
        return function(*args, **kwargs)

    return checked


def cpu() -> Any:
    """Return the context in which theory runs: the CPU backend, whatever device simulates."""
    return jax.default_device(jax.devices("cpu")[0])
