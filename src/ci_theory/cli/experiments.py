"""Where experiments and their results are: a path to a file, or a name that comes with ci_theory.

A name never finds a file in the current folder: see ``ci_theory._shipped``.
"""

from pathlib import Path

from ci_theory import _shipped
from ci_theory._errors import BadInput
from ci_theory._shipped import EXPERIMENT

STORES = Path("results") / "stores"
"""Where a sweep's results go unless the user says otherwise."""


def names() -> list[str]:
    """List the experiments that can be named."""
    return _shipped.names(EXPERIMENT)


def find(experiment: str) -> Path:
    """Return the file of an experiment given as a path or as a name.

    Raises:
        BadInput: no such file, or no such name.
    """
    return _shipped.find(EXPERIMENT, experiment)


def store_of(experiment: str, stores: Path = STORES) -> Path:
    """Return the folder that holds, or will hold, the results of an experiment.

    Raises:
        BadInput: no such experiment, or a file such as ``...toml`` whose name makes no folder.
    """
    stem = find(experiment).stem
    if not stem.strip(". "):
        raise BadInput(f"{experiment}: '{stem}' cannot be the name of a folder: rename the file")
    return stores / stem
