"""Where the slack audit draws its points: for each phenomenon, the whole scope it states."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ci_theory.theory.dynamics import induction_onset as onset
from ci_theory.theory.dynamics.induction_head import Questions

Random = np.random.Generator
ONSET = 250  # steps to the onset of an induction head


class Scope(NamedTuple):
    """What to draw for a phenomenon.

    Attributes:
        sizes: static fields and replicates of every program.
        outer: draws the traced and sized fields of one run, given the static ones.
        inner: draws the inner fields of one point.
        designs: runs with fields of their own, per program.
        size: the static field that says how large a program is.
    """

    sizes: list[tuple[dict[str, Any], int]]
    outer: Callable[[Random, dict[str, Any]], dict[str, Any]]
    inner: Callable[[Random, dict[str, Any]], dict[str, float]]
    designs: int
    size: str = "p"


def spread(rng: Random, low: float, high: float, zero: float = 0.0) -> float:
    """Draw log-uniformly; 0 with probability ``zero``."""
    return 0.0 if rng.random() < zero else float(np.exp(rng.uniform(np.log(low), np.log(high))))


def rows(rng: Random, p: int, most: float = 6.0) -> int:
    """Draw 0.3 to ``most`` rows per parameter, in one draw of three within 25 of interpolation."""
    if rng.random() < 1 / 3:
        return int(max(4, p + rng.integers(-25, 26)))
    return round(p * spread(rng, 0.3, most))


def plain(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Draw ridge and noise: no ridge, or 1e-3 to 10 per parameter; no noise, or 1e-2 to 10."""
    return {"ridge": ridge(rng, fixed["p"]), "noise": spread(rng, 1e-2, 10.0, 0.15)}


def ridge(rng: Random, p: int) -> float:
    """Draw a total ridge."""
    return p * spread(rng, 1e-3, 10.0, 0.25)


def signal(rng: Random) -> float:
    """Draw the target's squared norm; 0 now and then."""
    return spread(rng, 0.1, 10.0, 0.1)


def repeated(rng: Random, prefix: str, budget: int) -> dict[str, Any]:
    """Draw a share of the budget and how often its rows are seen."""
    return {
        f"{prefix}repeated_fraction": float(rng.choice([0.0, 1.0, rng.uniform(), rng.uniform()])),
        f"{prefix}repeats": max(1, round(spread(rng, 1.0, min(100.0, budget)))),
        f"{prefix}shared_noise": bool(rng.random() < 0.7),
    }


def ridge_peak(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows and signal."""
    return {"n": rows(rng, fixed["p"]), "signal": signal(rng)}


def repeated_data(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """A budget of up to 8 rows per parameter, spent on fresh and on repeated rows."""
    budget = round(fixed["p"] * spread(rng, 0.4, 8.0))
    found = {"budget": budget, "signal": signal(rng), **repeated(rng, "", budget)}
    return {**found, "deduplicated": bool(rng.random() < 0.15)}


def repetition_scaling(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """A budget spent on fresh and on repeated rows, which share their labels."""
    budget = round(fixed["modes"] * spread(rng, 0.3, 6.0))
    found = {"n": budget, **repeated(rng, "", budget)}
    del found["shared_noise"]
    return found


def falling(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge per row, how it falls with the budget, noise."""
    own = {"level": spread(rng, 1e-4, 1.0), "decay": float(rng.uniform(0.0, 1.0))}
    return {**own, "noise": spread(rng, 1e-3, 1.0)}


def contaminated_test(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Leaked rows, seen up to 30 times."""
    return {
        **ridge_peak(rng, fixed),
        "leaked": float(rng.choice([0.0, 1.0, rng.uniform(), rng.uniform()])),
        "repeats": round(spread(rng, 1.0, 30.0)),
        "fresh_labels": bool(rng.random() < 0.4),
    }


def leak(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge, noise, and how much of the test set leaked."""
    return {**plain(rng, fixed), "contamination": float(rng.choice([1.0, rng.uniform()]))}


def power_law_break(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows from 20 on, in one draw of three about as many as features; copies."""
    width = fixed.get("width", 0)
    n = round(spread(rng, 20.0, 160.0))
    if width and rng.random() < 1 / 3:
        n = max(20, width + int(rng.integers(-15, 16)))
    repeats = round(spread(rng, 1.0, 6.0))
    return {"n": n * repeats, "repeats": repeats}


def per_row(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge per row, noise."""
    return {"ridge": spread(rng, 1e-5, 0.3, 0.4), "noise": spread(rng, 1e-3, 1.0, 0.2)}


def corrupted_inputs(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Input noise from none to ten times the signal's variance."""
    return {**ridge_peak(rng, fixed), "input_noise": spread(rng, 0.01, 10.0, 0.1)}


def two_stage_ridge(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Upstream rows with repeats, downstream rows."""
    up = round(fixed["p"] * spread(rng, 0.4, 8.0))
    found = {"up.n": up, "down.n": rows(rng, fixed["p"], 4.0), "signal": spread(rng, 0.1, 10.0)}
    return {**found, **repeated(rng, "up.", up)}


def stages(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge and noise of both stages, the angle between them, the shift."""
    up, down = plain(rng, fixed), plain(rng, fixed)
    return {
        **{f"up.{k}": v for k, v in up.items()},
        **{f"down.{k}": v for k, v in down.items()},
        "alignment": float(rng.uniform(-1, 1)),
        "ood_variance": spread(rng, 0.1, 20.0),
    }


def lifelong_editing(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Edits of one row to twice the dimension, exact or gentle."""
    n = round(spread(rng, 1.0, 2.0 * fixed["p"]))
    return {"n": n, "ridge": max(n, fixed["p"]) * spread(rng, 1e-2, 10.0, 0.25)}


def life(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """How many edits, and of what."""
    return {
        "edits": round(spread(rng, 1.0, 60.0)),
        "replay": float(rng.choice([0.0, rng.uniform(), 1.0], p=[0.3, 0.6, 0.1])),
        "noise": spread(rng, 1e-2, 10.0, 0.15),
        "distance": spread(rng, 1e-2, 10.0, 0.15),
        "base_error": spread(rng, 1e-2, 1.0, 0.15),
    }


def poisoned_ridge(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows of both stages, poison from one row in a hundred to most, weak and strong triggers."""
    return {
        "up.n": rows(rng, fixed["p"]),
        "down.n": rows(rng, fixed["p"], 4.0),
        "up.poison": spread(rng, 0.01, 0.8, 0.1),
        "up.strength": spread(rng, 0.5, 8.0),
        "signal": spread(rng, 0.1, 10.0),
    }


def backdoor(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge and noise of both stages, the label, the length of the training, the angle."""
    up, down = plain(rng, fixed), plain(rng, fixed)
    return {
        **{f"up.{k}": v for k, v in up.items()},
        **{f"down.{k}": v for k, v in down.items()},
        "up.label": spread(rng, 0.3, 10.0),
        "down.time": 1e9 if rng.random() < 0.5 else spread(rng, 0.1, 30.0),
        "alignment": float(rng.choice([0.0, rng.uniform(-1, 1)])),
    }


def weight_interpolation(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """As two stages, whose copies share their labels."""
    found = two_stage_ridge(rng, fixed)
    del found["up.shared_noise"]
    return found


def mixed(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge and noise of both stages, the angle, the shift, the share of the tuned weights."""
    found = stages(rng, fixed)
    del found["ood_variance"]
    return {**found, "transfer": float(rng.uniform(-0.5, 1.5)), "mix": float(rng.uniform(-0.5, 2))}


def noisy_features(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Upstream and downstream rows, size of the weights."""
    up = round(fixed["p"] * spread(rng, 1.5, 60.0))
    return {"up.n": up, "down.n": rows(rng, fixed["p"]), "up.scale": spread(rng, 0.5, 5.0)}


def feature_spectrum(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Upstream rows with repeats, downstream rows."""
    up = round(fixed["p"] * spread(rng, 0.6, 16.0))
    found = {"up.n": up, "down.n": round(spread(rng, 10.0, 200.0)), **repeated(rng, "up.", up)}
    del found["up.shared_noise"]
    return {**found, "up.signal": spread(rng, 0.1, 10.0)}


def buried(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Noise of the upstream rows and of the downstream labels."""
    return {"up.noise": spread(rng, 3e-3, 30.0, 0.03), "down.noise": spread(rng, 1e-2, 10.0, 0.15)}


def flipped(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Flips, the probe's ridge and noise, both parts of the target and where it is tested."""
    return {
        "up.flips": spread(rng, 1e-3, 0.5, 0.05),
        "down.ridge": spread(rng, 1e-3, 30.0),
        "down.noise": spread(rng, 1e-2, 10.0, 0.15),
        "down.named": spread(rng, 0.1, 10.0, 0.1),
        "down.unnamed": spread(rng, 0.1, 10.0, 0.1),
        "down.kept": float(rng.uniform(-2, 2)),
    }


def double_double_descent(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Coordinates of both fits, and rows of 0.3 to 6 a coordinate, often near interpolation."""
    d = fixed["d"]
    up = int(rng.integers(d // 4, d + 1))
    frozen = int(rng.integers(1, min(up, d - 4) + 1))
    own = int(rng.integers(4, d - frozen + 1))
    found: dict[str, Any] = {"frozen": frozen}
    for name, p in (("up", up), ("down", own)):
        found |= {f"{name}.p": p, f"{name}.n": rows(rng, p), f"{name}.ridge": ridge(rng, p)}
    return found


def targets(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Noise of both labels, the downstream target and how far the upstream one is from it."""
    noise = {f"{name}.noise": spread(rng, 1e-2, 10.0, 0.15) for name in ("up", "down")}
    return {**noise, "signal": signal(rng), "difference": spread(rng, 1e-2, 10.0, 0.2)}


def alignment_erasure(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """From two rows to 5 per dimension, safe rows or none, and what rows share and what is held."""
    d = fixed["d"]
    few = rng.random() < 2 / 3
    n = round(spread(rng, 2, 5 * d)) if few else max(2, d + int(rng.integers(-20, 21)))
    return {
        "n": n,
        "safe": int(rng.choice([0, 0, rng.integers(0, d + 1)])),
        "growth": spread(rng, 5e-3, 1.0, 0.3),
        "strength": spread(rng, 0.3, 4.0),
        "shared": float(rng.choice([1.0, 1.0, rng.uniform()])),
        "overlap": float(rng.choice([1.0, 1.0, rng.uniform(-1, 1)])),
        "frozen": float(rng.choice([0.0, 0.0, 1.0, rng.uniform()])),
    }


def erasing(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Labels, the base, noise and ridge."""
    return {
        "push": float(rng.choice([1.0, 0.0, rng.uniform(-1, 3)])),
        "reversal": float(rng.choice([0.0, 1.0, rng.uniform(-1, 2)])),
        "answer": spread(rng, 0.3, 3.0),
        "utility": spread(rng, 0.2, 5.0, 0.1),
        "drift": spread(rng, 0.05, 2.0, 0.6),
        "noise": spread(rng, 0.02, 4.0, 0.1),
        "ridge": ridge(rng, fixed["d"]),
    }


def imbalanced_mixture(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Minorities of 10 rows and more."""
    n = round(fixed["p"] * spread(rng, 0.5, 8.0))
    share = spread(rng, min(0.45, 10.0 / n), 0.5)
    return {"n": n, "minority": share, "separation": spread(rng, 0.05, 10.0, 0.05)}


def group_gap(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Minorities from one row on, of weights from almost none to a thousand."""
    n = max(8, rows(rng, fixed["p"], 8.0))
    few = max(1, round(spread(rng, 1.0, n / 2)))
    weight = spread(rng, 0.05, 1e3, 0.05)
    return {"n": n, "minority": few / n, "weight": weight, "signal": spread(rng, 0.1, 10.0)}


def angle(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge, noise and the angle between the targets."""
    return {**plain(rng, fixed), "alignment": float(rng.uniform(-1, 1))}


def random_feature_peak(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows from a few per input to four times the features; a linear and a quadratic target."""
    n = round(spread(rng, 2.0 * fixed["d"], 4.0 * fixed["p"]))
    return {"n": max(n, 12), "signal": signal(rng), "quadratic": spread(rng, 0.05, 2.0, 0.6)}


def kernel_ridge(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge in units of the kernel, and noise."""
    return {"ridge": spread(rng, 1e-5, 10.0, 0.1), "noise": spread(rng, 1e-2, 10.0, 0.15)}


def copies(rng: Random, n: int) -> dict[str, Any]:
    """Draw copies that share their labels."""
    found = repeated(rng, "", n)
    return {k: v for k, v in found.items() if k != "shared_noise"}


def epochwise_descent(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows near the inputs' number or the features', scales up to 1000 apart, copies."""
    n = max(12, rows(rng, fixed["p"] if fixed["p"] and rng.random() < 0.5 else fixed["d"]))
    return {
        "n": n,
        "signal": signal(rng),
        "slow_variance": spread(rng, 1e-3, 1.0) if rng.random() < 0.8 else 1.0,
        "slow_share": float(rng.choice([0.0, 1.0, rng.uniform(), rng.uniform()])),
        **(copies(rng, n) if rng.random() < 0.5 else {"repeated_fraction": 0.0, "repeats": 1}),
    }


def moment(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Draw a time, a noise level and a decay."""
    return {
        "time": spread(rng, 0.03, 1e4),
        "noise": spread(rng, 1e-2, 10.0, 0.15),
        "decay": spread(rng, 1e-4, 1.0, 0.5),
    }


def linear_grokking(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Ratios from 1/5 to 5, starts from none to large, copies."""
    n = round(fixed["d"] * spread(rng, 0.2, 5.0))
    return {
        "n": n,
        "signal": spread(rng, 1e-4, 10.0, 0.1),
        "start": spread(rng, 1e-2, 1e2, 0.1),
        "tolerance": spread(rng, 1e-4, 1.0),
        **(copies(rng, n) if rng.random() < 0.5 else {"repeated_fraction": 0.0, "repeats": 1}),
    }


def later(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Draw a time, a noise level and a decay for a start that is large."""
    return {
        "time": spread(rng, 0.1, 3e3),
        "noise": spread(rng, 1e-5, 1.0, 0.3),
        "decay": spread(rng, 1e-3, 1.0, 0.3),
    }


def sgd_scaling(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rates up to half of the sampling noise that is stable; steps of 1 to 4 rows, copies."""
    trace = float(np.sum(np.arange(1.0, fixed["inputs"] + 1) ** (-2 * fixed["alpha"])))
    batch = int(rng.integers(1, 5))
    found = copies(rng, batch) if rng.random() < 0.5 else {"repeated_fraction": 0.0, "repeats": 1}
    return {"batch": batch, "rate": 2 * spread(rng, 0.005, 0.5) / trace / batch, **found}


def stop(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Draw a number of steps and a noise level."""
    return {"steps": round(spread(rng, 3.0, 600.0)), "noise": spread(rng, 1e-3, 1.0, 0.3)}


def icl_linear_attention(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Prompts from a quarter of the weights to five times them, a few tasks to many, copies."""
    d = fixed["d"]
    n = round(d**2 * (1.0 if rng.random() < 0.2 else spread(rng, 0.25, 5.0)))
    return {
        "n": n,
        "tasks": max(2, round(d * spread(rng, 0.2, 5.0))),
        "length": max(2, round(d * spread(rng, 0.5, 8.0))),
        "noise": spread(rng, 0.01, 2.0, 0.1),
        **(copies(rng, n // 4) if rng.random() < 0.5 else {"repeated_fraction": 0.0, "repeats": 1}),
    }


def fact_memory(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """A few facts to ten times the width, even or of a long tail, copied, left out, mixed up."""
    facts = round(spread(rng, 4.0, min(10.0 * fixed["d"], 240.0)))
    return {
        "facts": facts,
        "exponent": spread(rng, 0.1, 2.0, 0.2),
        "power": float(rng.choice([0.5, 1.0, rng.uniform()])),
        "kept": round(facts * float(rng.choice([1.0, 1.0, rng.uniform(0.1, 1.0)]))) or 1,
        "repeated_fraction": float(rng.choice([0.0, rng.uniform(), 0.1])),
        "repeats": spread(rng, 1.0, 30.0),
        "noise": float(rng.choice([0.0, rng.uniform(0, 0.6)])),
    }


def watched_fact(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """A rank that every number of facts has."""
    return {"rank": int(rng.integers(1, 5))}


def queries(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Ridge, labels of the queries, and the test."""
    return {
        "query_noise": spread(rng, 0.01, 2.0, 0.1),
        "flips": float(rng.choice([0.0, 0.0, rng.uniform(0, 0.5)])),
        "ridge": spread(rng, 0.005, 1.0),
        "test_length": max(2, round(fixed["d"] * spread(rng, 0.5, 8.0))),
        "test_noise": spread(rng, 0.01, 2.0, 0.1),
    }


def induction_onset(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Items, copies, wrong answers, few or many sequences; steps by which the head is there."""
    found = {
        **fixed,
        "items": round(spread(rng, 2.0, 0.8 * fixed["labels"])),
        "copies": round(spread(rng, 1.0, 8.0)),
        "noise": spread(rng, 0.02, 0.5, 0.2),
        "asked": 1.0 if rng.random() < 0.2 else float(rng.uniform(0.3, 1.0)),
        "batch": round(spread(rng, 2.0, 100.0)),
    }
    asked = (float(found[k]) for k in ("items", "labels", "noise", "copies", "asked"))
    time = float(onset.induction_onset(Questions(*asked)).time)
    return {**found, "rate": min(time / ONSET, 0.5) if np.isfinite(time) else 0.1}


def descended(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Draw a number of steps: long before the head, at its onset, after it."""
    return {"steps": round(ONSET * float(rng.choice([rng.uniform(0, 2), rng.uniform(0.9, 1.2)])))}


def icl_zipf_tasks(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Prompts from a quarter of the weights to five times them, tasks alike to one above all."""
    d = fixed["d"]
    return {
        "n": round(d**2 * (1.0 if rng.random() < 0.2 else spread(rng, 0.26, 5.0))),
        "exponent": float(rng.uniform(0, 2)),
        "length": max(2, round(d * spread(rng, 0.5, 8.0))),
        "noise": spread(rng, 0.01, 2.0, 0.1),
        "ridge": spread(rng, 0.02, 1.0),
    }


def watched(rng: Random, fixed: dict[str, Any]) -> dict[str, int]:
    """Draw a task to watch."""
    return {"rank": int(np.exp(rng.uniform(0, np.log(fixed["tasks"]))))}


_SPECTRA: list[dict[str, Any]] = [
    {"spectrum": "isotropic"},
    {"spectrum": "two_block"},
    {"spectrum": "power_law", "alpha": 1.5},
]
_SIZES = ((20, 1500), (40, 1000), (80, 400))
_PLAIN: list[tuple[dict[str, Any], int]] = [({"p": p}, count) for p, count in _SIZES]
_LIVES = [({"p": p, "editor": e}, 600) for p in (20, 40) for e in ("sequential", "batch")]
_SPECTRAL = [({"p": p, **s}, count) for p, count in _SIZES for s in _SPECTRA]
_FEATURES: list[tuple[dict[str, Any], int]] = [
    ({"p": p, "d": d, "activation": act}, 1500)
    for p, d in ((40, 6), (60, 30), (120, 10), (150, 16))
    for act in ("relu", "tanh")
]
_MEMBERS = [({**fixed, "members": k}, 1500) for fixed, _ in _FEATURES[:4] for k in (2, 6)]
_SCALES: list[tuple[dict[str, Any], int]] = [
    ({"d": d, "p": p, **s}, count)
    for d, p, count in ((24, 0, 1500), (48, 0, 1000), (32, 20, 1000), (32, 64, 1000))
    for s in (
        {"spectrum": "two_block"},
        {"spectrum": "power_law", "alpha": 1.2, "beta": 1.6},
        {"spectrum": "power_law", "alpha": 2.0, "beta": 1.3},
    )
]
_DRAWN: list[tuple[dict[str, Any], int]] = [
    ({"draw": 0, "width": d, "inputs": 4 * d, "alpha": a, "beta": b}, count)
    for d, count in ((10, 2000), (20, 1500), (40, 600))
    for a, b in ((0.6, 0.3), (1.0, 0.4), (1.2, 0.8), (0.7, 1.2), (0.3, 0.8))
]

_LAWS = [
    ({"modes": modes, "alpha": alpha, "source": source, "width": width, "tail": tail}, 500)
    for alpha, source, modes in ((1.3, 0.6, 100), (2.0, 0.25, 200), (2.8, 0.4, 100))
    for width, tail in ((0, True), (0, False), (40, True), (80, False))
]
_SLOPES = [
    ({"modes": modes, "alpha": alpha, "source": source}, count)
    for modes, count in ((60, 1000), (120, 500))
    for alpha, source in ((1.2, 0.5), (2.0, 0.5), (1.5, 0.2))
]

SCOPES = {
    "ridge_peak": Scope(_SPECTRAL, ridge_peak, plain, 7),
    "repeated_data": Scope(_PLAIN, repeated_data, plain, 18),
    "repetition_scaling": Scope(_SLOPES, repetition_scaling, falling, 12, "modes"),
    "contaminated_test": Scope(_PLAIN, contaminated_test, leak, 15),
    "corrupted_inputs": Scope(_SPECTRAL, corrupted_inputs, plain, 6),
    "two_stage_ridge": Scope([({"p": p}, 800) for p in (20, 40)], two_stage_ridge, stages, 24),
    "lifelong_editing": Scope(_LIVES, lifelong_editing, life, 12),
    "weight_interpolation": Scope(
        [({"p": p}, 800) for p in (20, 40)], weight_interpolation, mixed, 24
    ),
    "poisoned_ridge": Scope([({"p": p}, 1200) for p in (20, 40)], poisoned_ridge, backdoor, 24),
    "noisy_features": Scope(
        [({"p": 24, "up.heads": 16}, 800), ({"p": 20, "up.heads": 50}, 800)],
        noisy_features,
        flipped,
        24,
    ),
    "feature_spectrum": Scope([({"p": 20}, 2000), ({"p": 45}, 800)], feature_spectrum, buried, 24),
    "double_double_descent": Scope(
        [({"d": d}, 800) for d in (40, 80)], double_double_descent, targets, 24, "d"
    ),
    "alignment_erasure": Scope(
        [({"d": d}, count) for d, count in ((24, 1500), (60, 800))],
        alignment_erasure,
        erasing,
        18,
        "d",
    ),
    "imbalanced_mixture": Scope(
        _SPECTRAL, imbalanced_mixture, lambda rng, fixed: {"ridge": ridge(rng, fixed["p"])}, 4
    ),
    "group_gap": Scope(_PLAIN, group_gap, angle, 18),
    "random_feature_peak": Scope(_FEATURES, random_feature_peak, kernel_ridge, 5),
    "feature_ensemble": Scope(_MEMBERS, random_feature_peak, kernel_ridge, 5),
    "epochwise_descent": Scope(_SCALES, epochwise_descent, moment, 8, "d"),
    "linear_grokking": Scope(
        [({"d": d}, count) for d, count in ((30, 1500), (60, 1000), (120, 400))],
        linear_grokking,
        later,
        18,
        "d",
    ),
    "icl_linear_attention": Scope(
        [({"d": d}, count) for d, count in ((12, 200), (20, 60))],
        icl_linear_attention,
        queries,
        12,
        "d",
    ),
    "icl_zipf_tasks": Scope(
        [
            ({"d": d, "tasks": k}, count)
            for d, k, count in ((12, 8, 400), (12, 50, 400), (20, 50, 150))
        ],
        icl_zipf_tasks,
        watched,
        12,
        "d",
    ),
    "induction_onset": Scope(
        [({"labels": 12}, 300), ({"labels": 40}, 300)], induction_onset, descended, 24, "labels"
    ),
    "fact_memory": Scope(
        [({"d": d}, count) for d, count in ((8, 3000), (16, 2000), (32, 1000))],
        fact_memory,
        watched_fact,
        18,
        "d",
    ),
    "power_law_break": Scope(_LAWS, power_law_break, per_row, 4, "modes"),
    "sgd_scaling": Scope(_DRAWN, sgd_scaling, stop, 4, "width"),
}
