"""Grokking of a linear student: fitted early, right late, and what moves the moment."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import erf

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.dynamics.flow import weighted_flow_risk
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.dynamics.flow_next_order import flow_shift, start_shift, what_is_left
from ci_theory.theory.dynamics.flow_start import start_left
from ci_theory.theory.dynamics.grokking import asymptotic_delay, grok_times
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic
from ci_theory.training import gradient_flow

_VARIANTS = ("true", "fresh", "no decay", "doubled", "delayed")

SHARE = 0.95
"""Accuracy from which the student counts as having fitted, or generalised."""


@record
class Params:
    """Gradient flow of a linear student from a random start, with weight decay."""

    n: int = sized(300, low=2, unit="rows", doc="rows counted with repeats")
    d: int = static(600, low=2, high=10**7, unit="inputs", doc="input dimension")
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
    repeated_fraction: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the rows spent on repeated ones"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that each repeated row appears")


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


def _rows(params: Params) -> repetition.Counts:
    given = params.n, params.repeated_fraction, params.repeats
    return repetition.counts(*(jnp.asarray(v, float) for v in given))


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and follow the flow to every time, decay and noise level."""
    size = capacity["n"]
    x = gaussian.rows(key, size, jnp.ones(params.d))
    weights = repetition.weights(_rows(params), size)
    modes = gradient_flow.decompose(x, weights, label_noise.row_noise(weights, True))
    found = gradient_flow.errors(
        modes,
        time=jnp.asarray(params.time),
        decay=jnp.asarray(params.decay),
        noise=jnp.asarray(params.noise),
        signal=jnp.asarray(params.signal),
        start=jnp.asarray(params.start),
    )
    return Measures(
        test_loss=found.excess,
        train_loss=found.train,
        test_accuracy=_accuracy(found.excess, params.tolerance),
        train_accuracy=_accuracy(found.train, params.tolerance),
    )


class Forecast(NamedTuple):
    """What the predictions and decoys of a point share.

    Attributes:
        test: predicted test loss of every variant, (v,): see ``_VARIANTS``.
        train: predicted training loss of every variant, (v,).
        test_slack: finite-size bound of the first variant's test loss.
        train_slack: finite-size bound of its training loss.
        test_valid: whether that bound is claimed.
        train_valid: likewise.
        status: of the solvers.
    """

    test: Float[Array, " v"]
    train: Float[Array, " v"]
    test_slack: Scalar
    train_slack: Scalar
    test_valid: Array
    train_valid: Array
    status: Int[Array, ""]


class _Parts(NamedTuple):
    """Losses at one point by their causes, (3,): target, label noise, what is left of the start."""

    test: Float[Array, " 3"]
    train: Float[Array, " 3"]
    status: Int[Array, ""]


def forecast(params: Params, world: Any) -> Forecast:
    """Evaluate the deterministic equivalent, what the decoys make of it, and the slack."""
    split = _rows(params)
    fresh = repetition.Counts(jnp.asarray(params.n, float), jnp.zeros(()), jnp.ones(()))
    splits = [fresh if name == "fresh" else split for name in _VARIANTS]
    counts = repetition.Counts(*(jnp.stack(leaves) for leaves in zip(*splits, strict=True)))
    decay = params.decay * jnp.array([name != "no decay" for name in _VARIANTS])
    late = jnp.maximum(params.time - _asymptotic(params), 1e-9 * params.time)
    times = {"doubled": 2 * params.time, "delayed": jnp.where(jnp.isnan(late), params.time, late)}
    time = jnp.stack([jnp.asarray(times.get(name, params.time), float) for name in _VARIANTS])
    every = jax.vmap(_parts, (None, 0, 0, 0))(params, counts, decay, time)
    test, train = every.test.sum(axis=1), every.train.sum(axis=1)

    copies, share = params.n, params.start / params.d
    spectrum, groups = isotropic(params.d, params.signal), repeated_rows(*split, params.noise, True)
    ridge = copies * params.decay
    shift = flow_shift(spectrum, groups, params.time, ridge)
    begun = start_shift(spectrum, groups, params.time, ridge)
    room = 1 / what_is_left(spectrum, groups, ridge + copies / params.time).rows
    bounds = []
    for moved, parts in (
        ((shift.signal, shift.noise, share * begun.test), every.test[0]),
        ((shift.train_signal, shift.train_noise, share * begun.train), every.train[0]),
    ):
        slack = _slack.next_order(moved, tuple(parts), room)
        enough = room * _slack.FEWEST_FREE <= 1
        bounds.append((slack, enough & _slack.is_small(moved, jnp.sum(parts))))
    return Forecast(
        test=test,
        train=train,
        test_slack=bounds[0][0],
        train_slack=bounds[1][0],
        test_valid=bounds[0][1],
        train_valid=bounds[1][1],
        status=jnp.max(jnp.stack([every.status[0], shift.status, begun.status])),
    )


def _parts(params: Params, split: repetition.Counts, decay: Scalar, time: Scalar) -> _Parts:
    spectrum, ridge = isotropic(params.d, params.signal), params.n * decay

    def flow(noise: Scalar) -> tuple[Scalar, Scalar, Array]:
        groups = repeated_rows(*split, noise, True)
        found = weighted_flow_risk(spectrum, groups, time, ridge)
        shares = groups.counts * groups.weights / params.n
        return found.excess_risk, shares @ found.train_error, found.status

    levels = jnp.stack([jnp.zeros(()), jnp.asarray(params.noise, float)])
    test, train, status = jax.vmap(flow)(levels)
    begun = start_left(spectrum, repeated_rows(*split, 0.0, True), time, ridge)
    left = params.start / params.d * jnp.stack([begun.test, begun.train])
    return _Parts(
        test=jnp.stack([test[0], test[1] - test[0], left[0]]),
        train=jnp.stack([train[0], train[1] - train[0], left[1]]),
        status=jnp.maximum(status[1], begun.status),
    )


def _asymptotic(params: Params) -> Scalar:
    """Return the delay in the limit of a vanishing tolerance; NaN where it is not meant."""
    meant = (params.d < params.n) & (params.decay == 0)
    ratio = jnp.where(meant, params.d / params.n, 0.5)
    return jnp.where(meant, asymptotic_delay(1.0, ratio), jnp.nan)


def test_loss(params: Params, made: Forecast) -> Estimate:
    """Predict the error on fresh clean labels."""
    return Estimate(made.test[0], made.test_slack, made.test_valid, made.status)


def train_loss(params: Params, made: Forecast) -> Estimate:
    """Predict the mean squared residual."""
    return Estimate(made.train[0], made.train_slack, made.train_valid, made.status)


def test_accuracy(params: Params, made: Forecast) -> Estimate:
    """Predict the share of fresh points that are right."""
    return _accurate(params, test_loss(params, made))


def train_accuracy(params: Params, made: Forecast) -> Estimate:
    """Predict the share of right training points, from their mean squared residual."""
    found = _accurate(params, train_loss(params, made))
    # Where nearly all are right, the share of wrong points is too skewed over designs.
    return found._replace(valid=found.valid & (found.value < 0.999))


def _accurate(params: Params, loss: Estimate) -> Estimate:
    value = _accuracy(loss.value, params.tolerance)
    worse = _accuracy(loss.value + loss.slack, params.tolerance)
    better = _accuracy(jnp.maximum(loss.value - loss.slack, 0.0), params.tolerance)
    return loss._replace(value=value, slack=jnp.maximum(value - worse, better - value))


def closed_loss(params: Params, made: Forecast) -> Estimate:
    """Predict the error of rows seen once from the Marchenko-Pastur law."""
    scope = (params.repeats == 1) | (params.repeated_fraction == 0)
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    value = jnp.where(scope, _closed(params), jnp.nan)
    return Estimate(value, made.test_slack, scope & made.test_valid, status)


def _closed(params: Params, time: float = 1.0) -> Scalar:
    n, ridge = params.n, params.n * params.decay
    args = params.noise, params.signal, params.start, ridge
    return isotropic_flow(n, params.d, time * params.time, *args).excess_risk


def _delayed(params: Params, made: Forecast) -> Scalar:
    """Return the training accuracy as long ago as the asymptotic delay."""
    accuracy = _accuracy(made.train[_VARIANTS.index("delayed")], params.tolerance)
    return jnp.where(jnp.isnan(_asymptotic(params)), jnp.nan, accuracy)


def _time(params: Params, field: str) -> float:
    """Time of a break without repetition; NaN where it never comes."""
    if params.repeated_fraction > 0 and params.repeats > 1:
        return float("nan")
    found = grok_times(
        *(float(v) for v in (params.n, params.d, params.tolerance)),
        SHARE, 1.0, float(params.decay), float(params.noise),
        float(params.signal), float(params.start),
    )  # fmt: skip
    value = float(getattr(found, field))
    return value if jnp.isfinite(value) else float("nan")


def _rule(params: Params) -> str | None:
    if params.repeated_fraction > 0 and params.repeats > params.n:
        return f"repeats = {params.repeats}: one row cannot fill more than the rows"
    return None


_DELAY = "training accuracy log(1/nu)/(2 nu) ago, nu = (1 - sqrt(d/n))^2: the limit of a vanishing "
_DELAY += "tolerance (arXiv:2310.16441) taken for what happens at a practical one"
_DOUBLE = "time of the loss without the factor 1/2: twice too fast"
_MISTAKES = {
    "fresh": ("copies are fresh rows", "every copy is taken for a new row"),
    "no decay": ("no decay", "weight decay is left out: the null space stays"),
    "doubled": ("time doubled", _DOUBLE),
}


def _decoy(field: str, variant: str, *, accuracy: bool = False) -> Decoy:
    """Return the decoy that takes a variant of the training or test loss, or its accuracy."""
    name, why = _MISTAKES[variant]

    def evaluate(params: Params, made: Forecast) -> Scalar:
        loss = getattr(made, field)[_VARIANTS.index(variant)]
        return _accuracy(loss, params.tolerance) if accuracy else loss

    return Decoy(name=name, why=why, evaluate=evaluate)


PHENOMENON = Phenomenon(
    name="linear_grokking",
    title="Grokking of a linear student",
    claims=(11,),
    question="When does a student that fits its data generalise, and what delays it?",
    model=(
        "Rows x ~ N(0, I_d), labels x.w* + noise; gradient flow on (1/2n) sum (y - x.w)^2 + "
        "(decay/2) |w|^2 from random weights. A point is right if its squared error is below "
        "the tolerance. A share of the rows may be copies of the same few."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    shared=forecast,
    rule=_rule,
    predictions=(
        Prediction(
            name="test_loss",
            measure="test_loss",
            evaluate=test_loss,
            statement="double Laplace inversion of two-point ridge errors, plus "
            "start/d tr exp(-2 (S + decay) t)",
            scope="n, d -> infinity at fixed d/n and repeats; where the next order is at most a "
            "quarter of the value",
            order="1/n (computed)",
            source="derived here, docs/dynamics.md; plain rows: Advani, Saxe 2017 "
            "(arXiv:1710.03667)",
            decoys=(
                _decoy("test", "fresh"),
                _decoy("test", "no decay"),
                _decoy("test", "doubled"),
            ),
        ),
        Prediction(
            name="closed_loss",
            measure="test_loss",
            evaluate=closed_loss,
            statement="int dF(s) { start e^2 + signal (1 - s h)^2 + noise (d/n) s h^2 },  "
            "e = exp(-(s + decay) t),  h = (1 - e)/(s + decay)",
            scope="as test_loss, every row seen once",
            order="1/n (computed)",
            source="Advani, Saxe 2017 (arXiv:1710.03667); Ali, Kolter, Tibshirani 2019 "
            "(arXiv:1810.10082)",
            decoys=(
                Decoy(
                    name="time doubled",
                    why=_DOUBLE,
                    evaluate=lambda params, made: _closed(params, 2.0),
                ),
            ),
        ),
        Prediction(
            name="train_loss",
            measure="train_loss",
            evaluate=train_loss,
            statement="the same inversion of (1 - h)(1 - h')(G + noise), plus "
            "start/d tr S exp(-2 (S + decay) t)",
            scope="as test_loss",
            order="1/n (computed)",
            source="derived here, docs/dynamics.md",
            decoys=(_decoy("train", "fresh"), _decoy("train", "doubled")),
        ),
        Prediction(
            name="test_accuracy",
            measure="test_accuracy",
            evaluate=test_accuracy,
            statement="erf(sqrt(tolerance / (2 loss)))",
            scope="as test_loss",
            order="as test_loss",
            source="Levi, Beck, Bar-Sinai 2023 (arXiv:2310.16441)",
            decoys=(
                _decoy("test", "no decay", accuracy=True),
                _decoy("test", "doubled", accuracy=True),
                Decoy(name="asymptotic delay", why=_DELAY, evaluate=_delayed),
            ),
        ),
        Prediction(
            name="train_accuracy",
            measure="train_accuracy",
            evaluate=train_accuracy,
            statement="erf(sqrt(tolerance / (2 residual)))",
            scope="as test_loss",
            order="as test_loss",
            source="Levi, Beck, Bar-Sinai 2023 (arXiv:2310.16441)",
            decoys=(_decoy("train", "doubled", accuracy=True),),
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
