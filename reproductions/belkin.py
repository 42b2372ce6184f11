"""Double descent in the number of features that are fitted, at every size exactly."""

import numpy as np

from reproductions._judge import draws, numbers, signs

N, D, NOISE = 40, 100, 0.04
FITTED = np.array([5, 10, 20, 27, 55, 70, 85, 100])
EVEN = np.full(D, D**-0.5)
FALLING = 1 / np.arange(1, D + 1)
FALLING = FALLING / np.linalg.norm(FALLING)


def risk(rng: np.random.Generator, w: np.ndarray) -> list[float]:
    """Return the test errors of one draw, a number of fitted inputs each."""
    x, found = rng.normal(size=(N, D)), []
    y = x @ w + np.sqrt(NOISE) * rng.normal(size=N)
    for p in FITTED:
        fit = np.linalg.lstsq(x[:, :p], y, rcond=None)[0]
        found.append(np.sum((fit - w[:p]) ** 2) + np.sum(w[p:] ** 2) + NOISE)
    return found


def formula(p, n_less=1.0):
    """Published, of weights that are alike: with what is not fitted as noise."""
    seen = p / D
    left = 1 - seen + NOISE
    under = left * (1 + p / (N - p - n_less))
    return np.where(p < N, under, seen * (1 - N / p) + left * (1 + N / (p - N - n_less)))


def measure(runs: int = 4000):
    """Compare the formula, and both orders of the inputs."""
    values = draws("belkin", runs, lambda rng: risk(rng, EVEN))
    chosen = draws("belkin prescient", max(runs // 4, 2), lambda rng: risk(rng, FALLING))
    few, all_ = values[:, [0]], values[:, [-1]]
    return [
        numbers(
            "The risk is (‖w_out‖² + σ²)(1 + p/(n − p − 1)) for p < n − 1, and beyond n + 1 "
            "‖w_in‖²(1 − n/p) + (‖w_out‖² + σ²)(1 + n/(p − n − 1))",
            "from memory",
            values,
            formula(FITTED),
            decoys={
                "unseen inputs are no noise": formula(FITTED) * (1 - (1 - FITTED / D) / 2),
                "n − p in place of n − p − 1": formula(FITTED, 0.0),
            },
        ),
        signs(
            "The risk is highest near p = n and falls beyond it to its least at p = D",
            "abstract",
            np.hstack([values[:, [3]] - few, values[:, 4:-1] - values[:, 5:], few - all_]),
            control=few - values[:, [4]],
            where="p = 55, too near the peak to be the least",
        ),
        signs(
            "Inputs taken in their best order behave otherwise: the least risk is at p < n",
            "abstract",
            chosen[:, [-1]] - chosen[:, [1]],
            control=all_[: len(chosen)] - values[: len(chosen), [1]],
            where="inputs that are alike",
        ),
    ]
