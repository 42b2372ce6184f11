"""A one-break fit with 200 bootstrap replicates, against a loop of scipy fits.

The obvious way polishes from a brute grid of starts with ``scipy.optimize.least_squares`` (the
published procedure: a grid, then a local fit), and again, from the fit, for every resampled
curve. Both ways end at the same optimum, which is asserted first. Ours projects the linear
parameters out on one fine grid for all curves at once, and takes the steps of all curves
together: the speed comes from sharing and from batching, not from a compiled kernel.
"""

from benchmarks import _clock, _table

_clock.one_core()

import numpy as np  # noqa: E402 - after pinning
from scipy.optimize import least_squares  # noqa: E402

from ci_theory.locate.broken import Form  # noqa: E402
from ci_theory.locate.chain import Chain  # noqa: E402
from ci_theory.locate.observed import observed  # noqa: E402
from ci_theory.locate.profile import resampled  # noqa: E402
from ci_theory.locate.search import Search  # noqa: E402

FORM = Form(1, False)
U = np.linspace(0, 3 * np.log(10), 24)
THETA = np.array([0.3, 0.4, 0.5, np.log(30.0), np.log(0.3)])
RESAMPLES = 200


def ours(y: np.ndarray):
    """Fit, resample, fit again."""
    chain = Chain(observed(np.exp(U), np.exp(y)))
    search = Search(chain.data.u, chain.root, (float(y.min()), float(y.max())))
    found = search.best(FORM, y[None], tops=6)
    return search, resampled(search, chain, FORM, found.theta[0], RESAMPLES, 0)


def polish(y: np.ndarray, start: np.ndarray, box, slopes: bool) -> np.ndarray:
    """Fit one curve from one start."""
    jacobian = (lambda t: FORM.jacobian(t[None], U)[1][0]) if slopes else "2-point"
    return least_squares(lambda t: FORM.value(t, U) - y, start, jacobian, box).x


def brute(y: np.ndarray, box, slopes: bool) -> np.ndarray:
    """Polish from the best of a grid in every parameter, as published."""
    axes = [np.linspace(a, b, 7) for a, b in ((-1, 2), (0, 1.5), (-1, 1), (0.5, 6), (-3, 1))]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 5)
    losses = ((FORM.value(grid, U) - y) ** 2).sum(axis=1)
    return polish(y, np.clip(grid[losses.argmin()], box[0] + 1e-6, box[1] - 1e-6), box, slopes)


def theirs(y: np.ndarray, curves: np.ndarray, box, slopes: bool) -> np.ndarray:
    """Fit the curve from the grid, and every resampled one from that fit."""
    first = brute(y, box, slopes)
    inside = np.clip(first, box[0] + 1e-6, box[1] - 1e-6)
    return np.stack([first, *(polish(curve, inside, box, slopes) for curve in curves)])


def main() -> None:
    """Assert that the optima agree, then time both."""
    y = FORM.value(THETA, U) + 0.02 * np.random.default_rng(0).standard_normal(len(U))
    search, again = ours(y)
    box = search.box(FORM)
    losses = np.r_[again.loss, again.losses]
    curves = np.concatenate([y[None], again.curves])
    for slopes in (True, False):
        made = theirs(y, again.curves, box, slopes)
        loss = ((FORM.value(made, U) - curves) ** 2).sum(axis=1)
        assert np.all(losses <= loss * (1 + 1e-6)), "a polished fit ends lower"
        same = np.mean(loss <= losses * (1 + 1e-6))
        assert same > 0.9, f"only {same:.0%} of the optima agree"
        spent = _clock.seconds(lambda slopes=slopes: theirs(y, again.curves, box, slopes), 1)
        name = "scipy, exact derivatives" if slopes else "scipy, finite differences"
        print(f"{name:28}{spent:8.3f} s   same optimum in {same:.1%}", flush=True)
        if slopes:
            fast = spent
    mine = _clock.seconds(lambda: ours(y), 9)
    print(f"{'ours':28}{mine:8.3f} s   {RESAMPLES} resamples, {len(U)} points, one core")
    what = f"{RESAMPLES} bootstrap fits of a broken law"
    _table.tell(what, "scipy, exact derivatives", mine, fast, "CPU s")
    _table.tell(what, "scipy, finite differences", mine, spent, "CPU s")
    print(f"{'ratio':28}{fast / mine:8.1f} and {spent / mine:.1f}")


if __name__ == "__main__":
    main()
