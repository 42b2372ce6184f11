"""What points of several phenomena have in common, drawn over the whole of a scope."""

from typing import Any

import numpy as np

Random = np.random.Generator


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


def copies(rng: Random, n: int) -> dict[str, Any]:
    """Draw copies that share their labels."""
    found = repeated(rng, "", n)
    return {k: v for k, v in found.items() if k != "shared_noise"}
