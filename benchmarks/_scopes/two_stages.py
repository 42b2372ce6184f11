"""Where the slack audit draws points of phenomena that inherit something."""

from typing import Any

from benchmarks._scopes.draw import Random, plain, repeated, ridge, rows, signal, spread


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


def metric_editing(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Edits of one row to half the dimension, in metrics about that of the inputs."""
    n = round(spread(rng, 1.0, 0.5 * fixed["p"]))
    return {
        "n": n,
        "ridge": max(n, fixed["p"]) * spread(rng, 1e-2, 10.0),
        "alpha": float(rng.uniform(0, 1.2)),
        "metric": float(rng.uniform(-0.5, 2)),
    }


def metric_life(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """As ``life``, without replay."""
    found = life(rng, fixed)
    del found["replay"]
    return found


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
