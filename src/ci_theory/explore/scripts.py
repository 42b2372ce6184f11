"""The theory of a phenomenon as a script that a page can load: translated, with its rules.

A script adds to ``carriedTheories`` {"fixed", "keys", "status", "rule", "make"}: the values that
are built into it, what it can tell, the names of its statuses, a function of all parameters that
tells which rule they break, and one that makes the theory.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ci_theory._errors import Status
from ci_theory.explore import javascript, rules
from ci_theory.phenomena import Phenomenon

MOST_TEXT = 1_500_000
"""Characters of one script: a larger one takes a browser longer than it saves."""


class Script(NamedTuple):
    """A script and the values that are built into it; what has no translation has no text."""

    text: str
    fixed: Mapping[str, Any]


def of(phenomenon: Phenomenon, statics: Mapping[str, Any]) -> Script:
    """Return the script of a phenomenon at values of its static fields.

    Of what has no translation nothing is in it: a phenomenon whose rules, whose predictions or
    whose slacks are left out, or that has none, gets an empty script. One that is there already,
    because the values that differ are not built in, is returned again.
    """
    made = _made(phenomenon)
    point = phenomenon.point(dict(statics))
    for one in made:
        if all(point[name] == value for name, value in one.fixed.items()):
            return one
    made.append(_translated(phenomenon, statics))
    del made[:-_KEPT]
    return made[-1]


@functools.lru_cache(maxsize=64)
def _made(phenomenon: Phenomenon) -> list[Script]:
    """Return the scripts of a phenomenon that there are by now: a list to add to."""
    return []


def _translated(phenomenon: Phenomenon, statics: Mapping[str, Any]) -> Script:
    if not phenomenon.predictions:
        return Script("", {})
    made = javascript.theory(phenomenon, statics)
    rule = rules.translated(phenomenon, made.fixed)
    needed = {f"{kind}:{p.name}" for kind in _KINDS for p in phenomenon.predictions}
    if rule is None or needed & set(made.left_out) or len(made.source) > MOST_TEXT:
        return Script("", made.fixed)
    parts = {
        "fixed": json.dumps(dict(made.fixed)),
        "keys": json.dumps(sorted(made.keys)),
        "status": json.dumps([status.name for status in Status]),
        "rule": rule,
        "make": f"() => {{\n{made.source}return theory;\n}}",
    }
    body = ", ".join(f"{key}: {value}" for key, value in parts.items())
    return Script(f"(window.carriedTheories ||= []).push({{ {body} }});\n", made.fixed)


_KINDS = ("prediction", "slack", "valid", "status")
_KEPT = 64  # scripts of one phenomenon
