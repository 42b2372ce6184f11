"""The statements behind a phenomenon as MathML, which browsers show by themselves.

>>> [one["name"] for one in of("ridge_peak")][:2]
['ridge.kappa', 'ridge.test_error']
>>> of("somebody_elses")
[]
"""

from functools import cache
from typing import Any


@cache
def of(phenomenon: str) -> list[dict[str, Any]]:
    """Return the statements on which a phenomenon rests: as MathML, with their symbols' meaning.

    Args:
        phenomenon: its name.

    Returns:
        {"name", "title", "mathml", "regime", "source", "predictions", "symbols"}; of a
        symbol its MathML and its meaning.
    """
    import sympy  # a second, for the first page only

    from ci_theory.theory.statements.symbolic import concerning

    def mathml(expression: Any) -> str:
        return str(sympy.mathml(expression, printer="presentation"))

    return [
        {
            "name": s.name,
            "title": s.title,
            "mathml": mathml(s.equation),
            "regime": s.regime,
            "source": s.source,
            "predictions": [
                told.partition(".")[2]
                for told in s.predictions
                if told.partition(".")[0] == phenomenon
            ],
            "symbols": [
                {"mathml": mathml(sympy.Symbol(name)), "meaning": meaning}
                for name, meaning in s.symbols.items()
            ],
        }
        for s in concerning(phenomenon)
    ]
