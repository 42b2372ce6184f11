r"""Networks that add modulo p exactly, and how wide a network of random phases must be.

A two-layer network with a quadratic activation answers q to (n, m) with the logit

.. math:: f_q(n,m) = \sum_j \bigl(\cos(w_j n + a_j) + \cos(w_j m + b_j)\bigr)^2
          \cos(w_j q + a_j + b_j), \qquad w_j = 2\pi k_j/p

Expanding the square, one term says cos(w (n + m - q))/2; the others carry the phases 3a + b,
a + 3b, a - b, 2a, 2b, 2a + 2b and a + b, and have to average out over neurons. They do exactly
for few well-chosen phases (``cancels``), and in the mean for random ones (``pair_error``).

Source: weights of this form, with random phases, are due to Gromov 2023 (arXiv:2301.02679). The
smallest exact phase sets, the margin and the law of the pair error are derived here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import j0

from ci_theory._errors import BadInput

__all__ = ["PairError", "accuracy_bound", "cancels", "margin", "pair_error"]

NODES = 16
"""Gauss-Legendre nodes a panel of the inversion integral."""


def cancels(neurons: int, step: int) -> bool:
    """Say whether phases a = 2 pi j/J, b = 2 pi B j/J, j < J, remove every unwanted term.

    A sum over j of exp(2 pi i m j/J) is zero unless J divides m, so no multiple of the phases
    above may be divisible by J.

    Args:
        neurons: J, neurons a frequency.
        step: B.

    Regime: exact. Source: derived here (docs/discrete/modular_arithmetic.md).

    The fewest are J = 6 with B = 4:

    >>> [(j, b) for j in range(1, 8) for b in range(j) if cancels(j, b)]
    [(6, 4), (7, 3), (7, 5)]
    """
    multiples = 3 + step, 1 + 3 * step, 1 - step, 2, 2 * step, 2 + 2 * step, 1 + step
    return all(m % neurons for m in multiples)


def margin(p: int, frequencies: Sequence[int], neurons: int = 6) -> float:
    r"""Right logit less the best wrong one, of an exact solution: the same for every question.

    .. math:: f_q = \frac J2 \sum_{k} \cos\frac{2\pi k(n+m-q)}p, \qquad
              \text{margin} = \frac J2 \min_{0<\delta<p} \sum_k
              \Bigl(1 - \cos\frac{2\pi k\delta}p\Bigr)

    Args:
        p: modulus, >= 3.
        frequencies: the k that are used, each with J neurons, in 1..(p-1)/2.
        neurons: J, with phases that cancel (see ``cancels``).

    Regime: exact. Limits: one frequency of a prime p has 3 (1 - cos(2 pi/p)); all (p - 1)/2 of an
    odd p have 3 p/2, since the logits are then those of a one-hot vector.

    Source: the solution of Gromov 2023 (arXiv:2301.02679); its margin is derived here.

    Raises:
        BadInput: a frequency out of range.

    >>> print(f"{margin(23, range(1, 12)):.12f} {margin(23, [4]):.6f}")
    34.500000000000 0.111248
    """
    k = np.asarray(list(frequencies), float)
    if not (len(k) and np.all((k >= 1) & (2 * k <= p) & (k == np.round(k)))):
        raise BadInput(f"frequencies: expected whole numbers in 1..{p // 2}")
    delta = np.arange(1, p // 2 + 1)
    # 1 - cos = 2 sin^2 keeps its digits at small angles
    gaps = 2 * np.sin(np.pi * delta[:, None] * k[None, :] / p) ** 2
    return float(0.5 * neurons * gaps.sum(axis=1).min())


class PairError(NamedTuple):
    """Probability that one wrong answer beats the right one.

    Attributes:
        value: the probability.
        error: estimate of its absolute numerical error.
    """

    value: float
    error: float


def pair_error(p: int, width: int) -> PairError:
    r"""Probability that a given wrong answer beats the right one, for random phases.

    Neuron j adds to the wrong logit, less the right one,

    .. math:: g = (\cos u + \cos v)^2\,[\cos(u+v-\theta) - \cos(u+v)]

    with independent uniform angles u, v, and theta uniform on the multiples of 2 pi/p other
    than 0. For prime p this law is the same for every question and every wrong answer, and
    neurons are independent. With s = u + v and the difference d = u - v, the square is
    4 cos^2(s/2) cos^2(d/2); the average over d is a Bessel function, and

    .. math:: \varphi(t) = \bigl\langle e^{ix/2} J_0(x/2) \bigr\rangle_{s,\theta}, \quad
              x = 2t(1+\cos s)[\cos(s-\theta) - \cos s], \qquad
              P = \frac12 + \frac1\pi\int_0^\infty \frac{\operatorname{Im}\varphi(t)^N}{t}\,dt

    (Gil-Pelaez inversion).

    Args:
        p: modulus, an odd prime.
        width: N, neurons, >= 24.

    Returns:
        a ``PairError``. Numbers of random frequencies in 1..(p-1)/2, phases uniform.

    Regime: exact but for quadrature, about 1e-13 absolute: probabilities below that are not
    resolved. Source: derived here (docs/discrete/modular_arithmetic.md).

    Raises:
        BadInput: p is not an odd prime, or the width is below 24 (the integral decays too
            slowly there; simulate instead).

    >>> print(f"{pair_error(23, 64).value:.6e}")
    6.561161e-04
    """
    if p < 3 or p % 2 == 0 or any(p % q == 0 for q in range(3, int(p**0.5) + 1, 2)):
        raise BadInput(f"p = {p}: must be an odd prime")
    if width < 24:
        raise BadInput(f"width = {width}: must be >= 24")
    coarse, fine = (_inverted(p, width, angles) for angles in (64, 96))
    return PairError(fine, abs(fine - coarse) + 1e-14)


def _inverted(p: int, width: int, angles: int) -> float:
    s = 2 * np.pi * (np.arange(angles) + 0.5) / angles
    theta = 2 * np.pi * np.arange(1, p) / p
    wrong = np.cos(s[None, :] - theta[:, None]) - np.cos(s)[None, :]
    half = ((1 + np.cos(s))[None, :] * wrong).ravel()
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    # the law of a sum of N has the scale sqrt(N): panels of a fraction of 1/sqrt(N)
    panel = 1.2 / width**0.5
    total, left = 0.0, 0.0
    while True:
        t = left + panel * (nodes + 1) / 2
        phase = t[:, None] * half[None, :]
        power = np.mean(np.exp(1j * phase) * j0(phase), axis=1) ** width
        total += float(weights @ (power.imag / t)) * panel / 2
        left += panel
        if np.max(np.abs(power)) < 1e-18:
            return 0.5 + total / np.pi


def accuracy_bound(p: int, width: int) -> float:
    """Lower bound on the accuracy of a network of random phases, averaged over networks.

    Some wrong answer wins with at most p - 1 times the probability that a given one does:
    accuracy >= 1 - (p - 1) P. Tight once the accuracy exceeds 0.97: overlaps of two wrong
    answers are then rare.

    Args:
        p: modulus, an odd prime.
        width: neurons, >= 24.

    Regime: a bound, at every width. Taking logits for independent Gaussians instead is wrong:
    they are skewed and share their neurons. Source: derived here
    (docs/discrete/modular_arithmetic.md).

    >>> print(f"{accuracy_bound(23, 64):.4f} {accuracy_bound(97, 128):.4f}")
    0.9856 0.9997
    """
    return max(0.0, 1.0 - (p - 1) * pair_error(p, width).value)
