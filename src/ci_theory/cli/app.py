"""The commands of ``ci-theory``: what they take, and which module does the work.

This module imports nothing heavy, so that help is instant; each command imports what it needs.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ci_theory import __version__
from ci_theory.cli import surroundings
from ci_theory.cli.failures import BROKEN_PIPE, GOOD, Stopped, bug, explain

_F = TypeVar("_F", bound=Callable[..., Any])

# Plain help and plain errors: rich would cost half of the time that help may take.
app = typer.Typer(
    name="ci-theory",
    help="Theory and simulation of catastrophic inheritance: phenomena with closed forms, "
    "sweeps, break points and verdicts.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="phenomenon: see `ci-theory list`; or a module, my_pkg.my_mod or mine.py, WHOSE CODE "
        "IS RUN",
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Argument(metavar="[key=value ...]", show_default=False, help="values of axes"),
]
Experiment = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT", help="the path of a TOML file, or a name that comes with ci_theory"
    ),
]
Stored = Annotated[
    str, typer.Argument(metavar="EXPERIMENT|STORE", help="an experiment, or a folder of results")
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="MODULE",
        show_default=False,
        help="import MODULE (my_pkg.my_mod or mine.py, installed or here), which RUNS ITS CODE, so "
        "that a file may name it as its phenomenon",
    ),
]
Level = Annotated[
    float, typer.Option("--level", metavar="P", help="chance of a false alarm, all together")
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]


def _command(function: _F) -> _F:
    """Run a command in float64, with Ctrl-C and a closed pipe among our failures.

    The modules that the user allows are imported first: from then on files may name them.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            if function not in (fit_breaks, formulas):  # no use for JAX, a third of their time
                surroundings.start_jax(exits=function.__name__ in ("check", "locate", "lint"))
            for module in kwargs.get("allow") or ():
                from ci_theory.cli import modules

                modules.named(module)
            return function(*args, **kwargs)
        except (KeyboardInterrupt, BrokenPipeError, SystemExit) as stop:
            raise Stopped from stop

    app.command(function.__name__.removesuffix("_").replace("_", "-"))(run)
    return function


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a mistake is one line on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not surroundings.open_streams():
        print("ci-theory: standard output is closed: no answer can be given", file=sys.stderr)
        return BROKEN_PIPE
    for stream in (sys.stdout, sys.stderr):  # a terminal without Greek letters is no reason to die
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = typer.main.get_command(app)(
            args=words or ["--help"], prog_name="ci-theory", standalone_mode=False
        )
        sys.stdout.flush()
        return code or GOOD
    except SystemExit as stop:  # how the library answers a closed pipe before a command runs
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return BROKEN_PIPE
    except Exception as error:
        if "--debug" in words or os.environ.get("CI_THEORY_DEBUG"):
            from ci_theory._errors import printable

            for line in traceback.format_exc().splitlines():
                print(printable(line), file=sys.stderr)
        failure = explain(error) or bug(error)
        if failure.line:
            print(f"ci-theory: {failure.line}", file=sys.stderr)
        _drop_unwritten_output()
        return failure.code


def _drop_unwritten_output() -> None:
    """Give up what a closed pipe or a full disk would not take: Python flushes again at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ci-theory {__version__}")
        raise typer.Exit


@app.callback()
def entry(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print it")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
) -> None:
    """Declare the options that stand before a command."""


@_command
def list_(as_json: Json = False) -> None:
    """List the phenomena: claims, predictions, break points, axes."""
    from ci_theory.cli import describe, output

    entries = describe.catalogue()
    if as_json:
        output.print_json(entries)
    else:
        describe.print_catalogue(entries)


@_command
def show(name: Name, as_json: Json = False) -> None:
    """Show a phenomenon: model, formulas, scope, sources, axes."""
    from ci_theory.cli import describe, modules, output
    from ci_theory.cli import formulas as page

    entry = describe.document(modules.named(name)[1])
    page.attach(entry)
    if as_json:
        output.print_json(entry)
    else:
        describe.print_phenomenon(entry)
        page.print_formulas(entry["formulas"])


@_command
def formulas(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD ...]", show_default=False, help="a name, or words that must be there"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the closed forms: statement, scope, source, where; in full if WORD is one's name."""
    from ci_theory.cli import formulas as page
    from ci_theory.cli import output

    found = page.search(words or [])
    if as_json:
        output.print_json([page.describe(formula) for formula in found])
    elif len(found) == 1:
        page.print_one(page.describe(found[0]))
    else:
        page.print_list(found)


@_command
def predict(name: Name, values: Values = None, as_json: Json = False) -> None:
    """Evaluate closed forms at a point or over ranges.

    A value may be a list, n=10,20,30, or a range, n=geom(10,1000,50), lin(a,b,k), log(x,y,k).
    """
    from ci_theory.cli import modules, output
    from ci_theory.cli import predict as prediction
    from ci_theory.cli.assignments import split

    _, phenomenon = modules.named(name)
    made = prediction.document(phenomenon, split(values))
    if as_json:
        output.print_json(made)
    else:
        prediction.print_prediction(made, phenomenon)


@_command
def lint(
    name: Name,
    values: Values = None,
    every: Annotated[
        bool, typer.Option("--all", help="also the laws that compile the simulation")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check a phenomenon of your own: declarations, and the laws that all of them obey.

    It imports the module, which RUNS ITS CODE. key=value chooses the point that is looked at.
    Exit code 0: the laws hold; 1: one is broken.
    """
    from ci_theory.cli import lint as linting
    from ci_theory.cli import modules, output
    from ci_theory.cli.assignments import split

    _, phenomenon = modules.named(name)
    made = linting.document(phenomenon, split(values), every)
    if as_json:
        output.print_json(made)
    else:
        linting.print_lint(made, every)
    return 0 if made["good"] else 1


@_command
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print cells, memory and time; write nothing")
    ] = False,
    allow: Allow = None,
) -> None:
    """Run a sweep into its store, or resume it.

    key=value fixes a parameter or, as a list or a range, makes it an axis.
    """
    from ci_theory.cli import experiments
    from ci_theory.cli import run as sweeping
    from ci_theory.cli.assignments import split
    from ci_theory.sweeps import parse_shard

    sweep = sweeping.declared(experiment, split(values), replicates)
    folder = store or experiments.store_of(experiment)
    share = None if shard is None else parse_shard(shard)
    answer = sweeping.print_dry_run if dry_run else sweeping.run_and_print
    answer(sweep, folder, device, share)


@_command
def check(store: Stored, level: Level = 1e-3, as_json: Json = False, allow: Allow = None) -> int:
    """Judge the predictions by a sweep's results.

    Exit code 0: what is in scope agrees; 1: something disagrees; 3: the sweep cannot tell.
    """
    from ci_theory.cli import output, verdicts

    folder = verdicts.open_store(store).folder
    document, report = verdicts.check_store(folder, level)
    if as_json:
        output.print_json(document)
    else:
        verdicts.print_report(report)
    return report.exit_code


@_command
def locate(store: Stored, level: Level = 1e-3, as_json: Json = False, allow: Allow = None) -> int:
    """Locate break points, measured with an interval and predicted, and judge the predictions.

    Exit code 0: what is in scope agrees; 1: a break lies elsewhere than predicted in some slice;
    3: the sweep cannot tell, or nothing is predicted.
    """
    from ci_theory.cli import output, verdicts

    folder = verdicts.open_store(store).folder
    document, found = verdicts.locate_in_store(folder, level)
    if as_json:
        output.print_json(document)
    else:
        verdicts.print_breaks(found)
    return found.exit_code


@_command
def fit_breaks(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="your own curve: separated text, also .gz; - is standard input"
        ),
    ],
    x: Annotated[
        str | None, typer.Option("--x", metavar="COL", help="column of x: name or number [1]")
    ] = None,
    y: Annotated[
        list[str] | None,
        typer.Option(
            "--y",
            metavar="COL",
            show_default=False,
            help="column of y: name or number [2]; again for every other run of the curve",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="COL", help="column of precisions of log y, relative"),
    ] = None,
    sd: Annotated[
        str | None,
        typer.Option("--sd", metavar="COL", help="column of standard deviations of y, relative"),
    ] = None,
    ceiling: Annotated[
        float | None,
        typer.Option("--ceiling", metavar="VALUE", help="for what rises to VALUE: fits VALUE - y"),
    ] = None,
    breaks: Annotated[
        str, typer.Option("--breaks", metavar="auto|0..4", help="how many breaks")
    ] = "auto",
    least: Annotated[
        int, typer.Option("--least", metavar="N", help="the least number that auto may find")
    ] = 0,
    resolution: Annotated[
        float,
        typer.Option(
            "--resolution", metavar="SHARE", help="misfit, as a share of y, that is good enough"
        ),
    ] = 0.001,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="where the picture goes")
    ] = Path("results/figures"),
    no_figure: Annotated[bool, typer.Option("--no-figure", help="draw no picture")] = False,
    as_json: Json = False,
) -> None:
    """Fit a broken power law to your own curve: breaks with intervals.

    Give what falls (a loss or an error; or accuracy, with --ceiling 1), on any positive x: rows,
    parameters, steps.
    """
    from ci_theory.cli import fit_breaks as fitting
    from ci_theory.cli import output

    document, law = fitting.analyse(
        file,
        x=x,
        y=y,
        weights=weights,
        sd=sd,
        ceiling=ceiling,
        breaks=breaks,
        least=least,
        resolution=resolution,
        out=None if no_figure else out,
    )
    if as_json:
        output.print_json(document)
    else:
        fitting.print_fit(document, law)


@_command
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder for results and figures")
    ] = Path("results"),
) -> int:
    """Run the main job in small: sweeps, breaks, verdicts, figures."""
    from ci_theory.cli import demo as showing

    return showing.show(out)


@_command
def figure(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|EXPERIMENT|STORE]",
            show_default=False,
            help="a figure that comes with ci_theory; results to draw, by their experiment or "
            "folder; or the path of a script, whose code is run",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every figure")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="where the files go")] = Path(
        "results/figures"
    ),
    stores: Annotated[
        Path, typer.Option("--stores", metavar="DIR", help="where the results are")
    ] = Path("results/stores"),
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="from stores, running what is missing, and compare with kept"),
    ] = False,
    allow: Allow = None,
) -> int:
    """Make the figures that come with ci_theory, from kept results; or draw any sweep.

    Exit code 1: with --fresh, fresh and kept results differ beyond their errors.
    """
    from ci_theory.cli import figure as drawing
    from ci_theory.cli import output

    return drawing.make(name, every, out, stores, fresh, output.say)


@_command
def claims(
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="a folder with stores to check")
    ] = None,
    as_json: Json = False,
    allow: Allow = None,
) -> None:
    """Print the claims under test, and what the checks say of each."""
    from ci_theory.cli import claims as page
    from ci_theory.cli import output

    entries = page.table(results)
    if as_json:
        output.print_json(entries)
    else:
        page.print_claims(entries)
