"""Where a learning curve's power law ends: noise floor, ridge, or width, and what moves the end."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases.whole import whole_below
from ci_theory.locate.floor import Floor
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_ignored
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian
from ci_theory.theory.features.feature_next_order import FeatureNextOrder, feature_next_order
from ci_theory.theory.features.random_features import FeatureRisk, random_feature_risk
from ci_theory.theory.ridge.ridge_next_order import NextOrder, next_order
from ci_theory.theory.ridge.risk import RidgeRisk, ridge_risk
from ci_theory.theory.scaling.power_law_limits import bottleneck
from ci_theory.theory.spectra import power_law
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.spectrum import Spectrum
from ci_theory.theory.spectra.spectrum import power_law as finite_law
from ci_theory.training import closed_form

NODES = 256  # the modes are compressed to this many nodes: one compiled shape
FEWEST_ROWS = 10  # distinct rows below which no power law is claimed
MOST_TRUNCATED = 0.02  # modes that the end of the spectrum takes from df1, per row


@record
class Params:
    """Ridge regression on a power-law spectrum."""

    n: int = sized(200, low=1, unit="rows", doc="training rows, copies counted")
    modes: int = static(1000, low=10, high=10**5, unit="modes", doc="modes of the inputs")
    tail: bool = static(True, doc="whether the power law goes on beyond the modes, see `model`")
    alpha: float = static(2.0, above=1, high=6, doc="capacity: variances fall as k^-alpha")
    source: float = static(
        0.25, above=0, high=3, doc="source r: target power per mode falls as k^-(1 + 2 alpha r)"
    )
    width: int = static(0, low=0, unit="features", doc="random features; 0 trains on the inputs")
    repeats: int = traced(1, low=1, unit="copies", doc="times each distinct row is there")
    ridge: float = inner(0.0, low=0, unit="input²", doc="ridge per row")
    noise: float = inner(0.01, low=0, unit="label²", doc="label-noise variance")


@record
class Measures:
    """Averaged over the label noise given inputs and features."""

    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and fit every ridge and noise level to it.

    Copies share inputs and label, so they weigh their row ``repeats`` times. The tail is exact in
    the limit of infinitely many infinitesimal modes: in the kernel of the rows it is a ridge, in
    features independent noise of their inputs, and its part of the target is label noise.
    """
    size = capacity["n"]
    law = _law(params)
    variances, scale = jnp.asarray(law.eigenvalues), jnp.sqrt(law.eigenvalues)
    on_modes = jnp.sqrt(law.power)
    x = gaussian.rows(key, size, variances)
    signal = x @ (on_modes / scale)
    phi, metric, beyond = x, scale, law.tail_trace * params.repeats
    if params.width:
        features = gaussian_features.init(key, params.width, params.modes)
        noise = jnp.sqrt(law.tail_trace / params.width)
        fresh = jax.random.normal(stream(key, "tail"), (size, params.width), x.dtype)
        phi, beyond = x @ features.T + noise * fresh, 0.0
        metric = jnp.concatenate([scale[:, None] * features.T, noise * jnp.eye(params.width)])
        on_modes = jnp.concatenate([on_modes, jnp.zeros(params.width)])
    there = (jnp.arange(size) < params.n // params.repeats).astype(x.dtype)
    errors = closed_form.path_errors(
        closed_form.decompose(phi, there * params.repeats),
        metric=metric,
        test_target=on_modes,
        signal_labels=signal,
        row_noise=there,
        ridge=jnp.asarray(params.ridge) * params.n + beyond,
        noise=jnp.asarray(params.noise) + law.tail_power,
        equal_weights=True,
    )
    return Measures(excess_risk=errors.excess + law.tail_power)


def _law(params: Params) -> Spectrum:
    return finite_law(params.modes, params.alpha, params.source, tail=params.tail)


class World(NamedTuple):
    """The spectrum of the task, v_1^2 = 1, and the width where there are features."""

    spectrum: Spectrum
    width: np.ndarray | None


def world(params: Params) -> World:
    """Build the spectrum, compressed."""
    width = np.asarray(float(params.width)) if params.width else None
    return World(compress(_law(params), pad_to=NODES), width)


def _interpolates(params: Params) -> Array:
    return (params.ridge == 0) & (params.width == 0) & (jnp.abs(params.source - 1) > 0.02)


@record
class Forecast:
    """Excess risk at one point [label^2], and what the learner effectively has."""

    excess_risk: Scalar = predicted(
        statement="n (noise + A)/L - noise on n/repeats rows, A and L of the eigenframework",
        scope="n - df2 >= 10, and likewise for the features; the next order below a quarter",
        order="1/(n - df2), and with features 1/(width - df2): computed",
        source="Simon et al. 2021, 2023 (arXiv:2110.03922, arXiv:2311.14646)",
    )
    closed_form: Scalar = predicted(
        "excess_risk",
        statement="alpha n/(n + 1/2) (B(kappa) + noise) - noise, "
        "kappa = [(pi/alpha)/((n + 1/2) sin(pi/alpha))]^alpha",
        scope="ridge 0, trained on the inputs, n far below the number of modes",
        order="1/n, and the modes beyond the end of the spectrum",
        source="docs/ridge/ridge.md, docs/scaling/scaling_breaks.md; Mallinar et al. "
        "(arXiv:2207.06569)",
        where=_interpolates,
        closed=True,
    )
    world: World
    rows: Scalar  # distinct ones
    ridge: Scalar  # their total ridge: copies of a row leave only this smaller
    kappa: Scalar  # effective ridge of the interpolator on the endless law
    status: Array


def forecast(params: Params, world: World) -> Forecast:
    """Evaluate the deterministic equivalent, and the closed form of the interpolator."""
    rows = whole_below(jnp.asarray(params.n / params.repeats, float))
    ridge = jnp.asarray(params.ridge * params.n / params.repeats, float)
    risk: RidgeRisk | FeatureRisk
    if world.width is None:
        risk = ridge_risk(world.spectrum, rows, ridge, params.noise)
    else:
        risk = random_feature_risk(world.spectrum, rows, world.width, ridge, params.noise)
    law = power_law.ridgeless(jnp.maximum(rows, 1.0), params.alpha, params.source, params.noise)
    return Forecast(
        excess_risk=risk.excess_risk,
        closed_form=law.test_error - params.noise,
        world=world,
        rows=rows,
        ridge=ridge,
        kappa=law.kappa,
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute what comes next in 1/n and 1/width, and bound what the closed form leaves out."""
    near, left = _next(params, made)
    shifts, parts = (near.signal_shift, near.noise_shift), (near.signal, near.noise)
    solved = near.status == Status.OK
    risk, closed = (
        _slack.computed(shifts, parts, left, value)
        for value in (made.excess_risk, made.closed_form)
    )
    lost, beyond = _truncated(params, made)
    resolved = (lost < MOST_TRUNCATED) & (made.rows >= FEWEST_ROWS)
    return {
        "excess_risk": Bound(risk.slack, risk.valid & solved),
        "closed_form": Bound(closed.slack + beyond, closed.valid & solved & resolved),
    }


def _next(
    params: Params, made: Forecast
) -> tuple[NextOrder | FeatureNextOrder, tuple[Scalar, ...]]:
    """Return the next order, and the rows and features left.

    With features the orders beyond are of second order in the sum of 1/rows left and
    1/features left: the variances of the two quantities that fluctuate.
    """
    spectrum, width = made.world
    if width is None:
        near = next_order(spectrum, made.rows, made.ridge, params.noise)
        return near, (near.left,)
    wide = feature_next_order(spectrum, made.rows, width, made.ridge, params.noise)
    return wide, (wide.rows_left, wide.features_left)


def _truncated(params: Params, made: Forecast) -> tuple[Scalar, Scalar]:
    """Return the share of df1 that the end of the modes takes, and what it does to the closed form.

    It takes T n of df1 and the power beyond from the target, or, with a tail, replaces both up to
    lambda/kappa there; returned is the first order of that with the order that the closed form
    leaves out.
    """
    alpha, source, modes = params.alpha, params.source, jnp.asarray(params.modes, float)
    n = jnp.maximum(made.rows, 1.0)
    replaced = jnp.where(params.tail, modes**-alpha / made.kappa, 1.0)
    lost = replaced * modes ** (1 - alpha) / ((alpha - 1) * made.kappa * n)
    unseen = 2 * replaced * modes ** (-2 * alpha * source) / (2 * source)
    order = 2 * alpha * n ** -(1.0 + alpha)
    steep = 1 + 2 * alpha * jnp.clip(source, 0.5, 1.0)
    ended = steep * lost / (1 - alpha * jnp.minimum(lost, 0.5 / alpha))
    return lost, made.closed_form * (ended + order) + unseen


def _ends_in_n(params: Params) -> float:
    """Rows at which the first crossover comes, by the power laws: noise, ridge, or width."""
    alpha, source = float(params.alpha), float(params.source)
    places = []
    if params.noise > 0 and params.ridge == 0 and not params.width:
        places.append(float(power_law.noise_crossover(params.noise, alpha, source)))
    if params.ridge > 0 and params.noise == 0:
        places.append(float(power_law.ridge_crossover(params.ridge, alpha)))
    if params.width and params.noise == 0 and source < 0.5:
        places.append(float(bottleneck(params.width, alpha, source)))
    return params.repeats * min(places) if places else float("nan")


def _rule(params: Params) -> str | None:
    if params.repeats > params.n:
        return f"repeats = {params.repeats}: one row cannot be there more often than n"
    return None


PHENOMENON = Phenomenon(
    name="power_law_break",
    title="The end of a learning curve's power law",
    claims=(10,),
    question="Where does a scaling law break, and do noise, repetition and width move the break?",
    model=(
        "Rows x of `modes` independent Gaussian coordinates with variances k^-alpha, a target with "
        "power k^-(1 + 2 alpha source) on them, noisy labels; with a tail the modes beyond are "
        "there too, as infinitely many infinitesimal ones. Every distinct row and its label is "
        "there `repeats` times. Ridge regression on the inputs, or on `width` Gaussian random "
        "features of them; the ridge is per row."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    rule=_rule,
    predictions=predictions(Forecast),
    mistakes=(
        copies_are_fresh("excess_risk", "closed_form"),
        noise_ignored("excess_risk", "closed_form"),
        Mistake(
            name="ridge in all",
            why="the ridge per row is taken for the total",
            against=("excess_risk",),
            params=lambda params: {"ridge": params.ridge / params.n},
        ),
        Mistake(
            name="infinite width",
            why="the features are taken for infinitely many",
            against=("excess_risk",),
            world=lambda params, world: world._replace(width=None),
        ),
    ),
    breaks=(
        Break(
            name="floor in n",
            axis="n",
            measure="excess_risk",
            locator=Floor(),
            statement="repeats times the first of: noise_crossover, ridge_crossover, "
            "width (alpha - 2 alpha source)^(1/(2 alpha source))",
            closed_form=_ends_in_n,
        ),
        Break(
            name="floor in width",
            axis="width",
            measure="excess_risk",
            locator=Floor(),
            statement="where rows, not features, limit",
        ),
    ),
)
