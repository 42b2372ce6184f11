"""The program ``ci-theory``: how its commands are declared, run, and fail.

Nothing heavy is imported here, so that help is instant; each command imports what it needs.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from ci_theory import __version__, _cache
from ci_theory.cli import surroundings
from ci_theory.cli.failures import BROKEN_PIPE, GOOD, Stopped, bug, explain

_F = TypeVar("_F", bound=Callable[..., Any])

# Plain help and plain errors: rich would cost half of the time that help may take.
app = typer.Typer(
    name="ci-theory",
    help="Theory and simulation of catastrophic inheritance: phenomena with closed forms, "
    "sweeps, break points and verdicts.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def command(*, jax: bool = True, judges: bool = False) -> Callable[[_F], _F]:
    """Declare a command; it runs in float64, with Ctrl-C and a closed pipe among our failures.

    The modules that the user allows are imported first: from then on files may name them.

    Args:
        jax: whether it computes; to start JAX is a third of the time of a short command.
        judges: whether its exit code is an answer, so that JAX must not exit with one of its own.
    """

    def declare(function: _F) -> _F:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                _cache.open_()
                if jax:
                    surroundings.start_jax(exits=judges)
                for module in kwargs.get("allow") or ():
                    from ci_theory.cli import modules

                    modules.allow(module)
                return function(*args, **kwargs)
            except (KeyboardInterrupt, BrokenPipeError, SystemExit) as stop:
                raise Stopped from stop

        app.command(function.__name__.removesuffix("_").replace("_", "-"))(run)
        return function

    return declare


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a mistake is one line on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not surroundings.open_streams():
        print("ci-theory: standard output is closed: no answer can be given", file=sys.stderr)
        return BROKEN_PIPE
    for stream in (sys.stdout, sys.stderr):  # a terminal without Greek letters is no reason to die
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = typer.main.get_command(app)(
            args=words or ["--help"], prog_name="ci-theory", standalone_mode=False
        )
        sys.stdout.flush()
        return code or GOOD
    except SystemExit as stop:  # how the library answers a closed pipe before a command runs
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return BROKEN_PIPE
    except Exception as error:
        if "--debug" in words or os.environ.get("CI_THEORY_DEBUG"):
            from ci_theory._errors import printable

            for line in traceback.format_exc().splitlines():
                print(printable(line), file=sys.stderr)
        failure = explain(error) or bug(error)
        if failure.line:
            print(f"ci-theory: {failure.line}", file=sys.stderr)
        _drop_unwritten_output()
        return failure.code


def _drop_unwritten_output() -> None:
    """Give up what a closed pipe or a full disk would not take: Python flushes again at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ci-theory {__version__}")
        raise typer.Exit


@app.callback()
def entry(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print it")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
) -> None:
    """Declare the options that stand before a command."""
