r"""Phases of the compute-optimal width of one-pass SGD on power laws: which two terms balance.

For large widths d and step numbers r the risk of ``averaged_sgd`` is a sum of powers d^a r^b: the
target not yet learned (F_pp), what the features cannot express (F_0), what they distort (F_ac)
and the sampling noise of SGD (K_pp). With a budget of f = d r the width that minimises the
largest term grows as f^width, and the risk there falls as f^-risk. For alpha < 1/2 the trace of the
inputs grows with their number, v in proportion to d, and the rate must fall as d^(2 alpha - 1).
"""

from typing import NamedTuple

from ci_theory._errors import BadInput

__all__ = ["PHASES", "Phase", "Term", "phase", "terms"]


class Term(NamedTuple):
    """One power law of the risk, d^width r^steps.

    Attributes:
        name: F_pp, F_0, F_ac or K_pp.
        width: exponent of the width.
        steps: exponent of the number of steps.
    """

    name: str
    width: float
    steps: float


class Phase(NamedTuple):
    """A phase and its exponents.

    Attributes:
        name: Ia to IVb.
        balance: the two terms that are equal at the optimum.
        width: d* ~ f^width.
        risk: P* ~ f^-risk.
    """

    name: str
    balance: tuple[str, str]
    width: float
    risk: float


PHASES = ("Ia", "Ib", "Ic", "II", "III", "IVa", "IVb")
"""Names of the phases."""

_TURN = 1 - 0.5**0.5  # below it K_pp falls as the width grows at a fixed budget


def _checked(alpha: float, beta: float) -> None:
    if not (alpha > 0 and beta >= 0 and alpha + beta > 0.5):
        raise BadInput(
            f"alpha = {alpha}, beta = {beta}: expected alpha > 0, beta >= 0, alpha + beta > 1/2"
        )


def terms(alpha: float, beta: float) -> tuple[Term, ...]:
    r"""Return the power laws whose sum the risk is, at a rate as large as is stable.

    .. math:: F_{pp} = (\gamma r)^{-\frac{2\alpha+2\beta-1}{2\alpha}}, \quad
        F_0 = d^{-2\alpha+\max(0,1-2\beta)}, \quad
        F_{ac} = d^{-1} r^{-1+\frac1{2\alpha}}, \quad
        K_{pp} = \gamma\,(\gamma r)^{-2+\frac1{2\alpha}}, \quad
        \gamma = d^{\min(0,\,2\alpha-1)}

    F_ac is there for 2 alpha > 1 and 2 beta > 1; K_pp for 2 beta > 1 and alpha > 1/4.

    Args:
        alpha: decay of the inputs' standard deviations, > 0.
        beta: decay of the target, >= 0, alpha + beta > 1/2.

    Regime: leading powers, d and r -> infinity. Source: arXiv:2405.15074; powers of the rate are
    derived in docs/dynamics/sgd.md.

    >>> [t.name for t in terms(0.7, 1.2)], [t.name for t in terms(0.4, 0.3)]
    (['F_pp', 'F_0', 'F_ac', 'K_pp'], ['F_pp', 'F_0'])
    """
    _checked(alpha, beta)
    rate = min(0.0, 2 * alpha - 1)
    learned = -(2 * alpha + 2 * beta - 1) / (2 * alpha)
    found = [
        Term("F_pp", rate * learned, learned),
        Term("F_0", max(0.0, 1 - 2 * beta) - 2 * alpha, 0.0),
    ]
    if 2 * beta > 1 and 2 * alpha > 1:
        found.append(Term("F_ac", -1.0, 1 / (2 * alpha) - 1))
    if 2 * beta > 1 and alpha > 0.25:
        power = 1 / (2 * alpha) - 2
        found.append(Term("K_pp", rate * (1 + power), power))
    return tuple(found)


def phase(alpha: float, beta: float) -> Phase:
    """Return the phase of a pair of decays and its exponents.

    On a line between two phases one of the two is returned. Risks agree there, and widths too but
    between IVa and IVb, where sampling noise at a fixed budget does not depend on the width.

    Args:
        alpha: decay of the inputs' standard deviations, > 0.
        beta: decay of the target, >= 0, alpha + beta > 1/2.

    Returns:
        exponents in closed form; Ib, Ic, IVa and IVb are those of alpha < 1/2.

    Regime: f -> infinity, one row a step. Source: arXiv:2405.15074; that every formula is the
    balance of the two largest ``terms`` is a test here.

    >>> for a, b in ((1.0, 0.3), (1.2, 0.8), (0.7, 1.2), (0.4, 0.3), (0.2, 0.8), (0.4, 1.0)):
    ...     found = phase(a, b)
    ...     print(f"{found.name:4}{found.width:.4f} {found.risk:.4f}", *found.balance)
    Ia  0.3333 0.5333 F_pp F_0
    II  0.4000 0.7500 F_pp F_ac
    III 0.5000 0.6429 K_pp F_ac
    Ib  0.5000 0.2000 F_pp F_0
    Ic  0.5682 0.2273 F_pp F_0
    IVa 0.5000 0.4000 K_pp F_0
    """
    _checked(alpha, beta)
    a, b = alpha, beta
    both = 2 * a + 2 * b - 1
    if 2 * a >= 1:
        if 2 * b <= 1:
            return Phase("Ia", ("F_pp", "F_0"), 1 / (2 * a + 1), both / (2 * a + 1))
        if b <= a:
            return Phase("II", ("F_pp", "F_ac"), b / (a + b), both / (2 * (a + b)))
        return Phase("III", ("K_pp", "F_ac"), 0.5, 1 - 1 / (4 * a))
    if 2 * b <= 1:
        return Phase("Ib", ("F_pp", "F_0"), 0.5, both / 2)
    if a <= 0.25:
        rest = 3 * a + 2 * b - 1 - 2 * a * b
        return Phase("Ic", ("F_pp", "F_0"), both / (2 * rest), a * both / rest)
    if a >= _TURN:
        return Phase("IVa", ("K_pp", "F_0"), 0.5, a)
    rest = 2 * b - a - 2 * a * b
    return Phase("IVb", ("F_pp", "K_pp"), (b - a) / rest, (1 - 2 * a) * both / (2 * rest))
