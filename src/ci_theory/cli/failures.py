"""The one place where an exception becomes a line for the user and an exit code.

>>> from ci_theory import BadInput
>>> explain(BadInput("n = 0: must be >= 1"))
Failure(line='n = 0: must be >= 1', code=2)
>>> explain(OSError(28, "No space left on device", "results/part.npz"))
Failure(line='results/part.npz: No space left on device', code=2)
>>> explain(ZeroDivisionError("division by zero")) is None
True
"""

import sys
from typing import Any, NamedTuple

import typer

# Exit codes: the first four are the answers of the commands, the others how a program ends.
GOOD, DISAGREES, BAD_INPUT, UNDERPOWERED = 0, 1, 2, 3
BUG, INTERRUPTED, BROKEN_PIPE = 70, 130, 141

# typer has carried its own copy of click since 0.2x; the family of its public BadParameter is
# the family of usage errors in every version.
_UsageError: Any = typer.BadParameter.__bases__[0]


class Stopped(Exception):  # noqa: N818 - not an error: Ctrl-C or a reader that went away
    """Carries, as its cause, what the library or Python would answer in its own way."""


class Failure(NamedTuple):
    """What to print on stderr, and the exit code."""

    line: str
    code: int


def explain(error: BaseException) -> Failure | None:
    """Tell a user's mistake or a full machine in one line; None means a bug of ours.

    What comes out of the code of a phenomenon that is not ours is its author's: a mistake of the
    user's too, so the code is the same.
    """
    from ci_theory._errors import BadInput  # not on the way to --help

    if isinstance(error, Stopped) and error.__cause__:
        return explain(error.__cause__)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Failure(_one_line(error) or "interrupted", INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        return Failure("", BROKEN_PIPE)
    if isinstance(error, SystemExit):  # its code, perhaps 0, is no answer of ours
        return Failure(f"code of the phenomenon or figure wants to exit ({error.code!r})", BUG)
    if isinstance(error, _UsageError):
        return Failure(_one_line(error.format_message()), BAD_INPUT)
    if isinstance(error, BadInput):
        return _authors(error) or Failure(_one_line(error), BAD_INPUT)
    if isinstance(error, OSError):
        return Failure(_system(error), BAD_INPUT)
    if isinstance(error, ValueError) and str(error).startswith("embedded null"):
        return Failure("a path holds the character U+0000, which no file's name may", BAD_INPUT)
    if isinstance(error, MemoryError) or _device_is_full(error):
        return Failure(
            "out of memory: take fewer or smaller values on the axes (--dry-run shows the "
            "estimate) or another device",
            BAD_INPUT,
        )
    return _authors(error)


def _authors(error: BaseException) -> Failure | None:
    """Tell what came out of the code of somebody's phenomenon, and where; None if nothing did."""
    if "ci_theory.phenomena" not in sys.modules:
        return None
    from ci_theory.cli import authors

    line = authors.told(error)
    return Failure(f"{line}; --debug shows the traceback", BAD_INPUT) if line else None


def bug(error: BaseException) -> Failure:
    """Tell in one line that the fault is ours, and how to see more."""
    kind = type(error).__name__
    return Failure(
        f"internal error ({kind}: {_one_line(error)[:200]}): please report it; "
        "CI_THEORY_DEBUG=1 or --debug shows where",
        BUG,
    )


def _system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return _one_line(f"{error.filename or 'cannot write'}: {reason}")


def _device_is_full(error: BaseException) -> bool:
    """Whether JAX ran out of device memory; asks only if JAX is there."""
    jax = sys.modules.get("jax")
    return (
        jax is not None
        and isinstance(error, jax.errors.JaxRuntimeError)
        and "RESOURCE_EXHAUSTED" in str(error)
    )


def _one_line(message: object) -> str:
    """Join the lines of a message, and escape what a terminal would act on."""
    from ci_theory._errors import printable

    return printable(" ".join(str(message).split()))
