"""Linear attention trained on few tasks: it learns these, or it learns to learn new ones."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import label_flips, noise, repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.peak import Peak
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import contexts_are_exact, copies_are_fresh, labels_are_exact
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.tasks import prompts
from ci_theory.theory.attention.linear_attention import (
    Attention,
    Prompts,
    contexts,
    linear_attention,
)
from ci_theory.theory.attention.prompt_sizes import sized_contexts
from ci_theory.training import linear_attention as training

ALL = ("trained_error", "fresh_error", "gap")
LEVEL = 0.25  # of the gap: new tasks are learnt in context to that
FEWEST = 8  # dimensions
ENDLESS = 1e9  # tasks that are never met twice


@record
class Params(repetition.Repetition):
    """Linear attention fitted to prompts of k linear regression tasks."""

    n: int = sized(512, low=1, unit="prompts", doc="prompts trained on, copies included")
    tasks: int = sized(16, low=1, unit="tasks", doc="tasks that take turns in them: k")
    d: int = static(16, low=2, high=4096, unit="inputs", doc="input dimension: d^2 weights")
    length: int = traced(32, low=2, unit="pairs", doc="pairs of a context: l")
    noise: float = traced(
        0.25, low=0, unit="label²", doc="label-noise variance in the contexts trained on"
    )
    query_noise: float = inner(
        0.25, low=0, unit="label²", doc="label-noise variance of the queries trained on"
    )
    flips: float = inner(
        0.0, low=0, high=1, unit="", doc="chance that a query trained on has the wrong sign"
    )
    ridge: float = inner(
        0.05, above=0, unit="", doc="penalty on |Gamma|^2 a prompt, over d: n/d of it in all"
    )
    test_length: int = inner(32, low=2, unit="pairs", doc="pairs of a context of the test")
    test_noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance of the test")


@record
class Measures:
    """Exact given the weights: no prompt is drawn for a test."""

    trained_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on noisy queries of the tasks trained on"
    )
    fresh_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on noisy queries of new tasks"
    )
    gap: Float[Array, " m"] = measured(unit="label²", doc="fresh_error less trained_error")


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw what the attention sees of every prompt, fit all labels and ridges, test exactly."""
    n, d = capacity["n"], params.d
    count = jnp.asarray(params.tasks)
    w = prompts.tasks(key, capacity["tasks"], d)
    seen = prompts.draw(key, w[prompts.in_turn(n, count)], params.length, params.noise)
    error = noise.draw(key, n, seen.answer.dtype)
    threshold = label_flips.thresholds(key, (n,), seen.answer.dtype)
    weights = repetition.weights(params.split(), n)
    there = jnp.arange(capacity["tasks"]) < count
    moment = (w * there[:, None]).T @ w / count

    def errors(ridge: Array, variance: Array, flips: Array, *test: Array) -> tuple[Array, Array]:
        labels = seen.answer + jnp.sqrt(variance) * error
        labels = jnp.where(threshold < flips, -labels, labels)
        total = ridge * params.n / d
        gamma = training.fit(seen.query, seen.summary, labels, weights, total).gamma
        made = [training.test_error(gamma, tested, *test) for tested in (moment, jnp.eye(d))]
        return made[0], made[1]

    inner_fields = params.ridge, params.query_noise, params.flips
    tests = params.test_length, params.test_noise
    trained, fresh = jax.vmap(errors)(*(jnp.asarray(v) for v in (*inner_fields, *tests)))
    return Measures(trained_error=trained, fresh_error=fresh, gap=fresh - trained)


@record
class Forecast:
    """Errors on trained and on new tasks."""

    trained_error: Scalar = predicted(
        statement="rho + 1 - 2 c <L^2/(L + nu)> + <(a L + b)(c^2 L^2/(L + nu)^2 + V)>,  L the "
        "spectrum of the tasks, nu = (ridge n/d^2 + sum omega b)/(a sum omega), b = d (1 + rho)/l, "
        "c = 1 - 2 flips",
    )
    fresh_error: Scalar = predicted(
        statement="rho + 1 - 2 c <L/(L + nu)> + (a + b) <c^2 L^2/(L + nu)^2 + V>"
    )
    gap: Scalar = predicted(statement="fresh_error - trained_error")
    made: Attention
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Evaluate the deterministic equivalent: prompts of all lengths, seen once or repeated."""
    split, weights = params.split(), params.d * params.d
    shares, kinds = sized_contexts(
        params.d, params.length, params.noise, params.query_noise, params.flips
    )
    once, copies = split.fresh * shares / weights, split.repeated * shares / weights
    trained_on = Prompts(
        counts=jnp.concatenate([once, copies]),
        weights=jnp.concatenate([jnp.ones_like(shares), split.repeats * jnp.ones_like(shares)]),
        contexts=jax.tree.map(lambda v: jnp.concatenate([v, v]), kinds),
        ridge=params.ridge * params.n / weights,
    )
    test = contexts(
        params.test_length / params.d,
        params.test_noise,
        params.test_noise,
        length=params.test_length,
    )
    made = linear_attention(trained_on, params.tasks / params.d, test)
    return Forecast(
        trained_error=made.trained_error,
        fresh_error=made.fresh_error,
        gap=made.fresh_error - made.trained_error,
        made=made,
        status=made.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach an audited share of the excess error, and more where prompts are few or used up.

    What prompts of different lengths leave is of order 1/d too, and smaller: docs/finite_size.md.
    """
    d = params.d
    beyond = 0.5 / (d * jnp.maximum(made.made.free, 1e-9)) ** 2
    first = jnp.maximum(1 / d, d / params.distinct())
    trained, fresh = made.trained_error - params.test_noise, made.fresh_error - params.test_noise
    enough = (d >= FEWEST) & (params.tasks >= d / 5) & (params.length >= d / 2)
    enough = enough & (params.n >= d**2 / 5)
    return {
        "trained_error": Bound((0.4 * first + beyond) * trained, enough),
        "fresh_error": Bound((0.4 * first + beyond) * fresh, enough),
        "gap": Bound((0.6 * first + beyond) * (jnp.abs(made.gap) + 0.1 * fresh), enough),
    }


def _peak(params: Params) -> float:
    """Prompts of which as many are distinct as there are weights."""
    return params.d**2 / (1 - params.copied()) if params.copied() < 1 else float("nan")


PHENOMENON = Phenomenon(
    name="icl_linear_attention",
    title="Linear attention trained on few tasks learns these, on many it learns to learn",
    claims=(12,),
    question="How many tasks, prompts and clean labels make a model learn new tasks in context?",
    model=(
        "Prompts of l pairs x ~ N(0, I/d), y = x.w + noise, and a query, of k tasks |w|^2 = d in "
        "turn. Linear attention answers x'Gamma h, h = (d/l) sum y x; Gamma minimises "
        "sum c (y - x'Gamma h)^2 + (n/d) ridge |Gamma|^2 over n prompts. Tested on the tasks "
        "trained on and on new ones."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="d -> infinity at fixed l/d, k/d, n/d^2; here d >= 8, k >= d/5, l >= d/2, n >= d^2/5",
        order="1/d, of which the lengths of prompts are computed; the rest audited, "
        "docs/finite_size.md",
        source="Lu, Letey, Zavatone-Veth, Maiti, Pehlevan 2025 (PNAS 122, arXiv:2405.11751); "
        "copies, flips and other tests derived here, docs/attention/in_context.md",
    ),
    mistakes=(
        labels_are_exact(*ALL, fields=("noise", "query_noise")),
        Mistake(
            name="tasks are endless",
            why="every prompt is thought to be of a task of its own",
            against=ALL,
            params=lambda params: {"tasks": ENDLESS},
        ),
        copies_are_fresh(*ALL),
        Mistake(
            name="signs are right",
            why="wrong signs of queries are overlooked",
            against=ALL,
            params=lambda params: {"flips": 0.0},
        ),
        contexts_are_exact(*ALL),
    ),
    breaks=(
        Break(
            name="peak in n",
            axis="n",
            measure="fresh_error",
            locator=Peak(),
            statement="d^2 distinct prompts, n = d^2/(1 - share of copies), as ridge -> 0",
            closed_form=_peak,
        ),
        Break(
            name="new tasks are learnt",
            axis="tasks",
            measure="gap",
            locator=Crossing(level=LEVEL, direction="down", log_axis=True),
            statement=f"(1 - {LEVEL}) d for endless prompts, n/d^2 -> infinity, then l/d",
            closed_form=lambda params: (1 - LEVEL) * params.d,
        ),
    ),
)
