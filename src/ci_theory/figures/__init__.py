"""Pictures from stores and verdicts.

``curves`` and ``phase`` draw any sweep; ``make`` regenerates a published figure (one script in
``paper_figs/`` each, listed by ``names``). These two are imported when they are first asked for:
a picture of one fit needs neither sweeps nor JAX.
"""

import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ci_theory.figures.paper import make, names

__all__ = ["make", "names"]


def _import_matplotlib() -> None:
    """Import matplotlib whatever surrounds it, and leave that as it was.

    A notebook's MPLBACKEND may name a module that is not installed here, for which matplotlib does
    not start, though no picture of ours has a backend; and of a home that cannot be written to it
    tells at length on stderr.
    """
    if "matplotlib" in sys.modules:
        return
    log, backend = logging.getLogger("matplotlib"), os.environ.pop("MPLBACKEND", None)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        import matplotlib.figure
    finally:
        log.setLevel(level)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:  # for a user's own pyplot
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


_import_matplotlib()


def __getattr__(name: str) -> Any:
    """Import the published figures on first use."""
    if name in __all__:
        from ci_theory.figures import paper

        return getattr(paper, name)
    raise AttributeError(f"module 'ci_theory.figures' has no attribute {name!r}")
