r"""Ridge regression on noisy inputs.

Gaussian conditioning turns it into clean ridge regression on another law, exactly, so nothing new
is solved here; corrupted labels are ``corrupted_labels``.
"""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.ridge.risk import RidgeRisk, learned_weights, ridge_risk
from ci_theory.theory.rows.repetition import WeightedRisk, weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, total

__all__ = [
    "CorruptedLaw",
    "InputNoiseRisk",
    "best_input_noise",
    "corrupted_law",
    "exact_input_noise_excess",
    "input_noise_risk",
    "weighted_input_noise_risk",
]


@record
class CorruptedLaw:
    """The clean law that a learner of noisy inputs in fact faces.

    Attributes:
        spectrum: covariance S + input noise with the attenuated target on it.
        noise: label noise, plus the part of the label that the noisy input does not show
            [label^2].
    """

    spectrum: Spectrum
    noise: Scalar


class InputNoiseRisk(NamedTuple):
    """Errors after training on noisy inputs, all in label^2.

    Attributes:
        test_error: mean squared error on clean inputs and fresh noisy labels.
        excess_risk: test_error less the label noise of the test.
        noisy_test_error: the same on inputs as noisy as in training.
        train_error: mean squared residual on the training rows.
        bias: squared bias of the mean estimator on clean inputs; attenuation included.
        attenuation: part of the bias that infinitely many rows without ridge keep.
        variance: what the spread of the estimator adds on clean inputs.
        inside: the ``RidgeRisk`` on the training law.
        status: a ``Status`` code.
    """

    test_error: Scalar
    excess_risk: Scalar
    noisy_test_error: Scalar
    train_error: Scalar
    bias: Scalar
    attenuation: Scalar
    variance: Scalar
    inside: RidgeRisk
    status: Int[Array, ""]


class WeightedInputNoiseRisk(NamedTuple):
    """Errors after training on noisy inputs, some of the rows repeated, all in label^2.

    Attributes:
        excess_risk: mean squared error on clean inputs and clean labels.
        noisy_excess_risk: on inputs as noisy as in training, less the noise of a fresh label.
        bias: squared bias of the mean estimator on clean inputs; attenuation included.
        variance: what the spread of the estimator adds on clean inputs.
        law: the law that the learner faces; its noise is of a row whose labels have none.
        groups: the rows on that law.
        inside: the ``WeightedRisk`` on it.
        status: a ``Status`` code.
    """

    excess_risk: Scalar
    noisy_excess_risk: Scalar
    bias: Scalar
    variance: Scalar
    law: CorruptedLaw
    groups: Groups
    inside: WeightedRisk
    status: Int[Array, ""]


@needs_float64
def corrupted_law(
    spectrum: Spectrum, noise: Any, input_noise: Float[Any, " m"] | Any
) -> CorruptedLaw:
    r"""Condition a Gaussian linear model on noisy inputs: another Gaussian linear model.

    .. math::
        \tilde\lambda = \lambda + \eta^2, \qquad \tilde w = \frac{\lambda}{\lambda + \eta^2} w,
        \qquad \tilde\sigma^2 = \sigma^2 + \sum \frac{\eta^2}{\lambda + \eta^2} \lambda w^2

    Args:
        spectrum: of the clean inputs.
        noise: label-noise variance [label^2].
        input_noise: variance eta^2 added to each mode, a number or one per node (m,) [x^2].

    Regime: exact for Gaussian inputs and noise that share eigenvectors. A tail of vanishing
    modes stays clean.

    Source: conditioning of jointly Gaussian variables; the errors-in-variables model
    (e.g. Fuller 1987; from memory).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> law = corrupted_law(isotropic(10), 0.25, 1.0)
    >>> float(law.spectrum.eigenvalues[0]), float(law.spectrum.power[0]), float(law.noise)
    (2.0, 0.5, 0.75)
    """
    added = jnp.broadcast_to(jnp.asarray(input_noise, float), jnp.shape(spectrum.eigenvalues))
    kept, missed = fractions(spectrum.eigenvalues, added)
    there = spectrum.eigenvalues + added > 0  # elsewhere power stays out of reach
    noisy = Spectrum(
        eigenvalues=spectrum.eigenvalues + added,
        multiplicity=jnp.asarray(spectrum.multiplicity, float),
        power=jnp.where(there, spectrum.power * kept, spectrum.power),
        tail_trace=spectrum.tail_trace,
        tail_power=spectrum.tail_power,
    )
    unseen = total(jnp.where(there, spectrum.power, 0.0), missed)
    return CorruptedLaw(spectrum=noisy, noise=noise + unseen)


@needs_float64
def input_noise_risk(
    spectrum: Spectrum, n: Any, ridge: Any, noise: Any, input_noise: Float[Any, " m"] | Any
) -> InputNoiseRisk:
    r"""Average errors of ridge regression trained on inputs with added Gaussian noise.

    .. math::
        E = \sigma^2 + \sum \Big(\frac{\eta^2 + \kappa}{\lambda + \eta^2 + \kappa}\Big)^2
            \lambda w^2 + \frac{\tilde E}{n}
            \sum \frac{\lambda (\lambda + \eta^2)}{(\lambda + \eta^2 + \kappa)^2}

    with kappa and the test error E~ those of the law of ``corrupted_law``; E~ is also the error
    on equally noisy inputs.

    Args:
        spectrum: of the clean inputs.
        n: training rows, > 0.
        ridge: total ridge [x^2], >= 0.
        noise: label-noise variance, in training and test [label^2].
        input_noise: variance eta^2 added to each mode, a number or one per node (m,) [x^2].

    Returns:
        The errors; status as ``ridge_risk``, and OUT_OF_SCOPE for input_noise < 0 and for a
        tail under input noise (infinitely many noisy modes).

    Regime: limit n, p -> infinity as ``ridge_risk``; the reduction itself is exact.

    Limits: input_noise = 0 is ``ridge_risk``. For n >> p the estimator tends to that of the clean
    law with ridge n eta^2 (Bishop 1995), but fitted to labels of the larger noise sigma~^2.

    Source: derived here from ``corrupted_law`` and the out-of-distribution formula of
    ``theory.ridge.shift``; Bishop 1995, Neural Computation 7, for the limit
    (from memory).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = input_noise_risk(isotropic(100), 300, 0.0, 0.5, 1.0)
    >>> float(risk.attenuation), float(risk.excess_risk)
    (0.25, 0.5)
    """
    law = corrupted_law(spectrum, noise, input_noise)
    inside = ridge_risk(law.spectrum, n, ridge, law.noise)
    added = jnp.broadcast_to(jnp.asarray(input_noise, float), jnp.shape(spectrum.eigenvalues))
    _, missed = fractions(spectrum.eigenvalues, added + inside.kappa)
    _, attenuated = fractions(spectrum.eigenvalues, added)
    bias = total(spectrum.power, missed**2) + spectrum.tail_power
    spread = learned_weights(law.spectrum, inside, n).variance
    variance = total(spectrum.multiplicity * spectrum.eigenvalues, spread)
    excess = bias + variance
    tail_noise = (spectrum.tail_trace > 0) & jnp.any(added > 0)
    bad = jnp.any(added < 0) | tail_noise
    return InputNoiseRisk(
        test_error=noise + excess,
        excess_risk=excess,
        noisy_test_error=inside.test_error,
        train_error=inside.train_error,
        bias=bias,
        attenuation=total(spectrum.power, attenuated**2) + spectrum.tail_power,
        variance=variance,
        inside=inside,
        status=jnp.where(bad, Status.OUT_OF_SCOPE, inside.status),
    )


@needs_float64
def weighted_input_noise_risk(
    spectrum: Spectrum, groups: Groups, ridge: Any, input_noise: Float[Any, " m"] | Any
) -> WeightedInputNoiseRisk:
    r"""Two defects at once: ridge regression on noisy inputs, some of whose rows are repeated.

    .. math::
        E_x = \sum \Big(\frac{\eta^2 + \kappa}{\lambda + \eta^2 + \kappa}\Big)^2 \lambda w^2
            + T \sum \frac{\lambda (\lambda + \eta^2)}{(\lambda + \eta^2 + \kappa)^2}

    with kappa and T of ``weighted_ridge_risk`` on the law of ``corrupted_law``. All copies of a row
    have one noisy input, so that what it does not show of the label is theirs in common, also
    where they are labelled afresh.

    Args:
        spectrum: of the clean inputs.
        groups: training rows with their label noise.
        ridge: total ridge [x^2], >= 0.
        input_noise: variance eta^2 added to each mode, a number or one per node (m,) [x^2].

    Returns:
        The errors; status as ``weighted_ridge_risk``, and OUT_OF_SCOPE for input_noise < 0 and
        for a tail under input noise.

    Regime: as ``weighted_ridge_risk``; the reduction itself is exact.

    Limits: plain rows are ``input_noise_risk``; input_noise = 0 is ``weighted_ridge_risk``.

    Source: derived here from ``corrupted_law`` (docs/rows/corrupted_inputs.md).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> two = weighted_input_noise_risk(isotropic(100), plain_rows(300, 0.5), 0.0, 1.0)
    >>> print(f"{float(two.excess_risk):.12f}")
    0.500000000000
    """
    law = corrupted_law(spectrum, 0.0, input_noise)
    raised = dataclasses.replace(groups, noise=jnp.asarray(groups.noise, float) + law.noise)
    inside = weighted_ridge_risk(law.spectrum, raised, ridge)
    kappa = inside.fixed_point.kappa
    added = jnp.broadcast_to(jnp.asarray(input_noise, float), jnp.shape(spectrum.eigenvalues))
    _, missed = fractions(spectrum.eigenvalues, added + kappa)
    learned, _ = fractions(law.spectrum.eigenvalues, kappa)
    bias = total(spectrum.power, missed**2) + spectrum.tail_power
    there = law.spectrum.eigenvalues + kappa > 0
    per_mode = learned / jnp.where(there, law.spectrum.eigenvalues + kappa, 1.0)
    variance = inside.spread * total(spectrum.multiplicity * spectrum.eigenvalues, per_mode)
    bad = jnp.any(added < 0) | ((spectrum.tail_trace > 0) & jnp.any(added > 0))
    return WeightedInputNoiseRisk(
        excess_risk=bias + variance,
        noisy_excess_risk=inside.excess_risk + law.noise,
        bias=bias,
        variance=variance,
        law=law,
        groups=raised,
        inside=inside,
        status=jnp.where(bad, Status.OUT_OF_SCOPE, inside.status),
    )


@needs_float64
def exact_input_noise_excess(n: Any, p: Any, noise: Any, signal: Any, input_noise: Any) -> Scalar:
    r"""Mean excess risk on clean inputs of least squares or the minimum-norm fit on noisy ones.

    .. math::
        r^2 (1-u)^2 + u\,v\,\frac{p}{n-p-1}\quad (n > p + 1), \qquad
        r^2 \Bigl(1 - \frac np\,u (2-u)\Bigr) + u\,v\,\frac{n}{p-n-1}\quad (p > n + 1), \qquad
        v = \sigma^2 + r^2 (1-u)

    with the attenuation u = 1/(1 + eta^2).

    Args:
        n: training rows.
        p: modes, of variance 1.
        noise: label-noise variance sigma^2 [label^2].
        signal: squared norm r^2 of the target [label^2].
        input_noise: eta^2, in units of the input variance.

    Regime: exact at finite size, Gaussian isotropic inputs, no ridge, |n - p| > 1.

    Limits: without input noise ``ridge.isotropic.exact_ridgeless``.

    Source: derived here by the inverse Wishart mean (docs/rows/corrupted_inputs.md).

    >>> print(f"{float(exact_input_noise_excess(100, 49, 0.5, 1.0, 0.0)):.6f}")  # 0.5 49/50
    0.490000
    """
    u = 1 / (1 + input_noise)
    level = noise + signal * (1 - u)
    under = signal * (1 - u) ** 2 + u * level * p / (n - p - 1)
    over = signal * (1 - n / p * u * (2 - u)) + u * level * n / (p - n - 1)
    return jnp.where(n > p, under, over)


@needs_float64
def best_input_noise(n: Any, p: Any, noise: Any, signal: Any) -> Scalar:
    r"""Input noise that minimises the clean test error of least squares, isotropic inputs.

    .. math::
        \eta^2_* = \frac{1 - a}{1 - \frac{a}{2}\,(1 + \sigma^2/r^2)} - 1, \qquad
        a = \frac{p}{n - p - 1}

    The excess risk is the quadratic ``r^2 (1-u)^2 + a u (sigma^2 + r^2 (1-u))`` in the
    attenuation u = 1/(1 + eta^2); its slope at u = 1 is ``a (sigma^2 - r^2)``: a little input
    noise helps exactly where the label noise exceeds the signal.

    Args:
        n: training rows.
        p: modes, of variance 1.
        noise: label-noise variance sigma^2 [label^2].
        signal: squared norm r^2 of the target, > 0 [label^2].

    Returns:
        eta^2 in units of the input variance: 0 where noise <= signal, infinite where fitting
        nothing is best, NaN for n <= 2 p + 1 (the quadratic is then concave: the best is 0 or
        infinite).

    Regime: exact at finite size, Gaussian inputs, no ridge, n > 2 p + 1.

    Source: derived here (docs/rows/corrupted_inputs.md).

    >>> print(f"{float(best_input_noise(301, 100, 2.0, 1.0)):.6f}")
    1.000000
    """
    n, p, noise, signal = (jnp.asarray(v, float) for v in (n, p, noise, signal))
    a = p / (n - p - 1)
    left = 1 - a / 2 * (1 + noise / signal)
    inner = jnp.where(left > 0, (1 - a) / jnp.where(left > 0, left, 1.0) - 1, jnp.inf)
    best = jnp.where(noise <= signal, 0.0, inner)
    return jnp.where((n > 2 * p + 1) & (signal > 0), best, jnp.nan)
