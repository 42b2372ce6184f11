"""Facts recalled by a memory, chances per second: all facts at once against loops over them.

10^4 facts of different weights. The plain loop takes fact by fact, with a factor for every other
fact; the better loop has the few nodes of Gauss's rule in place of these. Both are numpy on the
same points of integration, and agree with ours on a sample of facts before anything is timed.

    python -m benchmarks.fact_memory [--facts N]
"""

import argparse
import sys

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from scipy.special import log_ndtr  # noqa: E402

from ci_theory import enable_float64  # noqa: E402
from ci_theory.theory.discrete import stored_facts  # noqa: E402

WIDTH, POWERS, SAMPLE = 64.0, (0.5, 1.0), 5
CLOSE = 2e-3  # interpolation in a fact's own weight, and Gauss's rule
WANTED = 50.0  # times as fast as the better loop


def alone(
    d: float, q: np.ndarray, fact: int, others: np.ndarray, counts: np.ndarray, first: np.ndarray
) -> float:
    """Chance of one fact among rivals ``first`` (indices) and others of given squared weights."""
    points = stored_facts._lattice(stored_facts.RIVALS + 1)
    g = np.asarray(stored_facts._length(points[:, -1], d))[:, None]
    b = q[first] * np.asarray(stored_facts._overlap(points[:, :-1], d))
    kept = first != fact
    lone = 0.0 if np.any(first == fact) else 1.0
    own, z = q[fact], stored_facts._Z
    rest = (b**2) @ kept + (others @ counts - lone * own**2) / d
    rest = np.maximum(rest, 1e-12)[:, None]
    whole = g * (own**2 + rest) / d
    score = g * own + np.sqrt(g * rest / d) * z
    pull = g - own * np.sqrt(g / (d * rest)) * z
    total = -lone * log_ndtr(score / np.sqrt(whole + pull**2 * own**2 / d))
    for k in np.flatnonzero(kept):
        beside = whole * np.maximum(1 - b[:, k : k + 1] ** 2 / rest, 1e-12)
        total += log_ndtr((score - pull * b[:, k : k + 1]) / np.sqrt(beside))
    for square, count in zip(others, counts, strict=True):
        total += count * log_ndtr(score / np.sqrt(whole + pull**2 * square / d))
    return float(np.mean(np.exp(total) @ stored_facts._AT))


def compared(n: int, power: float) -> tuple[float, float, float]:
    """Return chances per CPU second: ours, the better loop, the plain one."""
    q = np.random.default_rng(0).permutation(np.arange(1.0, n + 1) ** -power)
    first = np.argsort(-q)[: stored_facts.RIVALS]
    left = np.delete(q, first) ** 2
    nodes, masses = stored_facts._gauss(jnp.asarray(left), jnp.ones(left.size))
    few = np.asarray(nodes), np.asarray(masses)
    every = left, np.ones(left.size)

    def ours() -> np.ndarray:
        return np.asarray(jax.block_until_ready(stored_facts.recalled(WIDTH, q)))

    found = ours()
    between = np.argsort(np.abs(found - 0.5))[: n // 20]  # those that are neither sure nor lost
    sample = [*between[:: len(between) // SAMPLE][:SAMPLE], first[0]]
    for fact in sample:
        for others in (few, every):
            assert abs(alone(WIDTH, q, fact, *others, first) - found[fact]) < CLOSE
    rates = [n / _clock.seconds(ours, 5)]
    for others, some in ((few, sample), (every, sample[:1])):
        spent = _clock.seconds(
            lambda others=others, some=some: [alone(WIDTH, q, i, *others, first) for i in some], 1
        )
        rates.append(len(some) / spent)
    return rates[0], rates[1], rates[2]


def main() -> int:
    """Print the table; return 1 if all at once is not fast enough."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--facts", type=int, default=10_000)
    n = parser.parse_args().facts
    enable_float64()
    print(f"chances per CPU second, {n} facts of weights rank^-power, d = {WIDTH:g}")
    print(f"{'power':>6}{'all at once':>14}{'loop, nodes':>14}{'plain loop':>14}{'ratios':>16}")
    enough = True
    for power in POWERS:
        ours, better, plain = compared(n, power)
        what = f"chances of {n} facts, power {power:g}"
        _table.tell(what, "a loop with the same nodes", ours, better, "/s")
        _table.tell(what, "a plain loop", ours, plain, "/s")
        enough &= ours > WANTED * better
        print(
            f"{power:6}{ours:14,.0f}{better:14,.0f}{plain:14,.2f}"
            f"{ours / better:8,.0f}{ours / plain:8,.0f}",
            flush=True,
        )
    return int(not enough)


if __name__ == "__main__":
    sys.exit(main())
