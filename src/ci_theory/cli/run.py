"""`ci-theory run`: a declared sweep into its store, or what that would take."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import jax

from ci_theory._errors import BadInput, Status
from ci_theory._types import enable_float64
from ci_theory.cli import experiments, modules
from ci_theory.cli.output import print_lines, say
from ci_theory.sweeps import Store, Sweep, dry_run, read_sweep, run
from ci_theory.sweeps.engines import Engine


def declared(experiment: str, words: Mapping[str, str], replicates: str | None) -> Sweep:
    """Read an experiment with the changes that the command line makes to it.

    Raises:
        BadInput: anything wrong with the experiment or the changes.
    """
    changes = dict(words)
    if replicates is not None:
        if "replicates" in changes:
            raise BadInput("replicates is given twice: as a key and as --replicates")
        changes["replicates"] = replicates
    if "phenomenon" in changes:
        changes["phenomenon"], _ = modules.named(changes["phenomenon"])
    return read_sweep(experiments.find(experiment), changes)


@contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Simulate in float64 or in float32; afterwards this process computes in float64 again.

    Raises:
        BadInput: another precision.
    """
    if dtype not in ("float64", "float32"):
        raise BadInput(f"--dtype {dtype}: expected float64 or float32")
    jax.config.update("jax_enable_x64", dtype == "float64")
    try:
        yield
    finally:
        enable_float64()


def print_dry_run(
    sweep: Sweep, folder: Path, device: str | None, shard: tuple[int, int] | None, dtype: str
) -> None:
    """Print what running a sweep would take; write nothing."""
    needs = dry_run(sweep, folder, device=device, shard=shard, precision=dtype)
    say(f"{sweep.name or sweep.phenomenon}: dry run, nothing is written")
    for line in str(needs).splitlines():
        say(f"  {line}")


def engine_of(word: str, dry_run: bool) -> AbstractContextManager[Engine | None]:
    """Return who computes, by the word of the command line; for a dry run nobody is started.

    Raises:
        BadInput: no such engine.
    """
    name, with_address, address = word.partition("=")
    if name == "dask" and (address or not with_address):
        from ci_theory.sweeps.dask_engine import connected

        return nullcontext() if dry_run else connected(address or None)
    if word == "local":
        return nullcontext()
    raise BadInput(f"--engine {word}: expected local, dask or dask=ADDRESS")


def run_and_print(
    sweep: Sweep,
    folder: Path,
    device: str | None,
    shard: tuple[int, int] | None,
    engine: Engine | None,
    dtype: str,
) -> Store:
    """Run what is missing of a sweep and print where the results are and how many."""
    store = run(sweep, folder, device=device, shard=shard, engine=engine, precision=dtype)
    counts = store.counts()
    say(f"{sweep.name or sweep.phenomenon}: {store.folder}")
    cells = " x ".join(f"{len(v)} {k}" for k, v in sweep.axes.items()) or "1 cell"
    lines = [
        ("cells", f"{cells} x {store.sweep.replicates} replicates"),
        ("runs", f"{counts.runs:,} of {counts.all_runs:,} stored"),
    ]
    if dtype != "float64":
        lines.append(("precision", f"{dtype}: `check` and `locate` give no verdict on it"))
    if counts.not_finite:
        values = "1 value" if counts.not_finite == 1 else f"{counts.not_finite:,} values"
        lines.append(("not finite", f"{values}: marked, never averaged"))
        lines.append(("lost", _lost(store)))
    print_lines(lines)
    return store


def _lost(store: Store) -> str:
    """Say how many cells have runs and none that is finite."""
    status = store.dataset([])["status"]
    failed = (status == int(Status.NOT_FINITE)).any("replicate")
    lost = failed & ~(status == int(Status.OK)).any("replicate")
    return f"{int(lost.sum()):,} of {lost.size:,} cells have no finite run"
