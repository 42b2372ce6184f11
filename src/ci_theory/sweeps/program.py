"""The compiled program of a bundle: many runs of one shape in one call, over all devices."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ci_theory._errors import BadInput
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory._types import not_forked
from ci_theory.phenomena import Phenomenon
from ci_theory.phenomena._blame import blamed
from ci_theory.sweeps.cost import Cost, cost_of
from ci_theory.sweeps.staged import FROM_TO, Checkpoint, Staged, run_sample, run_stages

DEVICES = ("cpu", "gpu", "tpu")
_KEPT = 8  # executables kept per process: chunks come bundle by bundle

_SOONER = {"xla_backend_optimization_level": 1}
"""With it LLVM takes a fifth to two thirds less time for a program that runs as fast, within some
hundredths (`python -m benchmarks.compile_share`); loops of many small steps run up to a third
slower. The last bits of the numbers differ, so that it must not depend on how many runs there are.
"""


def devices_of(device: str | None) -> list[Any]:
    """Return the devices of this process to run on: all of the named kind.

    Raises:
        BadInput: an unknown kind, none of that kind here, or a process that must not compute.
    """
    if device is not None and device not in DEVICES:
        raise BadInput(f"device '{device}': expected one of {', '.join(DEVICES)}")
    not_forked()
    try:
        return jax.local_devices(backend=device)
    except RuntimeError:
        here = ", ".join(sorted({d.platform for d in jax.local_devices()}))
        raise BadInput(f"device '{device}': none is available here (found: {here})") from None


def lanes(devices: Sequence[Any]) -> int:
    """Return how many chunks to compute at a time: one a core on a single CPU device, else one."""
    if len(devices) > 1 or devices[0].platform != "cpu":
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def memory_budget(devices: Sequence[Any]) -> float:
    """Return the bytes that a chunk may take on each device.

    Four fifths of an accelerator's memory; half of the host's, shared by its devices and by the
    chunks that are computed at a time.
    """
    if devices[0].platform != "cpu":
        known = devices[0].memory_stats() or {}
        return 0.8 * known.get("bytes_limit", 8e9)
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, float(Path(limit).read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return 0.5 * total / len(devices) / lanes(devices)


def out_of_memory(problem: BaseException) -> bool:
    """Say whether an exception means that a device's memory did not suffice."""
    text = str(problem)
    full = "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
    return isinstance(problem, MemoryError) or (
        isinstance(problem, jax.errors.JaxRuntimeError) and full
    )


class Shape(NamedTuple):
    """What fixes a program: static values, array lengths, runs a call, and runs at a time.

    A call maps over ``chunk`` runs; each device takes its share, ``batch`` of them at a time.
    """

    statics: tuple[tuple[str, Any], ...]
    capacity: tuple[tuple[str, int], ...]
    chunk: int
    batch: int

    def __str__(self) -> str:
        return ", ".join(f"{k} = {v}" for k, v in (*self.statics, *self.capacity))


class Programs:
    """Compiles the programs of one phenomenon for some devices, and keeps the latest."""

    def __init__(self, phenomenon: Phenomenon, devices: Sequence[Any], inner: Mapping[str, Any]):
        """``inner`` maps every inner field to its vector (m,)."""
        self.phenomenon = phenomenon
        self.devices = list(devices)
        self.inner = inner
        self._kept: OrderedDict[Shape, Future[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._costs: dict[tuple, Cost] = {}

    @property
    def steps(self) -> int:
        """Steps of a simulation in stages; 0 of any other."""
        stages = self.phenomenon.stages
        return int(max(self.inner[stages.axis])) if stages else 0

    @property
    def inner_points(self) -> int:
        """Inner points a run: m."""
        return max((len(v) for v in self.inner.values()), default=1)

    def sharing(self, chunk: int) -> int:
        """Return how many devices share a chunk: as many as do so equally."""
        return max(k for k in range(1, len(self.devices) + 1) if chunk % k == 0)

    def fitted(self, shape: Shape, most: int) -> Shape:
        """Return a shape with at most ``most`` runs at a time, dividing each device's share."""
        share = shape.chunk // self.sharing(shape.chunk)
        batch = max(b for b in range(1, min(most, share) + 1) if share % b == 0)
        return shape._replace(batch=batch)

    def cost(self, statics: Mapping[str, Any], capacity: Mapping[str, int]) -> Cost:
        """Trace one run and add up what it costs."""
        place = (*statics.items(), *capacity.items())
        if place not in self._costs:
            self._costs[place] = self._cost(statics, capacity)
        return self._costs[place]

    def _cost(self, statics: Mapping[str, Any], capacity: Mapping[str, int]) -> Cost:
        one = self._one(statics, capacity)
        like = np.uint32(0), dict(self.inner)
        run = self._runs_like(())
        try:
            if isinstance(one, Staged):
                begun, state = cost_of(one.begin, like, run), jax.eval_shape(one.begin, like, run)
                step = cost_of(one.advance, (*like, *FROM_TO), (run, state))
                most = [max(pair) for pair in zip(begun[1:], step[1:], strict=True)]
                return Cost(begun.work + self.steps * step.work, *most)
            return cost_of(one, like, run)
        except BadInput:
            raise
        except (MemoryError, OverflowError, ValueError, TypeError) as problem:
            sizes = [v for v in (*statics.values(), *capacity.values()) if isinstance(v, int)]
            if isinstance(problem, (ValueError, TypeError)) and max(sizes, default=0) < 10**8:
                raise
            where = ", ".join(f"{k} = {v}" for k, v in {**statics, **capacity}.items())
            raise BadInput(f"{where}: too large to simulate: {problem}") from None

    def compiled(self, shape: Shape) -> Any:
        """Return the executable of a shape; whichever thread asks first compiles it."""
        with self._lock:
            found = self._kept.get(shape)
            mine = found is None
            if found is None:
                found = self._kept[shape] = Future()
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(shape)
        if mine:
            try:
                found.set_result(self._compile(shape))
            except BaseException as problem:
                with self._lock:
                    self._kept.pop(shape, None)
                found.set_exception(problem)
        return found.result()

    def memory(self, shape: Shape) -> float:
        """Return the bytes a call takes on one device, by the compiler's own account."""
        made = self.compiled(shape)
        found = (made.advance if isinstance(made, Staged) else made).memory_analysis()
        if found is None:
            return 0.0
        parts = ("temp", "argument", "output")
        return float(sum(getattr(found, f"{part}_size_in_bytes") for part in parts))

    def call(
        self,
        shape: Shape,
        seed: int,
        runs: Mapping[str, Any],
        keep: Checkpoint | None = None,
    ) -> dict[str, np.ndarray]:
        """Run ``shape.chunk`` runs: every measure as (chunk, m) on the host.

        Args:
            shape: of the program.
            seed: of the sweep.
            runs: what differs between them.
            keep: where a simulation in stages keeps its state; None runs it in one go.

        Raises:
            Stopped: ``keep`` asked to stop, and has the state.
        """
        made, shared = self.compiled(shape), (np.uint32(seed), dict(self.inner))
        if isinstance(made, Staged):
            found = run_stages(made, shared, dict(runs), self.steps, keep)
        else:
            found = made(shared, dict(runs))
        return {name: np.asarray(value) for name, value in found.items()}

    def sample(self, shape: Shape, seed: int, runs: Mapping[str, Any], seconds: float) -> float:
        """Work for at least so many seconds and return how many calls' worth was done."""
        made, shared = self.compiled(shape), (np.uint32(seed), dict(self.inner))
        begun, done = time.perf_counter(), 0.0
        while done == 0 or (time.perf_counter() - begun < seconds and done < 100):
            if isinstance(made, Staged):
                done += run_sample(made, shared, dict(runs), self.steps, seconds)
            else:
                jax.block_until_ready(made(shared, dict(runs)))
                done += 1
        return done

    def _runs_like(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Describe what differs from run to run: the address of its key and its numbers."""
        found: dict[str, Any] = {
            name: jax.ShapeDtypeStruct(shape, np.uint32) for name in ("high", "low", "replicate")
        }
        found["numbers"] = {
            name: jax.ShapeDtypeStruct(shape, dtype_of(axis.type))
            for name, axis in self.phenomenon.axes.items()
            if axis.kind in (Kind.TRACED, Kind.SIZED)
        }
        return found

    def _one(self, statics: Mapping[str, Any], capacity: Mapping[str, int]) -> Any:
        """Return the simulation as ``f(shared, run) -> measures``, or its ``Staged`` parts.

        ``shared`` is (seed, inner) and, when a staged one advances, the steps from and to which
        it does; its ``run`` is then a pair with the state.
        """
        phenomenon, stages = self.phenomenon, self.phenomenon.stages
        names = list(phenomenon.measure_info)
        wanted = (self.inner_points,) if self.inner else ()

        def given(shared: Any, run: Any) -> tuple[Any, Any]:
            key = key_for(shared[0], run["high"], run["low"], run["replicate"])
            values = {**statics, **run["numbers"], **shared[1]}
            return key, build(phenomenon.params, values)

        def told(measures: Any) -> dict[str, Any]:
            with blamed(phenomenon.name, stages.finish if stages else phenomenon.simulate):
                if not isinstance(measures, phenomenon.measures):
                    kind, wanted_kind = type(measures).__name__, phenomenon.measures.__name__
                    raise BadInput(f"simulate returns {kind}, not {wanted_kind}")
                made = {name: jnp.asarray(getattr(measures, name), float) for name in names}
                for name, value in made.items():
                    if value.shape != wanted:
                        raise BadInput(f"measure {name} has shape {value.shape}, not {wanted}")
            return {name: value.reshape(self.inner_points) for name, value in made.items()}

        def one(shared: Any, run: Any) -> dict[str, Any]:
            with jax.default_matmul_precision("highest"):  # no 10-bit products on accelerators
                return told(phenomenon.simulate(*given(shared, run), capacity))

        if stages is None:
            return one

        def begin(shared: Any, run: Any) -> Any:
            with jax.default_matmul_precision("highest"):
                return stages.begin(*given(shared, run), capacity)

        def advance(shared: Any, pair: Any) -> Any:
            run, state = pair
            with jax.default_matmul_precision("highest"):
                return stages.advance(*given(shared, run), capacity, state, *shared[2:])

        def finish(shared: Any, pair: Any) -> dict[str, Any]:
            run, state = pair
            with jax.default_matmul_precision("highest"):
                return told(stages.finish(*given(shared, run), capacity, state))

        return Staged(begin, advance, finish)

    def _compile(self, shape: Shape) -> Any:
        one = self._one(dict(shape.statics), dict(shape.capacity))
        shared, runs = (np.uint32(0), dict(self.inner)), self._runs_like((shape.chunk,))
        sooner = self._sooner()
        if not isinstance(one, Staged):
            return self._over_runs(shape, one, shared, runs, sooner)
        state = jax.eval_shape(jax.vmap(one.begin, (None, 0)), shared, runs)
        return Staged(
            self._over_runs(shape, one.begin, shared, runs, sooner),
            self._over_runs(shape, one.advance, (*shared, *FROM_TO), (runs, state), None),
            self._over_runs(shape, one.finish, shared, (runs, state), sooner),
        )

    def _sooner(self) -> dict[str, Any] | None:
        """Return what XLA is told of programs that do not train for long, unless the user says."""
        less: bool = jax.config.read("jax_disable_most_optimizations")
        told = less or next(iter(_SOONER)) in os.environ.get("XLA_FLAGS", "")
        return None if told or self.devices[0].platform != "cpu" else _SOONER

    def _over_runs(
        self, shape: Shape, function: Any, shared: Any, each: Any, options: dict[str, Any] | None
    ) -> Any:
        """Compile a function of one run for all runs of a chunk, over the devices."""
        devices = self.devices[: self.sharing(shape.chunk)]
        share = shape.chunk // len(devices)
        size = shape.batch if min(share, shape.batch) > 1 else None

        def call(shared: Any, each: Any) -> Any:
            def one(run: Any) -> Any:
                return function(shared, run)

            if size and size >= share:
                return jax.vmap(one)(each)
            return jax.lax.map(one, each, batch_size=size)  # a single run is not a batch of one

        mesh = Mesh(np.array(devices), ("runs",), axis_types=(AxisType.Auto,))
        if len(devices) > 1:
            call = jax.shard_map(
                call, mesh=mesh, in_specs=(P(), P("runs")), out_specs=P("runs"), check_vma=False
            )
        whole, parted = NamedSharding(mesh, P()), NamedSharding(mesh, P("runs"))
        program = jax.jit(call, in_shardings=(whole, parted), out_shardings=parted)
        return program.lower(shared, each).compile(options)


def check_precision(wanted: str) -> None:
    """Refuse to simulate in another precision than was asked for.

    Raises:
        BadInput: this process computes in the other one, or there is none of that name.
    """
    here = dtype_of(float).name
    if wanted not in ("float32", "float64"):
        raise BadInput(f"precision {wanted!r}: expected 'float64' or 'float32'")
    if wanted == "float64" != here:
        raise BadInput(
            "this process computes in float32, whose rounding cuts the peaks at interpolation: "
            "call ci_theory.enable_float64() first; with precision='float32' it is accepted, "
            "and a check of it gives no verdict"
        )
    if wanted != here:
        raise BadInput("precision is float32, but float64 is on in this process")


def dtype_of(kind: type) -> Any:
    """Return the dtype in which a parameter's values are passed."""
    return jax.dtypes.canonicalize_dtype(kind)
