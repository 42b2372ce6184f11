"""Epoch-wise double descent: errors that fall, rise, fall again and rise while training goes on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.locate.peak import Peak
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian, scales
from ci_theory.theory.dynamics.feature_flow_next_order import feature_flow_shift
from ci_theory.theory.dynamics.flow import FlowRisk, weighted_flow_risk
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.dynamics.flow_next_order import flow_shift, what_is_left
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, scale_target, two_block
from ci_theory.training import closed_form, gradient_flow

NODES = 32  # a power law is compressed to a multiple of this many nodes: few compiled shapes


@record
class Params:
    """Gradient flow of a linear student on inputs of several scales, started at zero."""

    n: int = sized(400, low=1, unit="rows", doc="rows counted with repeats")
    d: int = static(400, low=2, high=10**5, unit="inputs", doc="input dimension")
    p: int = static(0, low=0, unit="features", doc="random features; 0 trains on the inputs")
    spectrum: str = static(
        "two_block", choices=scales.SPECTRA, doc="covariance of the inputs, see `model`"
    )
    time: float = inner(10.0, above=0, unit="rate·steps", doc="training time")
    noise: float = inner(0.64, low=0, unit="label²", doc="label-noise variance")
    decay: float = inner(0.0, low=0, unit="input²", doc="weight decay")
    repeated_fraction: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the rows spent on repeated ones"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that each repeated row appears")
    signal: float = traced(1.2, low=0, unit="label²", doc="label variance that inputs explain")
    slow_variance: float = traced(
        0.01, above=0, unit="input²", doc="variance of the slow block's inputs"
    )
    slow_share: float = traced(
        5 / 6, low=0, high=1, unit="", doc="share of the signal on the slow block"
    )
    alpha: float = static(1.5, above=0, high=20, doc="decay exponent of a power law's variances")
    beta: float = static(
        1.5, above=0, high=20, doc="decay exponent of the signal on a power law's modes"
    )


@record
class Measures:
    """Averaged over the label noise given the inputs and the features."""

    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the labels, over all copies"
    )


def _rows(params: Params) -> repetition.Counts:
    given = params.n, params.repeated_fraction, params.repeats
    return repetition.counts(*(jnp.asarray(v, float) for v in given))


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and follow the flow to every time, noise level and decay."""
    size, (kind, d) = capacity["n"], (params.spectrum, params.d)
    variances = scales.variances(kind, d, slow_variance=params.slow_variance, alpha=params.alpha)
    power = scales.powers(kind, d, slow_share=params.slow_share, beta=params.beta)
    scale, on_modes = jnp.sqrt(variances), jnp.sqrt(params.signal * power)
    x = gaussian.rows(key, size, variances)
    phi, metric = x, scale
    if params.p:
        features = gaussian_features.init(key, params.p, d)
        phi, metric = x @ features.T, scale[:, None] * features.T
    weights = repetition.weights(_rows(params), size)
    found = gradient_flow.path_errors(
        closed_form.decompose(phi, weights),
        metric=metric,
        test_target=on_modes,
        signal_labels=x @ (on_modes / scale),
        row_noise=label_noise.row_noise(weights, True),
        time=jnp.asarray(params.time),
        decay=jnp.asarray(params.decay),
        noise=jnp.asarray(params.noise),
    )
    return Measures(
        excess_risk=found.excess, test_error=found.excess + params.noise, train_error=found.train
    )


class World(NamedTuple):
    """What the host knows: a power law with a target of unit power, and p where it is finite."""

    law: Spectrum | None
    features: np.ndarray | None


def world(params: Params) -> World:
    """Build the spectrum of a power law; two blocks need no host."""
    features = np.asarray(float(params.p)) if params.p else None
    if params.spectrum == "two_block":
        return World(None, features)
    law = scales.variances(params.spectrum, params.d, alpha=params.alpha)
    power = scales.powers(params.spectrum, params.d, beta=params.beta)
    values = np.asarray(law, float)
    spectrum = explicit(values, np.asarray(power, float) / values)
    return World(compress(spectrum, pad_to=NODES), features)


def _spectrum(params: Params, world: World) -> Spectrum:
    if world.law is not None:
        return scale_target(world.law, params.signal)
    d, slow = jnp.asarray(params.d, float), params.slow_variance
    fast = jnp.ceil(d / 2)
    own = params.signal * (1 - params.slow_share), params.signal * params.slow_share / slow
    return two_block(fast, d - fast, 1.0, slow, *own)


_VARIANTS = ("true", "fresh", "doubled", "inputs", "clean")


class Forecast(NamedTuple):
    """What the predictions and decoys of a point share.

    Attributes:
        excess: predicted excess risk of every variant, (v,).
        train: predicted training error of every variant, (v,).
        excess_slack: finite-size bound of the first variant's excess risk.
        train_slack: finite-size bound of its training error.
        excess_valid: whether that bound is claimed.
        train_valid: likewise.
        status: of the solvers.
        decoupled: excess risk in the limit of many rows.
    """

    excess: Float[Array, " v"]
    train: Float[Array, " v"]
    excess_slack: Scalar
    train_slack: Scalar
    excess_valid: Array
    train_valid: Array
    status: Int[Array, ""]
    decoupled: Scalar


def forecast(params: Params, world: World) -> Forecast:
    """Evaluate the deterministic equivalent, what the decoys make of it, and the slack.

    The next order of rows, and of random features where there are some, is computed.
    """
    spectrum, split = _spectrum(params, world), _rows(params)
    p = jnp.asarray(jnp.inf if world.features is None else world.features)
    copies = jnp.asarray(params.n, float)
    ridge = copies * params.decay
    plain = repetition.Counts(copies, jnp.zeros(()), jnp.ones(()))
    counts = [plain if name == "fresh" else split for name in _VARIANTS]
    splits = repetition.Counts(*(jnp.stack(leaves) for leaves in zip(*counts, strict=True)))
    times = params.time * jnp.array([2.0 if name == "doubled" else 1.0 for name in _VARIANTS])
    noises = params.noise * jnp.array([0.0 if name == "clean" else 1.0 for name in _VARIANTS])
    features = jnp.stack([jnp.asarray(jnp.inf) if name == "inputs" else p for name in _VARIANTS])

    def variant(
        split: repetition.Counts, time: Scalar, noise: Scalar, p: Scalar
    ) -> tuple[FlowRisk, Scalar]:
        groups = repeated_rows(*split, noise, True)
        found = weighted_flow_risk(spectrum, groups, time, ridge, p)
        return found, (groups.counts * groups.weights / copies) @ found.train_error

    found, train = jax.vmap(variant)(splits, times, noises, features)
    excess, clean = found.excess_risk, train[-1]
    groups = repeated_rows(*split, params.noise, True)
    if world.features is None:
        shift = flow_shift(spectrum, groups, params.time, ridge)
    else:
        shift = feature_flow_shift(spectrum, groups, params.time, ridge, p)
    left_over = what_is_left(spectrum, groups, ridge + copies / params.time, p)
    room = 1 / left_over.rows + 1 / left_over.features
    near = (shift.signal, shift.noise), (excess[-1], found.noise_variance[0])
    left = (shift.train_signal, shift.train_noise), (clean, train[0] - clean)
    enough = jnp.minimum(left_over.rows, left_over.features) >= _slack.FEWEST_FREE
    slacks, valid = [], []
    for (moved, parts), value in ((near, excess[0]), (left, train[0])):
        slacks.append(_slack.next_order(moved, parts, room))
        valid.append(enough & _slack.is_small(moved, value))
    return Forecast(
        excess=excess,
        train=train,
        excess_slack=slacks[0],
        train_slack=slacks[1],
        excess_valid=valid[0],
        train_valid=valid[1],
        status=jnp.maximum(found.status[0], shift.status),
        decoupled=_decoupled(params, spectrum),
    )


def excess_risk(params: Params, made: Forecast) -> Estimate:
    """Predict the error on fresh clean labels."""
    return Estimate(made.excess[0], made.excess_slack, made.excess_valid, made.status)


def train_error(params: Params, made: Forecast) -> Estimate:
    """Predict the mean squared residual over copies."""
    return Estimate(made.train[0], made.train_slack, made.train_valid, made.status)


def isotropic_excess(params: Params, made: Forecast) -> Estimate:
    """Predict the error from the Marchenko-Pastur law where all inputs have one variance."""
    return _closed(params, _isotropic(params).excess_risk, (made.excess_slack, made.excess_valid))


def isotropic_train(params: Params, made: Forecast) -> Estimate:
    """Predict the training error from the same law."""
    return _closed(params, _isotropic(params).train_error, (made.train_slack, made.train_valid))


def _closed(params: Params, value: Scalar, bound: tuple[Scalar, Array]) -> Estimate:
    once = (params.repeats == 1) | (params.repeated_fraction == 0)
    scope = (params.slow_variance == 1) & (params.p == 0) & once
    scope = scope & (params.spectrum == "two_block")
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    return Estimate(jnp.where(scope, value, jnp.nan), bound[0], scope & bound[1], status)


def _isotropic(params: Params, faster: float = 1.0) -> Any:
    n, ridge = params.n, params.n * params.decay
    return isotropic_flow(
        n, params.d, faster * params.time, params.noise, params.signal, 0.0, ridge
    )


def _decoupled(params: Params, spectrum: Spectrum) -> Scalar:
    """Return the limit of many rows: every mode learns by itself, copies weigh as they do."""
    split = _rows(params)
    rows = params.n**2 / (split.fresh + split.repeated * split.repeats**2)
    rate = spectrum.eigenvalues + params.decay
    share = spectrum.eigenvalues * -jnp.expm1(-rate * params.time) / rate
    fitted = spectrum.multiplicity @ share**2 / rows
    return spectrum.power @ (1 - share) ** 2 + params.noise * fitted


def _rule(params: Params) -> str | None:
    if params.repeated_fraction > 0 and params.repeats > params.n:
        return f"repeats = {params.repeats}: one row cannot fill more than the rows"
    return None


_SOURCE = "derived here, docs/dynamics.md; plain rows: Bordelon, Atanasov, Pehlevan 2024 "
_SOURCE += "(arXiv:2402.01092), Pezeshki et al. 2021 (arXiv:2112.03215)"
_CLOSED = "Advani, Saxe 2017 (arXiv:1710.03667); Ali, Kolter, Tibshirani 2019 (arXiv:1810.10082)"
_FRESH = "every copy is taken for a new row"
_DOUBLE = "time of the loss without the factor 1/2: twice too fast"
_INPUTS = "the features are taken for infinitely many: training on the inputs"
_MANY = "the limit of many rows, in which every mode learns by itself (arXiv:2007.10099)"


def _variant(field: str, index: int) -> Any:
    return lambda params, made: getattr(made, field)[index]


PHENOMENON = Phenomenon(
    name="epochwise_descent",
    title="Epoch-wise double descent",
    claims=(1,),
    question="Does label noise make the peak in training time earlier, later, higher?",
    model=(
        "Rows x ~ N(0, diag), half of the variances 1 and half slow_variance, or k^-alpha; labels "
        "x.w + noise; gradient flow from zero on (1/2n) sum (y - phi.a)^2 + (decay/2) |a|^2, phi "
        "the inputs or p Gaussian random features of them. A share of the rows may be copies."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    shared=forecast,
    rule=_rule,
    predictions=(
        Prediction(
            name="excess_risk",
            measure="excess_risk",
            evaluate=excess_risk,
            statement="double Laplace inversion of (B + Q sum n a a' v)/(1 - Q sum n a a')",
            scope="n, d, p -> infinity at fixed ratios and repeats; where the next order is at "
            "most a quarter of the value",
            order="1/n, and with features 1/p (computed)",
            source=_SOURCE,
            decoys=(
                Decoy(name="copies are fresh rows", why=_FRESH, evaluate=_variant("excess", 1)),
                Decoy(name="time doubled", why=_DOUBLE, evaluate=_variant("excess", 2)),
                Decoy(name="infinite features", why=_INPUTS, evaluate=_variant("excess", 3)),
                Decoy(name="modes decoupled", why=_MANY, evaluate=lambda _, made: made.decoupled),
            ),
        ),
        Prediction(
            name="train_error",
            measure="train_error",
            evaluate=train_error,
            statement="the same inversion of (1 - h)(1 - h')(G + noise)",
            scope="as excess_risk",
            order="1/n",
            source=_SOURCE,
            decoys=(
                Decoy(name="copies are fresh rows", why=_FRESH, evaluate=_variant("train", 1)),
                Decoy(name="time doubled", why=_DOUBLE, evaluate=_variant("train", 2)),
                Decoy(name="infinite features", why=_INPUTS, evaluate=_variant("train", 3)),
            ),
        ),
        Prediction(
            name="isotropic_excess",
            measure="excess_risk",
            evaluate=isotropic_excess,
            statement="int dF(s) { signal (1 - s h)^2 + noise (d/n) s h^2 },  "
            "h = (1 - exp(-(s + decay) t))/(s + decay)",
            scope="as excess_risk; all variances 1, rows seen once, trained on the inputs",
            order="1/n",
            source=_CLOSED,
            decoys=(
                Decoy(
                    name="time doubled",
                    why=_DOUBLE,
                    evaluate=lambda params, made: _isotropic(params, 2.0).excess_risk,
                ),
                Decoy(name="modes decoupled", why=_MANY, evaluate=lambda _, made: made.decoupled),
            ),
        ),
        Prediction(
            name="isotropic_train",
            measure="train_error",
            evaluate=isotropic_train,
            statement="int dF(s) (signal s + noise d/n) (1 - s h)^2 + noise (1 - d/n)",
            scope="as isotropic_excess",
            order="1/n",
            source=_CLOSED,
            decoys=(
                Decoy(
                    name="time doubled",
                    why=_DOUBLE,
                    evaluate=lambda params, made: _isotropic(params, 2.0).train_error,
                ),
            ),
        ),
    ),
    breaks=(
        Break(
            name="epoch-wise peak", axis="time", measure="excess_risk", locator=Peak(log_axis=True)
        ),
        Break(
            name="over-fitting begins",
            axis="time",
            measure="excess_risk",
            locator=Valley(side="before", log_axis=True),
        ),
        Break(
            name="second descent ends",
            axis="time",
            measure="excess_risk",
            locator=Valley(side="after", log_axis=True),
        ),
    ),
)
