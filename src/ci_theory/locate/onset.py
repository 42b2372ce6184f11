"""Where a rising curve would reach a level, foretold from its part well below: a transition."""

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ci_theory._errors import Status
from ci_theory.locate.point import BreakPoint, Curve, clean, missing
from ci_theory.locate.student import quantile

FEWEST = 3  # places that a parabola needs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Onset:
    """The place where a curve reaches ``level``, carried on from where it is ``low`` to ``high``.

    At a transition a sample of finite size is rounded off: no curve of it crosses anything there.
    Well before it the curve is that of the limit, and rises nearly as a power of the axis. So log x
    is fitted there as a parabola in log y, by least squares over the places, and read off at the
    level; the same for a simulated curve and for a formula. The place may lie beyond the axis, no
    further than the fit is wide. The interval is Student's over jackknifed replicates, in log x.

    Attributes:
        level: the level, in units of the curve, above ``high``.
        low: places with a lower mean are left out; likewise ``high``.
        confidence: coverage of the interval.
        log_axis: always a logarithmic axis; None and True mean the same.

    >>> x = np.geomspace(0.1, 1, 9)
    >>> print(f"{Onset(level=1.0, low=0.01, high=0.5).locate(x, (x / 0.9) ** 2).value:.6f}")
    0.900000
    >>> Onset(level=1.0, low=0.01, high=0.5).locate(x, 0.02 / x).status
    <Status.NO_BREAK: 4>
    """

    singly: ClassVar[bool] = False  # breaks are those of the mean curve

    level: float = 1.0
    low: float = 0.01
    high: float = 0.4
    confidence: float = 0.95
    log_axis: bool | None = True

    def locate(self, x: ArrayLike, y: ArrayLike) -> BreakPoint:
        """Locate the onset in a formula y (t,) or in replicates y (r, t).

        Returns:
            BreakPoint with ``height`` equal to the level. NO_BREAK where fewer than 3 places are
            between ``low`` and ``high``, where the curve does not rise from each of them to the
            next, or where it is not about to reach the level; NOT_FINITE where fewer than 3
            replicates are left.
        """
        curve = clean(x, y, log_axis=True)
        if len(curve.u) < FEWEST or len(curve.y) < (1 if curve.formula else FEWEST):
            return missing(Status.NOT_FINITE, curve)
        mean = curve.y.mean(axis=0)
        used = (mean > self.low) & (mean < self.high)
        if used.sum() < FEWEST or not np.all(np.diff(mean[used]) > 0):
            return missing(Status.NO_BREAK, curve)
        u = curve.u[used]
        place = self._read(u, mean[None, used])[0]
        if not u[-1] <= place <= 2 * u[-1] - u[0]:
            return missing(Status.NO_BREAK, curve)
        if curve.formula:
            return self._answer(curve, place, 0.0)
        r = len(curve.y)
        left_out = (mean[used] * r - curve.y[:, used]) / (r - 1)
        if not np.all(left_out > 0):
            return missing(Status.NO_BREAK, curve)
        spread = (r - 1) * self._read(u, left_out).std() / np.sqrt(r - 1)
        return self._answer(curve, place, quantile(0.5 + self.confidence / 2, r - 1) * spread)

    def matching(self, found: BreakPoint) -> "Onset":
        """Return this locator: it has no resolution that a measured curve could set."""
        return self

    def undivided(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Return False: no side of a peak is asked for."""
        return False

    def _read(self, u: np.ndarray, curves: np.ndarray) -> np.ndarray:
        """Return log x at the level, for each of the positive curves (k, t)."""
        heights = np.log(curves / self.level)
        powers = heights[:, :, None] ** np.arange(FEWEST)
        return np.array([np.linalg.lstsq(one, u, rcond=None)[0][0] for one in powers])

    def _answer(self, curve: Curve, place: float, half: float) -> BreakPoint:
        return BreakPoint(
            value=float(np.exp(place)),
            low=float(np.exp(place - half)),
            high=float(np.exp(place + half)),
            height=self.level,
            status=Status.OK,
            height_low=self.level,
            height_high=self.level,
            replicates=0 if curve.formula else len(curve.y),
            excluded=curve.excluded,
        )
