"""Located breaks as rows of text and as JSON."""

from typing import Any

import numpy as np

from ci_theory._errors import MESSAGES, Status
from ci_theory.check.located import Located
from ci_theory.check.room import FOUND, Room
from ci_theory.locate.point import BreakPoint

WORDS = {None: "-", True: "yes", False: "NO"}


def row(one: Located) -> dict[str, str]:
    """Return one row of the table of breaks, all cells as text."""
    m = one.measured
    notes = ["heavy tails at the break"] if one.delicate else []
    if m.reached is not None and m.reached < m.replicates:
        notes.append(f"{m.reached} of {m.replicates} runs broke")
    return {
        "break": one.kind.name,
        "at": ", ".join(f"{k}={v:.4g}" if _real(v) else f"{k}={v}" for k, v in one.at.items()),
        "measured": _measured(m),
        "predicted": _predicted(one.expected),
        "closed form": f"{one.closed_form:.4g}" if np.isfinite(one.closed_form) else "-",
        "height": f"{m.height:.4g}" if m.status in FOUND else "-",
        "covers": WORDS[one.covers],
        "agree": WORDS[one.agrees],
        "why": one.said.why,
        "note": "; ".join(notes),
    }


def place(one: Located) -> dict[str, Any]:
    """Return where one break was found and predicted, in four digits, for a short answer."""
    numbers = {
        "measured": (one.measured.value, one.measured.low, one.measured.high),
        "predicted": (one.predicted.value, one.expected.low, one.expected.high),
    }
    short = {name: [float(f"{v:.4g}") for v in three] for name, three in numbers.items()}
    return {"at": dict(one.at), **short}


def _measured(point: BreakPoint) -> str:
    if point.status in FOUND:
        return f"{point.value:.4g} [{point.low:.4g}, {point.high:.4g}]"
    if point.status == Status.CENSORED:
        return f"not by the end [{point.low:.4g}, inf]"
    return MESSAGES[Status(point.status)]


def _predicted(expected: Room) -> str:
    """Return the predicted break with what its slack leaves open, as text."""
    p = expected.point
    spread = f"[{expected.low:.4g}, {expected.high:.4g}]"
    if p.status not in FOUND:
        words = MESSAGES[Status(p.status)]
        return f"{words}, or one in {spread}" if expected.somewhere else words
    text = f"{p.value:.4g}"
    text += f" {spread}" if expected.low < expected.high else ""
    return f"{text} or none" if expected.may_vanish else text


def _real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def document(one: Located) -> dict[str, Any]:
    """Return one break as plain values for JSON."""
    return {
        "break": one.kind.name,
        "axis": one.kind.axis,
        "measure": one.kind.measure,
        "statement": one.kind.statement,
        "prediction": one.prediction,
        "at": dict(one.at),
        "measured": _point(one.measured),
        "predicted": _point(one.predicted),
        "predicted_range": [one.expected.low, one.expected.high],
        "may_vanish": one.expected.may_vanish,
        "closed_form": one.closed_form,
        "covers": one.covers,
        "covers_closed_form": one.covers_closed_form,
        "delicate": one.delicate,
        "agrees": one.agrees,
        "told": one.said.told,
        "why": one.said.why,
        "judged": {
            "measured": _point(one.judged),
            "predicted_range": [one.judged_by.low, one.judged_by.high],
            "may_vanish": one.judged_by.may_vanish,
            "sure": one.sure,
        },
    }


def _point(point: BreakPoint) -> dict[str, Any]:
    return {
        "value": float(point.value),
        "interval": [float(point.low), float(point.high)],
        "height": float(point.height),
        "height_interval": [float(point.height_low), float(point.height_high)],
        "status": Status(point.status).name,
        "replicates": int(point.replicates),
        "excluded": int(point.excluded),
        "reached": point.reached,
    }
