"""Where the slack audit draws points of phenomena that train or store step by step."""

from typing import Any

import numpy as np

from benchmarks._scopes.draw import Random, copies, rows, signal, spread
from ci_theory.theory.dynamics import induction_onset as onset
from ci_theory.theory.dynamics.induction_head import Questions

ONSET = 250  # steps to the onset of an induction head


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


def queries(rng: Random, fixed: dict[str, Any]) -> dict[str, Any]:
    """Ridge, labels of the queries, and the test."""
    return {
        "query_noise": spread(rng, 0.01, 2.0, 0.1),
        "flips": float(rng.choice([0.0, 0.0, rng.uniform(0, 0.5)])),
        "ridge": spread(rng, 0.005, 1.0),
        "test_length": max(2, round(fixed["d"] * spread(rng, 0.5, 8.0))),
        "test_noise": spread(rng, 0.01, 2.0, 0.1),
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
