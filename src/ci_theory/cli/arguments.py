"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

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
    typer.Argument(metavar="key=value", show_default=False, help="values of axes; again for more"),
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
Pictures = Annotated[Path, typer.Option("--out", metavar="DIR", help="where pictures go")]
NoFigure = Annotated[bool, typer.Option("--no-figure", help="draw no picture")]
PICTURES = Path("results/figures")
