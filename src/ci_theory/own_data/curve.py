"""The learning curve of a person's own features and labels: predicted, measured, and judged."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ci_theory._errors import BadInput, Status
from ci_theory._types import needs_float64
from ci_theory.check.compare import FEWEST, Comparison
from ci_theory.check.statistic import moments
from ci_theory.check.verdict import probability_level
from ci_theory.locate.peak import Peak
from ci_theory.own_data import population as theory
from ci_theory.own_data import rows as given
from ci_theory.own_data.findings import Gain, LearningCurve, Place
from ci_theory.own_data.judging import judged
from ci_theory.own_data.population import Population
from ci_theory.own_data.refits import Defects, left_out, refits
from ci_theory.own_data.tuning import BestRidge, best_ridge

MOST_DRAWN = 0.9
"""Share of the distinct rows that may be drawn: the others are the test."""

MOST_FITS = 200_000

MOST_RIDGE = MOST_NOISE = 1e100
"""Beyond, squares are no numbers."""

MOST_REPEATS = 1e9
"""Times that a row may be repeated: beyond, the others are lost in the rounding of its weight."""

_FEWEST_PLACES = 3  # of a curve in which a peak could show


@needs_float64
@threadpool_limits.wrap(1, user_api="blas")  # more wait for each other on a busy machine
def learning_curve(
    features: Any,
    labels: Any,
    *,
    names: Sequence[str] | None = None,
    ridge: Sequence[float] | None = None,
    sizes: Sequence[int] | None = None,
    noise: float = 0.0,
    repeated: float = 0.0,
    repeats: float = 1.0,
    replicates: int = 200,
    seed: int = 0,
    level: float = 1e-3,
    effect: float = 0.1,
    centre: bool = True,
    numbers: bool = False,
) -> LearningCurve:
    """Predict the learning curve of ridge regression on one's own rows, refit, and judge.

    The objective is ``sum_i c_i (y_i - x_i.w)^2 + ridge |w|^2``: total ridge, c_i copies of a row.

    Args:
        features: (n, p), a row an example; rows equal in all features are copies of each other.
        labels: (n,), numbers.
        names: of the features, for messages.
        ridge: total ridges [x^2], >= 0; by default none and the best one of all rows.
        sizes: numbers of distinct training rows, at most 9 in 10 of them; by default chosen.
        noise: variance added to the training labels, a what-if [label^2].
        repeated: share of the distinct training rows that is repeated; ``repeats``: how often.
        replicates: refits of each cell.
        seed: of the draws.
        level: chance of DISAGREES though the theory holds.
        effect: relative bias of the error that must be found for AGREES; a mistaken theory that
            differs by less is not asked to be told apart.
        centre: take off the mean of all rows first: the intercept. False fits without one.
        numbers: labels that look like the codes of classes are numbers.

    Regime: rows in general position, many rows; each row feels many others. Images near
    interpolation are not like that, and DISAGREE (docs/own_data.md).

    Raises:
        BadInput: what cannot be taken as meant, see ``rows.checked``; values out of range.

    Source: derived here (docs/own_data.md).

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 20))
    >>> y = x @ rng.normal(size=20) + rng.normal(size=400)
    >>> found = learning_curve(x, y, ridge=[0.0], sizes=[60, 120, 240], replicates=60)
    >>> found.verdict.value, found.duplicates, bool(abs(found.noise.value - 1) < 0.2)
    ('AGREES', 0, True)
    """
    probability_level(level)
    defects = _defects(noise, repeated, repeats)
    data = given.checked(features, labels, names, numbers=numbers)
    x, y = data.features, data.labels
    if centre:
        x, y = x - x.mean(axis=0), y - y.mean()
    x = _rotated(x)
    copies = data.copies
    whole = theory.population(x, y, copies, np.zeros(len(y)), centre)
    without = best_ridge(whole, x, y, copies, defects, kept=False)
    missed = left_out(x, y, np.ones(len(y)), np.array([without.ridge]), centre).each[0]
    whole = theory.population(x, y, copies, missed, centre)
    unequal = bool(data.duplicates) or defects.repeated * (defects.repeats - 1) > 0
    best = best_ridge(whole, x, y, copies, defects) if unequal else without
    ridges = _ridges(ridge, best)
    counts = _sizes(sizes, whole)
    variants = 2 if unequal else 1
    _affordable(replicates, len(ridges) * len(counts) * variants, effect)
    if not (isinstance(seed, int) and seed >= 0):
        raise BadInput(f"seed = {seed}: must be a whole number >= 0")
    shape = (variants, len(ridges), len(counts))
    kept, at, n = (
        a.ravel() for a in np.meshgrid([True, False][:variants], ridges, counts, indexing="ij")
    )
    cells = theory.Cells(n, at, kept)
    found = theory.predict(whole, cells, defects)
    floor = theory.noise(whole)
    rows_error, noise_error = theory.band(x, y, copies, missed, centre, whole, cells, defects)
    values = refits(x, y, copies, counts, ridges, defects, variants, replicates, seed)
    report = judged(found, whole, cells, defects, values, level, effect)

    def of_cells(of: Callable[[Comparison], Any]) -> np.ndarray:
        columns = [np.reshape(of(o.comparison), (variants, -1)) for o in report.outcomes]
        return np.stack(columns, axis=1).ravel()

    return LearningCurve(
        total=data.total,
        distinct=len(y),
        duplicates=data.duplicates,
        conflicting=data.conflicting,
        features=len(data.names),
        centred=centre,
        spectrum=whole.spectrum,
        noise=floor,
        noise_error=noise_error,
        n=n,
        ridge=at,
        kept=kept,
        predicted=found.test_error,
        slack=of_cells(lambda c: c.estimate.slack),
        rows_error=rows_error,
        mean=of_cells(lambda c: c.mean),
        error=of_cells(lambda c: c.error),
        valid=of_cells(lambda c: c.valid),
        peaks=tuple(_peak(whole, r, defects, counts, values[0, i]) for i, r in enumerate(ridges)),
        best=best,
        best_without=without,
        gains=_gains(ridges, counts, found.test_error.reshape(shape), values),
        report=report,
        defects=defects,
    )


def _defects(noise: float, repeated: float, repeats: float) -> Defects:
    for name, value, good, right in (
        ("noise", noise, 0 <= noise <= MOST_NOISE, f"from 0 to {MOST_NOISE:g}"),
        ("repeated", repeated, 0 <= repeated <= 1, "from 0 to 1"),
        ("repeats", repeats, 1 <= repeats <= MOST_REPEATS, f"from 1 to {MOST_REPEATS:g}"),
    ):
        if not good:
            raise BadInput(f"{name} = {value}: must be {right}")
    return Defects(noise, repeated, repeats)


def _rotated(x: np.ndarray) -> np.ndarray:
    """Turn features so that there are no more than rows: no ridge and no error feels it."""
    if x.shape[1] <= x.shape[0]:
        return x
    left, s, _ = np.linalg.svd(x, full_matrices=False)
    return left * s


def _ridges(asked: Sequence[float] | None, best: BestRidge) -> np.ndarray:
    if asked is None:
        return np.array([0.0, best.ridge] if not best.at_edge else [0.0])
    ridges = np.unique(np.asarray(asked, float))
    if not (len(ridges) and ridges[0] >= 0 and ridges[-1] <= MOST_RIDGE):
        raise BadInput(f"ridge = {list(asked)}: must be numbers from 0 to {MOST_RIDGE:g}")
    return ridges


def _sizes(asked: Sequence[int] | None, whole: Population) -> np.ndarray:
    most = int(MOST_DRAWN * whole.rows)
    if asked is not None:
        sizes = np.unique(np.asarray(asked, float))
        if not (len(sizes) and (sizes == np.round(sizes)).all()):
            raise BadInput(f"sizes = {list(asked)}: must be whole numbers of rows")
        if sizes[0] < 2 or sizes[-1] > most:
            raise BadInput(
                f"sizes = {sizes[0]:g} to {sizes[-1]:g}: must be from 2 to {most}, 9 in 10 of the "
                f"{whole.rows} distinct rows"
            )
        return sizes.astype(int)
    last = int(0.8 * whole.rows)
    modes = float(np.sum(whole.spectrum.multiplicity))
    sizes = np.geomspace(max(10.0, 0.04 * whole.rows), last, 8)
    near = modes * np.array([0.5, 0.7, 0.85, 1.15, 1.3, 1.6])
    near = near[(near >= 10) & (near < last)]
    apart = np.abs(np.log(sizes[:, None] / near)).min(axis=1, initial=9.0) > 0.12
    chosen = np.unique(np.round([*sizes[apart], *near, last]).astype(int))
    return chosen[np.abs(chosen - modes) > 1]


def _affordable(replicates: int, cells: int, effect: float) -> None:
    if not (isinstance(replicates, int) and replicates >= FEWEST):
        raise BadInput(f"replicates = {replicates}: must be a whole number >= {FEWEST}")
    if replicates * cells > MOST_FITS:
        raise BadInput(f"replicates = {replicates}: {replicates * cells} fits, over {MOST_FITS}")
    if not effect > 0:
        raise BadInput(f"effect = {effect}: must be > 0")


def _peak(
    whole: Population, ridge: float, defects: Defects, sizes: np.ndarray, values: np.ndarray
) -> Place:
    """Locate the highest error: in the formula on a fine grid, in refits (t, r) on theirs."""
    modes = float(np.sum(whole.spectrum.multiplicity)) * whole.rows / whole.size
    last = MOST_DRAWN * whole.rows
    pole = bool(ridge == 0 and modes < last)
    place = modes
    if not pole:
        grid = np.geomspace(sizes[0], last, 200)
        fine = theory.Cells(grid, np.full(200, ridge), np.ones(200, bool))
        curve = theory.predict(whole, fine, defects)
        good = np.isfinite(curve.test_error)
        place = np.nan
        if len(np.unique(grid[good])) >= _FEWEST_PLACES:
            point = Peak().locate(grid[good], curve.test_error[good])
            place = float(point.value) if point.status in (Status.OK, Status.AT_EDGE) else np.nan
    enough = len(sizes) >= _FEWEST_PLACES
    seen = Peak().locate(sizes.astype(float), values.T) if enough else None
    if seen is None or seen.status not in (Status.OK, Status.AT_EDGE):
        return Place(float(ridge), place, pole, np.nan, np.nan, np.nan)
    return Place(float(ridge), place, pole, float(seen.value), float(seen.low), float(seen.high))


def _gains(
    ridges: np.ndarray, sizes: np.ndarray, predicted: np.ndarray, values: np.ndarray
) -> tuple[Gain, ...]:
    """Compare fits with copies and without at the largest size, draw by draw."""
    if len(values) < 2:
        return ()
    paired = values[0, :, -1] - values[1, :, -1]
    mean, spread, _, count = moments(paired)
    gain = predicted[0, :, -1] - predicted[1, :, -1]
    return tuple(
        Gain(
            float(ridge),
            int(sizes[-1]),
            float(gain[i]),
            float(mean[i]),
            float(spread[i] / np.sqrt(count[i])),
            float(gain[i] / predicted[0, i, -1]),
        )
        for i, ridge in enumerate(ridges)
    )
