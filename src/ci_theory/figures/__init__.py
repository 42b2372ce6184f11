"""Pictures from stores and verdicts.

``curves`` and ``phase`` draw any sweep; ``make`` regenerates a published figure (one script in
``paper_figs/`` each, listed by ``names``). These two are imported when they are first asked for:
a picture of one fit needs neither sweeps nor JAX.
"""

from typing import TYPE_CHECKING, Any

from ci_theory.figures import _matplotlib  # noqa: F401 - before any module that draws

if TYPE_CHECKING:
    from ci_theory.figures.condensed import LEVEL
    from ci_theory.figures.paper import agreements, make, names

__all__ = ["LEVEL", "agreements", "make", "names"]


def __getattr__(name: str) -> Any:
    """Import the published figures on first use."""
    if name == "LEVEL":
        from ci_theory.figures import condensed

        return condensed.LEVEL
    if name in __all__:
        from ci_theory.figures import paper

        return getattr(paper, name)
    raise AttributeError(f"module 'ci_theory.figures' has no attribute {name!r}")
