r"""An inherited label prior, and how far an estimate of it removes it.

Two classes have one-dimensional scores N(+-mu, 1). A classifier learnt where a share pi of the rows
was of class +1 decides by the sign of :math:`2\mu x + L` with the log odds
:math:`L = \ln \pi/(1 - \pi)`, which is best there and biased on balanced classes. From n labels of
that population, of which a share f is wrong, k say +1, and

.. math:: \hat L = \ln \frac{k + 1/2}{n - k + 1/2}, \qquad
    k \sim \mathrm{Bin}(n, \pi'), \quad \pi' = \pi + f (1 - 2\pi),

is taken off with a strength tau: the score is shifted by :math:`b = L - \tau\hat L`. Means over k
are finite sums; with Gaussian log odds, of mean L' and variance
:math:`v = 1/[n \pi'(1 - \pi')]`, they are a function of tau L' and tau^2 v.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.scipy.special import gammaln, ndtr

from ci_theory._types import Array, Scalar, needs_float64

__all__ = [
    "ClassErrors",
    "adjusted_errors",
    "best_strength",
    "binomial",
    "fewest_labels",
    "gaussian_errors",
    "log_odds",
    "shifted_errors",
    "told_share",
]

WINDOW = 2048
"""Terms of a binomial sum: 10 standard deviations on both sides up to n = 40 000."""

MOST_LABELS = 40_000


class ClassErrors(NamedTuple):
    """Errors on the two classes.

    Attributes:
        common: probability that a row of class +1, common upstream, is misclassified.
        rare: likewise of class -1.
        gain: how far the mean of the two lies below that of the classifier as inherited: exactly 0
            where nothing is taken off.
    """

    common: Array
    rare: Array
    gain: Array

    def under(self, share: Any) -> Array:
        """Return the error where class +1 has a share."""
        return share * self.common + (1 - share) * self.rare


def log_odds(share: Any) -> Array:
    """Return ln share/(1 - share).

    >>> float(log_odds(0.5))
    0.0
    """
    return jnp.log(share) - jnp.log1p(-jnp.asarray(share))


def told_share(prior: Any, flips: Any) -> Array:
    """Return pi', the share of labels that say +1 where a share of them is wrong.

    >>> print(f"{float(told_share(0.8, 0.25)):.2f}")
    0.65
    """
    return prior + flips * (1 - 2 * jnp.asarray(prior))


def shifted_errors(separation: Any, shift: Any, inherited: Any) -> ClassErrors:
    r"""Errors of the classifier sign(2 mu x + b).

    .. math:: \mathrm{err}_\pm = \Phi\left(-\mu \mp \frac{b}{2\mu}\right)

    Args:
        separation: mu^2, squared half distance of the classes in units of their variance, > 0.
        shift: b, any shape.
        inherited: that of the classifier as inherited, L.

    Regime: exact. Limits: b = 0 gives Phi(-mu) on both; with two conditionally independent views
    the separations add up.

    Source: the normal distribution; as a correction of trained scores Menon et al. 2020
    (arXiv:2007.07314), of inherited ones Zhu et al. 2023 (arXiv:2310.08106).

    >>> made = shifted_errors(1.0, 0.0, 2.0)
    >>> print(f"{float(made.rare):.4f} {float(made.gain):.4f}")
    0.1587 0.1027
    """
    half = jnp.sqrt(jnp.asarray(separation, float))
    moved = jnp.stack([jnp.asarray(shift, float), jnp.broadcast_to(inherited, jnp.shape(shift))])
    common, rare = ndtr(-half - moved / (2 * half)), ndtr(-half + moved / (2 * half))
    balanced = (common + rare) / 2
    return ClassErrors(common=common[0], rare=rare[0], gain=balanced[1] - balanced[0])


@needs_float64
def binomial(n: Any, share: Any) -> tuple[Array, Array]:
    """Return counts k and their probabilities, (WINDOW,): those within 10 standard deviations.

    Args:
        n: labels, 0 to ``MOST_LABELS``.
        share: of labels that say +1, in (0, 1).

    >>> counts, chances = binomial(2, 0.5)
    >>> print(chances[:4])
    [0.25 0.5  0.25 0.  ]
    """
    n, share = jnp.asarray(n, float), jnp.asarray(share, float)
    first = jnp.clip(jnp.round(n * share) - WINDOW // 2, 0.0, jnp.maximum(n - WINDOW + 1, 0.0))
    counts = first + jnp.arange(WINDOW)
    there = counts <= n
    k = jnp.where(there, counts, 0.0)
    chance = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    chance = chance + k * jnp.log(share) + (n - k) * jnp.log1p(-share)
    chance = jnp.where(there, jnp.exp(chance), 0.0)
    return k, chance / jnp.sum(chance)


@needs_float64
def adjusted_errors(
    separation: Any, prior: Any, n: Any, strength: Any, flips: Any = 0.0
) -> ClassErrors:
    r"""Mean errors once the estimated log prior is taken off.

    .. math:: \mathrm{err}_\pm = \sum_k \binom nk \pi'^k (1 - \pi')^{n-k}\,
        \Phi\left(-\mu \mp \frac{L - \tau \hat L_k}{2\mu}\right)

    Args:
        separation: mu^2.
        prior: pi, share of class +1 upstream, in (0, 1).
        n: labels that the prior is estimated from, up to ``MOST_LABELS``.
        strength: tau.
        flips: share of these labels that is wrong.

    Regime: exact. Limits: n -> infinity without flips gives ``shifted_errors`` at (1 - tau) L.

    Source: derived here.

    >>> made = adjusted_errors(1.0, 0.8, 50, 1.0)
    >>> print(f"{float(made.common):.4f} {float(made.rare):.4f}")
    0.1625 0.1624
    """
    k, chance = binomial(n, told_share(prior, flips))
    estimate = jnp.log(k + 0.5) - jnp.log(n - k + 0.5)
    estimate = jnp.where(chance > 0, estimate, 0.0)
    inherited = log_odds(prior)
    made = shifted_errors(separation, inherited - strength * estimate, inherited)
    return ClassErrors(*(chance @ part for part in made))


def gaussian_errors(
    separation: Any, prior: Any, n: Any, strength: Any, flips: Any = 0.0
) -> ClassErrors:
    r"""The same with Gaussian log odds of mean L' and variance v: for many labels.

    .. math:: \mathrm{err}_\pm =
        \Phi\left(\frac{-\mu \mp (L - \tau L')/2\mu}{\sqrt{1 + \tau^2 v/4\mu^2}}\right)

    Args:
        separation, prior, n, strength, flips: as in ``adjusted_errors``; n may be infinite.

    Regime: n pi'(1 - pi') -> infinity, relative corrections of order 1/(n pi'(1 - pi')).

    Source: derived here, the delta method and the mean of Phi over a Gaussian.

    >>> made = gaussian_errors(1.0, 0.8, 50, 1.0)
    >>> print(f"{float(made.common):.4f} {float(made.rare):.4f}")
    0.1624 0.1624
    """
    told = told_share(prior, flips)
    variance = 1 / (n * told * (1 - told))
    wider = jnp.sqrt(1 + strength**2 * variance / (4 * separation))
    half = jnp.sqrt(jnp.asarray(separation, float))
    inherited = log_odds(prior)
    moved = (inherited - strength * log_odds(told)) / (2 * half)
    common, rare = ndtr((-half - moved) / wider), ndtr((-half + moved) / wider)
    before = shifted_errors(separation, inherited, inherited).under(0.5)
    return ClassErrors(common=common, rare=rare, gain=before - (common + rare) / 2)


@needs_float64
def best_strength(prior: Any, n: Any, flips: Any = 0.0) -> Scalar:
    r"""Strength that leaves the least mean square of the shift.

    .. math:: \tau^* = \frac{L L'}{L'^2 + v}

    Args:
        prior, n, flips: as in ``adjusted_errors``.

    Regime: L -> 0 and n pi'(1 - pi') -> infinity: the balanced error is then quadratic in the
    shift. Limits: 1 for many right labels; wrong ones, which hide part of the prior, ask for
    more than 1: L/L'.

    Source: derived here.

    >>> print(f"{float(best_strength(0.6, 50)):.3f}")
    0.664
    """
    told = told_share(prior, flips)
    seen = log_odds(told)
    return log_odds(prior) * seen / (seen**2 + 1 / (n * told * (1 - told)))


@needs_float64
def fewest_labels(prior: Any, strength: Any, flips: Any = 0.0) -> Scalar:
    r"""Labels below which adjusting with a strength costs more than it removes.

    .. math:: n^* = \frac{\tau}{\pi'(1 - \pi')\,L'(2L - \tau L')}, \qquad
        \tau = 1, f = 0:\ \frac{1}{\pi(1 - \pi) L^2}

    Args:
        prior, strength, flips: as in ``adjusted_errors``.

    Returns:
        The number; infinite where no number of labels is enough (tau L' >= 2 L, or L' = 0).

    Regime: as ``best_strength``.

    Source: derived here: the mean square of the shift is then L^2.

    >>> print(f"{float(fewest_labels(0.6, 1.0)):.2f}")
    25.34
    """
    told = told_share(prior, flips)
    seen = log_odds(told)
    room = told * (1 - told) * seen * (2 * log_odds(prior) - strength * seen)
    return jnp.where(room > 0, strength / jnp.where(room > 0, room, 1.0), jnp.inf)
