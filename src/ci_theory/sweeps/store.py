"""The folder that holds a sweep: plans, parts, and where they come from.

::

    plan-000.json            the sweep and its layout; plan-001.json adds replicates, and so on
    parts/000-000017-<hash>.npz    the results of one chunk, named by plan, chunk and plan hash
    session-<hash>.json      libraries, device and revision under which parts were made
    unfinished/              states of long runs, kept once a minute until their chunk is stored
    lock                     who works on what (advisory)

A part that exists is complete. Stores of one plan merge by copying files.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ci_theory._errors import BadInput, Status
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.parts import Damaged, Parts, write_whole
from ci_theory.sweeps.plan import FORMAT, Chunk, Plan, declared

if TYPE_CHECKING:
    import xarray

MISSING = -1  # status of a cell that has not been simulated yet; else a ``Status``
STATUS = "status"


class Counts(NamedTuple):
    """How far a store is: chunks done and in all, runs done and in all, cells not finite."""

    chunks: int
    all_chunks: int
    runs: int
    all_runs: int
    not_finite: int


class Store:
    """The results of a sweep: open with ``Store.open(folder)``."""

    def __init__(self, folder: Path, plans: Sequence[Plan]):
        """Use ``Store.open``."""
        self.folder = folder
        self.plans = tuple(plans)
        self.parts = Parts(folder / "parts")

    @classmethod
    def open(cls, folder: str | Path) -> "Store":
        """Open a store, complete or not.

        Raises:
            BadInput: there is none, it cannot be read, or another version's layout is in it.
        """
        folder = Path(folder)
        found = cls.find(folder)
        if found is None:
            what = "is empty" if folder.is_dir() else "does not exist"
            raise BadInput(f"{folder} {what}: expected the store of a sweep")
        return found

    @classmethod
    def find(cls, folder: Path) -> "Store | None":
        """Open the store in a folder; None if the folder does not exist or holds nothing yet.

        Raises:
            BadInput: something else is there.
        """
        try:
            if not folder.exists():
                return None
            if not folder.is_dir():
                raise BadInput(f"{folder} is a file: expected the folder of a store")
            files = sorted(folder.iterdir())
            plans = [f for f in files if f.name.startswith("plan-") and f.suffix == ".json"]
            foreign = [f.name for f in files if not _ours(f.name)]
            if not plans and foreign:
                raise BadInput(
                    f"{folder} is not a store (it holds {foreign[0]}): expected a folder that a "
                    "sweep wrote, or an empty one to write to"
                )
            return cls(folder, [_read_plan(f) for f in plans]) if plans else None
        except OSError as problem:
            reason = problem.strerror or problem
            raise BadInput(f"{folder}: cannot be read: {reason}") from None

    @property
    def sweep(self) -> Sweep:
        """The sweep, with all replicates planned so far."""
        return self.plans[-1].sweep

    def name(self, plan: int, chunk: int) -> str:
        """Return the name of the part that holds a chunk."""
        return f"{plan:03d}-{chunk:06d}-{self.plans[plan].hash}"

    def has(self, plan: int, chunk: int) -> bool:
        """Say whether a chunk is stored."""
        return self.parts.has(self.name(plan, chunk))

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield every chunk of every plan."""
        for index, plan in enumerate(self.plans):
            for chunk in range(plan.chunks):
                yield index, chunk

    def write(
        self,
        plan: int,
        chunk: int,
        measures: Mapping[str, np.ndarray],
        about: Mapping[str, Any],
    ) -> int:
        """Store a chunk's measures, each (chunk, m), without the padding.

        A cell of which a measure is NaN or infinite is stored as it is with status NOT_FINITE.

        Returns:
            The number of such cells.
        """
        valid = self.plans[plan].chunk(chunk).valid
        arrays = {name: np.asarray(value[:valid], float) for name, value in measures.items()}
        finite = np.all([np.isfinite(value) for value in arrays.values()], axis=0)
        status = np.where(finite, int(Status.OK), int(Status.NOT_FINITE)).astype(np.int8)
        place = {"plan": self.plans[plan].hash, "chunk": chunk}
        self.parts.write(self.name(plan, chunk), {**arrays, STATUS: status}, {**place, **about})
        return int((~finite).sum())

    def read(self, plan: int, chunk: int) -> dict[str, np.ndarray]:
        """Return a chunk's measures and statuses, each (valid, m).

        Raises:
            Damaged: the part is there and cannot be trusted.
        """
        arrays, about = self.parts.read(self.name(plan, chunk))
        if about.get("plan") != self.plans[plan].hash or about.get("chunk") != chunk:
            raise Damaged(f"{self.name(plan, chunk)}: is not the part of this plan")
        return arrays

    def read_all(self) -> Iterator[tuple[Plan, Chunk, dict[str, np.ndarray]]]:
        """Yield what is stored and whole, chunk by chunk; damaged parts are passed over."""
        there = set(self.parts.names())
        for index, number in self.chunks():
            if self.name(index, number) in there:
                try:
                    arrays = self.read(index, number)
                except Damaged:
                    continue
                yield self.plans[index], self.plans[index].chunk(number), arrays

    def counts(self) -> Counts:
        """Read the whole store and say how far it is."""
        chunks = runs = not_finite = 0
        for _, chunk, arrays in self.read_all():
            chunks += 1
            runs += chunk.valid
            not_finite += int((arrays[STATUS] == Status.NOT_FINITE).sum())
        all_chunks, all_runs = sum(p.chunks for p in self.plans), sum(p.runs for p in self.plans)
        return Counts(chunks, all_chunks, runs, all_runs, not_finite)

    def sessions(self) -> list[dict[str, Any]]:
        """Return the surroundings under which parts were made."""
        return [json.loads(f.read_text()) for f in sorted(self.folder.glob("session-*.json"))]

    def dataset(self, measures: Sequence[str] | None = None) -> "xarray.Dataset":
        """Return the results as a labelled Dataset, whether the sweep is complete or not.

        Args:
            measures: the measures wanted; all by default.

        Returns:
            Dimensions: the axes in declared order, then ``replicate``. One float64 variable a
            measure and an int8 variable ``status`` (a ``Status``, or -1 where nothing is stored
            yet; the measures are NaN there). Attributes say what was run, from what, and how
            many cells are missing or not finite.
        """
        from ci_theory.sweeps.dataset import assemble  # xarray imports slower than JAX

        return assemble(self, measures)


def _ours(name: str) -> bool:
    fixed = ("parts", "unfinished", "lock")
    return name in fixed or (
        name.startswith(("plan-", "session-")) and name.endswith((".json", ".tmp"))
    )


def _read_plan(file: Path) -> Plan:
    """Read a stored plan.

    Raises:
        BadInput: it is not one, or of a format that this version does not know.
    """
    try:
        data = json.loads(file.read_bytes())
        form = data["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{file} is not a plan of a sweep: choose another folder") from None
    if form != FORMAT:
        raise BadInput(f"{file}: store of format {form}, this version reads format {FORMAT}")
    try:
        return Plan.from_json(data)
    except BadInput as problem:
        made = data.get("identity", {}).get("version", "unknown")
        raise BadInput(f"{file}: store of version {made} cannot be read: {problem}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise BadInput(f"{file} is damaged: its plan cannot be read") from None


def add_plan(folder: Path, index: int, plan: Plan) -> bool:
    """Write a plan; False if another process has added one in the meantime."""
    text = json.dumps(plan.to_json(), indent=1)
    return write_whole(folder / f"plan-{index:03d}.json", text.encode(), keep=True)


def difference(stored: Plan, sweep: Sweep, identity: Mapping[str, Any]) -> str | None:
    """Say in a phrase why a sweep's results may not join a stored plan's, or return None."""
    for name, value in identity.items():
        old = stored.identity.get(name)
        if old != value:
            meaning = {"version": "package version", "formula": "simulation source"}.get(name, name)
            return f"its {meaning} is {old}, here it is {value}"
    old, new = declared(stored.sweep), declared(sweep.completed())
    if old["axes"] != new["axes"]:
        there, here = dict(old["axes"]), dict(new["axes"])
        if list(there) != list(here):
            return f"its axes are {', '.join(there) or 'none'}, here {', '.join(here) or 'none'}"
        name = next(k for k in here if here[k] != there[k])
        if set(there[name]) == set(here[name]):
            return f"its axis {name} has these values in another order"
        return (
            f"its axis {name} has other values ({len(there[name])} there, {len(here[name])} here)"
        )
    for name, value in new["fixed"].items():
        if old["fixed"].get(name) != value:
            return f"it was run with {name} = {old['fixed'].get(name)}, here {name} = {value}"
    for name, value in new.items():
        if old[name] != value:
            return f"its {name} is {old[name]}, here {value}"
    return None
