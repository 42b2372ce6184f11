"""A ridge student of its own teacher: the best weight of the teacher's labels, and its sign."""

import numpy as np
from scipy.optimize import brentq

from ci_theory.theory.ridge.distillation import distilled
from ci_theory.theory.spectra.spectrum import isotropic, two_block
from reproductions._judge import draws, exactly, numbers, signs

N, BLOCK, NOISE, RIDGES = 200, 60, 0.5, np.array([5.0, 12.0, 100.0, 400.0])
LABELS = 6  # draws of target and label noise for the rows of one run


def one(rng: np.random.Generator, scale: int = 1) -> np.ndarray:
    """Return what is measured at each ridge, see ``measure``; means over draws of the labels."""
    law, power = np.repeat([4.0, 0.3], scale * BLOCK), np.repeat([1.0, 0.05], scale * BLOCK)
    x = rng.normal(size=(scale * N, len(law))) * np.sqrt(law)
    values, v = np.linalg.eigh(x @ x.T)
    values, back = np.maximum(values, 0), x.T @ v

    def students(w: np.ndarray, labels: np.ndarray, ridge: float) -> list[float]:
        def risks(mix, at=ridge):
            off = back @ (((1 - mix) * labels + mix * teacher) / (values + at)) - w
            return np.array([law @ off**2, off @ off])

        def guess(left_out):
            """Weight that the residuals e call for: -e.e' / (ridge |e'|²)."""
            e, moved = left_out(ridge), (left_out(1.001 * ridge) - left_out(ridge / 1.001)) / 0.002
            return -(e @ moved) / (moved @ moved)

        teacher = labels * values / (values + ridge)  # its predictions on the rows
        down, start, up = (risks(mix) for mix in (-1, 0, 1))
        tilt, bend = (up - down) / 2, (up + down) / 2 - start
        best = -tilt / (2 * bend)
        gains = [start[k] - risks(sign * best[k])[k] for sign in (1, -1) for k in (0, 1)]
        slope = risks(0, 1.0001 * ridge) - risks(0, ridge / 1.0001)
        rules = [*-np.sign(best * slope), -np.sign(best[0] * slope[1])]
        raw = guess(lambda r: labels * r / (values + r))
        shot = guess(lambda r: labels * r / (values + r) / np.mean(r / (values + r)))
        missed = [abs(shot - best[0]), abs(raw - best[0])]
        return [*gains, *rules, tilt[0], bend[0], start[0], *missed]

    found = []
    for _ in range(LABELS):
        w = np.sqrt(power / (scale * BLOCK)) * rng.choice([-1.0, 1.0], size=len(law))
        labels = v.T @ (x @ w + np.sqrt(NOISE) * rng.normal(size=scale * N))
        found.append([students(w, labels, ridge) for ridge in scale * RIDGES])
    return np.mean(found, axis=0)


def measure(runs: int = 600):
    """Test the strict gain, the sign rule, the asymptotic risk, the threshold and the guess."""
    made = draws("distillation", runs, one)
    gains, wrong, rules = (made[..., k : k + 2].reshape(runs, -1) for k in (0, 2, 4))
    law = two_block(BLOCK, BLOCK, 4.0, 0.3, 1.0, 0.05)
    ours = [distilled(law, N, r, NOISE) for r in RIDGES]
    mix = np.array([float(o.mix) for o in ours])
    half = [float(distilled(law, N, r, NOISE / 2).student) for r in RIDGES]
    large = draws("distillation large", max(runs // 10, 2), lambda rng: one(rng, 3))
    closer = made[: len(large), :, 10:] - large[..., 10:]
    turn = brentq(lambda r: float(distilled(isotropic(BLOCK, 2.0), N, r, NOISE).mix), 1.0, 60.0)
    return [
        signs(
            "The student with the best weight is better than its teacher, at every ridge and also "
            "on another test law",
            "abstract",
            gains,
            control=wrong,
            where="the weight with its sign turned",
        ),
        signs(
            "The best weight has the sign of −R′, the slope of the teacher's risk in the ridge",
            "abstract",
            rules,
            control=made[..., 6],
            where="the slope on the other test law",
        ),
        numbers(
            "Risk of the student at the weight of our deterministic equivalent (`distilled`), with "
            "anisotropic inputs",
            "abstract; formula derived here, theirs was not compared",
            made[..., 9] + mix * made[..., 7] + mix**2 * made[..., 8],
            [float(o.student) for o in ours],
            slack=1 / N,
            decoys={"the teacher's": [float(o.teacher) for o in ours], "half the noise": half},
        ),
        exactly(
            "Isotropic inputs: the weight turns negative at ridge = σ²p/‖w‖² (per row γσ²/r²)",
            "a public reproduction by others (their Corollary 3.2)",
            turn,
            BLOCK * NOISE / 2.0,
            within=1e-9,
            decoys={"a ridge per row": BLOCK * NOISE / 2.0 / N},
        ),
        signs(
            "The weight can be estimated from the one fit: consistent, so three times the rows and "
            "inputs leave a smaller error",
            "abstract; our estimate, theirs was not at hand",
            closer[..., 0],
            control=closer[..., 1],
            where="residuals of the training rows as they are",
        ),
    ]
