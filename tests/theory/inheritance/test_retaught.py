"""Fine-tuning of weights that fluctuate: limits of other theory, and drawn rows in numpy."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.editing.erasure import Lessons, teach
from ci_theory.theory.inheritance.operator import IsotropicWeights
from ci_theory.theory.inheritance.retaught import reteach
from ci_theory.theory.inheritance.two_stages import pretrain, two_stages
from ci_theory.theory.spectra.groups import plain_rows

TARGET = np.array([0.0, 0.6, 0.8])


def lessons(clean, harmful, *, s=2.0, label=-1.5, noise=0.3, ridge=12.0):
    return Lessons(
        counts=jnp.array([float(clean), float(harmful)]),
        shared=jnp.array([[0.0, 0.0, 0.0], [s, 0.0, 0.0]]),
        labels=jnp.array([0.0, label]),
        slopes=jnp.array([TARGET, TARGET]),
        noise=noise,
        drift=99.0,  # not read
        ridge=ridge,
    )


def test_without_a_component_it_is_the_isotropic_operator_in_the_limit():
    """Two stages from the other theory; at this size the next order is 1e-6."""
    p, n = 1_000_000, 700_000
    up = pretrain(p, 1.0, plain_rows(2_000_000, 0.7), 300_000.0)
    made = two_stages(up, p, 1.0, plain_rows(n, 0.3), 200_000.0, 0.6)
    base = IsotropicWeights(mean=jnp.array([0.0, *up.weights.mean]), spread=up.weights.spread)
    base = IsotropicWeights(mean=base.mean[:3], spread=base.spread)
    found = reteach(base, lessons(n, 0, ridge=200_000.0), TARGET, p)
    assert float(found.excess) == pytest.approx(float(made.down.risk.excess_risk), rel=2e-5)


def test_a_base_that_does_not_fluctuate_is_taught():
    base = jnp.array([0.7, 0.2, 0.0])
    still = IsotropicWeights(mean=base, spread=0.0)
    rows = lessons(20, 6)
    made = teach(base, Lessons(**{**_fields(rows), "drift": 0.0}), 50, jnp.zeros(3))
    found = reteach(still, rows, TARGET, 50)
    assert np.allclose(found.mean, made.mean + made.shift, rtol=1e-12)
    own = jnp.trace(made.covariance) + made.spread + made.spread_shift
    own = own + jnp.sum((made.mean + made.shift - TARGET) ** 2)
    assert float(found.excess) == pytest.approx(float(own), rel=1e-12)
    assert float(found.inherited) == 0


def _fields(rows):
    return {name: getattr(rows, name) for name in rows.__dataclass_fields__}


@pytest.mark.parametrize(("clean", "harmful", "spread"), [(40, 0, 2.0), (0, 7, 3.0), (30, 10, 1.0)])
def test_drawn_rows_are_fitted_as_it_says(clean, harmful, spread):
    """Ridge towards a base that fluctuates, 600 times, by the normal equations."""
    d, runs, rows = 60, 600, lessons(clean, harmful)
    rng = np.random.default_rng(clean + harmful)
    mean = np.zeros(d)
    mean[:3] = 0.7, 0.5, 0.1
    target = np.zeros(d)
    target[:3] = TARGET
    errors, along = [], []
    for _ in range(runs):
        w0 = mean + rng.normal(size=d) * np.sqrt(spread / d)
        z = rng.normal(size=(clean + harmful, d))
        y = z @ target + np.where(np.arange(len(z)) < clean, 0.0, -1.5)
        y = y + np.sqrt(0.3) * rng.normal(size=len(z))
        z[clean:, 0] += 2.0
        w = w0 + np.linalg.solve(z.T @ z + 12.0 * np.eye(d), z.T @ (y - z @ w0))
        errors.append(np.sum((w - target) ** 2))
        along.append(w[0])
    base = IsotropicWeights(mean=jnp.asarray(mean[:3]), spread=spread)
    found = reteach(base, rows, TARGET, d)
    for values, predicted in ((errors, found.excess), (along, found.mean[0])):
        error = np.std(values, ddof=1) / runs**0.5
        assert abs(np.mean(values) - predicted) < 4 * error + 0.002 * abs(predicted)
    assert found.inherited > 0.1 * found.excess  # what is tested here is not a trifle
