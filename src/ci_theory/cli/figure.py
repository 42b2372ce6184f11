"""`ci-theory figure`: figures from kept results or from stores.

The work is done by ``ci_theory.figures``, which offers

- ``names() -> list[str]``: the figures that there are;
- ``make(name, out, stores, fresh=...) -> list[Path]``: write one of these, or that of a script
  given by its path, into the folder ``out`` and return its files, reading the kept results of
  experiments, or ``stores/EXPERIMENT``, where what is missing is run;
- ``agreements(name, stores)``: compare the second with the first, sweep by sweep.
"""

from collections.abc import Callable
from pathlib import Path

from ci_theory import figures
from ci_theory._errors import BadInput


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
