"""The pages to play with, for the site: ``python -m web.play OUT NAME...``, unless they are there.

They are those of ``ci-theory explore --static`` but for the curves that a page works out itself.
What they are made of is the text of the package and of its sweeps: while that stays, they do.
"""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ci_theory import enable_float64
from ci_theory.explore import site
from ci_theory.phenomena import load

__all__ = ["digest", "written"]

ROOT = Path(__file__).resolve().parents[2]
MADE_OF = ("src/ci_theory/**/*.*", "experiments/*.toml")
NOTE = "made-of.txt"
"""File beside the pages: the digest of what they were made of."""


def digest(of: Sequence[str], root: Path = ROOT) -> str:
    """Return the digest of all that the pages of some phenomena follow from."""
    found = hashlib.sha256(f"{version('jax')} {version('numpy')} {' '.join(of)}".encode())
    files = {file for one in MADE_OF for file in root.glob(one) if file.suffix != ".pyc"}
    for file in sorted(files):
        if file.is_file():
            found.update(f"\n{file.relative_to(root)}\n".encode() + file.read_bytes())
    return found.hexdigest()


def written(folder: Path, wanted: str) -> bool:
    """Say whether a folder holds the pages that were made of just this."""
    note = folder / NOTE
    return note.is_file() and note.read_text(encoding="utf-8") == wanted


def main() -> None:
    """Write the pages of the phenomena that are named, unless they are there."""
    folder, named = Path(sys.argv[1]), sys.argv[2:]
    wanted = digest(named)
    if written(folder, wanted):
        return
    enable_float64()
    shutil.rmtree(
        folder, ignore_errors=True
    )  # none stays of another time; nor if this ends half-way
    folder.mkdir(parents=True)
    site.write(folder, [(name, load(name)) for name in named], lambda _: None, every_curve=False)
    (folder / NOTE).write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
