"""The formulas of `ci-theory show`, rendered from their sympy statements."""

from typing import Any

import sympy as sp

from ci_theory.cli.output import print_lines, say
from ci_theory.theory.statements.symbolic import concerning


def document(phenomenon: str) -> list[dict[str, Any]]:
    """Describe the statements on which a phenomenon rests, each in LaTeX and in Unicode."""
    return [
        {
            "name": s.name,
            "title": s.title,
            "latex": s.latex(),
            "unicode": s.unicode(),
            "regime": s.regime,
            "source": s.source,
            "symbols": s.symbols,
        }
        for s in concerning(phenomenon)
    ]


def print_formulas(entries: list[dict[str, Any]]) -> None:
    """Print formulas, and below them what their symbols mean."""
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
        symbols |= {sp.pretty(sp.Symbol(k)): v for k, v in entry["symbols"].items()}
    if symbols:
        say()
        say("symbols")
        print_lines(sorted(symbols.items()), width=5)
