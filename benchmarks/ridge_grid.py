"""A random-feature ridge grid: 8 widths x 20 ridges x 5 noise levels x 4 seeds = 3200 fits.

One eigendecomposition serves the 100 (ridge, noise) pairs of a (width, seed); the obvious loops
solve each fit anew. So the ratio is set by the grid: with one ridge and one noise level there
would be little to gain. The loops are timed on a sample of their fits and scaled.
"""

import time

from benchmarks import _clock

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from scipy.linalg import lapack  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402

from ci_theory import enable_float64  # noqa: E402
from ci_theory.training import closed_form  # noqa: E402

N, D, TEST = 400, 200, 500
WIDTHS = (50, 100, 200, 300, 400, 600, 900, 1200)
RIDGES = np.geomspace(1e-3, 1e3, 20)
NOISES = np.array([0.0, 0.1, 0.3, 1.0, 3.0])
SEEDS = range(4)


def world(p: int, seed: int) -> dict[str, np.ndarray]:
    """ReLU features of one width and seed, with clean labels and one unit noise vector."""
    rng = np.random.default_rng([p, seed])
    x, test = rng.normal(size=(N, D)), rng.normal(size=(TEST, D))
    theta, w = rng.normal(size=(p, D)) / D**0.5, rng.normal(size=D) / D**0.5
    return {
        "features": np.maximum(x @ theta.T, 0) / p**0.5,
        "test": np.maximum(test @ theta.T, 0) / p**0.5,
        "labels": x @ w,
        "target": test @ w,
        "error": rng.normal(size=N),
    }


@jax.jit
def shared(features, test, labels, target, error):
    """Test error of every (noise, ridge) from one decomposition, (5, 20)."""
    path = closed_form.decompose(features, jnp.ones(N))
    ridges = jnp.asarray(RIDGES)
    signal = test @ closed_form.coefficients(path, labels, ridges) - target[:, None]
    noise = test @ closed_form.coefficients(path, error, ridges)
    root = jnp.sqrt(jnp.asarray(NOISES))[:, None, None]
    return jnp.mean((signal[None] + root * noise[None]) ** 2, axis=1)


def numpy_fit(w: dict, noise: float, ridge: float) -> float:
    """One fit by the normal equations of the smaller side."""
    f, y = w["features"], w["labels"] + noise**0.5 * w["error"]
    n, p = f.shape
    if p <= n:
        a = np.linalg.solve(f.T @ f + ridge * np.eye(p), f.T @ y)
    else:
        a = f.T @ np.linalg.solve(f @ f.T + ridge * np.eye(n), y)
    return float(np.mean((w["test"] @ a - w["target"]) ** 2))


def sklearn_fit(w: dict, noise: float, ridge: float) -> float:
    """One fit by scikit-learn."""
    y = w["labels"] + noise**0.5 * w["error"]
    model = Ridge(alpha=ridge, fit_intercept=False, solver="cholesky").fit(w["features"], y)
    return float(np.mean((model.predict(w["test"]) - w["target"]) ** 2))


def floor() -> float:
    """CPU seconds of the grid's own matrix products and tridiagonalisations, nothing else."""
    total = 0.0
    for p in WIDTHS:
        w = world(p, 0)
        f, test, m = w["features"], w["test"], min(N, p)
        coefficients, rotation = np.ones((m, 40)), np.ones((p, 40))

        def work(f=f, test=test, m=m, c=coefficients, r=rotation):
            gram = f.T @ f if m < N else f @ f.T
            lapack.dsytrd(gram)
            (f if m < N else f.T) @ gram if False else gram @ c
            return test @ r

        total += len(SEEDS) * _clock.seconds(work)
    return total


def main() -> None:
    """Assert equality, time, and print the table."""
    enable_float64()
    worlds = {(p, s): world(p, s) for p in WIDTHS for s in SEEDS}
    on_device = {k: {name: jnp.asarray(v) for name, v in w.items()} for k, w in worlds.items()}
    start = time.process_time()
    found = {k: np.asarray(shared(**w)) for k, w in on_device.items()}
    first = time.process_time() - start

    rng = np.random.default_rng(0)
    picks = [(p, rng.integers(4), rng.integers(5), rng.integers(20)) for p in WIDTHS for _ in "abc"]
    worst = max(
        abs(found[p, s][i, j] / fit(worlds[p, s], NOISES[i], RIDGES[j]) - 1)
        for p, s, i, j in picks
        for fit in (numpy_fit, sklearn_fit)
    )
    assert worst < 1e-9, f"results differ by {worst:.1e}"

    def grid():
        for w in on_device.values():
            shared(**w).block_until_ready()

    def loop(fit):
        for p, s, i, j in picks:
            fit(worlds[p, s], NOISES[i], RIDGES[j])

    fits = len(worlds) * len(RIDGES) * len(NOISES)
    ours, least = _clock.seconds(grid), floor()
    scale = fits / len(picks)
    slow = {
        f.__name__: scale * _clock.seconds(lambda f=f: loop(f)) for f in (numpy_fit, sklearn_fit)
    }
    print(f"{fits} fits, largest relative difference to the loops {worst:.0e}")
    print(f"{'':34s}{'CPU s':>9s}{'fits/s':>10s}{'ratio':>8s}")
    rows = {"one decomposition, 100 fits": ours, **slow, "floor: products + dsytrd": least}
    for name, value in rows.items():
        print(f"{name:34s}{value:9.3f}{fits / value:10.0f}{value / ours:8.2f}")
    print(f"first call with {len(WIDTHS)} compilations: {first:.2f} CPU s")


if __name__ == "__main__":
    main()
