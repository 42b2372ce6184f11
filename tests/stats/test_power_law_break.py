"""power_law_break: its simulation, its closed forms and their stated slack, and where it breaks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.phenomena import load, power_law_break, predict
from ci_theory.phenomena._forecast import told
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.spectrum import power_law

OPTIMISED = {"xla_backend_optimization_level": 1}  # hundreds of runs: it pays
PHENOMENON = load("power_law_break")
FLOOR = PHENOMENON.breaks[0]


def simulate(replicates, capacity=None, **values):
    """Excess risks (replicates, m)."""
    point = {k: np.atleast_1d(v) if k in ("ridge", "noise") else v for k, v in values.items()}
    size = max(np.size(point.get(k, 0)) for k in ("ridge", "noise"))
    full = {
        k: np.broadcast_to(point.get(k, d), (size,)) for k, d in (("ridge", 0), ("noise", 0.01))
    }
    params = power_law_break.Params(**{**point, **{k: jnp.asarray(v) for k, v in full.items()}})

    def one(replicate):
        key = key_for(0, 1, 2, replicate)
        return power_law_break.simulate(key, params, {"n": capacity or values["n"]}).excess_risk

    many = jax.jit(lambda r: jax.lax.map(one, r), compiler_options=OPTIMISED)
    return np.asarray(many(jnp.arange(replicates)))


@pytest.mark.parametrize(
    "fixed",
    [
        {"n": 60, "noise": np.array([0.0, 0.1])},
        {"n": 60, "repeats": 2, "noise": np.array([0.1, 0.1]), "ridge": np.array([0.0, 0.01])},
        {"n": 80, "width": 60, "ridge": np.array([0.003, 0.03])},
        {"n": 60, "tail": False, "alpha": 1.3, "source": 0.6, "noise": np.array([0.0, 0.1])},
    ],
    ids=["noise", "copies", "width", "no tail"],
)
def test_means_lie_within_slack_and_error(fixed):
    values = simulate(250, modes=150, **fixed)
    made = predict(PHENOMENON, {"modes": 150, **fixed})
    mean, error = values.mean(axis=0), values.std(axis=0) / len(values) ** 0.5
    checked = 0
    for prediction in made.values():
        expected = prediction.estimate
        far = np.abs(mean - expected.value) > expected.slack + 4.5 * error
        assert not np.any(far & expected.valid)
        checked += int(expected.valid.sum())
    assert checked >= 2
    rejected = [
        np.any(np.abs(mean - wrong) > made["excess_risk"].estimate.slack + 4.5 * error)
        for wrong in made["excess_risk"].decoys.values()
    ]
    assert any(rejected)


def test_copies_are_the_distinct_rows_with_a_ridge_to_match():
    """Exactly: the same draws give the same risk."""
    once = simulate(3, 90, modes=100, n=30, ridge=0.02, noise=0.3)
    thrice = simulate(3, 90, modes=100, n=90, repeats=3, ridge=0.02, noise=0.3)
    np.testing.assert_allclose(thrice, once, rtol=1e-9)


@pytest.mark.parametrize("width", [0, 40])
def test_the_tail_is_what_many_small_modes_are(width):
    """60 modes and a tail against 600 modes and a tail, at a ridge far above lambda_60."""
    fixed = {"n": 30, "width": width, "ridge": 0.03, "noise": 0.05, "source": 0.2}
    few, many = (simulate(400, modes=m, **fixed)[:, 0] for m in (60, 600))
    error = np.hypot(few.std(), many.std()) / 20
    assert abs(few.mean() - many.mean()) < 4 * error
    without = simulate(400, modes=60, tail=False, **fixed)[:, 0]
    assert abs(without.mean() - many.mean()) > 6 * error


def test_closed_form_holds_on_finite_spectra_within_its_slack():
    """Against the fixed point on the modes themselves, over the whole scope; nothing is drawn."""
    rng, ratios = np.random.default_rng(0), []
    risk = jax.jit(lambda s, n, noise: ridge_risk(s, n, 0.0, noise).excess_risk)
    while len(ratios) < 60:
        alpha, source = rng.uniform(1.15, 3.0), np.exp(rng.uniform(np.log(0.12), np.log(1.5)))
        modes, tail = int(rng.choice([300, 1000, 5000])), bool(rng.random() < 0.5)
        n, noise = int(np.exp(rng.uniform(np.log(20), np.log(modes / 2)))), rng.choice([0, 0.02, 1])
        point = {"n": n, "modes": modes, "alpha": alpha, "source": source, "noise": noise}
        params = build(power_law_break.Params, PHENOMENON.point({**point, "tail": tail}))
        spectrum = compress(power_law(modes, alpha, source, tail=tail), pad_to=256)
        world = power_law_break.World(spectrum, None)
        found, _ = told(PHENOMENON, params, world, decoys=False)["closed_form"]
        if not found.valid:
            continue
        gap = abs(float(risk(spectrum, n, noise)) - float(found.value))
        ratios.append(gap / float(found.slack))
    assert max(ratios) < 1
    assert max(ratios) > 0.05  # the slack is not so wide that it says nothing


def places(ns, **values):
    points = [PHENOMENON.point({**values, "n": int(n)}) for n in ns]
    found = predict(PHENOMENON, {k: np.array([p[k] for p in points]) for k in points[0]})
    curve = found["excess_risk"].estimate.value
    return FLOOR.locator.locate(ns, curve), FLOOR.closed_form(
        build(power_law_break.Params, points[0])
    )


def test_where_the_exact_curve_breaks_and_where_the_power_laws_say():
    ns = np.unique(np.round(np.geomspace(24, 600, 11)))
    endless = {"modes": 30_000, "noise": 0.03}
    found, formula = places(ns, **endless)
    assert found.status == Status.OK
    assert abs(found.value / formula - 1) < 0.02  # chance: 8 % at other noise levels
    copied, thrice = places(3 * ns, repeats=3, **endless)
    np.testing.assert_allclose([copied.value, thrice], [3 * found.value, 3 * formula], rtol=1e-6)
    louder, sooner = places(ns, **{**endless, "noise": 0.08})
    assert louder.value < 0.5 * found.value
    assert sooner < 0.5 * formula
    cut, _ = places(ns, modes=1000, tail=False, noise=0.03)
    assert cut.value < 0.5 * found.value  # the end of the spectrum brings the break nearer
    silent, nothing = places(ns, modes=30_000, noise=0.0)
    assert silent.status == Status.NO_BREAK
    assert np.isnan(nothing)


@pytest.mark.parametrize(("ridge", "width"), [(0.1, 2000), (1e-6, 20)])
def test_of_two_ends_the_first_is_the_place(ridge, width):
    def place(**values):
        point = PHENOMENON.point({"noise": 0.0, "source": 0.2, "repeats": 3, **values})
        return FLOOR.closed_form(build(power_law_break.Params, point))

    alone = place(ridge=ridge), place(width=width)
    assert place(ridge=ridge, width=width) == min(alone) < 0.9 * max(alone)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"repeats": 300}, "one row cannot be there more often than n"),
        ({"alpha": 1.0}, "> 1"),
        ({"source": 0.0}, "> 0"),
        ({"modes": 5}, ">= 10"),
        ({"noise": -1.0}, ">= 0"),
    ],
)
def test_bad_values_are_told(values, words):
    with pytest.raises(BadInput, match=words):
        PHENOMENON.point(values)


def test_a_part_of_a_row_is_no_row():
    found = predict(PHENOMENON, {"n": [100, 101, 102], "repeats": 3, "modes": 150, "noise": 0.1})
    for label, one in found.items():
        value = one.estimate.value
        assert value[0] == value[1], label  # 33 rows three times
        assert value[2] != value[1], label
