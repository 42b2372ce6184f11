"""Where something holds: the values of the axes that decide it, in words.

>>> seen = [({"n": n, "noise": s}, n >= 100) for n in (10, 100, 1000) for s in (0.0, 1.0)]
>>> region(seen)
'n ≥ 100'
>>> region([(at, at["n"] >= 100 and at["noise"] > 0) for at, _ in seen])
'n ≥ 100 where noise = 1'
"""

import itertools
from collections.abc import Sequence
from typing import Any

__all__ = ["region", "shown"]

At = dict[str, Any]
DECIDING = 2
"""Axes that a region is told in, at most."""


def region(seen: Sequence[tuple[At, bool]]) -> str:
    """Say at which of the places it holds, of which it holds at some and fails at others.

    The fewest axes that decide it are named, up to two; if several do so alone, all of them, since
    the places do not tell them apart. If more decide, it is said for which values
    it holds everywhere and for which nowhere, and how often otherwise.

    Args:
        seen: places, all with the same axes, and whether it holds there.
    """
    axes = [a for a in seen[0][0] if len(_values([at for at, _ in seen], a)) > 1]
    for count in range(1, DECIDING + 1):
        told = []
        for chosen in itertools.combinations(axes, count):
            if _decide(seen, chosen):
                told.append(_rule(seen, chosen) if count == 1 else _rules(seen, chosen))
        if told and count == 1:
            told.sort(key=lambda rule: " = " in rule)  # a bound tells more than a list
            return told[0] + (f" (not told apart from {', '.join(told[1:])})" if told[1:] else "")
        if told:
            return min(told, key=lambda rule: (rule.count(";"), len(rule)))
    return _partly(seen, axes)


def _values(places: Sequence[At], axis: str) -> list[Any]:
    values = list(dict.fromkeys(at[axis] for at in places))
    return values if isinstance(values[0], str | bool) else sorted(values)


def _decide(seen: Sequence[tuple[At, bool]], axes: Sequence[str]) -> bool:
    """Say whether it is the same wherever these axes are the same."""
    known: dict[tuple[Any, ...], bool] = {}
    return all(known.setdefault(tuple(at[a] for a in axes), holds) == holds for at, holds in seen)


def _rule(seen: Sequence[tuple[At, bool]], axes: Sequence[str]) -> str:
    """Name the values of one axis, which decides, at which it holds."""
    (axis,) = axes
    every = _values([at for at, _ in seen], axis)
    good = _values([at for at, holds in seen if holds], axis)
    if not isinstance(every[0], str | bool):
        first, last = every.index(good[0]), every.index(good[-1])
        if good == every[first : last + 1] and len(good) > 1:
            if first == 0:
                return f"{axis} ≤ {shown(good[-1])}"
            if last == len(every) - 1:
                return f"{axis} ≥ {shown(good[0])}"
            return f"{shown(good[0])} ≤ {axis} ≤ {shown(good[-1])}"
    return f"{axis} = {', '.join(map(shown, good))}"


def _rules(seen: Sequence[tuple[At, bool]], axes: Sequence[str]) -> str:
    """Name the values of one axis for each value of another; of the two ways the shorter."""
    ways = []
    for inner, outer in (axes, axes[::-1]):
        rules: dict[str, list[Any]] = {}
        for value in _values([at for at, _ in seen], outer):
            here = [(at, holds) for at, holds in seen if at[outer] == value]
            if any(holds for _, holds in here):
                everywhere = all(holds for _, holds in here)
                rules.setdefault("" if everywhere else _rule(here, [inner]), []).append(value)
        listed = [
            f"{rule}{' where ' if rule else ''}{outer} = {', '.join(map(shown, values))}"
            for rule, values in rules.items()
        ]
        ways.append("; ".join(listed))
    return min(ways, key=len)


def _partly(seen: Sequence[tuple[At, bool]], axes: Sequence[str]) -> str:
    """Say where it holds without exception and where never, and how often elsewhere."""
    rules: dict[bool, list[str]] = {True: [], False: []}
    left = list(seen)
    for wanted, axis in itertools.product(rules, axes):
        sure = [
            value
            for value in _values([at for at, _ in seen], axis)
            if all(holds == wanted for at, holds in seen if at[axis] == value)
        ]
        if sure:
            rules[wanted].append(_rule([(at, at[axis] in sure) for at, _ in seen], [axis]))
            left = [one for one in left if one[0][axis] not in sure]
    always, never = (" or ".join(rules[wanted]) for wanted in (True, False))
    holding = sum(holds for _, holds in left)
    if never and not always and holding == len(left):
        return f"everywhere but where {never}"
    count = f"in {holding} of {len(left)} {'other ' if always else ''}curves" if holding else ""
    told = ", or ".join(filter(None, (always, count)))
    return f"{told}, never where {never}" if never else told


def shown(value: Any) -> str:
    """Write a value of an axis."""
    if isinstance(value, bool | str):
        return str(value).lower()
    return f"{value:g}"
