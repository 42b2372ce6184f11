"""What functions say of shapes, checked as they are called or traced: the hook of conftest.py."""

from collections.abc import Callable
from typing import TypeVar

import beartype
from beartype.roar import BeartypeDecorHintPepUnsupportedException

_F = TypeVar("_F", bound=Callable)

# An int is a float.
_checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))


def functions(function: _F) -> _F:
    """Check a function; records are not looked at as they are made: JAX makes them of tracers."""
    if function.__name__ == "__init__":
        return function
    try:
        return _checked(function)
    except BeartypeDecorHintPepUnsupportedException:  # it knows no generic NamedTuple
        return function
