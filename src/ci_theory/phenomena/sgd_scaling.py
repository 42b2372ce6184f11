"""Scaling of one-pass SGD on random features: power laws, their floor, and what moves the break."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_ignored
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.theory.dynamics.averaged_sgd import RareDraw, averaged_risk, rare_draw
from ci_theory.theory.dynamics.one_pass_sgd import Descent, Stability, one_pass_risk, stability
from ci_theory.theory.spectra.compression import binned, compress
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, from_features

NODES = 64  # the spectrum of the inputs is padded to a multiple of this: few compiled shapes
KEPT = 0.5  # |K|_1 and the fastest mode up to which sample paths are judged
NARROWEST = 10  # widths below which the average over features is not judged
FEATURES = 3.0  # c in the bound c/width on the average over features: docs/dynamics/sgd.md


@record
class Params(repetition.Repetition):
    """SGD from zero on random features of power-law inputs; no row comes back in a later step."""

    ROWS: ClassVar[str] = "batch"

    width: int = static(40, low=1, high=1000, unit="features", doc="features = parameters")
    inputs: int = static(200, low=2, high=4000, unit="inputs", doc="input dimension")
    alpha: float = static(
        1.0, above=0, high=20, doc="standard deviations of the inputs fall as j^-alpha"
    )
    beta: float = static(0.4, low=0, high=20, doc="target weights fall as j^-beta")
    draw: int = static(
        1, low=0, doc="which draw of the features; 0: every run draws its own, see `model`"
    )
    batch: int = sized(1, low=1, high=10**5, unit="rows", doc="rows of a step, copies counted")
    steps: int = inner(400, low=0, high=10**7, unit="steps", doc="steps made")
    noise: float = inner(0.0, low=0, unit="label²", doc="label-noise variance")
    rate: float = traced(
        0.1, above=0, unit="1/feature²", doc="learning rate on the sum over the rows of a step"
    )


@record
class Measures:
    """Of one run; averaged over a change of sign of all its label noise."""

    risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels"
    )
    over_best: Float[Array, " m"] = measured(
        unit="best risk", doc="risk in units of the least risk of any weights on these features"
    )


class World(NamedTuple):
    """What is known on the host.

    Attributes:
        inputs: spectrum of the inputs with the target, compressed.
        binned: the same in nodes of whole multiplicity, for the recursion.
        modes: of the features' covariance, with the target on them; None if every run draws its
            own features.
    """

    inputs: Spectrum
    binned: Spectrum
    modes: Spectrum | None


def _scales(params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs' standard deviations and the target in units of them, (v,) each."""
    j = np.arange(1.0, params.inputs + 1)
    return j**-params.alpha, j ** -(params.alpha + params.beta)


def _drawn(params: Params) -> np.ndarray:
    """Draw the features that all runs share, (v, d), on the host: the same on every device."""
    rng = np.random.default_rng([params.draw, params.inputs, params.width])
    return rng.standard_normal((params.inputs, params.width)) / np.sqrt(params.width)


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Train once on the signal and once on unit label noise alone; the weights add."""
    scale, along = (jnp.asarray(v) for v in _scales(params))
    v, d, rows = params.inputs, params.width, capacity["batch"]
    if params.draw:
        drawn = jnp.asarray(_drawn(params))
    else:
        drawn = jax.random.normal(stream(key, "features"), (v, d)) / np.sqrt(d)
    features = scale[:, None] * drawn  # of inputs of variance 1
    copies = repetition.weights(params.split(), rows)
    rate = params.rate * copies[:, None]

    def step(r: Array, weights: Array) -> Array:
        own = jax.random.fold_in(key, r)
        x = jax.random.normal(stream(own, "rows"), (rows, v))
        noise = jax.random.normal(stream(own, "noise"), (rows,))
        z = x @ features
        residual = jnp.stack([x @ along, noise], axis=1) - z @ weights
        return weights + z.T @ (rate * residual)

    def until(state: tuple[Array, Array], stop: Array) -> tuple[tuple[Array, Array], Array]:
        since, weights = state
        weights = jax.lax.fori_loop(since, stop, step, weights)
        return (stop, weights), weights

    stops = jnp.asarray(params.steps).astype(int)
    order = jnp.argsort(stops)
    begin = jnp.zeros((), stops.dtype), jnp.zeros((d, 2))
    _, kept = jax.lax.scan(until, begin, stops[order])
    kept = jnp.zeros_like(kept).at[order].set(kept)
    signal = jnp.sum((along[None, :] - kept[..., 0] @ features.T) ** 2, axis=1)
    noise = jnp.sum((kept[..., 1] @ features.T) ** 2, axis=1)
    risk = signal + params.noise * noise
    basis = jnp.linalg.qr(features)[0]
    least = along - basis @ (basis.T @ along)
    return Measures(risk=risk, test_error=risk + params.noise, over_best=risk / jnp.sum(least**2))


def world(params: Params) -> World:
    """Build the spectrum of the inputs, and of the features if all runs share them."""
    scale, along = _scales(params)
    listed = explicit(scale**2, (along / scale) ** 2)
    modes = None
    if params.draw:
        root = np.sqrt(params.inputs)
        modes = from_features(root * scale[:, None] * _drawn(params), root * along)
    return World(compress(listed, pad_to=NODES), binned(listed), modes)


def _given(params: Params) -> bool | Array:
    return params.draw > 0


def _averaged(params: Params) -> bool | Array:
    return params.draw == 0


@record
class Forecast:
    """Errors at one point: given the features if all runs share them, else averaged over them.

    Of the two, what the point is not about is NaN.
    """

    risk: Scalar = predicted(
        statement="P = sum s m + floor,  m <- q m + rate^2 Q s (P + noise),  "
        "q = 1 - 2 rate B s + rate^2 (B^2 + Q) s^2",
        where=_given,
    )
    test_error: Scalar = predicted(statement="P + noise", where=_given)
    over_best: Scalar = predicted(statement="P / floor", where=_given)
    average: Scalar = predicted(
        "risk",
        statement="P^ = (F^ + noise/s)/(1 - rate Q/(2B) k^) - noise/s,  "
        "kappa (1 - df1(kappa)/width) = s,  inverted at 2 rate B steps",
        scope="own features in every run (draw = 0), width >= 10, |K|_1 of rare draws <= 1/2",
        order="3/width (measured), and twice what the small rate misses at infinite width",
        source="derived here, docs/dynamics/sgd.md; equivalents of arXiv:2405.15074",
        where=_averaged,
    )
    flow: Scalar  # the risk without sampling noise, given or averaged
    wide: Scalar  # the average for infinitely many features
    descent: Descent  # rate, rows and squares of a step
    world: World
    status: Array


def forecast(params: Params, world: World) -> Forecast:
    """Evaluate the exact recursion, or, where every run has its own features, the average."""
    split, noise, modes = params.split(), params.noise, world.modes
    squares = split.fresh + split.repeated * split.repeats**2
    at = Descent(params.rate, jnp.asarray(params.batch, float), squares)
    nothing = jnp.asarray(jnp.nan)
    if modes is None:
        steps = _at_least_one(params)
        own = averaged_risk(world.inputs, params.width, at, noise, steps)
        wide = averaged_risk(world.binned, jnp.inf, at, noise, steps)
        return Forecast(
            risk=nothing,
            test_error=nothing,
            over_best=nothing,
            average=own.risk,
            flow=own.flow,
            wide=wide.risk,
            descent=at,
            world=world,
            status=jnp.maximum(own.status, wide.status),
        )
    risk = one_pass_risk(modes, at, noise, params.steps)
    kept = jnp.exp(-2 * at.rate * at.rows * params.steps * modes.eigenvalues)
    return Forecast(
        risk=risk,
        test_error=risk + noise,
        over_best=risk / modes.tail_power,
        average=nothing,
        flow=jnp.sum(modes.power * kept) + modes.tail_power,
        wide=nothing,
        descent=at,
        world=world,
        status=jnp.asarray(int(Status.OK)),
    )


def _at_least_one(params: Params) -> Scalar:
    return jnp.maximum(jnp.asarray(params.steps, float), 1.0)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Say where the mean over sample paths has a normal error bar, and bound the average."""
    world, at = made.world, made.descent
    if world.modes is not None:
        given = Bound(0.0, _calm(stability(world.modes, at)))
        silent = Bound(jnp.nan, False)
        return {"risk": given, "test_error": given, "over_best": given, "average": silent}
    size = one_pass_risk(world.binned, at, params.noise, _at_least_one(params)) - made.wide
    slack = FEATURES / params.width * made.average + 2 * jnp.abs(size)
    calm = _calm(rare_draw(world.binned, params.width, at))
    wide_enough = params.width >= NARROWEST
    return {"average": Bound(slack, calm & wide_enough & (params.steps >= 1))}


def _calm(found: Stability | RareDraw) -> Array:
    return (found.kernel <= KEPT) & (found.fastest <= KEPT)


def _flow(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Take gradient flow on the features for it: no sampling noise."""
    flow, modes = made.flow, made.world.modes
    best = jnp.nan if modes is None else modes.tail_power
    return {
        "risk": flow,
        "test_error": flow + params.noise,
        "over_best": flow / best,
        "average": flow,
    }


def _rule(params: Params) -> str | None:
    if params.width >= params.inputs:
        return f"width = {params.width}: must be below the {params.inputs} inputs"
    if params.alpha + params.beta <= 0.5:
        return f"alpha + beta = {params.alpha + params.beta:g}: must be > 0.5"
    return None


PHENOMENON = Phenomenon(
    name="sgd_scaling",
    title="Scaling laws of one-pass SGD on random features",
    claims=(10,),
    question="Where does a learning curve leave its power law; do noise and copies move it?",
    model=(
        "Inputs x_j ~ N(0, j^-2alpha), labels sum_j j^-beta x_j + noise; `width` random features "
        "W'x, W of N(0, 1/width), drawn once for all runs or, with draw = 0, anew in every run; "
        "SGD from zero, every step on fresh rows, some of them there several times."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    rule=_rule,
    predictions=predictions(
        Forecast,
        scope="exact given the features; judged where |K|_1 and the fastest mode are <= 1/2",
        order="exact",
        source="Paquette et al. 2024 (arXiv:2405.15074); noise and copies here, "
        "docs/dynamics/sgd.md",
    ),
    mistakes=(
        copies_are_fresh("risk", "over_best"),
        noise_ignored("risk"),
        Mistake(
            name="gradient flow",
            why="gradient flow: SGD's own sampling noise is left out",
            against=("risk", "test_error", "over_best", "average"),
            forecast=_flow,
        ),
        Mistake(
            name="mean over the batch",
            why="the step is taken for the mean over its rows, not their sum",
            against=("risk", "test_error"),
            params=lambda params: {"rate": params.rate / params.batch},
        ),
        Mistake(
            name="infinite width",
            why="the features are taken for the inputs themselves: no floor",
            against=("average",),
            forecast=lambda params, made: {"average": made.wide},
        ),
    ),
    breaks=(
        Break(
            name="twice the best risk",
            axis="steps",
            measure="over_best",
            locator=Crossing(level=2.0, direction="down", log_axis=True),
            statement="reached, whatever the number of steps, only if |K|_1 < 1/(2 + noise/floor)",
        ),
        Break(
            name="best rate",
            axis="rate",
            measure="risk",
            locator=Valley(log_axis=True),
            statement="the rate at which speed and sampling noise balance",
            last=("steps",),
        ),
    ),
)
