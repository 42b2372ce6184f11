"""What a sweep answers, in a few plain values: verdicts with their numbers, breaks, provenance."""

import json
from collections import Counter
from typing import Any

import numpy as np
import xarray

from ci_theory.check.break_table import place
from ci_theory.check.breaks import Places, locate_breaks
from ci_theory.check.located import Located
from ci_theory.check.report import check, plain_json
from ci_theory.check.verdict import Outcome, Verdict

DIGITS = 4
"""Significant digits of a number in an answer."""


def answer(dataset: xarray.Dataset) -> dict[str, Any]:
    """Check a sweep and locate its breaks: what was found, and what it was found with.

    Predictions and breaks that no cell or slice of the sweep speaks about are left out.

    Args:
        dataset: a Dataset from a store.

    Returns:
        ``sweep``, ``title``, ``phenomenon``, ``version``, ``formula`` (the hash of the
        simulation), ``jax`` and ``date`` (of the last session that ran it), ``replicates``,
        and the lists ``predictions`` and ``breaks``: values that JSON has.
    """
    about = dataset.attrs
    sessions = sorted(json.loads(about["sessions"]), key=lambda one: one["began"])
    last = sessions[-1] if sessions else {}
    outcomes = [o for o in check(dataset).outcomes if o.verdict is not Verdict.OUT_OF_SCOPE]
    kinds = [k for k in locate_breaks(dataset).kinds if any(one.prediction for one in k.found)]
    return plain_json(
        {
            "sweep": about["name"],
            "title": about["title"],
            "phenomenon": about["phenomenon"],
            "version": about["version"],
            "formula": about["formula"],
            "jax": last.get("jax"),
            "date": last["began"][:10] if last else None,
            "replicates": int(dataset.sizes["replicate"]),
            "predictions": [_prediction(one) for one in outcomes],
            "breaks": [_break(one) for one in kinds],
        }
    )


def _prediction(o: Outcome) -> dict[str, Any]:
    judged, together = o.comparison.judged, o.own.pooled
    return {
        "name": o.name,
        "verdict": o.verdict.value,
        "cells": len(judged),
        "judged": int(judged.sum()),
        "replicates": int(np.max(o.comparison.count, initial=0)),
        "bias": _short(together.value),
        "error": _short(together.error),
        "finds": _short(o.detectable),
        "z": _short(o.own.z) if o.own.worst >= 0 else None,
        "decoys": len(o.decoys),
        "vacuous": sum(one.vacuous for one in o.decoys.values()),
        "rejected": sum(one.rejected and not one.vacuous for one in o.decoys.values()),
    }


def middle(kind: Places) -> Located | None:
    """Return the slice whose place is in the middle of those that tell theirs; None if none does.

    Of a kind that nothing predicts, the middle of those that were found.
    """
    tell = [one for one in kind.found if one.said.told]
    if not any(one.prediction for one in kind.found):
        tell = [one for one in kind.found if np.isfinite(one.measured.value)]
    return sorted(tell, key=lambda one: one.measured.value)[len(tell) // 2] if tell else None


def _break(kind: Places) -> dict[str, Any]:
    missed, of = kind.misses
    silent = Counter(one.said.why for one in kind.found if one.agrees is None)
    example = middle(kind)
    return {
        "name": kind.kind.name,
        "axis": kind.kind.axis,
        "verdict": kind.verdict.value,
        "slices": len(kind.found),
        "predicted": kind.predicted,
        "told": kind.told,
        "agree": kind.count(True),
        "disagree": kind.count(False),
        "silent": dict(silent.most_common()),
        "missed": missed,
        "intervals": of,
        "middle": None if example is None else place(example),
    }


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
