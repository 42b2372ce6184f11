"""zipf_learning: its simulation by literal counting, and a sweep of it against its predictions."""

from collections import Counter

import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.check import check
from ci_theory.check.verdict import Verdict
from ci_theory.phenomena import load, predict, zipf_learning
from ci_theory.sweeps import Sweep, run
from ci_theory.tasks import zipf

PHENOMENON = load("zipf_learning")


def test_one_run_is_literal_counting():
    point = PHENOMENON.point(
        {"vocabulary": 50, "n": 40, "repeated_fraction": 0.5, "repeats": 4, "noise": 0.2, "rank": 3}
    )
    params = build(zipf_learning.Params, point)
    key = key_for(1, 2, 3, 4)
    found = zipf_learning.simulate(key, params, {"n": 45})
    p = np.asarray(zipf.frequencies(50, 1.5))
    # 5 draws four times and 20 once: 25 distinct ones
    items = np.asarray(zipf.draws(stream(key, "draws"), p, 45))[:25].tolist()
    counts = Counter(items)
    new = 1 - sum(p[i] for i in counts)
    once = [i for i, c in counts.items() if c == 1]
    assert float(found.missing) == pytest.approx(new, rel=1e-12)
    assert float(found.error) == pytest.approx(new + 0.2 * (1 - new), rel=1e-12)
    assert float(found.singles) == len(once)
    assert float(found.price) == pytest.approx(sum(p[i] for i in once), rel=1e-12)
    assert float(found.known) == float(2 in counts)


def test_forms_of_one_draw_are_known_by_heart():
    p = np.asarray(zipf.frequencies(7, 1.3))
    point = {"vocabulary": 7, "exponent": 1.3, "n": 1, "noise": 0.2, "rank": list(range(1, 8))}
    found = predict(PHENOMENON, point)
    values = {name: one.estimate.value for name, one in found.items()}
    missing = 1 - np.sum(p**2)
    np.testing.assert_allclose(values["known"], p, rtol=1e-12)
    np.testing.assert_allclose(values["error"], missing + 0.2 * (1 - missing), rtol=1e-12)
    np.testing.assert_allclose(values["singles"], 1, rtol=1e-12)
    np.testing.assert_allclose(values["price"], np.sum(p**2), rtol=1e-12)
    # the price of an item: error times draws that counting puts it at
    decoy = found["price"].decoys["frequency as counted"]
    np.testing.assert_allclose(decoy, 1, rtol=1e-12)


def test_draws_have_their_frequencies():
    p = zipf.frequencies(6, 1.2)
    items = np.asarray(zipf.draws(key_for(0, 0, 0, 0), p, 60_000))
    share = np.bincount(items, minlength=6) / 60_000
    assert np.all(np.abs(share - p) < 4.5 * np.sqrt(np.asarray(p * (1 - p)) / 60_000))


def test_a_sweep_agrees_and_its_decoys_do_not(tmp_path):
    sweep = Sweep(
        phenomenon="zipf_learning",
        axes={"n": (100, 160, 250, 400, 630, 1000, 1600, 2500), "repeats": (1, 4)},
        fixed={
            "vocabulary": 300, "exponent": 1.6, "noise": 0.1, "repeated_fraction": 0.6, "rank": 20,
        },
        replicates=240,
        seed=3,
    )  # fmt: skip
    data = run(sweep, tmp_path / "s").dataset()
    report = check(data)
    for outcome in report.outcomes:
        assert outcome.verdict is not Verdict.DISAGREES, outcome.reason
        for name, evidence in outcome.decoys.items():
            assert evidence.rejected, (outcome.name, name)
    told = {o.name: o.verdict for o in report.outcomes}
    assert [told[k] for k in ("error", "missing", "singles", "price")] == [Verdict.AGREES] * 4
    kind = PHENOMENON.breaks[0]
    found = kind.locator.locate(data.n.to_numpy(), data.known.sel(repeats=1).to_numpy().T)
    place = kind.closed_form(build(zipf_learning.Params, PHENOMENON.point(dict(sweep.fixed))))
    assert found.status == Status.OK
    assert found.low < place < found.high


@pytest.mark.parametrize("vocabulary", [2, 20, 3000])
def test_the_slack_covers_the_law_wherever_it_is_claimed(vocabulary):
    """Also of steep laws, whose few ranks are no integral, and of flat ones, which end early."""
    exponents = [1.01, 1.1, 1.3, 1.6, 2.0, 3.0, 4.0, 6.0, 10.0]
    grid = [(a, n) for a in exponents for n in np.round(np.geomspace(50, 1e5, 12))]
    alpha, n = (np.array(v) for v in zip(*grid, strict=True))
    given = {"vocabulary": vocabulary, "exponent": alpha, "n": n.astype(int), "rank": 1}
    law = predict(PHENOMENON, given)["missing"].estimate
    p = [np.asarray(zipf.frequencies(vocabulary, a)) for a in alpha]
    exact = np.array([v @ np.exp(draws * np.log1p(-v)) for v, draws in zip(p, n, strict=True)])
    share = np.abs(law.value - exact)[law.valid] / law.slack[law.valid]
    assert law.valid.sum() >= 10
    assert share.max() <= 1
    assert share.max() > 0.3  # it is no blanket
    assert np.median(law.slack[law.valid] / exact[law.valid]) < 0.1 or vocabulary == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rank": 3000}, "there are 2000 items"),
        ({"repeated_fraction": 0.5, "repeats": 5000}, "cannot fill"),
        ({"vocabulary": 1}, ">= 2"),
        ({"exponent": 0.1}, ">= 0.5"),
    ],
)
def test_bad_parameters_are_told(values, words):
    with pytest.raises(BadInput, match=words):
        PHENOMENON.point(values)
