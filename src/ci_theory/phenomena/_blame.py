"""Who is told of what a phenomenon's function returned: its author, at the line of its code."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci_theory._errors import BadInput


def shown(file: Path) -> str:
    """Return a path as it is seen from the current folder."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def written_at(function: Callable[..., Any]) -> str:
    """Say where a function is written; nothing of one that is not written in Python.

    >>> written_at(written_at).rpartition("/")[2].partition(":")[0], written_at(max)
    ('_blame.py', '')
    """
    while isinstance(function, functools.partial):
        function = function.func
    bare = inspect.unwrap(function)
    code = getattr(bare, "__code__", None) or getattr(type(bare).__call__, "__code__", None)
    if code is None:
        return ""
    return f"{shown(Path(code.co_filename))}:{code.co_firstlineno}, in {code.co_name}"


@contextmanager
def blamed(name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Let a refusal of what a function returned name its phenomenon and its place.

    Raises:
        BadInput: what is raised inside, after the name and the place.
    """
    try:
        yield
    except BadInput as problem:
        who = ", ".join(part for part in (f"phenomenon '{name}'", written_at(function)) if part)
        raise BadInput(f"{who}: {problem}") from None
