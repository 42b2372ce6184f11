r"""Ridge regression on a random part of a finite population, every row with its own leverage.

``theory.rows.finite_population`` takes the rows for those of a uniformly random frame, which all
have nearly the same leverage. Rows of real data do not: odd ones are memorised, common ones are
predicted from their like. Here nothing is assumed about the rows but that what is random, the draw,
averages out: with K the kernel between all N rows and ``c_i`` the random weight of a row (0 for one
left out), the leverage of each is an unknown of its own.

Everything is a numpy function of a kernel of N rows and costs some N^3 operations a step: half a
second to one for 1797 rows. For speed the first steps are of single precision, which leads to five
or six digits, and the last ones change R by its derivative, which leaves all of them.
"""

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

from ci_theory._errors import Status
from ci_theory._types import Float

__all__ = ["RowRisk", "row_risk"]

STEPS = 60
"""Steps after which the leverages count as not converged; usually 7 to 12 are needed."""

GOOD = 1e-8
"""Change of a logarithm in the last step above which the leverages count as not converged."""

DONE = 1e-12
"""The same below which there is no further step; between the two there is, while steps shrink."""

SINGLE = 3e-3
"""The same below which a step is of double precision."""

MOST_SINGLE = 12
"""Steps of single precision: more are of no use where it is too coarse."""

SMALL = 1e-5
"""The same below which R changes by its derivative: what that leaves out shows in the square."""

NEAR = 0.3
"""Change of a logarithm below which a step is one of Newton's."""

LEAST = 1e-13
"""Residual of a linear equation, relative to its right-hand side."""


class RowRisk(NamedTuple):
    """Mean errors by part, averaged over the rows of the population [label^2].

    The parts due to the noise of the labels are linear in the groups' noise.

    Attributes:
        signal: mean squared error, on clean labels, of the rows left out, without label noise.
        noise: what label noise adds to that.
        residual_signal: mean squared residual of a row's mean label in each group, (g,), without
            label noise.
        residual_noise: what label noise adds to that, (g,).
        leverage: mean response of a row's fit to its own label in each group, (g,).
        unsettled_signal: the part of the next order that the fluctuation of a row's leverage
            adds to ``residual_signal``, (g,).
        unsettled_noise: the same for ``residual_noise``, (g,).
        status: OK, NOT_CONVERGED, or OUT_OF_SCOPE (no rows or as many as the population has,
            weights or a ridge < 0).
    """

    signal: Float[Any, ""]
    noise: Float[Any, ""]
    residual_signal: Float[Any, " g"]
    residual_noise: Float[Any, " g"]
    leverage: Float[Any, " g"]
    unsettled_signal: Float[Any, " g"]
    unsettled_noise: Float[Any, " g"]
    status: Any


class _Law(NamedTuple):
    """Expectations over a row's random weight, given its loss of memory; all (N,) or (g, N)."""

    pull: np.ndarray  # c / (ridge + c Q) of each group
    miss: np.ndarray  # 1 - h of each group
    mean_miss: np.ndarray  # E (1 - h), rows left out included
    square_miss: np.ndarray  # E (1 - h)^2
    strength: np.ndarray  # omega
    spread: np.ndarray  # variance of the pull over (E (1 - h))^2


def _law(q: np.ndarray, shares: np.ndarray, weights: np.ndarray, ridge: float) -> _Law:
    pull = weights[:, None] / (ridge + weights[:, None] * q)
    miss = ridge / (ridge + weights[:, None] * q)
    left = 1 - shares.sum()
    mean = shares @ pull
    mean_miss = left + shares @ miss
    return _Law(
        pull=pull,
        miss=miss,
        mean_miss=mean_miss,
        square_miss=left + shares @ miss**2,
        strength=mean / mean_miss,
        spread=(shares @ (pull - mean) ** 2 + left * mean**2) / mean_miss**2,
    )


_FACTORED = {
    np.dtype(np.float64): (lapack.dpotrf, lapack.dpotri),
    np.dtype(np.float32): (lapack.spotrf, lapack.spotri),
}
"""Cholesky's factor of a matrix, and the inverse from it."""


def _smoother(kernel: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return R = K (1 + W K)^-1 with W = diag(strength), symmetric (N, N), as precise as K."""
    factored, inverted = _FACTORED[kernel.dtype]
    root = np.sqrt(strength).astype(kernel.dtype)
    scaled = kernel * root
    scaled *= root[:, None]
    whole = scaled.copy()
    whole[np.diag_indices_from(whole)] += 1
    factor, failed = factored(whole.T, lower=1, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("the weights of the rows are not finite")
    inverse = inverted(factor, lower=1, overwrite_c=1)[0].T  # nothing below its diagonal
    scaled *= inverse
    across, down = (scaled.sum(axis=k, dtype=float) for k in (1, 0))
    own = across + down - np.diagonal(scaled)
    inverse /= root
    inverse /= -root[:, None]
    inverse[np.diag_indices_from(inverse)] = own / root**2  # of 1 - inverse_ii no digit is lost
    return _mirrored(inverse)


def _mirrored(upper: np.ndarray) -> np.ndarray:
    """Fill a matrix below its diagonal, a block at a time: as they lie in memory."""
    for start in range(0, len(upper), _BLOCK):
        end = start + _BLOCK
        upper[end:, start:end] = upper[start:end, end:].T
        own = upper[start:end, start:end]
        own += np.triu(own, 1).T
    return upper


_BLOCK = 128


def _moved(smoother: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return R after a small change of the strength, without its square: R - R dW R."""
    moved = smoother.copy()
    for sign in (1, -1):
        there = sign * change > 0
        part = (smoother[:, there] * np.sqrt(np.abs(change[there]))).astype(np.float32)
        moved -= sign * (part @ part.T)
    return moved


def _solve(matrix: np.ndarray, law: _Law, right: np.ndarray) -> np.ndarray:
    """Solve (E (1-h)^2 - r R^2 r) x = right, r^2 the spread: positive where the draw averages."""
    root = np.sqrt(law.spread)
    x, rest = np.zeros_like(right), right.copy()
    way, size = rest.copy(), rest @ rest
    goal = LEAST**2 * size
    for _ in range(len(right)):
        if not size > goal:
            break
        image = law.square_miss * way - root * (matrix @ (root * way).astype(matrix.dtype))
        step = size / (way @ image)
        x, rest = x + step * way, rest - step * image
        size, before = rest @ rest, size
        way = rest + size / before * way
    return x


def _step(smoother: np.ndarray, q: np.ndarray, law: _Law) -> np.ndarray:
    """Return by what log Q of every row changes; near the root by Newton's step."""
    gap = np.diagonal(smoother) - q * law.mean_miss
    step = 1.2 * gap / (law.square_miss * q)
    if np.max(np.abs(step)) < NEAR:
        square, root = smoother**2, np.sqrt(law.spread)
        along = root * _solve(square, law, root * gap)
        step = (gap + square @ along.astype(square.dtype)) / (law.square_miss * q)
    return np.clip(step, -1.0, 1.5)


def _nearly(
    kernel: np.ndarray, q: np.ndarray, shares: np.ndarray, weights: np.ndarray, ridge: float
) -> tuple[np.ndarray, int]:
    """Return Q as near to the root as single precision leads, and how many steps that took."""
    coarse, here, taken = kernel.astype(np.float32), q, 0
    with suppress(np.linalg.LinAlgError):
        while taken < min(MOST_SINGLE, STEPS):
            law = _law(here, shares, weights, ridge)
            step = _step(_smoother(coarse, law.strength), here, law)
            here, taken = here * np.exp(step), taken + 1
            if not np.max(np.abs(step)) >= SINGLE:
                break
    return (here if np.isfinite(here).all() else q), taken


def _settle(
    kernel: np.ndarray, shares: np.ndarray, weights: np.ndarray, ridge: float, start: float | None
) -> tuple[np.ndarray, np.ndarray, _Law, bool]:
    """Solve R_ii = Q_i E (1 - h_i) for the Q of every row; also return R and the law."""
    own = np.diagonal(kernel)
    q = own * (start / own.mean() if start is not None and start > 0 else 1.0)
    q, taken = _nearly(kernel, q, shares, weights, ridge)
    law = _law(q, shares, weights, ridge)
    smoother, size = _smoother(kernel, law.strength), np.inf
    for _ in range(STEPS - taken):
        step = _step(smoother, q, law)
        size, before = float(np.max(np.abs(step))), size
        if not size >= DONE or (size < GOOD and not size < 0.5 * before):
            break
        q, strength = q * np.exp(step), law.strength
        law = _law(q, shares, weights, ridge)
        if size < SMALL:
            smoother = _moved(smoother, law.strength - strength)
        else:
            smoother = _smoother(kernel, law.strength)
    return q, smoother, law, size < GOOD


def row_risk(
    kernel: Float[np.ndarray, "n n"],
    target: Float[np.ndarray, " n"],
    counts: Float[np.ndarray, " g"],
    weights: Float[np.ndarray, " g"],
    noise: Float[np.ndarray, " g"],
    ridge: float,
    start: float | None = None,
) -> RowRisk:
    r"""Errors of ridge regression on weighted rows drawn without replacement from N given rows.

    .. math::
        R = K (1 + \Omega K)^{-1}, \quad \Omega_i = \frac{\mathrm E\, u_i}{\mathrm E\,(1 - h_i)},
        \quad R_{ii} = Q_i\, \mathrm E\,(1 - h_i), \quad
        u_i = \frac{c_i}{\delta + c_i Q_i}, \quad h_i = u_i Q_i

    the means over the random weight :math:`c_i` of a row. With :math:`b_i = \mathrm E (1 - h_i)`,
    :math:`\beta_i = (f - R \Omega f)_i^2 / b_i^2` and :math:`D_i = \mathrm{var}(u_i)/b_i^2`,

    .. math::
        T = \beta + (R^{\circ 2}/b^2 - Q^2)'\, t, \qquad
        (\mathrm E (1 - h)^2 - D R^{\circ 2})\, t = \mathrm{var}(u)\, \beta + \mathrm E\, u^2 v

    is the squared error of the fit without row i, and (1 - h_i)^2 (T_i + v_i) its residual.

    Args:
        kernel: inner products of the features of all N rows [x^2].
        target: clean labels of all rows.
        counts: distinct training rows in each group, > 0, fewer than N together.
        weights: weight of each row, > 0.
        noise: variance of a row's mean label about the target [label^2].
        ridge: total ridge [x^2], >= 0; 0 only with fewer rows than the rank of the kernel.
        start: guess of the mean Q [x^2]; the kernel's diagonal if it is none or not > 0.

    Regime: each row's error feels many others. What a single other row, a near copy say, does to
    Q_i is left out: ``unsettled_*`` is 3 var(h_i)/(1 - h_i)^2 of the residuals, what convexity
    makes of the fluctuation of h_i, itself to leading order.

    Limits: rows of equal leverage give ``population_risk``, exactly (a circulant kernel, a test).

    Source: derived here (docs/rows/real_data.md), leaving out a row at a time.

    >>> features = np.random.default_rng(0).normal(size=(60, 20))
    >>> rows, one = np.array([30.0]), np.ones(1)
    >>> found = row_risk(features @ features.T, features[:, 0], rows, one, 0.1 * one, 2.0)
    >>> print(f"{found.signal:.4f} {found.noise:.4f}", found.status)
    0.0402 0.0982 0
    """
    size = len(target)
    counts, weights, noise = (np.asarray(a, float) for a in (counts, weights, noise))
    nothing = np.full(len(counts), np.nan)
    if not (0 < counts.sum() < size and (counts >= 0).all() and (weights > 0).all() and ridge >= 0):
        lost = (nothing,) * 5
        return RowRisk(np.nan, np.nan, *lost, int(Status.OUT_OF_SCOPE))
    shares = counts / size
    found = None
    with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):
        # there is no root without a ridge and with more rows than the rank, say
        found = _settle(kernel, shares, weights, float(ridge), start)
    if found is None or not found[-1]:
        lost = (nothing,) * 5
        return RowRisk(np.nan, np.nan, *lost, int(Status.NOT_CONVERGED))
    q, smoother, law, _ = found

    rest = (target - smoother @ (law.strength * target)) / law.mean_miss
    square = smoother**2

    def spreads(source: np.ndarray) -> np.ndarray:
        """Turn sources of variance at the rows into the variance of every row's error."""
        root, share = np.sqrt(law.spread), source / law.square_miss
        through = share + root * _solve(square, law, root * (square @ share))
        return (square @ through) / law.mean_miss**2 - q**2 * through

    own = rest**2
    signal = own + spreads(law.spread * law.mean_miss**2 * own)
    extra = spreads(noise @ (shares[:, None] * law.pull**2))
    np.fill_diagonal(square, 0.0)
    fluctuation = square**2 @ (law.spread / law.mean_miss**2)  # variance of Q
    loose = 3 * law.pull**2 * fluctuation * law.miss**2
    kept = law.miss**2
    return RowRisk(
        signal=float(signal.mean()),
        noise=float(extra.mean()),
        residual_signal=(kept * signal).mean(axis=1),
        residual_noise=(kept * (extra + noise[:, None])).mean(axis=1),
        leverage=(1 - law.miss).mean(axis=1),
        unsettled_signal=(loose * signal).mean(axis=1),
        unsettled_noise=(loose * (extra + noise[:, None])).mean(axis=1),
        status=int(Status.OK),
    )
