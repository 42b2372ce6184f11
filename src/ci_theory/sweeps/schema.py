"""What JSON data must look like, and the first place where it does not.

A pattern is a type or a union of types, a list of one pattern (any number of such), a tuple of
patterns (exactly these), a dict (an object of exactly these keys), or ``Each`` (an object of any
keys).

>>> pattern = {"name": str, "sizes": [int | None], "by": Each((str, float))}
>>> mismatch({"name": "a", "sizes": [1, None], "by": {"x": ["m", 2.0]}}, pattern)
>>> mismatch({"name": "a", "sizes": [1, "2"], "by": {}}, pattern)
"sizes[1] = '2': expected a whole number or null"
>>> mismatch({"name": "a", "sizes": []}, pattern)
'by is missing'
"""

import reprlib
from typing import Any, NamedTuple, get_args

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "null",
}


class Each(NamedTuple):
    """An object whose keys are free and whose values all look like ``pattern``."""

    pattern: Any


def mismatch(data: Any, pattern: Any, where: str = "") -> str | None:
    """Say in a phrase where data differs from a pattern, or return None.

    Args:
        data: as ``json.loads`` returns it.
        pattern: see above; types are exact: true is no number, and 1 no float.
        where: the place of ``data`` in something larger.
    """
    inside: list[tuple[str, Any, Any]] = []  # place, data and pattern of what it holds
    if isinstance(pattern, Each | dict):
        if not isinstance(data, dict):
            return _expected("an object", data, where)
        dot = where + "." if where else ""
        if isinstance(pattern, dict):
            for key in [*pattern, *data]:
                if key not in data:
                    return f"{dot}{key} is missing"
                if key not in pattern:
                    return f"{dot}{reprlib.repr(key)[1:-1]} is not known"
            inside = [(dot + key, data[key], pattern[key]) for key in pattern]
        else:
            inside = [(dot + reprlib.repr(k)[1:-1], v, pattern.pattern) for k, v in data.items()]
    elif isinstance(pattern, list | tuple):
        if not isinstance(data, list):
            return _expected("a list", data, where)
        if isinstance(pattern, tuple) and len(data) != len(pattern):
            return _expected(f"a list of {len(pattern)}", data, where)
        patterns = pattern * len(data) if isinstance(pattern, list) else pattern
        inside = [
            (f"{where}[{i}]", v, p) for i, (v, p) in enumerate(zip(data, patterns, strict=True))
        ]
    else:
        kinds = get_args(pattern) or (pattern,)
        if type(data) not in kinds:
            return _expected(" or ".join(_WORDS[kind] for kind in kinds), data, where)
    found = (mismatch(value, expected, place) for place, value, expected in inside)
    return next((problem for problem in found if problem), None)


def _expected(what: str, data: Any, where: str) -> str:
    shown = "null" if data is None else reprlib.repr(data)
    return f"{where or 'it'} = {shown}: expected {what}"
