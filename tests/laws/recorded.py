"""Numbers as they were: what every phenomenon predicts and simulates at a few usual points.

A formula is known to be right by other tests; here it is held that a change of the code changes
no number by accident. Where one changes for a reason, CI_THEORY_RECORD=1 with a single process
writes them anew (``pytest tests/laws/test_phenomena.py -k numbers``), and the
difference of ``recorded.json`` shows which.
"""

import json
import os
from pathlib import Path

import numpy as np

from ci_theory._errors import BadInput
from ci_theory._record import Kind

FILE = Path(__file__).with_suffix(".json")
POINTS = 3
DIGITS = 12
CLOSE = {"predicted": 1e-7, "simulated": 1e-6}
"""Relative differences that rounding on another machine may make."""
FROM_ONE = {("icl_zipf_tasks", "missing"), ("icl_zipf_tasks", "known")}
"""What is 1 less a number that is fitted: to 1e-8, as fits stop at 4e-10 of their residual."""


def usual(axis, index):
    """Return a value in the midst of what a field may be, not above its default."""
    value = axis.default
    if axis.type is bool:
        return bool(value) != bool(index % 2)
    if value == 0 or (axis.type is int and value == 1):
        value = (2 + index) if axis.type is int else 0.3 + 0.15 * index
    else:
        value = value * (0.6, 0.75, 0.9)[index]
    low = axis.low if axis.low is not None else axis.above
    value = max(value, low) if low is not None else value
    value = min(value, axis.high) if axis.high is not None else value
    return round(value) if axis.type is int else float(value)


def points(phenomenon, most=None):
    """Return usual points of a phenomenon, in the fields that need no compilation.

    Where a rule refuses one, counts keep their defaults; none is above ``most``, if it is there.
    """
    made = []
    for index in range(POINTS):
        names = phenomenon.names(*set(Kind) - {Kind.STATIC})
        # neighbours differ: the noise of one stage is not that of another
        point = {k: usual(phenomenon.axes[k], (index + i) % 3) for i, k in enumerate(names)}
        point = {k: min(v, (most or {}).get(k, v)) for k, v in point.items()}
        try:
            phenomenon.point(point)
        except BadInput:
            point = {k: v for k, v in point.items() if phenomenon.axes[k].type is not int}
        made.append(point)
    return made


def hold(name, kind, found):
    """Compare numbers (lists by name) with the recorded ones, or record them."""
    found = {label: [_plain(v) for v in np.ravel(values)] for label, values in found.items()}
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    if os.environ.get("CI_THEORY_RECORD"):
        known.setdefault(name, {})[kind] = found
        FILE.write_text(json.dumps(known, indent=0, sort_keys=True) + "\n")
    wanted = known[name][kind]
    assert sorted(found) == sorted(wanted)
    for label, values in wanted.items():
        one, other = (np.array(v, float) for v in (found[label], values))
        scale = CLOSE[kind] * np.abs(other[np.isfinite(other)]).max(initial=0)
        nothing = max(1e-3 * scale, 1e-12)  # differences of numbers near 1 keep no more digits
        if kind == "simulated" and (name, label.split()[0]) in FROM_ONE:
            nothing = 1e-8
        np.testing.assert_allclose(one, other, rtol=CLOSE[kind], atol=nothing, err_msg=label)


def _plain(value):
    return float(f"{float(value):.{DIGITS}g}")
