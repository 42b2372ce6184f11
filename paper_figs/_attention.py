"""The table of docs/attention/in_context.md: linear attention's closed forms in trained networks.

``python paper_figs/_attention.py --run`` trains the networks, some minutes, and keeps what they
answer (paper_figs/data/trained_attention.csv); without ``--run`` it writes the table from that.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from ci_theory import enable_float64
from ci_theory._keys import key_for, stream
from ci_theory.biases import noise as label_noise
from ci_theory.biases import repetition
from ci_theory.figures import trained
from ci_theory.inherit import prompt_networks
from ci_theory.inherit.prompt_networks import Fixed, Schedule
from ci_theory.phenomena import load, predict
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.systems.sequence_layers import SequenceDecoder
from ci_theory.tasks import prompts, written_prompts
from ci_theory.theory.attention.population import (
    World,
    best_attention,
    largest_scale,
    prompt_error,
)
from ci_theory.training import linear_attention, prompt_decoder

ROOT = Path(__file__).resolve().parents[1]
PAGE, KEPT = (
    ROOT / "docs" / "attention" / "in_context.md",
    ROOT / "paper_figs" / "data" / "trained_attention.csv",
)
BEGIN, END = "<!-- table: written by `paper_figs/_attention.py` -->\n", "<!-- end of table -->\n"
SEED, RUNS, TESTS, LEVEL = 12, 12, 4000, 0.95
NETWORKS = ("linear", "softmax")
SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
D, LENGTH, NOISE, MANY = 5, 10, 0.1, 64
ENDLESS = Schedule(rate=0.02, stairs=20, each=150)
AGAIN = Schedule(rate=0.02, stairs=20, each=100)
FEW = (2, 20)
FIXED = {"n": 96, "tasks": 8, "d": 8, "length": 16, "noise": 0.25, "ridge": 0.05}
COPIES = {"once": {}, "copies": {"repeated_fraction": 0.5, "repeats": 4}}

Numbers = dict[str, tuple[Any, Any]]  # quantity -> what a network does, what the formula says


def shape(network: str, d: int) -> Shape:
    """Return the network: four heads, and room for all that a token holds in each."""
    return Shape(reads="vectors", inputs=d + 1, outputs=1, d=4 * d, heads=4, attention=network)


# --- runs ---------------------------------------------------------------------------------------


def endless(key: Any, network: str) -> Numbers:
    """Endless tasks, inputs of covariance diag(1/i): tested at home and away."""
    slope, unit, made = jnp.diag(jnp.arange(1.0, D + 1) ** -0.5), jnp.eye(D), shape(network, D)
    home = World(inputs=slope**2, tasks=unit, pairs=float(LENGTH), noise=NOISE)
    best, length = best_attention(home), LENGTH
    draw = prompt_networks.endless_tasks(unit, slope, length, NOISE)
    weights = prompt_networks.taught_endlessly(key, made, draw, MANY, ENDLESS)

    def away(name: str, root: Any, pairs: int) -> tuple[Any, Any]:
        seen = prompt_networks.endless_tasks(unit, root, pairs, NOISE)(
            stream(key, f"test {name}"), TESTS
        )
        there = World(inputs=root @ root.T, tasks=unit, pairs=float(pairs), noise=NOISE)
        # the mean that attention takes counts the query too
        same = best * pairs / (pairs + 1) * (length + 1) / length
        told = prompt_error(same, there)
        return told + prompt_networks.apart(weights, made, seen, same)[0], told

    found = {
        "home": away("home", slope, length),
        "turned": away("turned", slope[::-1, ::-1], length),
        "long": away("long", slope, 4 * length),
    }
    for scale in SCALES:
        error, told = away(f"scale {scale}", scale**0.5 * slope, length)
        nothing = NOISE + scale * jnp.trace(home.inputs)
        found[f"gain {scale}"] = nothing - error, nothing - told
    return found


def few(key: Any, network: str, k: int) -> Numbers:
    """Endless prompts of k tasks: tested on these and on new ones."""
    made, unit = shape(network, D), jnp.eye(D) / D**0.5
    w = prompts.tasks(key, k, D)
    world = World(inputs=unit**2, tasks=w.T @ w / k, pairs=float(LENGTH), noise=NOISE)
    best = best_attention(world)
    draw = prompt_networks.few_tasks(w, unit, LENGTH, NOISE)
    weights = prompt_networks.taught_endlessly(key, made, draw, MANY, ENDLESS)
    fresh = prompts.tasks(stream(key, "fresh"), TESTS, D)
    tests = {"trained": (draw, world.tasks)}
    tests["fresh"] = prompt_networks.few_tasks(fresh, unit, LENGTH, NOISE), jnp.eye(D)
    return _tested(key, made, weights, best, tests, LENGTH, NOISE, world.inputs)


def again(key: Any, network: str, copies: dict[str, Any]) -> Numbers:
    """A few prompts again and again: beside the minimum of the same loss, on any tasks."""
    d, k, n, length = (FIXED[name] for name in ("d", "tasks", "n", "length"))
    noise, made, unit = FIXED["noise"], shape(network, d), jnp.eye(d) / d**0.5
    w = prompts.tasks(key, k, d)
    split = repetition.counts(
        float(n), copies.get("repeated_fraction", 0.0), copies.get("repeats", 1)
    )
    counts = repetition.weights(split, n)
    seen = prompt_networks.few_tasks(w, unit, length, noise)(key, n)
    labels = seen.answer + noise**0.5 * label_noise.draw(key, n, seen.answer.dtype)
    ridge = FIXED["ridge"] * n / d**3  # of x'Gh with h the mean of y x: Gamma = G/d
    x, h = written_prompts.summary(seen.tokens)
    exact = linear_attention.fit(x, h, labels, counts, jnp.asarray(ridge)).gamma
    fixed = Fixed(seen.tokens, labels, counts)
    weights = prompt_networks.taught_again(key, made, fixed, ridge, AGAIN)

    def objective(matrix: Any) -> Any:
        missed = (labels - jnp.sum((x @ matrix) * h, axis=1)) ** 2
        return jnp.sum(counts * missed) + ridge * jnp.sum(matrix**2)

    tests = {"trained": (prompt_networks.few_tasks(w, unit, length, noise), w.T @ w / k)}
    fresh = prompts.tasks(stream(key, "fresh"), TESTS, d)
    tests["fresh"] = prompt_networks.few_tasks(fresh, unit, length, noise), jnp.eye(d)
    found = _tested(key, made, weights, exact, tests, length, noise, unit**2)
    fit = prompt_decoder.loss(weights, made, seen.tokens, labels, counts)
    if made.bilinear:
        fit = fit + ridge * jnp.sum(prompt_decoder.learned(weights, made, length) ** 2)
    return {**found, "loss": (fit, objective(exact))}


def _tested(
    key: Any,
    made: Shape,
    weights: Any,
    best: Any,
    tests: Any,
    length: int,
    noise: float,
    inputs: Any,
) -> Numbers:
    found = {}
    for name, (draw, tasks) in tests.items():
        there = World(inputs=inputs, tasks=tasks, pairs=float(length), noise=noise)
        told = prompt_error(best, there)
        drawn = draw(stream(key, f"test {name}"), TESTS)
        found[name] = told + prompt_networks.apart(weights, made, drawn, best)[0], told
    return found


CASES: dict[str, Callable[[Any, str], Numbers]] = {
    "endless": endless,
    **{f"few {k}": (lambda key, network, k=k: few(key, network, k)) for k in FEW},
    **{
        name: (lambda key, network, copies=copies: again(key, network, copies))
        for name, copies in COPIES.items()
    },
}


def run() -> None:
    """Train everything and keep it."""
    lines = []
    for place, (case, simulate) in enumerate(CASES.items()):
        for network in NETWORKS:
            one = jax.jit(lambda key, s=simulate, network=network: s(key, network))
            for index in range(RUNS):
                made = one(key_for(SEED, place, 0, index))  # the same prompts for every network
                for name, (value, told) in made.items():
                    lines.append(f"{case},{network},{name},{index},{value:.8g},{told:.8g}")
            print(case, network, file=sys.stderr, flush=True)
    title = "networks of one layer of attention trained on prompts of linear regression"
    trained.keep(KEPT, title, PARTS, SEED, "case,network,quantity,run,value,formula", lines)


PARTS = (
    prompt_networks.taught_endlessly,
    prompt_networks.taught_again,
    prompt_networks.endless_tasks,
    prompt_networks.few_tasks,
    prompt_networks.apart,
    SequenceDecoder,
)
"""What of the package the runs reach."""

# --- the table ----------------------------------------------------------------------------------


class Runs(NamedTuple):
    """What networks do and what the formula says, run by run."""

    value: np.ndarray
    told: np.ndarray


def read() -> dict[tuple[str, str, str], Runs]:
    """Return what was kept: (case, network, quantity) -> runs."""
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for case, network, quantity, _, value, told in trained.rows(KEPT):
        found.setdefault((case, network, quantity), []).append((float(value), float(told)))
    return {place: Runs(*np.array(rows).T) for place, rows in found.items()}


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return a mean and its t interval."""
    mean, count = float(values.mean()), len(values)
    half = stats.t.ppf(0.5 + LEVEL / 2, count - 1) * values.std(ddof=1) / count**0.5
    return mean, mean - half, mean + half


def cell(runs: Runs) -> str:
    """Return what networks do, in words of what the formula says: mean and interval of the gap."""
    base = runs.told.mean()
    mean, low, high = (100 * v / base for v in interval(runs.value - runs.told))
    return f"{runs.value.mean():.3g} ({mean:+.2g} % [{low:+.2g}, {high:+.2g}])"


def crossing(gains: np.ndarray) -> np.ndarray:
    """Return the scale at which each run's gain falls to 0; infinite where it does not."""
    found = []
    for row in gains:
        below = np.flatnonzero(row < 0)
        if not len(below):
            found.append(np.inf)
        elif below[0] == 0:
            found.append(SCALES[0])
        else:
            at = below[0]
            share = row[at - 1] / (row[at - 1] - row[at])
            found.append(SCALES[at - 1] + share * (SCALES[at] - SCALES[at - 1]))
    return np.array(found)


ROWS = (
    ("endless", "home", "endless tasks and prompts: error"),
    ("endless", "turned", "the inputs' covariance turned around: error"),
    ("endless", "long", "contexts four times as long: error"),
    *(
        (f"few {k}", name, f"endless prompts of {k} tasks (d = {D}): error on {words}")
        for k in FEW
        for name, words in (("trained", "these"), ("fresh", "new ones"))
    ),
    *(
        (case, name, f"{words}: error on {tasks}")
        for case, words in (
            ("once", "96 prompts again and again"),
            ("copies", "half of the 96 are copies of twelve"),
        )
        for name, tasks in (("trained", "their 8 tasks"), ("fresh", "new ones"))
    ),
)


def table(kept: dict[tuple[str, str, str], Runs], forecasts: dict[tuple[str, str], str]) -> str:
    """Return the table as text."""
    lines = [
        "| | exact | linear attention, trained | softmax attention, trained |",
        "|---|---|---|---|",
    ]
    for case, quantity, words in ROWS:
        both = [kept[case, network, quantity] for network in NETWORKS]
        told = f"{both[0].told.mean():.3g}"
        if case in COPIES:
            _, low, high = interval(both[0].told)
            told = f"{told} [{low:.3g}, {high:.3g}]; forecast {forecasts.get((case, quantity))}"
        lines.append(f"| {words} | {told} | {cell(both[0])} | {cell(both[1])} |")
    places = []
    for network in NETWORKS:
        gains = [kept["endless", network, f"gain {scale}"].value for scale in SCALES]
        each = crossing(np.stack(gains, axis=1))
        low, high = np.sort(each)[[2, len(each) - 3]]
        places.append(f"{np.median(each):.3g} [{low:.3g}, {high:.3g}]")
    words = "factor on the inputs' covariance beyond which a context harms"
    lines.append(f"| {words} | {edge():.3g} | {' | '.join(places)} |")
    return "\n".join(lines) + f"\n\n{landing(kept)}\n"


def landing(kept: dict[tuple[str, str, str], Runs]) -> str:
    """Return how near the linear networks come to the minimum of their own loss."""
    losses = [kept[case, "linear", "loss"] for case in COPIES]
    gap = max(np.max(loss.value / loss.told - 1) for loss in losses)
    home = kept["endless", "linear", "home"]
    fresh = [kept[case, "linear", "fresh"] for case in COPIES]
    far = sum(int(np.sum(one.value / one.told - 1 > 0.01)) for one in fresh)
    return (
        f"Optimisation error of linear attention, the worst run: with the same prompts again and "
        f"again {gap:.0e} of the loss; with fresh ones {np.max(home.value / home.told - 1):.1g} of "
        f"the error. Runs with the same prompts that err by more than 1 % more on other prompts "
        f"than the matrix that they have learnt: {far} of {len(COPIES) * RUNS}."
    )


def edge() -> float:
    """Return the largest scale by the closed form."""
    slope = jnp.diag(1 / jnp.arange(1.0, D + 1))
    home = World(inputs=slope, tasks=jnp.eye(D), pairs=float(LENGTH), noise=NOISE)
    return float(largest_scale(best_attention(home), home))


def forecasts() -> dict[tuple[str, str], str]:
    """Return the limits of many dimensions, with their slack, of what is seen again and again."""
    found = {}
    for case, copies in COPIES.items():
        point = {**FIXED, **copies, "query_noise": FIXED["noise"], "test_noise": FIXED["noise"]}
        point["test_length"] = FIXED["length"]
        for name, one in predict(load("icl_linear_attention"), point).items():
            value, slack = (np.asarray(v).item() for v in (one.estimate.value, one.estimate.slack))
            found[case, name.removesuffix("_error")] = f"{value:.3g} ± {slack:.1g}"
    return found


def main() -> None:
    """Write the table into the page, after new runs if asked for."""
    enable_float64()
    if "--run" in sys.argv[1:]:
        run()
    trained.write_between(PAGE, BEGIN, END, table(read(), forecasts()))


if __name__ == "__main__":
    main()
