"""The best ridge takes double descent away: in rows and in parameters."""

import numpy as np

from ci_theory.theory.ridge.best_ridge import best_ridge
from ci_theory.theory.spectra.spectrum import isotropic
from reproductions._judge import draws, exactly, numbers, signs

D, NOISE, ROWS, SIZES = (
    50,
    0.5,
    np.array([10, 25, 40, 50, 60, 80, 120]),
    [10, 25, 40, 50, 60, 80, 100],
)


def ridge_error(x, ridge, signal, noise):
    """Return the excess risk of ridge regression, mean over targets of norm² ``signal``."""
    values = np.linalg.eigvalsh(x.T @ x)
    missed = signal / x.shape[1] * np.sum((ridge / (values + ridge)) ** 2)
    return missed + noise * np.sum(values / (values + ridge) ** 2)


def rows(rng: np.random.Generator) -> list[list[float]]:
    """Return the risks of one design: tuned ridge and nearly none, of each number of rows."""
    x = rng.normal(size=(ROWS[-1], D))
    return [[ridge_error(x[:n], r, 1.0, NOISE) for n in ROWS] for r in (D * NOISE, 1e-3)]


def parameters(rng: np.random.Generator) -> list[list[float]]:
    """Return the risks of one design, of each number of inputs that are seen."""
    x, found = rng.normal(size=(50, 100)), []
    for ridge in (None, 1e-3):
        risks = []
        for p in SIZES:
            seen = p / 100
            noise = NOISE + 1 - seen  # what is not seen is noise
            best = noise * p / seen
            risks.append(
                ridge_error(x[:, :p], best if ridge is None else ridge, seen, noise) + 1 - seen
            )
        found.append(risks)
    return found


def measure(runs: int = 300):
    """Look for a rise of the risk, with the best ridge and without."""
    found = []
    for claim, one in (("rows", rows), ("parameters", parameters)):
        values = draws(f"nakkiran {claim}", runs, one)
        tuned, plain = -np.diff(values[:, 0], axis=1), -np.diff(values[:, 1], axis=1)
        found.append(
            signs(
                f"With the best ridge the test error falls with every step to more {claim}",
                "abstract",
                tuned,
                control=plain,
                where="hardly any ridge, with its peak",
            )
        )
        if claim == "rows":
            risks = values[:, 0]
    said = [best_ridge(isotropic(D), n, NOISE) for n in ROWS]
    excess = np.array([float(one.excess_risk) for one in said])
    off = [float(best_ridge(isotropic(D), n, NOISE / 2).excess_risk) for n in ROWS]
    found.append(
        exactly(
            "The best total ridge is σ²d/‖w‖², whatever the number of rows",
            "from memory",
            [float(one.ridge) for one in said],
            NOISE * D,
            within=1e-6,
            decoys={"a ridge per row, σ²d/(n‖w‖²)": NOISE * D / ROWS},
        )
    )
    found.append(
        numbers(
            "The error at the best ridge is that of ci_theory (`best_ridge`)",
            "derived here",
            risks,
            excess,
            slack=0.5 / ROWS,
            decoys={"half the noise": off},
        )
    )
    return found
