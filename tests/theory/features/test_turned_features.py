"""Turned inputs: what they show of a target, by quadrature; errors, by drawn features and rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import roots_jacobi

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory.biases.input_noise import turned
from ci_theory.systems import random_features
from ci_theory.tasks import sphere
from ci_theory.theory.features.repeated_features import repeated_feature_risk
from ci_theory.theory.features.turned_features import kept_harmonics, turned_feature_risk
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows
from ci_theory.theory.spectra.sphere import sphere_spectrum

RELU = random_features.ACTIVATIONS["relu"].host
SIGNAL, QUADRATIC = 1.0, 0.5


def parts(d, signal=SIGNAL, quadratic=QUADRATIC):
    one = sphere_spectrum(RELU, d, linear=signal)
    return one, sphere_spectrum(RELU, d, linear=0.0, quadratic=quadratic)


@pytest.mark.parametrize("d", [5, 30])
@pytest.mark.parametrize("input_noise", [0.0, 0.4, 3.0, 40.0])
def test_a_turned_input_shows_the_mean_of_a_harmonic(d, input_noise):
    """Over the smaller sphere orthogonal to x', of the coordinate that the harmonic depends on."""
    height = 0.7 * np.sqrt(d)  # of x' along u, whose harmonics are u.x and (u.x)^2 - 1
    t, weight = roots_jacobi(60, (d - 4) / 2, (d - 4) / 2)
    tangent = np.sqrt(input_noise)
    across = np.sqrt(d - height**2) * t
    along = (height + tangent * across) / np.sqrt(1 + input_noise)
    one, two = kept_harmonics(d, input_noise)
    weight = weight / weight.sum()
    assert weight @ along == pytest.approx(float(one) * height, rel=1e-12)
    assert weight @ (along**2 - 1) == pytest.approx(float(two) * (height**2 - 1), rel=1e-9)


def test_clean_inputs_are_repeated_features():
    rows = repeated_rows(60.0, 20.0, 4.0, 0.3, False)
    one, two = parts(16)
    found = turned_feature_risk(one, two, rows, 50, 0.01, 16, 0.0)
    whole = sphere_spectrum(RELU, 16, linear=SIGNAL, quadratic=QUADRATIC)
    wanted = repeated_feature_risk(whole, rows, 50, 0.01)
    assert float(found.excess_risk) == pytest.approx(float(wanted.excess_risk), rel=1e-14)
    assert float(found.turned_excess_risk) == float(found.excess_risk)
    assert float(found.unlearned) == float(found.law.noise) == 0
    np.testing.assert_array_equal(found.inside.residual, wanted.residual)


def test_nothing_learned_leaves_the_whole_target():
    """A huge ridge fits nothing, and right angles show nothing of a linear target."""
    one, two = parts(16)
    rows = plain_rows(100, 0.0)
    for input_noise in (0.0, 0.5, 5.0):
        found = turned_feature_risk(one, two, rows, 50, 1e12, 16, input_noise)
        assert float(found.excess_risk) == pytest.approx(SIGNAL + QUADRATIC, rel=1e-9)
        assert float(found.turned_excess_risk) == pytest.approx(SIGNAL + QUADRATIC, rel=1e-9)
    bare = parts(16, quadratic=0.0)
    found = turned_feature_risk(*bare, rows, 50, 1e-3, 16, 1e12)
    assert float(found.law.noise) == pytest.approx(SIGNAL, rel=1e-9)
    assert float(found.excess_risk) == pytest.approx(
        SIGNAL + float(found.inside.noise_variance), rel=1e-5
    )


@pytest.mark.parametrize("input_noise", [0.2, 2.0])
def test_errors_are_those_of_drawn_features_and_rows(input_noise):
    """By direct solves for drawn noisy labels, on clean and on turned fresh inputs."""
    d, p, ridge, noise, runs = 30, 90, 0.05, 0.2, 60
    rows = repeated_rows(100.0, 20.0, 3.0, noise, True)
    made = turned_feature_risk(*parts(d), rows, p, ridge, d, input_noise)
    weights = jnp.where(jnp.arange(120) < 20, 3.0, 1.0)

    def target(x):
        return jnp.sqrt(SIGNAL) * sphere.linear(x) + jnp.sqrt(QUADRATIC) * sphere.quadratic(x)

    @jax.jit
    def run(seed):
        key, test, labels = (key_for(seed, 5, 0, part) for part in range(3))
        theta, x = random_features.init(key, p, d), sphere.rows(key, 120, d)
        fresh = sphere.rows(test, 4000, d)
        seen, like = turned(key, x, input_noise), turned(test, fresh, input_noise)
        y = target(x) + jnp.sqrt(noise) * jax.random.normal(labels, (120,))
        phi, clean, same = (random_features.apply(theta, v, "relu") for v in (seen, fresh, like))
        gram = phi.T @ (weights[:, None] * phi) + ridge * jnp.eye(p)
        a = jnp.linalg.solve(gram, phi.T @ (weights * y))
        residual = (y - phi @ a) ** 2
        return jnp.stack([
            jnp.mean((clean @ a - target(fresh)) ** 2),
            jnp.mean((same @ a - target(fresh)) ** 2),
            jnp.mean(residual[:20]),
            jnp.mean(residual[20:]),
        ])  # fmt: skip

    found = np.array([run(seed) for seed in range(runs)])
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(runs)
    residual = made.inside.residual
    wanted = [made.excess_risk, made.turned_excess_risk, residual[1], residual[0]]
    off = np.abs(mean - np.array([float(v) for v in wanted]))
    assert np.all(off < 4 * error + 0.02 * mean), (mean, error, wanted)


def test_negative_noise_is_out_of_scope_and_other_statuses_are_passed_on():
    one, two = parts(16)
    refused = turned_feature_risk(one, two, plain_rows(100, 0.1), 50, 0.01, 16, -0.1)
    assert int(refused.status) == Status.OUT_OF_SCOPE
    peak = turned_feature_risk(one, two, plain_rows(50, 0.1), 50, 0.0, 16, 0.1)
    assert int(peak.status) == Status.NOT_FINITE
