"""How many replicates would tell the places of breaks about which a sweep is UNDERPOWERED.

Tried, not extrapolated: curves as predicted, with replicates that scatter as the simulated ones
did, are located again and again, more and more replicates of them.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

from ci_theory.check.located import FEWEST_PLACES, Located, Slice
from ci_theory.check.verdict import POWER

TRIES = 20
"""Sweeps of so many replicates that are tried; each of them has to tell enough."""

MOST = 64
"""Times the replicates of now up to which is looked."""


class Remedy(NamedTuple):
    """What would decide about a kind of break.

    Attributes:
        replicates: how many would do; None if no number that was tried would.
        line: the same in words.
    """

    replicates: int | None
    line: str


def remedy(slices: Sequence[Slice], found: Sequence[Located], wanted: int, level: float) -> Remedy:
    """Say how many replicates would do for slices to tell the place of a break that must show.

    The scatter is taken for as much larger as it may be with 95 % probability, since few
    replicates tell little of it.

    Args:
        slices: curves of one kind of break.
        found: what they say now.
        wanted: how many slices in which a break must show have to tell its place.
        level: of every slice, at which it is judged.
    """
    due = [pair for pair in zip(slices, found, strict=True) if pair[1].due]
    silent = [_Silent(curve, one, level) for curve, one in due if not one.said.told]
    lacking = wanted - (len(due) - len(silent))
    now = max((len(curve.y) for curve, _ in due), default=0)
    rng = np.random.default_rng(0)
    for factor in 2 ** np.arange(1, math.ceil(math.log2(MOST)) + 1):
        count = int(factor) * now
        if all(_enough(silent, lacking, count, rng) for _ in range(TRIES)):
            return Remedy(count, f"{count} replicates would do")
    return Remedy(None, f"more than {MOST * now} replicates would be needed")


def _enough(
    silent: Sequence["_Silent"], lacking: int, count: int, rng: np.random.Generator
) -> bool:
    """Say whether so many slices tell their place in one try."""
    tell = 0
    for place, one in enumerate(silent):
        if tell + len(silent) - place < lacking:
            return False
        tell += one.tells(count, rng)
        if tell >= lacking:
            return True
    return tell >= lacking


class _Silent:
    """A slice that does not tell its place yet, as it would be with more replicates."""

    def __init__(self, curve: Slice, one: Located, level: float) -> None:
        used = curve.usable()
        self.one, self.x = one, used.x
        self.mean = None if used.estimate is None else used.estimate.value
        self.locator = dataclasses.replace(curve.kind.locator, confidence=1 - level)  # type: ignore[type-var]
        r = len(used.y)
        if r > 1 and self.mean is not None:
            larger = math.sqrt((r - 1) / chdtri(r - 1, POWER)) * math.sqrt(r / (r - 1))
            self.scatter = larger * (used.y - np.nanmean(used.y, axis=0))
        else:
            self.mean = None

    def tells(self, count: int, rng: np.random.Generator) -> bool:
        """Say whether a try with so many replicates tells the place, if it is as predicted."""
        if self.mean is None or len(self.x) < FEWEST_PLACES:
            return False
        rows = rng.integers(len(self.scatter), size=count)
        point = self.locator.locate(self.x, self.mean + self.scatter[rows])
        return dataclasses.replace(
            self.one, measured=point, judged=point, sure=False, astray=False, skewed=False
        ).said.told
