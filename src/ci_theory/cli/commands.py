"""The commands of ``ci-theory``: what they take, and which module does the work."""

from pathlib import Path
from typing import Annotated

import typer

from ci_theory.cli.app import command
from ci_theory.cli.arguments import Allow, Experiment, Json, Level, Name, Stored, Values


@command(jax=False)
def list_(as_json: Json = False) -> None:
    """List the phenomena: claims, predictions, break points, axes."""
    from ci_theory.cli import again

    def work_out() -> None:
        from ci_theory.cli import describe, output

        entries = describe.catalogue()
        (output.print_json if as_json else describe.print_catalogue)(entries)

    again.answer(["list", f"json {as_json}"], work_out)


@command(jax=False)
def show(name: Name, as_json: Json = False) -> None:
    """Show a phenomenon: model, formulas, scope, sources, axes."""
    from ci_theory.cli import again, surroundings

    def work_out() -> None:
        from ci_theory.cli import describe, modules, output
        from ci_theory.cli import formulas as page

        entry = describe.document(modules.named(name)[1])
        page.attach(entry)
        if as_json:
            output.print_json(entry)
        else:
            describe.print_phenomenon(entry)
            page.print_formulas(entry["formulas"])

    if again.ours(name):
        again.answer(["show", name, f"json {as_json}"], work_out)
    else:
        surroundings.start_jax(exits=False)
        work_out()


@command(jax=False)
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


@command()
def predict(
    name: Name,
    values: Values = None,
    elasticity: Annotated[
        bool,
        typer.Option(
            "--elasticity", help="how each value changes with each number: d log value / d log it"
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Evaluate closed forms at a point or over ranges.

    A value may be a list, n=10,20,30, or a range, n=geom(10,1000,50), lin(a,b,k), log(x,y,k).
    """
    from ci_theory.cli import elasticity as differentiating
    from ci_theory.cli import modules, output
    from ci_theory.cli import predict as prediction
    from ci_theory.sweeps.values import split

    _, phenomenon = modules.named(name)
    if elasticity:
        found = differentiating.document(phenomenon, split(values))
        answer = output.print_json if as_json else differentiating.print_elasticity
        answer(found)
        return
    made = prediction.document(phenomenon, split(values))
    if as_json:
        output.print_json(made)
    else:
        prediction.print_prediction(made, phenomenon)


@command()
def explore(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            show_default=False,
            help="phenomenon to begin with: see `ci-theory list`; or a module of your own, WHOSE "
            "CODE IS RUN",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: a free one")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="only print the address")
    ] = False,
    static: Annotated[
        Path | None,
        typer.Option(
            "--static",
            metavar="DIR",
            show_default=False,
            help="write the pages to DIR instead: files that need no server",
        ),
    ] = None,
) -> None:
    """Open a page on which sliders move the curves, their breaks and a simulation.

    It is served on this machine, to this machine only.
    """
    from ci_theory.cli import explore as exploring

    if static is None:
        exploring.serve(name, port, not no_browser)
    else:
        exploring.write(name, static)


@command()
def solve(
    name: Name,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASURE=VALUE KNOB [key=value ...]",
            show_default=False,
            help="what is to be reached, by which number, and values of others; KNOB=LOW,HIGH "
            "gives its range",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Find the value of one number at which a prediction reaches a level.

    How many clean rows are needed, how much noise is tolerated? "none" is an answer too. Example:
    ci-theory solve ridge_peak test_error=1.25 n p=100 noise=1
    """
    from ci_theory.cli import modules, output
    from ci_theory.cli import solve as solving

    _, phenomenon = modules.named(name)
    made = solving.document(phenomenon, words)
    if as_json:
        output.print_json(made)
    else:
        solving.print_solutions(made)


@command(judges=True)
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
    from ci_theory.sweeps.values import split

    _, phenomenon = modules.named(name)
    made = linting.document(phenomenon, split(values), every)
    if as_json:
        output.print_json(made)
    else:
        linting.print_lint(made, every)
    return 0 if made["good"] else 1


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
            help="precision; float32 is cut near interpolation, and gets no verdict",
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
    if as_json:
        output.print_json(document)
    else:
        verdicts.print_report(report)
    return report.exit_code


@command(judges=True)
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


@command(jax=False)
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


@command(judges=True)
def learn(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="your own rows: .npz with features and labels; or separated text, also .gz, - is "
            "standard input",
        ),
    ],
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="COL", help="column or array of the labels [the last; labels, y]"
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", metavar="NAME", help="array of the features in a .npz"),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop",
            metavar="COL",
            show_default=False,
            help="column to leave out: name or number; again for more; constant: all that are",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option("--positive", metavar="CLASS", help="labels: +1 for CLASS, -1 for all others"),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="labels 0, 1, 2, ... are numbers, not classes")
    ] = False,
    ridge: Annotated[
        list[float] | None,
        typer.Option(
            "--ridge",
            metavar="R",
            show_default=False,
            help="total ridge; again for more [0 and the best]",
        ),
    ] = None,
    sizes: Annotated[
        list[int] | None,
        typer.Option(
            "--n",
            metavar="N",
            show_default=False,
            help="distinct training rows; again for more [a dozen]",
        ),
    ] = None,
    noise: Annotated[
        float, typer.Option("--noise", metavar="V", help="variance added to the training labels")
    ] = 0.0,
    repeated: Annotated[
        float, typer.Option("--repeated", metavar="F", help="share of training rows repeated")
    ] = 0.0,
    repeats: Annotated[
        float, typer.Option("--repeats", metavar="R", help="how often these appear")
    ] = 1.0,
    replicates: Annotated[
        int, typer.Option("--replicates", metavar="K", help="refits of each point")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="of the draws")] = 0,
    level: Level = 1e-3,
    effect: Annotated[
        float,
        typer.Option("--effect", metavar="SHARE", help="bias of the error that must be found"),
    ] = 0.1,
    no_centre: Annotated[
        bool, typer.Option("--no-centre", help="leave the means in: a fit without intercept")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="where the picture goes")
    ] = Path("results/figures"),
    no_figure: Annotated[bool, typer.Option("--no-figure", help="draw no picture")] = False,
    as_json: Json = False,
) -> int:
    """Predict the learning curve of ridge regression on your own rows, refit, and judge.

    Duplicates are found, counted and weighed. Exit code: 0 AGREES, 1 DISAGREES, 3 UNDERPOWERED.
    """
    from ci_theory.cli import learn as learning
    from ci_theory.cli import output

    document, found = learning.analyse(
        file,
        label=label,
        features=features,
        drop=drop or (),
        positive=positive,
        out=None if no_figure else out,
        ridge=ridge,
        sizes=sizes,
        noise=noise,
        repeated=repeated,
        repeats=repeats,
        replicates=replicates,
        seed=seed,
        level=level,
        effect=effect,
        centre=not no_centre,
        numbers=numbers,
    )
    if as_json:
        output.print_json(document)
    else:
        learning.print_curve(document, found)
    return found.exit_code


@command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder for results and figures")
    ] = Path("results"),
) -> int:
    """Run the main job in small: sweeps, breaks, verdicts, figures."""
    from ci_theory.cli import demo as showing

    return showing.show(out)


@command()
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


@command(jax=False)
def claims(
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="a folder with stores to check")
    ] = None,
    as_json: Json = False,
    allow: Allow = None,
) -> None:
    """Print the claims under test, and what the checks say of each."""
    from ci_theory.cli import again, surroundings

    def work_out() -> None:
        from ci_theory.cli import claims as page
        from ci_theory.cli import output

        entries = page.table(results)
        (output.print_json if as_json else page.print_claims)(entries)

    if results is None and not allow:
        again.answer(["claims", f"json {as_json}"], work_out)
    else:
        surroundings.start_jax(exits=False)
        work_out()
