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
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.flow import weighted_flow_risk
from ci_theory.theory.flow_isotropic import isotropic_flow
from ci_theory.theory.flow_start import StartLeft, start_left
from ci_theory.theory.grokking import grok_times
from ci_theory.theory.groups import repeated_rows
from ci_theory.theory.marchenko_pastur import lower_edge
from ci_theory.theory.spectrum import isotropic
from ci_theory.training import gradient_flow

_VARIANTS = ("true", "fresh", "no decay", "time")

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


class _Losses(NamedTuple):
    """Predicted losses and what bounds their finite-size deviation."""

    test: Scalar
    train: Scalar
    test_slack: Scalar
    train_slack: Scalar
    status: Int[Array, ""]


def _losses(params: Params, variant: int = 0) -> _Losses:
    """Return the deterministic equivalent (0), or that of a decoy: see ``_VARIANTS``.

    All are evaluated as one batch: identical calls become one in the compiled program.

    Slack: 1.5/|n - d| + 0.5/n of everything, n distinct rows (measured: at most 0.4 of it), and
    what ``_bulk`` bounds (measured: at most half of that).
    """
    split = _rows(params)
    fresh = repetition.Counts(jnp.asarray(params.n, float), jnp.zeros(()), jnp.ones(()))
    splits = [fresh if name == "fresh" else split for name in _VARIANTS]
    counts = repetition.Counts(*(jnp.stack(leaves) for leaves in zip(*splits, strict=True)))
    decay = params.decay * jnp.array([name != "no decay" for name in _VARIANTS])
    time = params.time * jnp.array([2.0 if name == "time" else 1.0 for name in _VARIANTS])
    every = jax.vmap(_equivalent, (None, 0, 0, 0))(params, counts, decay, time)
    return jax.tree.map(lambda leaf: leaf[variant], every)


def _equivalent(params: Params, split: repetition.Counts, decay: Scalar, time: Scalar) -> _Losses:
    groups = repeated_rows(*split, params.noise, True)
    copies, distinct = params.n, split.fresh + split.repeated
    flow = weighted_flow_risk(isotropic(params.d, params.signal), groups, time, copies * decay)
    begun = start_left(isotropic(params.d), groups, time, copies * decay)
    share = params.start / params.d
    test = flow.excess_risk + share * begun.test
    train = jnp.sum(groups.counts * groups.weights * flow.train_error) / copies
    train = train + share * begun.train

    still, still_train, edge = _bulk(params, split, decay, time, begun)
    spread = 1.5 / jnp.maximum(jnp.abs(distinct - params.d), 1.0) + 0.5 / distinct
    return _Losses(
        test=test,
        train=train,
        test_slack=spread * test + jnp.minimum(still, edge),
        train_slack=spread * train + jnp.minimum(still_train, edge),
        status=jnp.maximum(flow.status, begun.status),
    )


def _bulk(
    params: Params, split: repetition.Counts, decay: Scalar, time: Scalar, begun: StartLeft
) -> tuple[Scalar, Scalar, Scalar]:
    """Bound what the fluctuating edge of the bulk does to what is still being learned.

    The lower edge nu moves by w = nu (n |1 - sqrt(gamma)|)^(-2/3) gamma^(-1/6) or less, so that
    exp(-2 nu t) gains a factor exp(2 w t). Weights lower the edge by at most distinct/n.

    Returns:
        by the curve at infinite size, on test and training points, and by its bound exp(-2 nu t).
    """
    distinct = split.fresh + split.repeated
    gamma = params.d / distinct
    edge, away = _edge(params, split)
    width = edge * (distinct * away) ** (-2 / 3) * gamma ** (-1 / 6)
    gain = jnp.expm1(jnp.minimum(2 * time * width, 30.0))
    power, faded = params.signal + params.start, jnp.exp(-2 * decay * time)
    null = jnp.maximum(1 - 1 / gamma, 0.0)
    test = power * jnp.maximum(begun.test / params.d - null * faded, 0.0)
    train = power * jnp.maximum(begun.train / params.d, 0.0)
    bound = power * faded * jnp.minimum(1.0, 1 / gamma)
    late = bound * (jnp.exp(-2 * (edge - width) * time) - jnp.exp(-2 * edge * time))
    return test * gain, train * gain, late


def _edge(params: Params, split: repetition.Counts) -> tuple[Scalar, Scalar]:
    """Return a lower bound of the bulk's lower edge, and |1 - sqrt(gamma)|."""
    distinct = split.fresh + split.repeated
    gamma = params.d / distinct
    return distinct / params.n * lower_edge(gamma), jnp.abs(1 - jnp.sqrt(gamma))


def _valid(params: Params) -> Array:
    """Enough rows, and a bulk whose edge is well away from 0."""
    split = _rows(params)
    distinct = split.fresh + split.repeated
    return (distinct >= 30) & (params.d >= 30) & (distinct * _edge(params, split)[1] >= 8)


def test_loss(params: Params, world: Any) -> Estimate:
    """Predict the error on fresh clean labels."""
    made = _losses(params)
    return Estimate(made.test, made.test_slack, _valid(params), made.status)


def train_loss(params: Params, world: Any) -> Estimate:
    """Predict the mean squared residual."""
    made = _losses(params)
    return Estimate(made.train, made.train_slack, _valid(params), made.status)


def test_accuracy(params: Params, world: Any) -> Estimate:
    """Predict the share of fresh points that are right."""
    test, _, slack, _, status = _losses(params)
    return _accurate(params, test, slack, status)


def train_accuracy(params: Params, world: Any) -> Estimate:
    """Predict the share of right training points, from their mean squared residual."""
    _, train, _, slack, status = _losses(params)
    found = _accurate(params, train, slack, status)
    # Where nearly all are right, the share of wrong points is too skewed over designs.
    return found._replace(valid=found.valid & (found.value < 0.999))


def _accurate(params: Params, loss: Scalar, slack: Scalar, status: Array) -> Estimate:
    value = _accuracy(loss, params.tolerance)
    worse = _accuracy(loss + slack, params.tolerance)
    better = _accuracy(jnp.maximum(loss - slack, 0.0), params.tolerance)
    return Estimate(value, jnp.maximum(value - worse, better - value), _valid(params), status)


def closed_loss(params: Params, world: Any) -> Estimate:
    """Predict the error of rows seen once from the Marchenko-Pastur law."""
    scope = (params.repeats == 1) | (params.repeated_fraction == 0)
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    value = jnp.where(scope, _closed(params), jnp.nan)
    return Estimate(value, _losses(params).test_slack, scope & _valid(params), status)


def _closed(params: Params, time: float = 1.0) -> Scalar:
    n, ridge = params.n, params.n * params.decay
    args = params.noise, params.signal, params.start, ridge
    return isotropic_flow(n, params.d, time * params.time, *args).excess_risk


def _fitted_doubled(params: Params, world: Any) -> Scalar:
    return _accuracy(_losses(params, 3).train, params.tolerance)


def _closed_doubled(params: Params, world: Any) -> Scalar:
    return _closed(params, 2.0)


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


_FRESH = "every copy is taken for a new row"
_NO_DECAY = "weight decay is left out: the null space stays"
_DOUBLE = "time of the loss without the factor 1/2: twice too fast"

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
    rule=_rule,
    predictions=(
        Prediction(
            name="test_loss",
            measure="test_loss",
            evaluate=test_loss,
            statement="double Laplace inversion of two-point ridge errors, plus "
            "start/d tr exp(-2 (S + decay) t)",
            scope="n, d -> infinity at fixed d/n and repeats; at least 30 distinct rows",
            order="1/n, and the edge of the bulk times t",
            source="derived here, docs/dynamics.md; plain rows: Advani, Saxe 2017 "
            "(arXiv:1710.03667)",
            decoys=(
                Decoy(
                    name="copies are fresh rows",
                    why=_FRESH,
                    evaluate=lambda params, world: _losses(params, 1).test,
                ),
                Decoy(
                    name="no decay",
                    why=_NO_DECAY,
                    evaluate=lambda params, world: _losses(params, 2).test,
                ),
                Decoy(
                    name="time doubled",
                    why=_DOUBLE,
                    evaluate=lambda params, world: _losses(params, 3).test,
                ),
            ),
        ),
        Prediction(
            name="closed_loss",
            measure="test_loss",
            evaluate=closed_loss,
            statement="int dF(s) { start e^2 + signal (1 - s h)^2 + noise (d/n) s h^2 },  "
            "e = exp(-(s + decay) t),  h = (1 - e)/(s + decay)",
            scope="as test_loss, every row seen once",
            order="1/n, and the edge of the bulk times t",
            source="Advani, Saxe 2017 (arXiv:1710.03667); Ali, Kolter, Tibshirani 2019 "
            "(arXiv:1810.10082)",
            decoys=(Decoy(name="time doubled", why=_DOUBLE, evaluate=_closed_doubled),),
        ),
        Prediction(
            name="train_loss",
            measure="train_loss",
            evaluate=train_loss,
            statement="the same inversion of (1 - h)(1 - h')(G + noise), plus "
            "start/d tr S exp(-2 (S + decay) t)",
            scope="as test_loss",
            order="1/n, and the edge of the bulk times t",
            source="derived here, docs/dynamics.md",
            decoys=(
                Decoy(
                    name="copies are fresh rows",
                    why=_FRESH,
                    evaluate=lambda params, world: _losses(params, 1).train,
                ),
                Decoy(
                    name="time doubled",
                    why=_DOUBLE,
                    evaluate=lambda params, world: _losses(params, 3).train,
                ),
            ),
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
                Decoy(
                    name="no decay",
                    why=_NO_DECAY,
                    evaluate=lambda params, world: _accuracy(
                        _losses(params, 2).test, params.tolerance
                    ),
                ),
                Decoy(
                    name="time doubled",
                    why=_DOUBLE,
                    evaluate=lambda params, world: _accuracy(
                        _losses(params, 3).test, params.tolerance
                    ),
                ),
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
            decoys=(Decoy(name="time doubled", why=_DOUBLE, evaluate=_fitted_doubled),),
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
