"""Double descent of random features: the peak where features meet rows, with and without noise."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.systems import random_features
from ci_theory.tasks import sphere
from ci_theory.theory.features.feature_next_order import FeatureNextOrder, feature_next_order
from ci_theory.theory.features.mei_montanari import gaussian_moments, limit_spectrum
from ci_theory.theory.features.random_features import FeatureRisk, random_feature_risk
from ci_theory.theory.ridge.risk import RidgeRisk, ridge_risk
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, isotropic, trace
from ci_theory.theory.spectra.sphere import sphere_spectrum
from ci_theory.training import closed_form


@record
class Params:
    """Ridge regression on random features of inputs on a sphere."""

    n: int = sized(200, low=1, unit="rows", doc="training rows")
    p: int = static(200, low=1, high=10**7, unit="features", doc="random features")
    d: int = static(20, low=4, high=10**7, unit="inputs", doc="input dimension")
    activation: str = static(
        "relu", choices=tuple(random_features.ACTIVATIONS), doc="nonlinearity of the features"
    )
    ridge: float = inner(
        1e-3, low=0, unit="kernel", doc="total ridge on coefficients of act(theta.x/sqrt d)/sqrt p"
    )
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="label²", doc="power of the linear target")
    quadratic: float = traced(0.0, low=0, unit="label²", doc="power of the degree-2 target")


@record
class Measures:
    """Averaged over the label noise and the whole sphere of test inputs, given the design."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the training labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and one set of features, and fit every ridge and noise level to them."""
    theta = random_features.init(key, params.p, params.d)
    x = sphere.rows(key, capacity["n"], params.d)
    present = (jnp.arange(capacity["n"]) < params.n).astype(x.dtype)
    law = random_features.population(
        theta,
        params.activation,
        signal=jnp.asarray(params.signal),
        quadratic=jnp.asarray(params.quadratic),
    )
    target = jnp.sqrt(params.signal) * sphere.linear(x)
    target = target + jnp.sqrt(params.quadratic) * sphere.quadratic(x)
    errors = closed_form.path_errors(
        closed_form.decompose(random_features.apply(theta, x, params.activation), present),
        metric=law.metric,
        test_target=law.target,
        signal_labels=target,
        row_noise=present,
        ridge=jnp.asarray(params.ridge),
        noise=jnp.asarray(params.noise),
        equal_weights=True,
    )
    return Measures(
        test_error=errors.excess + params.noise,
        excess_risk=errors.excess,
        train_error=errors.train,
    )


class World(NamedTuple):
    """Spectra with unit target power: the sphere's, linear and quadratic, and its limit's."""

    linear: Spectrum
    quadratic: Spectrum
    limit: Spectrum


def world(params: Params) -> World:
    """Expand the activation on the sphere of this dimension, and in the limit."""
    act = random_features.ACTIVATIONS[params.activation].host
    limit = limit_spectrum(gaussian_moments(act), params.d)
    return World(
        linear=sphere_spectrum(act, params.d, linear=1.0),
        quadratic=sphere_spectrum(act, params.d, linear=0.0, quadratic=1.0),
        limit=limit,
    )


def spectrum_of(params: Params, world: World) -> Spectrum:
    """Put the target's powers on the sphere's spectrum."""
    one, two = world.linear, world.quadratic
    return dataclasses.replace(
        one,
        power=params.signal * one.power + params.quadratic * two.power,
        tail_power=params.signal * one.tail_power + params.quadratic * two.tail_power,
    )


def _risk(params: Params, spectrum: Spectrum) -> FeatureRisk:
    return random_feature_risk(spectrum, params.n, params.p, params.ridge, params.noise)


class Finite(NamedTuple):
    """What the predictions of one member are worth at finite size.

    Attributes:
        near: limit and next order for Gaussian rows and features.
        room: 1 / rows left + 1 / features left: the order of every deviation.
        gamma: effective ridge [kernel].
        valid: rows and features left are 10 each, and harmonics of degree 3 or more unresolved.
    """

    near: FeatureNextOrder
    room: Scalar
    gamma: Scalar
    valid: Array


def finite(params: Params, spectrum: Spectrum) -> Finite:
    """Evaluate the order of the deviations, and whether they are claimed to be of it.

    Out of scope are fewer than 10 rows or features left, where means are too heavy-tailed, and
    points that resolve harmonics of degree 3 or more (over 5 % of the rows spent on them): at such
    n and d these are far from Gaussian, and a small noiseless error was up to 50 % off (tanh,
    d = 5, n = 150, p = 100).
    """
    near = feature_next_order(spectrum, params.n, params.p, params.ridge, params.noise)
    gamma = _risk(params, spectrum).gamma
    x, _ = fractions(spectrum.eigenvalues, gamma)
    high = jnp.arange(len(spectrum.eigenvalues)) >= 3
    resolved = jnp.sum(jnp.where(high, spectrum.multiplicity * x**2, 0.0))
    fewest = jnp.minimum(near.rows_left, near.features_left)
    valid = (fewest >= _slack.FEWEST_FREE) & (resolved <= 0.05 * params.n)
    return Finite(near, 1 / near.rows_left + 1 / near.features_left, gamma, valid)


def test_error(params: Params, world: World) -> Estimate:
    """Predict the test error by the eigenframework on the sphere's spectrum."""
    spectrum = spectrum_of(params, world)
    risk, size = _risk(params, spectrum), finite(params, spectrum)
    near = size.near
    shifts, parts = (near.signal_shift, near.noise_shift), (near.signal, near.noise)
    slack = _slack.features(shifts, parts, size.room)
    return Estimate(risk.test_error, slack, size.valid, risk.status)


def train_error(params: Params, world: World) -> Estimate:
    """Predict the training error likewise.

    The target's part of it moves as that of the excess risk does. Beyond that, the nearer to
    interpolation, the more its mean owes to rare designs: its relative deviation times the rows
    left was below 1.3 for p < n and up to 3.3 where only a few percent of a label remain.
    """
    spectrum = spectrum_of(params, world)
    risk, size = _risk(params, spectrum), finite(params, spectrum)
    near = size.near
    some = risk.test_error > 0
    kept = risk.train_error / jnp.where(some, risk.test_error, 1.0)  # (a/n)^2
    rare = (1.5 + 3.0 * (1.0 - jnp.sqrt(kept)) ** 2) * risk.train_error / near.rows_left
    slack = rare + 4 * kept * jnp.abs(near.signal_shift)
    return Estimate(risk.train_error, slack, size.valid, risk.status)


def _half_test(params: Params, world: World) -> Scalar:
    risk = _risk(params, spectrum_of(params, world))
    return risk.test_error - 0.5 * (params.noise + risk.noise_error)


def _half_train(params: Params, world: World) -> Scalar:
    risk = _risk(params, spectrum_of(params, world))
    return risk.train_error * (1 - 0.5 * (params.noise + risk.noise_error) / risk.test_error)


def _limit(params: Params, world: World) -> FeatureRisk:
    """Mei and Montanari's limit of the same point: d -> infinity at fixed n/d, p/d."""
    limit = dataclasses.replace(
        world.limit, power=params.signal * world.limit.power, tail_power=params.quadratic
    )
    return _risk(params, limit)


def _kernel(params: Params, world: World) -> RidgeRisk:
    """Infinitely many features: kernel ridge regression."""
    return ridge_risk(spectrum_of(params, world), params.n, params.ridge, params.noise)


def _plain(params: Params, world: World) -> RidgeRisk:
    """The features taken for p independent inputs that hold the whole target."""
    spectrum = spectrum_of(params, world)
    variance = trace(spectrum) / params.p
    power = params.signal + params.quadratic
    inputs = isotropic(params.p, signal=power / variance, variance=variance)
    return ridge_risk(inputs, params.n, params.ridge, params.noise)


_HALF = "the noise variance is halved"
_LIMIT = "the limit d -> infinity (Mei, Montanari 2019) used at this d"
_KERNEL = "infinitely many features: kernel ridge regression, which has no peak in p"

PHENOMENON = Phenomenon(
    name="random_feature_peak",
    title="Double descent of random features, with a peak even without noise",
    claims=(1,),
    question="Does label noise strengthen the peak where features meet rows, and move it?",
    model=(
        "Inputs x and directions theta uniform on the sphere of radius sqrt d. Features "
        "act(theta.x / sqrt d) / sqrt p, so that Phi Phi^T averages to the kernel; minimise "
        "sum (y - phi(x).a)^2 + ridge |a|^2. Labels: a linear target of power `signal` plus a "
        "harmonic of degree 2 of power `quadratic`, plus noise."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    predictions=(
        Prediction(
            name="test_error",
            measure="test_error",
            evaluate=test_error,
            statement="E = n (noise + A) / (a + b u/(b + u)),  a = n - z,  b = p - z,  "
            "gamma a b = p ridge,  z = df1(gamma)",
            scope="n, p -> infinity at the exact spectrum of this d; here "
            "L = a + b u/(b + u) >= 10, L' = b + a u/(a + u) >= 10, "
            "and harmonics of degree 3 or more unresolved",
            order="1 / L + 1 / L' of the excess risk",
            source="Simon et al. 2023 (arXiv:2311.14646); Defilippis, Loureiro, Misiakiewicz 2024 "
            "(arXiv:2405.15699)",
            decoys=(
                Decoy(
                    name="noise halved",
                    why=_HALF,
                    evaluate=_half_test,
                ),
                Decoy(
                    name="infinite dimension",
                    why=_LIMIT,
                    evaluate=lambda params, world: _limit(params, world).test_error,
                ),
                Decoy(
                    name="infinitely many features",
                    why=_KERNEL,
                    evaluate=lambda params, world: _kernel(params, world).test_error,
                ),
                Decoy(
                    name="plain ridge",
                    why="the features taken for p independent inputs that hold the whole target",
                    evaluate=lambda params, world: _plain(params, world).test_error,
                ),
            ),
        ),
        Prediction(
            name="train_error",
            measure="train_error",
            evaluate=train_error,
            statement="E_train = (a / n)^2 E",
            scope="as test_error; zero for an interpolator",
            order="1 / L + 1 / L'",
            source="Simon et al. 2023 (arXiv:2311.14646)",
            decoys=(
                Decoy(
                    name="noise halved",
                    why=_HALF,
                    evaluate=_half_train,
                ),
                Decoy(
                    name="infinite dimension",
                    why=_LIMIT,
                    evaluate=lambda params, world: _limit(params, world).train_error,
                ),
                Decoy(
                    name="infinitely many features",
                    why=_KERNEL,
                    evaluate=lambda params, world: _kernel(params, world).train_error,
                ),
            ),
        ),
    ),
    breaks=(
        Break(
            name="peak in p",
            axis="p",
            measure="test_error",
            locator=Peak(),
            statement="p = n as ridge -> 0, with noise and without",
            closed_form=lambda params: float(params.n),
        ),
        Break(
            name="peak in n",
            axis="n",
            measure="test_error",
            locator=Peak(),
            statement="n = p as ridge -> 0, with noise and without",
            closed_form=lambda params: float(params.p),
        ),
    ),
)
