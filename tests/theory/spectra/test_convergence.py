"""A solver that was stopped just before it arrived says so: what is nearly right is not OK."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.inheritance import mixture
from ci_theory.theory.spectra import fixed_point, shares, sources
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import power_law

# Lengths that no other test has: what is compiled here is stopped early.


def kappa():
    return fixed_point.solve_kappa(power_law(41, 1.5, tail=False), 41.0, 1e-12)


def root():
    def climbing(x):
        return jnp.log(x) ** 3 + jnp.log(x) - 5

    return fixed_point.log_root(climbing, 1e-3, 1e3)


def leverages():
    groups = Groups(
        counts=np.array([20.0, 10.0, 1.0]), weights=np.array([1.0, 4.0, 9.0]), noise=np.ones(3)
    )
    return shares.solve_shares(power_law(41, 1.5, tail=False), groups, 1e-6)


def covariances():
    spread = np.array([[1.0, 0.5, 0.1, 0.2, 2.0], [0.1, 1.0, 2.0, 0.7, 0.1]])
    rows = mixture.Mixture(
        covariances=spread[:, :, None] * np.eye(5),
        targets=np.ones((2, 5)),
        counts=np.array([5.0, 8.0]),
        weights=np.array([1.0, 2.0]),
        noise=np.array([0.1, 0.2]),
        ridge=np.array(1e-3),
    )
    return mixture.fit_mixture(rows, mixture.Weights(mean=np.zeros(5), spread=np.zeros((5, 5))))


@pytest.mark.parametrize(
    ("solve", "module", "steps"),
    [
        (kappa, fixed_point, 8),
        (root, fixed_point, 7),
        (leverages, shares, 4),
        (covariances, sources, 4),
    ],
)
def test_stopped_a_step_too_early(monkeypatch, solve, module, steps):
    monkeypatch.setattr(module, "MOST_STEPS", steps)
    found = solve()
    assert 1e-9 < float(found.residual) < 1e-2
    assert int(found.status) == Status.NOT_CONVERGED
