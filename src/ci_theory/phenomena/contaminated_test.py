"""A contaminated test set: what it shows of double descent, and what is true."""

import math
from collections.abc import Mapping

import jax.numpy as jnp

from ci_theory._record import again, inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import contamination
from ci_theory.locate.peak import Peak
from ci_theory.measure.leaked_rows import leaked_error
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.rows.contamination import ContaminatedRisk, apparent_peak, contaminated_risk
from ci_theory.theory.spectra.spectrum import isotropic
from ci_theory.training import closed_form


@record
class Params(contamination.Contamination):
    """Ridge regression of a linear teacher, tested on a set that holds training rows."""

    n: int = sized(200, low=1, unit="rows", doc="distinct training rows")
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    ridge: float = inner(1.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")
    contamination: float = again(contamination.Contamination, "contamination", 0.2)


@record
class Measures:
    """Averaged over the label noise given the inputs."""

    apparent_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on the contaminated test set"
    )
    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh rows: the truth"
    )
    gain: Float[Array, " m"] = measured(
        unit="label²", doc="test_error - apparent_error: what contamination hides"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design, fit every ridge and noise level to it, and test on fresh and leaked rows."""
    size = capacity["n"]
    x = gaussian.rows(key, size, jnp.ones(params.p))
    target = jnp.sqrt(params.signal) * gaussian.target(params.p)
    rows = params.leak()
    weights = contamination.weights(rows, size)
    path = closed_form.decompose(x, weights)
    row_noise = (weights > 0).astype(x.dtype)
    errors = closed_form.path_errors(
        path,
        metric=jnp.ones(params.p),
        test_target=target,
        signal_labels=x @ target,
        row_noise=row_noise,
        ridge=jnp.asarray(params.ridge),
        noise=jnp.asarray(params.noise),
        equal_weights=False,
    )
    shown = leaked_error(
        path,
        x @ target,
        contamination.leaked(rows, size),
        row_noise,
        jnp.asarray(params.ridge),
        jnp.asarray(params.noise),
        fresh=jnp.where(params.fresh_labels, 1.0, 0.0),
    )
    test = errors.excess + params.noise
    apparent = contamination.mixed(test, shown, jnp.asarray(params.contamination))
    return Measures(apparent_error=apparent, test_error=test, gain=test - apparent)


@record
class Forecast:
    """The deterministic equivalent of a point: what the contaminated test set shows, and hides."""

    apparent_error: Scalar = predicted(
        statement="(1-phi) E + phi [(1-h)^2 E + 2 h noise (fresh labels only)], "
        "h = c df1 / (s + c df1)",
        source="Mallows 1973; Craven, Wahba 1979; with repeats derived here "
        "(docs/rows/contamination.md)",
    )
    test_error: Scalar = predicted(
        statement="E = noise + E_x of ridge regression on rows of weight 1 and c",
        order="1 / (effective rows - df2) of the excess risk",
        source="docs/rows/repetition.md; for repeats = 1 Hastie et al. 2019 (arXiv:1903.08560)",
    )
    gain: Scalar = predicted(statement="phi h [(2-h) E - 2 noise (fresh labels only)]")
    risk: ContaminatedRisk
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Evaluate ridge regression on rows of weight 1 and c, and both test sets."""
    rows = params.leak()
    risk = contaminated_risk(
        isotropic(params.p, signal=params.signal),
        rows.rows,
        params.ridge,
        params.noise,
        params.contamination,
        params.fresh_labels,
        rows.leaked / rows.rows,
        rows.repeats,
    )
    return Forecast(
        apparent_error=risk.apparent_error,
        test_error=risk.test_error,
        gain=risk.gain,
        risk=risk,
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach a slack of order 1 / free and, of a leaked row's residual, h / p.

    What is shown mixes the bounds of fresh and of leaked rows; in the gain, a difference, they add.
    """
    p, phi, fit = jnp.asarray(params.p, float), params.contamination, made.risk.fit
    h, free, new = made.risk.memorised, made.risk.free, params.noise * params.fresh_labels
    signal = fit.bias + fit.signal_variance
    missed = fit.fixed_point.forgotten[1] ** 2 * signal  # part of a leaked row's residual
    learned = fit.fixed_point.df1 / p
    fresh = _slack.excess(fit.noise_variance, signal, learned, free, h / p)
    leaked = _slack.row_residual(fit.residual[1] - missed, missed, h, free, p)
    leaked = leaked + 2 * new * _slack.leverage(h, free, p)
    valid = (free >= _slack.FEWEST_FREE) & (p >= _slack.FEWEST_PARAMETERS)
    return {
        "apparent_error": Bound((1 - phi) * fresh + phi * leaked, valid),
        "test_error": Bound(fresh, valid),
        "gain": Bound(phi * (fresh + leaked), valid),
    }


def _as_fresh_rows(params: Params) -> dict[str, Scalar | int]:
    rows = params.leak()
    total = rows.rows + (rows.repeats - 1) * rows.leaked
    return {"n": total, "leaked": rows.leaked / total, "repeats": 1}


def _not_squared(params: Params, made: Forecast) -> dict[str, Scalar]:
    phi, h = params.contamination, made.risk.memorised
    new = 2 * h * params.noise * params.fresh_labels
    return {"apparent_error": (1 - phi * h) * made.test_error + phi * new}


def _sharp(params: Params) -> bool:
    """Say whether the peak is narrow and made of noise, so that its leading order says where."""
    small = params.ridge <= 0.03 * params.p
    return (
        params.repeats == 1
        and small
        and params.noise * params.p >= 10 * params.signal * params.ridge
    )


def _true_place(params: Params) -> float:
    return float(params.p) if _sharp(params) else math.nan


def _apparent_place(params: Params) -> float:
    if params.fresh_labels or not _sharp(params):
        return math.nan
    return float(_apparent_peak(params))


@quickly
def _apparent_peak(params: Params) -> Scalar:
    return apparent_peak(params.p, params.ridge, params.contamination)


PHENOMENON = Phenomenon(
    name="contaminated_test",
    title="A contaminated test set flattens double descent where it is worst",
    claims=(4,),
    question="How wrong is an evaluation on leaked training rows, and does it move the break?",
    model=(
        "Rows x ~ N(0, I_p), labels x.w + noise, |w|^2 = signal; a share `leaked` of the n "
        "distinct training rows is seen `repeats` times (with one label) and fills the share "
        "`contamination` of the test set, with its training labels or with fresh ones; the rest "
        "of the test set is fresh. Minimise sum c (y - x.w)^2 + ridge |w|^2."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, p -> infinity; here effective rows - df2 >= 10",
        order="1 / (effective rows - df2)",
        source="derived here (docs/rows/contamination.md)",
    ),
    mistakes=(
        noise_halved("test_error"),
        Mistake(
            name="leaked rows seen once",
            why="the repeats of the leaked rows are ignored",
            against=("apparent_error",),
            params=lambda params: {"repeats": 1},
        ),
        Mistake(
            name="copies are new rows",
            why="repeated rows are counted as fresh data",
            against=("test_error",),
            params=_as_fresh_rows,
        ),
        Mistake(
            name="labels swapped",
            why="training labels are taken for new ones in the test set, and the reverse",
            against=("apparent_error", "gain"),
            params=lambda params: {"fresh_labels": jnp.logical_not(params.fresh_labels)},
        ),
        Mistake(
            name="contamination ignored",
            why="the measured error is taken for the test error",
            against=("apparent_error",),
            forecast=lambda params, made: {"apparent_error": made.test_error},
        ),
        Mistake(
            name="apparent error",
            why="the error on the contaminated set is taken for the truth",
            against=("test_error",),
            forecast=lambda params, made: {"test_error": made.apparent_error},
        ),
        Mistake(
            name="leverage once",
            why="a leaked residual shrinks by 1 - h, not by its square",
            against=("apparent_error",),
            forecast=_not_squared,
        ),
        Mistake(
            name="memorised",
            why="leaked rows are taken to have no error: phi E",
            against=("gain",),
            forecast=lambda params, made: {"gain": params.contamination * made.test_error},
        ),
    ),
    breaks=(
        Break(
            name="true peak in n",
            axis="n",
            measure="test_error",
            locator=Peak(),
            statement="n = p as ridge -> 0, repeats = 1",
            closed_form=_true_place,
        ),
        Break(
            name="apparent peak in n",
            axis="n",
            measure="apparent_error",
            locator=Peak(),
            statement="n = p + sqrt(p ridge) (y-1)/sqrt(y), y^2 + (3-f) y + f = 0, "
            "f = (1-contamination) p / ridge; none below f = 9",
            closed_form=_apparent_place,
        ),
    ),
)
