"""Corrupted inputs: training on noisy inputs, tested on clean and on equally noisy ones."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import input_noise
from ci_theory.locate.peak import Peak
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows.noise_kinds import (
    InputNoiseRisk,
    best_input_noise,
    corrupted_law,
    input_noise_risk,
)
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, isotropic, scale_target
from ci_theory.training import closed_form


@record
class Params:
    """Ridge regression of a linear teacher whose training inputs are noisy."""

    n: int = sized(200, low=1, unit="rows", doc="training rows")
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    spectrum: str = static(
        "isotropic", choices=gaussian.SPECTRA, doc="covariance of the clean inputs, see `model`"
    )
    alpha: float = static(1.0, above=0, high=20, doc="decay exponent of the power-law spectrum")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")
    input_noise: float = traced(
        0.3, low=0, unit="input²", doc="variance added to every training input"
    )


@record
class Measures:
    """Averaged over the label noise given the inputs."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on clean inputs and fresh noisy labels"
    )
    noisy_test_error: Float[Array, " m"] = measured(
        unit="label²", doc="the same on inputs as noisy as in training"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the training rows"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on clean inputs and clean labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design, add the input noise, and fit every ridge and label-noise level."""
    variances = jnp.asarray(gaussian.variances(params.spectrum, params.p, alpha=params.alpha))
    x = gaussian.rows(key, capacity["n"], variances)
    present = (jnp.arange(capacity["n"]) < params.n).astype(x.dtype)
    seen = input_noise.noisy(key, x, jnp.asarray(params.input_noise))
    w = jnp.sqrt(params.signal) * gaussian.target(params.p)
    path = closed_form.decompose(seen, present)

    def errors(metric: Array, target: Array) -> closed_form.PathErrors:
        return closed_form.path_errors(
            path,
            metric=metric,
            test_target=target,
            signal_labels=x @ w,
            row_noise=present,
            ridge=jnp.asarray(params.ridge),
            noise=jnp.asarray(params.noise),
            equal_weights=True,
        )

    clean = errors(jnp.sqrt(variances), jnp.sqrt(variances) * w)
    # noisy test inputs add input_noise |w_hat|^2
    length = errors(jnp.sqrt(params.input_noise) * jnp.ones(params.p), jnp.zeros(params.p))
    return Measures(
        test_error=clean.excess + params.noise,
        noisy_test_error=clean.excess + length.excess + params.noise,
        train_error=clean.train,
        excess_risk=clean.excess,
    )


def world(params: Params) -> Spectrum:
    """Build the spectrum of the clean inputs, with a target of unit norm."""
    if params.spectrum == "isotropic":
        return isotropic(float(params.p))
    variances = gaussian.variances(params.spectrum, params.p, alpha=params.alpha)
    return explicit(variances, gaussian.target(params.p) ** 2)


def _risk(params: Params, unit: Spectrum, *, noise: float = 1.0) -> InputNoiseRisk:
    return input_noise_risk(
        scale_target(unit, params.signal),
        params.n,
        params.ridge,
        noise * params.noise,
        params.input_noise,
    )


def _estimate(params: Params, risk: InputNoiseRisk, value: Scalar, slack: Scalar) -> Estimate:
    """Attach a slack of order 1 / free, with df2 of the noisy law."""
    return Estimate(value, slack, _free(params, risk) >= _slack.FEWEST_FREE, risk.status)


def _free(params: Params, risk: InputNoiseRisk) -> Scalar:
    return params.n * (1 - risk.inside.gamma)


def _excess_slack(params: Params, risk: InputNoiseRisk, excess: Scalar, spread: Scalar) -> Scalar:
    """Bound an excess whose part ``spread`` is due to all that the training inputs leave open.

    To the learner the part of a label that its noisy input does not show is label noise too.
    """
    inside = risk.inside
    level = inside.test_error - inside.excess_risk
    noise = spread * level / jnp.maximum(level + inside.bias, 1e-300)
    learned = inside.gamma / jnp.maximum(1 - inside.fit, 1e-300)  # df2 / df1
    return _slack.excess(noise, excess - noise, learned, _free(params, risk))


def clean_error(params: Params, unit: Spectrum) -> Estimate:
    """Predict the error on clean inputs."""
    risk = _risk(params, unit)
    slack = _excess_slack(params, risk, risk.excess_risk, risk.variance)
    return _estimate(params, risk, risk.test_error, slack)


def noisy_error(params: Params, unit: Spectrum) -> Estimate:
    """Predict the error on inputs as noisy as in training: plain ridge on the noisy law."""
    risk = _risk(params, unit)
    spread = risk.inside.noise_variance + risk.inside.signal_variance
    slack = _excess_slack(params, risk, risk.inside.excess_risk, spread)
    return _estimate(params, risk, risk.noisy_test_error, slack)


def train_error(params: Params, unit: Spectrum) -> Estimate:
    """Predict the training error."""
    risk = _risk(params, unit)
    inside = risk.inside
    level = inside.test_error - inside.excess_risk
    noise = inside.fit**2 * (level + inside.noise_variance)
    signal = risk.train_error - noise
    slack = _slack.residual(noise, signal, inside.gamma, _free(params, risk))
    return _estimate(params, risk, risk.train_error, slack)


def finite_size(params: Params, unit: Spectrum) -> Estimate:
    """Predict the ridgeless isotropic excess risk exactly, by the inverse Wishart mean."""
    return _exact(params, params.noise, 1.0)


def _exact(params: Params, noise: Any, gap: float) -> Estimate:
    """Excess risk with n - p - gap free dimensions: gap = 1 is exact, 0 the limit."""
    n, p, signal = params.n, params.p, params.signal
    u = 1 / (1 + params.input_noise)
    level = noise + signal * (1 - u)
    under = signal * (1 - u) ** 2 + u * level * p / (n - p - gap)
    over = signal * (1 - n / p * u * (2 - u)) + u * level * n / (p - n - gap)
    scope = (params.ridge == 0) & (params.spectrum == "isotropic") & (jnp.abs(n - p) >= 20)
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    value = jnp.where(n > p, under, over)
    return Estimate(jnp.where(scope, value, jnp.nan), 0.0, scope, status)


def _bishop(params: Params, unit: Spectrum) -> Scalar:
    ridge = params.ridge + params.n * params.input_noise
    return ridge_risk(scale_target(unit, params.signal), params.n, ridge, params.noise).test_error


def _ignored(params: Params, unit: Spectrum) -> Scalar:
    return ridge_risk(
        scale_target(unit, params.signal), params.n, params.ridge, params.noise
    ).test_error


def _not_raised(params: Params, unit: Spectrum) -> Scalar:
    """Leave out the label variance that the noisy inputs do not explain."""
    risk = _risk(params, unit)
    unseen = corrupted_law(scale_target(unit, params.signal), 0.0, params.input_noise).noise
    right = risk.inside.bias + params.noise + unseen
    return params.noise + risk.bias + risk.variance * (1 - unseen / right)


def _best(params: Params) -> float:
    """Best input noise where it is a finite positive one."""
    if params.spectrum != "isotropic" or params.ridge > 0 or params.signal <= 0:
        return math.nan
    place = float(best_input_noise(params.n, params.p, params.noise, params.signal))
    return place if 0 < place < math.inf else math.nan


def _ridgeless(place: str) -> Callable[[Params], float]:
    """Return the place of the peak without ridge; clean noiseless labels have none."""

    def at(params: Params) -> float:
        noisy = params.noise > 0 or params.input_noise > 0
        return float(getattr(params, place)) if params.ridge == 0 and noisy else math.nan

    return at


_IGNORED = Decoy(
    name="corruption ignored",
    why="the inputs are taken for clean",
    evaluate=_ignored,
)

PHENOMENON = Phenomenon(
    name="corrupted_inputs",
    title="Noisy inputs attenuate what is learnt and raise the interpolation peak",
    claims=(24,),
    question="What do corrupted training inputs cost on clean ones, and can they ever help?",
    model=(
        "Rows x ~ N(0, S), labels x.w + noise, |w|^2 = signal, all coordinates of w equal; the "
        "learner sees x + N(0, input_noise) and minimises sum (y - x.w)^2 + ridge |w|^2. S is "
        "the identity, two blocks (half the variances 1, the others 1/10) or k^-alpha. Tests on "
        "clean inputs and on equally noisy ones."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    predictions=(
        Prediction(
            name="test_error",
            measure="test_error",
            evaluate=clean_error,
            statement="noise + sum ((e+k)/(l+e+k))^2 l w^2 + (E~/n) sum l (l+e)/(l+e+k)^2, "
            "e = input_noise, k and E~ of ridge on variances l+e, weights l w/(l+e) and noise "
            "+ sum e l w^2/(l+e)",
            scope="n, p -> infinity; here n - df2 >= 10",
            order="1 / (n - df2) of the excess risk",
            source="derived here (docs/corrupted_inputs.md): Gaussian conditioning and the "
            "out-of-distribution risk of Canatar, Bordelon, Pehlevan 2021 (arXiv:2106.02261)",
            decoys=(
                Decoy(
                    name="a ridge only",
                    why="input noise is taken for a ridge n input_noise and nothing else",
                    evaluate=_bishop,
                ),
                Decoy(
                    name="label noise not raised",
                    why="what noisy inputs do not show of the label is left out of the noise",
                    evaluate=_not_raised,
                ),
                _IGNORED,
            ),
        ),
        Prediction(
            name="noisy_test_error",
            measure="noisy_test_error",
            evaluate=noisy_error,
            statement="E~: ridge on the noisy law",
            scope="as test_error",
            order="1 / (n - df2) of the error less the noise",
            source="as test_error",
            decoys=(
                Decoy(
                    name="clean test",
                    why="the error on clean inputs is taken for it",
                    evaluate=lambda params, unit: _risk(params, unit).test_error,
                ),
                _IGNORED,
            ),
        ),
        Prediction(
            name="train_error",
            measure="train_error",
            evaluate=train_error,
            statement="(ridge / (n k))^2 E~",
            scope="as test_error; zero for an interpolator",
            order="1 / (n - df2)",
            source="as test_error",
            decoys=(
                Decoy(
                    name="noise halved",
                    why="the label-noise variance is halved",
                    evaluate=lambda params, unit: _risk(params, unit, noise=0.5).train_error,
                ),
                Decoy(
                    name="corruption ignored",
                    why=_IGNORED.why,
                    evaluate=lambda params, unit: (
                        ridge_risk(
                            scale_target(unit, params.signal), params.n, params.ridge, params.noise
                        ).train_error
                    ),
                ),
            ),
        ),
        Prediction(
            name="finite_size_excess",
            measure="excess_risk",
            evaluate=finite_size,
            statement="r^2 (1-u)^2 + u (noise + r^2 (1-u)) p/(n-p-1) if n > p+1, "
            "r^2 (1 - n/p u (2-u)) + u (noise + r^2 (1-u)) n/(p-n-1) if p > n+1; "
            "u = 1/(1 + input_noise)",
            scope="exact at every size: isotropic, ridge = 0, |n - p| >= 20",
            order="exact",
            source="derived here by the inverse Wishart mean (docs/corrupted_inputs.md)",
            decoys=(
                Decoy(
                    name="noise halved",
                    why="the label-noise variance is halved",
                    evaluate=lambda params, unit: _exact(params, 0.5 * params.noise, 1.0).value,
                ),
                Decoy(
                    name="proportional limit",
                    why="the limit n, p -> infinity used at finite size: n - p for n - p - 1",
                    evaluate=lambda params, unit: _exact(params, params.noise, 0.0).value,
                ),
            ),
        ),
    ),
    breaks=(
        Break(
            name="peak in n",
            axis="n",
            measure="test_error",
            locator=Peak(),
            statement="n = p as ridge -> 0, also without label noise",
            closed_form=_ridgeless("p"),
        ),
        Break(
            name="peak in p",
            axis="p",
            measure="test_error",
            locator=Peak(),
            statement="p = n as ridge -> 0, also without label noise",
            closed_form=_ridgeless("n"),
        ),
        Break(
            name="best input noise",
            axis="input_noise",
            measure="test_error",
            locator=Valley(),
            statement="(1-a) / (1 - a (1 + noise/signal)/2) - 1, a = p/(n-p-1): isotropic, "
            "ridge = 0, n > 2p+1, noise > signal",
            closed_form=_best,
        ),
    ),
)
