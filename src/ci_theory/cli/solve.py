"""`ci-theory solve`: at which value of one number a prediction reaches a level."""

from collections.abc import Mapping, Sequence
from typing import Any

from ci_theory import phenomena
from ci_theory._errors import BadInput, unknown
from ci_theory.cli.output import number, plain, print_lines, print_table, say
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps.grid import parse_value, values_for
from ci_theory.sweeps.values import split


def document(phenomenon: Phenomenon, words: Sequence[str]) -> dict[str, Any]:
    """Solve for one knob.

    Args:
        phenomenon: the phenomenon.
        words: ``measure=value``, a knob by its bare name or as ``knob=low,high``, and values of
            other fields, in any order.

    Returns:
        {"phenomenon", "params", "prediction", "level", "knob", "unit", "tried", "reached",
        "solutions": [{"at", "value", "direction", "judged"}], "jumps", "stays"}; no solution is an
        answer.

    Raises:
        BadInput: no level or no knob, two of them, unknown names, bad values.
    """
    axes = phenomenon.axes
    bare = [word.strip() for word in words if "=" not in word]
    given = split(word for word in words if "=" in word)
    levels = {k: v for k, v in given.items() if k not in axes}
    values = {k: parse_value(v, axes[k]) for k, v in given.items() if k in axes}
    ranges = {k: v for k, v in values.items() if isinstance(v, tuple)}
    knobs = [*bare, *ranges]
    told = f"solve {phenomenon.name}"
    if len(levels) != 1:
        known = {p.name for p in phenomenon.predictions} | {
            p.measure for p in phenomenon.predictions
        }
        for name in levels:
            if name not in known:
                raise unknown("prediction", name, sorted(known), where=phenomenon.name)
        raise BadInput(f"{told}: expected one MEASURE=VALUE, for example {min(known)}=0.5")
    if len(knobs) != 1:
        instead = f", not {' and '.join(knobs)}" if knobs else ""
        raise BadInput(f"{told}: name one axis to solve for{instead} (known: {', '.join(axes)})")
    knob, (measure, level) = knobs[0], *levels.items()
    within = None
    if knob in ranges:
        if len(ranges[knob]) != 2:
            raise BadInput(f"{knob}: a range to look in is LOW,HIGH, for example {knob}=1,1000")
        low, high = values_for(axes[knob], ranges[knob])
        within = (float(low), float(high))
    point = {k: values_for(axes[k], (v,))[0] for k, v in values.items() if k not in ranges}
    found = phenomena.solve(phenomenon, measure, _level(measure, level), knob, point, within=within)
    params = {k: v for k, v in phenomenon.point(point).items() if k != knob}
    return plain(
        {
            "phenomenon": phenomenon.name,
            "params": params,
            "prediction": found.prediction,
            "level": found.level,
            "knob": knob,
            "unit": axes[knob].unit,
            "tried": found.tried,
            "reached": found.reached,
            "solutions": [
                {
                    "at": axes[knob].type(s.at),
                    "value": s.value,
                    "direction": "rising" if s.rising else "falling",
                    "judged": s.judged,
                }
                for s in found.found
            ],
            "jumps": found.jumps,
            "stays": found.stays,
        }
    )


def _level(measure: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{measure}={text}: expected a number") from None


def print_solutions(made: Mapping[str, Any]) -> None:
    """Print where the level is reached, or that it is not, and between what the curve lies."""
    knob, unit = made["knob"], made["unit"]
    say(f"{made['phenomenon']}: {made['prediction']} = {number(made['level'])}, by {knob}")
    print_lines((k, number(v)) for k, v in made["params"].items())
    say()
    if made["solutions"]:
        print_table(
            [f"{knob} {unit}".strip(), made["prediction"], "direction", ""],
            [
                [
                    number(s["at"], 8),
                    number(s["value"], 8),
                    s["direction"],
                    "" if s["judged"] else "not judged by a check here",
                ]
                for s in made["solutions"]
            ],
            right=[f"{knob} {unit}".strip(), made["prediction"]],
        )
    elif not made["stays"]:
        say(f"  none: for {knob} no value tried reaches it")
    for place in made["jumps"]:
        say(f"  the curve jumps over it at {knob} = {number(place, 8)}")
    for first, last in made["stays"]:
        say(f"  the curve is at it from {number(first, 8)} to {number(last, 8)}")
    (first, last), (low, high) = made["tried"], made["reached"]
    say(
        f"  tried: {knob} from {number(first)} to {number(last)}, where it lies between "
        f"{number(low)} and {number(high)}"
    )
