"""Commands for what is the user's own: a phenomenon, a curve, rows."""

from pathlib import Path
from typing import Annotated

import typer

from ci_theory.cli.app import command
from ci_theory.cli.arguments import PICTURES, Json, Level, Name, NoFigure, Pictures, Values


@command(judges=True)
def lint(
    name: Name,
    values: Values = None,
    every: Annotated[
        bool, typer.Option("--all", help="also the laws that compile the simulation")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check a phenomenon of your own.

    Its declarations are looked at, and the laws that all phenomena obey. It imports the module,
    which RUNS ITS CODE. key=value chooses the point that is looked at.
    Exit code 0: the laws hold; 1: one is broken.
    """
    from ci_theory.cli import lint as linting
    from ci_theory.cli import modules, output
    from ci_theory.sweeps.values import split

    _, phenomenon = modules.named(name)
    made = linting.document(phenomenon, split(values), every)
    output.answer(made, as_json, lambda: linting.print_lint(made, every))
    return 0 if made["good"] else 1


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
    out: Pictures = PICTURES,
    no_figure: NoFigure = False,
    as_json: Json = False,
) -> None:
    """Fit a broken power law to your own curve.

    Its breaks have intervals. Give what falls (a loss or an error; or accuracy, with --ceiling 1),
    on any positive x: rows, parameters, steps.
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
    output.answer(document, as_json, lambda: fitting.print_fit(document, law))


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
    out: Pictures = PICTURES,
    no_figure: NoFigure = False,
    as_json: Json = False,
) -> int:
    """Predict the learning curve of your own rows, refit, and judge.

    It is that of ridge regression. Duplicates are found, counted and weighed. Exit code: 0 AGREES,
    1 DISAGREES, 3 UNDERPOWERED.
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
    output.answer(document, as_json, lambda: learning.print_curve(document, found))
    return found.exit_code
