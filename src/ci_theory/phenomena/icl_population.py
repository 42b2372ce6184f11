"""Linear attention trained on endless prompts and used on others: what it has built in."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._record import again, inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, labels_are_exact
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import contexts
from ci_theory.theory.attention.population import (
    World,
    best_attention,
    best_noise,
    largest_scale,
    prompt_error,
    turned,
    turned_gain,
)
from ci_theory.training import endless_prompts as training

ALL = ("error", "gain", "regret")
TRAINED_ON = 1024  # contexts drawn for a training, in two halves
TESTED_ON = 256
ENDLESS = 1e9  # pairs of a context that leave nothing open


@record
class Params(repetition.Repetition):
    """Linear attention trained on endless prompts of one law and tested on those of another."""

    n: int = sized(20, low=1, high=10**4, unit="pairs", doc="pairs of a context trained on")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.0)
    d: int = static(6, low=2, high=64, unit="inputs", doc="input dimension")
    decay: float = traced(
        1.0, low=0, high=4, unit="", doc="variance of the i-th input trained on is i^-decay"
    )
    tilt: float = traced(
        0.5,
        low=-1,
        high=1,
        unit="",
        doc="variances of a task's weights go from 1 - tilt to 1 + tilt",
    )
    noise: float = traced(
        0.1, low=0, high=1e6, unit="label²", doc="label-noise variance in the prompts trained on"
    )
    flips: float = traced(
        0.0, low=0, high=0.5, unit="", doc="share of the labels trained on with the wrong sign"
    )
    test_length: int = sized(20, low=1, high=10**4, unit="pairs", doc="pairs of a test's context")
    scale: float = inner(
        1.0, above=0, high=1e3, unit="", doc="factor on the inputs' covariance in the test"
    )
    turn: float = inner(
        0.0,
        low=0,
        high=1,
        unit="right angles",
        doc="how far the axes of the inputs turn in the test: at 1 their variances are reversed",
    )
    test_noise: float = inner(
        0.1, low=0, high=1e6, unit="label²", doc="label-noise variance of the test"
    )


@record
class Measures:
    """Means over tasks, labels and queries given the contexts, trained on contexts without end."""

    error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on noisy queries of the test"
    )
    gain: Float[Array, " m"] = measured(
        unit="label²", doc="error of answering 0 less that of reading the context"
    )
    regret: Float[Array, " m"] = measured(
        unit="label²", doc="error less that of attention trained on prompts like the test's"
    )


def _ranks(params: Params) -> np.ndarray:
    """Number the inputs from 1."""
    return np.arange(1.0, params.d + 1)


def _variances(params: Params, ranks: Any) -> tuple[Array, Array]:
    """Variances of inputs and of task weights, (d,) each."""
    ranks = jnp.asarray(ranks)
    inputs = ranks ** -jnp.asarray(params.decay, float)
    along = 2 * (ranks - 1) / (ranks.size - 1) - 1
    return inputs, 1 + jnp.asarray(params.tilt) * along


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw contexts; train on them, and on the test's for comparison; test on others."""
    d, pairs, sign = params.d, params.test_length, 1 - 2 * jnp.asarray(params.flips)
    variances, tasks = _variances(params, _ranks(params))
    copies = repetition.weights(params.split(), capacity["n"]) / params.n
    x = contexts.inputs(key, "trained", capacity["n"], TRAINED_ON, variances)
    upstream = contexts.seen(x, copies, tasks, params.noise, sign, training.HALVES)
    there = (jnp.arange(capacity["test_length"]) < pairs) / pairs
    compared, tested = (
        contexts.moments(
            contexts.inputs(key, label, capacity["test_length"], count, jnp.ones(d)), there
        )
        for label, count in (("compared", TRAINED_ON), ("tested", TESTED_ON))
    )

    def measure(scale: Array, turn: Array, noise: Array) -> Measures:
        root = contexts.turn(d, turn) * jnp.sqrt(scale * variances)[None, :]
        covariance = root @ root.T
        test = contexts.seen_through(root, tested, tasks, noise, pairs, 1)
        test = jax.tree.map(lambda v: v[0], test)
        own = contexts.seen_through(root, compared, tasks, noise, pairs, training.HALVES)

        def error(seen: contexts.Seen, signs: Scalar | float) -> Scalar:
            gamma = training.fit(seen, tasks, signs)
            return training.test_error(gamma, test, covariance, tasks, noise)

        inherited = training.endless(upstream, lambda seen: error(seen, sign))
        best = training.endless(own, lambda seen: error(seen, 1.0))
        blind = noise + jnp.sum(jnp.diagonal(covariance) * tasks)
        return Measures(error=inherited, gain=blind - inherited, regret=inherited - best)

    fields = params.scale, params.turn, params.test_noise
    return jax.vmap(measure)(*(jnp.asarray(v, float) for v in fields))


def _trained(params: Params, ranks: Any, noise: Any) -> World:
    """Law of the prompts trained on: copies are fewer pairs."""
    variances, tasks = _variances(params, ranks)
    split = params.split()
    return World(
        inputs=jnp.diag(variances),
        tasks=jnp.diag(tasks),
        pairs=params.n**2 / (split.fresh + split.repeated * split.repeats**2),
        noise=noise,
        sign=1 - 2 * params.flips,
    )


def _test(params: Params, ranks: Any, scale: Any, turn: Any) -> World:
    variances, tasks = _variances(params, ranks)
    return World(
        inputs=turned(jnp.diag(scale * variances), turn),
        tasks=jnp.diag(tasks),
        pairs=params.test_length,
        noise=params.test_noise,
    )


@record
class Forecast:
    """Quadratic forms in the weights that endless prompts lead to."""

    error: Scalar = predicted(
        statement="v + tr CL - 2 tr LGLC + tr LGSG',  S = (1 + 1/M) LCL + (tr CL + v)/M L of the "
        "test,  G = b^2 C [(b^2 (1 - 1/N) + 2/N) LC + (tr CL + v)/N]^-1 of the training, "
        "b = 1 - 2 flips,  N = n^2/sum of copies^2",
    )
    gain: Scalar = predicted(statement="2 tr LGLC - tr LGSG'")
    regret: Scalar = predicted(statement="error(G) - error(G of the test)")
    best: Scalar
    blind: Scalar


def forecast(params: Params, ranks: Array) -> Forecast:
    """Train and test on endless prompts."""
    weights = best_attention(_trained(params, ranks, params.noise))
    test = _test(params, ranks, params.scale, params.turn)
    error, blind = prompt_error(weights, test), prompt_error(0 * weights, test)
    best = prompt_error(best_attention(test), test)
    return Forecast(error=error, gain=blind - error, regret=error - best, best=best, blind=blind)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach what extrapolating to endless contexts leaves: the second order in their number."""
    left = ((8 + params.d) / TRAINED_ON) ** 2 * (made.error + made.blind)
    return {name: Bound(left, True) for name in ALL}


def _adapted(params: Params, made: Forecast) -> dict[str, Any]:
    """Take the weights for those that the test would train."""
    return {"error": made.best, "gain": made.blind - made.best, "regret": 0 * made.best}


@quickly
def _read_off(params: Params, ranks: Array) -> tuple[Scalar, Array, Scalar]:
    """Return the scale and the noise at which breaks are, and the cubic whose root is the turn."""
    weights = best_attention(_trained(params, ranks, params.noise))
    scale = largest_scale(weights, _test(params, ranks, 1.0, params.turn))
    cubic = turned_gain(weights, _test(params, ranks, params.scale, 0.0))
    test = _test(params, ranks, params.scale, params.turn)
    noise = best_noise(_trained(params, ranks, 0.0), test)
    scale, noise = (jnp.where(place > 0, place, jnp.nan) for place in (scale, noise))
    return scale, cubic, noise


def _places(params: Params, own: str) -> tuple[Scalar, Array, Scalar]:
    """Read off all places at once, the value on one's own axis left at its default."""
    names = (field.name for field in dataclasses.fields(Params))
    others = {name: getattr(params, name) for name in names if name != own}
    found: tuple[Scalar, Array, Scalar] = _read_off(Params(**others), _ranks(params))
    return found


def _scale(params: Params) -> float:
    """Scale of the test's inputs from which on 0 is the better answer; NaN if it always is."""
    return float(_places(params, "scale")[0])


def _turned(params: Params) -> float:
    """Turn from which on 0 is the better answer; NaN if it is from the first, or never."""
    coefficients = np.asarray(_places(params, "turn")[1])[::-1]
    roots = np.roots(coefficients)
    inside = roots.real[(np.abs(roots.imag) < 1e-9) & (np.abs(roots.real) < 1)]
    if np.polyval(coefficients, 1.0) <= 0 or not inside.size:
        return float("nan")
    return float(np.arccos(inside.max()) / np.pi)


def _noise(params: Params) -> float:
    """Noise that makes the weights the test's own; NaN but for isotropic inputs and tasks."""
    if params.decay != 0 or params.tilt != 0:
        return float("nan")
    return float(_places(params, "noise")[2])


PHENOMENON = Phenomenon(
    name="icl_population",
    title="What attention has learnt of its inputs is built in: other inputs are read with it",
    claims=(12,),
    question="How far may inputs shift until reading a context costs more than it tells?",
    model=(
        "Prompts of n pairs x ~ N(0, L), y = x.w + noise, w ~ N(0, C); linear attention answers "
        "x'Gh, h the mean of y x; G is best for endless such prompts, some pairs copies of others, "
        "some labels of the wrong sign. The test has other contexts: L scaled and turned, C the "
        "same."
    ),
    params=Params,
    world=_ranks,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="everywhere",
        order="exact but for the contexts simulated: 1/number^2, docs/attention/icl_population.md",
        source="Zhang, Frei, Bartlett 2024 (JMLR 25(49), arXiv:2306.09927), Ahn et al. 2023 "
        "(arXiv:2306.00297); noise, copies, signs, other tests derived here",
        closed=True,
    ),
    mistakes=(
        Mistake(
            name="inputs as trained on",
            why="the test's inputs are thought to be like those trained on",
            against=ALL,
            params=lambda params: {"scale": 1.0, "turn": 0.0},
        ),
        Mistake(
            name="read from the context",
            why="attention is thought to learn the inputs' covariance from the context it is given",
            against=ALL,
            forecast=_adapted,
        ),
        labels_are_exact(*ALL),
        Mistake(
            name="signs are right",
            why="wrong signs are overlooked",
            against=ALL,
            params=lambda params: {"flips": 0.0},
        ),
        copies_are_fresh(*ALL),
        Mistake(
            name="contexts are exact",
            why="a context trained on is thought to tell its task: then weights are L^-1",
            against=ALL,
            params=lambda params: {"n": ENDLESS, "repeats": 1},
        ),
    ),
    breaks=(
        Break(
            name="scale at which the context stops to help",
            axis="scale",
            measure="gain",
            locator=Crossing(level=0.0, direction="down", log_axis=True),
            statement="[2 tr LGLC - v/M tr LGLG']/[(1 + 1/M) tr LGLCLG' + tr CL/M tr LGLG']",
            closed_form=_scale,
        ),
        Break(
            name="turn at which the context stops to help",
            axis="turn",
            measure="gain",
            locator=Crossing(level=0.0, direction="down"),
            statement="first root of a cubic in cos(pi turn)",
            closed_form=_turned,
        ),
        Break(
            name="noise that suits the shift",
            axis="noise",
            measure="error",
            locator=Valley(log_axis=True),
            statement="isotropic: n {b^2 [(1 + 1/M) s + (d s + v)/M] - b^2 (1 - 1/n) - 2/n} - d",
            closed_form=_noise,
        ),
    ),
)
