"""Means of small sweeps, kept so that a test holds every slack without simulating.

    python -m benchmarks.small_means [--seed S] [--share F] [--out FILE] [PHENOMENON ...]

Points are drawn over each scope as `python -m benchmarks.slack` draws them, at the smallest sizes,
and simulated often. Of every prediction that has a slack the points that come nearest to it are
written to ``tests/stats/small_means.csv``: tests/stats/test_scopes.py asks that the slack covers
them all, and that it is no larger than it has to be.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks._scopes import SCOPES, Scope
from benchmarks.slack import INNER, Found, audit
from ci_theory import __version__, enable_float64

KEPT = Path(__file__).parents[1] / "tests/stats/small_means.csv"
COLUMNS = ("phenomenon", "prediction", "mean", "error", "replicates", "slack", "point")
NEAREST = 3  # points kept of a prediction
TELLING = 6.0  # of a kept point: its slack in standard errors, at least
ROUNDING = 1e-6  # relative: a smaller slack is none
SEED = 41


def _scopes() -> dict[str, Scope]:
    """Return the scopes of the audit at few small sizes."""
    few = {"power_law_break": (0, 2), "epochwise_descent": (0, 6), "sgd_scaling": (0, 2)}
    few["lifelong_editing"] = few["metric_editing"] = (0, 1)  # both editors
    more = {"two_stage_ridge": 12}  # of its runs few leave ten rows in both stages
    return {
        name: scope._replace(
            sizes=[scope.sizes[i] for i in few.get(name, (0,))], designs=more.get(name, 4)
        )
        for name, scope in SCOPES.items()
    }


def nearest(found: Found) -> list[int]:
    """Return telling points, of different runs, whose deviation is the most of their slack."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (np.abs(found.mean - found.value) - 2 * found.error) / found.slack
    use = found.valid & (found.slack > TELLING * found.error)
    use &= found.slack > ROUNDING * np.abs(found.value)
    order = [int(i) for i in np.argsort(-np.where(use, part, -np.inf)) if use[i]]
    first = {i // INNER: i for i in reversed(order)}  # the nearest of each run
    return sorted(first.values(), key=order.index)[:NEAREST]


def main() -> int:
    """Write the file anew; rows of phenomena that are not named stay, and its first line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("phenomena", nargs="*", default=list(_scopes()))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=KEPT)
    parser.add_argument("--share", type=float, default=2.0, help="of the audit's replicates")
    asked = parser.parse_args()
    enable_float64()
    rows = []
    for name in asked.phenomena:
        scope = _scopes()[name]
        sizes = [(fixed, round(asked.share * count)) for fixed, count in scope.sizes]
        for label, found in audit(name, scope._replace(sizes=sizes), asked.seed).items():
            for i in nearest(found):
                mean, error, slack = (f"{a[i]:.8g}" for a in (found.mean, found.error, found.slack))
                point = json.dumps(found.points[i], sort_keys=True)
                rows.append((name, label, mean, error, int(found.count[i]), slack, point))
                part = abs(found.mean[i] - found.value[i]) / found.slack[i]
                print(f"{name + '.' + label:42}{part:6.2f} of the slack", flush=True)
    head = f"# ci_theory {__version__}: python -m benchmarks.small_means, seed {asked.seed}, "
    head, others = head + f"{asked.share:g} times the audit's replicates\n", []
    if asked.out.is_file() and set(asked.phenomena) != set(_scopes()):
        with asked.out.open(newline="") as kept:
            head, (_, *before) = next(kept), csv.reader(kept)
            others = [row for row in before if row[0] not in asked.phenomena]
    with asked.out.open("w", newline="") as out:
        out.write(head)
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*others, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
