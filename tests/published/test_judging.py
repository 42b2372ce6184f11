"""Verdicts on published claims: right ones pass, wrong, blurred and empty ones do not."""

import numpy as np
import pytest
from reproductions._judge import draws, exactly, not_testable, numbers, signs

from ci_theory._errors import BadInput

RNG = np.random.default_rng(3)
TRUE = np.array([1.0, 2.0, 5.0])
MEASURED = TRUE * (1 + 0.05 * RNG.normal(size=(400, 3)))


def _numbers(said, values=MEASURED, **more):
    more = {"decoys": {"half": TRUE / 2}, **more}
    return numbers("c", "b", values, said, **more)


def test_numbers():
    right = _numbers(TRUE)
    assert right.verdict == "AGREES"
    assert right.why == "rejected by the same numbers: half"
    assert len(right.first) == 6
    assert right.said == tuple(TRUE)
    assert _numbers(1.02 * TRUE).verdict == "DISAGREES"  # all cells a little
    assert _numbers(1.007 * MEASURED.mean(0)).verdict == "DISAGREES"  # in no cell by itself
    assert _numbers(TRUE * [1, 1, 1.02]).verdict == "DISAGREES"  # one cell
    assert _numbers(1.02 * TRUE, slack=0.025).verdict == "UNDERPOWERED"  # slack hides 3 %
    assert _numbers(1.02 * TRUE, slack=0.025, effect=0.06).verdict == "AGREES"
    assert _numbers(TRUE, MEASURED[:8]).verdict == "UNDERPOWERED"  # too few runs
    alike = _numbers(TRUE, decoys={"nearly": 1.001 * TRUE})
    assert (alike.verdict, alike.why) == ("UNDERPOWERED", "not told from: nearly")


def test_a_right_claim_is_rarely_called_wrong():
    wrong = 0
    for _ in range(300):
        values = TRUE * (1 + 0.05 * RNG.normal(size=(12, 3)))
        wrong += _numbers(TRUE, values).verdict == "DISAGREES"
    assert wrong <= 4  # 0.3 are expected


def test_signs():
    up, none = 0.3 + RNG.normal(size=(400, 2)), RNG.normal(size=(400, 2))
    assert signs("c", "b", up, control=none, where="w").verdict == "AGREES"
    assert signs("c", "b", -up, control=none, where="w").verdict == "DISAGREES"
    assert signs("c", "b", up * [1, -1], control=none, where="w").verdict == "DISAGREES"
    assert signs("c", "b", none, control=none, where="w").verdict == "UNDERPOWERED"
    empty = signs("c", "b", up, control=2 * up, where="w")
    assert (empty.verdict, empty.why) == ("UNDERPOWERED", "the control passes too: w")


@pytest.mark.parametrize(
    ("said", "decoy", "verdict"),
    [
        (TRUE, TRUE + 1, "AGREES"),
        (TRUE + 1, TRUE - 1, "DISAGREES"),
        (TRUE * np.nan, TRUE - 1, "DISAGREES"),
        (TRUE, TRUE * (1 + 1e-9), "UNDERPOWERED"),
        (TRUE, TRUE * np.nan, "UNDERPOWERED"),
    ],
)
def test_exactly(said, decoy, verdict):
    found = exactly("c", "b", TRUE, said, within=1e-6, decoys={"d": decoy})
    assert found.verdict == verdict


def test_a_run_has_its_own_numbers():
    few, many = (draws("x", runs, lambda rng: rng.normal(size=2)) for runs in (2, 5))
    np.testing.assert_array_equal(few, many[:2])
    assert len(set(many.ravel())) == 10
    assert not np.any(few == draws("y", 2, lambda rng: rng.normal(size=2)))


def test_nothing_is_judged_by_numbers_that_are_none():
    lost = np.full((4, 1), np.inf)
    with pytest.raises(BadInput, match="not finite"):
        numbers("c", "b", lost, 1.0, decoys={"d": 2.0})
    with pytest.raises(BadInput, match="not finite"):
        signs("c", "b", np.ones((4, 1)), control=lost * np.nan, where="w")
    unclear = numbers("c", "b", MEASURED, TRUE, decoys={"d": np.nan * TRUE})
    assert unclear.why == "not told from: d"


def test_what_cannot_be_tested_has_no_numbers():
    assert not_testable("c", "b", "w")[2:] == ("NOT TESTABLE HERE", "-", "w", (), ())
