"""A sweep's simulated means beside what a phenomenon predicts for them, cell by cell."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from ci_theory._errors import MESSAGES, BadInput, Status
from ci_theory._record import Kind
from ci_theory._shown import kept
from ci_theory.check.reading import (
    axis_names,
    cells,
    fixed_values,
    paired_axes,
    simulated,
    swept,
)
from ci_theory.check.statistic import moments
from ci_theory.phenomena import predict
from ci_theory.phenomena._base import Estimate, Phenomenon, Prediction

FEWEST = 3  # replicates below which a mean has no error bar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """One prediction against N cells of R replicates.

    Attributes:
        prediction: the prediction.
        axes: coordinate of every cell on every swept axis, name -> (N,).
        values: simulated values (N, R); NaN where there is none.
        lost: (N,) replicates that were simulated but are not finite.
        estimate: predicted value, slack, validity and status, arrays (N,).
        decoys: what each decoy says, name -> (N,).
        near: (N, k) indices of the cells next to each one whose random numbers are independent
            of its own; -1 where there is none.
        claimed: (N,) where the bounds of the prediction claim it, whatever came of it; None:
            where it is valid.
        mean: (N,) means over the replicates.
        spread: (N,) standard deviations over them.
        skew: (N,) skewnesses.
        count: (N,) numbers of finite replicates.
    """

    prediction: Prediction
    axes: Mapping[str, np.ndarray]
    values: np.ndarray
    lost: np.ndarray
    estimate: Estimate
    decoys: Mapping[str, np.ndarray]
    near: np.ndarray
    claimed: np.ndarray | None = None
    mean: np.ndarray = dataclasses.field(init=False)
    spread: np.ndarray = dataclasses.field(init=False)
    skew: np.ndarray = dataclasses.field(init=False)
    count: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        names = ("mean", "spread", "skew", "count")
        for name, array in zip(names, moments(self.values), strict=True):
            object.__setattr__(self, name, array)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the numbers, without the functions of the prediction."""
        return {**self.__dict__, "prediction": kept(self.prediction)}

    @property
    def error(self) -> np.ndarray:
        """Standard errors of the means (N,)."""
        return self.spread / np.sqrt(np.maximum(self.count, 1))

    @property
    def valid(self) -> np.ndarray:
        """Where the prediction makes a claim about a mean with a normal error bar (N,)."""
        return np.asarray(self.estimate.valid, bool)

    @property
    def unsound(self) -> dict[str, int]:
        """Cells that the prediction claims and says nothing sound about: why -> how many."""
        return unsound(self.estimate, self.claimed)

    @property
    def failed(self) -> int:
        """Cells that the prediction claims and at which its formula failed."""
        return sum(failures(self.unsound).values())

    @property
    def judged(self) -> np.ndarray:
        """Valid cells with enough replicates, all of them finite (N,).

        A cell in which a run diverged is left out: its survivors' mean is another quantity.
        """
        return self.valid & (self.count >= FEWEST) & (self.lost == 0)


def unsound(estimate: Estimate, claimed: np.ndarray | None) -> dict[str, int]:
    """Count by their reason the cells that are claimed and not valid.

    >>> import numpy as np
    >>> nan, status = float("nan"), np.array([0, 3, 3, 0])
    >>> value, slack = np.array([1.0, nan, nan, 1.0]), np.array([0.1, 0.1, 0.1, -0.1])
    >>> valid = np.array([True, False, False, False])
    >>> unsound(Estimate(value, slack, valid, status), np.array([True, True, False, True]))
    {'not a finite number': 1, 'the slack is negative or not finite': 1}
    """
    if claimed is None:
        return {}
    lost = np.asarray(claimed, bool) & ~np.asarray(estimate.valid, bool)
    reasons = [
        MESSAGES[Status(int(code))] if code != Status.OK else "the slack is negative or not finite"
        for code in np.asarray(estimate.status)[lost]
    ]
    return dict(sorted(Counter(reasons).items()))


def failures(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return the reasons for which a formula failed, without those for which it stayed silent."""
    outside = MESSAGES[Status.OUT_OF_SCOPE]
    return {why: count for why, count in reasons.items() if why != outside}


def counted(reasons: Mapping[str, int], what: str = "cell") -> str:
    """Say how many cells of a prediction's scope are left out, and why; empty if none is.

    >>> counted({"not a finite number": 18, "the solver did not converge": 1})
    '18 cells in its scope: not a finite number; 1 cell in its scope: the solver did not converge'
    """
    many = [(why, count, "" if count == 1 else "s") for why, count in reasons.items()]
    return "; ".join(f"{count} {what}{s} in its scope: {why}" for why, count, s in many)


def predicted(dataset: xarray.Dataset, phenomenon: Phenomenon) -> dict[str, Any]:
    """Evaluate every prediction on the cells of a dataset: arrays (N,), N the product of axes."""
    return predict(phenomenon, {**fixed_values(dataset, phenomenon), **cells(dataset)})


def compare(dataset: xarray.Dataset, phenomenon: Phenomenon | None = None) -> list[Comparison]:
    """Put every prediction of a phenomenon beside the simulated cells of a sweep.

    Args:
        dataset: dimensions (*axes, replicate), each axis with its coordinate; a variable for each
            measure, optionally ``status``; a value of every other parameter, as a coordinate
            or in the attribute ``fixed`` (JSON); attributes ``phenomenon`` and ``paired`` (JSON).
        phenomenon: what was simulated; by default the one that the dataset names.

    Returns:
        One comparison for each prediction whose measure the dataset holds; none for a phenomenon
        that predicts nothing.

    Raises:
        BadInput: the dataset does not fit the phenomenon, or holds none of its measures.
    """
    phenomenon = swept(dataset, phenomenon)
    held = [p for p in phenomenon.predictions if p.measure in dataset]
    if phenomenon.predictions and not held:
        wanted = sorted({p.measure for p in phenomenon.predictions})
        raise BadInput(f"dataset: holds none of the predicted measures ({', '.join(wanted)})")
    if not held:
        return []
    found = predicted(dataset, phenomenon)
    axes, near = cells(dataset), _near(dataset, phenomenon)
    comparisons = []
    for prediction in held:
        values, lost = simulated(dataset, prediction.measure)
        replicates = values.shape[-1]
        comparisons.append(
            Comparison(
                prediction=prediction,
                axes=axes,
                values=values.reshape(-1, replicates),
                lost=lost.reshape(-1, replicates).sum(axis=1),
                estimate=found[prediction.name].estimate,
                decoys=found[prediction.name].decoys,
                near=near,
                claimed=found[prediction.name].claimed,
            )
        )
    return comparisons


def _near(dataset: xarray.Dataset, phenomenon: Phenomenon) -> np.ndarray:
    """Return the neighbours of every cell along numeric axes with random numbers of their own."""
    names = axis_names(dataset)
    shape = tuple(dataset.sizes[name] for name in names)
    paired = paired_axes(dataset)
    index = np.arange(int(np.prod(shape))).reshape(shape)
    columns = [np.full(index.size, -1)]
    for position, name in enumerate(names):
        axis = phenomenon.axes[name]
        if axis.kind is Kind.INNER or name in paired or axis.type not in (int, float):
            continue
        for step in (-1, 1):
            shifted = np.full(shape, -1)
            to = [slice(None)] * len(shape)
            source = [slice(None)] * len(shape)
            to[position] = slice(1, None) if step < 0 else slice(None, -1)
            source[position] = slice(None, -1) if step < 0 else slice(1, None)
            shifted[tuple(to)] = index[tuple(source)]
            columns.append(shifted.reshape(-1))
    return np.stack(columns, axis=1)
