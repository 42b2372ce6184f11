"""`ci-theory figure`: figures from stores.

The work is done by ``ci_theory.figures``, which offers

- ``names() -> list[str]``: the figures that there are;
- ``make(name, out, stores) -> list[Path]``: write one of these, or that of a script given by its
  path, into the folder ``out`` and return its files, reading the results of experiments from
  ``stores/EXPERIMENT`` and running what is missing there.
"""

from pathlib import Path

from ci_theory import figures
from ci_theory._errors import BadInput


def make(name: str | None, every: bool, out: Path, stores: Path) -> list[Path]:
    """Make one figure, or every figure, and return the files written.

    Raises:
        BadInput: neither or both of a name and ``--all``, an unknown name, or what ``figures``
            finds wrong.
    """
    known = figures.names()
    if every == (name is not None):
        raise BadInput(f"figure: give one name or --all (known: {', '.join(known) or 'none'})")
    made = []
    for one in known if name is None else [name]:
        made += figures.make(one, out, stores)
    return made
