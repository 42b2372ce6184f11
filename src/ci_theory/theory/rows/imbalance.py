r"""Least squares on two Gaussian classes of unequal size: what imbalance costs, and where.

Rows of the majority (+1) and of the minority (-1) are N(+-mu, S) about any centre; labels +-1
are fitted by w.x + b with an unpenalised intercept, minimising ``sum (y - w.x - b)^2 + ridge
|w|^2``. With n' = n - 2, N = n_+ n_-/n and kappa of ``n' = df1 + ridge/kappa``, everything
follows from two sums over the spectrum,

.. math::
    A = \sum \frac{4\mu^2}{\lambda + \kappa}, \qquad
    V = \frac{\sum 4\mu^2 \lambda/(\lambda+\kappa)^2 + \mathrm{df}_2/N}{1 - \mathrm{df}_2/n'},

and the share R = n' / (n' + N A) of the label variance that the fit leaves: the mean scores are
``m_+ = 1 - 2 (n_-/n) R`` and ``m_- = -1 + 2 (n_+/n) R``. The derivation is in
docs/rows/imbalance.md.

Here ``Spectrum.power`` holds mu^2, the squared half distance of the class means on the node
[x^2], not a target's power.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, d12, df1, df2, fractions, per_kappa, total

__all__ = [
    "ImbalanceRisk",
    "LostMinority",
    "lost_minority",
    "mixture_risk",
    "post_hoc_shift",
    "separation",
    "shifted_errors",
]


class ImbalanceRisk(NamedTuple):
    """Errors of the classifier sign(w.x + b), fitted on unequal classes.

    Attributes:
        error_majority: probability that a fresh row of the majority is misclassified.
        error_minority: likewise of the minority; above 1/2 the class is lost.
        balanced_error: mean of the two.
        balanced_error_optimal: the same with the best threshold; what no shift can remove.
        score_majority: mean score of a majority row, m_+.
        score_minority: mean score of a minority row, m_-.
        score_gap: m_+ - m_-, without cancellation.
        score_spread: standard deviation of the score within a class.
        kappa: effective ridge [x^2].
        status: that of the fixed point; OUT_OF_SCOPE for n <= 2.
    """

    error_majority: Scalar
    error_minority: Scalar
    balanced_error: Scalar
    balanced_error_optimal: Scalar
    score_majority: Scalar
    score_minority: Scalar
    score_gap: Scalar
    score_spread: Scalar
    kappa: Scalar
    status: Int[Array, ""]


@needs_float64
def separation(spectrum: Spectrum, kappa: Any) -> Scalar:
    r"""Squared distance of the class means as a fit of effective ridge kappa sees it.

    .. math:: A(\kappa) = \sum \frac{4 \mu^2}{\lambda + \kappa}

    Args:
        spectrum: within-class covariance; ``power`` is mu^2 on each node [x^2].
        kappa: effective ridge [x^2], >= 0.

    Limits: kappa = 0 gives the squared Mahalanobis distance of the means; it is infinite if
    the means differ where there is no variance.

    Regime: exact. Source: derived here (docs/rows/imbalance.md).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> float(separation(isotropic(10, signal=1.0), 1.0))
    2.0
    """
    free = spectrum.eigenvalues + kappa
    there = free > 0
    inside = jnp.where(there, spectrum.power / jnp.where(there, free, 1.0), 0.0)
    nowhere = jnp.sum(jnp.where(there, 0.0, spectrum.power)) + spectrum.tail_power
    return 4 * (jnp.sum(inside) + per_kappa(nowhere, kappa))


@needs_float64
@jax.jit
def mixture_risk(spectrum: Spectrum, majority: Any, minority: Any, ridge: Any) -> ImbalanceRisk:
    r"""Errors of regularised least-squares classification of two unequal Gaussian classes.

    .. math::
        \mathrm{err}_+ = \Phi(-m_+/\sigma_s), \quad \mathrm{err}_- = \Phi(m_-/\sigma_s), \quad
        \sigma_s = \frac{2 N \sqrt V}{n' + N A}, \quad
        \min_b \tfrac12(\mathrm{err}_+ + \mathrm{err}_-) = \Phi\!\left(-\frac{A}{2\sqrt V}\right)

    with the symbols of the module. The class sizes act in two ways: on the threshold, through
    m_+ and m_-, which a shift of the score removes; and on the direction, through
    1/N = 1/n_+ + 1/n_- in V, which nothing but more minority rows removes.

    Args:
        spectrum: within-class covariance; ``power`` is mu^2 on each node [x^2].
        majority: rows labelled +1, > 0. Nothing requires it to be the larger count.
        minority: rows labelled -1, > 0. One of the two may be infinite: both leave their shares
            unknown, which is NOT_FINITE.
        ridge: total ridge [x^2], >= 0; the intercept is free.

    Returns:
        The errors. At ridge 0 both sides of n' = rank are limits ridge -> 0; at n' = rank itself
        the direction is lost in noise and the errors are 1/2.

    Regime: limit n, p -> infinity; corrections of relative order 1/minority and 1/(n' - df2).

    Limits: n -> infinity at fixed p and class shares gives Fisher's discriminant; equal classes
    have err_+ = err_-; ridge -> infinity the nearest-mean direction.

    Source: derived here (docs/rows/imbalance.md) from w ~ (W + ridge)^-1 (difference of the class
    means) with W a Wishart matrix of n - 2 degrees of freedom; related: Raudys 1967 (from
    memory); Dobriban, Wager 2015 (arXiv:1507.03003); Mai, Liao 2019 (arXiv:1905.13742).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = mixture_risk(isotropic(50, signal=1.0), 180.0, 20.0, 0.0)
    >>> print(f"{float(risk.error_majority):.4f} {float(risk.error_minority):.4f}")
    0.0168 0.7873
    """
    both = jnp.isinf(jnp.asarray(majority, float)) & jnp.isinf(jnp.asarray(minority, float))
    majority, minority = counted(majority), jnp.where(both, jnp.nan, counted(minority))
    n = majority + minority
    rows = n - 2
    pairs = majority * minority / n
    root = solve_kappa(spectrum, rows, ridge)
    kappa = root.value

    # s = rows - df1, taken as ridge / kappa where kappa > 0
    positive = kappa > 0
    left = jnp.where(positive, ridge / jnp.where(positive, kappa, 1.0), rows - df1(spectrum, kappa))
    one_minus_gamma = (left + d12(spectrum, kappa)) / rows
    seen = separation(spectrum, kappa)
    x, _ = fractions(spectrum.eigenvalues, kappa)
    variance = jnp.where(spectrum.eigenvalues > 0, spectrum.eigenvalues, 1.0)
    signal = 4 * total(spectrum.power / variance, x**2)
    spread = signal + df2(spectrum, kappa) / pairs  # V (1 - df2/n')

    unlearned = rows / (rows + pairs * seen)
    learned = pairs * seen / (rows + pairs * seen)
    excess = (majority - minority) / n
    score_majority = excess + 2 * (minority / n) * learned
    score_minority = excess - 2 * (majority / n) * learned
    scale = 2 * (pairs / rows) * unlearned
    deviation = scale * jnp.sqrt(spread / one_minus_gamma)
    error_majority = ndtr(-score_majority / deviation)
    error_minority = ndtr(score_minority / deviation)
    return ImbalanceRisk(
        error_majority=error_majority,
        error_minority=error_minority,
        balanced_error=(error_majority + error_minority) / 2,
        balanced_error_optimal=ndtr(-seen / 2 * jnp.sqrt(one_minus_gamma / spread)),
        score_majority=score_majority,
        score_minority=score_minority,
        score_gap=2 * learned,
        score_spread=deviation,
        kappa=kappa,
        status=root.status,
    )


@needs_float64
def post_hoc_shift(risk: ImbalanceRisk, prior_majority: Any = 0.5) -> Scalar:
    r"""Return the constant that, added to the score, minimises the error under a target prior.

    .. math:: \tau = -\frac{m_+ + m_-}{2}
              + \frac{\sigma_s^2}{m_+ - m_-} \ln\frac{\pi_+}{1 - \pi_+}

    Args:
        risk: from ``mixture_risk``.
        prior_majority: share of the majority in the target population, in (0, 1).

    Regime: exact for Gaussian scores of equal spread. Limits: for prior 1/2 the errors of the two
    classes become equal.

    Source: the likelihood ratio of two Gaussians; as a correction of a trained score compare
    Menon et al. 2020 (arXiv:2007.07314).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = mixture_risk(isotropic(50), 180.0, 20.0, 0.0)
    >>> print(f"{float(post_hoc_shift(risk)):.4f}")
    -0.5867
    """
    prior = jnp.asarray(prior_majority, float)
    middle = (risk.score_majority + risk.score_minority) / 2
    odds = jnp.log(prior) - jnp.log1p(-prior)
    return risk.score_spread**2 / risk.score_gap * odds - middle


@needs_float64
def shifted_errors(risk: ImbalanceRisk, shift: Any) -> tuple[Scalar, Scalar]:
    """Return the errors of majority and minority when ``shift`` is added to the score.

    Regime: as ``mixture_risk``. Source: as ``mixture_risk``.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = mixture_risk(isotropic(50), 180.0, 20.0, 0.0)
    >>> both = shifted_errors(risk, post_hoc_shift(risk))
    >>> print(f"{float(both[0]):.4f} {float(both[1]):.4f}")
    0.2533 0.2533
    """
    return (
        ndtr(-(risk.score_majority + shift) / risk.score_spread),
        ndtr((risk.score_minority + shift) / risk.score_spread),
    )


class LostMinority(NamedTuple):
    """Share of the minority at which its error is 1/2, and a ``Status`` code."""

    share: Scalar
    status: Int[Array, ""]


@needs_float64
def lost_minority(spectrum: Spectrum, n: Any, ridge: Any) -> LostMinority:
    r"""Share of the minority below which it is lost: its error passes 1/2.

    .. math::
        \pi_* = \frac{2}{a + 2 + \sqrt{a^2 + 4}}, \qquad
        a = \frac{n\,A(\kappa)}{n - 2}, \qquad n - 2 = \mathrm{df}_1(\kappa) + \delta/\kappa

    The mean score of the minority vanishes where ``n_+ n_- A = (n_+ - n_-)(n - 2)``, and A does
    not depend on the class sizes. Without a ridge and with n - 2 > rank, A is the Mahalanobis
    distance and the place does not depend on the dimension; an interpolating or penalised fit
    sees less of the distance and loses the class earlier.

    Args:
        spectrum: within-class covariance; ``power`` is mu^2 on each node [x^2].
        n: training rows of both classes, > 2.
        ridge: total ridge [x^2], >= 0.

    Returns:
        The share, in (0, 1/2], and the status of the fixed point behind it.

    Regime: as ``mixture_risk``. Limits: 1/2 for A -> 0, 1/(a + 2) for A -> infinity.

    Source: derived here (docs/rows/imbalance.md).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(f"{float(lost_minority(isotropic(50), 200, 0.0).share):.4f}")
    0.1896
    """
    n = counted(n)
    root = solve_kappa(spectrum, n - 2, ridge)
    a = n / (n - 2) * separation(spectrum, root.value)
    return LostMinority(2 / (a + 2 + jnp.hypot(a, 2.0)), root.status)
