"""The worst repeat count as a power law of the size: rows per effective parameter."""

from collections.abc import Mapping
from functools import lru_cache

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import again, inner, record, sized, static
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.dynamics.feature_flow_next_order import feature_ridge_shift
from ci_theory.theory.dynamics.flow_next_order import what_is_left
from ci_theory.theory.rows.repeat_scaling import worst_repeats_on
from ci_theory.theory.rows.repetition import WeightedRisk, weighted_ridge_risk
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.groups import Groups, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, power_law
from ci_theory.training import closed_form

NODES = 256  # the modes are compressed to this many nodes: one compiled shape


@record
class Params(repetition.Repetition):
    """Ridge regression on a power-law spectrum, regularised more weakly the larger the budget."""

    n: int = sized(1000, low=2, unit="rows", doc="budget: rows counted with repeats, N")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.5)
    repeats: int = again(repetition.Repetition, "repeats", 20)
    modes: int = static(300, low=10, high=10**5, unit="modes", doc="modes of the inputs")
    alpha: float = static(2.0, above=1, high=6, doc="capacity: variances fall as k^-alpha")
    source: float = static(
        0.5, above=0, high=3, doc="source r: target power per mode falls as k^-(1 + 2 alpha r)"
    )
    level: float = inner(0.18, above=0, unit="input²", doc="ridge per row of a budget of one row")
    decay: float = inner(
        2 / 3, low=0, high=6, doc="exponent with which the ridge per row falls: level N^-decay"
    )
    noise: float = inner(0.1, above=0, unit="label²", doc="label-noise variance; copies share it")

    def ridge(self) -> Scalar:
        """Return the total ridge."""
        n = jnp.asarray(self.n, float)
        return jnp.asarray(self.level) * n ** (1 - jnp.asarray(self.decay))


@record
class Measures:
    """Averaged over the label noise given the inputs."""

    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and fit every ridge and noise level to it."""
    size = capacity["n"]
    variances = jnp.asarray(gaussian.variances("power_law", params.modes, alpha=params.alpha))
    scale = jnp.sqrt(variances)
    falling = 0.5 + params.alpha * params.source
    on_modes = jnp.arange(1.0, params.modes + 1) ** -falling  # root of the power on each mode
    x = gaussian.rows(key, size, variances)
    weights = repetition.weights(params.split(), size)
    errors = closed_form.path_errors(
        closed_form.decompose(x, weights),
        metric=scale,
        test_target=on_modes,
        signal_labels=x @ (on_modes / scale),
        row_noise=label_noise.row_noise(weights, True),
        ridge=params.ridge(),
        noise=jnp.asarray(params.noise),
        equal_weights=False,
    )
    return Measures(excess_risk=errors.excess)


@lru_cache(maxsize=16)
def _spectrum(modes: int, alpha: float, source: float) -> Spectrum:
    return compress(power_law(modes, alpha, source, tail=False), pad_to=NODES)


def world(params: Params) -> Spectrum:
    """Build the spectrum, compressed."""
    return _spectrum(params.modes, params.alpha, params.source)


@record
class Forecast:
    """The deterministic equivalent of a point."""

    excess_risk: Scalar = predicted(
        statement="E_x = (B + df2 sum n a^2 noise)/(1 - df2 sum n a^2),  sum n a = 1,  "
        "a = c/(ridge/kappa + c df1)",
        scope="N -> infinity at fixed shares; where the next order is at most a quarter of the "
        "value",
        order="1/N (computed)",
        source="derived here, docs/rows/repetition.md; a power law of the worst count in language "
        "models: arXiv:2606.24998",
    )
    groups: Groups
    spectrum: Spectrum
    risk: WeightedRisk
    status: Array


def forecast(params: Params, spectrum: Spectrum) -> Forecast:
    """Solve the scalar fixed point of the rows, repeated ones heavier than others."""
    groups = repeated_rows(*params.split(), params.noise, True)
    risk = weighted_ridge_risk(spectrum, groups, params.ridge())
    return Forecast(
        excess_risk=risk.excess_risk,
        groups=groups,
        spectrum=spectrum,
        risk=risk,
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute the next order of the target's part and of the noise's (docs/finite_size.md)."""
    spectrum, groups, risk = made.spectrum, made.groups, made.risk
    shift = feature_ridge_shift(spectrum, groups, jnp.inf, params.ridge())
    left = what_is_left(spectrum, groups, params.ridge(), jnp.inf)
    parts = risk.excess_risk - risk.noise_variance, risk.noise_variance
    found = _slack.computed((shift.signal, shift.noise), parts, (left.rows,), risk.excess_risk)
    solved = shift.status == Status.OK
    return {"excess_risk": found._replace(valid=found.valid & solved)}


def _parameters(params: Params) -> dict[str, Scalar]:
    """Every direction counts as a parameter: no ridge to speak of."""
    return {"level": 1e-9 * jnp.asarray(params.level, float)}


def _plain_ridge(params: Params) -> dict[str, Scalar]:
    """Copies add to the ridge as rows do to the budget: the ridge of the distinct rows."""
    return {"level": params.level * params.distinct() / params.n}


def _worst(params: Params) -> float:
    """Worst repeat count of the exact equations, NaN where the harm only grows or only falls."""
    spectrum = _spectrum(params.modes, params.alpha, params.source)
    return float(_worst_on(params, spectrum))


@quickly
def _worst_on(params: Params, spectrum: Spectrum) -> Array:
    at = params.n, params.repeated_fraction, params.ridge(), params.noise
    found = worst_repeats_on(spectrum, *at)
    return jnp.where(found.status == int(Status.OK), found.repeats, jnp.nan)


PHENOMENON = Phenomenon(
    name="repetition_scaling",
    title="The worst repeat count grows as a power law of the budget",
    claims=(2,),
    question="How does the most harmful number of repeats grow with the amount of data?",
    model=(
        "A budget of N rows with variances k^-alpha, labels x.w + noise, target power on mode k "
        "k^-(1 + 2 alpha r); a share f of it on about f N/r rows that appear r times with one "
        "label each. Minimise sum over all copies (y - x.w)^2 + level N^(1 - decay) |w|^2."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(Forecast),
    mistakes=(
        copies_are_fresh("excess_risk"),
        noise_halved("excess_risk"),
        Mistake(
            name="every direction is a parameter",
            why="the number of modes in place of the effective parameters: no ridge",
            against=("excess_risk",),
            params=_parameters,
        ),
        Mistake(
            name="ridge of distinct rows",
            why="the ridge shrinks with the distinct rows as it does with the budget",
            against=("excess_risk",),
            params=_plain_ridge,
        ),
    ),
    breaks=(
        Break(
            name="worst repeat count",
            axis="repeats",
            measure="excess_risk",
            locator=Peak(log_axis=True),
            statement="r = (N/df1) (1-f)^(-1/(2 alpha)) + O(1), df1 at ridge/N: at the best ridge "
            "a power 2 alpha r/(1 + 2 alpha r) of N; the exact maximum is compared",
            closed_form=_worst,
        ),
    ),
)
