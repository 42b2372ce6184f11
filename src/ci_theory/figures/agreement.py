"""Whether the fresh results of a sweep and the kept ones agree within their errors."""

import json
from typing import Any, NamedTuple

import numpy as np
import xarray
from scipy.special import ndtri, stdtr

from ci_theory._errors import BadInput
from ci_theory.check.room import FOUND
from ci_theory.figures import condensed
from ci_theory.figures.condensed import LEVEL, PARTS

__all__ = ["Agreement", "compare", "restricted"]

_ROUNDING = 2e-5  # relative: kept numbers have six digits


class Agreement(NamedTuple):
    """What a comparison of two sweeps found.

    Attributes:
        sweep: its name.
        means: how many means were compared.
        z: the largest difference of two means, as a normal score.
        breaks: how many breaks were compared: those found in both, surely.
        against: what differs, a line each; empty if they agree.
        notes: what else differs: the simulation, verdicts that moved.
    """

    sweep: str
    means: int
    z: float
    breaks: int
    against: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs beyond the errors."""
        return not self.against

    def __str__(self) -> str:
        """Say it in a line, with what differs below."""
        word = "agrees" if self.agrees else "DISAGREES"
        head = (
            f"{self.sweep}: {word}: {self.means} means, largest difference z = {self.z:.1f}; "
            f"{self.breaks} breaks"
        )
        return "\n  ".join([head, *self.against, *self.notes])


def compare(kept: xarray.Dataset, fresh: xarray.Dataset) -> Agreement:
    """Compare a kept sweep with fresh runs of it, at the level ``condensed.LEVEL`` for a sweep.

    Half of the level is for the means: Welch's t test of every cell and measure, each at its
    share. Half is for the breaks: their intervals, at a share of the level each, must meet. The
    fresh runs may be the same runs again, or others. A verdict that became or was DISAGREES counts
    as a difference, and so does an axis held elsewhere; a verdict that moved otherwise is a note.

    Args:
        kept: condensed, or the single runs that are kept.
        fresh: a Dataset from a complete store.

    Raises:
        BadInput: the fresh sweep does not hold the cells that are kept.
    """
    name = str(kept.attrs["name"])
    if "replicate" in kept.dims:
        old, new = condensed.condense(kept), condensed.condense(restricted(fresh, kept))
    else:  # verdicts are those of the whole sweep
        old, new = kept, restricted(condensed.condense(fresh), kept)
    against, notes = [], []
    for key in ("formula", "version", "seed"):
        then, now = (str(one.attrs.get(key)) for one in (kept, fresh))
        if then != now:
            notes.append(f"{key}: {then} when it was kept, now {now}")
    before, after = (json.loads(one.attrs.get("fixed", "{}")) for one in (kept, fresh))
    for axis in sorted({*before, *after}):
        then, now = (str(one.get(axis, "not an axis")) for one in (before, after))
        if then != now:
            against.append(f"{axis} = {then} when it was kept, now {now}")
    scores, cells = _scores(old, new)
    limit = -ndtri(LEVEL / 2 / max(1, len(scores)) / 2)
    far = np.flatnonzero(np.abs(scores) > limit)
    for i in far[:3]:
        against.append(f"{cells[i]}: z = {scores[i]:+.1f}")
    if len(far) > 3:
        against.append(f"and {len(far) - 3} more means")
    breaks, apart = _breaks(old, new)
    moved = {one.prediction: one.verdict for one in condensed.told(new)}
    for one in condensed.told(old):
        now = moved.get(one.prediction, "gone")
        if now != one.verdict:
            line = f"{one.prediction}: {one.verdict} when it was kept, now {now}"
            (against if "DISAGREES" in (now, one.verdict) else notes).append(line)
    z = float(np.abs(scores).max(initial=0.0))
    return Agreement(name, len(scores), z, breaks, (*against, *apart), tuple(notes))


def restricted(data: xarray.Dataset, like: xarray.Dataset) -> xarray.Dataset:
    """Return the cells and measures of a Dataset that another one holds.

    Raises:
        BadInput: it does not have them.
    """
    place: dict[str, Any] = {}
    for name in [str(c) for c in like.coords if c != "replicate"]:
        held = data[name].to_numpy().tolist() if name in data.dims else []
        wanted = like[name].to_numpy().tolist()
        values = wanted if isinstance(wanted, list) else [wanted]
        if not set(values) <= set(held):
            raise BadInput(f"{like.attrs['name']}: what is kept is of another sweep: see {name}")
        found = [held.index(value) for value in values]  # by place: booleans would be a mask
        place[name] = found if name in like.dims else found[0]
    lost = sorted(set(map(str, like.data_vars)) - set(map(str, data.data_vars)))
    if lost:
        raise BadInput(f"{like.attrs['name']}: what is kept is of another sweep: see {lost[0]}")
    return data.isel(place)[list(like.data_vars)]


def _scores(old: xarray.Dataset, new: xarray.Dataset) -> tuple[np.ndarray, list[str]]:
    """Return a normal score (N,) for every mean that both have, and what it is a mean of."""
    scores: list[float] = []
    cells: list[str] = []
    names = [str(d) for d in old.dims]
    for measure in [str(m) for m in old.data_vars if f"{m}{PARTS[1]}" in old]:
        then, now = (
            [one[f"{measure}{part}"].transpose(*names).to_numpy() for part in PARTS]
            for one in (old, new)
        )
        found = welch(*then, *now)
        for index in np.ndindex(found.shape):
            if np.isfinite(found[index]):
                at = (f"{n} = {old[n].to_numpy()[i]}" for n, i in zip(names, index, strict=True))
                scores.append(float(found[index]))
                cells.append(f"{measure} at {', '.join(at)}")
            elif np.isfinite(then[0][index]) != np.isfinite(now[0][index]):
                scores.append(float("inf"))
                cells.append(f"{measure}: a mean is finite in one of the two only")
    return np.array(scores), cells


def welch(
    mean: np.ndarray,
    error: np.ndarray,
    runs: np.ndarray,
    mean2: np.ndarray,
    error2: np.ndarray,
    runs2: np.ndarray,
) -> np.ndarray:
    """Return Welch's t for two means as a normal score; less than the rounding is no difference.

    NaN where one of them has no error.
    """
    gap = mean2 - mean
    gap = np.sign(gap) * np.maximum(np.abs(gap) - _ROUNDING * np.abs(mean), 0.0)
    a, b = error**2, error2**2
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(gap == 0, 0.0 * (a + b), gap / np.sqrt(a + b))
        freedom = (a + b) ** 2 / (a**2 / (runs - 1) + b**2 / (runs2 - 1))
    freedom = np.where(np.isfinite(freedom), freedom, np.maximum(runs + runs2 - 2, 1))
    tail = np.maximum(stdtr(freedom, -np.abs(t)), 1e-300)  # ndtri of less is infinite
    return np.where(np.isfinite(t) | np.isinf(t), -ndtri(tail) * np.sign(t), np.nan)


def _breaks(old: xarray.Dataset, new: xarray.Dataset) -> tuple[int, list[str]]:
    """Compare the breaks that were surely found in both: how many, and which lie apart."""
    now = {(one.name, str(one.at)): one.sure for one in condensed.kept_breaks(new)}
    count, apart = 0, []
    for one in condensed.kept_breaks(old):
        status, low, high = one.sure
        other = now.get((one.name, str(one.at)))
        if other is None or status not in FOUND or other[0] not in FOUND:
            continue
        count += 1
        if low > other[2] or other[1] > high:
            apart.append(
                f"{one.name} at {one.at}: [{low:.4g}, {high:.4g}] kept, "
                f"[{other[1]:.4g}, {other[2]:.4g}] fresh"
            )
    return count, apart
