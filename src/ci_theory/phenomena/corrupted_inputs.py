"""Corrupted inputs: training on noisy inputs, tested on clean and on equally noisy ones."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from ci_theory._record import again, inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import input_noise, repetition
from ci_theory.biases import noise as label_noise
from ci_theory.locate.peak import Peak
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import (
    copies_are_fresh,
    labels_swapped,
    noise_halved,
    proportional_limit,
)
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.rows.corrupted_inputs import (
    WeightedInputNoiseRisk,
    best_input_noise,
    exact_input_noise_excess,
    weighted_input_noise_risk,
)
from ci_theory.theory.spectra.groups import Groups, over_copies, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, df2, explicit, isotropic, scale_target
from ci_theory.training import closed_form


@record
class Params(input_noise.InputNoise, repetition.Repetition):
    """Ridge regression of a linear teacher whose training inputs are noisy, some rows repeated."""

    n: int = sized(200, low=1, unit="rows", doc="training rows")
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    spectrum: str = static(
        "isotropic", choices=gaussian.SPECTRA, doc="covariance of the clean inputs, see `model`"
    )
    alpha: float = static(1.0, above=0, high=20, doc="decay exponent of the power-law spectrum")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")
    input_noise: float = again(input_noise.InputNoise, "input_noise", 0.3)
    shared_noise: bool = traced(True, doc="copies share their label, or are labelled afresh")


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
        unit="label²", doc="mean squared residual on the training rows, over all copies"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on clean inputs and clean labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design, add the input noise, and fit every ridge and label-noise level.

    All copies of a row have one noisy input.
    """
    variances = jnp.asarray(gaussian.variances(params.spectrum, params.p, alpha=params.alpha))
    x = gaussian.rows(key, capacity["n"], variances)
    weights = repetition.weights(params.split(), capacity["n"])
    mean_noise = label_noise.row_noise(weights, jnp.asarray(params.shared_noise))
    w = jnp.sqrt(params.signal) * gaussian.target(params.p)
    path = closed_form.decompose(params.seen(key, x), weights)

    def errors(metric: Array, target: Array) -> closed_form.PathErrors:
        return closed_form.path_errors(
            path,
            metric=metric,
            test_target=target,
            signal_labels=x @ w,
            row_noise=mean_noise,
            ridge=jnp.asarray(params.ridge),
            noise=jnp.asarray(params.noise),
            equal_weights=False,
        )

    clean = errors(jnp.sqrt(variances), jnp.sqrt(variances) * w)
    # noisy test inputs add input_noise |w_hat|^2
    length = errors(jnp.sqrt(params.input_noise) * jnp.ones(params.p), jnp.zeros(params.p))
    among_copies = 1 - weights @ mean_noise / jnp.sum(weights)
    return Measures(
        test_error=clean.excess + params.noise,
        noisy_test_error=clean.excess + length.excess + params.noise,
        train_error=clean.train + params.noise * among_copies,
        excess_risk=clean.excess,
    )


def world(params: Params) -> Spectrum:
    """Build the spectrum of the clean inputs, with a target of unit norm."""
    if params.spectrum == "isotropic":
        return isotropic(float(params.p))
    variances = gaussian.variances(params.spectrum, params.p, alpha=params.alpha)
    return explicit(variances, gaussian.target(params.p) ** 2)


def _exactly(params: Params) -> Any:
    apart = jnp.abs(params.n - params.p) >= 20
    isotropic_rows = (params.spectrum == "isotropic") & repetition.seen_once(params)
    return (params.ridge == 0) & isotropic_rows & apart


@record
class Forecast:
    """Weighted ridge on the noisy law, what it is worth on clean inputs, and the ridgeless mean."""

    test_error: Scalar = predicted(
        statement="noise + sum ((e+k)/(l+e+k))^2 l w^2 + (E~/n) sum l (l+e)/(l+e+k)^2, "
        "e = input_noise, k and E~ of ridge on variances l+e, weights l w/(l+e) and noise "
        "+ sum e l w^2/(l+e)",
        order="1 / (n - df2) of the excess risk",
    )
    noisy_test_error: Scalar = predicted(
        statement="E~: ridge on the noisy law", order="1 / (n - df2) of the error less the noise"
    )
    train_error: Scalar = predicted(
        statement="(ridge / (n k))^2 E~",
        scope="as test_error; zero for an interpolator",
        order="1 / (n - df2)",
    )
    finite_size_excess: Scalar = predicted(
        "excess_risk",
        statement="r^2 (1-u)^2 + u (noise + r^2 (1-u)) p/(n-p-1) if n > p+1, "
        "r^2 (1 - n/p u (2-u)) + u (noise + r^2 (1-u)) n/(p-n-1) if p > n+1; "
        "u = 1/(1 + input_noise)",
        scope="exact at every size: isotropic, ridge = 0, |n - p| >= 20",
        order="exact",
        source="derived here by the inverse Wishart mean (docs/rows/corrupted_inputs.md)",
        where=_exactly,
        closed=True,
    )
    risk: WeightedInputNoiseRisk
    clean: Spectrum
    status: Array


def forecast(params: Params, unit: Spectrum) -> Forecast:
    """Evaluate the deterministic equivalent, and the inverse Wishart mean."""
    n, p, noise, signal = params.n, params.p, params.noise, params.signal
    clean = scale_target(unit, signal)
    groups = repeated_rows(*params.split(), noise, params.shared_noise)
    risk = weighted_input_noise_risk(clean, groups, params.ridge, params.input_noise)
    residual = risk.inside.residual + (noise - groups.noise)
    return Forecast(
        test_error=noise + risk.excess_risk,
        noisy_test_error=noise + risk.noisy_excess_risk,
        train_error=over_copies(groups, residual),
        finite_size_excess=exact_input_noise_excess(n, p, noise, signal, params.input_noise),
        risk=risk,
        clean=clean,
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1 / free and, of repeated rows, h df2/df1^2, all of the noisy law.

    To the learner the part of a label that its noisy input does not show is label noise too: of
    what its estimator spreads, it makes the share that it makes of the variance on the noisy law.
    """
    risk, groups = made.risk, made.risk.groups
    inside, at = risk.inside, risk.inside.fixed_point
    second = df2(risk.law.spectrum, at.kappa)
    free, learned, once = at.effective_rows - second, second / at.df1, repetition.seen_once(params)
    modes = at.df1**2 / second  # p of isotropic inputs
    held = jnp.max(jnp.where(groups.counts > 0, at.leverage, 0.0))
    uneven = jnp.where(once, 0.0, held / modes)

    def bound(excess: Scalar, spread: Scalar) -> Scalar:
        whole = inside.noise_variance + inside.signal_variance
        noise = spread * inside.noise_variance / jnp.maximum(whole, 1e-300)
        return _slack.excess(noise, excess - noise, learned, free, uneven)

    kept = at.forgotten**2 * (inside.noise_variance + groups.noise)
    noise, signal = over_copies(groups, kept), over_copies(groups, inside.residual - kept)
    plain = _slack.residual(noise, signal, learned * over_copies(groups, at.leverage), free)
    moving = over_copies(groups, kept * at.leverage)
    repeated = _slack.copies_residual(moving, signal, learned, free, modes)
    slacks = {
        "test_error": bound(risk.excess_risk, risk.variance),
        "noisy_test_error": bound(
            inside.excess_risk, inside.noise_variance + inside.signal_variance
        ),
        "train_error": jnp.where(once, plain, repeated),
    }
    valid = (free >= _slack.FEWEST_FREE) & (once | (modes >= _slack.FEWEST_PARAMETERS))
    return {name: Bound(slack, valid) for name, slack in slacks.items()}


def _not_raised(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Leave out the label variance that the noisy inputs do not explain."""
    risk, inside = made.risk, made.risk.inside
    squares = made.risk.groups.counts * inside.fixed_point.shares**2
    unseen = jnp.sum(squares) * risk.law.noise
    part = unseen / (jnp.sum(squares) * inside.bias + squares @ risk.groups.noise)
    return {"test_error": params.noise + risk.bias + risk.variance * (1 - part)}


def _harms_add_up(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Add what each defect does alone to the error without either."""
    rows = repeated_rows(*params.split(), params.noise, params.shared_noise)
    once = plain_rows(params.n, params.noise)

    def excess(groups: Groups, input_noise: Any) -> Scalar:
        return weighted_input_noise_risk(made.clean, groups, params.ridge, input_noise).excess_risk

    none = jnp.zeros(())
    alone = excess(rows, none) + excess(once, params.input_noise) - excess(once, none)
    return {"test_error": params.noise + alone}


def _best(params: Params) -> float:
    """Best input noise where it is a finite positive one."""
    repeated = params.repeated_fraction > 0 and params.repeats > 1
    if params.spectrum != "isotropic" or params.ridge > 0 or params.signal <= 0 or repeated:
        return math.nan
    place = float(_best_noise(params))
    return place if 0 < place < math.inf else math.nan


@quickly
def _best_noise(params: Params) -> Scalar:
    return best_input_noise(params.n, params.p, params.noise, params.signal)


@quickly
def _distinct(params: Params) -> Scalar:
    return params.distinct()


def _ridgeless(place: Callable[[Params], Any]) -> Callable[[Params], float]:
    """Return the place of the peak without ridge; clean noiseless labels have none."""

    def at(params: Params) -> float:
        noisy = params.noise > 0 or params.input_noise > 0
        there = params.ridge == 0 and noisy
        return float(place(params)) if there else math.nan

    return at


PHENOMENON = Phenomenon(
    name="corrupted_inputs",
    title="Noisy inputs attenuate what is learnt and raise the interpolation peak",
    claims=(24,),
    question="What do corrupted training inputs cost on clean ones, and can they ever help?",
    model=(
        "Rows x ~ N(0, S), labels x.w + noise, |w|^2 = signal, all coordinates of w equal; the "
        "learner sees x + N(0, input_noise) and minimises sum (y - x.w)^2 + ridge |w|^2. S is "
        "the identity, two blocks (half the variances 1, the others 1/10) or k^-alpha. Tests on "
        "clean inputs and on equally noisy ones. A share of the rows may be copies, each with its "
        "row's noisy input."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, p -> infinity; here n - df2 >= 10, n the effective rows where some are repeated",
        source="derived here (docs/rows/corrupted_inputs.md): Gaussian conditioning and the "
        "out-of-distribution risk of Canatar, Bordelon, Pehlevan 2021 (arXiv:2106.02261)",
    ),
    mistakes=(
        noise_halved("train_error", "finite_size_excess"),
        copies_are_fresh("test_error", "noisy_test_error", "train_error"),
        labels_swapped("test_error", "noisy_test_error", "train_error"),
        Mistake(
            name="harms add up",
            why="what noisy inputs and repeated rows do alone is added",
            against=("test_error",),
            forecast=_harms_add_up,
        ),
        Mistake(
            name="corruption ignored",
            why="the inputs are taken for clean",
            against=("test_error", "noisy_test_error", "train_error"),
            params=lambda params: {"input_noise": 0.0},
        ),
        Mistake(
            name="a ridge only",
            why="input noise is taken for a ridge n input_noise and nothing else",
            against=("test_error",),
            params=lambda params: {
                "ridge": params.ridge + params.n * params.input_noise,
                "input_noise": 0.0,
            },
        ),
        Mistake(
            name="label noise not raised",
            why="what noisy inputs do not show of the label is left out of the noise",
            against=("test_error",),
            forecast=_not_raised,
        ),
        Mistake(
            name="clean test",
            why="the error on clean inputs is taken for it",
            against=("noisy_test_error",),
            forecast=lambda params, made: {"noisy_test_error": made.test_error},
        ),
        proportional_limit("finite_size_excess", lambda made: made.risk.excess_risk),
    ),
    breaks=(
        Break(
            name="peak in n",
            axis="n",
            measure="test_error",
            locator=Peak(),
            statement="as many distinct rows as p as ridge -> 0, also without label noise",
            closed_form=_ridgeless(lambda params: params.p / (1 - params.copied())),
        ),
        Break(
            name="peak in p",
            axis="p",
            measure="test_error",
            locator=Peak(),
            statement="p = n, of distinct rows, as ridge -> 0, also without label noise",
            closed_form=_ridgeless(_distinct),
        ),
        Break(
            name="worst repeat count",
            axis="repeats",
            measure="test_error",
            locator=Peak(log_axis=True),
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
