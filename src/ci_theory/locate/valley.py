"""The valley of a curve, its interior minimum: where something is best."""

import dataclasses
from typing import ClassVar, Literal

from numpy.typing import ArrayLike

from ci_theory._errors import Status
from ci_theory.locate.peak import Peak, Summit, certain, summit
from ci_theory.locate.point import BreakPoint, Curve, clean, missing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Valley:
    """The interior minimum of a curve with the largest fall before it and rise after it.

    It is the ``Peak`` of the negative curve, with the same tests, intervals and statuses; the
    height is the curve's own.

    A curve that falls, rises, falls again and rises has two valleys, and which of them is the
    deeper one depends on more than their order. ``side`` asks for the one before or after the
    curve's peak (``Peak``, which must be significant): a curve without a peak has its only valley
    before, and none after.

    Attributes:
        side: look only "before" or "after" the curve's peak; None looks everywhere.
        log_axis: fit in log x; None decides by which scale the grid is more even on.
        reach: grid points on either side in the local fit; None lets the data choose.
        confidence: coverage of the interval.

    >>> Valley(log_axis=False).locate([0.0, 1.0, 2.0, 3.0], [1.0, 0.25, 0.25, 1.0]).value
    1.5
    >>> Valley().locate([0.0, 1.0, 2.0], [0.0, 1.0, 0.0]).status
    <Status.NO_BREAK: 4>
    >>> x, y = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [4.0, 1.0, 2.0, 5.0, 3.0, 2.0, 6.0]
    >>> for side in ("before", "after"):
    ...     print(f"{Valley(side=side, log_axis=False).locate(x, y).value:.4f}")
    1.2500
    4.7000
    """

    singly: ClassVar[bool] = False  # breaks are those of the mean curve

    side: Literal["before", "after"] | None = None
    log_axis: bool | None = None
    reach: int | None = None
    confidence: float = 0.95

    def locate(self, x: ArrayLike, y: ArrayLike) -> BreakPoint:
        """Locate the valley in a formula y (t,) or in replicates y (r, t).

        Returns:
            BreakPoint; NOT_FINITE where fewer than 3 grid points or fewer than 3 finite
            replicates are left; NO_BREAK where fewer than 3 grid points lie on the side.

        Raises:
            BadInput: see ``point.clean``.
        """
        curve = clean(x, y, self.log_axis)
        kept = self._on_side(curve)
        if len(curve.u) >= 3 and len(curve.u[kept]) < 3:
            return missing(Status.NO_BREAK, curve)
        peak = Peak(reach=self.reach, confidence=self.confidence)
        found = peak.of(curve._replace(u=curve.u[kept], y=-curve.y[:, kept]))
        return found._replace(
            height=-found.height, height_low=-found.height_high, height_high=-found.height_low
        )

    def _on_side(self, curve: Curve) -> slice:
        """Return the grid points to look at: up to the curve's peak, or from it on."""
        few = len(curve.u) < 3 or len(curve.y) < (1 if curve.formula else 3)
        if self.side is None or few:
            return slice(None)
        top = self._peak(curve)
        if top is None:
            return slice(None) if self.side == "before" else slice(0)
        return slice(top.top + 1) if self.side == "before" else slice(top.top, None)

    def _peak(self, curve: Curve) -> Summit | None:
        """Return the curve's peak if it is certain."""
        top = summit(curve.y.mean(axis=0))
        sure = top is not None and (curve.formula or certain(curve.y, top, 1 - self.confidence))
        return top if sure else None

    def undivided(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Say whether a side is asked for, and no peak is certain that would divide the curve.

        The valley found in such replicates may lie on the other side of a peak that a formula
        has and they do not show: the two are no answers to one question.

        >>> import numpy as np
        >>> x, y = np.arange(4.0), np.array([1.0, 0.0, 2.0, 1.5])
        >>> Valley(side="before").undivided(x, y), Valley(side="before").undivided(x, -x)
        (False, True)
        """
        curve = clean(x, y, self.log_axis)
        return self.side is not None and self._peak(curve) is None

    def matching(self, found: BreakPoint) -> "Valley":
        """Return this locator at the reach that a measured curve was given: for its formula."""
        return dataclasses.replace(self, reach=found.reach)
