"""The scatter behind a curve: measurements that may be alike along a run, and their pooled points.

Residuals z of log y, each divided by its standard deviation, are an autoregressive chain along
every run: z_t = rho z_(t-1) + sqrt(1 - rho^2) e_t with independent e. For rho = 0 the pooled means
hold all that the measurements say of a curve, and the rest of the sum of squares is pure error;
for rho > 0 the means have a covariance, by which they are whitened (generalised least squares).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, solve_banded, solve_triangular
from scipy.sparse import csr_array

from ci_theory.locate.broken import Family
from ci_theory.locate.least_squares import whiten
from ci_theory.locate.observed import Observed, Rows

_SURE = 5.41
"""Twice the gain in log likelihood that one chain in a hundred makes without a correlation."""

_MOST = 0.999  # no chain is more alike
_LIKELY = 20  # correlations that stand for all likely ones
_AT_ONCE = 2_000_000  # numbers drawn at once, to bound the memory


class Chain:
    """Measurements of one curve, with the correlation of neighbours along a run.

    ``rho`` is what the fit assumes; ``likely`` are correlations, each as likely as the next, of
    which resampled scatter has one: how alike neighbours are is not known better.

    >>> from ci_theory.locate.observed import observed
    >>> x, y = np.array([1.0, 1.0, 2.0, 4.0]), np.array([2.0, 2.0, 1.0, 1.0])
    >>> chain = Chain(observed(x, y))
    >>> chain.size, chain.effective, chain.root.round(3).tolist()
    (4, 4.0, [1.414, 1.0, 1.0])
    """

    def __init__(self, data: Observed, rho: float = 0.0, likely: np.ndarray | None = None):
        self.data, self.rho = data, rho
        self._likely = np.array([rho]) if likely is None else likely
        rows = data.rows
        self._scale = np.sqrt(rows.weight)
        share = self._scale / data.weight[rows.cell]
        self._pool = csr_array(
            (share, (rows.cell, np.arange(self.size))), shape=(len(data.u), self.size)
        )
        self.root = np.sqrt(data.weight)  # (m,), or (m, m): whitens the points
        if rho > 0:
            lower = cho_factor(covariance(rows, data.weight, rho), lower=True)[0]
            self.root = solve_triangular(lower, np.eye(len(lower)), lower=True)

    @property
    def size(self) -> int:
        """Number of measurements."""
        return len(self.data.rows.u)

    @property
    def effective(self) -> float:
        """Number of independent measurements that tell a mean as well as these."""
        return self.size * (1 - self.rho) / (1 + self.rho)

    def rest(self, family: Family, theta: np.ndarray) -> np.ndarray:
        """Return the residuals (n,) of the measurements, whitened."""
        rows = self.data.rows
        return self._white((rows.y - family.value(theta, rows.u)) * self._scale)

    def jacobian(self, family: Family, theta: np.ndarray) -> np.ndarray:
        """Return the whitened derivatives (n, p) of the measurements by the parameters."""
        across = family.jacobian(theta, self.data.rows.u)[1].T
        return self._white(across * self._scale).T

    def draw(
        self, errors: np.ndarray, count: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw scatter of the points (count, m), and the squares (count,) that lie within them.

        Independent parts are as large for every correlation.

        Args:
            errors: what the independent parts are drawn from, with replacement.
            count: how many curves.
            rng: source of randomness.
        """
        noise, within = np.empty((count, len(self.data.u))), np.empty(count)
        step = max(_AT_ONCE // self.size, 1)
        for rho, share in zip(self._likely, np.arange(len(self._likely)), strict=True):
            mine = np.arange(share, count, len(self._likely))
            for start in range(0, len(mine), step):
                part = mine[start : start + step]
                made = rng.choice(errors, (len(part), self.size))
                if rho:
                    made *= np.sqrt((1 - self.rho**2) / (1 - rho**2))
                    made = _chained(self.data.rows.first, made, rho)
                noise[part] = (self._pool @ made.T).T
                between = (whiten(noise[part], self.root) ** 2).sum(axis=1)
                within[part] = np.maximum((self._white(made) ** 2).sum(axis=1) - between, 0.0)
        if self.size == len(self.data.u):
            within[:] = 0.0  # to rounding
        return noise, within

    def _white(self, values: np.ndarray) -> np.ndarray:
        """Whiten rows (..., n)."""
        if not self.rho:
            return values
        first = self.data.rows.first
        made = (values - self.rho * np.roll(values, 1, axis=-1)) / np.sqrt(1 - self.rho**2)
        made[..., first] = values[..., first]
        return made


def _chained(first: np.ndarray, errors: np.ndarray, rho: float) -> np.ndarray:
    """Return z (..., n) with z_t = rho z_(t-1) + sqrt(1 - rho^2) errors_t, anew at every first."""
    bands = np.ones((2, len(first)))
    bands[1, :-1] = np.where(first[1:], 0.0, -rho)
    scaled = errors * np.where(first, 1.0, np.sqrt(1 - rho**2))
    return solve_banded((1, 0), bands, scaled.T, overwrite_b=True, check_finite=False).T


def covariance(rows: Rows, weight: np.ndarray, rho: float) -> np.ndarray:
    """Return the covariance (m, m) of the pooled points of unit chains.

    A run's rows in one point are a piece; the correlation between two pieces is a product of a sum
    over the one, as seen from its end, a power of the gap, and a sum over the other from its start.
    """
    n, scale = len(rows.u), np.sqrt(rows.weight)
    new = rows.first | np.r_[True, np.diff(rows.cell) != 0]
    start = np.flatnonzero(new)
    length = np.diff(np.r_[start, n])
    inside = np.arange(n) - np.repeat(start, length)
    from_start = np.add.reduceat(scale * rho**inside, start)
    from_end = np.add.reduceat(scale * rho ** (np.repeat(length, length) - 1 - inside), start)
    bands = np.ones((2, n))
    bands[1, :-1] = np.where(new[1:], 0.0, -rho)
    before = solve_banded((1, 0), bands, scale) - scale  # sum over earlier rows of the piece
    own = np.add.reduceat(scale * scale + 2 * scale * before, start)
    made = np.zeros((len(weight), len(weight)))
    cell = rows.cell[start]
    np.add.at(made, (cell, cell), own)
    runs = np.flatnonzero(rows.first[start])
    for one, beyond in zip(runs, np.r_[runs[1:], len(start)], strict=True):
        if beyond - one == 1:
            continue
        part = slice(one, beyond)
        gap = start[part][None, :] - (start[part] + length[part] - 1)[:, None]
        later = np.triu(np.ones_like(gap, bool), 1)
        pairs = np.where(later, from_end[part, None] * from_start[part], 0.0)
        pairs *= rho ** np.where(later, gap, 0).astype(float)
        np.add.at(made, (cell[part, None], cell[None, part]), pairs + pairs.T)
    return made / np.outer(weight, weight)


class Alike(NamedTuple):
    """How well a fit tells the measurements, and how alike neighbours are around it.

    Attributes:
        told: -2 log likelihood at the best correlation.
        rho: the correlation, by restricted likelihood (unbiased by what the fit follows); 0 where
            chance makes the gain.
        likely: correlations (20,), equally likely by that likelihood.
    """

    told: float
    rho: float
    likely: np.ndarray


def likelihood(chain: Chain, family: Family, theta: np.ndarray) -> Alike:
    """Return how well a fit tells the measurements, and how alike neighbours are around it.

    The fit is moved to the optimum at every correlation in the linear approximation.

    Args:
        chain: independent measurements (rho 0).
        family: what was fitted; ``theta``: its parameters (p,).

    Source: Patterson and Thompson 1971 (Biometrika 58), restricted likelihood.
    """
    rows, first = chain.data.rows, chain.data.rows.first
    left, sizes, _ = np.linalg.svd(chain.jacobian(family, theta), full_matrices=False)
    basis = left[:, sizes > 1e-9 * sizes.max()]
    n, p, runs = len(rows.u), basis.shape[1], int(first.sum())
    both = np.column_stack([basis, chain.rest(family, theta)])
    last = np.r_[first[1:], True]
    later, sooner = both[~first], both[~last]
    whole, cross = both.T @ both, later.T @ sooner
    inner = sooner.T @ sooner - both[first].T @ both[first]

    def at(rho: float) -> tuple[float, float]:
        square = (whole + rho**2 * inner - rho * (cross + cross.T)) / (1 - rho**2)
        free = square[:p, :p]
        loss = square[p, p] - square[p, :p] @ np.linalg.solve(free, square[:p, p])
        loss, pairs = np.log(max(loss, 1e-300)), (n - runs) * np.log1p(-(rho**2))
        return n * loss + pairs, (n - p) * loss + pairs + np.linalg.slogdet(free)[1]

    grid = 1 - np.geomspace(1, 1 - _MOST, 201)
    full, restricted = np.array([at(rho) for rho in grid]).T
    best = int(restricted.argmin())
    gain = float(restricted[0] - restricted[best])
    rho = float(grid[best]) if gain > _SURE else 0.0
    chance = np.exp(0.5 * (restricted[best] - restricted)) * np.gradient(grid)
    ranks = np.cumsum(chance) / chance.sum()
    likely = np.interp((np.arange(_LIKELY) + 0.5) / _LIKELY, ranks, grid) if rho else np.zeros(1)
    return Alike(float(full.min()), rho, likely)
