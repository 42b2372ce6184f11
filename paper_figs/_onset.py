"""The table of docs/dynamics/induction_onset.md: when heads appear, in networks and reduced.

``python paper_figs/_onset.py --run`` trains the networks, a quarter of an hour, and keeps what they
lose (paper_figs/data/trained_onset.csv); without ``--run`` it writes the table from that.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory import Status, enable_float64
from ci_theory._keys import key_for, stream
from ci_theory.figures import trained
from ci_theory.locate.survival import Survival
from ci_theory.systems import sequence_decoder
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.systems.sequence_layers import SequenceDecoder
from ci_theory.theory.dynamics.induction_head import Questions
from ci_theory.theory.dynamics.induction_onset import induction_onset
from ci_theory.training import optimiser

ROOT = Path(__file__).resolve().parents[1]
PAGE, KEPT = (
    ROOT / "docs" / "dynamics" / "induction_onset.md",
    ROOT / "paper_figs" / "data" / "trained_onset.csv",
)
BEGIN, END = "<!-- onset: written by `paper_figs/_onset.py` -->\n", "<!-- end of onset -->\n"
SEED, RUNS, TESTS = 14, 6, 512
KINDS, MANY, RATE = 32, 64, 0.003  # items that there are, sequences a step, step size
AT = (0, *range(100, 1000, 50), *range(1000, 3001, 100))
CASES = (
    (4, 16, 0.0),
    (2, 16, 0.0),
    (8, 16, 0.0),
    (4, 8, 0.0),
    (4, 64, 0.0),
    (4, 16, 0.2),
    (4, 16, 0.3),
)
"""Pairs shown, labels that there are, share of wrong answers; the first is the unit of time."""


# --- runs ---------------------------------------------------------------------------------------


def draw(key: Any, count: int, n: int, labels: int, noise: float) -> tuple[Any, Any]:
    """Draw sequences x_1 y_1 ... x_N y_N x_q of distinct items and labels, and the answers."""

    def some(name: str, kinds: int) -> Any:
        luck = jax.random.uniform(stream(key, name), (count, kinds), jnp.float32)
        return jnp.argsort(luck, axis=1)[:, :n]

    items, shown = some("items", KINDS), some("labels", labels)
    which = jax.random.randint(stream(key, "which"), (count, 1), 0, n)
    asked, answer = (jnp.take_along_axis(v, which, axis=1) for v in (items, shown))
    other = jax.random.randint(stream(key, "other"), (count,), 0, labels)
    wrong = jax.random.uniform(stream(key, "wrong"), (count,), jnp.float32) < noise
    pairs = jnp.stack([items, KINDS + shown], axis=2).reshape(count, 2 * n)
    told = jnp.where(wrong, other, answer[:, 0])
    return jnp.concatenate([pairs, asked], axis=1), told


def simulate(key: Any, n: int, labels: int, noise: float) -> Any:
    """Train two layers of attention alone; their loss on right answers after every step of AT."""
    shape = Shape(
        reads="tokens",
        inputs=KINDS + labels,
        outputs=labels,
        d=32,
        layers=2,
        norm=True,
        length=2 * n + 1,
    )

    def loss(weights: Any, seen: tuple[Any, Any]) -> Any:
        logits = sequence_decoder.last(weights, shape, seen[0])
        return optimiser.cross_entropy(logits, seen[1], jnp.ones(len(seen[1]), logits.dtype))

    tests, batches = draw(stream(key, "test"), TESTS, n, labels, 0.0), stream(key, "batches")
    return optimiser.train(
        loss,
        sequence_decoder.init(key, shape, 1.0, jnp.float32),
        optimiser.AdamW(rate=RATE),
        jnp.asarray(AT, jnp.int32),
        lambda weights: loss(weights, tests),
        lambda step: draw(jax.random.fold_in(batches, step), MANY, n, labels, noise),
    ).measures


PARTS = (sequence_decoder.init, sequence_decoder.last, SequenceDecoder, optimiser.train)
"""What of the package the runs reach."""


def run() -> None:
    """Train everything and keep it."""
    lines = []
    for place, case in enumerate(CASES):
        one = jax.jit(lambda key, case=case: simulate(key, *case))
        for index in range(RUNS):
            losses = np.asarray(one(key_for(SEED, place, 0, index)))
            name = ",".join(map(str, case))
            told = zip(AT, losses, strict=True)
            lines += [f"{name},{index},{step},{loss:.6g}" for step, loss in told]
        print(case, file=sys.stderr, flush=True)
    title = "transformers of two layers, attention alone, that are asked for a label shown before"
    trained.keep(KEPT, title, PARTS, SEED, "items,labels,noise,run,step,loss", lines)


# --- the table ----------------------------------------------------------------------------------


def read() -> dict[tuple[int, int, float], np.ndarray]:
    """Return what was kept: case -> losses (r, t)."""
    found: dict[tuple[int, int, float], list[float]] = {}
    for n, labels, noise, _, _, loss in trained.rows(KEPT):
        found.setdefault((int(n), int(labels), float(noise)), []).append(float(loss))
    return {case: np.array(losses).reshape(RUNS, len(AT)) for case, losses in found.items()}


def onset(losses: np.ndarray, n: int) -> tuple[float, float, float]:
    """Return the median step at which the loss falls below half of ln N, and its 95 % interval.

    Infinite where fewer than half of the runs get there.
    """
    found = Survival(level=np.log(n) / 2, direction="down").locate(AT, losses)
    return (np.inf if found.status == Status.CENSORED else found.value), found.low, found.high


def number(value: float, form: str) -> str:
    """Write a number, or that it is not there by the end of training."""
    return "later" if np.isinf(value) else format(value, form)


def table(kept: dict[tuple[int, int, float], np.ndarray]) -> str:
    """Return the table as text."""
    lines = [
        "| pairs N | labels L | wrong answers | flow: time | networks: step | flow: ratio "
        "| networks: ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    unit = float(induction_onset(Questions(*CASES[0])).time)
    first = onset(kept[CASES[0]], CASES[0][0])
    for case in CASES:
        time = float(induction_onset(Questions(*case)).time)
        middle, low, high = onset(kept[case], case[0])
        ends = [number(v, ".0f") for v in (middle, low, high)]
        ratios = (middle / first[0], low / first[2], high / first[1])
        told = [number(v, ".2f") for v in ratios]
        lines.append(
            f"| {case[0]} | {case[1]} | {case[2]:g} | {time:.1f} "
            f"| {ends[0]} [{ends[1]}, {ends[2]}] | {time / unit:.2f} "
            + ("| 1 |" if case == CASES[0] else f"| {told[0]} [{told[1]}, {told[2]}] |")
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table into the page, after new runs if asked for."""
    if "--run" in sys.argv[1:]:
        run()
    enable_float64()
    trained.write_between(PAGE, BEGIN, END, table(read()))


if __name__ == "__main__":
    main()
