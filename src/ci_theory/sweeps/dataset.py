"""A store as an xarray Dataset."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from ci_theory._errors import MESSAGES, Status, unknown
from ci_theory.sweeps.growth import places
from ci_theory.sweeps.sessions import read_sessions

if TYPE_CHECKING:
    from ci_theory.sweeps.store import Store

_MISSING = -1


def assemble(store: "Store", measures: Sequence[str] | None = None) -> xarray.Dataset:
    """Read a store into a Dataset: see ``Store.dataset``."""
    plan = store.plans[-1]
    about, sweep = plan.about, plan.sweep
    for name in measures or ():
        if name not in about["measures"]:
            raise unknown("measure", name, about["measures"], where=str(store.folder))
    wanted = list(about["measures"]) if measures is None else list(measures)

    outer = {k: len(v) for k, v in sweep.axes.items() if k in plan.outer}
    inner = {k: len(v) for k, v in sweep.axes.items() if k not in plan.outer}
    flat = (math.prod(outer.values()), sweep.replicates, math.prod(inner.values()))
    arrays = {name: np.full(flat, np.nan) for name in wanted}
    status = np.full(flat, _MISSING, np.int8)
    notes, torn = read_sessions(store.folder)
    damaged = [f"{file}: is not what was written" for file in torn]
    placed = [places(one, sweep) for one in store.plans]
    for index, chunk, found in store.read_all(damaged):
        cells, points = placed[index]
        replicates = chunk.replicates[: chunk.valid]
        where = (cells[chunk.cells[: chunk.valid]][:, None], replicates[:, None], points)
        for name in wanted:
            arrays[name][where] = found[name]
        status[where] = found["status"]

    # Stored as (outer axes, replicate, inner axes); wanted in the declared order of the axes.
    full = [*outer.values(), sweep.replicates, *inner.values()]
    stored = [*outer, "replicate", *inner]
    dims = [*sweep.axes, "replicate"]
    order = [stored.index(name) for name in dims]

    def shaped(array: np.ndarray) -> np.ndarray:
        return array.reshape(full).transpose(order)

    variables: dict[str, Any] = {
        name: (dims, shaped(array), _attrs(about["measures"][name]))
        for name, array in arrays.items()
    }
    codes = [_MISSING, *(int(s) for s in Status)]
    meanings = ["not simulated yet", *(MESSAGES[s] for s in Status)]
    legend = {"flag_values": codes, "flag_meanings": ", ".join(meanings)}
    variables["status"] = (dims, shaped(status), {"long_name": "outcome", **legend})
    coords = {
        name: ([name], np.array(values), _attrs(about["axes"][name]))
        for name, values in sweep.axes.items()
    }
    coords["replicate"] = (["replicate"], np.arange(sweep.replicates), {"long_name": "replicate"})
    attrs = {
        "phenomenon": sweep.phenomenon,
        "name": sweep.name,
        "title": sweep.title,
        "fixed": json.dumps(dict(sweep.fixed)),
        "paired": json.dumps(list(sweep.paired)),
        "seed": sweep.seed,
        **{name: value for name, value in plan.identity.items() if name != "partitionable"},
        "plan": plan.hash,
        "sessions": json.dumps(notes),
        "damaged": json.dumps(damaged),
        "missing": int((status == _MISSING).sum()),
        "not_finite": int((status == int(Status.NOT_FINITE)).sum()),
    }
    if plan.identity.get("dtype", "float64") != "float64":
        attrs["rounding"] = "unknown: float32 cuts the peaks at interpolation; no verdict"
    return xarray.Dataset(variables, coords, attrs)


def _attrs(info: dict[str, str]) -> dict[str, str]:
    return {"unit": info["unit"], "long_name": info["doc"]}
