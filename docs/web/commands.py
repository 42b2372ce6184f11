"""The page of the command line: what ``--help`` says of every command, as one page."""

from collections.abc import Iterator
from typing import Any

import typer

from ci_theory.cli import failures
from ci_theory.cli.app import app
from web.words import markdown, table

__all__ = ["page", "titles"]

HEAD = """# Commands

`ci-theory`, or `python -m ci_theory`. What is below is what `ci-theory COMMAND --help` prints. A
mistake is one line on standard error; answers go to standard output.
"""

CODES = {
    failures.GOOD: "done; of a command that judges: AGREES",
    failures.DISAGREES: "DISAGREES; a law is broken; fresh and kept results differ",
    failures.BAD_INPUT: "a mistake in what was given: one line says what and where",
    failures.UNDERPOWERED: "UNDERPOWERED: the data cannot tell",
    failures.BUG: "an error of this package: please report it",
    failures.INTERRUPTED: "interrupted (Ctrl-C); a sweep resumes where it was",
    failures.BROKEN_PIPE: "whoever read the output went away",
}


def titles() -> list[str]:
    """List the headings of the commands, which search finds."""
    return [f"ci-theory {name}" for name, _, _ in _commands()]


def page() -> str:
    """Return the page as MyST Markdown."""
    parts = [HEAD, *map(_command, _commands())]
    codes = [[f"`{code}`", markdown(meaning)] for code, meaning in CODES.items()]
    return "\n\n".join([*parts, "## Exit codes", table(["code", "meaning"], codes)])


def _commands() -> Iterator[tuple[str, Any, Any]]:
    """List name, command and the context in which it describes itself."""
    group: Any = typer.main.get_command(app)
    above = group.context_class(group, info_name="ci-theory")
    for name, command in group.commands.items():
        yield name, command, command.context_class(command, info_name=name, parent=above)


def _code(said: str) -> str:
    r"""Write an option as code in a table: without its type, and no bar ends the cell.

    >>> _code("A|B <str>"), _code("--n N")
    ('`A\\|B`', '`--n N`')
    """
    return f"`{said.partition(' <')[0]}`".replace("|", r"\|")


def _command(given: tuple[str, Any, Any]) -> str:
    name, command, context = given
    usage = " ".join(["ci-theory", name, *command.collect_usage_pieces(context)])
    told = [markdown(paragraph) for paragraph in command.help.split("\n\n")]
    records = (p.get_help_record(context) for p in command.params)
    rows = [[_code(said), markdown(meaning)] for said, meaning in filter(None, records)]
    knobs = table(["argument or option", "meaning"], rows) if rows else ""
    label = f"(command-{name})=\n## `ci-theory {name}`"
    return "\n\n".join(filter(None, [label, *told, f"```text\n{usage}\n```", knobs]))
