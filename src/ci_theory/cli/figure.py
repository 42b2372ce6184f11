"""`ci-theory figure`: the published figures, or a picture of whatever was swept.

The first are made by ``ci_theory.figures``, which offers

- ``names() -> list[str]``: the figures that there are;
- ``make(name, out, stores, fresh=...) -> list[Path]``: write one of these, or that of a script
  given by its path, into the folder ``out`` and return its files, reading the kept results of
  experiments, or ``stores/EXPERIMENT``, where what is missing is run;
- ``agreements(name, stores)``: compare the second with the first, sweep by sweep.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from ci_theory import _shipped, figures
from ci_theory._errors import BadInput
from ci_theory._shipped import EXPERIMENT
from ci_theory.cli import output


def make(
    name: str | None,
    every: bool,
    out: Path,
    stores: Path,
    fresh: bool,
    say: Callable[[object], None],
) -> int:
    """Make one figure, or every figure; say which files were written, and whether fresh ones agree.

    Returns:
        Exit code: 1 if fresh results and kept ones differ beyond their errors, else 0.

    Raises:
        BadInput: neither or both of a name and ``--all``, an unknown name, or what ``figures``
            finds wrong.
    """
    if name is not None and not every and _is_of_a_sweep(name):
        for file in picture(name, out):
            say(file)
        return 0
    known = figures.names()
    if every == (name is not None):
        raise BadInput(f"figure: give one name or --all (known: {', '.join(known) or 'none'})")
    compared, differ = 0, []
    for one in known if name is None else [name]:
        for file in figures.make(one, out, stores, fresh=fresh):
            say(file)
        if fresh:
            found = figures.agreements(one, stores)
            for line in "\n".join(map(str, found)).splitlines():
                say(f"  {line}")
            compared += len(found)
            differ += [one] if not all(each.agrees for each in found) else []
    if fresh:
        words = f"DIFFER beyond their errors: {', '.join(differ)}" if differ else "agree"
        words = words if compared else "were not compared"
        say(f"fresh and kept results {words}; {compared} sweeps, level {figures.LEVEL:g} a sweep")
    return 1 if differ else 0


def _is_of_a_sweep(name: str) -> bool:
    """Say whether a word means a folder of results or an experiment, and no published figure."""
    if name in figures.names():
        return False
    experiment = name.endswith(EXPERIMENT.ending) or name in _shipped.names(EXPERIMENT)
    return Path(name).is_dir() or experiment


def picture(place: str, out: Path) -> list[Path]:
    """Draw the results of a sweep and return the files written; say what is not shown.

    Args:
        place: a store, or an experiment that was run.
        out: folder for the files.

    Raises:
        BadInput: no results there, or nothing was swept.
    """
    from ci_theory.cli import verdicts
    from ci_theory.figures import overview, style

    folder = verdicts.open_store(place).folder
    data = verdicts.complete_dataset(verdicts.readable(folder))
    for line in overview.choose(data).left_out:
        output.say(f"ci-theory: not shown: {line}", file=sys.stderr)
    with style.applied():
        made = overview.draw(data, title=data.attrs.get("title") or None)
        return style.save(made, out, folder.resolve().name)
