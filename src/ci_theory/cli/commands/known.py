"""Commands that tell what is known: claims, the main job in small, phenomena, closed forms."""

from pathlib import Path
from typing import Annotated

import typer

from ci_theory.cli.app import command
from ci_theory.cli.arguments import Allow, Json, Name


@command(jax=False)
def claims(
    numbers: Annotated[
        list[str] | None,
        typer.Argument(metavar="NUMBER", show_default=False, help="only these claims"),
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="a folder with stores to check")
    ] = None,
    as_json: Json = False,
    allow: Allow = None,
) -> None:
    """Print the claims under test, and what the checks say of each."""
    from ci_theory.claims import numbered
    from ci_theory.cli import again, surroundings

    wanted = numbered(numbers or [])

    def work_out() -> None:
        from ci_theory.cli import claims as page
        from ci_theory.cli import output

        entries = page.table(results, wanted)
        output.answer(entries, as_json, lambda: page.print_claims(entries))

    if results is None:  # no store that a module of the user's would be allowed for
        asked = [str(number) for number in wanted] if numbers else []
        again.answer(["claims", *asked, f"json {as_json}"], work_out)
    else:
        surroundings.start_jax(exits=False)
        work_out()


@command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder for results and figures")
    ] = Path("results"),
) -> int:
    """Run the main job in small: sweeps, breaks, verdicts, figures."""
    from ci_theory.cli import demo as showing

    return showing.show(out)


@command(jax=False)
def list_(as_json: Json = False) -> None:
    """List the phenomena: claims, predictions, break points, axes."""
    from ci_theory.cli import again

    def work_out() -> None:
        from ci_theory.cli import describe, output

        entries = describe.catalogue()
        output.answer(entries, as_json, lambda: describe.print_catalogue(entries))

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
            metavar="WORD", show_default=False, help="a name, or words that must be there"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the closed forms: statement, scope, source, where.

    A word that is the name of one shows that one in full.
    """
    from ci_theory.cli import formulas as page
    from ci_theory.cli import output

    found = page.search(words or [])
    if as_json:
        output.print_json([page.describe(formula) for formula in found])
    elif len(found) == 1:
        page.print_one(page.describe(found[0]))
    else:
        page.print_list(found)
