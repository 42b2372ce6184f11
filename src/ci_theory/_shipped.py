"""What comes with the package beside its modules: declared experiments and figure scripts.

A *name* finds only these. A *path*, which has a folder or the ending of the file in it, finds a
file of the user's. So nothing is run because of how a file in the current folder is called.
"""

from pathlib import Path
from typing import NamedTuple

import ci_theory
from ci_theory._errors import BadInput, unknown


class Kind(NamedTuple):
    """A kind of file that comes with the package: what it is called, its folder, its ending."""

    word: str
    folder: str
    ending: str


EXPERIMENT = Kind("experiment", "experiments", ".toml")
FIGURE = Kind("figure", "paper_figs", ".py")
_ENDINGS = (EXPERIMENT.ending, FIGURE.ending)


def folders(kind: Kind) -> list[Path]:
    """Return the folders of a kind: inside an installed package, beside ``src`` in a checkout."""
    package = Path(ci_theory.__file__).parent
    candidates = [package / kind.folder, package.parents[1] / kind.folder]
    return [folder for folder in candidates if folder.is_dir()]


def names(kind: Kind) -> list[str]:
    """List what has a name; what begins with an underscore has none."""
    return sorted({f.stem for folder in folders(kind) for f in folder.glob(f"[!_]*{kind.ending}")})


def is_path(kind: Kind, given: str) -> bool:
    """Say whether words mean a file of the user's and not a name."""
    return given.endswith(kind.ending) or Path(given).name != given


def find(kind: Kind, given: str) -> Path:
    """Return the file that a name or a path means.

    Raises:
        BadInput: no such file, or no such name; then what would find a file here is said.
    """
    if is_path(kind, given):
        if not Path(given).is_file():
            raise BadInput(f"{given}: no such file")
        return Path(given)
    if given in names(kind):
        candidates = (folder / f"{given}{kind.ending}" for folder in folders(kind))
        return next(file for file in candidates if file.is_file())
    here = [Path(given), Path(kind.folder) / f"{given}{kind.ending}"]
    for file in here:
        if file.is_file() and given.endswith(_ENDINGS):
            raise BadInput(f"{given}: no {kind.word}, whose file ends in {kind.ending}")
        if file.is_file():
            raise BadInput(
                f"{kind.word} '{given}': a name finds what comes with ci_theory; "
                f"for the file here write ./{file}"
            )
    raise unknown(kind.word, given, names(kind))
