"""A person's own rows: checked, with the duplicates among them found and counted.

What the theory cannot take as meant is refused in a line that says where and what would be right.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ci_theory._errors import BadInput
from ci_theory._types import Float, Int

FEWEST = 40
"""Distinct rows below which nothing can be told."""

MOST_MODES = 4000
"""Rows and features: the smaller of the two may not be larger; each fit costs its cube."""

MOST_CLASSES = 20
"""So many whole numbers in a row, from 0 or 1 on, may be the codes of classes."""

_NAMED = 6  # columns named in one message
_DEPENDENT = 1e-10  # of a column's length: what is left beside the others is rounding
_APART = 1e10  # times that a column may vary as much as another


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """Distinct rows of features, how often each was there, and their labels.

    Attributes:
        features: (n, p), distinct, in the order in which they first appear.
        labels: mean label of the copies of each row (n,).
        copies: how often each row was there (n,).
        names: of the features.
        conflicting: rows whose copies have different labels.
    """

    features: Float[np.ndarray, "n p"]
    labels: Float[np.ndarray, " n"]
    copies: Int[np.ndarray, " n"]
    names: tuple[str, ...]
    conflicting: int

    @property
    def total(self) -> int:
        """Rows that were given."""
        return int(self.copies.sum())

    @property
    def duplicates(self) -> int:
        """Rows that are copies of an earlier one."""
        return self.total - len(self.copies)


def checked(
    features: Any, labels: Any, names: Sequence[str] | None = None, *, numbers: bool = False
) -> Rows:
    """Check features (n, p) and labels (n,), and group the rows that are equal in all features.

    Args:
        features: numbers, a row an example.
        labels: a number a row; True and False count as 1 and 0.
        names: of the features; by default "features[:, 0]", ...
        numbers: labels 0, 1, 2, ... are numbers, not codes of classes.

    Raises:
        BadInput: shapes that do not fit, what is no finite number, constant or dependent columns,
            labels that are classes or all equal, too few rows or too many.

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> rows = checked(np.vstack([x, x[:5], x[:1]]), np.r_[x[:, 0], x[:5, 0], 7.0])
    >>> rows.total, len(rows.copies), rows.duplicates, rows.copies[0].item(), rows.conflicting
    (56, 50, 6, 3, 1)
    """
    x = _matrix(features)
    named = (
        tuple(names) if names is not None else tuple(f"features[:, {i}]" for i in range(x.shape[1]))
    )
    if len(named) != x.shape[1]:
        raise BadInput(f"names: {len(named)} for {x.shape[1]} columns of features")
    y = _labels(labels, len(x), numbers)
    _finite(x, y, named)
    _, first, which, copies = np.unique(
        x + 0.0, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    which = place[which.reshape(-1)]
    mean = np.bincount(which, y) / copies[order]
    low, high = np.full(len(order), np.inf), np.full(len(order), -np.inf)
    np.minimum.at(low, which, y)
    np.maximum.at(high, which, y)
    mean = np.where(low == high, low, mean)  # no rounding where the copies agree
    rows = Rows(
        features=x[first[order]],
        labels=mean,
        copies=copies[order],
        names=named,
        conflicting=int((low != high).sum()),
    )
    _enough(rows)
    _independent(rows.features, named)
    if np.ptp(rows.labels) == 0:
        raise BadInput(f"labels: all are {rows.labels[0]:g}: nothing to learn")
    return rows


def _matrix(features: Any) -> np.ndarray:
    array = np.asarray(features)
    if array.ndim != 2 or not array.size:
        raise BadInput(f"features of shape {array.shape}: must be (rows, columns)")
    if array.dtype.kind not in "fiub":
        raise BadInput(f"features of type {array.dtype}: must be real numbers")
    return array.astype(float)


def _labels(labels: Any, rows: int, numbers: bool) -> np.ndarray:
    array = np.asarray(labels)
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.shape != (rows,):
        raise BadInput(f"labels of shape {array.shape}: must be ({rows},), one a row of features")
    if array.dtype.kind in "OUS":
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            found = sorted({str(one) for one in array})
            raise BadInput(_classes(found)) from None
    if array.dtype.kind not in "fiub":
        raise BadInput(f"labels of type {array.dtype}: must be real numbers")
    values = np.unique(array)
    codes = 3 <= len(values) <= MOST_CLASSES and values[0] in (0, 1)
    if codes and not numbers and (np.diff(values) == 1).all():
        raise BadInput(
            _classes([f"{one:g}" for one in values]) + "; if they are numbers, say so "
            "(--numbers, numbers=True)"
        )
    return array.astype(float)


def _classes(found: list[str]) -> str:
    shown = ", ".join(found[:_NAMED]) + (", ..." if len(found) > _NAMED else "")
    return (
        f"labels: look like {len(found)} classes ({shown}): choose one, labelled +1 against "
        f"-1 for all others (--positive {found[0]}, np.where(labels == ..., 1.0, -1.0))"
    )


def _missing(bad: np.ndarray, noun: str) -> str:
    count = int(bad.sum())
    said = f"1 {noun} is" if count == 1 else f"{count} {noun}s are"
    return f"{said} missing or not finite"


def _finite(x: np.ndarray, y: np.ndarray, names: tuple[str, ...]) -> None:
    bad = ~np.isfinite(x)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise BadInput(
            f"features: {_missing(bad, 'value')}, the first in row {row + 1} of "
            f"{names[column]!r}: leave these rows out, or fill them in"
        )
    if not np.isfinite(y).all():
        row = int(np.argmin(np.isfinite(y)))
        raise BadInput(
            f"labels: {_missing(~np.isfinite(y), 'label')}, the first in row {row + 1}: leave "
            "these rows out"
        )
    large = np.abs(x).max(), np.abs(y).max()
    if max(large) > 1e100:
        raise BadInput(f"features or labels of size {max(large):.1g}: scale them to below 1e100")
    if 0 < min(large) < 1e-100:
        raise BadInput(f"features or labels of size {min(large):.1g}: scale them to above 1e-100")


def _enough(rows: Rows) -> None:
    distinct, width = rows.features.shape
    if distinct < FEWEST:
        apart = f" ({rows.total} with duplicates)" if rows.duplicates else ""
        raise BadInput(f"features: {distinct} distinct rows{apart}, at least {FEWEST} are needed")
    if min(distinct, width) > MOST_MODES:
        raise BadInput(
            f"features: {distinct} distinct rows and {width} columns: one of the two must be at "
            f"most {MOST_MODES}: take a random part"
        )


def _independent(x: np.ndarray, names: tuple[str, ...]) -> None:
    """Refuse constant columns and, where there are fewer than rows, ones that others add up to."""
    wide = np.ptp(x, axis=0) > _DEPENDENT * np.abs(x).max(axis=0)
    if not wide.all():
        flat = np.flatnonzero(~wide)
        raise BadInput(f"features: constant: {_listed(names, flat)}: leave them out (--drop)")
    spread = np.ptp(x, axis=0)
    least, most = int(spread.argmin()), int(spread.argmax())
    if spread[most] > _APART * spread[least]:
        raise BadInput(
            f"features: {names[most]!r} varies {spread[most] / spread[least]:.1g} times as much as "
            f"{names[least]!r}, which would be lost in rounding: scale them"
        )
    if x.shape[1] >= len(x) - 1:
        return  # more features than rows are never independent
    centred = x - x.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=0)
    left = np.abs(np.diagonal(np.linalg.qr(unit, mode="r")))  # beside the columns before it
    if left.min() < _DEPENDENT:
        raise BadInput(_dependent(unit, int(np.argmax(left < _DEPENDENT)), names))


def _dependent(unit: np.ndarray, i: int, names: tuple[str, ...]) -> str:
    weights = np.linalg.lstsq(unit[:, :i], unit[:, i], rcond=None)[0]
    others = np.flatnonzero(np.abs(weights) > 1e-8)
    return (
        f"features: {names[i]!r} is a constant plus a combination of "
        f"{_listed(names, others)}: leave one of them out (--drop)"
    )


def _listed(names: tuple[str, ...], which: np.ndarray) -> str:
    shown = ", ".join(repr(names[i]) for i in which[:_NAMED])
    return shown + (f", ... ({len(which)} in all)" if len(which) > _NAMED else "")
