"""`ci-theory figure`: figures from stores.

The work is done by ``ci_theory.figures``, which offers

- ``names() -> list[str]``: the figures that there are;
- ``make(name, out, stores) -> list[Path]``: write one into the folder ``out`` and return its
  files, reading the results of experiments from ``stores/EXPERIMENT`` and running what is
  missing there.
"""

from pathlib import Path

from ci_theory import figures
from ci_theory._errors import BadInput, unknown


def make(name: str | None, every: bool, out: Path, stores: Path) -> list[Path]:
    """Make one figure, or every figure, and return the files written.

    Raises:
        BadInput: neither or both of a name and ``--all``, an unknown name, or what ``figures``
            finds wrong.
    """
    known = figures.names()
    if every == (name is not None):
        raise BadInput(f"figure: give one name or --all (known: {', '.join(known) or 'none'})")
    if name is not None and name not in known:
        raise unknown("figure", name, known)
    made = []
    for one in known if name is None else [name]:
        made += figures.make(one, out, stores)
    return made
