"""epochwise_descent: simulation against prediction and decoys, breaks, and brute force."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput, Status
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.phenomena import epochwise_descent, load, predict
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian, scales
from ci_theory.theory.dynamics.flow import flow_risk
from ci_theory.theory.dynamics.flow_next_order import flow_shift
from ci_theory.theory.spectra.groups import plain_rows
from ci_theory.theory.spectra.spectrum import two_block
from ci_theory.training import closed_form, gradient_flow

TIMES = np.geomspace(0.05, 4000, 24)
NOISES = (0.0, 0.64)
CASES = {
    "two blocks": {"n": 160, "d": 120},
    "copies": {"n": 160, "d": 120, "repeated_fraction": 0.4, "repeats": 8},
    "features": {"n": 160, "d": 120, "p": 220},
    "one scale": {"n": 160, "d": 120, "slow_variance": 1.0, "decay": 0.02},
    "power law": {"n": 28, "d": 32, "spectrum": "power_law", "alpha": 1.3, "beta": 1.6},
}
PHENOMENON = load("epochwise_descent")


@functools.cache
def simulated(case, replicates=120):
    """Replicates of a case: measure -> (replicates, noises, times)."""
    point = PHENOMENON.point(CASES[case])
    fixed = {k: point[k] for k in PHENOMENON.names(Kind.STATIC)}
    numbers = {k: v for k, v in point.items() if k not in fixed}
    many = len(NOISES) * len(TIMES)
    numbers["time"] = jnp.tile(jnp.asarray(TIMES), len(NOISES))
    numbers["noise"] = jnp.repeat(jnp.asarray(NOISES), len(TIMES))
    numbers["decay"] = jnp.full(many, float(point["decay"]))
    params = build(epochwise_descent.Params, {**fixed, **numbers})

    def one(replicate):
        return epochwise_descent.simulate(key_for(7, 1, 2, replicate), params, {"n": point["n"]})

    made = jax.jit(lambda r: jax.lax.map(one, r))(jnp.arange(replicates))
    shape = (replicates, len(NOISES), len(TIMES))
    return {k: np.asarray(getattr(made, k)).reshape(shape) for k in PHENOMENON.measure_info}


@functools.cache
def predicted(case):
    points = {"time": np.tile(TIMES, 2), "noise": np.repeat(NOISES, len(TIMES))}
    return predict(PHENOMENON, {**CASES[case], **points})


def excess(times, **point):
    """Predict the excess risk at up to 48 times, as a batch of the same length: one program."""
    padded = np.resize(times, 48)
    found = predict(PHENOMENON, {**point, "time": padded})["excess_risk"].estimate
    return type(found)(*(column[: len(times)] for column in found))


def vacuous(case, decoy):
    return {
        "copies are fresh rows": case != "copies",
        "infinite features": case != "features",
    }.get(decoy, False)


@pytest.mark.parametrize("case", CASES)
def test_means_lie_within_slack_and_error_and_decoys_do_not(case):
    found, forms = simulated(case), predicted(case)
    judged_forms = 0
    for label, form in forms.items():
        estimate = form.estimate
        if label.startswith("isotropic") and case != "one scale":
            assert set(estimate.status) == {Status.OUT_OF_SCOPE}
            continue
        assert np.all(estimate.status == Status.OK)
        judged = estimate.valid
        assert judged.mean() > 0.7
        judged_forms += 1
        values = found[form.prediction.measure].reshape(len(found["excess_risk"]), -1)
        error = values.std(axis=0, ddof=1) / len(values) ** 0.5
        room = estimate.slack + 4.5 * error + 1e-9 * np.abs(estimate.value)
        assert np.all((np.abs(values.mean(axis=0) - estimate.value) < room)[judged]), label
        for decoy, wrong in form.decoys.items():
            seen = np.any((np.abs(values.mean(axis=0) - wrong) > room)[judged])
            assert seen != vacuous(case, decoy), (label, decoy)
    assert judged_forms == (4 if case == "one scale" else 2)


def test_the_deviation_is_the_computed_next_order_and_falls_as_one_over_n():
    """Of what label noise adds to both errors, n = d, at two sizes; the sign counts as well."""
    times, sizes, replicates = np.array([2.0, 60.0, 600.0]), (20, 60), (2500, 600)
    scaled = {"excess_risk": [], "train_error": []}
    for n, count in zip(sizes, replicates, strict=True):
        point = {**PHENOMENON.point({"n": n, "d": n}), "decay": jnp.zeros(6)}
        point["time"], point["noise"] = (
            jnp.tile(jnp.asarray(times), 2),
            jnp.repeat(jnp.arange(2.0), 3),
        )
        params = build(epochwise_descent.Params, point)

        def one(replicate, params=params, n=n):
            return epochwise_descent.simulate(key_for(8, n, 2, replicate), params, {"n": n})

        made = jax.jit(lambda r, one=one: jax.lax.map(one, r))(jnp.arange(count))
        spectrum, rows = two_block(n / 2, n / 2, 1.0, 0.01, 0.2, 100.0), plain_rows(n, 1.0)
        shift = [flow_shift(spectrum, rows, t, 0.0) for t in times]
        limit = [flow_risk(spectrum, n, t, 0.0, noise) for t in times for noise in (0.0, 1.0)]
        for measure, field, moved in (
            ("excess_risk", "excess_risk", "noise"), ("train_error", "train_error", "train_noise"),
        ):  # fmt: skip
            values = np.asarray(getattr(made, measure)).reshape(count, 2, 3)
            added = values[:, 1] - values[:, 0]
            error = added.std(axis=0) / count**0.5
            exact = np.diff(np.array([getattr(r, field) for r in limit]).reshape(3, 2))[:, 0]
            gap = added.mean(axis=0) - exact
            next_order = np.array([getattr(s, moved) for s in shift])
            assert np.all(np.abs(gap - next_order) < 4.5 * error + 3 * next_order**2 / exact)
            scaled[measure].append(n * gap / exact)
    for measure, least in (("excess_risk", 0.25), ("train_error", 0.05)):
        table = np.array(scaled[measure])
        assert np.all(np.abs(table) > least)
        assert np.all(np.abs(table / table[-1] - 1) < 0.35)


def test_test_error_is_excess_risk_and_noise():
    found = simulated("two blocks")
    gap = found["test_error"] - found["excess_risk"]
    np.testing.assert_allclose(gap[:, 1], 0.64, rtol=1e-12)
    np.testing.assert_array_equal(gap[:, 0], 0.0)


def test_the_closed_form_of_one_scale_is_the_inversion():
    forms = predicted("one scale")
    for closed, inverted in (
        ("isotropic_excess", "excess_risk"),
        ("isotropic_train", "train_error"),
    ):
        values = (forms[name].estimate.value for name in (closed, inverted))
        np.testing.assert_allclose(*values, rtol=1e-9)


def test_published_means_of_another_simulation():
    """Two blocks of 200 modes, n = 400, noise 0.64: 40 draws of a program that is not this one."""
    times = [0.3, 3.0, 10.0, 30.0, 300.0, 3000.0]
    means = np.array([1.1648, 1.692, 2.171, 2.177, 1.755, 3.440])
    errors = np.array([0.0019, 0.011, 0.023, 0.029, 0.033, 0.095])
    found = excess(times)
    assert np.all(found.valid)
    assert np.all(np.abs(found.value - means) < found.slack + 3 * errors)
    tabulated = [1.162256, 1.678695, 2.139309, 2.131369, 1.735467, 3.478214]
    np.testing.assert_allclose(found.value, tabulated, rtol=1e-6)
    # finite features: n = 150, p = 250, d = 300, variances 1 and 1/50, |w|^2 = 1/2 and 50
    features = {
        "n": 150, "p": 250, "d": 300, "noise": 0.25, "signal": 1.5, "slow_share": 2 / 3,
        "slow_variance": 0.02,
    }  # fmt: skip
    found = excess([1.0, 3.0, 100.0], **features)
    means, errors = np.array([1.57286, 1.92347, 4.8767]), np.array([0.00354, 0.00626, 0.0396])
    assert np.all(found.valid)
    assert np.all(np.abs(found.value - means) < found.slack + 3 * errors)
    np.testing.assert_allclose(found.value, [1.57651, 1.93262, 4.83272], rtol=1e-5)


def test_breaks_are_where_the_theory_says():
    """All three breaks, with noise; the measured interval holds the predicted place."""
    curve = simulated("two blocks")["excess_risk"][:, 1]
    line = predicted("two blocks")["excess_risk"].estimate.value.reshape(2, -1)[1]
    places = {}
    for kind in PHENOMENON.breaks:
        measured = kind.locator.locate(TIMES, curve)
        assert measured.status == Status.OK, kind.name
        formula = kind.locator.matching(measured).locate(TIMES, line)
        assert measured.low < formula.value < measured.high, kind.name
        places[kind.name] = measured
    names = "over-fitting begins", "epoch-wise peak", "second descent ends"
    first, peak, second = (places[name] for name in names)
    assert first.high < peak.low < peak.high < second.low
    assert peak.height_low > max(first.height_high, second.height_high)


def test_noise_makes_the_peak_later_and_higher_and_the_rest_earlier():
    """Claim 1 in time: over-fitting begins earlier, the peak comes later and is higher."""
    times = np.geomspace(0.03, 10000, 48)
    kinds = {b.name: b.locator for b in PHENOMENON.breaks}
    places = []
    for noise in (0.04, 0.16, 0.64, 1.5, 3.0):
        line = excess(times, noise=noise).value
        places.append({name: at.locate(times, line) for name, at in kinds.items()})
    for name, sign in (
        ("over-fitting begins", -1), ("epoch-wise peak", 1), ("second descent ends", -1),
    ):  # fmt: skip
        assert np.all(sign * np.diff([p[name].value for p in places]) > 0), name
    assert np.all(np.diff([p["epoch-wise peak"].height for p in places]) > 0)
    depth = [p["epoch-wise peak"].height - p["second descent ends"].height for p in places]
    assert np.all(np.diff(depth) < 0)
    assert 0 < depth[-1] < 0.05


# --- the simulation ---------------------------------------------------------------------------


def small(seed, n, d, p=0):
    """A design of the simulation's own making, small: inputs, features, root of the variances."""
    key = key_for(seed, 1, 1, 0)
    variances = scales.variances("two_block", d, slow_variance=0.1)
    x = gaussian.rows(key, n, variances)
    features = gaussian_features.init(key, p, d) if p else jnp.eye(d)
    return x, features, jnp.sqrt(variances)


@pytest.mark.parametrize("p", [0, 14])
def test_the_flow_is_gradient_descent_in_small_steps(p):
    """The mean over label noise is a sum over unit labels, each trained by itself."""
    n, d, noise, steps, rate = 9, 7, 0.3, 4000, 1e-3
    point = {
        "n": n, "d": d, "p": p, "noise": noise, "decay": 0.05, "slow_variance": 0.1,
        "repeated_fraction": 0.5, "repeats": 2, "time": steps * rate, "signal": 2.0,
    }  # fmt: skip
    full = PHENOMENON.point(point)
    inner = {k: jnp.array([full[k]]) for k in PHENOMENON.names(Kind.INNER)}
    params = build(epochwise_descent.Params, {**full, **inner})
    key = key_for(3, 1, 1, 0)
    found = epochwise_descent.simulate(key, params, {"n": n})

    x, features, scale = small(3, n, d, p)
    x, features, scale = (np.asarray(v) for v in (x, features, scale))
    power = np.asarray(scales.powers("two_block", d, slow_share=full["slow_share"]))
    w = np.sqrt(2.0 * power) / scale
    weights = np.array([2.0] * 2 + [1.0] * 5 + [0.0] * 2)  # 4 of 9 rows are copies
    phi = x @ features.T
    labels = np.column_stack([x @ w, np.sqrt(noise) * np.diag(weights > 0)])
    a = np.zeros((phi.shape[1], labels.shape[1]))
    for _ in range(steps):
        a = a - rate * (phi.T @ (weights[:, None] * (phi @ a - labels)) / 9 + 0.05 * a)
    reached = features.T @ a - np.column_stack([w, np.zeros((d, n))])
    excess = np.sum((scale[:, None] * reached) ** 2)
    train = np.sum(weights[:, None] * (phi @ a - labels) ** 2) / 9
    assert float(found.excess_risk[0]) == pytest.approx(excess, rel=2e-3)  # step of 1e-3
    assert float(found.train_error[0]) == pytest.approx(train, rel=2e-3)


def test_weights_are_literal_copies_and_features_may_be_the_identity():
    x, _, scale = small(5, 12, 9)
    w = jnp.linspace(1.0, 2.0, 9)
    weights = jnp.asarray([3.0] * 4 + [1.0] * 8)
    literal = jnp.repeat(x, weights.astype(int), axis=0, total_repeat_length=20)
    args = {
        "metric": scale, "test_target": scale * w, "time": jnp.array([0.3, 2.0, 40.0]),
        "decay": jnp.array([0.0, 0.1, 0.02]), "noise": jnp.array([0.5, 0.1, 1.0]),
    }  # fmt: skip
    # copies that share a label of noise v count as rows labelled afresh with noise v each only
    # if the weight's mean label has the noise v/c
    path = closed_form.decompose(x, weights)
    weighted = gradient_flow.path_errors(path, signal_labels=x @ w, row_noise=1 / weights, **args)
    copied = gradient_flow.path_errors(
        closed_form.decompose(literal, jnp.ones(20)),
        signal_labels=literal @ w, row_noise=jnp.ones(20), **args,
    )  # fmt: skip
    np.testing.assert_allclose(weighted.excess, copied.excess, rtol=1e-11)
    scatter = args["noise"] * 4 * 2 / 20  # of the copies' labels about their mean
    np.testing.assert_allclose(weighted.train + scatter, copied.train, rtol=1e-11)
    same = gradient_flow.path_errors(
        closed_form.decompose(x @ jnp.eye(9), weights),
        signal_labels=x @ w, row_noise=1 / weights, **{**args, "metric": jnp.diag(scale)},
    )  # fmt: skip
    np.testing.assert_allclose(weighted.excess, same.excess, rtol=1e-11)


def test_bad_input_is_one_line():
    with pytest.raises(BadInput, match="repeats = 500: one row cannot fill more than the 400 rows"):
        PHENOMENON.point({"repeats": 500, "repeated_fraction": 0.5})
    with pytest.raises(BadInput, match="unknown value of spectrum 'flat'"):
        PHENOMENON.point({"spectrum": "flat"})
    with pytest.raises(BadInput, match=r"slow_variance = 0\.0: must be > 0"):
        PHENOMENON.point({"slow_variance": 0.0})
