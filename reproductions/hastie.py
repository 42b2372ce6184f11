"""The risk of ridgeless least squares on isotropic inputs, its peak, and its second minimum."""

import jax
import numpy as np
from scipy.optimize import minimize_scalar

from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.spectrum import isotropic
from reproductions._judge import draws, exactly, numbers, signs

N, SIGNAL, NOISE = 200, 4.0, 1.0
RATIOS = np.array([0.2, 0.5, 0.8, 1.3, 2.0, 4.0])
risk = jax.jit(lambda p, signal: ridge_risk(isotropic(p, signal), N, 0.0, NOISE).excess_risk)


def formula(ratio, signal=SIGNAL):
    """Published: noise γ/(1 - γ) below 1; |w|² (1 - 1/γ) + noise/(γ - 1) above."""
    under, over = ratio / (1 - ratio), signal * (1 - 1 / ratio) + NOISE / (ratio - 1)
    return np.where(ratio < 1, NOISE * under, over)


def one(rng: np.random.Generator) -> list[float]:
    """Return the excess risks of one draw of rows, a ratio each: bias and variance."""
    found = []
    for p in (RATIOS * N).astype(int):
        x = rng.normal(size=(N, p))
        if p < N:
            found.append([0.0, np.trace(np.linalg.inv(x.T @ x))])
            continue
        inverse = np.linalg.inv(x @ x.T)
        seen = x[:, 0] @ inverse @ x[:, 0]  # of a unit target along the first input
        found.append([1 - seen, np.trace(inverse)])
    return found


def measure(runs: int = 200):
    """Compare the formula with simulation and ours; look for the second minimum."""
    made = draws("hastie", runs, one)
    values = SIGNAL * made[..., 0] + NOISE * made[..., 1]
    p = RATIOS * N
    theirs, ours = formula(RATIOS), [float(risk(v, SIGNAL)) for v in p]
    best = minimize_scalar(lambda q: float(risk(q, SIGNAL)), bounds=(220, 4000), method="bounded")
    weak = 0.5 * made[..., 0] + NOISE * made[..., 1]  # |w|² below the noise

    def around(v):  # γ = 1.3 and 4 against 2
        return v[:, [3, 5]] - v[:, [4]]

    return [
        numbers(
            "Excess risk σ²γ/(1 − γ) below γ = 1, r²(1 − 1/γ) + σ²/(γ − 1) above",
            "from memory",
            values,
            theirs,
            slack=1 / (abs(N - p) - 1),
            decoys={"σ²γ, no peak": NOISE * RATIOS, "no bias above 1": formula(RATIOS, 0.0)},
        ),
        exactly(
            "The same from the effective ridge of ci_theory (`ridge_risk`, ridge 0)",
            "from memory",
            ours,
            theirs,
            within=1e-10,
            decoys={"finite-size form": theirs * (1 + 1 / (abs(N - p) - 1))},
        ),
        exactly(
            "With r² > σ² the risk beyond the peak is least at γ = s/(s − 1), s = r/σ",
            "from memory",
            best.x / N,
            2.0,
            within=1e-4,
            decoys={"s² in place of s": 4 / 3},
        ),
        signs(
            "There is such a minimum beyond the peak, if the signal is stronger than the noise",
            "abstract (benefits of overparametrization)",
            around(values),
            control=around(weak),
            where="r² = σ²/2",
        ),
    ]
