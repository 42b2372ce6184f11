"""Repeated rows against fresh ones: the solvable model by simulation, and the empirical law."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.dynamics.flow import FlowRisk
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.scaling import data_constrained
from ci_theory.theory.spectra import power_law
from ci_theory.theory.spectra.spectrum import explicit, isotropic, tail_as_modes
from ci_theory.theory.spectra.spectrum import power_law as finite_law

ENDLESS = power_law.endless(1.5, 0.3)
worth = jax.jit(jax.vmap(data_constrained.reuse, in_axes=(None, None, 0, None, None)))


def test_the_empirical_law_is_as_published():
    found = [float(data_constrained.effective_data(e)) for e in (2, 8, 40)]
    np.testing.assert_allclose(found, [1.96820, 6.62412, 15.16746], atol=1e-5)


def test_another_half_life_of_reuse():
    """R* of them are worth 1 - 1/e of R*; few cost nothing, and endless ones are worth R*."""
    half = 4.0
    found = [float(data_constrained.effective_data(1 + r, half)) for r in (0, 1e-6, half, np.inf)]
    np.testing.assert_allclose(found, [1, 1 + 1e-6, 1 + half * (1 - np.exp(-1)), 1 + half], 1e-9)


def test_several_epochs_of_stochastic_gradient_descent():
    """200 data sets of 40 rows, shuffled before every epoch, at a small rate."""
    n, rate, law = 40, 0.02, finite_law(80, 1.5, 0.3, tail=False)
    scale = jnp.sqrt(law.eigenvalues)
    target = jnp.sqrt(law.power) / scale

    def run(key):
        rows, *orders = jax.random.split(key, 9)
        x = jax.random.normal(rows, (n, 80)) * scale[None, :]

        def step(w, i):
            return w + rate * (x[i] @ (target - w)) * x[i], None

        w, risks = jnp.zeros(80), []
        for order in orders:
            w, _ = jax.lax.scan(step, w, jax.random.permutation(order, n))
            risks.append(jnp.sum(law.eigenvalues * (w - target) ** 2))
        return jnp.stack(risks)

    keys = jax.random.split(jax.random.key(0), 200)
    values = np.asarray(jax.jit(lambda k: jax.lax.map(run, k, batch_size=50))(keys))
    values = values[:, [0, 2, 7]]
    found = worth(law, float(n), jnp.array([1.0, 3.0, 8.0]), rate, 0.0)
    assert np.all(found.status == Status.OK)
    mean, error = values.mean(axis=0), values.std(axis=0) / 200**0.5
    # the steps' own noise is of relative order rate . trace / 2, the rows' of order 1/n
    assert np.all(np.abs(mean / found.risk - 1) < 0.03 + 4 * error / mean)
    assert mean[-1] / float(data_constrained.endless_data_risk(law, rate * n * 8)) > 1.05


def test_worth_of_isotropic_rows_is_in_closed_form():
    """e^(-2t) inverts the fresh rows' risk; the risk itself is a Bessel integral."""
    rows, p, rate, epochs = 160.0, 80, 0.05, jnp.array([1.0, 3.0, 8.0])
    risks = jax.vmap(lambda time: isotropic_flow(rows, float(p), time, 0.1).excess_risk)
    risk = risks(rate * rows * epochs)
    fresh = -np.log(np.asarray(risk)) / (2 * rate * rows)
    found = worth(explicit(np.ones(p), np.full(p, 1 / p)), rows, epochs, rate, 0.1)
    np.testing.assert_allclose(found.fresh, fresh, rtol=1e-8)


def test_an_endless_stream_never_learns_a_tail():
    modes = finite_law(30, 1.5, 0.3)
    tailed = dataclasses.replace(modes, tail_trace=np.array(0.4), tail_power=np.array(0.25))
    for time in (0.0, 3.0, 1e6):
        many = data_constrained.endless_data_risk(tail_as_modes(tailed, 1e15), time)
        found = float(data_constrained.endless_data_risk(tailed, time))
        assert found == pytest.approx(float(many), rel=1e-8)
    assert found == pytest.approx(0.25, rel=1e-9)


def test_where_reuse_saturates():
    rows = 1000.0
    found = worth(ENDLESS, rows, jnp.array([1e4, 1e5, 1e6]), 0.1, 0.0)
    exact = float(data_constrained.saturation(rows, 1.5, 0.3, 0.1))
    np.testing.assert_allclose(float(found.fresh[-1]), exact, rtol=2e-3)
    for alpha in (1.3, 2.0):
        ends = [float(data_constrained.saturation(u, alpha, 0.3, 0.1)) for u in (1e4, 4e4)]
        np.testing.assert_allclose(ends[1] / ends[0], 4 ** (alpha - 1), rtol=1e-3)


def test_noise_makes_reuse_peak_and_fall():
    fresh = np.asarray(worth(ENDLESS, 200.0, jnp.array([4.0, 40.0, 1000.0]), 0.1, 0.05).fresh)
    assert fresh[1] > 1.02 * fresh[0]
    assert fresh[2] < 0.9 * fresh[1]
    noisy = worth(ENDLESS, 50.0, jnp.array([1e3, 1e4, 1e5]), 0.1, 10.0)
    assert np.all(noisy.status == Status.OUT_OF_SCOPE)
    assert np.all(np.isnan(noisy.fresh))


def test_the_empirical_loss_is_as_published():
    """U_N + U_N R*(1 - exp(-R_N/R*)) and the same of the data, in plain arithmetic."""
    for parameters, unique, epochs in ((1e9, 1e10, 4), (1e8, 1e10, 1)):
        served = min(parameters, 0.05099 * unique)  # published as 0.051
        ratio = parameters / served - 1
        size = served + served * 5.309743 * (1 - np.exp(-ratio / 5.309743))
        data = unique + unique * 15.387756 * (1 - np.exp(-(epochs - 1) / 15.387756))
        loss = 1.86914 + 520.825 / size**0.3526596 + 1487.716 / data**0.3526596
        found = float(data_constrained.fitted_loss(parameters, unique, epochs))
        assert found == pytest.approx(loss, abs=2e-5)


@pytest.mark.parametrize(("alpha", "source"), [(2.0, 0.2), (2.0, 0.4)])
def test_with_noise_more_epochs_pay_for_hard_targets_only(alpha, source):
    """The best worth goes as U^(alpha/(1 + 2 alpha r) - 1); near r = 0 only beyond 10^6 rows."""
    law, epochs = power_law.endless(alpha, source), jnp.asarray(np.geomspace(2, 1500, 12))
    best = [float(jnp.nanmax(worth(law, u, epochs, 0.1, 0.05).fresh)) for u in (1e5, 1e6)]
    power = alpha / (1 + 2 * alpha * source) - 1
    assert np.log10(best[1] / best[0]) == pytest.approx(power, abs=0.05)
    assert (best[1] > best[0]) == (2 * source < 1 - 1 / alpha)


def test_a_set_read_once_brings_its_own_noise():
    """One epoch is worth 1; more are worth a little more than against an endless stream."""
    solve = jax.jit(jax.vmap(data_constrained.set_reuse, in_axes=(None, None, 0, None, None)))
    epochs = jnp.array([1.0, 4.0, 30.0])
    found = solve(ENDLESS, 200.0, epochs, 0.1, 0.05)
    stream = worth(ENDLESS, 200.0, epochs, 0.1, 0.05)
    assert float(found.fresh[0]) == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(found.risk, stream.risk, rtol=1e-12)
    ahead = np.asarray(found.fresh - stream.fresh)
    assert np.all((ahead > 0) & (ahead < 1))
    # the set of that size, read once, has the risk that was aimed at
    size = 200.0 * float(found.fresh[2])
    once = solve(ENDLESS, size, jnp.ones(3), 0.1, 0.05)
    assert float(once.risk[0]) == pytest.approx(float(found.risk[2]), rel=1e-9)


def test_what_no_set_and_no_fresh_rows_are_as_bad_as():
    """Over-fitted noise, and a target that a vast ridge hides from every number of rows."""
    bad = data_constrained.set_reuse(ENDLESS, 50.0, 1e4, 0.1, 10.0)
    assert int(bad.status) == Status.OUT_OF_SCOPE
    assert np.isnan(float(bad.fresh))
    assert float(bad.risk) > 1.0
    for rows, copies, ridge, noise in ((50.0, 1e12, 1e9, 10.0), (5000.0, np.inf, 1e12, 0.0)):
        lost = data_constrained.ridge_reuse(ENDLESS, rows, copies, ridge, noise)
        assert int(lost.status) == Status.OUT_OF_SCOPE, rows
        assert np.isnan(float(lost.fresh))
    one = data_constrained.ridge_reuse(ENDLESS, 50.0, 1.0, 20.0, 0.1)
    assert float(one.fresh) == pytest.approx(1.0, rel=1e-9)
    assert int(one.status) == Status.OK


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_copies_and_fresh_rows_err_alike_at_one_ridge(noise):
    """Literal copies of 100 rows, 4 of each, against as many fresh rows as they are worth."""
    law, ridge, runs = finite_law(60, 1.5, 0.3, tail=False), 30.0, 400
    found = data_constrained.ridge_reuse(law, 100.0, 4.0, ridge, noise)
    assert int(found.status) == Status.OK
    fresh = round(100 * float(found.fresh))
    assert 250 < fresh < 395  # 400 would be as good as new
    rng = np.random.default_rng(1)
    scale = np.sqrt(np.asarray(law.eigenvalues))
    target = np.sqrt(np.asarray(law.power)) / scale

    def risks(rows, copies):
        x = rng.standard_normal((runs, rows, 60)) * scale
        y = x @ target + np.sqrt(noise) * rng.standard_normal((runs, rows))
        x, y = np.repeat(x, copies, axis=1), np.repeat(y, copies, axis=1)
        gram = np.swapaxes(x, 1, 2) @ x + ridge * np.eye(60)
        w = np.linalg.solve(gram, np.einsum("rnp,rn->rp", x, y)[..., None])[..., 0]
        return (scale**2 * (w - target) ** 2).sum(axis=1)

    for rows, copies in ((100, 4), (fresh, 1)):
        risk = risks(rows, copies)
        error = risk.std() / runs**0.5
        assert abs(risk.mean() - float(found.risk)) < 4 * error + 0.01 * float(found.risk)


def test_where_copies_saturate_at_a_fixed_ridge():
    found = data_constrained.ridge_reuse(ENDLESS, 5000.0, jnp.inf, 20.0, 0.0)
    closed = float(data_constrained.ridge_saturation(5000.0, 1.5, 0.3, 20.0))
    np.testing.assert_allclose(float(found.fresh), closed, rtol=0.01)
    flow = float(data_constrained.saturation(5000.0, 1.5, 0.3, 0.1))
    equal = 1 / (2 * 0.1) * float(jax.scipy.special.gamma(1.4)) ** (-1 / 0.6)
    np.testing.assert_allclose(
        closed / flow, 20.0 / equal * (1 + 0.5 / 5000) ** (-1 / 0.6), rtol=1e-9
    )


def test_under_a_large_ridge_copies_are_worth_millions_of_rows():
    """Endless copies leave the interpolator of 5000 rows; none is told beyond 1e9 times as many."""
    for ridge, status in ((2e4, Status.OK), (2e12, Status.OUT_OF_SCOPE)):
        found = data_constrained.ridge_reuse(ENDLESS, 5000.0, jnp.inf, ridge, 0.0)
        assert int(found.status) == status
        if status == Status.OK:
            closed = float(data_constrained.ridge_saturation(5000.0, 1.5, 0.3, ridge))
            assert closed > 1e5
            assert float(found.fresh) == pytest.approx(closed, rel=0.02)
        else:
            assert np.isnan(found.fresh)


def test_what_the_flow_says_of_itself_is_passed_on(monkeypatch):
    """A flow whose risk is one over the time: its worth is known, and its word is kept."""
    for status in (Status.OK, Status.NOT_CONVERGED):

        def told(spectrum, rows, time, ridge, noise, status=status):
            return FlowRisk(1 / time, *[0.0] * 5, jnp.asarray(int(status)), 0.0)

        monkeypatch.setattr(data_constrained, "flow_risk", told)
        with jax.disable_jit():
            stream = data_constrained.reuse(isotropic(10), 20.0, 3.0, 0.1)
            whole = data_constrained.set_reuse(isotropic(10), 20.0, 3.0, 0.1)
        assert float(stream.fresh) == pytest.approx(np.log(6) / 2 / 2, rel=1e-9)  # exp(-2 t) = 1/6
        assert float(whole.fresh) == pytest.approx(3.0, rel=1e-9)
        assert stream.status == whole.status == status
