"""Where experiments and their results are: a path, or a name looked up in three places.

A name is looked for in ``./experiments``, then among the experiments that come with the package
(inside an installed one, beside ``src`` in a checkout).
"""

from pathlib import Path

import ci_theory
from ci_theory._errors import BadInput, unknown

STORES = Path("results") / "stores"
"""Where a sweep's results go unless the user says otherwise."""


def folders() -> list[Path]:
    """Return the folders in which an experiment is looked for by name, in order."""
    package = Path(ci_theory.__file__).parent
    candidates = [
        Path("experiments"),
        package / "experiments",
        package.parents[1] / "experiments",
    ]
    return [folder for folder in candidates if folder.is_dir()]


def names() -> list[str]:
    """List the experiments that can be named."""
    return sorted({file.stem for folder in folders() for file in folder.glob("*.toml")})


def find(experiment: str) -> Path:
    """Return the file of an experiment given as a path or as a name.

    Raises:
        BadInput: no such file, or no such name.
    """
    path = Path(experiment)
    if path.suffix == ".toml" or path.parent != Path() or path.is_file():
        if not path.is_file():
            raise BadInput(f"{experiment}: no such file")
        return path
    for folder in folders():
        if (folder / f"{experiment}.toml").is_file():
            return folder / f"{experiment}.toml"
    raise unknown("experiment", experiment, names())


def store_of(experiment: str, stores: Path = STORES) -> Path:
    """Return the folder that holds, or will hold, the results of an experiment."""
    return stores / find(experiment).stem
