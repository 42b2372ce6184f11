"""The published figures: one script in ``paper_figs/`` each, from stores to files.

A script defines ``draw(stores) -> Figure`` and ends with ``main(__file__)``; the folder's listing
is the registry, and a script of one's own is given as a path. It reads its sweeps through
``dataset``, which runs what is missing first.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from ci_theory import _shipped
from ci_theory._errors import BadInput, printable
from ci_theory._shipped import EXPERIMENT, FIGURE
from ci_theory._types import enable_float64
from ci_theory.figures import style
from ci_theory.sweeps import read_sweep, run

if TYPE_CHECKING:
    import xarray

__all__ = ["PREVIEW", "dataset", "main", "make", "names"]

OUT, STORES = Path("results/figures"), Path("results/stores")
PREVIEW = 110  # dots per inch: a full-width picture stays below 150 kB


def names() -> list[str]:
    """List the published figures."""
    return _shipped.names(FIGURE)


def make(name: str, out: Path = OUT, stores: Path = STORES, *, preview: bool = False) -> list[Path]:
    """Regenerate a figure and return its files, a png and a pdf.

    Args:
        name: one of ``names()``, or the path of a script (``./mine.py``), whose code is run.
        out: folder for the files.
        stores: folder with one store per experiment; what is missing is run first.
        preview: only a small png, for a page of the documentation.

    Raises:
        BadInput: no such figure, or a store or folder that cannot be used.
    """
    script = _shipped.find(FIGURE, name)
    drawing = _load(script)
    with style.applied():
        made = drawing(Path(stores))
    if preview:
        return style.save(made, Path(out), script.stem, formats=("png",), dpi=PREVIEW)
    return style.save(made, Path(out), script.stem)


def dataset(experiment: str, stores: Path) -> "xarray.Dataset":
    """Return the results of an experiment, running what its store in ``stores`` does not hold.

    Args:
        experiment: one that comes with the package, or the path of a sweep file.
        stores: folder with one store per experiment.

    Raises:
        BadInput: no such experiment, or a store that holds another sweep.
    """
    file = _shipped.find(EXPERIMENT, experiment)
    return run(read_sweep(file), Path(stores) / file.stem).dataset()


def main(script: str) -> None:
    """Run a figure script as a program: ``python NAME.py [--out DIR] [--stores DIR]``."""
    path = Path(script)
    parser = argparse.ArgumentParser(prog=path.name, description=f"Draw the figure {path.stem}.")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the files ({OUT})")
    parser.add_argument("--stores", type=Path, default=STORES, help=f"sweep stores ({STORES})")
    parser.add_argument("--preview", action="store_true", help="only a small png")
    given = parser.parse_args()
    enable_float64()
    try:
        for file in make(str(path.absolute()), given.out, given.stores, preview=given.preview):
            print(printable(file))
    except BadInput as problem:
        print(printable(f"{path.name}: {problem}"), file=sys.stderr)
        sys.exit(2)


def _load(script: Path) -> Callable[[Path], Figure]:
    """Import a script by path and return its ``draw``."""
    spec = spec_from_file_location(f"paper_figs_{script.stem}", script)
    if spec is None or spec.loader is None:
        raise BadInput(f"{script}: cannot be imported")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BadInput:
        raise
    except (Exception, SystemExit) as problem:  # a script of the user's: any mistake may be in it
        raise BadInput(f"{script}: cannot be run: {type(problem).__name__}: {problem}") from problem
    drawing = getattr(module, "draw", None)
    if not callable(drawing):
        raise BadInput(f"{script}: defines no draw(stores)")
    return drawing
