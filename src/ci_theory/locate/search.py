"""Least squares for every form of the ladder, for one curve or for many on the same places."""

from collections.abc import Sequence

import numpy as np

from ci_theory.locate.broken import DEEPEST, Family, Form
from ci_theory.locate.least_squares import STEPS, Minimum, minimise
from ci_theory.locate.scan import Scan, scan

_FLOORS = (0.3, 0.6, 0.85, 0.97)
"""Floors tried at the start, as shares of a curve's lowest value."""

_KICKS = 24  # starts drawn at random around and away from a fit, to see whether one ends lower
_GLANCE = 50  # steps after which one of them is no lower, or is gone on with
_BETTER = 1e-6  # relative fall of the sum of squares that is one


class Search:
    """Fits on fixed places u (m,) of fixed precision; grids are made once.

    >>> u = np.linspace(0.0, 6.0, 13)
    >>> law = Search(u, np.ones(13))
    >>> curve = np.log(0.1 + 2 * np.exp(-u))
    >>> found = law.best(Form(0, True), curve[None])
    >>> print(np.round(np.exp(found.theta[0, [0, 2]]), 6), f"{found.theta[0, 1]:.6f}")
    [2.  0.1] 1.000000
    """

    def __init__(self, u: np.ndarray, root: np.ndarray, span: tuple[float, float] = (0.0, 0.0)):
        """Take roots of the precision, (m,) or (m, m), and the span of log y that bounds floors."""
        self.u, self.root = u, root
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
        if form.floor and tops > 1 and form.larger.breaks <= DEEPEST:
            starts += [
                form.larger.levelled(one, self.u) for one in self._grid(form.larger, y, tops)
            ]
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
            root=self.root,
            held=held,
            steps=steps,
        )
        loss = ended.loss.reshape(many, -1)
        pick = np.argmin(np.where(np.isfinite(loss), loss, np.inf), axis=0)
        rows = pick * loss.shape[1] + np.arange(loss.shape[1])
        return Minimum(ended.theta[rows], ended.loss[rows], ended.converged[rows])

    def stirred(self, form: Form, y: np.ndarray, found: Minimum, rounds: int) -> Minimum:
        """Look for lower minima of one curve log y (m,) from places drawn at random.

        Breaks and floors are drawn, one of them or all; the other parameters are linear and solved
        for. It ends with a round in which no start ended lower: only then is a fit converged.
        """
        low, high = self.box(form)
        rng = np.random.default_rng(form.size)
        for _ in range(rounds):
            theta = np.tile(found.theta, (_KICKS, 1))
            drawn = rng.random(theta.shape) < np.where(np.arange(_KICKS) % 2, 1.0, 0.4)[:, None]
            for i in range(form.breaks):
                part = slice(form.place(i), form.place(i) + 2)
                made = rng.uniform(low[part], high[part], (_KICKS, 2))
                theta[:, part] = np.where(drawn[:, part], made, theta[:, part])
            if form.floor:
                made = rng.uniform(y.min() - 1, np.quantile(y, 0.6), _KICKS)
                theta[:, -1] = np.where(drawn[:, -1], made, theta[:, -1])
            starts = [one[None] for one in self._solved(form, y, theta)]
            again = self.polish(form, y[None], starts, steps=_GLANCE)
            lower = again.loss < found.loss * (1 - _BETTER)
            if again.loss < found.loss:
                found = self.polish(form, y[None], [again.theta])
            if not lower:
                return found
        return found._replace(converged=np.zeros(1, bool))

    def _solved(self, form: Form, y: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Solve for the linear parameters of starts (q, p), given their places, widths, floors."""
        weight = np.broadcast_to(
            (self.root**2).sum(axis=0) if self.root.ndim > 1 else self.root**2, (len(theta), len(y))
        )
        target = np.broadcast_to(y, weight.shape)
        if form.floor:
            left = np.maximum(-np.expm1(theta[:, -1:] - y), 1e-3)  # (y - a)/y
            target, weight = y + np.log(left), weight * left**2
        columns = [np.ones_like(target), np.broadcast_to(-self.u, target.shape)]
        for i in range(form.breaks):
            d, f = theta[:, form.place(i), None], np.exp(theta[:, form.place(i) + 1, None])
            columns.append(-f * np.logaddexp(0.0, (self.u - d) / f))
        across = np.stack(columns, axis=1)  # (q, 2 + k, m)
        square = (across * weight[:, None]) @ across.swapaxes(1, 2)
        scale = np.sqrt(np.diagonal(square, axis1=1, axis2=2)) + 1e-300
        square = square / (scale[:, :, None] * scale[:, None]) + 1e-9 * np.eye(len(columns))
        parts = (across @ (weight * target)[..., None])[..., 0] / scale
        solved = np.linalg.solve(square, parts[..., None])[..., 0] / scale
        made = theta.copy()
        made[:, [0, 1, *range(2, 2 + 3 * form.breaks, 3)]] = solved
        return made

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
        made = scan(form, self.u, self.root * factor, *self.box(form))
        if keep:
            self._scans[form] = made
        return made
