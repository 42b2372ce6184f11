"""Double descent of random features: the peak where features meet rows, with and without noise."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import contamination, repetition
from ci_theory.biases import noise as label_noise
from ci_theory.biases.contamination import LeakedCopies
from ci_theory.biases.input_noise import InputNoise
from ci_theory.biases.repetition import Repetition
from ci_theory.locate.peak import Peak
from ci_theory.measure.leaked_rows import leaked_error
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, labels_swapped, noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.systems import random_features
from ci_theory.tasks import sphere
from ci_theory.theory.dynamics.feature_flow_next_order import feature_ridge_shift
from ci_theory.theory.dynamics.flow_next_order import what_is_left
from ci_theory.theory.features.mei_montanari import gaussian_moments, limit_spectrum
from ci_theory.theory.features.turned_features import TurnedFeatureRisk, turned_feature_risk
from ci_theory.theory.rows.repetition import copy_errors, weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, over_copies, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, isotropic, scale_target, trace
from ci_theory.theory.spectra.sphere import sphere_spectrum
from ci_theory.training import closed_form


@record
class Features:
    """Ridge regression on random features of inputs on a sphere."""

    n: int = sized(200, low=1, unit="rows", doc="training rows, counted with repeats")
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
class Params(Features, Repetition, InputNoise, LeakedCopies):
    """The same on corrupted inputs, some of the rows repeated and leaked into the test."""

    shared_noise: bool = traced(True, doc="copies share their label, or are labelled afresh")


@record
class Measures:
    """Averaged over the label noise and the sphere of clean test inputs, given the design."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the training labels, over all copies"
    )
    apparent_error: Float[Array, " m"] = measured(
        unit="label²", doc="test_error on a test set that holds repeated training rows"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and one set of features, and fit every ridge and noise level to them."""
    theta = random_features.init(key, params.p, params.d)
    x = sphere.rows(key, capacity["n"], params.d)
    split = params.split()
    weights = repetition.weights(split, capacity["n"])
    mean_noise = label_noise.row_noise(weights, jnp.asarray(params.shared_noise))
    law = random_features.population(
        theta,
        params.activation,
        signal=jnp.asarray(params.signal),
        quadratic=jnp.asarray(params.quadratic),
    )
    target = jnp.sqrt(params.signal) * sphere.linear(x)
    target = target + jnp.sqrt(params.quadratic) * sphere.quadratic(x)
    seen = params.seen_on_sphere(key, x)
    path = closed_form.decompose(random_features.apply(theta, seen, params.activation), weights)
    ridge, noise = jnp.asarray(params.ridge), jnp.asarray(params.noise)
    errors = closed_form.path_errors(
        path,
        metric=law.metric,
        test_target=law.target,
        signal_labels=target,
        row_noise=mean_noise,
        ridge=ridge,
        noise=noise,
        equal_weights=False,
    )
    among_copies = 1 - weights @ mean_noise / jnp.sum(weights)
    leaked = jnp.arange(capacity["n"]) < split.repeated
    shown = leaked_error(path, target, leaked, mean_noise, ridge, noise)
    test = errors.excess + noise
    return Measures(
        test_error=test,
        excess_risk=errors.excess,
        train_error=errors.train + noise * among_copies,
        apparent_error=contamination.mixed(test, shown, jnp.asarray(params.contamination)),
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


def spectrum_of(params: Features, world: World) -> Spectrum:
    """Put the target's powers on the sphere's spectrum."""
    one, two = world.linear, world.quadratic
    return dataclasses.replace(
        one,
        power=params.signal * one.power + params.quadratic * two.power,
        tail_power=params.signal * one.tail_power + params.quadratic * two.tail_power,
    )


@record
class Forecast:
    """The eigenframework on the sphere's spectrum; errors [label^2]."""

    test_error: Scalar = predicted(
        statement="E = n (noise + A) / (a + b u/(b + u)),  a = n - z,  b = p - z,  "
        "gamma a b = p ridge,  z = df1(gamma); repeated rows by their shares in the fit; corrupted "
        "inputs: E of the target P_1 f_1 + P_2 f_2 at the noise raised by r = sum (1 - P^2) tau, "
        "less r, plus sum (1 - P) [(1 - P) tau + 2 P missed]",
        order="1 / L + 1 / L' of the excess risk",
    )
    excess_risk: Scalar = predicted(statement="E - noise, as in test_error")
    train_error: Scalar = predicted(
        statement="E_train = (a / n)^2 E; over copies sum n c [(1-h)^2 (E_x + v) + noise - v] "
        "/ sum n c; corrupted inputs: E, E_x and v of what they show",
        scope="as test_error; zero for an interpolator of rows with one label each",
        source="Simon et al. 2023 (arXiv:2311.14646); with repeats derived here",
    )
    apparent_error: Scalar = predicted(
        statement="(1 - phi) E + phi [(1-h)^2 (E_x + v) + noise - v] of a repeated row, "
        "which corrupted inputs show as in train_error",
        source="derived here (docs/rows/contamination.md)",
    )
    risk: TurnedFeatureRisk
    groups: Groups  # with their label noise
    status: Array


def forecast(params: Params, world: World) -> Forecast:
    """Solve the fixed point of rows and features, repeated rows heavier than others."""
    groups = repeated_rows(*params.split(), params.noise, params.shared_noise)
    one = scale_target(world.linear, params.signal)
    two = scale_target(world.quadratic, params.quadratic)
    risk = turned_feature_risk(
        one, two, groups, params.p, params.ridge, params.d, params.input_noise
    )
    shown = risk.inside.residual + (params.noise - groups.noise)
    test = risk.excess_risk + params.noise
    phi = params.contamination
    return Forecast(
        test_error=test,
        excess_risk=risk.excess_risk,
        train_error=over_copies(groups, shown),
        apparent_error=(1 - phi) * test + phi * shown[1],
        risk=risk,
        groups=groups,
        status=risk.status,
    )


def resolved(spectrum: Spectrum, gamma: Scalar) -> Scalar:
    """Return how many rows are spent on harmonics of degree 3 or more.

    At such n and d these are far from Gaussian: with over 5 % of the rows on them, a small
    noiseless error was up to 50 % off (tanh, d = 5, n = 150, p = 100).
    """
    x, _ = fractions(spectrum.eigenvalues, gamma)
    high = jnp.arange(len(spectrum.eigenvalues)) >= 3
    return jnp.sum(jnp.where(high, spectrum.multiplicity * x**2, 0.0))


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Measured multiples of the next order of Gaussian rows and features (docs/finite_size.md).

    Everything is of the law that the learner faces; what it misses of the target on clean inputs
    moves as little as an error does. The target's part of the training error, and of a leaked
    row's, moves as that of the excess risk does. Beyond that, the nearer to interpolation, the
    more its mean owes to rare designs: its relative deviation times the rows left was below 1.3
    for p < n and up to 3.3 where only a few percent of a label remain. Out of scope are fewer than
    10 rows or features left, where means are too heavy-tailed, and points that resolve harmonics
    of degree 3 or more.
    """
    inside, groups, spectrum = made.risk.inside, made.risk.groups, made.risk.law.spectrum
    shift = feature_ridge_shift(spectrum, groups, params.p, params.ridge)
    left = what_is_left(spectrum, groups, jnp.maximum(params.ridge, 1e-12), params.p)
    room = 1 / left.rows + 1 / left.features
    parts = inside.excess_risk - inside.noise_variance, inside.noise_variance
    test = _slack.features((shift.signal, shift.noise), (*parts, made.risk.unlearned), room)

    def residual(mean: Callable[[Array], Scalar]) -> Scalar:
        kept = mean(inside.forgotten**2)
        rare = (1.5 + 3.0 * (1.0 - jnp.sqrt(kept)) ** 2) * mean(inside.residual) / left.rows
        return rare + 4 * kept * jnp.abs(shift.signal)

    few = resolved(spectrum, inside.gamma) <= 0.05 * jnp.sum(groups.counts)
    valid = (jnp.minimum(left.rows, left.features) >= _slack.FEWEST_FREE) & few
    valid = valid & (shift.status == Status.OK)
    phi = params.contamination
    slacks = {
        "test_error": test,
        "excess_risk": test,
        "train_error": residual(lambda values: over_copies(groups, values)),
        "apparent_error": (1 - phi) * test + phi * residual(lambda values: values[1]),
    }
    return {name: Bound(slack, valid) for name, slack in slacks.items()}


def _as_kernel(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Infinitely many features: kernel ridge regression."""
    law, groups = made.risk.law, made.risk.groups
    kernel = weighted_ridge_risk(law.spectrum, groups, params.ridge)
    seen = copy_errors(kernel, groups, params.noise + law.noise)
    test = kernel.excess_risk + made.risk.unlearned + params.noise
    return {"test_error": test, "train_error": seen.train_error}


def _as_inputs(params: Params, made: Forecast) -> dict[str, Scalar]:
    """The features taken for p independent inputs that hold the whole target."""
    law = made.risk.law
    variance = trace(law.spectrum) / params.p
    power = params.signal + params.quadratic
    inputs = isotropic(params.p, signal=power / variance, variance=variance)
    plain = weighted_ridge_risk(inputs, made.groups, params.ridge)
    return {"test_error": plain.excess_risk + params.noise}


def _on_turned_inputs(params: Params, made: Forecast) -> dict[str, Scalar]:
    return {"test_error": made.risk.turned_excess_risk + params.noise}


def _not_squared(params: Params, made: Forecast) -> dict[str, Scalar]:
    phi, h = params.contamination, made.risk.inside.leverage[1]
    return {"apparent_error": (1 - phi) * made.test_error + phi * (1 - h) * made.test_error}


def _in_the_limit(params: Params, world: World) -> World:
    """Mei and Montanari's limit of the same point: d -> infinity at fixed n/d, p/d."""
    bare = jnp.zeros_like(world.limit.power)
    quadratic = dataclasses.replace(world.limit, power=bare, tail_power=jnp.ones(()))
    return World(linear=world.limit, quadratic=quadratic, limit=world.limit)


@quickly
def _distinct(params: Params) -> Scalar:
    return params.distinct()


PHENOMENON = Phenomenon(
    name="random_feature_peak",
    title="Double descent of random features, with a peak even without noise",
    claims=(1, 2, 4, 24),
    question=(
        "Do label noise, corrupted inputs and repeated rows strengthen the peak where features "
        "meet rows, and would a leaked test show it?"
    ),
    model=(
        "Inputs x and directions theta uniform on the sphere of radius sqrt d. Features "
        "act(theta.x / sqrt d) / sqrt p, so that Phi Phi^T averages to the kernel; minimise "
        "sum (y - phi(x).a)^2 + ridge |a|^2. Labels: a linear target of power `signal` plus a "
        "harmonic of degree 2 of power `quadratic`, plus noise. A share of the rows may be copies "
        "of the same few, with one label or with one each, and fill a share of the test set. The "
        "learner may see x turned by an angle of squared tangent input_noise; tests are on x."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, p -> infinity at the exact spectrum of this d; here L = a + b u/(b + u) >= 10, "
        "L' = b + a u/(a + u) >= 10, and harmonics of degree 3 or more unresolved",
        order="1 / L + 1 / L'",
        source="Simon et al. 2023 (arXiv:2311.14646); Defilippis, Loureiro, Misiakiewicz 2024 "
        "(arXiv:2405.15699); with repeats and corrupted inputs derived here "
        "(docs/rows/repetition.md, docs/features/random_features.md)",
    ),
    mistakes=(
        noise_halved("test_error", "excess_risk", "train_error", "apparent_error"),
        Mistake(
            name="infinite dimension",
            why="the limit d -> infinity (Mei, Montanari 2019) used at this d",
            against=("test_error", "train_error"),
            world=_in_the_limit,
        ),
        Mistake(
            name="infinitely many features",
            why="infinitely many features: kernel ridge regression, which has no peak in p",
            against=("test_error", "train_error"),
            forecast=_as_kernel,
        ),
        Mistake(
            name="plain ridge",
            why="the features taken for p independent inputs that hold the whole target",
            against=("test_error",),
            forecast=_as_inputs,
        ),
        copies_are_fresh("test_error", "excess_risk", "train_error"),
        labels_swapped("test_error", "excess_risk", "train_error"),
        Mistake(
            name="corruption ignored",
            why="the inputs are taken for clean",
            against=("test_error", "train_error"),
            params=lambda params: {"input_noise": 0.0},
        ),
        Mistake(
            name="corrupted test",
            why="the error on inputs as corrupted as in training is taken for it",
            against=("test_error",),
            forecast=_on_turned_inputs,
        ),
        Mistake(
            name="contamination ignored",
            why="the measured error is taken for the test error",
            against=("apparent_error",),
            forecast=lambda params, made: {"apparent_error": made.test_error},
        ),
        Mistake(
            name="leverage once",
            why="a leaked residual shrinks by 1 - h, not by its square",
            against=("apparent_error",),
            forecast=_not_squared,
        ),
    ),
    breaks=(
        Break(
            name="peak in p",
            axis="p",
            measure="test_error",
            locator=Peak(),
            statement="p = n, of distinct rows, as ridge -> 0, with noise and without",
            closed_form=_distinct,
        ),
        Break(
            name="peak in n",
            axis="n",
            measure="test_error",
            locator=Peak(),
            statement="as many distinct rows as features as ridge -> 0: n = p / (1 - f + f/r)",
            closed_form=lambda params: params.p / (1 - params.copied()),
        ),
        Break(
            name="apparent peak in p",
            axis="p",
            measure="apparent_error",
            locator=Peak(),
        ),
        Break(
            name="worst repeat count",
            axis="repeats",
            measure="excess_risk",
            locator=Peak(log_axis=True),
        ),
    ),
)
