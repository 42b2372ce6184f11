"""Traces over the spectrum of random tasks, against quadrature and against drawn tasks."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from ci_theory.theory.attention.task_spectrum import task_traces

FUNCTIONS = {
    "inverse": lambda v, nu: 1 / (v + nu),
    "inverse2": lambda v, nu: 1 / (v + nu) ** 2,
    "kept": lambda v, nu: v / (v + nu),
    "mixed": lambda v, nu: v / (v + nu) ** 2,
    "kept2": lambda v, nu: v**2 / (v + nu) ** 2,
    "signal": lambda v, nu: v**2 / (v + nu),
    "signal2": lambda v, nu: v**3 / (v + nu) ** 2,
}


def mean(function, kappa):
    """Integrate over the Marchenko-Pastur density, in the angle that makes it smooth."""
    c = 1 / kappa
    middle, half = 1 + c, 2 * np.sqrt(c)

    def at(angle):
        v = middle + half * np.cos(angle)
        return function(v) * (half * np.sin(angle)) ** 2 / (2 * np.pi * c * v)

    found = quad(at, 0, np.pi, epsabs=1e-14, epsrel=1e-13, limit=500)[0]
    return found + max(0.0, 1 - kappa) * function(0.0)


@pytest.mark.parametrize(
    ("nu", "kappa"), [(0.5, 2.0), (0.01, 0.5), (0.2, 1.0), (30.0, 0.3), (1e-3, 4.0), (5.0, 50.0)]
)
def test_traces_are_means_over_the_spectrum(nu, kappa):
    made = task_traces(nu, kappa)
    for name, function in FUNCTIONS.items():
        wanted = mean(lambda v, f=function: f(v, nu), kappa)
        assert float(getattr(made, name)) == pytest.approx(wanted, rel=1e-11), name


def test_drawn_tasks_have_these_traces():
    rng = np.random.default_rng(0)
    d, k, nu = 600, 300, 0.3
    w = rng.standard_normal((k, d))
    w *= np.sqrt(d) / np.linalg.norm(w, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(w.T @ w / k)
    made = task_traces(nu, k / d)
    for name, function in FUNCTIONS.items():
        assert float(getattr(made, name)) == pytest.approx(function(values, nu).mean(), rel=6 / d)
    # a task's own response is what is left of it: w'(R + nu)^-1 w/d = M D
    response = np.mean(np.sum(w * np.linalg.solve(w.T @ w / k + nu * np.eye(d), w.T).T, 1)) / d
    assert float(made.inverse * made.own) == pytest.approx(response, rel=6 / d)


def test_limits():
    endless = task_traces(0.5, jnp.inf)
    assert float(endless.inverse) == pytest.approx(1 / 1.5, rel=1e-15)
    assert float(endless.signal2) == pytest.approx(1 / 1.5**2, rel=1e-15)
    few = task_traces(1e-9, 0.25)  # a quarter of space has tasks
    assert float(few.kept) == pytest.approx(0.25, rel=1e-8)
    assert float(few.inverse * 1e-9) == pytest.approx(0.75, rel=1e-8)
    assert float(task_traces(1e-13, 1e12).kept) == pytest.approx(1.0, rel=1e-11)
