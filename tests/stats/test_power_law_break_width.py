"""power_law_break with features: its means deviate by the next order, the tail's modes included."""

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._keys import key_for
from ci_theory.phenomena import power_law_break
from ci_theory.theory.features.feature_next_order import feature_next_order

RUNS = 5000
OPTIMISED = {"xla_backend_optimization_level": 1}
ROWS, WIDTH = 24, 20
RIDGE, NOISE = np.array([0.03, 0.003, 0.003]), np.array([0.0, 0.0, 0.1])


def test_means_are_limit_and_shift_and_not_the_limit_alone():
    params = power_law_break.Params(
        n=ROWS,
        width=WIDTH,
        modes=30,
        alpha=2.5,
        source=0.6,
        ridge=jnp.asarray(RIDGE),
        noise=jnp.asarray(NOISE),
    )

    def one(replicate):
        key = key_for(5, 0, 0, replicate)
        return power_law_break.simulate(key, params, {"n": ROWS}).excess_risk

    many = jax.jit(lambda r: jax.lax.map(one, r, batch_size=100), compiler_options=OPTIMISED)
    risks = np.asarray(many(jnp.arange(RUNS)))
    mean, error = risks.mean(axis=0), risks.std(axis=0) / RUNS**0.5
    law = power_law_break.world(params).spectrum
    size = (law, float(ROWS), float(WIDTH))
    found = [feature_next_order(*size, ROWS * r, v) for r, v in zip(RIDGE, NOISE, strict=True)]
    limit = np.array([float(f.signal + f.noise) for f in found])
    shift = np.array([float(f.signal_shift + f.noise_shift) for f in found])
    assert np.all(mean - limit > 10 * error)
    assert np.all(np.abs(mean - limit - shift) < 3.5 * error)
