"""`ci-theory formulas`, and the formulas of `ci-theory show`: read from the code of ``theory``."""

import difflib
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ci_theory
from ci_theory._errors import BadInput
from ci_theory.cli.output import print_lines, say
from ci_theory.theory.statements.catalogue import Formula, catalogue

_IMPORT = re.compile(r"^\s*(?:from|import) (ci_theory[\w.]*)(?: import ([\w, ]+|\([^)]*\)))?", re.M)


def attach(entry: dict[str, Any]) -> None:
    """Add to a described phenomenon the statements on which it rests, in LaTeX and in Unicode.

    Each of its predictions gets the names of its own.
    """
    from ci_theory.theory.statements.symbolic import concerning, stating

    entry["formulas"] = [_rendered(s) for s in concerning(entry["name"])]
    for prediction in entry["predictions"]:
        found = stating(entry["name"], prediction["name"])
        prediction["formulas"] = [s.name for s in found]


def _rendered(statement: Any) -> dict[str, Any]:
    return {
        "name": statement.name,
        "title": statement.title,
        "latex": statement.latex(),
        "unicode": statement.unicode(),
        "regime": statement.regime,
        "source": statement.source,
        "symbols": statement.symbols,
    }


def print_formulas(entries: list[dict[str, Any]]) -> None:
    """Print formulas, and below them what their symbols mean."""
    import sympy as sp

    symbols: dict[str, str] = {}
    for entry in entries:
        say()
        say(f"formula {entry['name']}")
        print_lines([("", entry["title"])], width=0)
        say()
        for line in entry["unicode"].splitlines():
            say(f"    {line}".rstrip())
        say()
        print_lines([("regime", entry["regime"]), ("source", entry["source"])])
        for name, meaning in entry["symbols"].items():
            symbols[sp.pretty(sp.Symbol(name), use_unicode=True)] = meaning  # as in the equation
    if symbols:
        say()
        say("symbols")
        print_lines(sorted(symbols.items()), width=5)


def search(words: Sequence[str]) -> list[Formula]:
    """Return what one word names, or else what mentions all of the words; no word is all.

    A function is named by its name, and by that with its module before it where two share one.

    Raises:
        BadInput: nothing matches; the message has near names.
    """
    named = [f for f in catalogue() if len(words) == 1 and _is(f, words[0])]
    found = named or [f for f in catalogue() if all(f.mentions(word) for word in words)]
    if not found:
        names = sorted({f.name for f in catalogue()})
        parts = {part: name for name in names for part in name.split("_")}
        near = [
            *difflib.get_close_matches(" ".join(words), names, cutoff=0.5),
            *(parts[p] for p in difflib.get_close_matches(words[0], parts, cutoff=0.7)),
        ]
        hint = f"did you mean {', '.join(dict.fromkeys(near))}? " if near else ""
        told = " and ".join(f"'{word}'" for word in words)
        raise BadInput(f"no formula mentions {told}; {hint}`ci-theory formulas` lists all")
    return found


def _is(formula: Formula, word: str) -> bool:
    path = formula.path.split(".")
    return word in {".".join(path[start:]) for start in range(len(path))}


def describe(formula: Formula) -> dict[str, Any]:
    """Describe a formula by what its code says, its sympy statements and its users."""
    from ci_theory.theory.statements.symbolic import STATEMENTS

    return {
        "name": formula.name,
        "where": f"ci_theory.theory.{formula.where}",
        "closed": formula.closed,
        "title": formula.title,
        "statement": formula.statement,
        "scope": formula.scope,
        "limits": formula.limits,
        "source": formula.source,
        "call": formula.call,
        "returns": formula.returns,
        "example": formula.example,
        "doc": formula.doc,
        "phenomena": users()[formula.where],
        "sympy": [_rendered(s) for s in STATEMENTS if s.implementation == formula.path],
    }


def print_list(found: Sequence[Formula]) -> None:
    """Print formulas by module, a paragraph each; building blocks have one line."""
    where = ""
    for formula in found:
        if formula.where != where:
            where = formula.where
            say(f"ci_theory.theory.{where}" + ("" if users()[where] else "  (a tool for you)"))
        kind = "" if formula.closed else " (building block)"
        print_lines([(f"{formula.name}:", _plain(formula.title) + kind)], width=0)
        lines = [
            ("formula", formula.statement),
            ("scope", formula.scope),
            ("source", formula.source),
        ]
        if formula.closed:
            print_lines([line for line in lines if line[1]], indent=6, width=7)
    closed = sum(f.closed for f in found)
    say(f"closed forms: {closed}, building blocks: {len(found) - closed}")
    say("`ci-theory formulas NAME` shows one in full, with an example")
    shared = {f.name for f in found if sum(f.name == other.name for other in found) > 1}
    if {f.name for f in found} == shared:
        say(f"by their paths: {', '.join(f.path for f in found)}")


def print_one(entry: dict[str, Any]) -> None:
    """Print one formula in full: its docstring, its sympy statements, and who uses it."""
    print_lines([(f"{entry['name']}:", _plain(entry["title"]))], indent=0, width=0)
    returns = f" -> {entry['returns']}" if entry["returns"] else ""
    users = ", ".join(entry["phenomena"]) or "no phenomenon: a tool for you"
    print_lines(
        [("where", entry["where"]), ("call", entry["call"] + returns), ("used by", users)], width=7
    )
    for line in entry["doc"].split("\n")[1:]:
        say(f"  {line}".rstrip())
    print_formulas(entry["sympy"])


def _plain(title: str) -> str:
    return title.replace(":math:", "").replace("`", "")


@functools.cache
def users() -> dict[str, list[str]]:
    """Map every module of ``theory`` to the phenomena that import it, by way of others too."""
    root = Path(ci_theory.__file__).parents[1]
    files = {_module(file, root): file for file in (root / "ci_theory").rglob("*.py")}
    imports = {name: _imported(file, set(files)) for name, file in files.items()}
    theory, mine = "ci_theory.theory.", "ci_theory.phenomena."
    found: dict[str, list[str]] = {
        name.removeprefix(theory): [] for name in files if name.startswith(theory)
    }
    for phenomenon in sorted(n for n in files if n.startswith(mine) and "._" not in n):
        seen, ahead = set(), [phenomenon]
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                ahead.extend(imports[name])
        for name in seen:
            if name.startswith(theory):
                found[name.removeprefix(theory)].append(phenomenon.removeprefix(mine))
    return found


def _module(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imported(file: Path, known: set[str]) -> set[str]:
    found = set()
    for module, names in _IMPORT.findall(file.read_text(encoding="utf-8")):
        found.add(module)
        found.update(f"{module}.{name}" for name in re.findall(r"\w+", names))
    return found & known
