"""How a stored sweep grows: more replicates, new values on an axis, an axis more.

A store is always a whole grid. It grows in steps, each a plan of its own: new values of one axis,
for all values of the others and all replicates, or more replicates of every cell. So what is there
stays as it is, and whoever is killed between two steps leaves a smaller grid that is whole.
Parameters that were fixed may become axes: random numbers are addressed by a point's values, not by
what was an axis when it was run.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ci_theory._record import Kind
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.plan import Plan, declared


class Step(NamedTuple):
    """One plan more.

    Attributes:
        sweep: what the store holds after it.
        start: first replicate of the plan.
        added: the axis that grows and its new values; None if replicates are added.
    """

    sweep: Sweep
    start: int = 0
    added: tuple[str, tuple] | None = None


def next_step(stored: Sweep | None, wanted: Sweep) -> Step | None:
    """Return the next step from a stored sweep, or from none, to a larger one; None at its end.

    Both have their defaults written out, and ``difference`` has found nothing. New values are
    simulated as often as those that are there; a store with more replicates keeps them.
    """
    if stored is None:
        return Step(wanted)
    for name, values in wanted.axes.items():
        there = set(_values(stored, name))
        new = tuple(v for v in values if v not in there)
        if new:
            now = {**stored.axes, name: values}
            axes = {k: now[k] for k in wanted.axes if k in now}
            fixed = {k: v for k, v in stored.fixed.items() if k != name}
            often = stored.replicates
            grown = dataclasses.replace(wanted, axes=axes, fixed=fixed, replicates=often)
            return Step(grown, 0, (name, new))
    if stored.replicates < wanted.replicates:
        return Step(wanted, stored.replicates)
    return None


def is_step(stored: Plan | None, plan: Plan) -> bool:
    """Say whether a plan is one step further than the plan before it, or the first of a store."""
    if stored is not None and difference(stored, plan.sweep, plan.identity):
        return False
    step = next_step(stored.sweep if stored else None, plan.sweep)
    return (
        step is not None
        and (step.start, step.added) == (plan.start, plan.added)
        and (
            declared(step.sweep) == declared(plan.sweep)
            and step.sweep.replicates == plan.sweep.replicates
        )
    )


def difference(stored: Plan, sweep: Sweep, identity: Mapping[str, Any]) -> str | None:
    """Say in a phrase why a stored sweep cannot be, or grow to, another one, or return None."""
    for name, value in identity.items():
        old = stored.identity.get(name)
        if old != value:
            meaning = {"version": "package version", "formula": "simulation source"}.get(name, name)
            return f"its {meaning} is {old}, here it is {value}"
    there, here = stored.sweep, sweep.completed()
    if there.phenomenon != here.phenomenon:
        return f"its phenomenon is {there.phenomenon}, here {here.phenomenon}"
    if list(there.axes) != [name for name in here.axes if name in there.axes]:
        names = [", ".join(axes) or "none" for axes in (there.axes, here.axes)]
        return f"its axes are {names[0]}, here {names[1]}"
    for name, values in here.axes.items():
        problem = _lost(name, there, values)
        if problem:
            return problem
    for name, value in here.fixed.items():
        if there.fixed[name] != value:
            return f"it was run with {name} = {there.fixed[name]}, here {name} = {value}"
    old_words, new_words = declared(there), declared(here)
    for name in ("seed", "paired"):
        if old_words[name] != new_words[name]:
            return f"its {name} is {old_words[name]}, here {new_words[name]}"
    return None


def _lost(name: str, there: Sweep, values: tuple) -> str | None:
    """Say in a phrase what of a parameter's stored values another sweep leaves out, or None."""
    stored, wanted = _values(there, name), set(values)
    gone = [v for v in stored if v not in wanted]
    if name not in there.axes and gone:
        return f"it was run with {name} = {gone[0]}, which is not a value of the axis {name} here"
    if name not in there.axes and len(values) == 1:
        return f"its {name} = {values[0]} is fixed, here it is an axis of that one value"
    if gone:
        more = f" and {len(gone) - 1} more" if gone[1:] else ""
        return f"its axis {name} has the value {gone[0]}{more}, which is missing here"
    known = set(stored)
    if tuple(v for v in values if v in known) != stored:
        return f"its axis {name} has these values in another order"
    return None


def _values(sweep: Sweep, name: str) -> tuple:
    """Return the values that a parameter has in a sweep, an axis or not."""
    return sweep.axes[name] if name in sweep.axes else (sweep.fixed[name],)


def places(plan: Plan, whole: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Return where the cells of a plan lie in the grid that the store has grown to.

    Returns:
        Places (c,) of its outer cells among all, and (m,) of its inner points among all.
    """
    inner = {k for k in whole.axes if plan.about["axes"][k]["kind"] == Kind.INNER.value}
    found = []
    for names in ([k for k in whole.axes if k not in inner], [k for k in whole.axes if k in inner]):
        index = {k: {v: i for i, v in enumerate(whole.axes[k])} for k in names}
        along = [[index[k][v] for v in _values(plan.box, k)] for k in names]
        shape = [len(whole.axes[k]) for k in names]
        flat = np.ravel_multi_index(np.ix_(*along), shape) if names else np.zeros(1, int)
        found.append(np.ravel(flat))
    return found[0], found[1]
