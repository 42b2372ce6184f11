"""The table of docs/attention/in_context.md on Markov chains: transformers beside exact levels.

``python paper_figs/_chains.py --run`` trains the networks, some minutes, and keeps what they lose
(paper_figs/data/trained_chains.csv); without ``--run`` it writes the table from that. The levels
are computed by brute force: the Bayes predictors of the tested sequences themselves.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from ci_theory import Status
from ci_theory._keys import key_for, stream
from ci_theory.figures import trained
from ci_theory.locate.survival import Survival
from ci_theory.systems import sequence_decoder
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.systems.sequence_layers import SequenceDecoder
from ci_theory.training import annealing, optimiser

ROOT = Path(__file__).resolve().parents[1]
PAGE, KEPT = (
    ROOT / "docs" / "attention" / "in_context.md",
    ROOT / "paper_figs" / "data" / "trained_chains.csv",
)
BEGIN, END = "<!-- chains: written by `paper_figs/_chains.py` -->\n", "<!-- end of chains -->\n"
SEED, RUNS, TESTS, LEVEL = 13, 10, 1000, 0.95
STATES, LENGTH, MANY = 3, 32, 32
SHAPE = Shape(
    reads="tokens", inputs=STATES, outputs=STATES, d=32, layers=2, norm=True, length=LENGTH
)
RATE, STAIRS, EACH = 0.01, 10, 100
AT = (0, 25, 50, 75, 100, 125, 150, 175, 200, 250, 300, 350, 400, 500, 600, 700, 800, 900, 1000)
POOLS = {"endless": 0, "64 chains": 64, "8 chains": 8}
TESTED = ("own", "fresh")


# --- runs ---------------------------------------------------------------------------------------


def rows(key: Any, chains: int) -> Any:
    """Draw chains whose rows are uniform on the simplex, (k, K, K)."""
    size = jax.random.exponential(key, (chains, STATES, STATES), jnp.float32)
    return size / jnp.sum(size, axis=2, keepdims=True)


def walk(key: Any, chains: Any) -> Any:
    """Walk along each chain from a uniform state, (n, LENGTH + 1)."""
    count = len(chains)
    ends, each = jnp.cumsum(chains, axis=2), jnp.arange(count)
    first = jax.random.randint(stream(key, "start"), (count,), 0, STATES)
    luck = jax.random.uniform(stream(key, "steps"), (LENGTH, count))

    def step(at: Any, u: Any) -> tuple[Any, Any]:
        beyond = u[:, None] >= ends[each, at]
        to = jnp.minimum(jnp.sum(beyond, axis=1), STATES - 1).astype(at.dtype)
        return to, to

    return jnp.concatenate([first[None], jax.lax.scan(step, first, luck)[1]]).T


def lost(chances: Any, states: Any) -> Any:
    """Return the mean loss over the second half of the sequences [nat]."""
    told = jnp.take_along_axis(chances, states[:, 1:, None], axis=2)[:, :, 0]
    return -jnp.mean(jnp.log(told)[:, LENGTH // 2 :])


def levels(states: Any, pool: Any) -> dict[str, Any]:
    """Return what predictors lose that know no order, unknown chains, and the pool.

    The first counts states, the second steps, each with one more of every kind (Bayes for rows
    that are uniform on the simplex); the third is Bayes for a chain of the pool.
    """
    met = jax.nn.one_hot(states, STATES)
    seen = jnp.cumsum(met, axis=1)[:, :-1] + 1
    steps = met[:, :-1, :, None] * met[:, 1:, None, :]
    before = jnp.cumsum(steps, axis=1) - steps
    row = jnp.einsum("bts,btsu->btu", met[:, :-1], before) + 1
    found = {
        "unigram": lost(seen / jnp.sum(seen, axis=2, keepdims=True), states),
        "bigram": lost(row / jnp.sum(row, axis=2, keepdims=True), states),
    }
    if len(pool):
        evidence = jnp.einsum("btsu,ksu->btk", before, jnp.log(pool))
        share = jax.nn.softmax(evidence, axis=2)
        next_ = jnp.einsum("btk,ksu,bts->btu", share, pool, met[:, :-1])
        found["pool"] = lost(next_, states)
    return found


def simulate(key: Any, chains: int) -> dict[str, Any]:
    """Train on endless chains (0) or on a pool, and test on its chains and on new ones."""
    pool = rows(stream(key, "pool"), chains)

    def own(key: Any, n: int) -> Any:
        if not chains:
            return walk(key, rows(stream(key, "rows"), n))
        return walk(key, pool[jax.random.randint(stream(key, "which"), (n,), 0, chains)])

    def loss(weights: Any, states: Any) -> Any:
        logits = sequence_decoder.apply(weights, SHAPE, states[:, :-1])
        ones = jnp.ones(states[:, 1:].size, logits.dtype)
        return optimiser.cross_entropy(logits.reshape(-1, STATES), states[:, 1:].ravel(), ones)

    tests = {"own": own(stream(key, "test own"), TESTS)}
    away = stream(key, "test fresh")
    tests["fresh"] = walk(away, rows(stream(away, "rows"), TESTS))

    def measure(weights: Any) -> dict[str, Any]:
        def chances(states: Any) -> Any:
            return jax.nn.softmax(sequence_decoder.apply(weights, SHAPE, states[:, :-1]))

        return {name: lost(chances(states), states) for name, states in tests.items()}

    course = optimiser.Course(
        loss=loss,
        rule=optimiser.AdamW(rate=RATE),
        steps=jnp.asarray(AT, jnp.int32),
        measure=measure,
        draw=lambda step: own(jax.random.fold_in(stream(key, "batches"), step), MANY),
    )
    start = sequence_decoder.init(key, SHAPE, 1.0, jnp.float32)
    made = annealing.anneal(course, start, stairs=STAIRS, each=EACH).measures
    return {name: {"network": made[name], **levels(states, pool)} for name, states in tests.items()}


def run() -> None:
    """Train everything and keep it."""
    lines = []
    for place, (case, chains) in enumerate(POOLS.items()):
        one = jax.jit(lambda key, chains=chains: simulate(key, chains))
        for index in range(RUNS):
            for tested, made in one(key_for(SEED, place, 0, index)).items():
                for name, values in made.items():
                    each = np.atleast_1d(values)
                    steps = AT if len(each) > 1 else ("",)
                    lines += [
                        f"{case},{tested},{name},{index},{step},{value:.6g}"
                        for step, value in zip(steps, each, strict=True)
                    ]
        print(case, file=sys.stderr, flush=True)
    title = "a transformer of two layers, attention alone, trained on Markov chains"
    trained.keep(KEPT, title, PARTS, SEED, "case,tested,what,run,step,loss", lines)


PARTS = (sequence_decoder.init, sequence_decoder.apply, SequenceDecoder, annealing.anneal)
"""What of the package the runs reach."""


# --- the table ----------------------------------------------------------------------------------


class Tested(NamedTuple):
    """What networks lose after every number of steps (r, t), and the levels of the same tests."""

    network: np.ndarray
    levels: dict[str, np.ndarray]


def read() -> dict[tuple[str, str], Tested]:
    """Return what was kept: (case, tested) -> losses."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for case, tested, what, _, _, loss in trained.rows(KEPT):
        found.setdefault((case, tested, what), []).append(float(loss))
    made = {}
    for case in POOLS:
        for tested in TESTED:
            told = {w: np.array(v) for (c, t, w), v in found.items() if (c, t) == (case, tested)}
            made[case, tested] = Tested(told.pop("network").reshape(RUNS, len(AT)), told)
    return made


def way(tested: Tested) -> np.ndarray:
    """Return how far the networks have come from the unigram to the bigram level, (r, t)."""
    top, low = tested.levels["unigram"][:, None], tested.levels["bigram"][:, None]
    return (top - tested.network) / (top - low)


def share(tested: Tested) -> str:
    """Return how far networks have come at the end, in %."""
    come = 100 * way(tested)[:, -1]
    half = stats.t.ppf(0.5 + LEVEL / 2, RUNS - 1) * come.std(ddof=1) / RUNS**0.5
    return f"{come.mean():.0f} % [{come.mean() - half:.0f}, {come.mean() + half:.0f}]"


def onset(tested: Tested) -> str:
    """Return the step by which half of the networks have done half of that way."""
    found = Survival(level=0.5, confidence=LEVEL).locate(AT, way(tested))
    middle = np.inf if found.status == Status.CENSORED else found.value
    return f"{middle:.0f} [{found.low:.0f}, {found.high:.0f}]".replace("inf", "later")


def table(kept: dict[tuple[str, str], Tested]) -> str:
    """Return the table as text."""
    lines = [
        "| trained on | tested on | unigram | bigram | pool | network | of the way | half at |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (case, name), tested in kept.items():
        exact = [f"{tested.levels[w].mean():.4f}" for w in ("unigram", "bigram")]
        exact.append(f"{tested.levels['pool'].mean():.4f}" if "pool" in tested.levels else "-")
        end = f"{tested.network[:, -1].mean():.4f}"
        cells = [case, name, *exact, end, share(tested), onset(tested)]
        if case != "endless" or name == "fresh":  # whose own chains are new ones
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table into the page, after new runs if asked for."""
    if "--run" in sys.argv[1:]:
        run()
    trained.write_between(PAGE, BEGIN, END, table(read()))


if __name__ == "__main__":
    main()
