"""The published figures: one script in ``paper_figs/`` each, from stores to files.

A script defines ``draw(stores) -> Figure`` and ends with ``main(__file__)``; the folder's listing
is the registry. It reads its sweeps through ``dataset``, which runs what is missing first.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

import ci_theory
from ci_theory._errors import BadInput, unknown
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
    return sorted({f.stem for folder in _folders("paper_figs") for f in folder.glob("[!_]*.py")})


def make(name: str, out: Path = OUT, stores: Path = STORES, *, preview: bool = False) -> list[Path]:
    """Regenerate a figure and return its files, a png and a pdf.

    Args:
        name: one of ``names()``.
        out: folder for the files.
        stores: folder with one store per experiment; what is missing is run first.
        preview: only a small png, for a page of the documentation.

    Raises:
        BadInput: no such figure, or a store or folder that cannot be used.
    """
    for folder in _folders("paper_figs"):
        script = folder / f"{name}.py"
        if name and script.is_file():
            drawing = _load(script)
            with style.applied():
                made = drawing(Path(stores))
            if preview:
                return style.save(made, Path(out), name, formats=("png",), dpi=PREVIEW)
            return style.save(made, Path(out), name)
    raise unknown("figure", name, names())


def dataset(experiment: str, stores: Path) -> "xarray.Dataset":
    """Return the results of an experiment, running what its store in ``stores`` does not hold.

    Raises:
        BadInput: no such experiment, or a store that holds another sweep.
    """
    for folder in _folders("experiments"):
        if (folder / f"{experiment}.toml").is_file():
            sweep = read_sweep(folder / f"{experiment}.toml")
            return run(sweep, Path(stores) / experiment).dataset()
    known = {f.stem for folder in _folders("experiments") for f in folder.glob("*.toml")}
    raise unknown("experiment", experiment, known)


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
        for file in make(path.stem, given.out, given.stores, preview=given.preview):
            print(file)
    except BadInput as problem:
        print(f"{path.name}: {problem}", file=sys.stderr)
        sys.exit(2)


def _folders(name: str) -> list[Path]:
    """Return the folders of this name: here, in an installed package, in a checkout."""
    package = Path(ci_theory.__file__).parent
    candidates = [Path(name), package / name, package.parents[1] / name]
    return [folder for folder in candidates if folder.is_dir()]


def _load(script: Path) -> Callable[[Path], Figure]:
    """Import a script by path and return its ``draw``."""
    spec = spec_from_file_location(f"paper_figs_{script.stem}", script)
    if spec is None or spec.loader is None:
        raise BadInput(f"{script}: cannot be imported")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    drawing = getattr(module, "draw", None)
    if not callable(drawing):
        raise BadInput(f"{script}: defines no draw(stores)")
    return drawing
