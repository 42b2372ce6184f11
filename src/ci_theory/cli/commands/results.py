"""Commands that simulate, and judge and draw what was simulated."""

from pathlib import Path
from typing import Annotated

import typer

from ci_theory.cli.app import command
from ci_theory.cli.arguments import (
    PICTURES,
    Allow,
    Experiment,
    Json,
    Level,
    Pictures,
    Stored,
    Values,
)


@command()
def run(
    experiment: Experiment,
    values: Values = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="DIR", help="where results go [results/stores/EXPERIMENT]"),
    ] = None,
    replicates: Annotated[
        str | None, typer.Option("--replicates", metavar="N", help="runs a cell; more are added")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="cpu|gpu|tpu", help="where to simulate")
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="i/n", help="only this share of the chunks")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="local|dask[=ADDRESS]",
            help="who computes: this process; Dask workers here, or of the scheduler at ADDRESS, "
            "which may be its file (.json)",
        ),
    ] = "local",
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            metavar="float64|float32",
            help="precision; float32 cuts the peaks at interpolation, and gets no verdict",
        ),
    ] = "float64",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print cells, memory and time; write nothing")
    ] = False,
    allow: Allow = None,
) -> None:
    """Run a sweep into its store, resume it, or let it grow.

    key=value fixes a parameter or, as a list or a range, makes it an axis. More values, axes or
    replicates than are stored are added to them.
    """
    from ci_theory.cli import experiments
    from ci_theory.cli import run as sweeping
    from ci_theory.sweeps import parse_shard
    from ci_theory.sweeps.values import split

    sweep = sweeping.declared(experiment, split(values), replicates)
    folder = store or experiments.store_of(experiment)
    share = None if shard is None else parse_shard(shard)
    with sweeping.computing_in(dtype), sweeping.engine_of(engine, dry_run) as computing:
        if dry_run:
            sweeping.print_dry_run(sweep, folder, device, share, dtype)
        else:
            sweeping.run_and_print(sweep, folder, device, share, computing, dtype)


@command(judges=True)
def check(store: Stored, level: Level = 1e-3, as_json: Json = False, allow: Allow = None) -> int:
    """Judge the predictions by a sweep's results.

    Exit code 0: what is in scope agrees; 1: something disagrees; 3: the sweep cannot tell.
    """
    from ci_theory.cli import output, verdicts

    folder = verdicts.open_store(store).folder
    document, report = verdicts.check_store(folder, level)
    output.answer(document, as_json, lambda: verdicts.print_report(report))
    return report.exit_code


@command(judges=True)
def locate(store: Stored, level: Level = 1e-3, as_json: Json = False, allow: Allow = None) -> int:
    """Locate break points, and judge where they were predicted.

    Each is measured with an interval. Exit code 0: what is in scope agrees; 1: a break lies
    elsewhere than predicted in some slice; 3: the sweep cannot tell, or nothing is predicted.
    """
    from ci_theory.cli import output, verdicts

    folder = verdicts.open_store(store).folder
    document, found = verdicts.locate_in_store(folder, level)
    output.answer(document, as_json, lambda: verdicts.print_breaks(found))
    return found.exit_code


@command()
def figure(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|EXPERIMENT|STORE",
            show_default=False,
            help="a figure that comes with ci_theory; results to draw, by their experiment or "
            "folder; or the path of a script, whose code is run",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every figure")] = False,
    out: Pictures = PICTURES,
    stores: Annotated[
        Path, typer.Option("--stores", metavar="DIR", help="where the results are")
    ] = Path("results/stores"),
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="from stores, running what is missing, and compare with kept"),
    ] = False,
    allow: Allow = None,
) -> int:
    """Draw the figures that come with ci_theory, or any sweep.

    The first from kept results. Exit code 1: with --fresh, fresh and kept results differ beyond
    their errors.
    """
    from ci_theory.cli import figure as drawing
    from ci_theory.cli import output

    return drawing.make(name, every, out, stores, fresh, output.say)
