"""Array aliases, dimension letters and floating-point precision.

Dimension letters, package-wide: ``n`` training rows, ``d`` input dimension, ``p`` features or
parameters, ``k`` outputs, ``m`` inner points or spectrum nodes (the docstring says which),
``g`` groups, ``t`` points along an axis, ``r`` replicates.
"""

import functools
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray, Real

from ci_theory._errors import BadInput

Key = PRNGKeyArray
Scalar = Float[Array, ""]

Value = Real[Array, ""] | float
"""A number that arithmetic takes as it is: traced or not, whole or not."""

Number = Real[ArrayLike, ""]
"""A number, or an array of shape () that may be traced."""

Numbers = Real[ArrayLike, "..."]
"""Numbers of any shape, which a function takes one by one."""

__all__ = [
    "Array",
    "Bool",
    "Float",
    "Int",
    "Key",
    "Number",
    "Numbers",
    "Real",
    "Scalar",
    "Value",
    "enable_float64",
    "needs_float64",
    "not_forked",
]

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


_computing: dict[str, int] = {}  # the process that was first to compute, inherited by its forks


def not_forked() -> None:
    """Refuse to compute in a fork of a process that has computed: JAX would wait there for ever.

    Raises:
        BadInput: this is such a fork.
    """
    if _computing.setdefault("process", os.getpid()) != os.getpid():
        raise BadInput(
            "this process is a fork of one that has already used JAX, and would wait for ever: "
            "start it with multiprocessing.get_context('spawn')"
        )


def needs_float64(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a theory function refuse, in one line, to run in single precision or in a fork."""

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not jax.config.read("jax_enable_x64"):
            raise RuntimeError(
                f"{function.__name__} needs float64: call ci_theory.enable_float64() first"
            )
        not_forked()
        return function(*args, **kwargs)

    return checked


def cpu() -> Any:
    """Return the context in which theory runs: the CPU backend, whatever device simulates."""
    return jax.default_device(jax.devices("cpu")[0])
