"""The worst repeat count against the budget: formula, simulation, and the law of its place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ci_theory
from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.phenomena import predict
from ci_theory.theory.dynamics.feature_flow_next_order import feature_ridge_shift
from ci_theory.theory.dynamics.flow_next_order import flow_shift
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import power_law

PHENOMENON = ci_theory.load("repetition_scaling")


def worst(**values):
    (found,) = PHENOMENON.breaks
    return found.closed_form(build(PHENOMENON.params, PHENOMENON.point(values)))


def test_the_worst_count_grows_slower_than_the_budget():
    places = [worst(n=n) for n in (512, 1024, 2048, 4096)]
    slopes = np.diff(np.log2(places))
    assert np.all((slopes > 0.55) & (slopes < 2 / 3))
    assert np.all(np.diff(slopes) > 0)


def test_the_curve_has_its_peak_at_the_closed_form():
    repeats = np.arange(20, 60)
    curve = predict(PHENOMENON, {"n": 1024, "repeats": repeats})["excess_risk"].estimate
    assert curve.valid.all()
    # f N / r is rounded to whole rows, which moves single values by a few in a thousand
    near = np.argsort(curve.value)[-8:]
    assert abs(repeats[near].mean() - worst(n=1024)) < 4


def test_infinitely_many_features_are_the_inputs():
    spectrum = compress(power_law(300, 2.0, 0.5, tail=False), pad_to=256)
    groups = repeated_rows(512.0, 64.0, 8.0, 0.1, True)
    at_ridge = feature_ridge_shift(spectrum, groups, np.inf, 1.8)
    late = flow_shift(spectrum, groups, 1e9, 1.8)
    np.testing.assert_allclose(at_ridge[:4], late[:4], rtol=1e-6)


def test_nothing_is_worst_without_repetition():
    assert np.isnan(worst(repeated_fraction=0.0))


def simulated(runs, **point):
    """Mean excess risk and its standard error."""
    full = PHENOMENON.point({"modes": 100, **point})
    inner = {k: jnp.asarray([full[k]]) for k in ("level", "decay", "noise")}
    params = build(PHENOMENON.params, {**full, **inner})
    keys = jnp.stack([key_for(3, 0, 0, r) for r in range(runs)])
    made = jax.jit(jax.vmap(lambda key: PHENOMENON.simulate(key, params, {"n": full["n"]})))(keys)
    values = np.asarray(made.excess_risk)[:, 0]
    return values.mean(), values.std(ddof=1) / np.sqrt(runs)


@pytest.mark.parametrize("repeats", [1, 12, 50])
def test_simulation_and_formula(repeats):
    point = {"n": 300, "repeats": repeats, "modes": 100}
    mean, error = simulated(60, **point)
    found = predict(PHENOMENON, point)["excess_risk"]
    value, slack = float(found.estimate.value[0]), float(found.estimate.slack[0])
    assert found.estimate.valid[0]
    assert slack < 0.05 * value
    assert abs(mean - value) < slack + 4 * error
    told = {k: abs(v[0] - mean) > slack + 4 * error for k, v in found.decoys.items()}
    assert told["noise halved"]
    assert told["every direction is a parameter"]
    assert told["copies are fresh rows"] == (repeats > 1)
