"""A random-feature ridge grid: 8 widths x 20 ridges x 5 noise levels x 4 seeds = 3200 fits.

One tridiagonalisation serves the 100 (ridge, noise) pairs of a (width, seed); the obvious loops
solve each fit anew. So the ratio is set by the grid: with one ridge and one noise level there
would be little to gain. The loops are timed on a sample of their fits and scaled.
"""

import time

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from scipy.linalg import cho_factor, cho_solve, lapack  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402

from ci_theory import enable_float64  # noqa: E402
from ci_theory.training import tridiagonal  # noqa: E402

N, D, TEST = 400, 200, 500
WIDTHS = (50, 100, 200, 300, 400, 600, 900, 1200)
RIDGES = np.geomspace(1e-3, 1e3, 20)
NOISES = np.array([0.0, 0.1, 0.3, 1.0, 3.0])
SEEDS = range(4)


def world(p: int, seed: int) -> dict[str, np.ndarray]:
    """Raw draws of one width and seed: inputs, feature directions, clean labels, noise."""
    rng = np.random.default_rng([p, seed])
    x, test = rng.normal(size=(N, D)), rng.normal(size=(TEST, D))
    w = rng.normal(size=D) / D**0.5
    return {
        "x": x,
        "test": test,
        "theta": rng.normal(size=(D, p)) / D**0.5,
        "labels": x @ w,
        "target": test @ w,
        "error": rng.normal(size=N),
    }


@jax.jit
def shared(x, test, theta, labels, target, error):
    """Test error of every (noise, ridge) from one tridiagonalisation, (5, 20)."""
    p = theta.shape[1]
    features, seen = (jnp.maximum(a @ theta, 0) / p**0.5 for a in (x, test))
    both = jnp.stack([labels, error], axis=1)
    fitted = tridiagonal.coefficients(features, jnp.ones(N), both, jnp.asarray(RIDGES))
    signal, noise = jnp.moveaxis((seen @ fitted.reshape(p, -1)).reshape(TEST, 2, -1), 1, 0)
    root = jnp.sqrt(jnp.asarray(NOISES))[:, None, None]
    return jnp.mean(((signal - target[:, None])[None] + root * noise[None]) ** 2, axis=1)


def features_of(w: dict, p: int) -> tuple[np.ndarray, np.ndarray]:
    """ReLU features of the training and test rows."""
    train, test = (np.maximum(a @ w["theta"], 0) / p**0.5 for a in (w["x"], w["test"]))
    return train, test


def numpy_loop(w: dict, p: int, noise: float, ridge: float) -> float:
    """One cell as one writes it: features, normal equations, test error."""
    f, test = features_of(w, p)
    y = w["labels"] + noise**0.5 * w["error"]
    a = np.linalg.solve(f.T @ f + ridge * np.eye(p), f.T @ y)
    return float(np.mean((test @ a - w["target"]) ** 2))


def careful_loop(w: dict, p: int, noise: float, ridge: float) -> float:
    """The same by the smaller Gram matrix, with features and products kept between cells."""
    if "kept" not in w:
        f, test = features_of(w, p)
        w["kept"] = f, test, f.T @ f if p <= N else f @ f.T
    f, test, gram = w["kept"]
    y = w["labels"] + noise**0.5 * w["error"]
    if p <= N:
        a = cho_solve(cho_factor(gram + ridge * np.eye(p)), f.T @ y)
    else:
        a = f.T @ cho_solve(cho_factor(gram + ridge * np.eye(N)), y)
    return float(np.mean((test @ a - w["target"]) ** 2))


def sklearn_loop(w: dict, p: int, noise: float, ridge: float) -> float:
    """One cell by scikit-learn at its defaults."""
    f, test = features_of(w, p)
    y = w["labels"] + noise**0.5 * w["error"]
    model = Ridge(alpha=ridge, fit_intercept=False).fit(f, y)
    return float(np.mean((model.predict(test) - w["target"]) ** 2))


LOOPS = (numpy_loop, sklearn_loop, careful_loop)


def floor() -> float:
    """CPU seconds of the grid's own matrix products and tridiagonalisations, nothing else."""
    total = 0.0
    for p in WIDTHS:
        w, m = world(p, 0), min(N, p)
        forty = np.ones((p, 2 * len(RIDGES)))

        def work(w=w, p=p, m=m, forty=forty):
            f, test = w["x"] @ w["theta"], w["test"] @ w["theta"]
            gram = f.T @ f if p <= N else f @ f.T
            lapack.dsytrd(gram, lwork=32 * m)
            if p > N:
                f.T @ forty[:N]
            gram @ forty[:m], gram @ forty[:m]  # into the tridiagonal basis and back
            test @ forty

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
        abs(found[p, s][i, j] / loop(worlds[p, s], p, NOISES[i], RIDGES[j]) - 1)
        for p, s, i, j in picks
        for loop in LOOPS
    )
    assert worst < 1e-7, f"results differ by {worst:.1e}"

    def grid():
        for w in on_device.values():
            shared(**w).block_until_ready()

    def cells(loop):
        for p, s, i, j in picks:
            loop(worlds[p, s], p, NOISES[i], RIDGES[j])

    fits = len(worlds) * len(RIDGES) * len(NOISES)
    ours, least = _clock.seconds(grid), floor()
    scale = fits / len(picks)
    slow = {f.__name__: scale * _clock.seconds(lambda f=f: cells(f)) for f in LOOPS}
    print(f"{fits} fits, largest relative difference to the loops {worst:.0e}")
    print(f"{'':34s}{'CPU s':>9s}{'fits/s':>10s}{'ratio':>8s}")
    rows = {"one tridiagonalisation, 100 fits": ours, **slow, "floor: products + dsytrd": least}
    for name, value in rows.items():
        print(f"{name:34s}{value:9.3f}{fits / value:10.0f}{value / ours:8.2f}")
    for name, value in slow.items():
        _table.tell(
            f"{fits} random-feature ridge fits", name, ours, value, "CPU s", share=least / ours
        )
    print(f"first call with {len(WIDTHS)} compilations: {first:.2f} CPU s")


if __name__ == "__main__":
    main()
