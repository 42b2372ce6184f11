"""The commands of ``ci-theory``: what they take, and which module does the work.

The help lists them in the order of these imports and, in each file, of their declarations.
"""

from ci_theory.cli.commands import known, points, results, own  # isort: skip

__all__ = ["known", "own", "points", "results"]
