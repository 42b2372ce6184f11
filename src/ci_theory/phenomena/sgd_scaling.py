"""Scaling of one-pass SGD on random features: power laws, their floor, and what moves the break."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

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
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.theory.dynamics.averaged_sgd import RareDraw, averaged_risk, rare_draw
from ci_theory.theory.dynamics.one_pass_sgd import Descent, Stability, one_pass_risk, stability
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, from_features

NODES = 64  # the spectrum of the inputs is padded to a multiple of this: few compiled shapes
LISTED = 256  # inputs up to which the recursion on the inputs takes every one by itself
KEPT = 0.5  # |K|_1 and the fastest mode up to which sample paths are judged
NARROWEST = 10  # widths below which the average over features is not judged
FEATURES = 3.0  # c in the bound c/width on the average over features: docs/sgd.md


@record
class Params:
    """SGD from zero on random features of power-law inputs; no row comes back in a later step."""

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
    repeated_fraction: float = traced(
        0.0, low=0, high=1, unit="", doc="share of a step's rows spent on copies"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that a repeated row is in the step")


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


def _split(params: Params) -> repetition.Counts:
    given = params.batch, params.repeated_fraction, params.repeats
    return repetition.counts(*(jnp.asarray(v, float) for v in given))


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Train once on the signal and once on unit label noise alone; the weights add."""
    scale, along = (jnp.asarray(v) for v in _scales(params))
    v, d, rows = params.inputs, params.width, capacity["batch"]
    if params.draw:
        drawn = jnp.asarray(_drawn(params))
    else:
        drawn = jax.random.normal(stream(key, "features"), (v, d)) / np.sqrt(d)
    features = scale[:, None] * drawn  # of inputs of variance 1
    copies = repetition.weights(_split(params), rows)
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
    return World(compress(listed, pad_to=NODES), _binned(listed), modes)


def _binned(listed: Spectrum) -> Spectrum:
    """Join small inputs that differ by some percent: a few hundred nodes, same trace and power."""
    v = len(listed.eigenvalues)
    if v <= LISTED:
        return listed
    edges = np.unique(np.geomspace(LISTED // 2, v, LISTED // 2 + 1).astype(int))
    starts = np.concatenate([np.arange(edges[0]), edges[:-1]])
    count = np.diff(np.append(starts, v)).astype(float)
    return dataclasses.replace(
        listed,
        eigenvalues=np.add.reduceat(listed.eigenvalues, starts) / count,
        multiplicity=count,
        power=np.add.reduceat(listed.power, starts),
    )


class Forecast(NamedTuple):
    """What the predictions of a point share.

    Attributes:
        descent: rate, rows and squares of a step.
        exact: risk given the features; NaN without them.
        modes: of the features; None without them.
        averaged: risk averaged over features.
        flow: the same without sampling noise.
        wide: the same for infinitely many features.
        slack: bound on the error of ``averaged``.
        status: of ``averaged``.
        calm: whether the mean over sample paths has a normal error bar.
    """

    descent: Descent
    exact: Scalar
    modes: Spectrum | None
    averaged: Scalar
    flow: Scalar
    wide: Scalar
    slack: Scalar
    status: Array
    calm: Array


def forecast(params: Params, world: World) -> Forecast:
    """Evaluate the exact recursion, or, where every run has its own features, the average."""
    split = _split(params)
    squares = split.fresh + split.repeated * split.repeats**2
    at = Descent(params.rate, jnp.asarray(params.batch, float), squares)
    nothing = jnp.asarray(jnp.nan)
    if world.modes is not None:
        exact = one_pass_risk(world.modes, at, params.noise, params.steps)
        calm = _calm(stability(world.modes, at))
        out = jnp.asarray(int(Status.OUT_OF_SCOPE))
        return Forecast(at, exact, world.modes, nothing, nothing, nothing, nothing, out, calm)
    steps = jnp.maximum(jnp.asarray(params.steps, float), 1.0)
    found = averaged_risk(world.inputs, params.width, at, params.noise, steps)
    wide = averaged_risk(world.binned, jnp.inf, at, params.noise, steps)
    size = jnp.abs(one_pass_risk(world.binned, at, params.noise, steps) - wide.risk)
    calm = _calm(rare_draw(world.binned, params.width, at)) & (params.steps >= 1)
    return Forecast(
        descent=at,
        exact=nothing,
        modes=None,
        averaged=found.risk,
        flow=found.flow,
        wide=wide.risk,
        slack=FEATURES / params.width * found.risk + 2 * size,
        status=jnp.maximum(found.status, wide.status),
        calm=calm & (params.width >= NARROWEST),
    )


def _calm(found: Stability | RareDraw) -> Array:
    return (found.kernel <= KEPT) & (found.fastest <= KEPT)


def _given(made: Forecast, value: Scalar) -> Estimate:
    known = made.modes is not None
    status = int(Status.OK if known else Status.OUT_OF_SCOPE)
    return Estimate(value, 0.0, made.calm, status)


def risk(params: Params, made: Forecast) -> Estimate:
    """Predict the risk exactly, given the features."""
    return _given(made, made.exact)


def test_error(params: Params, made: Forecast) -> Estimate:
    """Predict the error on noisy labels exactly, given the features."""
    return _given(made, made.exact + params.noise)


def over_best(params: Params, made: Forecast) -> Estimate:
    """Predict the risk over the best that these features can do."""
    return _given(made, made.exact / _best(made))


def average(params: Params, made: Forecast) -> Estimate:
    """Predict the risk averaged over features, at a small rate."""
    return Estimate(made.averaged, made.slack, made.calm, made.status)


def _best(made: Forecast) -> Scalar:
    return jnp.asarray(jnp.nan) if made.modes is None else jnp.asarray(made.modes.tail_power)


def _flow(params: Params, made: Forecast) -> Scalar:
    """Gradient flow on the features: no sampling noise."""
    if made.modes is None:
        return made.flow
    rate, rows, _ = made.descent
    kept = jnp.exp(-2 * rate * rows * params.steps * made.modes.eigenvalues)
    return jnp.sum(made.modes.power * kept) + made.modes.tail_power


def _exactly(change: Any) -> Any:
    """Make a decoy of the exact form: ``change(params, descent)`` gives another step and noise."""

    def evaluate(params: Params, made: Forecast) -> Scalar:
        if made.modes is None:
            return jnp.asarray(jnp.nan)
        return one_pass_risk(made.modes, *change(params, made.descent), params.steps)

    return evaluate


_mean = _exactly(lambda p, at: (at._replace(rate=at.rate / at.rows), p.noise))
_clean = _exactly(lambda p, at: (at, 0.0))
_fresh = _exactly(lambda p, at: (at._replace(squares=at.rows), p.noise))


def _added(form: Any) -> Any:
    return lambda params, made: form(params, made) + params.noise


def _over(form: Any) -> Any:
    return lambda params, made: form(params, made) / _best(made)


def _rule(params: Params) -> str | None:
    if params.width >= params.inputs:
        return f"width = {params.width}: must be below the {params.inputs} inputs"
    if params.repeated_fraction > 0 and params.repeats > params.batch:
        return f"repeats = {params.repeats}: one row cannot fill more than the step"
    if params.alpha + params.beta <= 0.5:
        return f"alpha + beta = {params.alpha + params.beta:g}: must be > 0.5"
    return None


_FLOW = "gradient flow: SGD's own sampling noise is left out"
_MEAN = "the step is taken for the mean over its rows, not their sum"
_CLEAN = "the label noise is ignored"
_FRESH = "every copy is taken for a row of its own"
_SOURCE = "Paquette et al. 2024 (arXiv:2405.15074); noise and copies here, docs/sgd.md"

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
    shared=forecast,
    rule=_rule,
    predictions=(
        Prediction(
            name="risk",
            measure="risk",
            evaluate=risk,
            statement="P = sum s m + floor,  m <- q m + rate^2 Q s (P + noise),  "
            "q = 1 - 2 rate B s + rate^2 (B^2 + Q) s^2",
            scope="exact given the features; judged where |K|_1 and the fastest mode are <= 1/2",
            order="exact",
            source=_SOURCE,
            decoys=(
                Decoy(name="gradient flow", why=_FLOW, evaluate=_flow),
                Decoy(name="mean over the batch", why=_MEAN, evaluate=_mean),
                Decoy(name="noise ignored", why=_CLEAN, evaluate=_clean),
                Decoy(name="copies are fresh rows", why=_FRESH, evaluate=_fresh),
            ),
        ),
        Prediction(
            name="test_error",
            measure="test_error",
            evaluate=test_error,
            statement="P + noise",
            scope="as risk",
            order="exact",
            source=_SOURCE,
            decoys=(
                Decoy(name="gradient flow", why=_FLOW, evaluate=_added(_flow)),
                Decoy(name="mean over the batch", why=_MEAN, evaluate=_added(_mean)),
            ),
        ),
        Prediction(
            name="over_best",
            measure="over_best",
            evaluate=over_best,
            statement="P / floor",
            scope="as risk",
            order="exact",
            source=_SOURCE,
            decoys=(
                Decoy(name="gradient flow", why=_FLOW, evaluate=_over(_flow)),
                Decoy(name="copies are fresh rows", why=_FRESH, evaluate=_over(_fresh)),
            ),
        ),
        Prediction(
            name="average",
            measure="risk",
            evaluate=average,
            statement="P^ = (F^ + noise/s)/(1 - rate Q/(2B) k^) - noise/s,  "
            "kappa (1 - df1(kappa)/width) = s,  inverted at 2 rate B steps",
            scope="own features in every run (draw = 0), width >= 10, |K|_1 of rare draws <= 1/2",
            order="3/width (measured), and twice what the small rate misses at infinite width",
            source="derived here, docs/sgd.md; equivalents of arXiv:2405.15074",
            decoys=(
                Decoy(name="gradient flow", why=_FLOW, evaluate=_flow),
                Decoy(
                    name="infinite width",
                    why="the features are taken for the inputs themselves: no floor",
                    evaluate=lambda params, made: made.wide,
                ),
            ),
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
