"""Theory points per second: the ridge risk on a grid of n, ridge and noise, against root finders.

A point is one (n, ridge, noise) with all its errors. "Shared" is ``risk_grid``: the four noise
levels of a point share one kappa, because the noise enters affinely; "each alone" solves kappa
for every point, in batches of 50 (all of a batch take the steps of its slowest). The loops are
scipy's brentq in log kappa and plain bisection, both on numpy arrays with the same sums for the
risk, one kappa a point; they are timed on a sample.
"""

import time

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import numpy as np  # noqa: E402
from scipy.optimize import brentq  # noqa: E402

from ci_theory import enable_float64  # noqa: E402
from ci_theory.theory.ridge.risk import ridge_risk, risk_grid  # noqa: E402
from ci_theory.theory.spectra.compression import compress  # noqa: E402
from ci_theory.theory.spectra.power_law import endless  # noqa: E402
from ci_theory.theory.spectra.spectrum import power_law  # noqa: E402

NOISES = np.array([0.0, 0.1, 0.3, 1.0])
ALPHA = 1.5
SAMPLE = 24


def left_over(t: float, spectrum, n: float, ridge: float) -> float:
    """The defining equation as written, at kappa = exp(t)."""
    kappa, values = np.exp(t), spectrum.eigenvalues
    return np.sum(spectrum.multiplicity * values / (values + kappa)) + ridge / kappa - n


def loop_risk(spectrum, n: float, ridge: float, noise: float, kappa: float) -> float:
    """Test error at a known kappa, in the stable form."""
    y = kappa / (spectrum.eigenvalues + kappa)
    lost = ridge / kappa + np.sum(spectrum.multiplicity * (1 - y) * y)
    return (np.sum(spectrum.power * y**2) + noise) * n / lost


def by_brentq(spectrum, n: float, ridge: float, noise: float) -> float:
    """One point with scipy's best bracketing solver."""
    high = np.log((np.sum(spectrum.multiplicity * spectrum.eigenvalues) + ridge) / n) + 1e-9
    low = np.log(ridge / n) - 1e-9
    t = brentq(left_over, low, high, (spectrum, n, ridge), xtol=1e-14, rtol=1e-15)
    return loop_risk(spectrum, n, ridge, noise, np.exp(t))


def by_bisection(spectrum, n: float, ridge: float, noise: float) -> float:
    """One point by halving log kappa 60 times."""
    high = np.log((np.sum(spectrum.multiplicity * spectrum.eigenvalues) + ridge) / n) + 1e-9
    low = np.log(ridge / n) - 1e-9
    for _ in range(60):
        middle = (low + high) / 2
        if left_over(middle, spectrum, n, ridge) > 0:
            low = middle
        else:
            high = middle
    return loop_risk(spectrum, n, ridge, noise, np.exp(low))


@jax.jit
def alone(spectrum, n, ridge, noise):
    """Every point with a kappa of its own."""
    return jax.lax.map(lambda at: ridge_risk(spectrum, *at), (n, ridge, noise), batch_size=50)


def row(name: str, spectrum, rows: np.ndarray, ridges: np.ndarray, within: float, loops: bool):
    """Assert that the ways agree, time them, and print points per second."""
    points = np.stack(np.meshgrid(rows, ridges, NOISES, indexing="ij"), axis=-1).reshape(-1, 3)
    flat = tuple(np.ascontiguousarray(column) for column in points.T)

    def shared():
        return jax.block_until_ready(risk_grid(spectrum, rows, ridges, NOISES))

    def each():
        return jax.block_until_ready(alone(spectrum, *flat))

    start = time.process_time()
    grid = shared()
    first = time.process_time() - start
    assert np.all(grid.status == 0)
    np.testing.assert_allclose(each().test_error, np.ravel(grid.test_error), rtol=1e-12)
    rates = [len(points) / _clock.seconds(work, 7) for work in (shared, each)]
    picks = np.random.default_rng(0).choice(len(points), SAMPLE, replace=False)
    for loop in (by_brentq, by_bisection) if loops else ():
        sample = [loop(spectrum, *points[i]) for i in picks]
        worst = np.max(np.abs(np.array(sample) / np.ravel(grid.test_error)[picks] - 1))
        assert worst < within, f"{name}: {loop.__name__} differs by {worst:.1e}"
        spent = _clock.seconds(lambda loop=loop: [loop(spectrum, *points[i]) for i in picks])
        rates.append(SAMPLE / spent)
        against = loop.__name__.removeprefix("by_")
        _table.tell(f"closed form, {name}", against, rates[0], rates[-1], "points/s")
    cells = [f"{rate:12,.0f}" for rate in rates] + [f"{'-':>12}"] * (4 - len(rates))
    print(f"{name:34}{len(points):7}{first:9.2f}{''.join(cells)}", flush=True)
    return rates


def main() -> None:
    """Print points per CPU second of one core."""
    enable_float64()
    ridges = np.geomspace(1e-6, 10, 20)
    away, tiny = np.linspace(20, 800, 25), np.geomspace(1e-12, 1, 20)
    peak = np.array([996.0, 999.0, 1000.0, 1001.0, 1004.0])
    thousand, million = (power_law(m, ALPHA, tail=False) for m in (1000, 10**6))
    small, few = compress(thousand), compress(million)
    print("points per CPU second, one core; float64; first: seconds of the first call, compilation")
    print(
        f"{'':34}{'points':>7}{'first':>9}{'shared':>12}{'each alone':>12}"
        f"{'brentq':>12}{'bisection':>12}"
    )
    row("1000 modes", thousand, away, ridges, 1e-9, True)
    row(f"1000 modes in {len(small.eigenvalues)} nodes", small, away, ridges, 1e-9, True)
    row("1000 modes, at the peak", thousand, peak, tiny, 1e-4, True)
    row(f"1000 at the peak in {len(small.eigenvalues)} nodes", small, peak, tiny, 1e-4, True)
    wide = np.linspace(2e4, 8e5, 25)
    row(f"10^6 modes in {len(few.eigenvalues)} nodes", few, wide, ridges, 1e-9, True)
    long = np.geomspace(10, 9e5, 125)
    row(f"the same, {125 * 20 * len(NOISES):,} points of a curve", few, long, ridges, 1e-9, False)
    start = time.process_time()
    hundred = endless(ALPHA, modes=1e8)
    made = time.process_time() - start
    row(f"10^8 modes in {len(hundred.eigenvalues)} nodes", hundred, 100 * wide, ridges, 1e-9, False)
    print(f"{'10^8 modes: making the nodes':34}{'':7}{made:9.2f}")
    start = time.process_time()
    one = by_brentq(million, 1e5, 1e-3, 0.1)
    spent = time.process_time() - start
    found = float(ridge_risk(few, 1e5, 1e-3, 0.1).test_error)
    assert abs(one / found - 1) < 1e-9
    print(f"{'10^6 modes as they are, brentq':34}{1:7}{'':9}{'':24}{1 / spent:12,.1f}")


if __name__ == "__main__":
    main()
