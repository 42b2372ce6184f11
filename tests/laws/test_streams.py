"""Fields that bring in streams of their own, and that a second use of a stream is seen."""

import pytest

from ci_theory.phenomena import load
from ci_theory.tasks import gaussian
from ci_theory.testing import Broken, laws

ALSO = [
    ("power_law_break", {"width": 50}),
    ("epochwise_descent", {"p": 50}),
    ("sgd_scaling", {"draw": 0}),
    ("modular_grokking", {"network": "transformer"}),
]


@pytest.mark.parametrize(("name", "at"), ALSO, ids=str)
def test_every_stream_has_one_use(name, at):
    laws(load(name), at=at, only=["streams"])


def test_a_stream_with_two_uses_is_found(monkeypatch):
    own = gaussian.rows

    def twice(key, n, variances):
        return own(key, n, variances) + own(key, n, variances)

    monkeypatch.setattr(gaussian, "rows", twice)
    with pytest.raises(Broken, match=r"stream 'design' is used 2 times, at gaussian\.py:"):
        laws(load("repeated_data"), only=["streams"])
