"""Where the slack audit draws points of phenomena that fit rows once."""

from typing import Any

from benchmarks._scopes.draw import Random, plain, repeated, rows, signal, spread


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


def member(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows from a few per input to four times the features; a linear and a quadratic target."""
    n = round(spread(rng, 2.0 * fixed["d"], 4.0 * fixed["p"]))
    return {"n": max(n, 12), "signal": signal(rng), "quadratic": spread(rng, 0.05, 2.0, 0.6)}


def random_feature_peak(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """The same, inputs corrupted in half of the runs, and a part of the rows repeated in half."""
    drawn = member(rng, fixed)
    repeats = 1 if rng.random() < 0.5 else round(spread(rng, 1.0, min(30.0, drawn["n"])))
    return {
        **drawn,
        "input_noise": spread(rng, 0.01, 10.0, 0.5),
        "repeated_fraction": float(rng.uniform(0.05, 1.0)),
        "repeats": repeats,
        "shared_noise": bool(rng.random() < 0.7),
    }


def kernel_ridge(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """Ridge in units of the kernel, and noise."""
    return {"ridge": spread(rng, 1e-5, 10.0, 0.1), "noise": spread(rng, 1e-2, 10.0, 0.15)}


def leaked_copies(rng: Random, fixed: dict[str, Any]) -> dict[str, float]:
    """The same, and how much of the test set has leaked."""
    return {**kernel_ridge(rng, fixed), "contamination": spread(rng, 0.05, 1.0, 0.2)}
