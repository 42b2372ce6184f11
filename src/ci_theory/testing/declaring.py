"""Laws of what a phenomenon declares. Each says in a line what contradicts it, or returns None.

What can be checked without calling anything is checked when a phenomenon is made.
"""

from typing import Any

import jax
import numpy as np

from ci_theory._errors import Status
from ci_theory.phenomena import Break
from ci_theory.testing.case import Case

PLACES = 9
"""Places along an axis at which a locator is asked."""

RUNS = 6
"""Replicates that it is given, with one part in a hundred of noise."""


def words(case: Case) -> str | None:
    """Look for what a reader would miss."""
    phenomenon = case.phenomenon
    for part in ("title", "question", "model"):
        if not str(getattr(phenomenon, part)).strip():
            return f"its {part} says nothing"
    for prediction in phenomenon.predictions:
        if not prediction.decoys:
            return f"prediction {prediction.name} has no decoy: nothing shows that a check can fail"
        for decoy in prediction.decoys:
            if not decoy.why.strip():
                return f"decoy {decoy.name} of prediction {prediction.name} does not say why"
    return None


def world(case: Case) -> str | None:
    """Make the world twice, with fields that are not static refusing to be read."""
    point = case.phenomenon.point(case.at)
    one, other = case.phenomenon.prepared(point), case.phenomenon.prepared(point)
    leaves = [jax.tree.leaves(made) for made in (one, other)]
    same = len(leaves[0]) == len(leaves[1]) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(*leaves, strict=True)
    )
    return None if same else "world makes something else the second time"


def locators(case: Case) -> str | None:
    """Ask every locator about a bump and a fall along its axis, and about replicates of them."""
    for sought in case.phenomenon.breaks:
        x = _places(case, sought)
        u = np.linspace(-2, 2, len(x))
        noise = 1 + 0.01 * np.random.default_rng(0).standard_normal((RUNS, len(x)))
        for y in (1 + np.exp(-(u**2)), 0.1 + np.exp(-u)):
            for values in (y, y * noise):
                line = _no_place(sought.locator.locate(x, values))
                if line:
                    what = "a curve" if values is y else "replicates"
                    return f"the locator of break {sought.name} answers {what} with {line}"
    return None


def _places(case: Case, sought: Break) -> np.ndarray:
    """Return places along the axis of a break, around the case's own, in its declared range."""
    axis, centre = case.phenomenon.axes[sought.axis], case.phenomenon.point(case.at)[sought.axis]
    x = np.geomspace(0.2, 5.0, PLACES) * (centre or 1)
    x = np.unique(np.round(x)) if axis.type is int else x
    return np.array([v for v in x.tolist() if v > 0 and axis.problem(axis.type(v)) is None])


def _no_place(point: Any) -> str | None:
    """Say what keeps an answer from being a located break."""
    parts = ("value", "low", "high", "status")
    if not all(hasattr(point, part) for part in parts):
        return f"{type(point).__name__}, expected a BreakPoint"
    if point.status not in set(Status):
        return f"the status {point.status!r}, expected a Status"
    if point.status == Status.OK and not np.isfinite(point.value):
        return f"the place {point.value} and the status OK"
    if point.status == Status.OK and not (
        np.isnan(point.low) or point.low <= point.value <= point.high
    ):
        return f"the place {point.value:.6g} outside of [{point.low:.6g}, {point.high:.6g}]"
    return None
