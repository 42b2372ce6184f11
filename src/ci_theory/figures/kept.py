"""Results kept as a small text file with their provenance: pictures are drawn from these.

The file is a csv; lines that begin with # say where it comes from. A condensed sweep
(``condensed.py``) has a row a cell, with its breaks and verdicts in the first lines; where each
run is shown by itself, a row a run. ``python paper_figs/_keep.py`` makes the files.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from ci_theory._errors import BadInput
from ci_theory.figures.condensed import PARTS
from ci_theory.phenomena import load
from ci_theory.sweeps.parts import write_whole

__all__ = ["read", "write"]

DIGITS = 6
"""Significant digits of a kept number."""

_TOLD = ("phenomenon", "name", "title", "fixed", "paired", "seed", "version", "formula", "plan")
_SESSION = ("jax", "jaxlib", "machine", "device", "revision", "began")
_LISTS = ("breaks", "checks")  # of a condensed sweep: an entry a line


def write(data: xarray.Dataset, file: Path) -> None:
    """Keep what a Dataset holds: a condensed sweep, or measures of single runs.

    Args:
        data: its coordinates without a dimension are kept as such; the sweep must be complete.
        file: where to; its folder must exist.

    Raises:
        BadInput: the sweep is not complete, or the file cannot be written.
    """
    if data.attrs["missing"]:
        raise BadInput(f"{data.attrs['name']}: cells not simulated yet: {data.attrs['missing']}")
    lines = [f"# {key}: {data.attrs.get(key, '')}" for key in _TOLD]
    held = [str(name) for name, one in data.coords.items() if one.ndim == 0]
    lines += [f"# {name}: {json.dumps(data[name].item())}" for name in held]
    seen = {
        ", ".join(f"{key} {session[key]}" for key in _SESSION if session.get(key))
        for session in json.loads(data.attrs["sessions"])
    }
    lines += [f"# session: {told}" for told in sorted(seen)]
    if "replicate" not in data.dims:
        lines.append(f"# replicates: {data.attrs['replicates']}")
        for key in _LISTS:
            lines += [f"# {key}: {json.dumps(one)}" for one in json.loads(data.attrs[key])]
    dims, measures = [str(d) for d in data.dims], [str(v) for v in data.data_vars]
    lines.append(",".join([*dims, *measures]))
    columns = [data[m].transpose(*dims).to_numpy() for m in measures]
    places = [[json.dumps(value) for value in data[d].to_numpy().tolist()] for d in dims]
    for index in np.ndindex(*(data.sizes[d] for d in dims)):
        place = [values[i] for values, i in zip(places, index, strict=True)]
        lines.append(",".join([*place, *(f"{c[index]:.{DIGITS}g}" for c in columns)]))
    write_whole(file, ("\n".join(lines) + "\n").encode())


def read(file: Path) -> xarray.Dataset:
    """Return what was kept as a Dataset, with the provenance as attributes.

    An axis of which one value was kept is a coordinate without a dimension.

    Raises:
        BadInput: there is no such file, or it is not one of these.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        about: dict[str, list[str]] = {}
        for line in lines:
            if line.startswith("#"):
                key, text = line[2:].split(": ", 1)
                about.setdefault(key, []).append(text)
        attrs: dict[str, Any] = {k: v[0] for k, v in about.items() if k not in _LISTS}
        phenomenon = load(attrs["phenomenon"], trusted=False)
        names, *rows = [line.split(",") for line in lines if not line.startswith("#")]
        dims = [name for name in names if name in phenomenon.axes or name == "replicate"]
        keys = [[json.loads(row[i]) for row in rows] for i in range(len(dims))]
        axes = {d: list(dict.fromkeys(column)) for d, column in zip(dims, keys, strict=True)}
        shape = [len(values) for values in axes.values()]
        places = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
        order = [[axes[d].index(v) for v in column] for d, column in zip(dims, keys, strict=True)]
        if not np.array_equal(order, [place.ravel() for place in places]):
            raise ValueError("rows are missing or in another order")
        table = np.array([row[len(dims) :] for row in rows], float)
        held = {k: json.loads(attrs.pop(k)) for k in phenomenon.axes if k in attrs}
        found = {
            name: (dims, table[:, i].reshape(shape), _unit(phenomenon.measure_info.get(name)))
            for i, name in enumerate(names[len(dims) :])
        }
        if not found:
            raise ValueError("no measure")
        if "replicate" not in dims:
            attrs["replicates"] = int(attrs["replicates"])
            attrs |= {key: f"[{','.join(about.get(key, []))}]" for key in _LISTS}
            for key in _LISTS:
                json.loads(attrs[key])
            lost = {f"{m}{p}" for m in phenomenon.measure_info if m in found for p in PARTS}
            if lost != set(found):
                raise ValueError("a measure is not its mean, error and runs")
    except OSError as problem:
        raise BadInput(f"{file}: cannot be read: {problem.strerror or problem}") from None
    except (ValueError, IndexError, KeyError, TypeError) as problem:
        raise BadInput(f"{file}: is not a kept result of a sweep: {problem}") from None
    coords: dict[str, Any] = {
        d: (d, values, _axis_unit(phenomenon.axes.get(d))) for d, values in axes.items()
    }
    return xarray.Dataset(found, {**coords, **held}, attrs)


def _unit(info: tuple[str, str] | None) -> dict[str, str]:
    return {} if info is None else {"unit": info[0], "long_name": info[1]}


def _axis_unit(axis: Any) -> dict[str, str]:
    return {} if axis is None else {"unit": axis.unit, "long_name": axis.doc}
