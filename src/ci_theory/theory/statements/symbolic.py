"""Closed forms as sympy statements: rendered for people, checked for their limits.

Each ``Statement`` is one equation with its symbols, regime, source and the limits that it must
have; ``implementation`` names the numerical function that computes it. The implementations stay
hand-written, in forms that keep their digits; the tests hold both against each other.

They are declared by rooms of the theory (``of_ridge``, ``of_rows``, ``of_inheritance``,
``of_attention``, ``of_memory``). sympy is loaded only with these modules; nothing else in the
package imports it at load time.

>>> statement = find("isotropic.local_minimum")
>>> print(statement.unicode())
p     1
─ = ─────
n       σ
    1 - ─
        w
>>> print(statement.latex())
\\frac{p}{n} = \\frac{1}{1 - \\frac{\\sigma}{w}}
"""

from ci_theory._errors import unknown
from ci_theory.theory.statements.of_attention import ATTENTION
from ci_theory.theory.statements.of_inheritance import INHERITANCE
from ci_theory.theory.statements.of_memory import MEMORY
from ci_theory.theory.statements.of_ridge import RIDGE
from ci_theory.theory.statements.of_rows import ROWS
from ci_theory.theory.statements.statement import Limit, Statement

__all__ = ["STATEMENTS", "Limit", "Statement", "concerning", "find", "stating"]

STATEMENTS: tuple[Statement, ...] = (*RIDGE, *ROWS, *INHERITANCE, *ATTENTION, *MEMORY)
"""Every statement, in order of name space."""


def find(name: str) -> Statement:
    """Return the statement of a name.

    Raises:
        BadInput: there is none; the message names the nearest.
    """
    for statement in STATEMENTS:
        if statement.name == name:
            return statement
    raise unknown("statement", name, [s.name for s in STATEMENTS])


def concerning(phenomenon: str) -> tuple[Statement, ...]:
    """Return the statements on which a phenomenon rests.

    >>> [s.name for s in concerning("repeated_data")][0]
    'repetition.pressure'
    """
    return tuple(s for s in STATEMENTS if phenomenon in s.phenomena)


def stating(phenomenon: str, prediction: str) -> tuple[Statement, ...]:
    """Return the statements of a prediction, those of its steps included.

    >>> [s.name for s in stating("ridge_peak", "train_error")]
    ['ridge.kappa', 'ridge.train_error']
    """
    return tuple(s for s in STATEMENTS if f"{phenomenon}.{prediction}" in s.predictions)
