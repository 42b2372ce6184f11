"""Keep the result of a long sweep as a small file: python paper_figs/_keep.py modular_phases."""

import sys
from pathlib import Path

from ci_theory import enable_float64
from ci_theory._errors import BadInput
from ci_theory.figures import kept, paper

FOLDER = Path(__file__).parent / "data"
KEPT = {"modular_phases": (("train_accuracy", "test_accuracy", "inverted"), "step")}


def main() -> None:
    """Run what is missing of the sweeps named (or all that are kept), and keep their results."""
    enable_float64()
    for name in sys.argv[1:] or KEPT:
        try:
            measures, last = KEPT[name]
        except KeyError:
            sys.exit(f"{name} is not kept; known: {', '.join(KEPT)}")
        try:
            kept.write(paper.dataset(name, paper.STORES), FOLDER / f"{name}.csv", measures, last)
        except BadInput as problem:
            print(problem, file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main()
