"""The answers that come with the package: what the declared sweeps said when they were last run.

``answers.json`` beside this file is written by ``make verdicts`` (``check.answer`` of every
declared sweep) and never edited. Reading it runs nothing.

>>> [one["phenomenon"] for one in kept("ridge_peak")]
['ridge_peak']
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("answers.json")


@cache
def every() -> tuple[Mapping[str, Any], ...]:
    """Return the kept answers, one a sweep, in the order of their names."""
    return tuple(json.loads(FILE.read_text(encoding="utf-8")))


def kept(phenomenon: str) -> list[Mapping[str, Any]]:
    """Return the kept answers of a phenomenon; none if no sweep of it is declared."""
    return [one for one in every() if one["phenomenon"] == phenomenon]


def write(answers: Sequence[Mapping[str, Any]], file: Path = FILE) -> None:
    """Write answers, a line a verdict, in the order of their sweeps."""
    ordered = sorted(answers, key=lambda one: one["sweep"])
    file.write_text(_text(ordered), encoding="utf-8")


def _text(answers: Sequence[Mapping[str, Any]]) -> str:
    """Lay the answers out so that a change of one is a change of a few lines."""
    made = []
    for one in answers:
        lines = []
        for key, value in one.items():
            if isinstance(value, list) and value:
                inner = ",\n".join(f"   {json.dumps(row, ensure_ascii=False)}" for row in value)
                lines.append(f'  "{key}": [\n{inner}\n  ]')
            else:
                lines.append(f'  "{key}": {json.dumps(value, ensure_ascii=False)}')
        made.append(" {\n" + ",\n".join(lines) + "\n }")
    return "[\n" + ",\n".join(made) + "\n]\n"
