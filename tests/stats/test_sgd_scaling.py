"""sgd_scaling: its simulation by literal training, and sweeps of it against its predictions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.check import check
from ci_theory.check.verdict import Verdict
from ci_theory.phenomena import load, predict, sgd_scaling
from ci_theory.sweeps import Sweep, run
from ci_theory.theory.dynamics.one_pass_sgd import Descent, largest_rate, one_pass_risk, stability
from ci_theory.theory.spectra.spectrum import explicit, trace

PHENOMENON = load("sgd_scaling")
SMALL = {"width": 6, "inputs": 20, "batch": 5, "rate": 0.04, "repeats": 3, "repeated_fraction": 0.5}


def literally(key, params, steps, noise, sign):
    """Train on every copy by itself, one gradient after the other in a sum."""
    j = np.arange(1.0, params.inputs + 1)
    scale, target = j**-params.alpha, j**-params.beta
    if params.draw:
        w = sgd_scaling._drawn(params)
    else:
        w = jax.random.normal(stream(key, "features"), (params.inputs, params.width))
        w = np.asarray(w) / np.sqrt(params.width)
    theta = np.zeros(params.width)
    for r in range(steps):
        own = jax.random.fold_in(key, r)
        x = np.asarray(jax.random.normal(stream(own, "rows"), (7, params.inputs))) * scale
        label = x @ target + sign * np.sqrt(noise) * np.asarray(
            jax.random.normal(stream(own, "noise"), (7,))
        )
        gradient = np.zeros(params.width)
        for row in (0, 0, 0, 1, 2):  # half of 5 rows, rounded to one row three times
            z = w.T @ x[row]
            gradient += (label[row] - theta @ z) * z
        theta = theta + params.rate * gradient
    return np.sum((scale * (target - w @ theta)) ** 2), w, scale, target


@pytest.mark.parametrize("draw", [0, 3])
def test_one_run_is_literal_training(draw):
    point = PHENOMENON.point({**SMALL, "draw": draw})
    point["steps"], point["noise"] = jnp.array([4, 0, 9]), jnp.array([0.3, 0.3, 0.0])
    params, key = build(sgd_scaling.Params, point), key_for(1, 2, 3, 4)
    found = jax.jit(lambda k: sgd_scaling.simulate(k, params, {"batch": 7}))(key)
    for i, (steps, noise) in enumerate(((4, 0.3), (0, 0.3), (9, 0.0))):
        both = [literally(key, params, steps, noise, sign)[0] for sign in (1, -1)]
        assert float(found.risk[i]) == pytest.approx(np.mean(both), rel=1e-10)
        assert float(found.test_error[i]) == pytest.approx(np.mean(both) + noise, rel=1e-10)
    _, w, scale, target = literally(key, params, 0, 0.0, 1)
    *_, left = np.linalg.lstsq(scale[:, None] * w, scale * target, rcond=None)[:2]
    assert float(found.risk[0] / found.over_best[0]) == pytest.approx(float(left[0]), rel=1e-8)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    sweep = Sweep(
        phenomenon="sgd_scaling",
        axes={"noise": (0.0, 0.1), "repeats": (1, 4), "steps": (3, 6, 9, 13, 19, 28, 40)},
        fixed={
            "width": 8, "inputs": 40, "batch": 8, "rate": 0.06, "repeated_fraction": 0.5,
        },
        replicates=160,
        seed=4,
    )  # fmt: skip
    return run(sweep, tmp_path_factory.mktemp("sgd") / "s").dataset()


def test_a_sweep_agrees_and_its_decoys_do_not(swept):
    report = check(swept)
    told = {o.name: o for o in report.outcomes}
    for name in ("risk", "test_error", "over_best"):
        assert told[name].verdict is Verdict.AGREES, told[name].reason
        assert all(e.rejected for e in told[name].decoys.values())
    assert told["average"].verdict is Verdict.OUT_OF_SCOPE


def test_noise_and_copies_move_the_break(swept):
    kind = PHENOMENON.breaks[0]
    steps, places = swept.steps.to_numpy(), {}
    for noise in (0.0, 0.1):
        for repeats in (1, 4):
            at = {"noise": noise, "repeats": repeats}
            y = swept.over_best.sel(at).transpose("replicate", "steps").to_numpy()
            point = {**SMALL, **at, "width": 8, "inputs": 40, "batch": 8, "rate": 0.06}
            curve = predict(PHENOMENON, {**point, "steps": steps})["over_best"].estimate.value
            found, told = kind.locator.locate(steps, y), kind.locator.locate(steps, curve)
            assert found.status == told.status
            if told.status == Status.OK:
                assert found.low < told.value < found.high
            places[noise, repeats] = told.value if told.status == Status.OK else np.inf
    assert places[0.0, 1] < places[0.0, 4]
    assert places[0.0, 1] < places[0.1, 1]


def test_means_over_features_lie_within_the_slack_of_their_average(tmp_path):
    sweep = Sweep(
        phenomenon="sgd_scaling",
        axes={"noise": (0.0, 0.3), "steps": (20, 120)},
        fixed={"draw": 0, "width": 16, "inputs": 48, "alpha": 0.7, "beta": 0.5, "rate": 0.03},
        replicates=200,
        seed=6,
    )
    data = run(sweep, tmp_path / "s").dataset()
    (told,) = [o for o in check(data).outcomes if o.name == "average"]
    assert told.comparison.judged.all()
    assert not told.own.rejected
    assert told.decoys["infinite width"].rejected
    slack = told.comparison.estimate.slack / told.comparison.estimate.value
    assert np.all((slack > 3 / 16) & (slack < 0.3))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"width": 300}, "below the 200 inputs"),
        ({"repeated_fraction": 0.5, "repeats": 5}, "cannot fill"),
        ({"alpha": 0.3, "beta": 0.1}, "must be > 0.5"),
        ({"rate": 0.0}, "> 0"),
    ],
)
def test_bad_parameters_are_told(values, words):
    with pytest.raises(BadInput, match=words):
        PHENOMENON.point(values)


def test_joined_inputs_are_the_inputs():
    params = build(sgd_scaling.Params, PHENOMENON.point({"inputs": 1000, "draw": 0}))
    world, j = PHENOMENON.world(params), np.arange(1.0, 1001)
    listed, at = explicit(j**-2, j**-0.8), Descent(0.2, 1.0, 1.0)
    assert len(world.binned.eigenvalues) <= 256
    assert world.binned.multiplicity.sum() == 1000
    assert float(trace(world.binned)) == pytest.approx(float(trace(listed)), rel=1e-12)
    for steps in (30.0, 3000.0):
        alone, joined = (one_pass_risk(s, at, 0.1, steps) for s in (listed, world.binned))
        assert float(joined) == pytest.approx(float(alone), rel=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_whether_twice_the_best_is_ever_reached(noise):
    """The break's statement: only if |K|_1 < 1/(2 + noise/floor)."""
    params = build(sgd_scaling.Params, PHENOMENON.point({"width": 20, "inputs": 60}))
    modes = PHENOMENON.world(params).modes
    edge = float(largest_rate(modes, 1.0, 1.0))
    kernels, reached = [], []
    for rate in np.linspace(0.02, 0.95, 30) * edge:
        at = Descent(rate, 1.0, 1.0)
        kernels.append(float(stability(modes, at).kernel))
        reached.append(float(one_pass_risk(modes, at, noise, 1e9)) < 2 * float(modes.tail_power))
    expected = np.array(kernels) < 1 / (2 + noise / float(modes.tail_power))
    assert np.array_equal(reached, expected)
    assert 0 < expected.sum() < 30
