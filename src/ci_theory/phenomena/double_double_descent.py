"""Double descent inherited: frozen upstream weights give the downstream error a second peak."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit.parameter_transfer import Rows, Shares, errors
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.parameter_transfer import (
    Partial,
    Stage,
    Task,
    Transfer,
    inherited_error,
    parameter_transfer,
    partial_fit,
)


@record
class Upstream:
    """The task that weights are taken from."""

    n: int = sized(80, low=1, unit="rows", doc="upstream rows")
    p: int = traced(60, low=1, unit="parameters", doc="coordinates fitted upstream")
    ridge: float = traced(0.0, low=0, unit="rows·input²", doc="total upstream ridge")
    noise: float = inner(0.1, low=0, unit="label²", doc="upstream label-noise variance")


@record
class Downstream:
    """The task that takes some weights over and trains others."""

    n: int = sized(60, low=1, unit="rows", doc="downstream rows")
    p: int = traced(20, low=1, unit="parameters", doc="coordinates trained downstream")
    ridge: float = traced(0.0, low=0, unit="rows·input²", doc="total downstream ridge")
    noise: float = inner(0.1, low=0, unit="label²", doc="downstream label-noise variance")


@record
class Params:
    """Two linear tasks on the same d inputs, their targets spread evenly over all of them."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    d: int = static(128, low=2, high=10**4, unit="inputs", doc="coordinates of the inputs")
    frozen: int = traced(
        40, low=1, unit="parameters", doc="upstream weights taken over as they are"
    )
    signal: float = inner(
        1.0, low=0, unit="(label/input)²", doc="squared norm of the downstream target"
    )
    difference: float = inner(
        0.1, low=0, unit="(label/input)²", doc="squared norm of the upstream target less that one"
    )


@record
class Measures:
    """Averaged over targets and label noise, given the inputs."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error downstream on fresh noisy labels"
    )
    transfer_gain: Float[Array, " m"] = measured(
        unit="label²", doc="what zeros in place of the frozen weights would add to it"
    )
    inherited_error: Float[Array, " m"] = measured(
        unit="label²", doc="part of it that the frozen weights are off by"
    )
    upstream_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error upstream on fresh noisy labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs and read off every cause of an error."""
    ones, j = jnp.ones(params.d), jnp.arange(params.d)

    def drawn(name: str, n: Any) -> Rows:
        size = capacity[f"{name}.n"]
        inputs = gaussian.rows(stream(key, name), size, ones)
        return Rows(inputs, (jnp.arange(size) < n).astype(inputs.dtype))

    frozen = j < params.frozen
    found = errors(
        drawn("up", params.up.n),
        drawn("down", params.down.n),
        shared=j < params.up.p,
        frozen=frozen,
        trained=~frozen & (j < params.frozen + params.down.p),
        up_ridge=jnp.asarray(params.up.ridge, ones.dtype),
        ridge=jnp.asarray(params.down.ridge, ones.dtype),
    )

    def total(shares: Shares, signal: Any) -> Array:
        made = signal * shares.target + params.difference * shares.difference
        return made + params.up.noise * shares.up_noise + params.down.noise * shares.noise

    excess = total(found.excess, params.signal)
    return Measures(
        test_error=excess + params.down.noise,
        transfer_gain=total(found.scratch, params.signal) - excess,
        inherited_error=total(found.inherited, params.signal),
        upstream_error=total(found.upstream, params.signal + params.difference) + params.up.noise,
    )


class Forecast(NamedTuple):
    """What the predictions and decoys of a point share.

    Attributes:
        made: both fits.
        inherited: error of the frozen weights, "true" and as each decoy has it (``_MISTAKES``).
        inherited_slack: finite-size bound of the true one.
    """

    made: Transfer
    inherited: dict[str, Scalar]
    inherited_slack: Scalar


def forecast(params: Params, world: Any) -> Forecast:
    """Evaluate both fits, and what the decoys make of the frozen weights."""
    up, power = params.up, params.signal + params.difference
    made = _transfer(params, params.difference)
    share, apart = params.frozen / up.p, params.difference * up.p / params.d
    whole = partial_fit(up.p, up.n, up.ridge, Task(power * up.p / params.d, up.noise))
    inherited = {
        "true": made.inherited,
        "one task": _transfer(params, 0.0).inherited,
        "no misfit": inherited_error(whole, share, apart),
        "large sample": share * (apart + made.outside * up.p / up.n),
        "nothing": jnp.asarray(params.signal * params.frozen / params.d, float),
    }
    learned = made.up.learned
    turned = 2 * learned * (1 - learned) * _slack.per(made.up.risk.left)
    return Forecast(made, inherited, share * (_moved(made.up)[0] + apart * turned))


def _transfer(params: Params, difference: Any, *, exact: bool = False) -> Transfer:
    up, down = (Stage(task.p, task.n, task.ridge, task.noise) for task in (params.up, params.down))
    given = params.d, params.frozen, params.signal, difference
    return parameter_transfer(up, down, *given, exact=exact)


def _moved(fit: Partial, noise: Scalar | float = 1.0) -> tuple[Scalar, Array]:
    """Return the bound of a fit's excess risk, and whether it is claimed, at a noise level."""
    risk = fit.risk
    shifts, parts = (risk.signal_shift, noise * risk.noise_shift), (risk.signal, noise * risk.noise)
    slack = _slack.next_order(shifts, parts, 1 / risk.left)
    small = _slack.is_small(shifts, jnp.sum(jnp.stack(parts)))
    return slack, small & (risk.left >= _slack.FEWEST_FREE)


def _gain_slack(made: Transfer) -> Scalar:
    """Bound the deviation of g, the excess risk per unit of downstream noise."""
    risk = made.own.risk
    return _slack.next_order((risk.noise_shift,), (risk.noise,), 1 / risk.left)


def _estimate(found: Forecast, value: Scalar, slack: Scalar) -> Estimate:
    """Add to a slack what an upstream deviation becomes; ask that both fits are claimed."""
    made = found.made
    through = (made.passed_on + _gain_slack(made)) * found.inherited_slack
    valid = _moved(made.up)[1] & _moved(made.own, made.noise + made.inherited)[1]
    return Estimate(value, slack + through, valid, made.status)


def test_error(params: Params, found: Forecast) -> Estimate:
    """Predict the downstream error: the inherited one acts as label noise on what is trained."""
    made = found.made
    slack = _moved(made.own, made.noise + made.inherited)[0]
    return _estimate(found, made.test_error(made.inherited), slack)


def transfer_gain(params: Params, found: Forecast) -> Estimate:
    """Predict what inheriting gains over zeros."""
    gap = jnp.abs(found.inherited["nothing"] - found.made.inherited)
    return _estimate(found, _gain(found, "true"), gap * _gain_slack(found.made))


def inherited(params: Params, found: Forecast) -> Estimate:
    """Predict the mean squared error of the frozen weights."""
    made, valid = found.made, _moved(found.made.up)[1]
    return Estimate(made.inherited, found.inherited_slack, valid, made.up.status)


def upstream_error(params: Params, found: Forecast) -> Estimate:
    """Predict the upstream test error."""
    fit = found.made.up
    slack, valid = _moved(fit)
    return Estimate(fit.excess + found.made.outside, slack, valid, fit.status)


def exact_error(params: Params, found: Forecast) -> Estimate:
    """Predict the downstream error without a ridge, at finite size."""
    made = _transfer(params, params.difference, exact=True)
    left = jnp.minimum(made.up.risk.left, made.own.risk.left)
    scope = (params.up.ridge == 0) & (params.down.ridge == 0) & (left >= _slack.FEWEST_FREE)
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    value = jnp.where(scope, made.test_error(made.inherited), jnp.nan)
    return Estimate(value, 0.0, scope, status)


def _test(found: Forecast, variant: str) -> Scalar:
    return found.made.test_error(found.inherited[variant])


def _gain(found: Forecast, variant: str) -> Scalar:
    return found.made.passed_on * (found.inherited["nothing"] - found.inherited[variant])


def _inherited(found: Forecast, variant: str) -> Scalar:
    return found.inherited[variant]


def _boundary(params: Params) -> float:
    """Difference of the targets from which zeros are better; NaN where they always are."""
    size = max(1.0, params.signal, params.up.noise)  # the step of a slope: nothing cancels
    start, end = (float(_transfer(params, e).inherited) for e in (0.0, size))  # a straight line
    slope, room = (end - start) / size, params.signal * params.frozen / params.d - start
    return room / slope if room > 0 and slope > 0 else float("nan")


def _rule(params: Params) -> str | None:
    if params.up.p > params.d:
        return f"up.p = {params.up.p}: there are only d = {params.d}"
    if params.frozen > params.up.p:
        return f"frozen = {params.frozen}: only up.p = {params.up.p} weights can be taken over"
    used = params.frozen + params.down.p
    return f"frozen + down.p = {used}: there are only d = {params.d}" if used > params.d else None


_MISTAKES = {
    "one task": "the targets of the two tasks are taken for one",
    "no misfit": "coordinates that are not fitted upstream are forgotten: they act as noise there",
    "large sample": "upstream weights scatter as in the large-n rule, which knows no peak",
    "nothing": "zeros are put in place of the frozen weights",
}


def _decoy(read: Callable[[Forecast, str], Scalar], variant: str) -> Decoy:
    """Return what a prediction becomes with the frozen weights of a variant."""
    return Decoy(
        name=variant,
        why=_MISTAKES[variant],
        evaluate=lambda params, found: read(found, variant),
    )


def _peak(name: str, task: str, axis: str, place: str) -> Break:
    """Return the peak of the downstream error where a fit interpolates."""
    return Break(
        name=name,
        axis=f"{task}.{axis}",
        measure="test_error",
        locator=Peak(),
        statement=f"{task}.{axis} = {task}.{place} as {task}.ridge -> 0",
        closed_form=lambda params: float(getattr(getattr(params, task), place)),
    )


_SCOPE = "rows, coordinates -> infinity at fixed ratios; 10 rows left to average over in each fit, "
_SCOPE += "next order at most a quarter of the value"
_ORDER = "1 / (n - df2) of each fit (computed)"
_SOURCE = "derived here, docs/inheritance.md; no ridge: Dar, Baraniuk 2020 (arXiv:2006.07002)"

PHENOMENON = Phenomenon(
    name="double_double_descent",
    title="Double descent is inherited: a second peak downstream where upstream interpolates",
    claims=(9,),
    question="Does a peak of the upstream error return downstream, and can inheriting harm?",
    model=(
        "Inputs x ~ N(0, I_d). Upstream: ridge regression of labels x.(b + e) + up.noise on up.p "
        "coordinates. Downstream: `frozen` of these weights are kept, down.p further coordinates "
        "are fitted to labels x.b + down.noise, the rest stays zero. b and e have all directions "
        "alike."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    shared=forecast,
    rule=_rule,
    predictions=(
        Prediction(
            name="test_error",
            measure="test_error",
            evaluate=test_error,
            statement="B_F + (1 + g)(noise + |b_Z|^2 + D),  "
            "D = (frozen/up.p) E_S + |e|^2 (frozen/d)(2 df1/up.p - 1)",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
            decoys=tuple(_decoy(_test, variant) for variant in _MISTAKES),
        ),
        Prediction(
            name="exact_error",
            measure="test_error",
            evaluate=exact_error,
            statement="the same with g = p/(n - p - 1) for p < n - 1 and n/(p - n - 1) for "
            "p > n + 1, upstream alike",
            scope="exact at every size: no ridge, |n - p| >= 11 in both fits",
            order="exact",
            source="Dar, Baraniuk 2020 (arXiv:2006.07002)",
            decoys=(
                Decoy(
                    name="proportional limit",
                    why="the limit n, p -> infinity used at finite size: n - p for n - p - 1",
                    evaluate=lambda params, found: _test(found, "true"),
                ),
                _decoy(_test, "no misfit"),
            ),
        ),
        Prediction(
            name="transfer_gain",
            measure="transfer_gain",
            evaluate=transfer_gain,
            statement="(1 + g)(|b_T|^2 - D)",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
            decoys=tuple(_decoy(_gain, v) for v in _MISTAKES if v != "nothing"),
        ),
        Prediction(
            name="inherited_error",
            measure="inherited_error",
            evaluate=inherited,
            statement="D = (frozen/up.p) E_S + |e|^2 (frozen/d)(2 df1/up.p - 1)",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
            decoys=tuple(_decoy(_inherited, v) for v in _MISTAKES if v != "nothing"),
        ),
        Prediction(
            name="upstream_error",
            measure="upstream_error",
            evaluate=upstream_error,
            statement="up.noise + |(b + e)_outside|^2 + E_S",
            scope=_SCOPE,
            order=_ORDER,
            source="Hastie et al. 2019 (arXiv:1903.08560), misspecified model",
            decoys=(
                Decoy(
                    name="large sample",
                    why="label noise (1 + p/n), the large-n rule that knows no peak",
                    evaluate=lambda params, found: (
                        found.made.outside * (1 + params.up.p / params.up.n)
                    ),
                ),
            ),
        ),
    ),
    breaks=(
        _peak("inherited peak in p", "up", "p", "n"),
        _peak("inherited peak in n", "up", "n", "p"),
        _peak("own peak in p", "down", "p", "n"),
        _peak("own peak in n", "down", "n", "p"),
        Break(
            name="negative transfer",
            axis="difference",
            measure="transfer_gain",
            locator=Crossing(level=0.0, direction="down"),
            statement="D = |b_T|^2: the same at every down.n, down.p, ridge and noise downstream",
            closed_form=_boundary,
        ),
    ),
)
