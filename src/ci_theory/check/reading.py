"""What a sweep's dataset holds: axes, simulated values, and the parameters they were run with.

A parameter has the value that the dataset gives, never its default: a selection
(``data.sel(noise=2.0)``) leaves a coordinate without a dimension, which counts; one that leaves
nothing is refused.
"""

import json
from typing import Any

import numpy as np
import xarray

from ci_theory._errors import BadInput, Status, unknown
from ci_theory.phenomena import Phenomenon, load


def swept(dataset: xarray.Dataset, phenomenon: Phenomenon | None = None) -> Phenomenon:
    """Return the phenomenon of a dataset, after checking that the two belong together.

    Raises:
        BadInput: no phenomenon named, no replicates, an axis that the phenomenon lacks, or one
            whose values the dataset does not give; a value or a run that is there twice.
    """
    if phenomenon is None:
        if "phenomenon" not in dataset.attrs:
            raise BadInput("dataset: no attribute 'phenomenon' says what was simulated")
        phenomenon = load(dataset.attrs["phenomenon"], trusted=False)
    if "replicate" not in dataset.dims:
        raise BadInput(
            f"dataset: no dimension 'replicate' (found: {', '.join(map(str, dataset.dims))})"
        )
    for name in axis_names(dataset):
        if name not in phenomenon.axes:
            raise unknown("axis", name, phenomenon.axes, where=phenomenon.name)
        if name not in dataset.coords:
            raise BadInput(f"dataset: the dimension {name} has no coordinate: its values are lost")
    for name in [*axis_names(dataset), "replicate"]:
        if name in dataset.coords and len(np.unique(dataset[name])) < dataset.sizes[name]:
            what = "the same run" if name == "replicate" else f"a value of {name}"
            raise BadInput(f"dataset: {what} is there twice: joined with a copy of itself?")
    return phenomenon


def coarse(dataset: xarray.Dataset) -> bool:
    """Say whether it was simulated in float32: near interpolation its rounding has no bound."""
    return bool(dataset.attrs.get("dtype", "float64") != "float64")


def axis_names(dataset: xarray.Dataset) -> list[str]:
    """Names of the swept axes, in the dataset's order."""
    return [str(name) for name in dataset.dims if name != "replicate"]


def fixed_values(dataset: xarray.Dataset, phenomenon: Phenomenon) -> dict[str, Any]:
    """Return every parameter that no axis of the dataset varies.

    Each is a coordinate without a dimension, or in the attribute ``fixed`` (JSON).

    Raises:
        BadInput: a parameter is given nowhere, or twice with different values.
    """
    given = dict(_json(dataset, "fixed", dict))
    names = axis_names(dataset)
    for name in phenomenon.axes:
        if name in names and name in given:
            raise BadInput(f"dataset: {name} is an axis and in the attribute 'fixed'")
        if name in names or name not in dataset.coords:
            continue
        if dataset[name].ndim:
            raise BadInput(
                f"dataset: {name} varies along {', '.join(map(str, dataset[name].dims))}: "
                "expected a dimension of its own or one value"
            )
        value = dataset[name].values.item()
        if name in given and given[name] != value:
            raise BadInput(
                f"dataset: {name} is {value} by its coordinate and {given[name]} by the "
                "attribute 'fixed'"
            )
        given[name] = value
    lost = [name for name in phenomenon.axes if name not in given and name not in names]
    if lost:
        raise BadInput(
            f"dataset: the value of {', '.join(lost)} is given nowhere: expected a dimension, a "
            f"coordinate, as of dataset.assign_coords({{'{lost[0]}': ...}}), or the attribute "
            "'fixed'"
        )
    return given


def paired_axes(dataset: xarray.Dataset) -> list[str]:
    """Return the axes along which runs share their random numbers."""
    return list(_json(dataset, "paired", list))


def cells(dataset: xarray.Dataset) -> dict[str, np.ndarray]:
    """Return the coordinates of all cells, name -> (N,), N the product of the axes."""
    names = axis_names(dataset)
    grids = np.meshgrid(*(dataset[name].values for name in names), indexing="ij")
    return {name: grid.reshape(-1) for name, grid in zip(names, grids, strict=True)}


def simulated(dataset: xarray.Dataset, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a measure as (*axes, R), NaN where it is not finite, and where a run was lost.

    Raises:
        BadInput: the dataset does not hold the measure.
    """
    if measure not in dataset:
        raise unknown("measure", measure, [str(v) for v in dataset.data_vars], where="dataset")
    dims = [*axis_names(dataset), "replicate"]
    held = [str(d) for d in dataset[measure].dims]
    if sorted(held) != sorted(dims):
        raise BadInput(f"dataset: {measure} has dimensions {held}, expected {dims}")
    raw = dataset[measure].transpose(*dims).values.astype(float)
    finite = np.isfinite(raw)
    if "status" not in dataset:
        return np.where(finite, raw, np.nan), ~finite
    status = dataset["status"].transpose(*dims).values
    kept = finite & (status == int(Status.OK))
    return np.where(kept, raw, np.nan), ~kept & (status >= 0)


def _json(dataset: xarray.Dataset, name: str, kind: type) -> Any:
    """Return an attribute that holds JSON, or an empty one where there is none."""
    text = dataset.attrs.get(name)
    if text is None:
        return kind()
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, kind):
        wanted = "an object" if kind is dict else "a list"
        raise BadInput(f"dataset: the attribute '{name}' is {text!r}: expected {wanted} as JSON")
    return found


def plain(value: Any) -> Any:
    """Return a value as Python's own type."""
    return value.item() if isinstance(value, np.generic) else value
