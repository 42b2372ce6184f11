"""Answers that follow from the code and the words alone: worked out once, then without JAX.

What is kept is what was printed, for a terminal of this width. It is worked out anew as soon as
any file of the package, a version of what computes or a variable that JAX reads has changed.
"""

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import ci_theory
from ci_theory import _cache
from ci_theory.cli import surroundings


def ours(name: str) -> bool:
    """Say whether a word names a phenomenon of this package, without looking into it."""
    file = Path(ci_theory.__file__).parent / "phenomena" / f"{name}.py"
    return name.isidentifier() and not name.startswith("_") and file.is_file()


def answer(words: list[str], work_out: Callable[[], None], *, quickly: bool = False) -> None:
    """Print an answer.

    Args:
        words: what was asked for.
        work_out: prints it; it may need JAX.
        quickly: whether it compiles what runs once: see ``start_jax``.
    """

    def printed() -> bytes:
        surroundings.start_jax(exits=False, quickly=quickly)
        with contextlib.redirect_stdout(io.StringIO()) as text:
            work_out()
        return text.getvalue().encode()

    width = f"{shutil.get_terminal_size().columns} columns"
    sys.stdout.write(_cache.remembered([*words, width, *_cache.around()], printed).decode())
