"""The folder that holds a sweep: plans, parts, and where they come from.

::

    plan-000.json            the sweep and its layout; plan-001.json what it grew by, and so on
    parts/000-000017-<hash>.npz    the results of one chunk, named by plan, chunk and plan hash
    session-<hash>.json      libraries, device and revision under which parts were made
    unfinished/              states of long runs, kept once a minute until their chunk is stored
    lock                     who works on what (advisory)

A part that exists is complete. Stores of one plan merge by copying files. What was damaged since
is noticed: a plan then keeps the store from being opened, a part counts as missing, a session is
left out.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ci_theory._errors import BadInput, Status
from ci_theory.sweeps.bundles import Chunk
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.parts import Damaged, Parts, target_of
from ci_theory.sweeps.plan import Plan
from ci_theory.sweeps.plans import plan_name, read_plans
from ci_theory.sweeps.sessions import read_sessions

if TYPE_CHECKING:
    import xarray

MISSING = -1  # status of a cell that has not been simulated yet; else a ``Status``
STATUS = "status"
_HEADER = 1024  # bytes of an array in a part besides its numbers
_PART = re.compile(r"(\d{3,})-(\d{6,})-([0-9a-f]{16})")  # plan, chunk, hash of the plan


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
            BadInput: there is none, it cannot be read, another version's layout is in it, or its
                plans are damaged, missing or not of one sweep.
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
            BadInput: something else is there, or a store that cannot be trusted.
        """
        try:
            if not folder.exists():
                return None
            if not folder.is_dir():
                raise BadInput(f"{folder} is a file: expected the folder of a store")
            parts = Parts(folder / "parts").names()  # before the plans: a plan precedes its parts
            files = sorted(os.listdir(folder))
        except OSError as problem:
            reason = problem.strerror or problem
            raise BadInput(f"{folder}: cannot be read: {reason}") from None
        plans = read_plans(folder, files)
        foreign = [name for name in files if not _ours(name)]
        if not plans and foreign:
            raise BadInput(
                f"{folder} is not a store (it holds {foreign[0]}): expected a folder that a "
                "sweep wrote, or an empty one to write to"
            )
        store = cls(folder, plans)
        for name in parts:
            store._check_belongs(name)
        return store if plans else None

    def _check_belongs(self, name: str) -> None:
        """Refuse a part whose plan is not here: its results would be left out silently."""
        match = _PART.fullmatch(name)
        if match is None or self.place(name) is not None:
            return
        plan = int(match[1])
        if plan >= len(self.plans):
            raise BadInput(
                f"{self.folder / plan_name(plan)} is missing, of which there is the part "
                f"{self.parts.path(name)}: put the plan back, or move its parts away"
            )
        raise BadInput(
            f"{self.parts.path(name)} is not a part of {plan_name(plan)} here, but of another "
            "store's: move it away"
        )

    @property
    def sweep(self) -> Sweep:
        """The sweep as it has grown so far, with all replicates planned."""
        return self.plans[-1].sweep

    def name(self, plan: int, chunk: int) -> str:
        """Return the name of the part that holds a chunk."""
        return f"{plan:03d}-{chunk:06d}-{self.plans[plan].hash}"

    def place(self, name: str) -> tuple[int, int] | None:
        """Return plan and chunk of a part of this store by its name; None of any other name."""
        match = _PART.fullmatch(name)
        if match is None or not int(match[1]) < len(self.plans):
            return None
        place = int(match[1]), int(match[2])
        mine = place[1] < self.plans[place[0]].chunks and name == self.name(*place)
        return place if mine else None

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
            FileNotFoundError: it is not there.
            BadInput: it cannot be read at all.
        """
        made, name = self.plans[plan], self.name(plan, chunk)
        wanted = {**dict.fromkeys(made.about["measures"], np.dtype(float)), STATUS: np.dtype("i1")}
        shape = (made.chunk(chunk).valid, made.points)
        room = math.prod(shape) * sum(dtype.itemsize for dtype in wanted.values())
        arrays, about = self.parts.read(name, room + _HEADER * len(wanted))
        if about.get("plan") != made.hash or about.get("chunk") != chunk:
            raise Damaged(f"{self.parts.path(name)}: is not the part of this plan")
        found = {k: (v.dtype, v.shape) for k, v in arrays.items()}
        if found != {k: (dtype, shape) for k, dtype in wanted.items()}:
            raise Damaged(f"{self.parts.path(name)}: holds other arrays than its plan says")
        return arrays

    def read_all(
        self, damaged: list[str] | None = None
    ) -> Iterator[tuple[int, Chunk, dict[str, np.ndarray]]]:
        """Yield what is stored and whole, chunk by chunk, with the number of its plan.

        Damaged parts are passed over; what is wrong with each is added to ``damaged``.

        Raises:
            BadInput: a part, or all of them, cannot be read at all.
        """
        for name in self.parts.names():
            place = self.place(name)
            if place is None:
                continue
            try:
                arrays = self.read(*place)
            except FileNotFoundError:  # another process has just set it aside
                continue
            except Damaged as problem:
                if damaged is not None:
                    damaged.append(str(problem))
                continue
            index, number = place
            yield index, self.plans[index].chunk(number), arrays

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
        """Return the surroundings under which parts were made, as far as their notes are whole."""
        return read_sessions(self.folder)[0]

    def dataset(self, measures: Sequence[str] | None = None) -> "xarray.Dataset":
        """Return the results as a labelled Dataset, whether the sweep is complete or not.

        Args:
            measures: the measures wanted; all by default.

        Returns:
            Dimensions: the axes in declared order, then ``replicate``. One float64 variable a
            measure and an int8 variable ``status`` (a ``Status``, or -1 where nothing is stored
            yet; the measures are NaN there). Attributes say what was run, from what, how many
            cells are missing or not finite, and what is damaged: a JSON list with a line for
            each file that was left out.

        Raises:
            BadInput: the store cannot be read.
        """
        from ci_theory.sweeps.dataset import assemble  # xarray imports slower than JAX

        return assemble(self, measures)


def _ours(name: str) -> bool:
    name = target_of(name) or name
    return name in ("parts", "unfinished", "lock") or name.startswith(("plan-", "session-"))
