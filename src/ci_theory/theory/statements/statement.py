"""What a statement is: an equation with its symbols, regime, source and limits.

The statements themselves are in ``theory.statements.symbolic``; this module holds their symbols and how
they are rendered, evaluated and checked.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sympy as sp

__all__ = ["Limit", "Statement"]


def _positive(names: str) -> Any:
    return sp.symbols(names, positive=True)


n, p, f, g, q, level, kappa = _positive("n p f g q ell kappa")
alpha, rho, delta, sigma, w, t = _positive("alpha rho delta sigma w t")
B, gamma, r, gap = _positive("B gamma r epsilon")
slope = sp.Symbol("s", real=True)
E_te, E_tr, E_x = _positive("E_te E_tr E_x")

# what a symbol of a formula is in the arguments of the numerical functions
_ARGUMENTS = {
    sigma: sp.sqrt(sp.Symbol("noise", positive=True)),
    w: sp.sqrt(sp.Symbol("signal", positive=True)),
    delta: sp.Symbol("ridge", positive=True),
    r: sp.Symbol("source", positive=True),
    f: sp.Symbol("fraction", positive=True),
    rho: sp.Symbol("ratio", positive=True),
    level: sp.Symbol("level", positive=True),
}

_MEANINGS = {
    n: "training rows",
    p: "parameters (input dimension)",
    f: "share of the budget on repeated rows",
    g: "parameters per row, p/n",
    level: "ridge per row, δ/n [x²]",
    kappa: "effective ridge [x²]",
    alpha: "capacity exponent: eigenvalues k^-α",
    r: "source exponent: target power k^-(1 + 2αr)",
    rho: "repeats over budget per parameter: repeats p/(rows counted with repeats)",
    delta: "total ridge [x²]",
    sigma: "standard deviation of the label noise, noise = σ²",
    w: "norm of the target, signal = w² [label²/x²]",
    slope: "d log E_x / d log n",
    t: "regularisation per row of the budget that repetition leaves",
    B: "squared bias of the mean estimator [label²]",
    gamma: "df2/n, the share of a unit error that fitting adds again",
    E_te: "test error, label noise included [label²]",
    E_tr: "training error [label²]",
    E_x: "excess risk, test error - noise [label²]",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit that a statement must have: of its right-hand side, with ``given`` put in first."""

    words: str
    symbol: sp.Symbol
    point: Any
    value: Any
    given: Mapping[Any, Any] = dataclasses.field(default_factory=dict)

    def holds(self, expression: sp.Expr) -> bool:
        """Decide it with sympy."""
        prepared = sp.simplify(expression.subs(self.given))
        found = sp.limit(prepared, self.symbol, self.point, "+")
        wanted = sp.sympify(self.value).subs(self.given)
        return found == wanted or sp.simplify(found - wanted) == 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Statement:
    """One closed form, or the defining equation of a fixed point.

    Attributes:
        name: dotted name, unique.
        title: what it is, in words.
        equation: the statement; where ``closed`` its right-hand side is the value.
        regime: "exact", or the limit with its order.
        source: authors and arXiv id, or "derived here".
        implementation: dotted name of the numerical function below ``ci_theory.theory``.
        phenomena: names of the phenomena that rest on it.
        limits: limits that must hold; a test checks each.
        closed: whether the right-hand side can be evaluated as it stands.
    """

    name: str
    title: str
    equation: sp.Eq
    regime: str
    source: str
    implementation: str
    phenomena: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    closed: bool = True

    @property
    def expression(self) -> sp.Expr:
        """The right-hand side."""
        return self.equation.rhs

    @property
    def symbols(self) -> dict[str, str]:
        """Every symbol of the equation with its meaning and unit."""
        used = self.equation.free_symbols
        return {str(s): meaning for s, meaning in _MEANINGS.items() if s in used}

    def latex(self) -> str:
        """Render in LaTeX."""
        return sp.latex(self.equation, order="none")

    def unicode(self) -> str:
        """Render in Unicode, on several lines."""
        return sp.pretty(self.equation, order="none", use_unicode=True)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of what the right-hand side depends on, as the numerical functions call them."""
        return tuple(sorted(map(str, self.expression.subs(_ARGUMENTS).free_symbols)))

    def evaluate(self, **values: float) -> float:
        """Evaluate the right-hand side to 30 digits; noise = σ², signal = w², ridge = δ.

        Raises:
            TypeError: an argument is missing or not one of ``arguments``.
        """
        if set(values) != set(self.arguments):
            raise TypeError(f"{self.name} takes {self.arguments}, not {tuple(values)}")
        named = {str(s): s for s in self.expression.subs(_ARGUMENTS).free_symbols}
        exact = {named[k]: sp.Float(float(v), 40) for k, v in values.items()}
        return float(self.expression.subs(_ARGUMENTS).evalf(30, subs=exact))
