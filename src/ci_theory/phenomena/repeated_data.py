"""Double descent in the number of repeats: some counts of the same rows hurt more than others."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from ci_theory._record import again, inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.locate.peak import Peak
from ci_theory.measure import copies
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, labels_swapped, noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.rows.repeat_peak import data_rich_excess, two_group_excess, worst_repeats
from ci_theory.theory.rows.repetition import WeightedRisk, copy_errors, weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, over_copies, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic


@record
class Params(repetition.Repetition):
    """Ridge regression of a linear teacher on a budget of rows, some of them repeated."""

    ROWS: ClassVar[str] = "budget"

    budget: int = sized(2000, low=1, unit="rows", doc="rows counted with repeats, N")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.3)
    repeats: int = again(repetition.Repetition, "repeats", 20)
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(1.0, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")
    shared_noise: bool = traced(True, doc="copies share their label, or are labelled afresh")
    deduplicated: bool = traced(False, doc="keep one copy of each repeated row")

    def split(self) -> repetition.Counts:
        """Return the distinct rows; deduplication keeps every row once."""
        split = super().split()
        return split._replace(repeats=jnp.where(self.deduplicated, 1.0, split.repeats))


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


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and fit every ridge and noise level to it."""
    size = capacity["budget"]
    x = gaussian.rows(key, size, jnp.ones(params.p))
    weights = repetition.weights(params.split(), size)
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


_SOURCE = "derived here, docs/rows/repetition.md; as a correlated sample: Atanasov, Zavatone-Veth, "
_SOURCE += "Pehlevan 2024 (arXiv:2408.04607)"


def _two_groups(params: Params) -> Array:
    """Say where the least-squares closed form speaks: it knows two weights and one label each."""
    split = params.split()
    plain = jnp.logical_or(params.shared_noise, split.repeats == 1)
    return (params.ridge == 0) & (split.fresh + split.repeated > params.p) & plain


@record
class Forecast:
    """The deterministic equivalent of a point, and its least-squares closed form."""

    test_error: Scalar = predicted(
        statement="E = noise + (B + df2 sum n a^2 v)/(1 - df2 sum n a^2),  sum n a = 1,  "
        "a = c/(ridge/kappa + c df1)",
        order="1 / (effective rows - df2) of the excess risk",
        source=_SOURCE,
    )
    excess_risk: Scalar = predicted(
        statement="E_x = (B + df2 sum n a^2 v)/(1 - df2 sum n a^2), as in test_error",
        source=_SOURCE,
    )
    closed_form_excess: Scalar = predicted(
        "excess_risk",
        statement="E_x/noise + 1 = (t+g)(t+rho)/(t sqrt((g+rho-1)^2 + 4c)),  "
        "t^2 + (g+rho-1) t = c = (1-f-g) rho + f g,  g = p/N,  rho = r g",
        scope="as test_error; ridge = 0, more distinct rows than p, shared labels",
        where=_two_groups,
        closed=True,
    )
    train_error: Scalar = predicted(
        statement="E_train = sum n c [(1-h)^2 (E_x + v) + noise - v] / sum n c,  h = a df1",
    )
    gcv_naive: Scalar = predicted(
        statement="E_train / (1 - df1/N)^2",
        source="derived here, docs/rows/repetition.md; GCV: Craven, Wahba 1979",
    )
    gcv_distinct: Scalar = predicted(
        statement="the test error", order="1 / (effective rows - df2) of the excess risk"
    )
    groups: Groups
    risk: WeightedRisk
    free: Scalar  # rows left to average over: effective rows less df2
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Solve the scalar fixed point of the rows, repeated ones heavier than others."""
    groups = repeated_rows(*params.split(), params.noise, params.shared_noise)
    risk = weighted_ridge_risk(isotropic(params.p, signal=params.signal), groups, params.ridge)
    at, errors = risk.fixed_point, copy_errors(risk, groups, params.noise)
    return Forecast(
        test_error=errors.test_error,
        excess_risk=risk.excess_risk,
        closed_form_excess=params.noise * two_group_excess(*_shape(params), params.p),
        train_error=errors.train_error,
        gcv_naive=errors.gcv_naive,
        gcv_distinct=errors.gcv_distinct,
        groups=groups,
        risk=risk,
        free=at.effective_rows - at.df1**2 / params.p,  # df2 of an isotropic covariance
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach a slack of order 1 / free and, of repeated rows, h / p (docs/finite_size.md).

    The trace of the hat matrix is off by up to half its share of the copies per 1 / free,
    relative to what it leaves of them, and enters the naive cross-validation squared; its
    fluctuation is of the next order. The exact mean of cross-validation over distinct rows is the
    test error with a row less, which is larger by up to 1 / free of the label noise's part and by
    0.4 + 3 t^2 of the target's, t = df1/p.
    """
    valid = (made.free >= _slack.FEWEST_FREE) & (params.p >= _slack.FEWEST_PARAMETERS)
    risk, at, room = made.risk, made.risk.fixed_point, _slack.per(made.free)
    signal, learned = risk.bias + risk.signal_variance, at.df1 / params.p
    held = jnp.max(jnp.where(made.groups.counts > 0, at.leverage, 0.0))
    excess = _slack.excess(risk.noise_variance, signal, learned, made.free, held / params.p)
    train, value = made.train_error, made.gcv_naive
    residual = _residual_slack(params, made)
    factor = jnp.where(train > 0, value / jnp.where(train > 0, train, 1.0), 0.0)
    share = at.df1 / jnp.sum(made.groups.counts * made.groups.weights)
    less = risk.noise_variance + (0.4 + 3 * learned**2) * signal
    slacks = {
        "test_error": excess,
        "excess_risk": excess,
        "closed_form_excess": excess,
        "train_error": residual,
        "gcv_naive": factor * residual + value * share * room,
        "gcv_distinct": excess + less * room,
    }
    return {name: Bound(slack, valid) for name, slack in slacks.items()}


def _residual_slack(params: Params, made: Forecast) -> Scalar:
    risk, at = made.risk, made.risk.fixed_point
    noise = at.forgotten**2 * (risk.noise_variance + made.groups.noise)
    signal = over_copies(made.groups, risk.residual - noise)
    moving, p = over_copies(made.groups, noise * at.leverage), jnp.asarray(params.p, float)
    return _slack.copies_residual(moving, signal, at.df1 / p, made.free, p)


def _shape(params: Params) -> tuple[Scalar, Scalar, Scalar]:
    """Return all copies, the repeated share of them, and how often those are repeated."""
    split = params.split()
    copies = split.repeated * split.repeats
    return split.fresh + copies, copies / (split.fresh + copies), split.repeats


def _rich(params: Params) -> Scalar:
    total, share, repeats = _shape(params)
    return params.noise * data_rich_excess(share, repeats * params.p / total)


def _unweighted(params: Params) -> dict[str, Any]:
    split = params.split()
    return {"budget": split.fresh + split.repeated, "repeated_fraction": 0.0}


def _worst(params: Params) -> float:
    """Worst repeat count of least squares with shared labels, NaN elsewhere."""
    if params.ridge > 0 or not params.shared_noise or params.deduplicated:
        return float("nan")
    return float(_most_harm(params))


@quickly
def _most_harm(params: Params) -> Scalar:
    return worst_repeats(params.budget, params.repeated_fraction, params.p).repeats


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
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="N, p -> infinity at fixed N/p and r; here effective rows - df2 >= 10",
        order="1 / (effective rows - df2)",
        source="derived here, docs/rows/repetition.md",
    ),
    mistakes=(
        copies_are_fresh("test_error", "excess_risk", "train_error", "gcv_distinct"),
        noise_halved("test_error", "excess_risk", "closed_form_excess", "train_error"),
        Mistake(
            name="rows unweighted",
            why="the number of distinct rows in place of the effective number",
            against=("test_error", "excess_risk"),
            params=_unweighted,
        ),
        labels_swapped("test_error", "gcv_naive"),
        Mistake(
            name="classical",
            why="noise p/(N-p): all copies are rows",
            against=("closed_form_excess",),
            forecast=lambda params, made: {
                "closed_form_excess": params.noise * params.p / (params.budget - params.p)
            },
        ),
        Mistake(
            name="data-rich limit",
            why="the limit N/p -> infinity used at a finite budget",
            against=("closed_form_excess",),
            forecast=lambda params, made: {"closed_form_excess": _rich(params)},
        ),
        Mistake(
            name="cross-validation is right",
            why="the test error, which it estimates when no row is repeated",
            against=("gcv_naive",),
            forecast=lambda params, made: {"gcv_naive": made.test_error},
        ),
        Mistake(
            name="naive",
            why="cross-validation over copies",
            against=("gcv_distinct",),
            forecast=lambda params, made: {"gcv_distinct": made.gcv_naive},
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
