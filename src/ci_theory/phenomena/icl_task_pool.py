"""Bayes on a pool of tasks against ridge: how large a pool, and how many new tasks, decide."""

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import zipf
from ci_theory.theory.attention.even_pool import EvenPool, PoolNodes, even_pool, pool_nodes

ALL = ("gain", "loss", "advantage")
PROMPTS = 128  # of tasks of the pool, and as many of new ones, that a run draws
LEAST = 0.2  # variance of what a context tells of its task, from which on integrals are exact
CLOSE = 1e-3


@record
class Params(repetition.Repetition):
    """A pool of regression tasks that is known by heart, and prompts of them and of new ones."""

    ROWS: ClassVar[str] = "pool"

    pool: int = sized(16, low=1, unit="tasks", doc="tasks of the pool, copies included")
    d: int = static(4, low=2, high=8, unit="inputs", doc="input dimension")
    frames: int = traced(
        1, low=1, high=100, unit="d pairs", doc="orthonormal frames that a context's inputs fill"
    )
    noise: float = traced(
        0.5, low=0.01, high=100, unit="label²", doc="label-noise variance in contexts"
    )
    new: float = inner(0.3, low=0, high=1, unit="", doc="share of new tasks among those asked for")

    def spread(self) -> Scalar:
        """Return the variance of what a context tells, in every direction."""
        return jnp.asarray(self.noise, float) / jnp.asarray(self.frames, float)


@record
class Measures:
    """Means over prompts, exact over the task given the pool and the prompt."""

    gain: Float[Array, " m"] = measured(
        unit="label²", doc="error of ridge less that of who knows the pool, on its tasks"
    )
    loss: Float[Array, " m"] = measured(
        unit="label²", doc="error of who knows the pool less that of ridge, on new tasks"
    )
    advantage: Float[Array, " m"] = measured(
        unit="label²", doc="(1 - new) gain - new loss: positive where the pool is worth knowing"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw a pool and what contexts tell of its tasks and of new ones; answer with both."""
    size, d = capacity["pool"], params.d
    spread = params.spread()
    pool = jax.random.normal(stream(key, "pool"), (size, d))
    weights = repetition.weights(params.split(), size)
    which = zipf.draws(stream(key, "which"), weights / jnp.sum(weights), PROMPTS)
    fresh = jax.random.normal(stream(key, "fresh"), (PROMPTS, d))
    tasks = jnp.concatenate([pool[which], fresh])
    told = tasks + jnp.sqrt(spread) * jax.random.normal(stream(key, "told"), tasks.shape)
    missed = jnp.sum((told[:, None, :] - pool[None, :, :]) ** 2, axis=2)
    chance = jax.nn.softmax(jnp.log(weights)[None, :] - missed / (2 * spread), axis=1)
    answer = chance @ pool
    square = chance @ jnp.sum(pool**2, axis=1) - jnp.sum(answer**2, axis=1)  # about the answer
    ridge = spread / (1 + spread)
    gain = ridge - jnp.mean(square[:PROMPTS]) / d
    moved = jnp.sum((answer - told / (1 + spread)) ** 2, axis=1)
    loss = jnp.mean(moved[PROMPTS:]) / d
    new = jnp.asarray(params.new)
    shape = jnp.shape(new)
    return Measures(
        gain=jnp.broadcast_to(gain, shape),
        loss=jnp.broadcast_to(loss, shape),
        advantage=(1 - new) * gain - new * loss,
    )


@record
class Forecast:
    """Integrals over the Laplace transform of a task's weight."""

    gain: Scalar = predicted(
        statement="E int |V|^2 e^(-t S) dt/(C d),  S = sum c r,  V = sum c r (w - m),  C = sum c,  "
        "r = p(z|w)/p(z),  z = w + sqrt(noise/frames) e,  m = z/(1 + noise/frames)",
    )
    loss: Scalar = predicted(statement="E int t |V|^2 e^(-t S) dt/d")
    advantage: Scalar = predicted(statement="(1 - new) gain - new loss")
    made: EvenPool


def _forecast(params: Params, made: EvenPool) -> Forecast:
    new = jnp.asarray(params.new, float)
    advantage = (1 - new) * made.gain - new * made.loss
    return Forecast(gain=made.gain, loss=made.loss, advantage=advantage, made=made)


def world(params: Params) -> PoolNodes:
    """Place the points of integration."""
    return pool_nodes(params.d)


def _made(params: Params, nodes: PoolNodes) -> EvenPool:
    return even_pool(nodes, *params.split(), params.spread())


def forecast(params: Params, nodes: PoolNodes) -> Forecast:
    """Integrate for this pool."""
    return _forecast(params, _made(params, nodes))


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach what points of integration may leave, and a floor for small pools' rounding."""
    both = made.made.gain + made.made.loss
    valid = (params.spread() >= LEAST) & (made.made.off < CLOSE)
    shares = {"gain": made.made.gain, "loss": made.made.loss, "advantage": both}
    return {name: Bound(CLOSE * value, valid) for name, value in shares.items()}


def _many(params: Params, made: Forecast) -> Forecast:
    """Take the pool for one of very many tasks: gain = loss = K sum c^2/C^2."""
    once, copied, copies = params.split()
    effective = (once + copied * copies**2) / (once + copied * copies) ** 2
    each = effective * (1 + 1 / params.spread()) ** (params.d - 1)
    return _forecast(params, made.made._replace(gain=each, loss=each))


def _sure(params: Params, made: Forecast) -> Forecast:
    """Think that a context always tells which task of the pool it is of."""
    return _forecast(params, made.made._replace(gain=made.made.ridge))


@quickly
def _share(params: Params, nodes: PoolNodes) -> Scalar:
    """Share of new tasks from which on ridge errs less."""
    made = _made(params, nodes)
    return made.gain / (made.gain + made.loss)


PHENOMENON = Phenomenon(
    name="icl_task_pool",
    title="A pool of tasks known by heart against ridge: which is better depends on what is asked",
    claims=(12,),
    question="From how many tasks on, and up to how many new ones, is a pool worth knowing?",
    model=(
        "Tasks w ~ N(0, I), labels y = x.w + noise; the inputs of a context fill orthonormal "
        "frames. Who knows the pool, some of whose tasks come several times, answers with its "
        "exact posterior mean; who knows the law of tasks only, with ridge. Asked for tasks of "
        "the pool, and a share `new` of new ones."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope=f"d <= 8, noise/frames >= {LEAST}",
        order="exact but for points of integration, below 1e-3",
        source="derived here, docs/attention/in_context.md; both predictors: Raventos, Paul, Chen, "
        "Ganguli 2023 (arXiv:2306.15063)",
        closed=True,
    ),
    mistakes=(
        copies_are_fresh(*ALL),
        noise_halved(*ALL),
        Mistake(
            name="very many tasks",
            why="the law of very many tasks, gain = loss = K/k, is taken for that of any number",
            against=ALL,
            forecast=_many,
        ),
        Mistake(
            name="the task is recognised",
            why="a context is thought to tell for sure which task of the pool it is of",
            against=("gain", "advantage"),
            forecast=_sure,
        ),
    ),
    breaks=(
        Break(
            name="pool worth knowing",
            axis="pool",
            measure="advantage",
            locator=Crossing(level=0.0, direction="up", log_axis=True),
            statement="(1 - new) gain = new loss",
        ),
        Break(
            name="new tasks that ridge is better for",
            axis="new",
            measure="advantage",
            locator=Crossing(level=0.0, direction="down"),
            statement="gain/(gain + loss)",
            closed_form=lambda params: _share(params, world(params)),
        ),
    ),
)
