"""What ``learning_curve`` returns: numbers, a verdict, and how they are shown."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ci_theory._shown import table
from ci_theory.check.report import Report, plain_json, text_table
from ci_theory.check.verdict import Verdict
from ci_theory.locate.student import quantile
from ci_theory.own_data.population import GROUPS, Noise
from ci_theory.own_data.refits import Defects
from ci_theory.own_data.tuning import BestRidge
from ci_theory.theory.spectra.spectrum import Spectrum


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
            digits = (4, 2, 4, 2, 3, 3)
            both = zip((*numbers, low[i], high[i]), digits, strict=True)
            shown = [f"{v:.{d}g}" if np.isfinite(v) else "-" for v, d in both]
            shown[1] = shown[1] if self.valid[i] else "no claim"
            copies = "kept" if self.kept[i] else "removed"
            first = [f"{int(self.n[i])}", f"{self.ridge[i]:.4g}", copies]
            rows.append(dict(zip(names, [*first, *shown], strict=True)))
        return rows

    @property
    def head(self) -> str:
        """The verdict in a line."""
        return f"own data: {self.verdict.value} at a family-wise level of {self.report.level:g}"

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


def _facts(one: LearningCurve) -> Iterator[tuple[str, str]]:
    """Yield what is told beside the curve."""
    for o in one.report.outcomes:
        yield o.name.removeprefix("test_error at "), f"{o.verdict.value}: {o.reason}"
    copies = f"{one.duplicates} copies of earlier rows"
    copies = {0: "no copies", 1: "1 copy of an earlier row"}.get(one.duplicates, copies)
    yield "rows", f"{one.total} given, {one.distinct} distinct ({copies}); {one.features} features"
    if one.conflicting:
        yield "", f"rows whose copies have other labels: {one.conflicting}, their mean is taken"
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
        yield "best ridge", f"{best.ridge:.4g}: error {best.error:.4g} predicted for all rows"
    if not (one.defects.noise or one.defects.repeated):  # it sees the rows as they are
        lowest = f"lowest at {best.left_out_ridge:.4g}: {best.left_out_error:.4g}"
        yield "left out", f"{best.left_out:.4g} there, row by row; {lowest}"
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
