"""The published figures: one script in ``paper_figs/`` each, from results to files.

A script names its sweeps in ``EXPERIMENTS``, defines ``draw(results) -> Figure`` and ends with
``main(__file__)``; the folder's listing is the registry, and a script of one's own is given as a
path. It reads its sweeps through ``dataset``: what comes with the package from the results kept
in ``paper_figs/data``, unless all is to be fresh; anything else from its store, and what is
missing there is run first.
"""

import argparse
import ast
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from ci_theory import _shipped
from ci_theory._errors import BadInput, printable
from ci_theory._shipped import EXPERIMENT, FIGURE
from ci_theory._types import enable_float64
from ci_theory.figures import agreement, kept, style
from ci_theory.figures.agreement import Agreement
from ci_theory.sweeps import read_sweep, run

if TYPE_CHECKING:
    import xarray

__all__ = [
    "PREVIEW",
    "Results",
    "agreements",
    "dataset",
    "kept_file",
    "main",
    "make",
    "names",
    "shown",
]

OUT, STORES = Path("results/figures"), Path("results/stores")
PREVIEW = 110  # dots per inch: a full-width picture stays below 150 kB


class Results(NamedTuple):
    """Where a figure's results come from.

    Attributes:
        stores: folder with one store per experiment.
        fresh: whether these are used also where a result is kept.
    """

    stores: Path = STORES
    fresh: bool = False


def names() -> list[str]:
    """List the published figures."""
    return _shipped.names(FIGURE)


def shown() -> dict[str, str]:
    """Return for every sweep that a published figure shows the name of the first that does."""
    found: dict[str, str] = {}
    for name in names():
        text = _shipped.find(FIGURE, name).read_text(encoding="utf-8")
        declared = re.search(r"^EXPERIMENTS = (\(.*?\))$", text, re.DOTALL | re.MULTILINE)
        for sweep in ast.literal_eval(declared[1]) if declared else ():
            found.setdefault(sweep, name)
    return found


def make(
    name: str,
    out: Path = OUT,
    stores: Path = STORES,
    *,
    fresh: bool = False,
    preview: bool = False,
) -> list[Path]:
    """Draw a figure anew and return its files, a png and a pdf.

    Args:
        name: one of ``names()``, or the path of a script (``./mine.py``), whose code is run.
        out: folder for the files.
        stores: folder with one store per experiment; what is missing is run first.
        fresh: draw from the stores also what the package keeps the result of.
        preview: only a small png, for a page of the documentation.

    Raises:
        BadInput: no such figure, or a store or folder that cannot be used.
    """
    script = _shipped.find(FIGURE, name)
    drawing = _load(script).draw
    with style.applied():
        made = drawing(Results(Path(stores), fresh))
    if preview:
        return style.save(made, Path(out), script.stem, formats=("png",), dpi=PREVIEW)
    return style.save(made, Path(out), script.stem)


def agreements(name: str, stores: Path = STORES) -> list[Agreement]:
    """Compare the stores of a figure's sweeps with the results kept of them: see ``agreement``.

    Args:
        name: as for ``make``; sweeps of which nothing is kept are not compared.
        stores: folder with one store per experiment; what is missing is run first.
    """
    found = []
    for experiment in getattr(_load(_shipped.find(FIGURE, name)), "EXPERIMENTS", ()):
        file = kept_file(experiment)
        if file is not None:
            fresh = dataset(experiment, Results(Path(stores), fresh=True))
            found.append(agreement.compare(kept.read(file), fresh))
    return found


def dataset(experiment: str, results: Results) -> "xarray.Dataset":
    """Return the results of an experiment: kept ones, condensed, or the runs of its store.

    Args:
        experiment: one that comes with the package, or the path of a sweep file.
        results: where from; what the store does not hold is run.

    Raises:
        BadInput: no such experiment, or a store that holds another sweep.
    """
    file = _shipped.find(EXPERIMENT, experiment)
    known = None if results.fresh else kept_file(experiment)
    if known is not None:
        return kept.read(known)
    return run(read_sweep(file), results.stores / file.stem).dataset()


def kept_file(experiment: str) -> Path | None:
    """Return the file that keeps the result of an experiment of the package; None without one."""
    if _shipped.is_path(EXPERIMENT, experiment):
        return None
    files = [folder / "data" / f"{experiment}.csv" for folder in _shipped.folders(FIGURE)]
    return next((file for file in files if file.is_file()), None)


def main(script: str) -> None:
    """Run a figure script as a program: ``python NAME.py [--fresh] [--out DIR] [--stores DIR]``."""
    path = Path(script)
    parser = argparse.ArgumentParser(prog=path.name, description=f"Draw the figure {path.stem}.")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the files ({OUT})")
    parser.add_argument("--stores", type=Path, default=STORES, help=f"sweep stores ({STORES})")
    parser.add_argument("--fresh", action="store_true", help="from stores, not from kept results")
    parser.add_argument("--preview", action="store_true", help="only a small png")
    given = parser.parse_args()
    enable_float64()
    how = {"fresh": given.fresh, "preview": given.preview}
    try:
        for file in make(str(path.absolute()), given.out, given.stores, **how):
            print(printable(file))
    except BadInput as problem:
        print(printable(f"{path.name}: {problem}"), file=sys.stderr)
        sys.exit(2)


def _load(script: Path) -> ModuleType:
    """Import a script, which defines ``draw``, by its path."""
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
    if not callable(getattr(module, "draw", None)):
        raise BadInput(f"{script}: defines no draw(results)")
    return module
