"""What of a phenomenon can be moved: a slider for every axis, a preset for every declared sweep.

Axes say which values they may take, not which are worth a look. Those are read off the declared
sweeps of the phenomenon; an axis that none of them varies is shown around its default.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ci_theory import _shipped
from ci_theory._errors import BadInput
from ci_theory._record import Axis, Kind
from ci_theory._shown import plain
from ci_theory.explore import formulas
from ci_theory.explore.address import read
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps.grid import Sweep, read_sweep

STOPS = 60
"""Stops of a slider between its ends, roughly."""

PLACES = 61
"""Places of a curve along an axis."""

FEWER = {"digits_ridge": 9, "markov_icl": 13}
"""Places of the phenomena of which one takes a third of a second or more."""

_WIDE = 20.0  # a range over which its larger end is so many times the smaller one is logarithmic
_NARROW = 4.0  # values that differ by less are shown with what is around them


class Range(NamedTuple):
    """The values of an axis that are shown.

    Attributes:
        low: the smallest; ``high`` the largest.
        log: whether they are spread by factors; a zero then stands alone before them.
        smallest: the smallest that is not zero.
    """

    low: float
    high: float
    log: bool
    smallest: float

    def spread(self, axis: Axis, count: int) -> list[Any]:
        """Return about so many values, both ends among them, in the axis' type."""
        first = self.smallest if self.log else self.low
        made = (np.geomspace if self.log else np.linspace)(first, self.high, count)
        values = [self.low, *(_short(v) for v in made[1:-1]), self.high, first]
        return sorted({axis.type(round(v) if axis.type is int else v) for v in values})


@cache
def sweeps(name: str) -> tuple[Sweep, ...]:
    """Return the sweeps that come with the package for a phenomenon; other packages declare none.

    The one that is called like it comes first.
    """
    mine = []
    for experiment in _shipped.names(_shipped.EXPERIMENT):
        file = _shipped.find(_shipped.EXPERIMENT, experiment)
        if f'phenomenon = "{name}"' in file.read_text(encoding="utf-8"):
            mine.append(read_sweep(file).completed())
    return tuple(sorted(mine, key=lambda sweep: (sweep.name != name, sweep.name)))


def document(phenomenon: Phenomenon, name: str) -> dict[str, Any]:
    """Describe a phenomenon as its page needs it, by what it declares; nothing is evaluated.

    Args:
        phenomenon: the phenomenon.
        name: by which it was loaded.
    """
    declared = sweeps(name)
    shown = {key: shown_range(axis, declared) for key, axis in phenomenon.axes.items()}
    count = FEWER.get(name, PLACES)
    found = [_preset(phenomenon, sweep, shown, count) for sweep in declared]
    presets = [preset for preset in found if preset]
    first = presets[0]["address"] if presets else _plain_address(phenomenon, shown)
    return plain(
        {
            "name": name,
            "title": phenomenon.title,
            "question": phenomenon.question,
            "model": phenomenon.model,
            "axes": [
                _control(axis, shown[key], declared, count) for key, axis in phenomenon.axes.items()
            ],
            "measures": [
                {"name": key, "unit": unit, "doc": doc}
                for key, (unit, doc) in phenomenon.measure_info.items()
            ],
            "predictions": [
                {**p.words(), "decoys": [d.name for d in p.decoys]} for p in phenomenon.predictions
            ],
            "decoys": [
                {"name": m.name, "why": m.why, "against": m.against} for m in phenomenon.mistakes
            ],
            "breaks": [
                {"name": b.name, "axis": b.axis, "measure": b.measure, "statement": b.statement}
                for b in phenomenon.breaks
            ],
            "formulas": formulas.of(name),
            "presets": presets,
            "first": first,
        }
    )


def shown_range(axis: Axis, declared: Sequence[Sweep]) -> Range | None:
    """Return which values of a number are shown; None of a word or a truth value.

    They span those of the declared sweeps and the default, all of a share that these use much of;
    where they are nearly one, a range around them inside the axis' own bounds.
    """
    if axis.type not in (int, float):
        return None
    known = sorted({float(axis.default), *_declared(axis, declared)})
    low, high = known[0], known[-1]
    floor = axis.low if axis.low is not None else axis.above
    if floor is not None and axis.high is not None and 0 < axis.high - floor <= 5 * (high - floor):
        if axis.high - floor <= 2:  # a share, a cosine
            low, high = floor, axis.high
    elif low >= 0 and high < _NARROW * min((v for v in known if v > 0), default=high):
        low, high = _wider(axis, low), _wider(axis, high, up=True)
    elif low == high:
        low, high = (-1.0, 1.0) if floor is None else (floor, floor + 1)
    low, high = _inside(axis, low, high)
    smallest = low if low > 0 else min((v for v in known if v > 0), default=high)
    if low < 0 or high <= _WIDE * smallest:
        clean = axis.low == 0 and axis.type is float  # the clean case belongs to the picture
        return Range(0.0 if clean else low, high, False, low)
    return Range(low, high, True, smallest)


def _wider(axis: Axis, value: float, up: bool = False) -> float:
    """Return a value some times larger or smaller; what costs a compilation goes less far."""
    factor = 2.0 if axis.kind is Kind.STATIC else _NARROW
    return _short(value * factor if up else value / factor)


def _inside(axis: Axis, low: float, high: float) -> tuple[float, float]:
    """Return the part of a range that lies inside the bounds of an axis, and has a length."""
    if axis.type is int:
        low, high = float(math.ceil(low)), float(math.ceil(high))
    if axis.above is not None and low <= axis.above:
        low = axis.above + 0.01 * (high - axis.above) if axis.type is float else axis.above + 1
    low = low if axis.low is None else max(low, axis.low)
    high = high if axis.high is None else min(high, axis.high)
    if low >= high:  # the only value known is at a bound, or zero
        room = max(abs(high), 1.0)
        high = high + room if axis.high is None else axis.high
        low = low if high > low else max(high - room, axis.low or -math.inf)
    return low, high


def _declared(axis: Axis, declared: Iterable[Sweep]) -> list[float]:
    """Return the values of an axis in all declared sweeps, fixed ones included."""
    found: list[float] = []
    for sweep in declared:
        found += sweep.axes.get(axis.name, (sweep.fixed.get(axis.name, axis.default),))
    return [float(v) for v in found]


def _control(
    axis: Axis, shown: Range | None, declared: Sequence[Sweep], count: int
) -> dict[str, Any]:
    """Describe one axis: what it is, and the stops of its slider or the words to choose from."""
    about = {
        "name": axis.name,
        "type": axis.type.__name__,
        "kind": axis.kind.value,
        "unit": axis.unit,
        "doc": axis.doc,
        "default": axis.default,
        "low": axis.low,
        "high": axis.high,
        "above": axis.above,
    }
    if shown is None:
        words = ("false", "true") if axis.type is bool else (axis.choices or (axis.default,))
        return {**about, "choices": words, "default": _text(axis.default)}
    known = {axis.type(v) for v in (axis.default, *_declared(axis, declared))}
    stops = sorted(known | set(shown.spread(axis, STOPS)))
    return {**about, "stops": stops, "log": shown.log, "range": _range(shown, count)}


def _range(shown: Range, count: int = PLACES) -> str:
    """Return the words for the places of a curve along an axis."""
    first = shown.smallest if shown.log else shown.low
    return f"{'geom' if shown.log else 'lin'}({_text(first)},{_text(shown.high)},{count})"


def _preset(
    phenomenon: Phenomenon, sweep: Sweep, shown: dict[str, Range | None], count: int
) -> dict[str, str] | None:
    """Return a declared sweep as an address: along its axis, at the first of all other values."""
    numbers = [k for k, v in sweep.axes.items() if shown[k] is not None and len(v) > 1]
    if not numbers:
        return None
    breaking = [b for b in phenomenon.breaks if b.axis in numbers]
    breaking.sort(key=lambda b: -len(sweep.axes[b.axis]))
    along = breaking[0].axis if breaking else max(numbers, key=lambda k: len(sweep.axes[k]))
    measure = breaking[0].measure if breaking else ""
    axis, values = phenomenon.axes[along], sweep.axes[along]
    words = [f"{along}={_places(axis, values, count)}"]
    for key, other in phenomenon.axes.items():
        here = sweep.axes[key] if key in sweep.axes else (sweep.fixed[key],)
        value = here[len(here) // 2] if key in numbers else here[0]
        if key != along and value != other.default:
            words.append(f"{key}={_text(value)}")
    if measure:
        words.append(f"@measure={measure}")
    words.append(f"@seed={sweep.seed}")
    text = read("&".join(words), phenomenon).text
    return {"name": sweep.name, "title": sweep.title or sweep.name, "address": text}


def _places(axis: Axis, values: Sequence[Any], count: int = PLACES) -> str:
    """Return the words for the places along a declared axis.

    Counts that all divide the largest of them were chosen so that no rounding blurs the curve:
    they stay. In other places a curve is drawn more finely than it was simulated.
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    whole = axis.type is int and low > 0
    if whole and len(ordered) > 4 and all(high % v == 0 for v in ordered):
        return ",".join(map(_text, ordered))
    if len(ordered) >= count or (whole and high - low < count):
        return ",".join(map(_text, ordered)) if len(ordered) > 8 else f"lin({low},{high},{count})"
    log = low > 0 and high / low > _WIDE / 2
    if low == 0 and len(ordered) > 2 and high / ordered[1] > _WIDE**2:
        return ",".join(map(_text, ordered))  # a zero before what is spread by factors
    return f"{'geom' if log else 'lin'}({_text(low)},{_text(high)},{count})"


def _plain_address(phenomenon: Phenomenon, shown: dict[str, Range | None]) -> str:
    """Return the address of a phenomenon of which no sweep is declared."""
    there = {k: r for k, r in shown.items() if r is not None}
    if not there:
        raise BadInput(f"{phenomenon.name} has no axis of numbers: there is nothing to draw along")
    breaks = [b for b in phenomenon.breaks if b.axis in there]
    along = breaks[0].axis if breaks else next(iter(there))
    text = f"{along}={_range(there[along])}"
    return text + (f"&@measure={breaks[0].measure}" if breaks else "")


def _short(value: float) -> float:
    """Round to three digits, as one sets a slider."""
    return float(f"{value:.3g}")


def _text(value: Any) -> str:
    """Write a value as the command line takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
