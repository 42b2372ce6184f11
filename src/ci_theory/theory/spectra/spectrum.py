"""The spectrum of a data covariance with a target on it, and the sums every formula needs.

A spectrum is a list of nodes: ``multiplicity`` modes of variance ``eigenvalues`` that carry
together the target power ``power``, plus a tail of infinitely many modes of vanishing variance
whose total variance is ``tail_trace``. With ``x = lambda / (lambda + kappa)`` (what is learned
of a mode) and ``y = 1 - x`` (what is not):

    df1 = sum m x + tail_trace / kappa        df2 = sum m x^2
    d12 = df1 - df2 = sum m x y + tail_trace / kappa        bias = sum power y^2 + tail_power

Constructors run on the host and return numpy leaves; ``isotropic`` and ``two_block`` also take
traced numbers. Data make one with ``from_covariance`` and ``from_features``; ``compression``
replaces many modes by few nodes.
"""

import dataclasses
from typing import Any, no_type_check

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Num

from ci_theory._errors import BadInput
from ci_theory._record import record
from ci_theory._types import Array, Float, Number, Numbers, Scalar, needs_float64

__all__ = [
    "Spectrum",
    "bias",
    "d12",
    "df1",
    "df2",
    "explicit",
    "fractions",
    "from_covariance",
    "from_features",
    "isotropic",
    "per_kappa",
    "power_law",
    "rank",
    "scale_target",
    "tail_as_modes",
    "total",
    "trace",
    "two_block",
]

SHORT = 4096
"""Modes up to which a sum over modes is a dot product."""


@record
@no_type_check  # JAX rebuilds it of batches too, and of marks that are no arrays
class Spectrum:
    """Covariance eigenvalues in nodes and the target's power on them; see the module.

    Attributes:
        eigenvalues: variance of each mode of a node [x^2], >= 0; 1 on a padded node.
        multiplicity: how many modes the node stands for; 0 on a padded node. Quadrature nodes
            of ``compress`` carry fractions and may be negative.
        power: target power of the node, the sum of ``lambda w^2`` over its modes [label^2].
        tail_trace: total variance of infinitely many modes of vanishing variance [x^2].
        tail_power: target power that no mode of positive variance carries [label^2].
    """

    eigenvalues: Float[Any, " m"]
    multiplicity: Float[Any, " m"]
    power: Float[Any, " m"]
    tail_trace: Float[Any, ""]
    tail_power: Float[Any, ""]


def fractions(eigenvalues: Any, kappa: Num[ArrayLike, "..."]) -> tuple[Array, Array]:
    """Return the learned and the unlearned fraction of each mode, ``(x, y)``, shape (m,).

    A mode of variance 0 is never learned, also at kappa = 0.

    >>> x, y = fractions(np.array([1.0, 3.0, 0.0]), 1.0)
    >>> print(x, y)
    [0.5  0.75 0.  ] [0.5  0.25 1.  ]
    """
    whole = eigenvalues + kappa
    nothing = whole == 0  # not "whole > 0": a NaN must stay one
    inverse = 1.0 / jnp.where(nothing, 1.0, whole)
    return eigenvalues * inverse, jnp.where(nothing, 1.0, kappa * inverse)


def total(weights: Any, values: Any) -> Array:
    """Return the weighted sum over modes (m,).

    A dot product is twice as fast as a fused sum, but it stores its terms and adds them one
    after the other; a long list goes through the fused sum, which adds as a tree.
    """
    if weights.shape[0] <= SHORT:
        return jnp.dot(weights, values)
    return jnp.sum(weights * values)


def per_kappa(amount: Numbers, kappa: Num[ArrayLike, "..."]) -> Array:
    """Return ``amount / kappa``, and its limit 0 (amount = 0) or inf at kappa = 0."""
    zero = kappa == 0
    at_zero = jnp.where(jnp.asarray(amount) > 0, jnp.inf, 0.0)
    return jnp.where(zero, at_zero, amount / jnp.where(zero, 1.0, kappa))


@needs_float64
def df1(spectrum: Spectrum, kappa: Number) -> Scalar:
    """First degrees of freedom, ``tr S (S + kappa)^-1``: modes learned at kappa.

    >>> float(df1(isotropic(100), 1.0))
    50.0
    """
    x, _ = fractions(spectrum.eigenvalues, kappa)
    return total(spectrum.multiplicity, x) + per_kappa(spectrum.tail_trace, kappa)


@needs_float64
def df2(spectrum: Spectrum, kappa: Number) -> Scalar:
    """Second degrees of freedom, ``tr S^2 (S + kappa)^-2``; the tail adds nothing.

    >>> float(df2(isotropic(100), 1.0))
    25.0
    """
    x, _ = fractions(spectrum.eigenvalues, kappa)
    return total(spectrum.multiplicity, x**2)


@needs_float64
def d12(spectrum: Spectrum, kappa: Number) -> Scalar:
    """``df1 - df2`` as a sum of positive terms: no digit is lost as kappa goes to 0.

    >>> print(f"{float(d12(isotropic(100), 1e-30)):.6e}")
    1.000000e-28
    """
    x, y = fractions(spectrum.eigenvalues, kappa)
    return total(spectrum.multiplicity, x * y) + per_kappa(spectrum.tail_trace, kappa)


@needs_float64
def bias(spectrum: Spectrum, kappa: Number) -> Scalar:
    """Target power left by the mean estimator, ``kappa^2 sum power/(lambda+kappa)^2``, plus tail.

    >>> float(bias(isotropic(100, signal=4.0), 1.0))
    1.0
    """
    _, y = fractions(spectrum.eigenvalues, kappa)
    return total(spectrum.power, y**2) + spectrum.tail_power


@needs_float64
def rank(spectrum: Spectrum) -> Scalar:
    """Number of modes of positive variance; infinite with a tail.

    Whole and fractional parts are added apart, so that the nodes of ``compress`` add up to a
    whole number exactly.

    >>> float(rank(isotropic(100))), float(rank(power_law(10, 1.5, tail=True)))
    (100.0, inf)
    """
    kept = jnp.where(spectrum.eigenvalues > 0, spectrum.multiplicity, 0.0)
    whole = jnp.round(kept)
    modes = jnp.sum(whole) + jnp.sum(kept - whole)
    return jnp.where(spectrum.tail_trace > 0, jnp.inf, modes)


@needs_float64
def trace(spectrum: Spectrum) -> Scalar:
    """Total variance, the tail's included [x^2].

    >>> float(trace(isotropic(100, variance=0.5)))
    50.0
    """
    return total(spectrum.multiplicity, spectrum.eigenvalues) + spectrum.tail_trace


def scale_target(spectrum: Spectrum, factor: Number) -> Spectrum:
    """Multiply the target's power by a factor, which may be traced.

    >>> float(bias(scale_target(isotropic(100), 4.0), 1.0))
    1.0
    """
    return dataclasses.replace(
        spectrum, power=factor * spectrum.power, tail_power=factor * spectrum.tail_power
    )


def tail_as_modes(spectrum: Spectrum, modes: Any) -> Spectrum:
    """Put the tail, of infinitely many modes, on a number of equal ones; it may be traced.

    What is computed from modes alone is off by the order of what they learn, over ``modes``.

    >>> from_tail = tail_as_modes(explicit([1.0], [2.0]), 1e6)
    >>> from_tail.multiplicity.tolist(), float(trace(from_tail))
    ([1.0, 1000000.0], 1.0)
    """
    more = {
        "eigenvalues": spectrum.tail_trace / modes,
        "multiplicity": modes,
        "power": spectrum.tail_power,
    }
    ends = {k: jnp.append(jnp.asarray(getattr(spectrum, k), float), v) for k, v in more.items()}
    none = jnp.zeros(())
    return dataclasses.replace(spectrum, **ends, tail_trace=none, tail_power=none)


@needs_float64
def isotropic(p: Number, signal: Number = 1.0, variance: Number = 1.0) -> Spectrum:
    """One node: p modes of equal variance, ``|w|^2 = signal``. Arguments may be traced.

    >>> isotropic(10).multiplicity
    Array([10.], dtype=float64)
    """
    variance = jnp.asarray(variance, float)
    return Spectrum(
        eigenvalues=jnp.reshape(variance, (1,)),
        multiplicity=jnp.reshape(jnp.asarray(p, float), (1,)),
        power=jnp.reshape(variance * signal, (1,)),
        tail_trace=jnp.zeros((), float),
        tail_power=jnp.zeros((), float),
    )


@needs_float64
def two_block(
    p1: Number, p2: Number, variance1: Number, variance2: Number, signal1: Number, signal2: Number
) -> Spectrum:
    """Two nodes: p1 modes of variance1 with ``|w_1|^2 = signal1``, and p2 likewise. Traceable.

    >>> two_block(10, 90, 1.0, 0.1, 1.0, 2.0).power
    Array([1. , 0.2], dtype=float64)
    """
    variances = jnp.stack([jnp.asarray(v, float) for v in (variance1, variance2)])
    signals = jnp.stack([jnp.asarray(s, float) for s in (signal1, signal2)])
    return Spectrum(
        eigenvalues=variances,
        multiplicity=jnp.stack([jnp.asarray(p, float) for p in (p1, p2)]),
        power=variances * signals,
        tail_trace=jnp.zeros((), float),
        tail_power=jnp.zeros((), float),
    )


@needs_float64
def power_law(
    p: int,
    alpha: float,
    source: float = 0.5,
    signal: float | None = None,
    *,
    tail: bool = False,
) -> Spectrum:
    """Eigenvalues ``k^-alpha``, k = 1..p, with target power ``v_k^2 ~ k^-(1 + 2 alpha source)``.

    These p modes are all, unless ``tail`` adds what k > p would hold: ``sum_{k>p} k^-alpha`` as a
    Hurwitz zeta function, and the target power likewise. As infinitely many infinitesimal modes
    it stands in for the missing ones where ``p^-alpha`` is far below kappa.

    Args:
        p: explicit modes.
        alpha: capacity exponent, > 0; with a tail it must exceed 1.
        source: source exponent r > 0.
        signal: ``|w|^2`` over all modes that the spectrum stands for (with a tail that needs
            source > 1/2). None leaves ``v_1^2 = 1``, which always exists.
        tail: whether modes beyond p exist, too small to be told apart.

    Raises:
        BadInput: an exponent for which a sum diverges.

    >>> spectrum = power_law(1000, 2.0, tail=True)
    >>> print(f"{float(trace(spectrum)):.12f}")  # pi^2 / 6
    1.644934066848
    """
    if not alpha > (1 if tail else 0):
        raise BadInput(f"alpha = {alpha}: must be > {1 if tail else 0} for this spectrum")
    if not source > 0:
        raise BadInput(f"source = {source}: must be > 0")
    if not p >= 1:
        raise BadInput(f"p = {p}: must be >= 1")
    from scipy.special import zeta  # a seventh of a second, which other spectra do not need

    k = np.arange(1, p + 1, dtype=float)
    decay = 1 + 2 * alpha * source
    scale = 1.0
    if signal is not None:
        steep = decay - alpha  # w_k^2 = v_k^2 / lambda_k
        if tail and not steep > 1:
            raise BadInput(f"source = {source}: |w|^2 diverges with a tail unless source > 1/2")
        scale = signal / (zeta(steep, 1) if tail else np.sum(k**-steep))
    return Spectrum(
        eigenvalues=k**-alpha,
        multiplicity=np.ones(p),
        power=scale * k**-decay,
        tail_trace=np.asarray(zeta(alpha, p + 1) if tail else 0.0),
        tail_power=np.asarray(scale * zeta(decay, p + 1) if tail else 0.0),
    )


@needs_float64
def explicit(eigenvalues: Any, coefficients_squared: Any) -> Spectrum:
    """One node a mode: variances (m,) and squared target weights ``w^2`` (m,).

    >>> explicit([2.0, 1.0], [0.5, 0.5]).power
    array([1. , 0.5])
    """
    values = np.array(eigenvalues, dtype=float, ndmin=1)
    squares = np.array(coefficients_squared, dtype=float, ndmin=1)
    if values.ndim != 1 or squares.shape != values.shape:
        raise BadInput(
            f"eigenvalues {values.shape} and squared coefficients {squares.shape}:"
            " must be vectors of one length"
        )
    if not (np.all(np.isfinite(values)) and np.all(values >= 0) and np.all(squares >= 0)):
        raise BadInput("eigenvalues and squared coefficients must be finite and >= 0")
    return _modes(values, values * squares, 0.0)


@needs_float64
def from_covariance(covariance: Any, target: Any = None) -> Spectrum:
    """Spectrum of a covariance (p, p) and a target w (p,) or (p, k); no target is zero power.

    Eigenvalues below ``p eps`` times the largest count as 0.

    >>> rank(from_covariance(np.diag([3.0, 1.0, 0.0])))
    Array(2., dtype=float64)
    """
    matrix = np.asarray(covariance, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise BadInput(f"covariance of shape {matrix.shape}: must be square")
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    floor = len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    if values[0] < -16 * floor:
        raise BadInput(f"covariance: has the negative eigenvalue {values[0]:.3g}")
    values = np.where(values > floor, values, 0.0)
    power = np.zeros_like(values)
    if target is not None:
        weights = np.asarray(target, dtype=float).reshape(len(values), -1)
        power = values * np.sum((vectors.T @ weights) ** 2, axis=1)
    return _modes(values[::-1], power[::-1], 0.0)


@needs_float64
def from_features(features: Any, targets: Any = None) -> Spectrum:
    """Spectrum of the uncentred covariance ``F'F/N`` of features (N, p), targets (N,) or (N, k).

    The N rows are the population: a mode's power is the mean square of the targets along it,
    and what no feature explains is ``tail_power``. Powers of several outputs add.

    >>> spectrum = from_features([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], [3.0, 0.0, 1.0])
    >>> print(np.round(spectrum.eigenvalues, 3), np.round(spectrum.power, 3))
    [1.333 0.333] [0. 3.]
    >>> print(np.round(spectrum.tail_power, 3))
    0.333
    """
    matrix = np.asarray(features, dtype=float)
    if matrix.ndim != 2 or not matrix.size:
        raise BadInput(f"features of shape {matrix.shape}: must be (rows, features)")
    rows = len(matrix)
    left, singular, _ = np.linalg.svd(matrix, full_matrices=False)
    floor = max(matrix.shape) * np.finfo(float).eps * singular[0]
    known = singular > floor
    values = singular[known] ** 2 / rows
    if targets is None:
        return _modes(values, np.zeros_like(values), 0.0)
    labels = np.asarray(targets, dtype=float)
    if labels.shape[0] != rows:
        raise BadInput(f"targets of shape {labels.shape}: must have {rows} rows")
    labels = labels.reshape(rows, -1)
    along = left[:, known].T @ labels
    rest = labels - left[:, known] @ along
    return _modes(values, np.sum(along**2, axis=1) / rows, np.sum(rest**2) / rows)


def _modes(values: np.ndarray, power: np.ndarray, tail_power: float) -> Spectrum:
    return Spectrum(
        eigenvalues=values,
        multiplicity=np.ones_like(values),
        power=power,
        tail_trace=np.asarray(0.0),
        tail_power=np.asarray(float(tail_power)),
    )
