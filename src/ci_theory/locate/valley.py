"""The valley of a curve, its interior minimum: where something is best."""

import dataclasses

import numpy as np

from ci_theory.locate.peak import Peak
from ci_theory.locate.point import BreakPoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class Valley:
    """The interior minimum of a curve with the largest fall before it and rise after it.

    It is the ``Peak`` of the negative curve, with the same tests, intervals and statuses; the
    height is the curve's own.

    Attributes:
        log_axis: fit in log x; None decides by which scale the grid is more even on.
        reach: grid points on either side in the local fit; None lets the data choose.
        confidence: coverage of the interval.

    >>> Valley(log_axis=False).locate([0.0, 1.0, 2.0, 3.0], [1.0, 0.25, 0.25, 1.0]).value
    1.5
    >>> Valley().locate([0.0, 1.0, 2.0], [0.0, 1.0, 0.0]).status
    <Status.NO_BREAK: 4>
    """

    log_axis: bool | None = None
    reach: int | None = None
    confidence: float = 0.95

    def locate(self, x: np.ndarray, y: np.ndarray) -> BreakPoint:
        """Locate the valley in a formula y (t,) or in replicates y (r, t).

        Returns:
            BreakPoint; NOT_FINITE where fewer than 3 grid points or fewer than 3 finite
            replicates are left.

        Raises:
            BadInput: see ``point.clean``.
        """
        peak = Peak(log_axis=self.log_axis, reach=self.reach, confidence=self.confidence)
        found = peak.locate(x, -np.asarray(y, float))
        return found._replace(
            height=-found.height, height_low=-found.height_high, height_high=-found.height_low
        )

    def matching(self, found: BreakPoint) -> "Valley":
        """Return this locator at the reach that a measured curve was given: for its formula."""
        return dataclasses.replace(self, reach=found.reach)
