"""Audit of the finite-size slack: does it bound |true mean - prediction| over the whole scope?

    python -m benchmarks.slack [--seed S] [--share F] [--largest P] [--json FILE] [PHENOMENON ...]

Points are drawn at random over the stated scope, not from any experiment's grid, at sizes small
enough that a deviation of relative order 1/size shows. Each is simulated many times and compared
where the prediction calls itself valid. ``beyond`` counts deviations larger than the slack plus
what replicates explain, at a family-wise level of 1e-3 over the whole audit. Constants were set
with seed 1; other seeds are hold-outs, and docs/finite_size.md says which were drawn when.
"""

import argparse
import json
import sys
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._scopes import SCOPES, Scope
from ci_theory import enable_float64
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.check.statistic import cell_scores, moments, probability
from ci_theory.phenomena import Phenomenon, load, predict, statics

SEED = 1
LEVEL = 1e-3
INNER = 8  # points that share a run
ROUNDING = 1e-9  # relative: what a formula without a slack may be off


class Found(NamedTuple):
    """Prediction and simulation at the audited points of one prediction, arrays (N,)."""

    points: list[dict[str, Any]]
    value: np.ndarray
    slack: np.ndarray
    valid: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    skew: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard errors of the means."""
        return self.spread / np.sqrt(self.count)


def simulated(
    phenomenon: Phenomenon, fixed: dict[str, Any], runs: list[tuple[dict, dict]], count: int, seed
) -> list[dict[str, np.ndarray]]:
    """Simulate every run ``count`` times: for each, measure -> (count, INNER)."""
    sized = phenomenon.names(Kind.SIZED)
    capacity = {name: max(outer[name] for outer, _ in runs) for name in sized}

    @jax.jit
    def run(address: Any, numbers: dict[str, Any]) -> Any:
        params = build(phenomenon.params, {**numbers, **fixed})

        def one(replicate: Any) -> Any:
            return phenomenon.simulate(key_for(seed, *address, replicate), params, capacity)

        made = jax.lax.map(one, jnp.arange(count), batch_size=50)
        return {name: getattr(made, name) for name in phenomenon.measure_info}

    results = []
    for index, (outer, inner) in enumerate(runs):
        size = sum(ord(c) << (i % 24) for i, c in enumerate(repr(sorted(fixed.items())))) % 2**32
        numbers = {k: jnp.asarray(v) for k, v in {**outer, **inner}.items()}
        made = run((jnp.uint32(size), jnp.uint32(index)), numbers)
        results.append({name: np.asarray(value) for name, value in made.items()})
    return results


def audit(name: str, scope: Scope, seed: int) -> dict[str, Found]:
    """Draw, simulate and predict: for each prediction, what was found."""
    phenomenon = load(name)
    rng = np.random.default_rng([seed, *name.encode()])
    points: list[dict[str, Any]] = []
    columns: dict[str, list[np.ndarray]] = {m: [] for m in phenomenon.measure_info}
    for fixed, count in scope.sizes:
        runs = []
        for _ in range(scope.designs):
            drawn = [scope.inner(rng, fixed) for _ in range(INNER)]
            outer = scope.outer(rng, fixed)
            runs.append((outer, {k: np.array([d[k] for d in drawn]) for k in drawn[0]}))
            points += [phenomenon.point({**fixed, **outer, **d}) for d in drawn]
        for made in simulated(phenomenon, statics(phenomenon, points[-1]), runs, count, seed):
            for measure, values in made.items():
                columns[measure].append(np.array(moments(values.T)))
    found = {}
    together = {k: np.array([point[k] for point in points]) for k in points[0]}
    for label, made in predict(phenomenon, together).items():
        measured = np.concatenate(columns[made.prediction.measure], axis=1)
        found[label] = Found(points, *made.estimate[:3], *measured)
    return found


def summary(found: Found, points: int) -> dict[str, float]:
    """Summarise a prediction: see the table's header.

    ``tell`` is the share of points whose standard error is below a quarter of the slack; the
    typical ratio is over those. Without a slack the ratios are of 0 and read 0.
    """
    ok = found.valid
    gap = np.abs(found.mean - found.value)[ok]
    rounding = ROUNDING * np.maximum(np.abs(found.value[ok]), 1e-3)
    slack, error, count = found.slack[ok], found.error[ok], found.count[ok]
    # a spread of rounding errors only is none
    off = np.where(found.spread[ok] > rounding, found.spread[ok], 0.0)
    error = off / np.sqrt(count)
    deviation = (found.mean - found.value)[ok]
    score = cell_scores(deviation, slack + rounding, off, found.skew[ok], count)
    tails = probability(score, count - 1)
    exact = slack <= rounding
    ratio = np.where(exact, 0.0, (gap - 2 * error) / np.where(exact, 1.0, slack))
    tell = ~exact & (error < slack / 4)
    return {
        "points": int(ok.sum()),
        "beyond": int((tails * points < LEVEL).sum()),
        "tell": float(tell.mean()) if len(tell) else 0.0,
        "largest": float(ratio.max(initial=0.0)),
        "q99": float(np.quantile(ratio, 0.99)) if len(ratio) else 0.0,
        "typical": float(np.median(gap[tell] / slack[tell])) if tell.any() else 0.0,
    }


def main() -> int:
    """Print the table; return 1 if a deviation lies beyond its slack."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("phenomena", nargs="*", default=list(SCOPES))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", help="write the table here too")
    parser.add_argument("--share", type=float, default=1.0, help="of the replicates")
    parser.add_argument("--largest", type=int, default=10**6, help="leave out larger sizes")
    asked = parser.parse_args()
    enable_float64()
    began = time.process_time()
    found = {}
    for name in asked.phenomena:
        sizes = [(k, round(asked.share * r)) for k, r in SCOPES[name].sizes]
        small = [size for size in sizes if size[0][SCOPES[name].size] <= asked.largest]
        found[name] = audit(name, SCOPES[name]._replace(sizes=small), asked.seed)
    points = sum(int(f.valid.sum()) for made in found.values() for f in made.values())
    table = {n: {k: summary(f, points) for k, f in made.items()} for n, made in found.items()}
    print(f"seed {asked.seed}, {points} points, {time.process_time() - began:.0f} CPU s")
    print("largest, 99 %: (|mean - value| - 2 se) / slack; typical: median |mean - value| / slack")
    print(f"{'':42}{'points':>8}{'beyond':>8}{'tell':>7}{'largest':>9}{'99 %':>7}{'typical':>9}")
    for name, made in table.items():
        for label, row in made.items():
            print(
                f"{name + '.' + label:42}{row['points']:8}{row['beyond']:8}{row['tell']:7.0%}"
                f"{row['largest']:9.2f}{row['q99']:7.2f}{row['typical']:9.2f}"
            )
    if asked.json:
        with open(asked.json, "w") as out:
            json.dump({"seed": asked.seed, "level": LEVEL, "table": table}, out, indent=1)
    return int(any(row["beyond"] for made in table.values() for row in made.values()))


if __name__ == "__main__":
    sys.exit(main())
