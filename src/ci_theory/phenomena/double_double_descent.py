"""Double descent inherited: frozen upstream weights give the downstream error a second peak."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit.parameter_transfer import Rows, Shares, errors
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.parameter_transfer import (
    CoordinateStage,
    Partial,
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


def _exactly(params: Params) -> Array:
    up, down = params.up, params.down
    fewest = jnp.minimum(jnp.abs(up.n - up.p), jnp.abs(down.n - down.p)) - 1
    return (up.ridge == 0) & (down.ridge == 0) & (fewest >= _slack.FEWEST_FREE)


@record
class Forecast:
    """Errors of both fits; ``status`` is that of both, ``up_status`` that of the first alone."""

    test_error: Scalar = predicted(
        statement="B_F + (1 + g)(noise + |b_Z|^2 + D),  "
        "D = (frozen/up.p) E_S + |e|^2 (frozen/d)(2 df1/up.p - 1)",
    )
    exact_error: Scalar = predicted(
        "test_error",
        statement="the same with g = p/(n - p - 1) for p < n - 1 and n/(p - n - 1) for "
        "p > n + 1, upstream alike",
        scope="exact at every size: no ridge, |n - p| >= 11 in both fits",
        order="exact",
        source="Dar, Baraniuk 2020 (arXiv:2006.07002)",
        where=_exactly,
        closed=True,
    )
    transfer_gain: Scalar = predicted(statement="(1 + g)(|b_T|^2 - D)")
    exact_gain: Scalar = predicted(
        "transfer_gain",
        statement="the same with g and D of exact_error",
        scope="exact at every size: no ridge, |n - p| >= 11 in both fits",
        order="exact",
        source="derived here, docs/inheritance/inheritance.md; errors: Dar, Baraniuk 2020 "
        "(arXiv:2006.07002)",
        where=_exactly,
        closed=True,
    )
    inherited_error: Scalar = predicted(
        statement="D = (frozen/up.p) E_S + |e|^2 (frozen/d)(2 df1/up.p - 1)", status="up_status"
    )
    upstream_error: Scalar = predicted(
        statement="up.noise + |(b + e)_outside|^2 + E_S",
        source="Hastie et al. 2019 (arXiv:1903.08560), misspecified model",
        status="up_status",
    )
    fits: Transfer
    status: Array
    up_status: Array


def forecast(params: Params, world: Any) -> Forecast:
    """Evaluate both fits, and both also without a ridge at finite size."""
    made = _transfer(params, params.difference)
    exact = _transfer(params, params.difference, exact=True)
    test, gain = _downstream(params, made, made.inherited)
    exact_test, exact_gain = _downstream(params, exact, exact.inherited)
    return Forecast(
        test_error=test,
        exact_error=exact_test,
        transfer_gain=gain,
        exact_gain=exact_gain,
        inherited_error=made.inherited,
        upstream_error=made.up.excess + made.outside,
        fits=made,
        status=made.status,
        up_status=made.up.status,
    )


def _transfer(params: Params, difference: Any, *, exact: bool = False) -> Transfer:
    up, down = (
        CoordinateStage(task.p, task.n, task.ridge, task.noise) for task in (params.up, params.down)
    )
    given = params.d, params.frozen, params.signal, difference
    return parameter_transfer(up, down, *given, exact=exact)


def _downstream(params: Params, fits: Transfer, inherited: Scalar) -> tuple[Scalar, Scalar]:
    """Return the error with frozen weights that are so wrong, and what they gain over zeros."""
    return fits.error(inherited), fits.passed_on * (_zeros(params) - inherited)


def _zeros(params: Params) -> Scalar:
    """Return the error of zeros in place of the frozen weights."""
    return jnp.asarray(params.signal * params.frozen / params.d, float)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute the next order of each fit; an upstream deviation also becomes a downstream one."""
    fits, share = made.fits, params.frozen / params.up.p
    up, own = _moved(fits.up), _moved(fits.own, fits.noise + fits.inherited)
    learned, apart = fits.up.learned, params.difference * params.up.p / params.d
    turned = 2 * learned * (1 - learned) * _slack.per(fits.up.risk.left)
    inherited = share * (up.slack + apart * turned)

    risk = fits.own.risk  # gain: bound on what it is off by per unit of downstream noise
    gain = _slack.next_order((risk.noise_shift,), (risk.noise,), 1 / risk.left)
    through, both = (fits.passed_on + gain) * inherited, up.valid & own.valid
    gap = jnp.abs(_zeros(params) - fits.inherited)
    return {
        "test_error": Bound(own.slack + through, both),
        "transfer_gain": Bound(gap * gain + through, both),
        "inherited_error": Bound(inherited, up.valid),
        "upstream_error": up,
    }


def _moved(fit: Partial, noise: Scalar | float = 1.0) -> Bound:
    """Return the bound of a fit's excess risk at a noise level."""
    risk = fit.risk
    shifts, parts = (risk.signal_shift, noise * risk.noise_shift), (risk.signal, noise * risk.noise)
    return _slack.computed(shifts, parts, (risk.left,), jnp.sum(jnp.stack(parts)))


def _taken(params: Params, made: Forecast, inherited: Scalar) -> dict[str, Scalar]:
    test, gain = _downstream(params, made.fits, inherited)
    return {
        "test_error": test,
        "exact_error": test,
        "transfer_gain": gain,
        "exact_gain": gain,
        "inherited_error": inherited,
    }


def _no_misfit(params: Params, made: Forecast) -> dict[str, Scalar]:
    up, seen = params.up, params.up.p / params.d
    power = (params.signal + params.difference) * seen
    whole = partial_fit(up.p, up.n, up.ridge, Task(power, up.noise))
    off = inherited_error(whole, params.frozen / up.p, params.difference * seen)
    return _taken(params, made, off)


def _large_sample(params: Params, made: Forecast) -> dict[str, Scalar]:
    up, outside = params.up, made.fits.outside
    off = params.frozen / up.p * (params.difference * up.p / params.d + outside * up.p / up.n)
    return {**_taken(params, made, off), "upstream_error": outside * (1 + up.p / up.n)}


def _boundary(params: Params) -> float:
    """Difference of the targets from which zeros are better; NaN where they always are."""
    size = max(1.0, params.signal, params.up.noise)  # the step of a slope: nothing cancels
    start, end = (float(_inherited(params, e)) for e in (0.0, size))  # a straight line
    slope, room = (end - start) / size, params.signal * params.frozen / params.d - start
    return room / slope if room > 0 and slope > 0 else float("nan")


@quickly
def _inherited(params: Params, difference: Any) -> Scalar:
    return _transfer(params, difference).inherited


def _rule(params: Params) -> str | None:
    if params.up.p > params.d:
        return f"up.p = {params.up.p}: there are only d = {params.d}"
    if params.frozen > params.up.p:
        return f"frozen = {params.frozen}: only up.p = {params.up.p} weights can be taken over"
    used = params.frozen + params.down.p
    return f"frozen + down.p = {used}: there are only d = {params.d}" if used > params.d else None


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
    forecast=forecast,
    bounds=bounds,
    rule=_rule,
    predictions=predictions(
        Forecast,
        scope="rows, coordinates -> infinity at fixed ratios; 10 rows left to average over in each "
        "fit, next order at most a quarter of the value",
        order="1 / (n - df2) of each fit (computed)",
        source="derived here, docs/inheritance/inheritance.md; no ridge: Dar, Baraniuk 2020 "
        "(arXiv:2006.07002)",
    ),
    mistakes=(
        Mistake(
            name="one task",
            why="the targets of the two tasks are taken for one",
            against=("test_error", "transfer_gain", "exact_gain", "inherited_error"),
            params=lambda params: {"difference": 0.0},
        ),
        Mistake(
            name="no misfit",
            why="coordinates that are not fitted upstream are forgotten: they act as noise there",
            against=("test_error", "exact_error", "transfer_gain", "exact_gain", "inherited_error"),
            forecast=_no_misfit,
        ),
        Mistake(
            name="large sample",
            why="upstream weights scatter as in the large-n rule, which knows no peak",
            against=("test_error", "transfer_gain", "inherited_error", "upstream_error"),
            forecast=_large_sample,
        ),
        Mistake(
            name="nothing",
            why="zeros are put in place of the frozen weights",
            against=("test_error",),
            forecast=lambda params, made: _taken(params, made, _zeros(params)),
        ),
        Mistake(
            name="proportional limit",
            why="the limit n, p -> infinity used at finite size: n - p for n - p - 1",
            against=("exact_error", "exact_gain"),
            forecast=lambda params, made: _taken(params, made, made.inherited_error),
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
