"""Epoch-wise double descent: errors that fall, rise, fall again and rise while training goes on."""

from collections.abc import Mapping
from typing import NamedTuple

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
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, time_doubled
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian, scales
from ci_theory.theory.dynamics.complex_ridge import ComplexLevels, levels_along
from ci_theory.theory.dynamics.feature_flow_next_order import feature_flow_shift
from ci_theory.theory.dynamics.flow import flow_ridges, weighted_flow_risk
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.dynamics.flow_next_order import flow_shift, shift_ridges, what_is_left
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, scale_target, two_block
from ci_theory.training import closed_form, gradient_flow

NODES = 32  # a power law is compressed to a multiple of this many nodes: few compiled shapes


@record
class Params(repetition.Repetition):
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
    weights = repetition.weights(params.split(), size)
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


_CLOSED = "Advani, Saxe 2017 (arXiv:1710.03667); Ali, Kolter, Tibshirani 2019 (arXiv:1810.10082)"


def _one_scale(params: Params) -> bool | Array:
    once = repetition.seen_once(params)
    one = (params.slow_variance == 1) & (params.spectrum == "two_block")
    return once & one & (params.p == 0)


@record
class Forecast:
    """Errors at one point [label^2], in total and by their causes: target and label noise."""

    excess_risk: Scalar = predicted(
        statement="double Laplace inversion of (B + Q sum n a a' v)/(1 - Q sum n a a')",
        order="1/n, and with features 1/p (computed)",
    )
    train_error: Scalar = predicted(
        statement="the same inversion of (1 - h)(1 - h')(G + noise)",
    )
    isotropic_excess: Scalar = predicted(
        "excess_risk",
        statement="int dF(s) { signal (1 - s h)^2 + noise (d/n) s h^2 },  "
        "h = (1 - exp(-(s + decay) t))/(s + decay)",
        scope="as excess_risk; all variances 1, rows seen once, trained on the inputs",
        source=_CLOSED,
        where=_one_scale,
        closed=True,
    )
    isotropic_train: Scalar = predicted(
        "train_error",
        statement="int dF(s) (signal s + noise d/n) (1 - s h)^2 + noise (1 - d/n)",
        scope="as isotropic_excess",
        source=_CLOSED,
        where=_one_scale,
        closed=True,
    )
    excess: Float[Array, " 2"]
    train: Float[Array, " 2"]
    spectrum: Spectrum  # of the inputs
    features: Scalar | np.ndarray | None  # their number; None where the inputs are trained on
    levels: tuple[ComplexLevels, ComplexLevels]  # for the next order
    status: Int[Array, ""]


def forecast(params: Params, world: World) -> Forecast:
    """Evaluate the deterministic equivalent of the flow, and its closed form."""
    spectrum, ridge, time = _spectrum(params, world), params.n * params.decay, params.time
    p = jnp.inf if world.features is None else world.features
    groups = repeated_rows(*params.split(), params.noise, True)
    at, at_shift, stopped = levels_along(
        spectrum, groups, p,
        flow_ridges(spectrum, groups, time, ridge), shift_ridges(groups, time, ridge),
        ridge + params.n / time,
    )  # fmt: skip
    found = weighted_flow_risk(spectrum, groups, time, ridge, p, at)
    shares = groups.counts * groups.weights / params.n
    noisy = shares @ found.train_noise
    train = shares @ found.train_error
    closed = isotropic_flow(params.n, params.d, time, params.noise, params.signal, 0.0, ridge)
    return Forecast(
        excess_risk=found.excess_risk,
        train_error=train,
        isotropic_excess=closed.excess_risk,
        isotropic_train=closed.train_error,
        excess=jnp.stack([found.bias + found.signal_variance, found.noise_variance]),
        train=jnp.stack([train - noisy, noisy]),
        spectrum=spectrum,
        features=world.features,
        levels=(at_shift, stopped),
        status=found.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute the next order of the rows, and of the random features where there are some."""
    spectrum, groups = made.spectrum, repeated_rows(*params.split(), params.noise, True)
    ridge, p = params.n * params.decay, jnp.inf if made.features is None else made.features
    at, stopped = made.levels
    if made.features is None:
        shift = flow_shift(spectrum, groups, params.time, ridge, at)
    else:
        shift = feature_flow_shift(spectrum, groups, params.time, ridge, p, at)
    left = what_is_left(spectrum, groups, ridge + params.n / params.time, p, stopped)

    def bound(moved: tuple[Scalar, Scalar], parts: Array, value: Scalar) -> Bound:
        found = _slack.computed(moved, tuple(parts), left, value)
        return found._replace(valid=found.valid & (shift.status == Status.OK))

    excess = bound((shift.signal, shift.noise), made.excess, made.excess_risk)
    train = bound((shift.train_signal, shift.train_noise), made.train, made.train_error)
    return {
        "excess_risk": excess,
        "isotropic_excess": excess,
        "train_error": train,
        "isotropic_train": train,
    }


def _decoupled(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Take the limit of many rows: every mode learns by itself, copies weigh as they do."""
    split, spectrum = params.split(), made.spectrum
    rows = params.n**2 / (split.fresh + split.repeated * split.repeats**2)
    rate = spectrum.eigenvalues + params.decay
    share = spectrum.eigenvalues * -jnp.expm1(-rate * params.time) / rate
    fitted = spectrum.multiplicity @ share**2 / rows
    excess = spectrum.power @ (1 - share) ** 2 + params.noise * fitted
    return {"excess_risk": excess, "isotropic_excess": excess}


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
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, d, p -> infinity at fixed ratios and repeats; where the next order is at most a "
        "quarter of the value",
        order="1/n",
        source="derived here, docs/dynamics/dynamics.md; plain rows: Bordelon, Atanasov, Pehlevan "
        "2024 (arXiv:2402.01092), Pezeshki et al. 2021 (arXiv:2112.03215)",
    ),
    mistakes=(
        copies_are_fresh("excess_risk", "train_error"),
        time_doubled("excess_risk", "train_error", "isotropic_excess", "isotropic_train"),
        Mistake(
            name="infinite features",
            why="the features are taken for infinitely many: training on the inputs",
            against=("excess_risk", "train_error"),
            world=lambda params, world: world._replace(features=None),
        ),
        Mistake(
            name="modes decoupled",
            why="the limit of many rows, in which every mode learns by itself (arXiv:2007.10099)",
            against=("excess_risk", "isotropic_excess"),
            forecast=_decoupled,
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
