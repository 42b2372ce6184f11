"""Grokking of a linear student: fitted early, right late, and what moves the moment."""

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, time_doubled
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian
from ci_theory.theory.dynamics.complex_ridge import ComplexLevels, levels_along
from ci_theory.theory.dynamics.feature_flow_next_order import (
    feature_flow_shift,
    feature_start_shift,
)
from ci_theory.theory.dynamics.flow import flow_ridges, weighted_flow_risk
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.dynamics.flow_next_order import (
    flow_shift,
    shift_ridges,
    start_shift,
    what_is_left,
)
from ci_theory.theory.dynamics.flow_start import start_left, start_ridges
from ci_theory.theory.dynamics.grokking import asymptotic_delay, fall_times
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic
from ci_theory.training import closed_form, gradient_flow

SHARE = 0.95
"""Accuracy from which the student counts as having fitted, or generalised."""


@record
class Params(repetition.Repetition):
    """Gradient flow of a linear student from a random start, with weight decay."""

    n: int = sized(300, low=2, unit="rows", doc="rows counted with repeats")
    d: int = static(600, low=2, high=10**7, unit="inputs", doc="input dimension")
    p: int = static(
        0, low=0, high=10**7, unit="features", doc="random features; 0 trains on the inputs"
    )
    time: float = inner(600.0, above=0, unit="rate·steps", doc="training time")
    decay: float = inner(0.01, low=0, unit="input²", doc="weight decay")
    noise: float = inner(0.0, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1e-4, low=0, unit="(label/input)²", doc="squared norm of the target")
    start: float = traced(
        100.0, low=0, unit="(label/input)²", doc="mean squared norm of the initial weights"
    )
    tolerance: float = traced(
        1e-3, above=0, unit="label²", doc="squared error below which a point counts as right"
    )


@record
class Measures:
    """Averaged over label noise, start and target direction, given the inputs."""

    test_loss: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    train_loss: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the labels, over all copies"
    )
    test_accuracy: Float[Array, " m"] = measured(unit="points/points", doc="right fresh points")
    train_accuracy: Float[Array, " m"] = measured(
        unit="points/points", doc="share of right points if residuals are Gaussian"
    )


def _accuracy(loss: Array, tolerance: Any) -> Array:
    return erf(jnp.sqrt(0.5 * tolerance / jnp.maximum(loss, 1e-300)))


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and follow the flow to every time, decay and noise level."""
    size = capacity["n"]
    x = gaussian.rows(key, size, jnp.ones(params.d))
    weights = repetition.weights(params.split(), size)
    row_noise = label_noise.row_noise(weights, True)
    names = ("time", "decay", "noise", "signal", "start")
    given = {name: jnp.asarray(getattr(params, name)) for name in names}
    if params.p:
        features = gaussian_features.init(key, params.p, params.d)
        path = closed_form.decompose(x @ features.T, weights)
        found = gradient_flow.feature_errors(
            path, features=features, inputs=x, row_noise=row_noise, **given
        )
    else:
        found = gradient_flow.errors(gradient_flow.decompose(x, weights, row_noise), **given)
    return Measures(
        test_loss=found.excess,
        train_loss=found.train,
        test_accuracy=_accuracy(found.excess, params.tolerance),
        train_accuracy=_accuracy(found.train, params.tolerance),
    )


def _plain(params: Params) -> bool | Array:
    return repetition.seen_once(params) & (params.p == 0)


@record
class Forecast:
    """Losses at one point, in total and by their causes: target, label noise, start [label^2]."""

    test_loss: Scalar = predicted(
        statement="double Laplace inversion of two-point ridge errors, plus "
        "start/d tr exp(-2 (S + decay) t)",
        source="derived here, docs/dynamics/dynamics.md; plain rows: Advani, Saxe 2017 "
        "(arXiv:1710.03667)",
    )
    closed_loss: Scalar = predicted(
        "test_loss",
        statement="int dF(s) { start e^2 + signal (1 - s h)^2 + noise (d/n) s h^2 },  "
        "e = exp(-(s + decay) t),  h = (1 - e)/(s + decay)",
        scope="as test_loss, every row seen once, trained on the inputs",
        order="1/n (computed)",
        source="Advani, Saxe 2017 (arXiv:1710.03667); Ali, Kolter, Tibshirani 2019 "
        "(arXiv:1810.10082)",
        where=_plain,
        closed=True,
    )
    train_loss: Scalar = predicted(
        statement="the same inversion of (1 - h)(1 - h')(G + noise), plus "
        "start/d tr S exp(-2 (S + decay) t)",
        order="1/n (computed)",
        source="derived here, docs/dynamics/dynamics.md",
    )
    test_accuracy: Scalar = predicted(statement="erf(sqrt(tolerance / (2 loss)))")
    train_accuracy: Scalar = predicted(statement="erf(sqrt(tolerance / (2 residual)))")
    test: Float[Array, " 3"]
    train: Float[Array, " 3"]
    features: Scalar | None  # their number; None on the inputs
    levels: tuple[ComplexLevels, ComplexLevels, ComplexLevels]  # for the next order
    status: Int[Array, ""]


def world(params: Params) -> np.ndarray | None:
    """Return the number of features, None on the inputs: their next order is another program."""
    return np.asarray(float(params.p)) if params.p else None


def forecast(params: Params, world: Array | None) -> Forecast:
    """Evaluate the deterministic equivalent of the flow, and its closed form."""
    p = jnp.where(params.p > 0, params.p, jnp.inf)
    spectrum, ridge, time = isotropic(params.d, params.signal), params.n * params.decay, params.time
    groups = repeated_rows(*params.split(), params.noise, True)
    at, at_start, at_shift, at_start_shift, stopped = levels_along(
        spectrum, groups, p,
        flow_ridges(spectrum, groups, time, ridge), start_ridges(groups, time),
        shift_ridges(groups, time, ridge), shift_ridges(groups, 2 * time, 0.0),
        ridge + params.n / time,
    )  # fmt: skip
    found = weighted_flow_risk(spectrum, groups, time, ridge, p, at)
    begun = start_left(spectrum, groups, time, ridge, p, at_start)
    shares = groups.counts * groups.weights / params.n
    fitted = shares @ jnp.stack([found.train_error - found.train_noise, found.train_noise], axis=1)
    left = _per_weight(params) * jnp.stack([begun.test, begun.train])
    test = jnp.stack([found.bias + found.signal_variance, found.noise_variance, left[0]])
    train = jnp.stack([*fitted, left[1]])
    args = params.noise, params.signal, params.start, ridge
    return Forecast(
        test_loss=jnp.sum(test),
        train_loss=jnp.sum(train),
        test_accuracy=_accuracy(jnp.sum(test), params.tolerance),
        train_accuracy=_accuracy(jnp.sum(train), params.tolerance),
        closed_loss=isotropic_flow(params.n, params.d, time, *args).excess_risk,
        test=test,
        train=train,
        features=world,
        levels=(at_shift, at_start_shift, stopped),
        status=jnp.maximum(found.status, begun.status),
    )


def _per_weight(params: Params) -> Scalar:
    """Return the variance of an initial weight."""
    return params.start / jnp.where(params.p > 0, params.p, params.d)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute the next order of every cause; accuracies move by what their losses may."""
    spectrum = isotropic(params.d, params.signal)
    groups = repeated_rows(*params.split(), params.noise, True)
    ridge, time, share, p = params.n * params.decay, params.time, _per_weight(params), made.features
    at, at_start, stopped = made.levels
    if p is None:
        shift = flow_shift(spectrum, groups, time, ridge, at)
        begun = start_shift(spectrum, groups, time, ridge, at_start)
    else:
        shift = feature_flow_shift(spectrum, groups, time, ridge, p, at)
        begun = feature_start_shift(spectrum, groups, time, ridge, p, at_start)
    early = ridge + params.n / time
    left = what_is_left(spectrum, groups, early, jnp.inf if p is None else p, stopped)
    solved = jnp.maximum(shift.status, begun.status) == Status.OK

    def bound(moved: tuple[Scalar, ...], parts: Array) -> Bound:
        found = _slack.computed(moved, tuple(parts), left, jnp.sum(parts))
        return found._replace(valid=found.valid & solved)

    test = bound((shift.signal, shift.noise, share * begun.test), made.test)
    train = bound((shift.train_signal, shift.train_noise, share * begun.train), made.train)
    right = _accurate(params, made.train_loss, train)
    return {
        "test_loss": test,
        "closed_loss": test,
        "train_loss": train,
        "test_accuracy": _accurate(params, made.test_loss, test),
        # Where nearly all are right, the share of wrong points is too skewed over designs.
        "train_accuracy": right._replace(valid=right.valid & (made.train_accuracy < 0.999)),
    }


def _accurate(params: Params, loss: Scalar, bound: Bound) -> Bound:
    value = _accuracy(loss, params.tolerance)
    worse = _accuracy(loss + bound.slack, params.tolerance)
    better = _accuracy(jnp.maximum(loss - bound.slack, 0.0), params.tolerance)
    return Bound(jnp.maximum(value - worse, better - value), bound.valid)


def _earlier(params: Params) -> dict[str, Scalar]:
    """Go back by the delay in the limit of a vanishing tolerance; NaN where it is not meant."""
    meant = (params.d < params.n) & (params.decay == 0)
    ratio = jnp.where(meant, params.d / params.n, 0.5)
    delay = jnp.where(meant, asymptotic_delay(1.0, ratio), jnp.nan)
    return {"time": jnp.maximum(params.time - delay, 1e-9 * params.time)}


@quickly
def _times(*numbers: Any) -> dict[str, Array]:
    found = fall_times(*numbers)
    return {"test": found.test, "train": found.train}


_LEVEL = NormalDist().inv_cdf((1 + SHARE) / 2) ** -2
"""Loss at which the accuracy is ``SHARE``, over the tolerance: 1/(2 erfinv(0.95)^2)."""


def _time(params: Params, field: str) -> float:
    """Time of a break on inputs without repetition; NaN where it never comes."""
    if params.p or (params.repeated_fraction > 0 and params.repeats > 1):
        return float("nan")
    found = _times(
        float(params.n), float(params.d), _LEVEL * float(params.tolerance),
        float(params.decay), float(params.noise), float(params.signal), float(params.start),
    )  # fmt: skip
    value = float(found[field])
    return value if math.isfinite(value) else float("nan")


PHENOMENON = Phenomenon(
    name="linear_grokking",
    title="Grokking of a linear student",
    claims=(11,),
    question="When does a student that fits its data generalise, and what delays it?",
    model=(
        "Rows x ~ N(0, I_d), labels x.w* + noise; gradient flow on (1/2n) sum (y - x.w)^2 + "
        "(decay/2) |w|^2 from random weights, on the inputs or on p Gaussian random features of "
        "them. A point is right if its squared error is below "
        "the tolerance. A share of the rows may be copies of the same few."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, d, p -> infinity at fixed ratios and repeats; where the next order is at most a "
        "quarter of the value",
        order="1/n, and with features 1/p (computed)",
        source="Levi, Beck, Bar-Sinai 2023 (arXiv:2310.16441)",
    ),
    mistakes=(
        copies_are_fresh("test_loss", "train_loss"),
        Mistake(
            name="infinite features",
            why="the features are taken for infinitely many: training on the inputs",
            against=("test_loss", "train_loss"),
            params=lambda params: {"p": 0, "start": _per_weight(params) * params.d},
        ),
        Mistake(
            name="no decay",
            why="weight decay is left out: the null space stays",
            against=("test_loss", "test_accuracy"),
            params=lambda params: {"decay": 0.0},
        ),
        time_doubled("test_loss", "closed_loss", "train_loss", "test_accuracy", "train_accuracy"),
        Mistake(
            name="asymptotic delay",
            why="training accuracy log(1/nu)/(2 nu) ago, nu = (1 - sqrt(d/n))^2: the limit of a "
            "vanishing tolerance (arXiv:2310.16441) taken for what happens at a practical one",
            against=("test_accuracy",),
            params=_earlier,
            forecast=lambda params, made: {"test_accuracy": made.train_accuracy},
        ),
    ),
    breaks=(
        Break(
            name="generalises",
            axis="time",
            measure="test_accuracy",
            locator=Crossing(level=SHARE, direction="up", log_axis=True),
            statement="L_gen(t) = tolerance / (2 erfinv(0.95)^2); d > n: "
            "t = log[start (1-n/d) / (L - signal (1-n/d))] / (2 decay)",
            closed_form=lambda params: _time(params, "test"),
        ),
        Break(
            name="fits",
            axis="time",
            measure="train_accuracy",
            locator=Crossing(level=SHARE, direction="up", log_axis=True),
            statement="L_train(t) = tolerance / (2 erfinv(0.95)^2)",
            closed_form=lambda params: _time(params, "train"),
        ),
    ),
)
