"""The table of docs/discrete/modular_arithmetic.md on ends of training: how near the exact network.

``python paper_figs/_ends.py --run`` trains the networks, two minutes, and keeps what they are like
(paper_figs/data/trained_ends.csv); without ``--run`` it writes the table from that.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory import enable_float64
from ci_theory._keys import key_for
from ci_theory.figures import trained
from ci_theory.measure.construction import Construction, construction
from ci_theory.phenomena import modular_grokking
from ci_theory.training import optimiser

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "discrete" / "modular_arithmetic.md"
KEPT = ROOT / "paper_figs" / "data" / "trained_ends.csv"
BEGIN, END = "<!-- ends: written by `paper_figs/_ends.py` -->\n", "<!-- end of ends -->\n"
SEED, RUNS, AT = 38, 12, (0, 50, 200, 1000, 3000)
CASES = ((0.6, 1.0), (0.8, 1.0), (0.4, 1.0), (0.6, 0.2), (0.6, 3.0))
"""Share of the questions, weight decay."""
SHOWN = {(0.6, 1.0): AT}
"""Steps that are shown; of the others the last."""


def simulate(key: Any, fraction: float, decay: float) -> Any:
    """Train a network of 128 squares modulo 23; what it is like after every step of AT."""
    params = modular_grokking.Params(fraction=fraction, decay=decay, precision="float32")
    course = modular_grokking.course(key, params)
    return optimiser.train(
        course.loss,
        modular_grokking.init(key, params),
        course.rule,
        jnp.asarray(AT, jnp.int32),
        lambda weights: (course.measure(weights).test_accuracy, construction(weights)),
    ).measures


PARTS = (modular_grokking.course, modular_grokking.init, construction, optimiser.train)
"""What of the package the runs reach."""


def run() -> None:
    """Train everything and keep it."""
    lines = []
    for place, case in enumerate(CASES):
        one = jax.jit(lambda key, case=case: simulate(key, *case))
        for index in range(RUNS):
            accuracy, near = one(key_for(SEED, place, 0, index))
            for i, step in enumerate(AT):
                told = (*case, index, step, accuracy[i], *(part[i] for part in near))
                lines.append(",".join(f"{float(v):.6g}" for v in told))
        print(case, file=sys.stderr, flush=True)
    columns = ",".join(("fraction", "decay", "run", "step", "test_accuracy", *Construction._fields))
    title = "quadratic networks on addition modulo 23, and how near the exact ones they come"
    trained.keep(KEPT, title, PARTS, SEED, columns, lines)


def read() -> dict[tuple[float, float, int], np.ndarray]:
    """Return what was kept: share, decay and step -> a row a network."""
    found: dict[tuple[float, float, int], list[list[float]]] = {}
    for fraction, decay, _, step, *told in trained.rows(KEPT):
        found.setdefault((float(fraction), float(decay), int(step)), []).append(
            [float(v) for v in told]
        )
    return {case: np.array(runs) for case, runs in found.items()}


def table(kept: dict[tuple[float, float, int], np.ndarray]) -> str:
    """Return the table as text: medians with the range of all networks."""
    lines = [
        "| fraction, decay | step | other answers | from waves | from one-hot | scale "
        "| one wave each | same frequency | $a+b-c$ [rad] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        for step in SHOWN.get(case, AT[-1:]):
            runs = kept[*case, step]
            told = " | ".join(_told(column) for column in runs.T)
            lines.append(f"| {case[0]:g}, {case[1]:g} | {step} | {told} |")
    return "\n".join(lines) + "\n"


def _told(column: np.ndarray) -> str:
    if not np.isfinite(column).all():
        return "-"
    return f"{np.median(column):.3f} [{column.min():.3f}, {column.max():.3f}]"


def main() -> None:
    """Write the table into the page, after new runs if asked for."""
    enable_float64()
    if "--run" in sys.argv[1:]:
        run()
    trained.write_between(PAGE, BEGIN, END, table(read()))


if __name__ == "__main__":
    main()
