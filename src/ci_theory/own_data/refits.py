"""Ridge regression fitted again and again on part of the rows, tested on the rows left out.

Given the rows, draws are independent of each other and so are their errors: the standard error
over draws is exact for the mean over all ways to choose n rows, although two draws share test
rows. That these rows are themselves a sample is another error, which no number of draws lowers:
see ``population.band``.
"""

from typing import NamedTuple

import numpy as np

from ci_theory._types import Float, Int


class Defects(NamedTuple):
    """What is done to the training rows, on top of what the data are.

    Attributes:
        noise: variance added to the labels [label^2]; copies of a row share it.
        repeated: share of the distinct training rows that is repeated; ``repeats``: how often.
    """

    noise: float = 0.0
    repeated: float = 0.0
    repeats: float = 1.0


def refits(
    rows: Float[np.ndarray, "N p"],
    labels: Float[np.ndarray, " N"],
    copies: Int[np.ndarray, " N"],
    sizes: Int[np.ndarray, " t"],
    ridges: Float[np.ndarray, " m"],
    defects: Defects,
    variants: int,
    replicates: int,
    seed: int,
) -> Float[np.ndarray, "v m t r"]:
    """Return mean squared errors on the rows left out [label^2], averaged over the added noise.

    Args:
        rows: distinct, centred if they are to be.
        labels: of the rows; also what the test is against.
        copies: how often each row counts in training.
        sizes: numbers of distinct training rows; a draw for each is made anew.
        ridges: total ridges, >= 0; 0 is the minimum-norm fit.
        defects: what is added.
        variants: 2 for fits with the copies and without them on the same draws, 1 for the first.
        replicates: draws.
        seed: of the draws; each has its own stream, whatever else is asked for.
    """
    found = np.empty((variants, len(ridges), len(sizes), replicates))
    for t, n in enumerate(sizes):
        for r in range(replicates):
            order = np.random.default_rng([seed, int(n), r]).permutation(len(rows))
            train, test = order[:n], order[n:]
            weights = copies[train].astype(float)
            weights[: round(defects.repeated * n)] *= defects.repeats
            for v, c in enumerate((weights, np.ones(n))[:variants]):
                found[v, :, t, r] = _errors(
                    rows[train], labels[train], c, rows[test], labels[test], ridges, defects.noise
                )
    return found


def _errors(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    ridges: np.ndarray,
    noise: float,
) -> np.ndarray:
    """Return the test error at every ridge (m,)."""
    root = np.sqrt(weights)
    left, s, right = np.linalg.svd(root[:, None] * x, full_matrices=False)
    kept = s > s[0] * max(x.shape) * np.finfo(float).eps
    left, s, right = left[:, kept], s[kept], right[kept]
    shrunk = s / (s**2 + ridges[:, None])  # (m, q)
    onto = x_test @ right.T
    miss = (shrunk * (left.T @ (root * y))) @ onto.T - y_test
    errors = (miss**2).mean(axis=1)
    if noise:
        spread = (left.T @ (weights[:, None] * left)) * (onto.T @ onto) / len(y_test)
        errors = errors + noise * np.einsum("mi,ij,mj->m", shrunk, spread, shrunk)
    return errors


class LeftOut(NamedTuple):
    """Errors of one fit of all rows, by cross-validation, at every ridge (m,) [label^2].

    Attributes:
        each: each distinct row left out with all of its copies: the error on its label (m, N).
        rows: the mean of that.
        naive: generalised cross-validation that counts copies as rows.
    """

    each: Float[np.ndarray, "m N"]
    rows: Float[np.ndarray, " m"]
    naive: Float[np.ndarray, " m"]


def left_out(
    rows: Float[np.ndarray, "N p"],
    labels: Float[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"],
    ridges: Float[np.ndarray, " m"],
    centred: bool,
) -> LeftOut:
    """Cross-validate a fit of all rows, leaving out one at a time, without fitting again.

    Exact where there are no copies, and then with the mean taken anew of the other rows.

    Args:
        rows: distinct; of mean zero if ``centred``, like the labels.
        labels: of the rows.
        weights: copies of each.
        ridges: total ridges, > 0.
        centred: whether the mean of all rows was taken off: it knows the row that is left out.
    """
    root = np.sqrt(weights)
    left, s, _ = np.linalg.svd(root[:, None] * rows, full_matrices=False)
    kept = s > s[0] * max(rows.shape) * np.finfo(float).eps
    left, s = left[:, kept], s[kept]
    along, alone, naive = left.T @ (root * labels), [], []
    mean = centred / weights / np.sum(1 / weights)  # share of a row in the mean of them all
    outside = np.maximum(1 - (left**2).sum(axis=1) - mean, 0.0)
    rest = root * labels - left @ along
    for ridge in ridges:
        forgotten = ridge / (s**2 + ridge)
        residual = rest + left @ (forgotten * along)
        alone.append((residual / root / (outside + (left**2) @ forgotten)) ** 2)
        spare = 1 - (np.sum(1 - forgotten) + centred) / weights.sum()
        naive.append((residual @ residual) / weights.sum() / spare**2)
    return LeftOut(np.array(alone), np.mean(alone, axis=1), np.array(naive))
