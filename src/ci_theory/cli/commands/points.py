"""Commands that evaluate closed forms at points: nothing is simulated but on a page."""

from pathlib import Path
from typing import Annotated

import typer

from ci_theory.cli import again, surroundings
from ci_theory.cli.app import command
from ci_theory.cli.arguments import Json, Name, Values


@command(jax=False)
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

    def work_out() -> None:
        from ci_theory.cli import elasticity as differentiating
        from ci_theory.cli import modules, output
        from ci_theory.cli import predict as prediction
        from ci_theory.sweeps.values import split

        _, phenomenon = modules.named(name)
        if elasticity:
            found = differentiating.document(phenomenon, split(values))
            output.answer(found, as_json, lambda: differentiating.print_elasticity(found))
            return
        made = prediction.document(phenomenon, split(values))
        output.answer(made, as_json, lambda: prediction.print_prediction(made, phenomenon))

    if again.ours(name):
        words = ["predict", name, f"{elasticity} {as_json}", *(values or ())]
        again.answer(words, work_out, quickly=True)
    else:  # whether that code has changed, nobody knows
        surroundings.start_jax(exits=False, quickly=True)
        work_out()


@command()
def solve(
    name: Name,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASURE=VALUE KNOB [key=value]",
            show_default=False,
            help="what is to be reached, by which number, and values of others; KNOB=LOW,HIGH "
            "gives its range",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Find the number at which a prediction reaches a level.

    How many clean rows are needed, how much noise is tolerated? "none" is an answer too. Example:
    ci-theory solve ridge_peak test_error=1.25 n p=100 noise=1
    """
    from ci_theory.cli import modules, output
    from ci_theory.cli import solve as solving

    _, phenomenon = modules.named(name)
    made = solving.document(phenomenon, words)
    output.answer(made, as_json, lambda: solving.print_solutions(made))


@command()
def explore(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
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
    """Open a page to play with: sliders move curves and breaks.

    Dots are simulated beside them, and judged. It is served on this machine, to this machine only.
    """
    from ci_theory.cli import explore as exploring

    if static is None:
        exploring.serve(name, port, not no_browser)
    else:
        exploring.write(name, static)
