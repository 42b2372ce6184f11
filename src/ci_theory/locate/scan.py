"""Where to begin: a fine grid of break places and widths, the rest by linear least squares.

For given places and widths a broken power law without a floor is linear in its other parameters.
They are projected out on every point of the grid by one QR decomposition, whatever the number of
curves on these places (variable projection: Golub and Pereyra 1973, SIAM J. Numer. Anal. 10).
"""

import itertools
from typing import NamedTuple

import numpy as np

from ci_theory.locate.broken import Form

_PLACES = {1: 160, 2: 28, 3: 16, 4: 12}
"""Places of the grid, by the number of breaks."""
_WIDTHS = {1: 20, 2: 4, 3: 3, 4: 2}
"""Widths of the grid; more than one break share theirs."""


class Scan(NamedTuple):
    """The grid of one number of breaks on one set of places u (m,).

    Attributes:
        places: log d (g, k); ``widths``: log f (g,).
        basis: orthonormal columns (g, 2 + k, m) of the linear problem, weighted.
        inverse: R^-1 of its QR decomposition (g, 2 + k, 2 + k).
        root: square roots of the weights (m,).
    """

    places: np.ndarray
    widths: np.ndarray
    basis: np.ndarray
    inverse: np.ndarray
    root: np.ndarray

    def losses(self, y: np.ndarray) -> np.ndarray:
        """Return the sums of squares (q, g) of curves y (q, m)."""
        scaled = y * self.root
        g, columns, m = self.basis.shape
        parts = scaled @ self.basis.reshape(g * columns, m).T
        explained = (parts.reshape(len(y), g, columns) ** 2).sum(axis=-1)
        return (scaled**2).sum(axis=1, keepdims=True) - explained

    def theta(self, y: np.ndarray, picks: np.ndarray) -> np.ndarray:
        """Return parameters (q, p) of curves y (q, m) at their grid points picks (q,)."""
        parts = np.einsum("qcm,qm->qc", self.basis[picks], y * self.root)
        beta = np.einsum("qab,qb->qa", self.inverse[picks], parts)
        columns = [beta[:, 0], beta[:, 1]]
        for i in range(self.places.shape[1]):
            columns += [beta[:, 2 + i], self.places[picks, i], self.widths[picks]]
        return np.stack(columns, axis=1)


def scan(form: Form, u: np.ndarray, root: np.ndarray, low: np.ndarray, high: np.ndarray) -> Scan:
    """Lay the grid over the box of a form without a floor; ``root`` are roots of the weights."""
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
    soft = -f * np.logaddexp(0.0, (u - places[:, :, None]) / f)  # (g, k, m)
    ones = np.ones((len(places), 1, len(u)))
    columns = np.concatenate([ones, -u * ones, soft], axis=1) * root
    q, r = np.linalg.qr(columns.transpose(0, 2, 1))
    return Scan(
        places=places,
        widths=widths,
        basis=np.ascontiguousarray(q.transpose(0, 2, 1)),
        inverse=np.linalg.pinv(r),
        root=root,
    )
