"""Inheritance in two ridge stages: when upstream weights, noise and repeats help or harm."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.inherit import finetune, two_stage
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.operator import Inherited
from ci_theory.theory.inheritance.transfer import negative_transfer_cosine
from ci_theory.theory.inheritance.two_stages import TwoStages, pretrain, rows_left, two_stages
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows


@record
class Upstream:
    """The pre-training stage: ridge regression on noisy, repeated rows."""

    n: int = sized(200, low=1, unit="rows", doc="upstream rows counted with repeats")
    repeated_fraction: float = traced(
        0.3, low=0, high=1, unit="", doc="share of them spent on repeated rows"
    )
    repeats: int = traced(4, low=1, unit="copies", doc="times that each repeated row appears")
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
    up_weights = repetition.weights(_split(params), capacity["up.n"])
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


def _split(params: Params) -> repetition.Counts:
    given = params.up.n, params.up.repeated_fraction, params.up.repeats
    return repetition.counts(*(jnp.asarray(v, float) for v in given))


def _upstream(params: Params, groups: Groups) -> Inherited:
    return pretrain(params.p, params.signal, groups, params.up.ridge)


def _groups(params: Params) -> Groups:
    return repeated_rows(*_split(params), params.up.noise, params.up.shared_noise)


def _forecast(
    params: Params,
    *,
    groups: Groups | None = None,
    alignment: float | None = None,
    spread: float = 1.0,
) -> TwoStages:
    """Compose the two stages; the arguments are what decoys get wrong."""
    up = _upstream(params, _groups(params) if groups is None else groups)
    rows = plain_rows(params.down.n, params.down.noise)
    cosine = params.alignment if alignment is None else alignment
    return two_stages(up, params.p, params.signal, rows, params.down.ridge, cosine, spread)


def _scratch(params: Params) -> Scalar:
    made = _forecast(params)
    return _test(made, params) + _gain(made, params)


def _test(made: TwoStages, params: Params) -> Scalar:
    return made.down.risk.excess_risk + params.down.noise


def _ood(made: TwoStages, params: Params) -> Scalar:
    """Add the error along the upstream target: of the mean, and a share 1/p of the spread."""
    weights = made.down.weights
    along = (weights.mean[0] - made.target[0]) ** 2 + weights.spread / params.p
    return _test(made, params) + (params.ood_variance - 1) * along


def _train(made: TwoStages) -> Scalar:
    return made.down.risk.residual[0]


def _gain(made: TwoStages, params: Params) -> Scalar:
    return made.gain * (params.signal - made.anchor)


class _Parts(NamedTuple):
    """What the finite-size bounds of the downstream errors are made of."""

    noise: Scalar  # downstream excess risk made by downstream label noise
    free: Scalar  # 1 / free of the downstream stage, with the orders beyond
    factor: Scalar  # of the anchor error's part of the excess risk, per that
    anchor: Scalar  # bound on the deviation of the anchor error
    along: Scalar  # the same for its part along the upstream target


def _parts(made: TwoStages, params: Params) -> _Parts:
    """Bound what the upstream stage is off by, and split the downstream excess risk.

    The upstream weights shrink by 1 - x, which is off by x per 1 / free. On one random target a
    random shrinkage acts three times as spread out along it as across, and not once, which is
    1/p of what sampling adds to the error.
    """
    at, down = made.up.risk.fixed_point, made.down.risk.fixed_point
    size, learned = params.signal, at.df1 / params.p
    shrunk = learned * (1 - learned) * _slack.per(made.up_free)
    error = _upstream_slack(params, made.up, made.up_free)
    aside = size * (1 - params.alignment)
    missed = jnp.sqrt(size) * learned - made.target[0]
    twice = made.up.risk.signal_variance / params.p
    noise_share = made.down.risk.excess_risk - made.gain * made.anchor
    return _Parts(
        noise=noise_share,
        free=_slack.per(made.down_free),
        factor=_slack.signal_factor(down.df1 / params.p),
        anchor=error + 2 * aside * shrunk,
        along=error / params.p + 2 * jnp.abs(missed) * jnp.sqrt(size) * shrunk + twice,
    )


def _upstream_slack(params: Params, up: Inherited, free: Scalar) -> Scalar:
    risk, at = up.risk, up.risk.fixed_point
    signal = risk.bias + risk.signal_variance
    held = jnp.max(at.leverage) / params.p
    return _slack.excess(risk.noise_variance, signal, at.df1 / params.p, free, held)


def _estimate(made: TwoStages, params: Params, value: Scalar, slack: Scalar) -> Estimate:
    """Attach the finite-size slack, of order 1 / free of each stage (docs/finite_size.md)."""
    valid = jnp.minimum(made.up_free, made.down_free) >= _slack.FEWEST_FREE
    valid = valid & (params.p >= _slack.FEWEST_PARAMETERS)
    return Estimate(value, slack, valid, jnp.maximum(made.up.status, made.down.status))


def _test_slack(made: TwoStages, parts: _Parts) -> Scalar:
    own = parts.noise + parts.factor * made.gain * made.anchor
    return own * parts.free + made.gain * parts.anchor * (1 + parts.factor * parts.free)


def test_error(params: Params, world: None) -> Estimate:
    """Predict the downstream test error by two applications of the inheritance operator."""
    made = _forecast(params)
    slack = _test_slack(made, _parts(made, params))
    return _estimate(made, params, _test(made, params), slack)


def ood_error(params: Params, world: None) -> Estimate:
    """Predict the error on inputs stretched along the upstream target."""
    made = _forecast(params)
    parts = _parts(made, params)
    weights, p = made.down.weights, params.p
    mean = (weights.mean[0] - made.target[0]) ** 2
    twice = made.down.risk.signal_variance / p  # as upstream, see ``_parts``
    own = (parts.noise / p + parts.factor * (mean + weights.spread / p)) * parts.free
    along = own + made.gain * parts.along + twice
    slack = _test_slack(made, parts) + jnp.abs(params.ood_variance - 1) * along
    return _estimate(made, params, _ood(made, params), slack)


def train_error(params: Params, world: None) -> Estimate:
    """Predict the mean squared residual on the downstream rows."""
    made = _forecast(params)
    parts, at = _parts(made, params), made.down.risk.fixed_point
    kept, held = at.forgotten[0] ** 2, at.leverage[0]
    signal, gamma = kept * made.gain * made.anchor, held * at.df1 / params.p
    own = _slack.residual(_train(made) - signal, signal, gamma, made.down_free)
    slack = own + kept * made.gain * parts.anchor * (1 + parts.free)
    return _estimate(made, params, _train(made), slack)


def transfer_gain(params: Params, world: None) -> Estimate:
    """Predict what inheriting gains over a ridge towards zero."""
    made = _forecast(params)
    parts, value = _parts(made, params), _gain(made, params)
    more = parts.factor * parts.free
    slack = jnp.abs(value) * more + made.gain * parts.anchor * (1 + more)
    return _estimate(made, params, value, slack)


def upstream_error(params: Params, world: None) -> Estimate:
    """Predict the upstream test error."""
    up = _upstream(params, _groups(params))
    free = rows_left(up, params.p)
    scope = (free >= _slack.FEWEST_FREE) & (params.p >= _slack.FEWEST_PARAMETERS)
    slack = _upstream_slack(params, up, free)
    return Estimate(up.risk.excess_risk + params.up.noise, slack, scope, up.status)


def _as_fresh(params: Params) -> Groups:
    split = _split(params)
    return plain_rows(split.fresh + split.repeated * split.repeats, params.up.noise)


def _boundary(params: Params) -> float:
    """Alignment at which inheriting neither helps nor harms; NaN if there is none in (0, 1)."""
    if params.down.ridge == 0 and params.down.n >= params.p:
        return float("nan")  # least squares forgets what it inherited
    up = _upstream(params, _groups(params)).weights
    cosine = negative_transfer_cosine(up.mean[0], up.spread, jnp.sqrt(params.signal))
    return float(jnp.where(cosine < 1, cosine, jnp.nan))


def _rule(params: Params) -> str | None:
    if params.up.repeated_fraction > 0 and params.up.repeats > params.up.n:
        return f"up.repeats = {params.up.repeats}: one row cannot fill more than up.n"
    return None


_ORDER = "1 / (effective rows - df2) of each stage"
_SOURCE = "derived here, docs/inheritance.md; isotropic anchored ridge: Dar, LeJeune, Baraniuk "
_SOURCE += "2021 (arXiv:2103.05621)"


def _decoys(read: Callable[[TwoStages, Params], Scalar]) -> tuple[Decoy, ...]:
    """Return the mistakes that spoil every downstream prediction, for one of them."""
    return (
        Decoy(
            name="only the mean is inherited",
            why="the fluctuation of the upstream weights is ignored",
            evaluate=lambda params, world: read(_forecast(params, spread=0.0), params),
        ),
        Decoy(
            name="copies are fresh rows",
            why="every upstream copy is taken for a new row",
            evaluate=lambda params, world: read(
                _forecast(params, groups=_as_fresh(params)), params
            ),
        ),
        Decoy(
            name="targets alike",
            why="the angle between the two targets is ignored",
            evaluate=lambda params, world: read(_forecast(params, alignment=1.0), params),
        ),
    )


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
    rule=_rule,
    predictions=(
        Prediction(
            name="test_error",
            measure="test_error",
            evaluate=test_error,
            statement="E = (noise + keep^2 D)/(1 - df2/n),  D = |m - b|^2 + V,  "
            "keep = kappa/(1 + kappa); m, V: mean and fluctuation of the upstream weights",
            scope="rows, p -> infinity at fixed ratios; here effective rows - df2 >= 10 twice",
            order=_ORDER,
            source=_SOURCE,
            decoys=(
                *_decoys(_test),
                Decoy(
                    name="nothing is inherited",
                    why="ridge towards zero",
                    evaluate=lambda params, world: _scratch(params),
                ),
            ),
        ),
        Prediction(
            name="ood_error",
            measure="ood_error",
            evaluate=ood_error,
            statement="E + (ood_variance - 1) [keep^2 ((m - b).a)^2/|a|^2 + V_down/p]",
            scope="as test_error",
            order=_ORDER,
            source=_SOURCE,
            decoys=(
                *_decoys(_ood),
                Decoy(
                    name="in-distribution",
                    why="the shift of the test inputs is ignored",
                    evaluate=lambda params, world: _test(_forecast(params), params),
                ),
            ),
        ),
        Prediction(
            name="train_error",
            measure="train_error",
            evaluate=train_error,
            statement="E_train = (down.ridge/(n kappa))^2 E",
            scope="as test_error",
            order=_ORDER,
            source=_SOURCE,
            decoys=_decoys(lambda made, params: _train(made)),
        ),
        Prediction(
            name="transfer_gain",
            measure="transfer_gain",
            evaluate=transfer_gain,
            statement="keep^2/(1 - df2/n) (|b|^2 - D)",
            scope="as test_error",
            order=_ORDER,
            source=_SOURCE,
            decoys=_decoys(_gain),
        ),
        Prediction(
            name="upstream_error",
            measure="upstream_error",
            evaluate=upstream_error,
            statement="up.noise + (B + df2 sum n a^2 v)/(1 - df2 sum n a^2), as `repeated_data`",
            scope="rows, p -> infinity; here effective rows - df2 >= 10",
            order=_ORDER,
            source="derived here, docs/repetition.md",
            decoys=(
                Decoy(
                    name="copies are fresh rows",
                    why="every upstream copy is taken for a new row",
                    evaluate=lambda params, world: (
                        _upstream(params, _as_fresh(params)).risk.excess_risk + params.up.noise
                    ),
                ),
            ),
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
