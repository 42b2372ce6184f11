"""Least squares for every form of the ladder, for one curve or for many on the same places."""

from collections.abc import Sequence

import numpy as np

from ci_theory.locate.broken import Family, Form
from ci_theory.locate.least_squares import STEPS, Minimum, minimise
from ci_theory.locate.scan import Scan, scan

_FLOORS = (0.3, 0.6, 0.85, 0.97)
"""Floors tried at the start, as shares of a curve's lowest value."""


class Search:
    """Fits on fixed places u (m,) with fixed weights; grids are made once.

    >>> u = np.linspace(0.0, 6.0, 13)
    >>> law = Search(u, np.ones(13))
    >>> curve = np.log(0.1 + 2 * np.exp(-u))
    >>> found = law.best(Form(0, True), curve[None])
    >>> print(np.round(np.exp(found.theta[0, [0, 2]]), 6), f"{found.theta[0, 1]:.6f}")
    [2.  0.1] 1.000000
    """

    def __init__(self, u: np.ndarray, weight: np.ndarray, span: tuple[float, float] = (0.0, 0.0)):
        """``span``: lowest and highest log y that floors are bounded by."""
        self.u, self.weight = u, weight
        self._span = np.array(span)
        self._scans: dict[Form, Scan] = {}

    def box(self, form: Family) -> tuple[np.ndarray, np.ndarray]:
        """Return the box of a form's parameters."""
        return form.bounds(self.u, self._span)

    def best(
        self,
        form: Form,
        y: np.ndarray,
        *,
        smaller: np.ndarray | None = None,
        near: np.ndarray | None = None,
        tops: int = 1,
    ) -> Minimum:
        """Fit a form to curves log y (q, m), from several starts each; the best counts.

        Args:
            form: the form.
            y: curves.
            smaller: their fits by the next smaller form (q, p'), to start from as well.
            near: parameters (p,) to start from as well.
            tops: how many of the best points of the grid to start from.
        """
        low, high = self.box(form)
        starts = list(self._grid(form, y, tops))
        if smaller is not None:
            starts.append(form.smaller.nested(smaller, low, high))
        if near is not None:
            starts.append(np.broadcast_to(near, (len(y), form.size)))
        return self.polish(form, y, starts)

    def polish(
        self,
        form: Family,
        y: np.ndarray,
        starts: Sequence[np.ndarray],
        held: tuple[int, ...] = (),
        box: tuple[np.ndarray, np.ndarray] | None = None,
        steps: int = STEPS,
    ) -> Minimum:
        """Search from every start (q, p) and keep the lowest for each curve (q, m).

        Args:
            form: the form.
            y: curves.
            starts: starts, one array for all curves each.
            held: parameters that stay where they start.
            box: ends of the box, (q, p) each; by default the form's.
            steps: steps after which a search is given up.
        """
        many = len(starts)
        ends = self.box(form) if box is None else box
        low, high = (end if end.ndim == 1 else np.tile(end, (many, 1)) for end in ends)
        ended = minimise(
            lambda theta: form.jacobian(theta, self.u),
            np.tile(y, (many, 1)),
            np.concatenate(starts),
            low,
            high,
            weight=self.weight,
            held=held,
            steps=steps,
        )
        loss = ended.loss.reshape(many, -1)
        pick = np.argmin(np.where(np.isfinite(loss), loss, np.inf), axis=0)
        rows = pick * loss.shape[1] + np.arange(loss.shape[1])
        return Minimum(ended.theta[rows], ended.loss[rows], ended.converged[rows])

    def _grid(self, form: Form, y: np.ndarray, tops: int) -> list[np.ndarray]:
        """Return starts (q, p) from the grid, with floors taken off where the form has one."""
        bare = Form(form.breaks, False)
        if not form.floor:
            grid = self._scan(bare, np.ones_like(self.u))
            losses = grid.losses(y)
            order = np.argsort(losses, axis=1) if tops > 1 else losses.argmin(axis=1)[:, None]
            order = order[:, :tops]
            return [grid.theta(y, order[:, i]) for i in range(order.shape[1])]
        starts = []
        mean = y.mean(axis=0)
        for share in _FLOORS if len(y) == 1 else _FLOORS[1::2]:
            floor = y.min(axis=1, keepdims=True) + np.log(share)
            left = -np.expm1(floor - y)  # (y - a)/y
            typical = -np.expm1(mean.min() + np.log(share) - mean)
            grid = self._scan(bare, np.maximum(typical, 0.02), keep=False)
            lowered = y + np.log(np.maximum(left, 0.02))
            theta = grid.theta(lowered, grid.losses(lowered).argmin(axis=1))
            starts.append(np.concatenate([theta, floor], axis=1))
        return starts

    def _scan(self, form: Form, factor: np.ndarray, keep: bool = True) -> Scan:
        if keep and form in self._scans:
            return self._scans[form]
        made = scan(form, self.u, np.sqrt(self.weight) * factor, *self.box(form))
        if keep:
            self._scans[form] = made
        return made
