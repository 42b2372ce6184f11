"""No two things that a simulation draws come from one stream: found by watching it traced."""

import sys

import jax
import numpy as np
import pytest

from ci_theory import _keys
from ci_theory._record import Kind, build
from ci_theory.phenomena import load, names
from ci_theory.tasks import gaussian

NEAR = 2  # callers that tell two uses apart: who asks for the stream, and who calls that


def drawn(monkeypatch, name, **changes):
    """Trace a simulation; return the streams with several uses, and how many there are in all."""
    phenomenon = load(name)
    uses, kept = {}, []

    def watched(key, label):
        frame, place = sys._getframe(1), []
        for _ in range(NEAR):
            place.append((frame.f_code.co_filename, frame.f_lineno, frame.f_lasti))
            frame = frame.f_back
        kept.append(key)  # so that no other key gets its id
        uses.setdefault((id(key), label), set()).add(tuple(place))
        return _keys.stream(key, label)

    for module in list(sys.modules.values()):
        inside = module.__name__.startswith("ci_theory.") and module is not _keys
        if inside and getattr(module, "stream", None) is _keys.stream:
            monkeypatch.setattr(module, "stream", watched)
    point = phenomenon.point(changes)
    capacity = {k: int(point[k]) for k in phenomenon.names(Kind.SIZED)}
    fixed = {k: point[k] for k in phenomenon.names(Kind.STATIC)}
    numbers = {k: np.asarray(v) for k, v in point.items() if k not in fixed}
    for inner in phenomenon.names(Kind.INNER):
        numbers[inner] = numbers[inner][None]

    def simulate(key, numbers):
        return phenomenon.simulate(key, build(phenomenon.params, {**fixed, **numbers}), capacity)

    jax.eval_shape(simulate, jax.random.key(0), numbers)
    twice = {label: sorted(places) for (_, label), places in uses.items() if len(places) > 1}
    return twice, len(uses)


# Fields that bring in streams of their own.
ALSO = [
    ("power_law_break", {"width": 50}),
    ("epochwise_descent", {"p": 50}),
    ("sgd_scaling", {"draw": 0}),
    ("modular_grokking", {"network": "transformer"}),
]


@pytest.mark.parametrize(("name", "changes"), [*((n, {}) for n in names()), *ALSO], ids=str)
def test_every_stream_has_one_use(monkeypatch, name, changes):
    twice, count = drawn(monkeypatch, name, **changes)
    assert count >= 1
    assert not twice


def test_a_stream_with_two_uses_would_be_found(monkeypatch):
    own = gaussian.rows

    def twice(key, n, variances):
        return own(key, n, variances) + own(key, n, variances)

    monkeypatch.setattr(gaussian, "rows", twice)
    assert "design" in drawn(monkeypatch, "repeated_data")[0]
