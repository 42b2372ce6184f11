"""Results kept as a small text file with their provenance, for figures whose sweep takes long.

The file is a csv with a row a run and cell; lines that begin with # say where it comes from. It
is made once (``python paper_figs/_keep.py EXPERIMENT``) and read like a sweep.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from ci_theory._errors import BadInput
from ci_theory.sweeps.parts import write_whole

__all__ = ["read", "write"]

DIGITS = 6
"""Significant digits of a kept measure."""

_TOLD = ("phenomenon", "name", "title", "fixed", "paired", "seed", "version", "formula", "plan")
_SESSION = ("jax", "jaxlib", "machine", "device", "revision", "began")


def write(data: xarray.Dataset, file: Path, measures: Sequence[str], last: str) -> None:
    """Keep some measures of a sweep, at the last value of one axis.

    Args:
        data: from a complete sweep store.
        file: where to; its folder must exist.
        measures: to keep.
        last: axis of which only the last value is kept.

    Raises:
        BadInput: the sweep is not complete, or the file cannot be written.
    """
    if data.attrs["missing"]:
        raise BadInput(f"{data.attrs['name']}: {data.attrs['missing']} cells are not simulated yet")
    ends = data.isel({last: -1})
    lines = [f"# {key}: {data.attrs.get(key, '')}" for key in _TOLD]
    lines.append(f"# {last}: {ends[last].item()}")
    for session in json.loads(data.attrs["sessions"]):
        told = ", ".join(f"{key} {session[key]}" for key in _SESSION if session.get(key))
        lines.append(f"# session: {told}")
    dims = [str(d) for d in ends[measures[0]].dims]
    lines.append(",".join([*dims, *measures]))
    columns = [ends[m].to_numpy() for m in measures]
    for index in np.ndindex(*(ends.sizes[d] for d in dims)):
        place = [f"{ends[d].to_numpy()[i].item()!r}" for d, i in zip(dims, index, strict=True)]
        lines.append(",".join([*place, *(f"{c[index]:.{DIGITS}g}" for c in columns)]))
    write_whole(file, ("\n".join(lines) + "\n").encode())


def read(file: Path) -> xarray.Dataset:
    """Return what was kept as a Dataset: axes x replicate, with the provenance as attributes.

    The axis of which one value was kept is a coordinate without a dimension.

    Raises:
        BadInput: there is no such file, or it is not one of these.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        told = [line[2:].split(": ", 1) for line in lines if line.startswith("#")]
        attrs: dict[str, Any] = {pair[0]: pair[-1] for pair in told}
        names, *rows = [line.split(",") for line in lines if not line.startswith("#")]
        table = np.array(rows, float)
        dims = names[: names.index("replicate") + 1]
        axes = {d: np.unique(table[:, i]) for i, d in enumerate(dims)}
        shape = [len(v) for v in axes.values()]
        places = np.meshgrid(*axes.values(), indexing="ij")  # the order in which `write` has them
        if not np.array_equal(table[:, : len(dims)].T, [place.ravel() for place in places]):
            raise ValueError("rows are missing or in another order")
        found = {
            m: (dims, table[:, len(dims) + i].reshape(shape))
            for i, m in enumerate(names[len(dims) :])
        }
        held = {k: json.loads(v) for k, v in attrs.items() if k not in (*_TOLD, "session")}
    except OSError as problem:
        raise BadInput(f"{file}: cannot be read: {problem.strerror or problem}") from None
    except (ValueError, IndexError) as problem:
        raise BadInput(f"{file}: is not a kept result of a sweep: {problem}") from None
    return xarray.Dataset(found, {**axes, **held}, attrs)
