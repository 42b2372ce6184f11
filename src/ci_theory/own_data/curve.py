"""The learning curve of a person's own features and labels: predicted, measured, and judged."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ci_theory._errors import BadInput, Status
from ci_theory._shown import table
from ci_theory._types import needs_float64
from ci_theory.check.compare import FEWEST, Comparison
from ci_theory.check.report import Report, plain_json, text_table
from ci_theory.check.statistic import moments
from ci_theory.check.verdict import Verdict, judge, probability_level
from ci_theory.locate.peak import Peak
from ci_theory.locate.student import quantile
from ci_theory.own_data import population as theory
from ci_theory.own_data import rows as given
from ci_theory.own_data.population import GROUPS, Noise, Population, Predicted
from ci_theory.own_data.refits import Defects, refits
from ci_theory.own_data.tuning import BestRidge, best_ridge
from ci_theory.phenomena._base import Estimate, Prediction
from ci_theory.theory.spectra.spectrum import Spectrum

FEWEST_FREE = 10.0
"""Rows left to average over, below which a mean has no normal error bar."""

MOST_DRAWN = 0.9
"""Share of the distinct rows that may be drawn: the others are the test."""

MOST_FITS = 200_000

_PREDICTION = Prediction(
    name="test_error",
    measure="test_error",
    statement="n rows drawn from N of their own spectrum, a Haar frame: theory.rows."
    "finite_population.population_risk",
    scope="effective rows - df2 >= 10",
    order="4/(effective rows - df2) of what is not noise, and 3/N of the error: docs/own_data.md",
    source="derived here (docs/real_data.md, docs/own_data.md)",
)


class Place(NamedTuple):
    """Where the error is highest, in distinct training rows, at one ridge.

    Attributes:
        ridge: total ridge [x^2].
        predicted: place; NaN if the predicted curve has no peak.
        pole: whether the predicted error is infinite there.
        measured: place in the refits; NaN if none shows; ``low`` to ``high``: its 95 % interval.
    """

    ridge: float
    predicted: float
    pole: bool
    measured: float
    low: float
    high: float


class Gain(NamedTuple):
    """What taking out the copies brings: error with them less error without [label^2].

    Attributes:
        ridge: total ridge [x^2] of both fits.
        n: distinct rows of them.
        predicted: gain of such a fit; ``measured``: in refits of the same draws, with its standard
            error ``error``.
        share: predicted, of the error with the copies.
    """

    ridge: float
    n: int
    predicted: float
    measured: float
    error: float
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """What ``learning_curve`` found; c cells of a ridge, a size, and copies kept or not.

    Attributes:
        total: rows given; ``distinct``: of different features; ``duplicates``: the difference.
        conflicting: distinct rows whose copies have different labels; their mean is taken.
        features: columns.
        centred: whether the mean of all rows was taken off features and labels.
        spectrum: of the rows, with the labels' power on its modes.
        noise: what no fit explains; ``noise_error``: its standard error over rows.
        effective: at the best ridge, rows of equal weight that would have the same sampling error.
        n: distinct training rows of each cell (c,).
        ridge: total ridge of each cell [x^2] (c,).
        kept: whether the copies are in (c,).
        predicted: mean squared error on rows left out (c,) [label^2].
        slack: how far off the prediction may be by its own finite size (c,).
        rows_error: standard error of the predicted curve over other samples of as many rows (c,).
        mean: of the refits (c,); ``error``: its standard error over draws from these rows.
        valid: where the prediction makes a claim (c,).
        peaks: one for each ridge.
        best: the best ridge of all rows; ``best_without``: after taking out their copies.
        gains: of taking out the copies; empty if there are none.
        report: the verdict with its evidence.
        defects: what was added.
    """

    total: int
    distinct: int
    duplicates: int
    conflicting: int
    features: int
    centred: bool
    spectrum: Spectrum
    noise: Noise
    noise_error: float
    n: np.ndarray
    ridge: np.ndarray
    kept: np.ndarray
    predicted: np.ndarray
    slack: np.ndarray
    rows_error: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    valid: np.ndarray
    peaks: tuple[Place, ...]
    best: BestRidge
    best_without: BestRidge
    gains: tuple[Gain, ...]
    report: Report
    defects: Defects

    @property
    def verdict(self) -> Verdict:
        """AGREES, DISAGREES, UNDERPOWERED (not enough data to tell) or OUT_OF_SCOPE."""
        return self.report.verdict

    @property
    def exit_code(self) -> int:
        """0 for AGREES, 1 for DISAGREES, 3 if nothing can be said."""
        return self.report.exit_code

    @property
    def effective(self) -> float:
        """Rows of equal weight with the sampling error that all rows have at the best ridge."""
        return self.best.effective

    def interval(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return where the curve of the population lies, as far as these rows tell (c,), (c,)."""
        half = quantile(0.5 + confidence / 2, GROUPS - 1) * self.rows_error
        return self.predicted - half, self.predicted + half

    def table(self) -> list[dict[str, str]]:
        """Return one row a cell, as text."""
        low, high = self.interval()
        names = ("n", "ridge", "copies", "predicted", "slack", "refitted", "error", "from", "to")
        rows = []
        for i in range(len(self.n)):
            numbers = (self.predicted[i], self.slack[i], self.mean[i], self.error[i])
            shown = [f"{v:.4g}" if np.isfinite(v) else "-" for v in (*numbers, low[i], high[i])]
            shown[1] = shown[1] if self.valid[i] else "no claim"
            copies = "kept" if self.kept[i] else "removed"
            first = [f"{int(self.n[i])}", f"{self.ridge[i]:.4g}", copies]
            rows.append(dict(zip(names, [*first, *shown], strict=True)))
        return rows

    @property
    def head(self) -> str:
        """The verdict in a line."""
        one = self.report.outcomes[0]
        return f"own data: {self.verdict.value}: {one.reason}"

    def facts(self) -> list[tuple[str, str]]:
        """Return what was found beside the curve, a name and a line each."""
        return list(_facts(self))

    def __str__(self) -> str:
        """Lay out verdict, findings and curve."""
        rows = self.table()
        facts = [f"{name}: {text}" for name, text in self.facts()]
        return "\n".join([self.head, *facts, *text_table(rows, list(rows[0]))])

    def _repr_html_(self) -> str:
        """Lay it out as a notebook shows it."""
        rows = self.table()
        facts = [f"{name}: {text}" for name, text in self.facts()]
        return table(self.head, list(rows[0]), (list(r.values()) for r in rows), facts)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values; what is not finite becomes null."""
        low, high = self.interval()
        columns = {
            name: getattr(self, name).tolist()
            for name in ("n", "ridge", "kept", "predicted", "slack", "valid", "mean", "error")
        }
        columns |= {"rows_error": self.rows_error.tolist(), "low": low.tolist()}
        named = ("total", "distinct", "duplicates", "conflicting", "features", "centred")
        return plain_json(
            {
                "verdict": self.verdict.value,
                "reason": self.report.outcomes[0].reason,
                **{name: getattr(self, name) for name in named},
                "defects": self.defects._asdict(),
                "spectrum": {
                    "eigenvalues": np.asarray(self.spectrum.eigenvalues).tolist(),
                    "power": np.asarray(self.spectrum.power).tolist(),
                    "unexplained": float(self.spectrum.tail_power),
                },
                "noise": {**self.noise._asdict(), "error": self.noise_error},
                "effective_rows": self.effective,
                "best_ridge": self.best._asdict(),
                "best_ridge_without_copies": self.best_without._asdict(),
                "peaks": [one._asdict() for one in self.peaks],
                "deduplication": [one._asdict() for one in self.gains],
                "curve": {**columns, "high": high.tolist()},
                "report": self.report.to_json(),
            }
        )


@needs_float64
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
    whole = theory.population(x, y, data.copies, centre)
    best = best_ridge(whole, x, y, data.copies, defects)
    unequal = bool(data.duplicates) or defects.repeated * (defects.repeats - 1) > 0
    without = best_ridge(whole, x, y, data.copies, defects, kept=False) if unequal else best
    ridges = _ridges(ridge, best)
    counts = _sizes(sizes, whole)
    variants = 2 if unequal else 1
    _affordable(replicates, len(ridges) * len(counts) * variants, effect)
    shape = (variants, len(ridges), len(counts))
    kept, at, n = (
        a.ravel() for a in np.meshgrid([True, False][:variants], ridges, counts, indexing="ij")
    )
    found = theory.predict(whole, n, at, kept, defects)
    floor = theory.noise(whole)
    rows_error, noise_error = theory.band(x, y, data.copies, centre, whole, (n, at, kept), defects)
    with threadpool_limits(1, user_api="blas"):  # more wait for each other on a busy machine
        values = refits(x, y, data.copies, counts, ridges, defects, variants, replicates, seed)
    outcome = judge(
        _comparison(found, whole, (n, at, kept), defects, values, effect),
        level=level,
        effect=effect,
    )
    compared = outcome.comparison
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
        slack=np.asarray(compared.estimate.slack),
        rows_error=rows_error,
        mean=compared.mean,
        error=compared.error,
        valid=compared.valid,
        peaks=tuple(_peak(whole, r, defects, counts, values[0, i]) for i, r in enumerate(ridges)),
        best=best,
        best_without=without,
        gains=_gains(ridges, counts, found.test_error.reshape(shape), values),
        report=Report(phenomenon="own data", outcomes=(outcome,), level=level, effect=effect),
        defects=defects,
    )


def _defects(noise: float, repeated: float, repeats: float) -> Defects:
    for name, value, good, right in (
        ("noise", noise, noise >= 0, ">= 0"),
        ("repeated", repeated, 0 <= repeated <= 1, "from 0 to 1"),
        ("repeats", repeats, repeats >= 1, ">= 1"),
    ):
        if not (good and np.isfinite(value)):
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
    if not (len(ridges) and np.isfinite(ridges).all() and ridges[0] >= 0):
        raise BadInput(f"ridge = {list(asked)}: must be numbers >= 0")
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


def _comparison(
    found: Predicted,
    whole: Population,
    cells: tuple[np.ndarray, np.ndarray, np.ndarray],
    defects: Defects,
    values: np.ndarray,
    effect: float,
) -> Comparison:
    """Put prediction, slack and decoys beside the refits (v, m, t, r)."""
    n, ridge, kept = cells
    value, slack = found.test_error, _slack(found, whole, cells, defects)
    valid = (found.free >= FEWEST_FREE) & (found.status == Status.OK)
    decoys = {
        "tail forgotten": found.endless,
        "optimism ignored": found.train_error,
    }
    if values.shape[0] > 1:
        decoys["copies are fresh rows"] = theory.as_fresh(whole, n, ridge, kept, defects)
    if defects.noise:
        half = defects._replace(noise=defects.noise / 2)
        decoys["added noise halved"] = theory.predict(whole, n, ridge, kept, half).test_error
    told = {k: np.where(np.abs(v / value - 1) > effect, v, np.nan) for k, v in decoys.items()}
    *_, t, replicates = values.shape
    index = np.arange(len(n)).reshape(-1, t)
    before, after = np.full_like(index, -1), np.full_like(index, -1)
    before[:, 1:], after[:, :-1] = index[:, :-1], index[:, 1:]
    flat = values.reshape(-1, replicates)
    return Comparison(
        prediction=_PREDICTION,
        axes={"n": n, "ridge": ridge, "copies kept": kept},
        values=flat,
        lost=(~np.isfinite(flat)).sum(axis=1),
        estimate=Estimate(value, slack, valid, found.status),
        decoys=told,
        near=np.stack([before.ravel(), after.ravel()], axis=1),
    )


def _slack(
    found: Predicted,
    whole: Population,
    cells: tuple[np.ndarray, np.ndarray, np.ndarray],
    defects: Defects,
) -> np.ndarray:
    """Bound what the finite size of these rows does to a mean over their draws; see the docs.

    What sampling adds deviates by no more than 4/free of itself, what is not learnt by what it
    changes over four rows; that these rows are one frame of many, by three rows' share of N.
    """
    n, ridge, kept = cells
    fewer = theory.predict(whole, np.maximum(n - 4.0, 1.0), ridge, kept, defects)
    missed, before = (one.test_error * (1 - one.gamma) for one in (found, fewer))
    sampled = found.test_error * found.gamma
    room = 4 / np.maximum(found.free - 4, 1.0)
    return room * sampled + np.abs(before - missed) + 3 * found.test_error / whole.rows


def _peak(
    whole: Population, ridge: float, defects: Defects, sizes: np.ndarray, values: np.ndarray
) -> Place:
    """Locate the highest error: in the formula on a fine grid, in refits (t, r) on theirs."""
    modes = float(np.sum(whole.spectrum.multiplicity)) * whole.rows / whole.size
    last = MOST_DRAWN * whole.rows
    pole = ridge == 0 and sizes[0] < modes < last
    place = modes
    if not pole:
        grid = np.geomspace(sizes[0], last, 200)
        curve = theory.predict(whole, grid, np.full(200, ridge), np.ones(200, bool), defects)
        good = np.isfinite(curve.test_error)
        point = Peak().locate(grid[good], curve.test_error[good])
        place = float(point.value) if point.status in (Status.OK, Status.AT_EDGE) else np.nan
    seen = Peak().locate(sizes.astype(float), values.T)
    if seen.status not in (Status.OK, Status.AT_EDGE):
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


def _facts(one: LearningCurve) -> Any:
    """Yield what is told beside the curve."""
    copies = f"{one.duplicates} copies of earlier rows" if one.duplicates else "no copies"
    yield "rows", f"{one.total} given, {one.distinct} distinct ({copies}); {one.features} features"
    if one.conflicting:
        yield "", f"{one.conflicting} rows have copies with other labels: their mean is taken"
    if one.centred:
        yield "centred", "the mean of all rows is taken off features and labels"
    n = one.noise
    most = "at most " if n.bound else ""
    tail = f" (with what lies on variances below {n.kappa:.3g})" if n.bound else ""
    yield "noise", f"{most}{n.value:.4g} ± {one.noise_error:.2g} label²{tail}"
    best = one.best
    if best.at_edge:
        yield "best ridge", {"none": "none is best", "endless": "nothing is learnt"}[best.at_edge]
    else:
        yield (
            "best ridge",
            f"{best.ridge:.4g}: error {best.error:.4g} predicted, {best.left_out:.4g} leaving "
            f"rows out; leaving out finds {best.left_out_ridge:.4g} ({best.left_out_error:.4g})",
        )
    if one.duplicates:
        yield "", f"cross-validation that takes copies for rows would choose {best.naive_ridge:.4g}"
    if len(one.kept) and not one.kept.all():
        yield "effective", f"{one.effective:.1f} rows of equal weight"
        less = best.error - one.best_without.error
        yield (
            "duplicates",
            f"without them {less / best.error:+.2%} of the error would go, each at its best ridge",
        )
        for g in one.gains:
            yield (
                "",
                f"at ridge {g.ridge:.4g}, {g.n} distinct rows: {g.predicted:.4g} predicted, "
                f"{g.measured:.4g} ± {g.error:.2g} in refits",
            )
    for p in one.peaks:
        where = f"at n = {p.predicted:.4g}" if np.isfinite(p.predicted) else "none"
        height = ", without bound" if p.pole else ""
        seen = f"{p.measured:.4g} [{p.low:.4g}, {p.high:.4g}]"
        seen = seen if np.isfinite(p.measured) else "none shows"
        yield "peak", f"ridge {p.ridge:.4g}: predicted {where}{height}; in refits {seen}"
