"""Mixed weights in simulation: predictions within their slack, decoys rejected, four breaks."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.inherit import finetune, interpolation
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack, predict
from ci_theory.phenomena.weight_interpolation import PHENOMENON, Params, simulate
from ci_theory.theory.inheritance.interpolation import risk_of

NAMES = ("kept", "kept_square", "noise")
CAPACITY = {"up.n": 120, "down.n": 60}
BASE = {"p": 24, "up.n": 120, "down.n": 60, "signal": 1.5}
INNER = {
    "up.ridge": [0.0, 5.0, 0.0, 20.0],
    "up.noise": [0.5, 1.0, 0.2, 0.5],
    "down.ridge": [2.0, 0.0, 10.0, 60.0],
    "down.noise": [0.5, 0.3, 1.0, 0.5],
    "alignment": [0.5, -0.2, 0.8, 0.5],
    "transfer": [0.3, 0.0, -0.5, 1.2],
    "mix": [0.5, 1.0, 1.4, -0.3],
}


@functools.cache
def _program():
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": BASE["p"]})
        return jax.lax.map(lambda key: simulate(key, params, CAPACITY), keys, batch_size=50)

    return run


@functools.cache
def _found(repeats, rows):
    outer = {**PHENOMENON.point({}), **BASE, "up.repeats": repeats, "down.n": rows}
    numbers = {k: jnp.asarray(INNER.get(k, v), float) for k, v in outer.items() if k != "p"}
    keys = jnp.stack([key_for(5, 0, 0, r) for r in range(150)])
    made = _program()(keys, numbers)
    measured = {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}
    return measured, predict(PHENOMENON, {**outer, **INNER})


@pytest.mark.parametrize(("repeats", "rows"), [(1, 60), (8, 40)])
def test_predictions_hold_within_their_slack(repeats, rows):
    measured, predicted = _found(repeats, rows)
    for name, found in predicted.items():
        values, estimate = measured[name], found.estimate
        assert estimate.valid.all(), name
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        gap = np.abs(values.mean(axis=0) - estimate.value)
        assert np.all(gap <= estimate.slack + 4.5 * error + 1e-12), (name, gap, estimate.slack)


@pytest.mark.parametrize("mix", [-0.4, 0.3, 0.8, 1.4])
@pytest.mark.parametrize("transfer", [0.2, 1.3])
def test_the_slack_is_the_most_that_three_numbers_of_fine_tuning_can_move(mix, transfer):
    """Of an upstream fit that is exact: kept, its square and the noise moved by their bounds."""
    point = {"up.n": 10**7, "up.repeats": 1, "mix": mix, "transfer": transfer, "down.n": 130}
    params = build(Params, {**PHENOMENON.point(point), "down.noise": 0.3, "down.ridge": 20.0})
    made = PHENOMENON.forecast(params, None)
    bounds = PHENOMENON.bounds(params, made)
    stages, tuned = made.stages, made.stages.tuning
    by = _slack.tuning(tuned.shifts, tuned.noise, tuned.free)
    far = dict.fromkeys(bounds, 0.0)
    for signs in itertools.product((1, -1), repeat=3):
        parts = (tuned.kept, tuned.kept_square, tuned.noise)
        moved = [v + sign * b for v, sign, b in zip(parts, signs, by, strict=True)]
        other = stages._replace(tuning=tuned._replace(**dict(zip(NAMES, moved, strict=True))))
        for law, share in (("id", 1.0), ("ood", transfer)):
            was, found = stages.course(share), other.course(share)
            shift = risk_of(found, mix) - risk_of(was, mix)
            slope = 2 * (found.slope + found.curvature - was.slope - was.curvature)
            far[f"{law}_risk"] = max(far[f"{law}_risk"], abs(float(shift)))
            far[f"{law}_slope"] = max(far[f"{law}_slope"], abs(float(slope)))
    for name, most in far.items():
        assert float(bounds[name].slack) == pytest.approx(most, rel=2e-3), name


def test_decoys_are_rejected():
    measured, predicted = _found(8, 40)
    for name, found in predicted.items():
        values = measured[name]
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        for decoy, wrong in found.decoys.items():
            gap = np.abs(values.mean(axis=0) - wrong) - found.estimate.slack - 5 * error
            assert gap.max() > 0, (name, decoy)


def test_averages_over_orientations_are_those_of_a_loop():
    p, signal, cosine, share = 5, 1.3, 0.6, 0.4
    rng = np.random.default_rng(1)
    up, down = (
        finetune.design(jnp.array(rng.normal(size=(n, p))), jnp.ones(n), jnp.ones(n))
        for n in (9, 4)
    )
    made = interpolation.maps(up, down, 0.8, 0.5, 1.1, 0.2)
    found = interpolation.course(made, signal, cosine, share)
    for mix in (0.0, 0.7, 1.0):
        total = 0.0
        for j in range(p):
            for sign in (1, -1):
                a = np.sqrt(signal) * np.eye(p)[j]
                b = cosine * a + sign * np.sqrt(signal * (1 - cosine**2)) * np.eye(p)[(j + 1) % p]
                start = finetune.finetune(up, finetune.scratch(p), a, 0.8, 0.5)
                after = finetune.finetune(down, start, b, 1.1, 0.2)
                # joint: mix = 1 is the fit itself, mix = 0 the start; between, by the map
                keep = np.asarray(finetune.kept(down, 1.1))
                mean = start.mean + mix * (after.mean - start.mean)
                through = (1 - mix) * np.eye(p) + mix * keep
                own = after.covariance - keep @ start.covariance @ keep
                spread = through @ start.covariance @ through + mix**2 * own
                gap = mean - ((1 - share) * a + share * b)
                total += float(gap @ gap + np.trace(spread))
        risk = found.start + 2 * mix * found.slope + mix**2 * found.curvature
        assert float(risk) == pytest.approx(total / (2 * p), rel=1e-10)


def test_breaks_stand_where_their_closed_forms_say():
    outside, inside, shared, ridge = PHENOMENON.breaks
    point = {**PHENOMENON.point({}), **BASE, "transfer": 0.3, "down.ridge": 4.0}
    numbers = build(Params, point)
    mixes = np.linspace(-0.2, 1.6, 1801)
    for kind in (outside, inside):
        made = predict(PHENOMENON, {**point, "mix": list(mixes)})[kind.measure].estimate.value
        assert mixes[np.argmin(made)] == pytest.approx(kind.closed_form(numbers), abs=0.002)
    shares = np.linspace(-1, 3, 41)
    made = predict(PHENOMENON, {**point, "transfer": list(shares)})["ood_slope"].estimate.value
    place = Crossing(level=0.0, direction="down").locate(shares, made).value
    assert place == pytest.approx(shared.closed_form(numbers), abs=1e-6)
    ridges = np.geomspace(1, 200, 400)
    made = predict(PHENOMENON, {**point, "down.ridge": list(ridges)})["id_slope"].estimate.value
    place = Crossing(level=0.0, direction="down", log_axis=True).locate(ridges, made).value
    assert place == pytest.approx(ridge.closed_form(numbers), rel=1e-3)
