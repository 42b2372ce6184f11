"""A power law fitted to positive values: a description of what was measured, never a prediction.

>>> x = np.array([1.0, 2.0, 4.0, 8.0])
>>> law = fitted(x, np.stack([3 / x, 5 / x, 4 / x]))
>>> print(f"{law.slope.value:.2f}")
-1.00
"""

from typing import NamedTuple

import numpy as np

from ci_theory._errors import BadInput
from ci_theory.locate.student import quantile


class Fitted(NamedTuple):
    """A fitted number with its interval."""

    value: float
    low: float
    high: float


class Law(NamedTuple):
    """y = exp(level) x^slope, and by how much it is no such law.

    Attributes:
        slope: mean slope of log y against log x.
        bend: mean change of that slope per unit of log x, from a parabola; 0 for a power law.
        level: log y at x = 1 on the line.
    """

    slope: Fitted
    bend: Fitted
    level: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the law at x."""
        return np.exp(self.level + self.slope.value * np.log(x))


def fitted(x: np.ndarray, y: np.ndarray, confidence: float = 0.95) -> Law:
    """Fit every replicate by least squares in logarithms; intervals are Student's over replicates.

    Args:
        x: places (t,), at least 3 distinct ones > 0.
        y: values (r, t) > 0 of at least 3 replicates.
        confidence: coverage of the intervals, for normal replicates.

    Raises:
        BadInput: too few places or replicates, or a value that is not positive and finite.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or y.ndim != 2 or y.shape[1] != len(x):
        raise BadInput(f"law: x has shape {x.shape}, y has {y.shape}; expected (t,) and (r, t)")
    if len(np.unique(x)) < 3 or len(y) < 3:
        raise BadInput(f"law: {len(x)} places and {len(y)} replicates; expected at least 3 of each")
    if not (np.all(np.isfinite(y)) and np.all(y > 0) and np.all(x > 0)):
        raise BadInput("law: expected positive finite places and values")
    u = np.log(x)
    line = np.polynomial.polynomial.polyfit(u, np.log(y).T, 1)
    bent = np.polynomial.polynomial.polyfit(u - u.mean(), np.log(y).T, 2)
    return Law(
        _over_replicates(line[1], confidence),
        _over_replicates(2 * bent[2], confidence),
        float(line[0].mean()),
    )


def slope_through(x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray) -> Fitted:
    """Fit one slope to values that have an interval each, such as located breaks.

    Least squares in logarithms, every value weighted by its interval; the half-widths add up in
    squares, so that the level of the slope's interval is theirs.

    Args:
        x: places (t,), at least 2 distinct ones > 0.
        y: values (t,) > 0, independent of each other.
        low: lower ends of their intervals, (t,), > 0.
        high: upper ends, (t,), finite and above the lower ones.

    Raises:
        BadInput: too few places, or an interval that is open, empty or not positive.

    >>> x, y = np.array([1.0, 2.0, 4.0]), np.array([3.0, 6.0, 12.0])
    >>> found = slope_through(x, y, y / 1.1, y * 1.1)
    >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")
    1.00 [0.90, 1.10]
    """
    x, y, low, high = (np.asarray(v, float) for v in (x, y, low, high))
    if len(np.unique(x)) < 2:
        raise BadInput(f"law: {len(np.unique(x))} places; expected at least 2")
    if not (np.all(x > 0) and np.all(y > 0) and np.all((low > 0) & (low < high) & (high < np.inf))):
        raise BadInput("law: expected positive values, each with a finite interval")
    u, half = np.log(x), np.log(high / low) / 2
    weights = half**-2.0
    apart = weights * (u - np.average(u, weights=weights))
    pulls = apart / np.sum(apart * u)
    value, reach = float(pulls @ np.log(y)), float(np.sqrt(np.sum((pulls * half) ** 2)))
    return Fitted(value, value - reach, value + reach)


def _over_replicates(values: np.ndarray, confidence: float) -> Fitted:
    r = len(values)
    half = quantile(0.5 + confidence / 2, r - 1) * float(values.std(ddof=1)) / np.sqrt(r)
    mean = float(values.mean())
    return Fitted(mean, float(mean - half), float(mean + half))
