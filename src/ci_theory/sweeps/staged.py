"""A simulation in stages: it goes on where it was left, and keeps its state once a minute.

The same compiled program advances every stage, whatever its length, so where a run was left does
not show in its bits.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from ci_theory.sweeps.parts import Damaged, Parts

STAGE = 10.0
"""Seconds that a stage should take: how long a stop has to wait."""

KEPT = 60.0
"""Seconds of work after which the state is kept: what a kill may cost."""


FROM_TO = (np.int32(0), np.int32(0))
"""Steps between which a stage advances, as its program takes them."""

_HEADER = 1024  # bytes of a leaf in a file besides its numbers


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """A run was asked to stop between two stages; its state is kept."""


class Staged(NamedTuple):
    """The programs of a simulation in stages, each over all runs of a chunk."""

    begin: Any
    advance: Any
    finish: Any


class Checkpoint(Protocol):
    """Where the state of one chunk is kept."""

    @property
    def stopping(self) -> bool:
        """Whether the run should stop after this stage."""

    def read(self, room: int | None = None) -> tuple[int, list[np.ndarray]] | None:
        """Return the step reached and the leaves of the state, of so many bytes; or None."""

    def write(self, step: int, leaves: list[np.ndarray]) -> None:
        """Keep the state in place of an earlier one."""


class Kept:
    """The state of one chunk in a file of its own beside the results, while it is unfinished.

    A state counts only for what it was kept for and under (``name`` and ``about``).
    """

    def __init__(self, folder: Path, name: str, about: dict[str, Any], stopping: Any):
        """``name`` is that of the chunk's part; ``stopping`` is a ``threading.Event``."""
        self._parts = Parts(folder)
        self._name, self._about, self._stopping = name, {**about, "name": name}, stopping

    @property
    def stopping(self) -> bool:
        """Whether the run should stop after this stage."""
        return bool(self._stopping.is_set())

    def read(self, room: int | None = None) -> tuple[int, list[np.ndarray]] | None:
        """Return the step reached and the leaves of the state; None if there is no good one."""
        try:
            arrays, about = self._parts.read(self._name, room)
        except (Damaged, FileNotFoundError):
            return None
        step, names = about.pop("step", None), [f"{i}" for i in range(len(arrays))]
        if about != self._about or type(step) is not int or sorted(arrays) != sorted(names):
            return None
        return step, [arrays[name] for name in names]

    def write(self, step: int, leaves: list[np.ndarray]) -> None:
        """Keep the state in place of an earlier one."""
        arrays = {f"{i}": leaf for i, leaf in enumerate(leaves)}
        self._parts.write(self._name, arrays, {**self._about, "step": step})

    def drop(self) -> None:
        """Forget the state: the chunk is stored."""
        self._parts.path(self._name).unlink(missing_ok=True)


def run_stages(
    programs: Staged, shared: tuple, runs: dict[str, Any], last: int, keep: Checkpoint | None
) -> Any:
    """Run a chunk from where it was left, or from the start, to its last step.

    Args:
        programs: compiled.
        shared: seed and inner values.
        runs: what differs between the runs.
        last: steps in all.
        keep: where the state is kept; None goes through in one stage.

    Returns:
        the measures of every run.

    Raises:
        Stopped: between two stages, if ``keep`` asks for it.
    """
    step, state = 0, programs.begin(shared, runs)
    leaves, structure = jax.tree.flatten(state)
    found = keep.read(sum(leaf.nbytes + _HEADER for leaf in leaves)) if keep else None
    if found and 0 < found[0] < last and _shapes(found[1]) == _shapes(leaves):
        step, state = found[0], jax.tree.unflatten(structure, found[1])
    stride, kept = (last if keep is None else max(1, last // 64)), time.monotonic()
    while True:
        begun, since = time.monotonic(), step
        step = min(step + stride, last)
        state = _advanced(programs, shared, runs, state, since, step)
        now = time.monotonic()
        if step == last:
            break
        stride = max(1, round(stride * min(2.0, STAGE / max(now - begun, 1e-3))))
        if keep and (now - kept > KEPT or keep.stopping):
            keep.write(step, [np.asarray(leaf) for leaf in jax.tree.leaves(state)])
            kept = now
            if keep.stopping:
                raise Stopped
    return programs.finish(shared, (runs, state))


def run_sample(
    programs: Staged, shared: tuple, runs: dict[str, Any], last: int, seconds: float
) -> float:
    """Advance for about so many seconds and return the share of all steps that were done."""
    step, state, stride = 0, programs.begin(shared, runs), 1
    begun = time.monotonic()
    while True:
        since, step = step, min(step + stride, last)
        state = _advanced(programs, shared, runs, state, since, step)
        if step == last or time.monotonic() - begun >= seconds:
            return step / last if last else 1.0
        stride *= 2


def _advanced(
    programs: Staged, shared: tuple, runs: dict[str, Any], state: Any, since: int, until: int
) -> Any:
    between = np.int32(since), np.int32(until)
    return jax.block_until_ready(programs.advance((*shared, *between), (runs, state)))


def _shapes(leaves: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [(leaf.dtype, leaf.shape) for leaf in leaves]
