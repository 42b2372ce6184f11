"""Pictures from stores and verdicts.

``curves`` and ``phase`` draw any sweep; ``make`` regenerates a published figure (one script in
``paper_figs/`` each, listed by ``names``).
"""

from ci_theory.figures.paper import make, names

__all__ = ["make", "names"]
