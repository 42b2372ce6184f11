"""Conclusions of a theory, looked at in learners that it does not cover: which survive."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ci_theory._errors import Status
from ci_theory.locate import Peak
from ci_theory.locate.profile import Interval

LEARNERS = {"linear": "linear", "features": "random features", "network": "network"}
WIDE = 3.0  # an interval of a place whose ends differ by more than this factor tells nothing


class Conclusion(NamedTuple):
    """One conclusion of the linear chain, and what three learners say of it.

    Attributes:
        defect: that it is about.
        text: what the linear chain says, its number left out.
        kind: "sign", "law" (a number) or "place" (of a break).
        predicted: the number by the closed form of the linear learner.
        found: by learner.
        room: of a law: half an interval that is wider tells nothing.

    >>> found = {"network": Interval(-0.2, -0.3, -0.1)}
    >>> Conclusion("noise", "it harms", "sign", 0.4, found).word("network")
    'REVERSED'
    """

    defect: str
    text: str
    kind: str
    predicted: float
    found: Mapping[str, Interval]
    room: float = np.inf

    def word(self, system: str) -> str:
        """Say whether the conclusion survives in a learner."""
        value, low, high = self.found[system]
        if np.isnan(value):
            return "none found"
        if self.kind == "sign":
            side = np.sign(self.predicted)
            if low * high <= 0:
                return "not told"
            return "holds" if side * value > 0 else "REVERSED"
        if not low <= self.predicted <= high:
            return "ELSEWHERE" if self.kind == "place" else "BROKEN"
        telling = high <= WIDE * low if self.kind == "place" else high - low <= 2 * self.room
        return "holds" if telling and np.isfinite(high) else "not told"


def located(locator: Any, x: np.ndarray, y: np.ndarray) -> Interval:
    """Return the place of a break, from runs (r, t) or from a formula (t,)."""
    made = locator.locate(x, y)
    if made.status not in (Status.OK, Status.AT_EDGE):
        return Interval(np.nan, np.nan, np.nan)
    return Interval(made.value, max(made.low, 0.0), made.high)


def matched(x: np.ndarray, runs: np.ndarray, curve: np.ndarray) -> float:
    """Return the peak of a formula, smoothed over the grid as that of runs is."""
    locator = Peak()
    return locator.matching(locator.locate(x, runs)).locate(x, curve).value


def table(rows: Sequence[Conclusion]) -> str:
    """Return the table as text, and a line that counts."""
    heads = ("defect", "the linear chain says", "closed form", *LEARNERS.values())
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in rows:
        told = f"{one.predicted:.3g}" if one.kind != "sign" else _sign(one)
        cells = [_cell(one, system) for system in LEARNERS]
        lines.append(f"| {one.defect} | {one.text} | {told} | {' | '.join(cells)} |")
    counts = [f"{system} {sum(one.word(system) == 'holds' for one in rows)}" for system in LEARNERS]
    return "\n".join(lines) + f"\n\nOf {len(rows)} conclusions hold: {', '.join(counts)}.\n"


def _sign(one: Conclusion) -> str:
    return "+" if one.predicted > 0 else "-"


def _cell(one: Conclusion, system: str) -> str:
    value, low, high = one.found[system]
    word = one.word(system)
    if np.isnan(value):
        return word
    return f"{word}: {value:.3g} [{low:.3g}, {high:.3g}]"
