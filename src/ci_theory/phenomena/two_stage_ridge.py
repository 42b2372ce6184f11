"""Inheritance in two ridge stages: when upstream weights, noise and repeats help or harm."""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import again, inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.inherit import finetune, two_stage
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, targets_alike
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.operator import Inherited, IsotropicWeights
from ci_theory.theory.inheritance.transfer import negative_transfer_cosine
from ci_theory.theory.inheritance.two_stages import TwoStages, pretrain, two_stages
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows


@record
class Upstream(repetition.Repetition):
    """The pre-training stage: ridge regression on noisy, repeated rows."""

    n: int = sized(200, low=1, unit="rows", doc="upstream rows counted with repeats")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.3)
    repeats: int = again(repetition.Repetition, "repeats", 4)
    shared_noise: bool = traced(True, doc="copies share their label, or are labelled afresh")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total upstream ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="upstream label-noise variance")


@record
class Downstream:
    """The stage that inherits: ridge towards the upstream weights."""

    n: int = sized(80, low=1, unit="rows", doc="downstream rows")
    ridge: float = inner(
        20.0, low=0, unit="rows·input²", doc="total ridge towards the upstream weights"
    )
    noise: float = inner(0.25, low=0, unit="label²", doc="downstream label-noise variance")


@record
class Params:
    """Two linear teachers of one norm, at an angle, in one input space."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    p: int = static(100, low=2, high=10**7, unit="parameters", doc="input dimension = parameters")
    alignment: float = inner(
        0.8, low=-1, high=1, unit="", doc="cosine of the angle between the two targets"
    )
    signal: float = traced(1.0, above=0, unit="(label/input)²", doc="squared norm of each target")
    ood_variance: float = inner(
        4.0, low=0, unit="input²", doc="variance of the shifted test inputs along the up target"
    )


@record
class Measures:
    """Of the downstream fit, averaged over label noise and the orientations of the targets."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy downstream labels"
    )
    ood_error: Float[Array, " m"] = measured(
        unit="label²", doc="the same, test inputs stretched along the upstream target"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the downstream rows"
    )
    transfer_gain: Float[Array, " m"] = measured(
        unit="label²", doc="excess risk of a ridge towards zero less that of the inheriting fit"
    )
    upstream_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error of the upstream fit on its own fresh noisy labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs; every ridge, noise level and alignment shares them.

    The targets take 2 p orientations, along each coordinate axis and at an angle towards the
    next one or away from it; measures are averages over them. Inputs are isotropic, so that no
    mean changes and most of the variance goes.
    """
    ones = jnp.ones(params.p)
    up_rows = gaussian.rows(stream(key, "up"), capacity["up.n"], ones)
    up_weights = repetition.weights(params.up.split(), capacity["up.n"])
    up_noise = label_noise.row_noise(up_weights, jnp.asarray(params.up.shared_noise))
    up = finetune.design(up_rows, up_weights, up_noise)

    down_rows = gaussian.rows(stream(key, "down"), capacity["down.n"], ones)
    present = (jnp.arange(capacity["down.n"]) < params.down.n).astype(down_rows.dtype)
    down = finetune.design(down_rows, present, present)
    inner_fields = (
        params.up.ridge,
        params.up.noise,
        params.down.ridge,
        params.down.noise,
        params.alignment,
        params.ood_variance,
    )
    run = partial(two_stage.errors, up, down, jnp.asarray(params.signal))
    found = jax.lax.map(lambda fields: run(*fields), inner_fields)
    return Measures(
        test_error=found.excess + params.down.noise,
        ood_error=found.shifted + params.down.noise,
        train_error=found.train,
        transfer_gain=found.scratch - found.excess,
        upstream_error=found.upstream + params.up.noise,
    )


@record
class Forecast:
    """Errors of both stages; ``status`` is that of both, ``up_status`` that of the first alone."""

    test_error: Scalar = predicted(
        statement="E = (noise + keep^2 D)/(1 - df2/n),  D = |m - b|^2 + V,  "
        "keep = kappa/(1 + kappa); m, V: mean and fluctuation of the upstream weights",
    )
    ood_error: Scalar = predicted(
        statement="E + (ood_variance - 1) [keep^2 ((m - b).a)^2/|a|^2 + V_down/p]",
    )
    train_error: Scalar = predicted(statement="E_train = (down.ridge/(n kappa))^2 E")
    transfer_gain: Scalar = predicted(statement="keep^2/(1 - df2/n) (|b|^2 - D)")
    upstream_error: Scalar = predicted(
        statement="up.noise + (B + df2 sum n a^2 v)/(1 - df2 sum n a^2), as `repeated_data`",
        scope="rows, p -> infinity; here effective rows - df2 >= 10",
        source="derived here, docs/rows/repetition.md",
        status="up_status",
    )
    stages: TwoStages
    status: Array
    up_status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Apply the inheritance operator twice."""
    return _inheriting(params, _upstream(params))


def _upstream(params: Params) -> Inherited:
    up = params.up
    groups = repeated_rows(*up.split(), up.noise, up.shared_noise)
    return pretrain(params.p, params.signal, groups, up.ridge)


def _inheriting(params: Params, up: Inherited) -> Forecast:
    """Fit downstream from what upstream left; along its target the spread has a share 1/p."""
    rows = plain_rows(params.down.n, params.down.noise)
    made = two_stages(up, params.p, params.signal, rows, params.down.ridge, params.alignment)
    weights, test = made.down.weights, made.down.risk.excess_risk + params.down.noise
    along = (weights.mean[0] - made.target[0]) ** 2 + weights.spread / params.p
    return Forecast(
        test_error=test,
        ood_error=test + (params.ood_variance - 1) * along,
        train_error=made.down.risk.residual[0],
        transfer_gain=made.gain * (params.signal - made.anchor),
        upstream_error=up.risk.excess_risk + params.up.noise,
        stages=made,
        status=jnp.maximum(up.status, made.down.status),
        up_status=up.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1 / free of each stage, upstream's passed on (docs/finite_size.md).

    The upstream weights shrink by 1 - x, which is off by x per 1 / free. On one random target a
    random shrinkage acts three times as spread out along it as across, and not once, which is
    1/p of what sampling adds to the error: ``twice``.
    """
    two, p, signal = made.stages, params.p, params.signal
    up, down = two.up.risk, two.down.risk
    learned = up.fixed_point.df1 / p

    # of the upstream error, and of its part along the upstream target
    missed = up.bias + up.signal_variance
    held = jnp.max(up.fixed_point.leverage) / p
    error = _slack.excess(up.noise_variance, missed, learned, two.up_free, held)
    shrunk = learned * (1 - learned) * _slack.per(two.up_free)
    anchor = error + 2 * signal * (1 - params.alignment) * shrunk
    off = jnp.sqrt(signal) * learned - two.target[0]
    along = error / p + 2 * jnp.abs(off) * jnp.sqrt(signal) * shrunk + up.signal_variance / p

    # of the downstream stage, which passes the anchor's on
    at, room = down.fixed_point, _slack.per(two.down_free)
    factor = _slack.signal_factor(at.df1 / p)
    noise, more = down.excess_risk - two.gain * two.anchor, factor * room
    test = noise * room + more * two.gain * two.anchor + two.gain * anchor * (1 + more)
    mean, twice = (two.down.weights.mean[0] - two.target[0]) ** 2, down.signal_variance / p
    aside = (noise / p + factor * (mean + two.down.weights.spread / p)) * room
    aside = aside + two.gain * along + twice
    kept, gamma = at.forgotten[0] ** 2, at.leverage[0] * at.df1 / p
    part = kept * two.gain * two.anchor  # of the residual, by the anchor
    train = _slack.residual(made.train_error - part, part, gamma, two.down_free)

    enough = p >= _slack.FEWEST_PARAMETERS
    first = enough & (two.up_free >= _slack.FEWEST_FREE)
    both = first & (two.down_free >= _slack.FEWEST_FREE)
    return {
        "test_error": Bound(test, both),
        "ood_error": Bound(test + jnp.abs(params.ood_variance - 1) * aside, both),
        "train_error": Bound(train + kept * two.gain * anchor * (1 + room), both),
        "transfer_gain": Bound(
            jnp.abs(made.transfer_gain) * more + two.gain * anchor * (1 + more), both
        ),
        "upstream_error": Bound(error, first),
    }


def _mean_only(params: Params, made: Forecast) -> Forecast:
    up = made.stages.up
    still = IsotropicWeights(mean=up.weights.mean, spread=jnp.zeros(()))
    return _inheriting(params, up._replace(weights=still))


def _boundary(params: Params) -> float:
    """Alignment at which inheriting neither helps nor harms; NaN if there is none in (0, 1)."""
    if params.down.ridge == 0 and params.down.n >= params.p:
        return float("nan")  # least squares forgets what it inherited
    cosine = float(_neutral(params))
    return cosine if cosine < 1 else float("nan")


@quickly
def _neutral(params: Params) -> Scalar:
    up = _upstream(params).weights
    return negative_transfer_cosine(up.mean[0], up.spread, jnp.sqrt(params.signal))


_DOWNSTREAM = ("test_error", "ood_error", "train_error", "transfer_gain")

PHENOMENON = Phenomenon(
    name="two_stage_ridge",
    title="Inheritance between two ridge stages, and the negative-transfer boundary",
    claims=(9,),
    question="When do weights learned from noisy, repeated upstream data help downstream?",
    model=(
        "Upstream: ridge on rows x ~ N(0, I), labels x.a + up.noise, a share of the rows "
        "repeated. Downstream: minimise sum (y - x.w)^2 + down.ridge |w - w_up|^2 on labels x.b + "
        "down.noise; a and b have one norm and the cosine `alignment`. Shifted test inputs have "
        "the variance `ood_variance` along a."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="rows, p -> infinity at fixed ratios; here effective rows - df2 >= 10 twice",
        order="1 / (effective rows - df2) of each stage",
        source="derived here, docs/inheritance/inheritance.md; isotropic anchored ridge: Dar, "
        "LeJeune, Baraniuk 2021 (arXiv:2103.05621)",
    ),
    mistakes=(
        copies_are_fresh(*_DOWNSTREAM, "upstream_error", field="up.repeats"),
        targets_alike(*_DOWNSTREAM),
        Mistake(
            name="only the mean is inherited",
            why="the fluctuation of the upstream weights is ignored",
            against=_DOWNSTREAM,
            forecast=_mean_only,
        ),
        Mistake(
            name="nothing is inherited",
            why="ridge towards zero",
            against=("test_error",),
            forecast=lambda params, made: {"test_error": made.test_error + made.transfer_gain},
        ),
        Mistake(
            name="in-distribution",
            why="the shift of the test inputs is ignored",
            against=("ood_error",),
            forecast=lambda params, made: {"ood_error": made.test_error},
        ),
    ),
    breaks=(
        Break(
            name="negative-transfer boundary",
            axis="alignment",
            measure="transfer_gain",
            locator=Crossing(level=0.0, direction="up"),
            statement="cos = (|m|^2 + V) / (2 |m| |b|): the same at every down.n, noise and ridge",
            closed_form=_boundary,
        ),
    ),
)
