"""Where to begin: a fine grid of break places and widths, the rest by linear least squares.

For given places and widths a broken power law without a floor is linear in its other parameters.
They are projected out on every point of the grid once, whatever the number of curves on these
places (variable projection: Golub and Pereyra 1973, SIAM Journal on Numerical Analysis 10).
"""

import itertools
from typing import NamedTuple

import numpy as np

from ci_theory.locate.broken import Form
from ci_theory.locate.least_squares import whiten

_PLACES = {1: 160, 2: 28, 3: 16, 4: 12}
"""Places of the grid, by the number of breaks."""
_WIDTHS = {1: 20, 2: 4, 3: 3, 4: 2}
"""Widths of the grid; more than one break share theirs."""


class Scan(NamedTuple):
    """The grid of one number of breaks on one set of places u (m,).

    Attributes:
        places: log d (g, k); ``widths``: log f (g,).
        line: orthonormal columns (2, m) of 1 and -u, weighted: what every point shares.
        line_inverse: R^-1 of their QR decomposition (2, 2).
        basis: orthonormal columns (g, k, m) of what a point's breaks add to the line.
        inverse: R^-1 of their QR decomposition (g, k, k).
        on_line: products of the breaks' columns with the line's (g, k, 2).
        root: roots of the weights (m,), or a matrix (m, m) that whitens.
    """

    places: np.ndarray
    widths: np.ndarray
    line: np.ndarray
    line_inverse: np.ndarray
    basis: np.ndarray
    inverse: np.ndarray
    on_line: np.ndarray
    root: np.ndarray

    def losses(self, y: np.ndarray) -> np.ndarray:
        """Return the sums of squares (q, g) of curves y (q, m)."""
        scaled = whiten(y, self.root)
        rest = (scaled**2).sum(axis=1) - ((scaled @ self.line.T) ** 2).sum(axis=1)
        g, k, _ = self.basis.shape
        if not k:
            return np.repeat(rest[:, None], g, axis=1)
        explained = np.zeros((len(y), g))
        for i in range(k):
            explained += (scaled @ self.basis[:, i].T) ** 2
        return rest[:, None] - explained

    def theta(self, y: np.ndarray, picks: np.ndarray) -> np.ndarray:
        """Return parameters (q, p) of curves y (q, m) at their grid points picks (q,)."""
        scaled = whiten(y, self.root)
        parts = np.einsum("qkm,qm->qk", self.basis[picks], scaled)
        bends = np.einsum("qab,qb->qa", self.inverse[picks], parts)
        left = scaled @ self.line.T - np.einsum("qk,qkc->qc", bends, self.on_line[picks])
        columns = list((left @ self.line_inverse.T).T)
        for i in range(self.places.shape[1]):
            columns += [bends[:, i], self.places[picks, i], self.widths[picks]]
        return np.stack(columns, axis=1)


def scan(form: Form, u: np.ndarray, root: np.ndarray, low: np.ndarray, high: np.ndarray) -> Scan:
    """Lay the grid over the box of a form without a floor; ``root`` whitens the points."""
    k = form.breaks
    if k:
        inside = np.linspace(low[3], high[3], _PLACES[k] + 2)[1:-1]
        spread = np.linspace(low[4], high[4], _WIDTHS[k] + (k > 1) * 2)
        spread = spread[1:-1] if k > 1 else spread
        groups = np.array(list(itertools.combinations(inside, k)))
        places = np.repeat(groups, len(spread), axis=0)
        widths = np.tile(spread, len(groups))
    else:
        places, widths = np.zeros((1, 0)), np.zeros(1)
    f = np.exp(widths)[:, None, None]
    soft = whiten(-f * np.logaddexp(0.0, (u - places[:, :, None]) / f), root)  # (g, k, m)
    line, line_r = np.linalg.qr(whiten(np.stack([np.ones_like(u), -u]), root).T)
    on_line = soft @ line
    q, r = np.linalg.qr((soft - on_line @ line.T).transpose(0, 2, 1))
    return Scan(
        places=places,
        widths=widths,
        line=line.T,
        line_inverse=np.linalg.inv(line_r),
        basis=np.ascontiguousarray(q.transpose(0, 2, 1)),
        inverse=np.linalg.pinv(r),
        on_line=on_line,
        root=root,
    )
