"""Spectrum of random features act(theta.x / sqrt d) for x, theta uniform on a sphere: exact in d.

With x and theta uniform on the sphere of radius sqrt(d) in R^d, the kernel that the features
average to depends on the cosine of two inputs only, so its eigenfunctions are the spherical
harmonics. Nothing here is a limit in d.

Runs on the host in numpy.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import roots_legendre

from ci_theory._errors import BadInput
from ci_theory.theory.spectra.spectrum import Spectrum

__all__ = ["coefficients", "cosine_rule", "gaussian_rule", "harmonics", "levels", "sphere_spectrum"]

DEGREES = 64
"""Levels kept (l = 0 ... 63): one length for all d, so one compilation."""

_CROWDED = 1e18  # a level of more modes than this acts as infinitely many infinitesimal ones
_ROUNDING = 1e-14


def levels(d: int, degree: int) -> int:
    r"""Return B(d, l), the number of spherical harmonics of one degree in R^d.

    .. math:: B(d, l) = \frac{2l + d - 2}{l} \binom{l + d - 3}{l - 1}, \qquad B(d, 0) = 1

    Args:
        d: dimension of the space, >= 3.
        degree: l.

    Regime: exact. Source: standard (e.g. Mei & Montanari 2019, arXiv:1908.05355, appendix on
    harmonics; from memory).

    >>> [levels(3, l) for l in range(4)]  # 2 l + 1
    [1, 3, 5, 7]
    """
    if degree == 0:
        return 1
    return (2 * degree + d - 2) * math.comb(degree + d - 3, degree - 1) // degree


def _half_rule(top: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre on (0, top) in panels: low orders keep their weights accurate to rounding."""
    panels, order = 10, 32
    x, w = roots_legendre(order)
    points = (np.arange(panels)[:, None] + (x[None, :] + 1) / 2) * (top / panels)
    return points.ravel(), np.tile(w, panels)


def cosine_rule(d: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Quadrature over t = <x, theta>/sqrt(d): 640 nodes and their weights, of sum 1.

    .. math:: t = \sqrt d\,\sin\varphi, \qquad p(\varphi) \propto \cos^{d-2}\varphi

    Gauss-Legendre in the angle on each side of 0, so that a kink of the activation at 0 costs no
    accuracy: about 1e-15 for activations analytic on either side of 0 and degrees < 64. For
    large d the rule stops at t = 14, where the density is below 1e-40.

    >>> t, weight = cosine_rule(10)
    >>> bool(abs(weight @ t**4 - 3 * 10 / 12) < 1e-13)
    True
    """
    angle, w = _half_rule(min(math.pi / 2, 14.0 / math.sqrt(d)))
    t, w = math.sqrt(d) * np.sin(angle), w * np.cos(angle) ** (d - 2)
    return np.concatenate([-t[::-1], t]), np.concatenate([w[::-1], w]) / (2 * w.sum())


def gaussian_rule() -> tuple[np.ndarray, np.ndarray]:
    """Quadrature over a standard normal t, kinks at 0 allowed: the d -> infinity ``cosine_rule``.

    >>> t, weight = gaussian_rule()
    >>> bool(abs(weight @ t**4 - 3) < 1e-13)
    True
    """
    t, w = _half_rule(14.0)
    w = w * np.exp(-(t**2) / 2)
    return np.concatenate([-t[::-1], t]), np.concatenate([w[::-1], w]) / (2 * w.sum())


def harmonics(d: int, degrees: int, t: np.ndarray) -> np.ndarray:
    r"""Orthonormal Gegenbauer polynomials q_l(t), l < degrees, shape (degrees, len(t)).

    .. math:: t\,q_l = a_{l+1} q_{l+1} + a_l q_{l-1}, \qquad
        a_l^2 = \frac{d\,l\,(l + d - 3)}{(2l + d - 4)(2l + d - 2)}

    They are orthonormal under the law of t = <x, theta>/sqrt(d); q_l(sqrt d)^2 = B(d, l).

    >>> t, weight = cosine_rule(7)
    >>> q = harmonics(7, 5, t)
    >>> bool(np.allclose((q * weight) @ q.T, np.eye(5), atol=1e-13))
    True
    """
    q = np.empty((degrees, len(t)))
    q[0] = 1.0
    before, step = np.zeros(len(t)), 0.0
    for degree in range(1, degrees):
        # a_1 = 1 whatever d: the general form is 0/0 at d = 2 only.
        following = math.sqrt(
            d * degree * (degree + d - 3) / ((2 * degree + d - 4) * (2 * degree + d - 2))
        )
        q[degree] = (t * q[degree - 1] - step * before) / following
        before, step = q[degree - 1], following
    return q


def coefficients(
    activation: Callable[[np.ndarray], np.ndarray], d: int, degrees: int = DEGREES
) -> tuple[np.ndarray, float]:
    r"""Expand an activation in harmonics: xi (degrees,) and the power left beyond them.

    .. math:: \xi_l = \mathbb E\,[\mathrm{act}(t)\,q_l(t)], \qquad
        \text{rest} = \mathbb E\,\mathrm{act}^2 - \sum_l \xi_l^2

    What is below rounding (1e-14 of the root mean square) is set to zero.

    Args:
        activation: a function of numpy arrays, analytic on either side of 0.
        d: input dimension, >= 3.
        degrees: how many levels.

    >>> xi, rest = coefficients(lambda t: np.maximum(t, 0.0), 20)
    >>> round(float(xi[1]), 12), float(xi[3])  # a rectifier: 1/2, and no other odd degree
    (0.5, 0.0)
    """
    if d < 3:
        raise BadInput(f"d = {d}: a sphere needs d >= 3")
    t, weight = cosine_rule(d)
    act = np.asarray(activation(t), dtype=np.float64)
    power = float(weight @ act**2)
    xi = (harmonics(d, degrees, t) * weight) @ act
    xi = np.where(np.abs(xi) < _ROUNDING * math.sqrt(power), 0.0, xi)
    rest = power - float(xi @ xi)
    return xi, rest if rest > _ROUNDING * power else 0.0


def sphere_spectrum(
    activation: Callable[[np.ndarray], np.ndarray],
    d: int,
    *,
    linear: float = 1.0,
    quadratic: float = 0.0,
) -> Spectrum:
    r"""Spectrum and target of random features on the sphere, exact at finite d.

    .. math:: \lambda_l = \xi_l^2 / B(d, l) \ \text{with multiplicity } B(d, l)

    The features are act(<theta, x>/sqrt d) with x and theta uniform on the sphere of radius
    sqrt(d); the kernel is the mean of act(.) act(.) over theta, that is the expectation of
    Phi Phi^T where Phi carries 1/sqrt(p). The target is <beta, x> plus a harmonic of degree 2.
    A level that the activation does not reach (xi_l = 0) holds nothing to learn: its target
    power goes to the tail.

    Args:
        activation: a function of numpy arrays, analytic on either side of 0.
        d: input dimension, >= 3.
        linear: |beta|^2, the power of the linear part [label^2].
        quadratic: power of the degree-2 part [label^2].

    Returns:
        a ``Spectrum`` of ``DEGREES`` nodes; levels of more than 1e18 modes and all beyond the
        last are its infinitesimal tail.

    Regime: exact for the spectrum. Limits: as d grows, d xi_1^2 / B(d, 1) tends to
    (E G act(G))^2 and the tail to the rest of E act(G)^2 (Mei-Montanari).

    Raises:
        BadInput: d < 3.

    Source: Funk-Hecke formula; its use at finite d: Defilippis, Loureiro & Misiakiewicz 2024,
    arXiv:2405.15699.

    >>> s = sphere_spectrum(lambda t: t, 30, linear=2.0)
    >>> float(s.eigenvalues[1]), float(s.multiplicity[1]), float(s.power[1])
    (0.0333..., 30.0, 2.0)
    """
    xi, rest = coefficients(activation, d)
    # of a large sphere the modes of a level exceed every float
    count = np.array([float(min(levels(d, degree), 10**19)) for degree in range(DEGREES)])
    power = np.zeros(DEGREES)
    power[1], power[2] = linear, quadratic
    kept = (xi != 0) & (count <= _CROWDED)
    return Spectrum(
        eigenvalues=np.where(kept, xi**2 / count, 1.0),
        multiplicity=np.where(kept, count, 0.0),
        power=np.where(kept, power, 0.0),
        tail_trace=np.float64(rest + np.sum(xi[~kept] ** 2)),
        tail_power=np.float64(np.sum(power[~kept])),
    )
