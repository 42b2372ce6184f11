"""How often the 95 % interval of a located peak or crossing holds the truth, on synthetic curves.

The truth is the break of the true curve by the same rule on the same grid, so that only the
interval is under test. Settings in which fewer than half of the curves show a break are counted
apart: there a break is found by luck, and no interval can say how often.
"""

import itertools
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ci_theory._errors import Status
from ci_theory.locate import Crossing, Peak

CURVES = 300
REPLICATES = (10, 30, 100)
POINTS = (13, 41)
GOAL = (0.92, 0.98)


def parabola(x, top):
    """Return a smooth peak."""
    return 1 - 0.8 * (x - top) ** 2


def gaussian(x, top):
    """Return a peak on a flat floor."""
    return 0.2 + np.exp(-8 * (x - top) ** 2)


def cusp(x, top):
    """Return a pointed peak."""
    return 0.2 + 0.15 / (np.abs(x - top) + 0.05)


def plateau(x, top):
    """Return a flat quartic top."""
    return 1 - 0.9 * (x - top) ** 4


def descent(x, top):
    """Return a double descent, which starts above its own peak."""
    return 1.3 * np.exp(-1.5 * (x + 1)) + 0.09 / (np.hypot(x - top, 0.05) + 0.05)


def line(x, at):
    """Return a straight line through 0."""
    return x - at


def saturating(x, at):
    """Return a steep rise that levels off, 0 at the crossing."""
    return np.tanh(3 * (x - at))


def constant(rng, mean, r, size=0.1):
    """Add independent noise of one standard deviation."""
    return mean + size * rng.standard_normal((r, len(mean)))


def proportional(rng, mean, r, size=0.1):
    """Add independent noise in proportion to the mean."""
    return mean * (1 + size * rng.standard_normal((r, len(mean))))


def lognormal(rng, mean, r, size=0.2):
    """Multiply by skewed noise of mean 1."""
    return mean * np.exp(size * rng.standard_normal((r, len(mean))) - size**2 / 2)


def correlated(rng, mean, r, size=0.1):
    """Add proportional noise that neighbours share, correlation 0.8."""
    z = rng.standard_normal((r, len(mean)))
    for i in range(1, len(mean)):
        z[:, i] = 0.8 * z[:, i - 1] + 0.6 * z[:, i]
    return mean * (1 + size * z)


PEAKS = (parabola, gaussian, cusp, plateau, descent)
CROSSINGS = (line, saturating)
NOISES = (
    (constant, 0.1),
    (constant, 0.4),
    (proportional, 0.1),
    (proportional, 0.4),
    (lognormal, 0.2),
    (correlated, 0.1),
)


class Coverage(NamedTuple):
    """Curves, those in which a break was found, and those whose interval holds the truth."""

    curves: int
    found: int
    held: int


def coverage(locator, shape: Callable, noise: Callable, r: int, points: int, curves: int, seed):
    """Locate in many noisy curves of one setting; the place is drawn anew for each."""
    rng = np.random.default_rng(seed)
    u = np.linspace(-1, 1, points)
    held = found = 0
    for _ in range(curves):
        mean = shape(u, rng.uniform(-0.3, 0.3))
        at = locator.locate(u, noise(rng, mean, r))
        if at.status in (Status.OK, Status.AT_EDGE):
            same = getattr(locator, "matching", lambda found: locator)(at)  # the same reach
            truth = same.locate(u, mean)
            found += 1
            held += at.low <= truth.value <= at.high
    return Coverage(curves, found, held)


def study(locator, shapes, noises, seed: int) -> None:
    """Print one line a shape, and the settings outside the goal."""
    every, outside = [], []
    print(f"  {'curve':12} {'settings':>8} {'seen':>5} {'mean':>6} {'lowest':>7} {'highest':>8}")
    for shape in shapes:
        settings = list(itertools.product(noises, REPLICATES, POINTS))
        rates = []
        for k, ((noise, size), r, points) in enumerate(settings):

            def draw(rng, mean, count, noise=noise, size=size):
                return noise(rng, mean, count, size)

            made = coverage(locator, shape, draw, r, points, CURVES, [seed, k])
            if made.found < CURVES / 2:
                continue
            rates.append(made.held / made.found)
            error = np.sqrt(0.95 * 0.05 / made.found)
            if not GOAL[0] - 2 * error <= rates[-1] <= GOAL[1] + 2 * error:
                outside.append((rates[-1], f"{shape.__name__}, {noise.__name__} {size}, r = {r}"))
        every += rates
        print(
            f"  {shape.__name__:12} {len(settings):8} {len(rates):5} {np.mean(rates):6.3f}"
            f" {min(rates):7.3f} {max(rates):8.3f}"
        )
    low, high = np.quantile(every, [0.05, 0.95])
    inside = np.mean([GOAL[0] <= rate <= GOAL[1] for rate in every])
    print(f"  all: mean {np.mean(every):.3f}, nine in ten settings {low:.3f} to {high:.3f};")
    print(f"  {inside:.0%} inside {GOAL[0]} to {GOAL[1]} (binomial error 0.013 a setting);")
    print(f"  {len(outside)} outside it by over two errors: {min(outside, default='none')}")
    print(f"  ... {max(outside, default='none')}")


def main() -> None:
    """Study the peak and the crossing locator."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print(f"Coverage of 95 % intervals, {CURVES} curves a setting, seed {seed}")
    print("peak")
    study(Peak(log_axis=False), PEAKS, NOISES, seed)
    print("crossing")
    plain = [(noise, size) for noise, size in NOISES if noise is constant]
    study(Crossing(level=0.0, log_axis=False), CROSSINGS, plain, seed)


if __name__ == "__main__":
    main()
