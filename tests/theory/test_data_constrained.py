"""Repeated rows against fresh ones: the solvable model by simulation, and the empirical law."""

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory import Status
from ci_theory.theory import data_constrained, power_law
from ci_theory.theory.flow_isotropic import isotropic_flow
from ci_theory.theory.spectrum import explicit
from ci_theory.theory.spectrum import power_law as finite_law

ENDLESS = power_law.endless(1.5, 0.3)
worth = jax.jit(jax.vmap(data_constrained.reuse, in_axes=(None, None, 0, None, None)))


def test_the_empirical_law_is_as_published():
    found = [float(data_constrained.effective_data(e)) for e in (2, 8, 40)]
    np.testing.assert_allclose(found, [1.96820, 6.62412, 15.16746], atol=1e-5)


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
