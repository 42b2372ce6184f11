"""Double descent in the number of repeats: some counts of the same rows hurt more than others."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.locate.peak import Peak
from ci_theory.measure import copies
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.ridge.risk import RidgeRisk, ridge_risk
from ci_theory.theory.rows.repeat_peak import data_rich_excess, two_group_excess, worst_repeats
from ci_theory.theory.rows.repetition import (
    CopyErrors,
    WeightedRisk,
    copy_errors,
    weighted_ridge_risk,
)
from ci_theory.theory.spectra.groups import Groups, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic


@record
class Params:
    """Ridge regression of a linear teacher on a budget of rows, some of them repeated."""

    budget: int = sized(2000, low=1, unit="rows", doc="rows counted with repeats, N")
    repeated_fraction: float = traced(
        0.3, low=0, high=1, unit="", doc="share f of the budget spent on repeated rows"
    )
    repeats: int = traced(20, low=1, unit="copies", doc="times r that each repeated row appears")
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(1.0, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")
    shared_noise: bool = traced(True, doc="copies share their label, or are labelled afresh")
    deduplicated: bool = traced(False, doc="keep one copy of each repeated row")


@record
class Measures:
    """Averaged over the label noise given the inputs."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual over all copies"
    )
    gcv_naive: Float[Array, " m"] = measured(
        unit="label²", doc="generalised cross-validation that takes copies for rows"
    )
    gcv_distinct: Float[Array, " m"] = measured(
        unit="label²", doc="cross-validation that leaves out all copies of a row at once"
    )


def rows(params: Params) -> repetition.Counts:
    """Distinct rows and their repeats; deduplication keeps every row once.

    About f N / r distinct rows are repeated r times, rounded to a whole number and at least one
    if f > 0; the fresh rows take the rest, so that the budget is met exactly.
    """
    given = params.budget, params.repeated_fraction, params.repeats
    split = repetition.counts(*(jnp.asarray(v, float) for v in given))
    return split._replace(repeats=jnp.where(params.deduplicated, 1.0, split.repeats))


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and fit every ridge and noise level to it."""
    size = capacity["budget"]
    x = gaussian.rows(key, size, jnp.ones(params.p))
    weights = repetition.weights(rows(params), size)
    target = jnp.sqrt(params.signal) * gaussian.target(params.p)
    mean_noise = label_noise.row_noise(weights, jnp.asarray(params.shared_noise))
    design = copies.design(x, weights, target, mean_noise)
    found = jax.lax.map(lambda at: copies.errors(design, *at), (params.ridge, params.noise))
    return Measures(
        test_error=found.excess + params.noise,
        excess_risk=found.excess,
        train_error=found.train,
        gcv_naive=found.gcv_naive,
        gcv_distinct=found.gcv_distinct,
    )


class _Forecast(NamedTuple):
    """The deterministic equivalent of a point."""

    groups: Groups
    risk: WeightedRisk
    errors: CopyErrors
    free: Scalar  # rows left to average over: effective rows less df2


def _forecast(params: Params, groups: Groups, noise: float) -> _Forecast:
    risk = weighted_ridge_risk(isotropic(params.p, signal=params.signal), groups, params.ridge)
    at = risk.fixed_point
    second = at.df1**2 / params.p  # df2 of an isotropic covariance
    errors = copy_errors(risk, groups, noise)
    return _Forecast(groups, risk, errors, at.effective_rows - second)


def _true(params: Params) -> _Forecast:
    split = rows(params)
    groups = repeated_rows(*split, params.noise, params.shared_noise)
    return _forecast(params, groups, params.noise)


def _labels_swapped(params: Params) -> _Forecast:
    """Copies that share their label are taken for freshly labelled ones, and the reverse."""
    shared = jnp.logical_not(params.shared_noise)
    return _forecast(params, repeated_rows(*rows(params), params.noise, shared), params.noise)


def _as_fresh(params: Params) -> RidgeRisk:
    split = rows(params)
    return _plain(params, split.fresh + split.repeated * split.repeats)


def _unweighted(params: Params) -> RidgeRisk:
    split = rows(params)
    return _plain(params, split.fresh + split.repeated)


def _plain(params: Params, n: Scalar) -> RidgeRisk:
    return ridge_risk(isotropic(params.p, signal=params.signal), n, params.ridge, params.noise)


def _half_noise(params: Params) -> _Forecast:
    half = 0.5 * params.noise
    return _forecast(params, repeated_rows(*rows(params), half, params.shared_noise), half)


def _estimate(params: Params, made: _Forecast, value: Scalar, slack: Scalar) -> Estimate:
    """Attach a slack of order 1 / free and, of repeated rows, h / p (docs/finite_size.md)."""
    scope = (made.free >= _slack.FEWEST_FREE) & (params.p >= _slack.FEWEST_PARAMETERS)
    return Estimate(value, slack, scope, made.risk.status)


def _excess_slack(params: Params, made: _Forecast) -> Scalar:
    risk, at = made.risk, made.risk.fixed_point
    signal = risk.bias + risk.signal_variance
    held = jnp.max(jnp.where(made.groups.counts > 0, at.leverage, 0.0))
    return _slack.excess(risk.noise_variance, signal, at.df1 / params.p, made.free, held / params.p)


def _residual_slack(params: Params, made: _Forecast) -> Scalar:
    risk, at = made.risk, made.risk.fixed_point
    noise = at.forgotten**2 * (risk.noise_variance + made.groups.noise)
    copies = made.groups.counts * made.groups.weights
    signal, moving = (risk.residual - noise) @ copies, (noise * at.leverage) @ copies
    total = jnp.sum(copies)
    p = jnp.asarray(params.p, float)
    return _slack.copies_residual(moving / total, signal / total, at.df1 / p, made.free, p)


def test_error(params: Params, world: None) -> Estimate:
    """Predict the test error by the scalar fixed point."""
    made = _true(params)
    return _estimate(params, made, made.errors.test_error, _excess_slack(params, made))


def excess_risk(params: Params, world: None) -> Estimate:
    """Predict the excess risk by the scalar fixed point: the curve whose peak is located."""
    made = _true(params)
    return _estimate(params, made, made.risk.excess_risk, _excess_slack(params, made))


def train_error(params: Params, world: None) -> Estimate:
    """Predict the mean squared residual over copies."""
    made = _true(params)
    return _estimate(params, made, made.errors.train_error, _residual_slack(params, made))


def gcv_naive(params: Params, world: None) -> Estimate:
    """Predict what cross-validation over copies reports.

    The trace of the hat matrix is off by up to half its share of the copies per 1 / free,
    relative to what it leaves of them, and enters squared. Its fluctuation is of the next order.
    """
    made = _true(params)
    train, value = made.errors.train_error, made.errors.gcv_naive
    factor = jnp.where(train > 0, value / jnp.where(train > 0, train, 1.0), 0.0)
    share = made.risk.fixed_point.df1 / jnp.sum(made.groups.counts * made.groups.weights)
    slack = factor * _residual_slack(params, made) + value * share * _slack.per(made.free)
    return _estimate(params, made, value, slack)


def gcv_distinct(params: Params, world: None) -> Estimate:
    """Predict cross-validation over distinct rows: the test error.

    Its exact mean is the test error with a row less, which is larger by up to 1 / free of the
    label noise's part and by 0.4 + 3 t^2 of the target's, t = df1/p.
    """
    made = _true(params)
    risk, learned = made.risk, made.risk.fixed_point.df1 / params.p
    less = risk.noise_variance + (0.4 + 3 * learned**2) * (risk.bias + risk.signal_variance)
    slack = _excess_slack(params, made) + less * _slack.per(made.free)
    return _estimate(params, made, made.errors.gcv_distinct, slack)


def closed_form_excess(params: Params, world: None) -> Estimate:
    """Predict the least-squares excess risk without a fixed point."""
    value, made = _closed_form(params), _true(params)
    scope = jnp.isfinite(value)
    found = _estimate(params, made, value, _excess_slack(params, made))
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    return found._replace(valid=scope & found.valid, status=status)


def _closed_form(params: Params) -> Scalar:
    """Return the least-squares excess risk, NaN outside its scope."""
    split = rows(params)
    total, share, distinct = _shape(split)
    plain = jnp.logical_or(params.shared_noise, split.repeats == 1)
    scope = (params.ridge == 0) & (distinct > params.p) & plain
    value = params.noise * two_group_excess(total, share, split.repeats, params.p)
    return jnp.where(scope, value, jnp.nan)


def _shape(split: repetition.Counts) -> tuple[Scalar, Scalar, Scalar]:
    """Return all copies, the repeated share of them, and the distinct rows."""
    copies = split.repeated * split.repeats
    total = split.fresh + copies
    return total, copies / total, split.fresh + split.repeated


def _rich(params: Params) -> Scalar:
    split = rows(params)
    total, share, _ = _shape(split)
    return params.noise * data_rich_excess(share, split.repeats * params.p / total)


def _worst(params: Params) -> float:
    """Worst repeat count of least squares with shared labels, NaN elsewhere."""
    if params.ridge > 0 or not params.shared_noise or params.deduplicated:
        return float("nan")
    return float(worst_repeats(params.budget, params.repeated_fraction, params.p).repeats)


def _rule(params: Params) -> str | None:
    if params.repeated_fraction > 0 and params.repeats > params.budget:
        return f"repeats = {params.repeats}: one row cannot fill more than the budget"
    return None


_FRESH = Decoy(
    name="copies are fresh rows",
    why="every copy is taken for a new row: the budget is what counts",
    evaluate=lambda params, world: _as_fresh(params).test_error,
)
_DISTINCT = Decoy(
    name="rows unweighted",
    why="the number of distinct rows in place of the effective number",
    evaluate=lambda params, world: _unweighted(params).test_error,
)
_EXCESS_DECOYS = (
    Decoy(
        name="copies are fresh rows",
        why=_FRESH.why,
        evaluate=lambda params, world: _as_fresh(params).excess_risk,
    ),
    Decoy(
        name="rows unweighted",
        why=_DISTINCT.why,
        evaluate=lambda params, world: _unweighted(params).excess_risk,
    ),
)
_SWAPPED = "shared labels are taken for fresh ones (their noise averages out), and the reverse"
_HALF = "the noise variance is halved"
_SOURCE = "derived here, docs/repetition.md; as a correlated sample: Atanasov, Zavatone-Veth, "
_SOURCE += "Pehlevan 2024 (arXiv:2408.04607)"

PHENOMENON = Phenomenon(
    name="repeated_data",
    title="Double descent in the number of repeats",
    claims=(2, 15),
    question="How often must rows be repeated to do most harm, and what removes the harm?",
    model=(
        "A budget of N rows x ~ N(0, I), labels x.w + noise; a share f of it goes to about f N/r "
        "rows that appear r times each. Minimise sum over all copies (y - x.w)^2 + ridge |w|^2."
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
            statement="E = noise + (B + df2 sum n a^2 v)/(1 - df2 sum n a^2),  sum n a = 1,  "
            "a = c/(ridge/kappa + c df1)",
            scope="N, p -> infinity at fixed N/p and r; here effective rows - df2 >= 10",
            order="1 / (effective rows - df2) of the excess risk",
            source=_SOURCE,
            decoys=(
                _FRESH,
                _DISTINCT,
                Decoy(
                    name="labels swapped",
                    why=_SWAPPED,
                    evaluate=lambda params, world: _labels_swapped(params).errors.test_error,
                ),
                Decoy(
                    name="noise halved",
                    why=_HALF,
                    evaluate=lambda params, world: _half_noise(params).errors.test_error,
                ),
            ),
        ),
        Prediction(
            name="excess_risk",
            measure="excess_risk",
            evaluate=excess_risk,
            statement="E_x = (B + df2 sum n a^2 v)/(1 - df2 sum n a^2), as in test_error",
            scope="as test_error",
            order="1 / (effective rows - df2)",
            source=_SOURCE,
            decoys=(
                *_EXCESS_DECOYS,
                Decoy(
                    name="noise halved",
                    why=_HALF,
                    evaluate=lambda params, world: _half_noise(params).risk.excess_risk,
                ),
            ),
        ),
        Prediction(
            name="closed_form_excess",
            measure="excess_risk",
            evaluate=closed_form_excess,
            statement="E_x/noise + 1 = (t+g)(t+rho)/(t sqrt((g+rho-1)^2 + 4c)),  "
            "t^2 + (g+rho-1) t = c = (1-f-g) rho + f g,  g = p/N,  rho = r g",
            scope="as test_error; ridge = 0, more distinct rows than p, shared labels",
            order="1 / (effective rows - df2)",
            source="derived here, docs/repetition.md",
            decoys=(
                Decoy(
                    name="classical",
                    why="noise p/(N-p): all copies are rows",
                    evaluate=lambda params, world: (
                        params.noise * params.p / (params.budget - params.p)
                    ),
                ),
                Decoy(
                    name="noise halved",
                    why=_HALF,
                    evaluate=lambda params, world: 0.5 * _closed_form(params),
                ),
                Decoy(
                    name="data-rich limit",
                    why="the limit N/p -> infinity used at a finite budget",
                    evaluate=lambda params, world: _rich(params),
                ),
            ),
        ),
        Prediction(
            name="train_error",
            measure="train_error",
            evaluate=train_error,
            statement="E_train = sum n c [(1-h)^2 (E_x + v) + noise - v] / sum n c,  h = a df1",
            scope="as test_error",
            order="1 / (effective rows - df2)",
            source="derived here, docs/repetition.md",
            decoys=(
                Decoy(
                    name="copies are fresh rows",
                    why="every copy is taken for a new row",
                    evaluate=lambda params, world: _as_fresh(params).train_error,
                ),
                Decoy(
                    name="noise halved",
                    why=_HALF,
                    evaluate=lambda params, world: _half_noise(params).errors.train_error,
                ),
            ),
        ),
        Prediction(
            name="gcv_naive",
            measure="gcv_naive",
            evaluate=gcv_naive,
            statement="E_train / (1 - df1/N)^2",
            scope="as test_error",
            order="1 / (effective rows - df2)",
            source="derived here, docs/repetition.md; GCV: Craven, Wahba 1979",
            decoys=(
                Decoy(
                    name="cross-validation is right",
                    why="the test error, which it estimates when no row is repeated",
                    evaluate=lambda params, world: _true(params).errors.test_error,
                ),
                Decoy(
                    name="labels swapped",
                    why=_SWAPPED,
                    evaluate=lambda params, world: _labels_swapped(params).errors.gcv_naive,
                ),
            ),
        ),
        Prediction(
            name="gcv_distinct",
            measure="gcv_distinct",
            evaluate=gcv_distinct,
            statement="the test error",
            scope="as test_error",
            order="1 / (effective rows - df2) of the excess risk",
            source="derived here, docs/repetition.md",
            decoys=(
                _FRESH,
                Decoy(
                    name="naive",
                    why="cross-validation over copies",
                    evaluate=lambda params, world: _true(params).errors.gcv_naive,
                ),
            ),
        ),
    ),
    breaks=(
        Break(
            name="worst repeat count",
            axis="repeats",
            measure="excess_risk",
            locator=Peak(log_axis=True),
            statement="r = N/p + 3 + O(p/N) while (1-f) N > p; f N/(p - (1-f) N) otherwise",
            closed_form=_worst,
        ),
    ),
)
