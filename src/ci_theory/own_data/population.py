r"""What N rows tell of the population that they came from, and the learning curve this predicts.

The rows are taken for a Haar frame of their own spectrum (``theory.rows.finite_population``), of
which n are drawn. That needs no guess at the spectrum behind them, whose small variances N rows
cannot show: the error of n of the rows on the others is, in the mean over data sets, the error of
n fresh rows on fresh rows, exactly. With D the degrees of freedom of all N rows at a ridge,

    kappa = ridge / (N - D),    d12 = d12_N / (1 - d12_N/(N - D)),
    noise + missing power at kappa = E_gcv (1 - df2/N),    df2 = D - d12

are the population's, at every kappa that N rows can resolve.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._types import Array, Float, Real, cpu
from ci_theory.own_data.refits import Defects
from ci_theory.phenomena._programs import quickly
from ci_theory.theory.rows.finite_population import population_risk
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, over_copies
from ci_theory.theory.spectra.spectrum import Spectrum, d12, df1, from_features

RESOLVED = 0.9
"""Share of the rows' degrees of freedom up to which missing power is read off them."""

_BATCH, _FEWEST_MODES, _FEWEST_KINDS = 64, 64, 8  # shapes that nearly all data share

GROUPS = 20
"""Parts of the rows that the jackknife leaves out one by one."""


class Population(NamedTuple):
    """All rows as a population to draw from.

    Attributes:
        spectrum: of the features over the rows, with the labels' power on it.
        size: rows, less one if their mean was taken off.
        rows: distinct rows N.
        counts: how often the rows of each kind were there (g,); ``shares``: of the rows (g,).
        harder: how much worse the rows of each kind are predicted than all (g,) [label^2].
    """

    spectrum: Spectrum
    size: float
    rows: int
    counts: Float[np.ndarray, " g"]
    shares: Float[np.ndarray, " g"]
    harder: Float[np.ndarray, " g"]


class Cells(NamedTuple):
    """What is asked of a population, an entry a cell.

    Attributes:
        n: distinct training rows, in units of rows, <= N (c,).
        ridge: total ridge (c,).
        kept: whether the rows keep their copies (c,).
    """

    n: np.ndarray
    ridge: np.ndarray
    kept: np.ndarray


class Predicted(NamedTuple):
    """Errors at cells, arrays (c,), in label^2 unless said otherwise.

    Attributes:
        test_error: mean squared error on the labels of rows left out.
        train_error: mean squared residual over the copies, on their labels.
        effective: rows of equal weight with the same sampling error, 1/sum n a^2.
        free: effective rows less df2 of all rows, to average over when they are drawn from.
        gamma: df2 of the population over effective rows.
        kappa: effective ridge of the population [x^2]; ``df1``: degrees of freedom there.
        leverage: of a row of each kind, (c, g).
        endless: test_error if the rows' spectrum were the population's.
        status: of the solver.
    """

    test_error: Any
    train_error: Any
    effective: Any
    free: Any
    gamma: Any
    kappa: Any
    df1: Any
    leverage: Any
    endless: Any
    status: Any


def population(
    rows: Float[np.ndarray, "N p"],
    labels: Float[np.ndarray, " N"],
    copies: Real[np.ndarray, " N"],
    missed: Float[np.ndarray, " N"],
    centred: bool,
) -> Population:
    """Diagonalise the rows; their labels' power on it.

    Args:
        rows: distinct; of mean zero if ``centred``, like the labels.
        labels: of the rows.
        copies: how often each was there; rows that were there equally often are of one kind.
        missed: squared error of a fit without the row: what copies carry into a fit is known.
        centred: whether the mean of all rows was taken off.
    """
    size = float(len(rows) - centred)
    known = from_features(rows, labels)
    modes = len(known.eigenvalues)
    more = _padded(modes, _FEWEST_MODES) - modes
    spectrum = Spectrum(
        eigenvalues=np.append(known.eigenvalues * len(rows) / size, np.ones(more)),
        multiplicity=np.append(known.multiplicity, np.zeros(more)),
        power=np.append(known.power, np.zeros(more)),
        tail_trace=known.tail_trace,
        tail_power=known.tail_power,
    )
    counts, kind, many = np.unique(copies, return_inverse=True, return_counts=True)
    harder = np.bincount(kind, missed) / many - missed.mean()
    shares = many / len(rows)
    return Population(spectrum, size, len(rows), counts.astype(float), shares, harder)


def groups(
    whole: Population, cells: Cells, defects: Defects
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, weights and noise (c, g) of n distinct rows, with their copies or without.

    Args:
        whole: the rows.
        cells: how many of them, and whether with their copies.
        defects: what is added; nothing is repeated where copies are not kept.
    """
    scale = whole.size / whole.rows * (1 - 1e-13)  # all rows are not more than there are
    parts = np.outer([1 - defects.repeated, defects.repeated], whole.shares).ravel()
    heavy = np.outer([1.0, defects.repeats], whole.counts).ravel()
    counts = scale * np.outer(np.asarray(cells.n, float), parts)
    weights = np.where(np.asarray(cells.kept)[:, None], heavy, 1.0)
    empty = ((0, 0), (0, _padded(len(parts), _FEWEST_KINDS) - len(parts)))
    counts, weights = np.pad(counts, empty), np.pad(weights, empty, constant_values=1.0)
    noise = np.zeros_like(counts)
    noise[:, : len(parts)] = defects.noise + np.tile(whole.harder, 2)
    return counts, weights, noise


def _padded(count: int, least: int) -> int:
    """Return a number of modes or groups up to which data share a compiled program."""
    return max(least, 1 << (count - 1).bit_length())


def predict(whole: Population, cells: Cells, defects: Defects) -> Predicted:
    """Predict the errors of n distinct rows, n <= N, at total ridges; see the module."""
    return _evaluated(whole, groups(whole, cells, defects), cells.ridge)


def as_fresh(whole: Population, cells: Cells, defects: Defects) -> np.ndarray:
    """Predict the test error as if copies were further rows, as far as there are any (c,)."""
    counts, weights, noise = groups(whole, cells, defects)
    grown = (counts * weights).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
    most = 0.98 * whole.size / counts.sum(axis=1, keepdims=True)
    counts = counts * np.clip(grown, 1.0, np.maximum(most, 1.0))
    made = counts, np.ones_like(weights), noise
    return _evaluated(whole, made, cells.ridge).test_error


def _evaluated(
    whole: Population, made: tuple[np.ndarray, np.ndarray, np.ndarray], ridge: Any
) -> Predicted:
    """Evaluate cells some at a time: one compiled program, however many there are."""
    columns = [*made, np.asarray(ridge, float)]
    cells = len(columns[-1])
    padded = [np.concatenate([c, np.repeat(c[:1], -cells % _BATCH, axis=0)]) for c in columns]
    found = []
    with cpu():
        for first in range(0, len(padded[-1]), _BATCH):
            part = (c[first : first + _BATCH] for c in padded)
            found.append(_cells(whole.spectrum, whole.size, *part))
    return Predicted(*(np.concatenate(one)[:cells] for one in zip(*found, strict=True)))


def _at(spectrum: Spectrum, size: Any, counts: Any, weights: Any, noise: Any, ridge: Any) -> Any:
    made = Groups(counts=counts, weights=weights, noise=noise)
    risk = population_risk(spectrum, size, made, ridge)
    degrees = risk.df1
    squares = jnp.sum(counts * risk.leverage**2) / degrees**2
    mixed = d12(spectrum, risk.kappa)
    rest = size - degrees
    lost = mixed / (1 - mixed / rest)  # d12 of the population
    endless = weighted_ridge_risk(spectrum, made, ridge)
    return Predicted(
        test_error=risk.excess_risk,
        train_error=over_copies(made, risk.residual),
        effective=1 / squares,
        free=1 / squares - (degrees - mixed),
        gamma=(degrees - lost) * squares,
        kappa=risk.kappa * size / rest,
        df1=degrees,
        leverage=risk.leverage,
        endless=endless.excess_risk,
        status=risk.status,
    )


_cells = quickly(jax.vmap(_at, (None, None, 0, 0, 0, 0)))


class Noise(NamedTuple):
    """What no fit of these rows explains [label^2].

    Attributes:
        value: label noise plus the power of what N rows cannot resolve.
        bound: whether there is such power: then the noise is at most the value.
        kappa: variance above which the rows resolve [x^2]; 0 if they do throughout.
    """

    value: float
    bound: bool
    kappa: float


def noise(whole: Population) -> Noise:
    """Read off the rows what at their smallest resolved kappa is not explained.

    With fewer features than rows that is the residual over its degrees of freedom.
    """
    spectrum, size = whole.spectrum, whole.size
    modes = float(np.sum(spectrum.multiplicity))
    at = np.zeros(())
    if modes > RESOLVED * size:
        grid = np.geomspace(1e-14, 1e2, 400) * np.sum(spectrum.eigenvalues * spectrum.multiplicity)
        learnt = spectrum.multiplicity * spectrum.eigenvalues
        degrees = (learnt / (spectrum.eigenvalues + grid[:, None])).sum(axis=1)
        at = np.asarray(np.interp(-RESOLVED * size, -degrees, grid))
    with cpu():
        value, kappa = (float(v) for v in _unexplained(spectrum, size, at))
    return Noise(value, modes > RESOLVED * size, kappa)


@quickly
def _unexplained(spectrum: Spectrum, size: Any, at: Array) -> tuple[Array, Array]:
    degrees, mixed = df1(spectrum, at), d12(spectrum, at)
    y = jnp.where(at > 0, at / (spectrum.eigenvalues + at), 0.0)
    left = jnp.sum(spectrum.power * y**2) + spectrum.tail_power
    rest = size - degrees
    gcv = left / (rest / size) ** 2
    lost = mixed / (1 - mixed / rest)
    return gcv * (1 - (degrees - lost) / size), at * size / rest


def band(
    rows: Float[np.ndarray, "N p"],
    labels: Float[np.ndarray, " N"],
    copies: Real[np.ndarray, " N"],
    missed: Float[np.ndarray, " N"],
    centred: bool,
    whole: Population,
    cells: Cells,
    defects: Defects,
) -> tuple[np.ndarray, float]:
    """Return standard errors of the predicted curve (c,) and of the noise, over samples of rows.

    By jackknife: a twentieth of the rows is left out at a time, and the whole prediction made
    anew. It concerns the curve of the population, not the comparison with refits of these rows.

    Args:
        rows: distinct rows; the others: of them, see ``population``.
        whole: all of them.
        cells: n <= 0.9 N.
        defects: what is added.
    """
    order = np.random.default_rng(0).permutation(len(rows))
    errors, floors = [], []
    for part in np.array_split(order, GROUPS):
        keep = np.setdiff1d(order, part)
        x, y = rows[keep], labels[keep]
        if centred:
            x, y = x - x.mean(axis=0), y - y.mean()
        one = population(x, y, copies[keep], missed[keep], centred)
        if len(one.counts) < len(whole.counts):  # a rare kind is in this part alone
            one = one._replace(counts=whole.counts, shares=whole.shares, harder=whole.harder)
        errors.append(predict(one, cells, defects).test_error)
        floors.append(noise(one).value)
    factor = np.sqrt(GROUPS - 1)
    return factor * np.std(errors, axis=0), float(factor * np.std(floors))
