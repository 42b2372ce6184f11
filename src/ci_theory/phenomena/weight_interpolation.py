"""Mixing weights before and after fine-tuning: what is gained in- and out-of-distribution."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import again, inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.inherit import finetune, interpolation
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_ignored, targets_alike
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.interpolation import (
    Course,
    at_best_ridge,
    best_mix,
    risk_of,
    shared_shift,
    tuned_course,
)
from ci_theory.theory.inheritance.operator import Inherited, at_angle, isotropic_risk
from ci_theory.theory.inheritance.poisoning import Tuning, clean_tuning
from ci_theory.theory.inheritance.two_stages import pretrain
from ci_theory.theory.spectra.groups import repeated_rows


@record
class Upstream(repetition.Repetition):
    """The weights before: ridge regression on noisy, repeated rows."""

    n: int = sized(300, low=1, unit="rows", doc="upstream rows counted with repeats")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.5)
    repeats: int = again(repetition.Repetition, "repeats", 1)
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total upstream ridge")
    noise: float = inner(0.5, low=0, unit="label²", doc="upstream label-noise variance")


@record
class Downstream:
    """Fine-tuning: ridge towards the weights before."""

    n: int = sized(120, low=1, unit="rows", doc="rows of the fine-tuning")
    ridge: float = inner(8.0, low=0, unit="rows·input²", doc="total ridge towards the start")
    noise: float = inner(0.5, low=0, unit="label²", doc="label-noise variance of the fine-tuning")


@record
class Params:
    """Two linear teachers of one norm, and a test law between or beyond them."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    p: int = static(100, low=2, high=10**7, unit="parameters", doc="input dimension = parameters")
    alignment: float = inner(
        0.5, low=-1, high=1, unit="", doc="cosine of the angle between the two targets"
    )
    transfer: float = inner(
        0.3, low=-2, high=3, unit="", doc="share of the shift of the target that the OOD law has"
    )
    mix: float = inner(1.0, low=-2, high=3, unit="", doc="share of the fine-tuned weights")
    signal: float = traced(1.0, above=0, unit="(label/input)²", doc="squared norm of each target")


@record
class Measures:
    """Averaged over label noise and the orientations of the targets."""

    id_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error of the mix on clean labels of the tuned target"
    )
    ood_risk: Float[Array, " m"] = measured(
        unit="label²", doc="the same on the target that has `transfer` of the shift"
    )
    id_slope: Float[Array, " m"] = measured(
        unit="label²", doc="slope of id_risk in mix at the fine-tuned weights"
    )
    ood_slope: Float[Array, " m"] = measured(
        unit="label²", doc="slope of ood_risk in mix at the fine-tuned weights"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs; every ridge, noise, angle and mix shares them."""
    ones = jnp.ones(params.p)
    up_rows = gaussian.rows(stream(key, "up"), capacity["up.n"], ones)
    weights = repetition.weights(params.up.split(), capacity["up.n"])
    up = finetune.design(up_rows, weights, label_noise.row_noise(weights, True))
    rows = gaussian.rows(stream(key, "down"), capacity["down.n"], ones)
    present = (jnp.arange(capacity["down.n"]) < params.down.n).astype(rows.dtype)
    fit = partial(interpolation.maps, up, finetune.design(rows, present, present))
    signal = jnp.asarray(params.signal)

    def run(at: tuple[Array, ...]) -> Measures:
        *ridges_and_noises, alignment, transfer, mix = at
        made = fit(*ridges_and_noises)
        own = interpolation.course(made, signal, alignment, jnp.ones(()))
        other = interpolation.course(made, signal, alignment, transfer)
        risks = [c.start + 2 * mix * c.slope + mix**2 * c.curvature for c in (own, other)]
        slopes = [2 * (c.slope + c.curvature) for c in (own, other)]
        return Measures(
            id_risk=risks[0], ood_risk=risks[1], id_slope=slopes[0], ood_slope=slopes[1]
        )

    stages = (params.up.ridge, params.up.noise, params.down.ridge, params.down.noise)
    return jax.lax.map(run, (*stages, params.alignment, params.transfer, params.mix))


class _Stages(NamedTuple):
    """Both stages, whatever is then mixed and tested."""

    targets: Array  # of the two stages
    up: Inherited
    tuning: Tuning

    def course(self, share: Any) -> Course:
        """Return the risk on the law that has a share of the shift between the targets."""
        before, own = self.targets
        return tuned_course(self.up.weights, self.tuning, own, (1 - share) * before + share * own)


def _stages(params: Params) -> _Stages:
    down = params.down
    tuning = clean_tuning(down.n, params.p, down.ridge, jnp.inf, down.noise)
    return _Stages(_targets(params), _before(params), tuning)


def _targets(params: Params) -> Array:
    return jnp.sqrt(params.signal) * jnp.stack([at_angle(1.0), at_angle(params.alignment)])


def _before(params: Params) -> Inherited:
    groups = repeated_rows(*params.up.split(), params.up.noise, True)
    return pretrain(params.p, params.signal, groups, params.up.ridge)


@record
class Forecast:
    """Risks of the mix on both laws, and what they are made of."""

    id_risk: Scalar = predicted(
        statement="|w_0 - b|^2 (1 - 2 mix L) + mix^2 N,  N = L2 |w_0 - b|^2 + v; L, L2: mean share "
        "of an error, and of its square, that fine-tuning takes away",
    )
    ood_risk: Scalar = predicted(statement="|w_0 - t|^2 - 2 mix L (b - w_0).(t - w_0) + mix^2 N")
    id_slope: Scalar = predicted(statement="2 (N - L |w_0 - b|^2)")
    ood_slope: Scalar = predicted(statement="2 (N - L (b - w_0).(t - w_0))")
    own: Course
    other: Course
    stages: _Stages
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Read both parabolas off the moments of the weights before and what fine-tuning does."""
    stages = _stages(params)
    own, other = stages.course(1.0), stages.course(params.transfer)
    return Forecast(
        **_read(params, own, other),
        own=own,
        other=other,
        stages=stages,
        status=jnp.maximum(stages.up.status, stages.tuning.status),
    )


def _read(params: Params, own: Course, other: Course) -> dict[str, Scalar]:
    return {
        "id_risk": risk_of(own, params.mix),
        "ood_risk": risk_of(other, params.mix),
        "id_slope": 2 * (own.slope + own.curvature),
        "ood_slope": 2 * (other.slope + other.curvature),
    }


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1 / free upstream, 1 / free^2 downstream (docs/finite_size.md).

    The squared error of the start is off by the upstream slack, and its part along the shift, in
    all three coefficients of a parabola alike; of what fine-tuning takes away the next order is
    known, and what it keeps is one number in slope and curvature.
    """
    p, tuning, up = params.p, made.stages.tuning, made.stages.up.risk
    at = up.fixed_point
    learned = at.df1 / p
    free = at.effective_rows - at.df1**2 / p
    held = jnp.max(at.leverage) / p
    missed = up.bias + up.signal_variance
    error = _slack.excess(up.noise_variance, missed, learned, free, held)
    shrunk = jnp.sqrt(params.signal) * learned * (1 - learned) * _slack.per(free)

    one, two, noise = _slack.tuning(tuning.shifts, tuning.noise, tuning.free)
    moved, squares = 1 - tuning.kept, 1 - 2 * tuning.kept + tuning.kept_square
    (before, own), anchor = made.stages.targets, made.own.start
    pulled = jnp.sqrt((own - before) @ (own - before)) * shrunk
    start, squared = made.stages.up.weights, two * anchor + noise

    def off(share: Any, constant: Any, cross: Scalar, square: Scalar) -> Scalar:
        """Combine what upstream leaves in start, slope and curvature, which is the same error."""
        along = 2 * share * constant - (1 + share) * cross + 2 * square
        return error * jnp.abs(constant - cross + square) + pulled * jnp.abs(along)

    def parabola(share: Any) -> tuple[Scalar, Scalar]:
        mix, target = params.mix, (1 - share) * before + share * own
        across = (start.mean - own) @ (start.mean - target) + start.spread
        risk = off(share, 1.0, 2 * mix * moved, mix**2 * squares) + mix**2 * squared
        slope = off(share, 0.0, moved, squares) + squared
        risk = risk + 2 * jnp.abs(mix) * one * jnp.abs(across - mix * anchor)
        return risk, 2 * (slope + one * jnp.abs(across - 2 * anchor))

    enough = (p >= _slack.FEWEST_PARAMETERS) & (free >= _slack.FEWEST_FREE)
    valid = enough & (tuning.free >= _slack.FEWEST_FREE)
    inside, outside = parabola(1.0), parabola(params.transfer)
    return {
        "id_risk": Bound(inside[0], valid),
        "ood_risk": Bound(outside[0], valid),
        "id_slope": Bound(inside[1], valid),
        "ood_slope": Bound(outside[1], valid),
    }


def _linear(params: Params, made: Forecast) -> dict[str, Scalar]:
    def between(found: Course) -> Array:
        return (1 - params.mix) * risk_of(found, 0.0) + params.mix * risk_of(found, 1.0)

    return {"id_risk": between(made.own), "ood_risk": between(made.other)}


def _independent(params: Params, made: Forecast) -> dict[str, Scalar]:
    common = made.stages.tuning.kept * made.stages.up.weights.spread

    def apart(found: Course) -> Course:
        return Course(found.start, found.slope - common, found.curvature + 2 * common)

    return _read(params, apart(made.own), apart(made.other))


@quickly
def _best_mix(params: Params, share: Any) -> Scalar:
    return best_mix(_stages(params).course(share))


@quickly
def _shared(params: Params) -> Scalar:
    made = _stages(params)
    return shared_shift(made.up.weights, made.tuning, made.targets[1], made.targets[0])


@quickly
def _ridge(params: Params) -> Scalar:
    anchor = isotropic_risk(_before(params).weights, _targets(params)[1])
    return at_best_ridge(params.p, params.down.noise, anchor)


_ID, _OOD = ("id_risk", "id_slope"), ("ood_risk", "ood_slope")

PHENOMENON = Phenomenon(
    name="weight_interpolation",
    title="Weights mixed before and after fine-tuning trade one law for another",
    claims=(23,),
    question="Does mixing pre-trained and fine-tuned weights trade the tuned law for others?",
    model=(
        "Upstream: ridge on rows x ~ N(0, I), labels x.a + up.noise, a share of the rows "
        "repeated: weights w_0. Fine-tuning: minimise sum (y - x.w)^2 + down.ridge |w - w_0|^2 on "
        "labels x.b + down.noise: w_1. Tested are w_0 + mix (w_1 - w_0) on x.b (ID) and on "
        "x.((1 - transfer) a + transfer b) (OOD); a, b of one norm with the cosine `alignment`."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="rows, p -> infinity at fixed ratios; here effective rows - df2 >= 10 twice, p >= 10",
        order="1 / (effective rows - df2) upstream, its square downstream: docs/finite_size.md",
        source="derived here, docs/inheritance/interpolation.md; mixed weights: Wortsman et al. "
        "2021 (arXiv:2109.01903)",
    ),
    mistakes=(
        Mistake(
            name="risks mix",
            why="the risk of the mix is thought to be the mix of the risks",
            against=("id_risk", "ood_risk"),
            forecast=_linear,
        ),
        Mistake(
            name="independent models",
            why="the tuned weights are thought to have forgotten the fluctuation of their start",
            against=(*_ID, *_OOD),
            forecast=_independent,
        ),
        Mistake(
            name="out is in",
            why="the other law is taken for that of the fine-tuning",
            against=_OOD,
            params=lambda params: {"transfer": 1.0},
        ),
        targets_alike(*_ID, *_OOD),
        noise_ignored("id_risk", "id_slope", field="down.noise"),
        copies_are_fresh("id_risk", "ood_risk", field="up.repeats"),
    ),
    breaks=(
        Break(
            name="best mix out of distribution",
            axis="mix",
            measure="ood_risk",
            locator=Valley(log_axis=False),
            statement="L (b - w_0).(t - w_0) / N",
            closed_form=lambda params: _best_mix(params, params.transfer),
        ),
        Break(
            name="best mix in distribution",
            axis="mix",
            measure="id_risk",
            locator=Valley(log_axis=False),
            statement="L |w_0 - b|^2 / N < 1/L",
            closed_form=lambda params: _best_mix(params, 1.0),
        ),
        Break(
            name="shared shift",
            axis="transfer",
            measure="ood_slope",
            locator=Crossing(level=0.0, direction="down"),
            statement="transfer at which L (b - w_0).(t - w_0) = N: less asks for mixing back",
            closed_form=_shared,
        ),
        Break(
            name="ridge that needs no mixing",
            axis="down.ridge",
            measure="id_slope",
            locator=Crossing(level=0.0, direction="down", log_axis=True),
            statement="down.ridge = p down.noise / |w_0 - b|^2, the best ridge",
            closed_form=_ridge,
        ),
    ),
)
