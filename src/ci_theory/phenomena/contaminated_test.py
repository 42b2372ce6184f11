"""A contaminated test set: what it shows of double descent, and what is true."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Bool, Float, Key, Scalar
from ci_theory.biases import contamination
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import gaussian
from ci_theory.theory.rows.contamination import ContaminatedRisk, apparent_peak, contaminated_risk
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic
from ci_theory.training import closed_form


@record
class Params:
    """Ridge regression of a linear teacher, tested on a set that holds training rows."""

    n: int = sized(200, low=1, unit="rows", doc="distinct training rows")
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    ridge: float = inner(1.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")
    contamination: float = inner(
        0.2, low=0, high=1, unit="", doc="share of the test set that is leaked training rows"
    )
    leaked: float = traced(
        0.25, low=0, high=1, unit="", doc="share of the training rows that leaked (at least one)"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times a leaked row is seen in training")
    fresh_labels: bool = traced(
        False, doc="leaked rows carry new labels in the test set, or the training labels"
    )


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


def leak(params: Params) -> contamination.Leak:
    """Return the leaked rows of a point: a whole number of them."""
    given = params.n, params.leaked, params.repeats
    return contamination.leak(*(jnp.asarray(v, float) for v in given))


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design, fit every ridge and noise level to it, and test on fresh and leaked rows."""
    size = capacity["n"]
    x = gaussian.rows(key, size, jnp.ones(params.p))
    target = jnp.sqrt(params.signal) * gaussian.target(params.p)
    rows = leak(params)
    weights = contamination.weights(rows, size)
    path = closed_form.decompose(x, weights)
    errors = closed_form.path_errors(
        path,
        metric=jnp.ones(params.p),
        test_target=target,
        signal_labels=x @ target,
        row_noise=(weights > 0).astype(x.dtype),
        ridge=jnp.asarray(params.ridge),
        noise=jnp.asarray(params.noise),
        equal_weights=False,
    )
    among = contamination.leaked(rows, size)
    fresh = jnp.where(params.fresh_labels, 1.0, 0.0)
    shown = _leaked_error(
        path, x @ target, among, jnp.asarray(params.ridge), jnp.asarray(params.noise), fresh
    )
    test = errors.excess + params.noise
    apparent = contamination.mixed(test, shown, jnp.asarray(params.contamination))
    return Measures(apparent_error=apparent, test_error=test, gain=test - apparent)


def _leaked_error(
    path: closed_form.RidgePath,
    signal: Float[Array, " n"],
    leaked: Bool[Array, " n"],
    ridge: Float[Array, " m"],
    noise: Float[Array, " m"],
    fresh: Scalar,
) -> Float[Array, " m"]:
    """Mean squared error over the leaked rows, the label noise averaged exactly.

    With weighted labels z = sqrt(c) y the residuals are (a + F U F') z, U diagonal: the labels
    less their fit (a = 1), or, with fewer rows than features, without subtraction (a = 0). The
    label noise of row j enters with variance c_j. A new label is not the one that was fitted,
    which adds twice the leverage.
    """
    values, alive = path.eigenvalues, path.eigenvalues > 0
    keep = 1.0 if path.primal else 0.0
    f = path.design @ path.vectors if path.primal else path.vectors
    spread = path.root**2
    gram = f.T @ (spread[:, None] * f)
    labels = path.root * signal
    along = f.T @ labels
    weight = jnp.where(leaked, 1.0 / jnp.where(leaked, spread, 1.0), 0.0) / jnp.sum(leaked)

    def at(point: tuple[Array, Array]) -> Array:
        delta, level = point
        inverse = closed_form.shrinkage(values, delta)
        u = -inverse if path.primal else jnp.where(alive, delta * inverse, 1.0)
        own = f**2 @ (inverse if path.primal else values * inverse)  # leverage
        residual = keep * labels + f @ (u * along)
        mixed = f * u[None, :]
        fitted = jnp.sum((mixed @ gram) * mixed, axis=1) + keep * spread * (1 - 2 * own)
        return weight @ (residual**2 + level * (fitted + 2 * fresh * own * spread))

    return jax.lax.map(at, (ridge, noise))


def _risk(
    params: Params, *, rows: contamination.Leak | None = None, swapped: bool = False
) -> ContaminatedRisk:
    """Deterministic equivalent of a point, with the mistakes of the decoys."""
    rows = leak(params) if rows is None else rows
    fresh = jnp.logical_not(params.fresh_labels) if swapped else params.fresh_labels
    return contaminated_risk(
        isotropic(params.p, signal=params.signal),
        rows.rows,
        params.ridge,
        params.noise,
        params.contamination,
        fresh,
        rows.leaked / rows.rows,
        rows.repeats,
    )


class _Bounds(NamedTuple):
    """Finite-size bounds on the error on fresh rows and on leaked ones; where they hold."""

    fresh: Scalar
    leaked: Scalar
    valid: Scalar


def _bounds(params: Params, risk: ContaminatedRisk) -> _Bounds:
    """Bound the deviations: of order 1 / free, of a leaked row's residual also h / p."""
    rows, p = leak(params), jnp.asarray(params.p, float)
    groups = repeated_rows(rows.rows - rows.leaked, rows.leaked, rows.repeats, params.noise, True)
    made = weighted_ridge_risk(isotropic(p, signal=params.signal), groups, params.ridge)
    h, free, new = risk.memorised, risk.free, jnp.where(params.fresh_labels, params.noise, 0.0)
    signal = made.bias + made.signal_variance
    kept = made.fixed_point.forgotten[1] ** 2
    shown = _slack.row_residual(made.residual[1] - kept * signal, kept * signal, h, free, p)
    return _Bounds(
        fresh=_slack.excess(made.noise_variance, signal, made.fixed_point.df1 / p, free, h / p),
        leaked=shown + 2 * new * _slack.leverage(h, free, p),
        valid=(free >= _slack.FEWEST_FREE) & (p >= _slack.FEWEST_PARAMETERS),
    )


def apparent_error(params: Params, world: None) -> Estimate:
    """Predict what the contaminated test set shows."""
    risk = _risk(params)
    slack = _bounds(params, risk)
    bound = (1 - params.contamination) * slack.fresh + params.contamination * slack.leaked
    return Estimate(risk.apparent_error, bound, slack.valid, risk.status)


def true_error(params: Params, world: None) -> Estimate:
    """Predict the true test error."""
    risk = _risk(params)
    slack = _bounds(params, risk)
    return Estimate(risk.test_error, slack.fresh, slack.valid, risk.status)


def gain(params: Params, world: None) -> Estimate:
    """Predict what contamination hides of the error: a difference, so both bounds add."""
    risk = _risk(params)
    slack = _bounds(params, risk)
    bound = params.contamination * (slack.fresh + slack.leaked)
    return Estimate(risk.gain, bound, slack.valid, risk.status)


def _half_noise(params: Params) -> ContaminatedRisk:
    rows = leak(params)
    return contaminated_risk(
        isotropic(params.p, signal=params.signal),
        rows.rows,
        params.ridge,
        0.5 * params.noise,
        params.contamination,
        params.fresh_labels,
        rows.leaked / rows.rows,
        rows.repeats,
    )


def _once(params: Params) -> contamination.Leak:
    return leak(params)._replace(repeats=jnp.ones(()))


def _as_fresh_rows(params: Params) -> contamination.Leak:
    rows = leak(params)
    total = rows.rows + (rows.repeats - 1) * rows.leaked
    return contamination.Leak(total, rows.leaked, jnp.ones(()))


def _not_squared(params: Params, world: None) -> Scalar:
    risk = _risk(params)
    h = risk.memorised
    new = 2 * h * params.noise * jnp.where(params.fresh_labels, 1.0, 0.0)
    return (1 - params.contamination * h) * risk.test_error + params.contamination * new


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
    return float(apparent_peak(params.p, params.ridge, params.contamination))


_SWAPPED = Decoy(
    name="labels swapped",
    why="training labels are taken for new ones in the test set, and the reverse",
    evaluate=lambda params, world: _risk(params, swapped=True).apparent_error,
)

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
    predictions=(
        Prediction(
            name="apparent_error",
            measure="apparent_error",
            evaluate=apparent_error,
            statement="(1-phi) E + phi [(1-h)^2 E + 2 h noise (fresh labels only)], "
            "h = c df1 / (s + c df1)",
            scope="n, p -> infinity; here effective rows - df2 >= 10",
            order="1 / (effective rows - df2)",
            source="Mallows 1973; Craven, Wahba 1979; with repeats derived here "
            "(docs/contamination.md)",
            decoys=(
                Decoy(
                    name="contamination ignored",
                    why="the measured error is taken for the test error",
                    evaluate=lambda params, world: _risk(params).test_error,
                ),
                Decoy(
                    name="leverage once",
                    why="a leaked residual shrinks by 1 - h, not by its square",
                    evaluate=_not_squared,
                ),
                Decoy(
                    name="leaked rows seen once",
                    why="the repeats of the leaked rows are ignored",
                    evaluate=lambda params, world: _risk(params, rows=_once(params)).apparent_error,
                ),
                _SWAPPED,
            ),
        ),
        Prediction(
            name="test_error",
            measure="test_error",
            evaluate=true_error,
            statement="E = noise + E_x of ridge regression on rows of weight 1 and c",
            scope="as apparent_error",
            order="1 / (effective rows - df2) of the excess risk",
            source="docs/repetition.md; for repeats = 1 Hastie et al. 2019 (arXiv:1903.08560)",
            decoys=(
                Decoy(
                    name="noise halved",
                    why="the noise variance is halved",
                    evaluate=lambda params, world: _half_noise(params).test_error,
                ),
                Decoy(
                    name="apparent error",
                    why="the error on the contaminated set is taken for the truth",
                    evaluate=lambda params, world: _risk(params).apparent_error,
                ),
                Decoy(
                    name="copies are new rows",
                    why="repeated rows are counted as fresh data",
                    evaluate=lambda params, world: (
                        _risk(params, rows=_as_fresh_rows(params)).test_error
                    ),
                ),
            ),
        ),
        Prediction(
            name="gain",
            measure="gain",
            evaluate=gain,
            statement="phi h [(2-h) E - 2 noise (fresh labels only)]",
            scope="as apparent_error",
            order="1 / (effective rows - df2)",
            source="derived here (docs/contamination.md)",
            decoys=(
                Decoy(
                    name="memorised",
                    why="leaked rows are taken to have no error: phi E",
                    evaluate=lambda params, world: params.contamination * _risk(params).test_error,
                ),
                Decoy(
                    name="labels swapped",
                    why=_SWAPPED.why,
                    evaluate=lambda params, world: _risk(params, swapped=True).gain,
                ),
            ),
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
