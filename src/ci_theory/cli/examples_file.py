"""A person's own features and labels from a file: .npz arrays, or separated text."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ci_theory._errors import BadInput
from ci_theory.cli.columns import MISSING, Examples, clean, examples

_FEATURES, _LABELS = ("features", "X", "x", "data"), ("labels", "y", "Y", "target")
_CONSTANT = "constant"  # asked to be dropped: every such column


def read(
    file: Path,
    label: str | None = None,
    features: str | None = None,
    drop: Sequence[str] = (),
    positive: str | None = None,
) -> tuple[Examples, np.ndarray]:
    """Read features and labels, the latter as numbers where they are.

    Args:
        file: .npz with two arrays; else text, see ``columns.examples``.
        label: column or array of the labels; ``features``: array of the features, in a .npz.
        drop: columns to leave out, by name or number from 1; "constant": all that are.
        positive: label to call +1, all others -1.

    Raises:
        BadInput: whatever is wrong with the file or the columns.
    """
    named = [one for one in drop if one != _CONSTANT]
    if file.suffix.lower() == ".npz":
        data = _arrays(file, label, features, named)
    elif features is not None:
        raise BadInput(f"--features {features}: only a .npz file has named arrays")
    else:
        data = examples(file, label, named)
    if _CONSTANT in drop:
        varies = ~(np.ptp(data.features, axis=0) == 0)
        if not varies.any():
            raise BadInput(f"{file}: all columns of features are constant")
        names = tuple(np.array(data.names, object)[varies])
        data = data._replace(features=data.features[:, varies], names=names)
    return data, _numbers(file, data, positive)


def _numbers(file: Path, data: Examples, positive: str | None) -> np.ndarray:
    """Return labels as numbers, or as words where one is none; what is missing is NaN."""
    words = np.array(data.labels, object)
    values = np.array([_value(word) for word in data.labels], object)
    if positive is not None:
        wanted = _value(positive)
        hits = (values == wanted) if wanted is not None else (words == positive)
        if not hits.any() or hits.all():
            found = ", ".join(sorted(set(data.labels))[:6])
            which = "every" if hits.all() else "no"
            raise BadInput(f"{file}: {which} label is {positive!r} (there are: {found}, ...)")
        missing = next((word for word in data.labels if word.strip().lower() in MISSING), None)
        if missing is not None:
            said = f" ({missing!r} says so)" if missing.strip() else ""
            raise BadInput(f"{file}: labels are missing{said}: leave these rows out")
        return np.where(hits.astype(bool), 1.0, -1.0)
    return words if any(v is None for v in values) else values.astype(float)


def _value(word: str) -> float | None:
    if word.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(word)
    except ValueError:
        return None


def _arrays(file: Path, label: str | None, features: str | None, drop: list[str]) -> Examples:
    if not file.exists():
        raise BadInput(f"{file}: no such file")
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
            x = kept[_key(file, kept.files, features, _FEATURES, "--features")]
            y = kept[_key(file, kept.files, label, _LABELS, "--label")]
            names = kept["names"].tolist() if "names" in kept.files else None
    except BadInput:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, NotImplementedError) as no:
        if "allow_pickle" in str(no):
            raise BadInput(f"{file}: holds Python objects, not arrays of numbers") from None
        raise BadInput(f"{file}: not a .npz of arrays: {no}") from None
    if x.ndim != 2 or not x.size:
        raise BadInput(f"{file}: features of shape {x.shape}: must be (rows, columns)")
    if x.dtype.kind not in "fiub":
        raise BadInput(f"{file}: features of type {x.dtype}: must be real numbers")
    if y.size != len(x):
        raise BadInput(f"{file}: {y.size} labels for {len(x)} rows of features")
    counted = [f"column {i}" for i in range(1, x.shape[1] + 1)]
    called = counted if names is None else [clean(str(name)) for name in names]
    if len(called) != x.shape[1]:
        raise BadInput(f"{file}: {len(called)} names for {x.shape[1]} columns")
    keep = np.ones(x.shape[1], bool)
    for one in drop:
        numbers = [str(i) for i in range(1, x.shape[1] + 1)]
        place = called.index(one) if one in called else None
        if place is None and one in numbers:
            place = numbers.index(one)
        if place is None:
            raise BadInput(f"{file}: no column {one!r}")
        keep[place] = False
    if not keep.any():
        raise BadInput(f"{file}: no column is left for features")
    shown = [name for name, k in zip(called, keep, strict=True) if k]
    words = [str(one) for one in y.reshape(-1).tolist()]
    words = [{"True": "1", "False": "0"}.get(word, word) for word in words]
    return Examples(x[:, keep].astype(float), tuple(shown), words, label or "labels", ())


def _key(file: Path, there: list[str], asked: str | None, usual: Sequence[str], option: str) -> str:
    if asked is not None:
        if asked not in there:
            raise BadInput(f"{file}: no array {asked!r} (there are: {', '.join(there)})")
        return asked
    found = [one for one in usual if one in there]
    if len(found) != 1:
        listed = ", ".join(there) or "none"
        raise BadInput(f"{file}: say {option} (arrays: {listed}; expected one of {usual})")
    return found[0]
