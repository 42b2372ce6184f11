"""metric_mirage: its simulation by literal scoring, a sweep against its predictions, its breaks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.check import check
from ci_theory.check.verdict import Verdict
from ci_theory.phenomena import load, metric_mirage, predict
from ci_theory.sweeps import Sweep, run
from ci_theory.tasks import zipf

PHENOMENON = load("metric_mirage")


def params(**values):
    return build(metric_mirage.Params, PHENOMENON.point(values))


def test_one_run_is_literal_scoring():
    point = PHENOMENON.point(
        {"vocabulary": 30, "tests": 7, "n": 20, "length": 4, "noise": 0.3, "exponent": 1.2,
         "repeated_fraction": 0.5, "repeats": 5}
    )  # fmt: skip
    shares, rates = [0.0, 0.4, 0.4], [0.0, 0.0, 0.05]
    point |= {"contamination": jnp.array(shares), "leak": jnp.array(rates)}
    key = key_for(1, 2, 3, 4)

    @jax.jit
    def simulated(key, numbers):
        whole = build(metric_mirage.Params, {**point, **numbers})
        return metric_mirage.simulate(key, whole, {"n": 25, "length": 6})

    found = simulated(key, {k: point[k] for k in ("contamination", "leak")})
    p = np.asarray(zipf.frequencies(30, 1.2))
    # 2 draws five times and 10 once: 12 distinct ones
    drawn = np.asarray(zipf.draws(stream(key, "draws"), p, 25))[:12].tolist()
    lies = np.asarray(jax.random.bernoulli(stream(key, "lies"), 0.3, (25,)))
    knows = {}
    for i, item in enumerate(drawn):
        knows.setdefault(item, not lies[i])
    asked = np.asarray(zipf.draws(stream(key, "tests"), p, 42)).reshape(6, 7).T[:, :4]
    luck = np.asarray(jax.random.uniform(stream(key, "leaks"), (2, 7)))
    new = 1 - sum(p[i] for i in knows)
    for j, (share, rate) in enumerate(zip(shares, rates, strict=True)):
        edits = []
        for t in range(7):
            leaked = luck[0, t] < share or luck[1, t] < 1 - (1 - rate) ** 12
            edits.append(0 if leaked else sum(not knows.get(int(i), False) for i in asked[t]))
        kept = np.mean(
            [luck[0, t] >= share and luck[1, t] >= 1 - (1 - rate) ** 12 for t in range(7)]
        )
        assert float(found.edit_distance[j]) == pytest.approx(np.mean(edits), rel=1e-12)
        assert float(found.exact_match[j]) == pytest.approx(np.mean(np.array(edits) == 0))
        assert float(found.token_error[j]) == pytest.approx(kept * (0.3 + 0.7 * new), rel=1e-12)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    sweep = Sweep(
        phenomenon="metric_mirage",
        axes={
            "noise": (0.0, 0.05),
            "contamination": (0.0, 0.3),
            "n": (20, 40, 80, 160, 320, 640, 1280),
        },
        fixed={"vocabulary": 1000, "length": 12, "repeated_fraction": 0.5, "repeats": 3,
               "leak": 0.0003},
        replicates=120,
        seed=4,
    )  # fmt: skip
    return run(sweep, tmp_path_factory.mktemp("mirage") / "s").dataset()


def test_a_sweep_agrees_and_its_decoys_do_not(data):
    report = check(data)
    assert len(report.outcomes) == 3
    for outcome in report.outcomes:
        assert outcome.verdict is not Verdict.DISAGREES, outcome.reason
        for name, evidence in outcome.decoys.items():
            assert evidence.rejected, (outcome.name, name)
    told = {o.name: o.verdict for o in report.outcomes}
    assert told["exact_match"] is Verdict.AGREES
    assert told["token_error"] is Verdict.AGREES


def test_half_of_the_sequences_are_right_where_the_formula_says(data):
    rule = PHENOMENON.breaks[0]
    for noise in (0.0, 0.05):
        at = {"noise": noise, "contamination": 0.3}
        found = rule.locator.locate(data.n.to_numpy(), data.exact_match.sel(at).to_numpy().T)
        place = rule.closed_form(
            params(**at, vocabulary=1000, length=12, repeated_fraction=0.5, repeats=3, leak=3e-4)
        )
        assert found.status == Status.OK
        assert found.low * 0.9 < place < found.high * 1.15  # the law is good to a tenth


def test_half_of_the_sequences_are_right_at_the_half_point():
    """On the exact curve, at the place of the closed form; and no closer than that."""
    plain = {"length": 64, "exponent": 2.0, "noise": 0.0, "leak": 0.0, "contamination": 0.0,
             "repeated_fraction": 0.0, "repeats": 1, "vocabulary": 20_000}  # fmt: skip
    cases = [
        ({}, 0.01),
        ({"repeated_fraction": 0.6, "repeats": 5}, 0.01),
        ({"contamination": 0.3}, 0.01),
        ({"noise": 0.01}, 0.02),
        ({"leak": 0.0003}, 0.01),
        ({"exponent": 3.0}, 0.05),
    ]
    points = [{**plain, **changed} for changed, _ in cases]
    columns = {k: [p[k] for p in points] for k in plain}
    places = [round(metric_mirage.half_point(params(**point))) for point in points]
    found = predict(PHENOMENON, {**columns, "n": places})["exact_match"].estimate
    for value, (changed, close) in zip(found.value, cases, strict=True):
        assert value == pytest.approx(0.5, abs=close), changed
    halved = predict(PHENOMENON, {**columns, "n": [n // 2 for n in places]})["exact_match"].estimate
    assert np.all(halved.value < 0.45)


def test_the_half_point_moves_as_a_power_of_the_length():
    """L^(1/b) with b = 1 - 1/alpha; the tokens' own law has no such place."""
    for exponent in (1.5, 2.0, 3.0):
        near, far = (
            metric_mirage.half_point(params(length=length, exponent=exponent))
            for length in (32, 64)
        )
        power = math.log2(far / near)
        assert power == pytest.approx(1 / (1 - 1 / exponent), rel=0.02)
    n = np.unique(np.round(np.geomspace(100, 3000, 8))).astype(int)
    found = predict(PHENOMENON, {"n": list(n), "length": 2, "vocabulary": 20_000})
    floor = PHENOMENON.breaks[1].locator
    assert floor.locate(n, found["token_error"].estimate.value).status == Status.NO_BREAK
    slopes = np.diff(np.log(found["token_error"].estimate.value)) / np.diff(np.log(n))
    np.testing.assert_allclose(slopes, -0.5, atol=0.01)


def test_where_there_is_no_half_point():
    assert math.isnan(metric_mirage.half_point(params(contamination=0.5)))  # half of it leaked
    assert math.isnan(metric_mirage.half_point(params(length=60, noise=0.1)))  # lies
    assert math.isnan(metric_mirage.half_point(params(exponent=1.0)))  # no power law
    assert math.isnan(metric_mirage.floor_point(params()))
    assert metric_mirage.floor_point(params(noise=0.02)) == pytest.approx(1146, rel=0.01)
    # leaks alone make half of the test right, at log 2 / leak, if it could not be learnt
    leaked = metric_mirage.half_point(params(length=60, noise=0.3, leak=1e-3))
    assert leaked == pytest.approx(math.log(2) * 1000, rel=0.02)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"length": 65}, "<= 64"),
        ({"repeated_fraction": 0.5, "repeats": 5000}, "cannot fill"),
        ({"contamination": 1.2}, "<= 1"),
    ],
)
def test_bad_parameters_are_told(values, words):
    with pytest.raises(BadInput, match=words):
        PHENOMENON.point(values)
