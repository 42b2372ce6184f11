"""What models are drawn from: scales of their weights and features, and all frequencies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory.systems import gaussian_features, quadratic, random_features, transformer
from ci_theory.tasks import sphere

KEY = key_for(3, 2, 1, 0)


def variance(values):
    """Mean square, and five standard errors of it for normal values."""
    values = np.asarray(values)
    return float(np.mean(values**2)), 5 * (2 / values.size) ** 0.5


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_quadratic_weights_start_at_their_scale(scale):
    weights = quadratic.init(KEY, 23, 400, scale)
    for layer, wanted in (("first", 1 / 46), ("second", 1 / 46), ("out", 1 / 400)):
        found, error = variance(getattr(weights, layer))
        assert found == pytest.approx(scale**2 * wanted, rel=error), layer
    assert not np.allclose(weights.first, weights.second)


@pytest.mark.parametrize(
    "network",
    [quadratic.network(5, 3), transformer.network(transformer.Shape(p=5, d=4, heads=2))],
    ids=["quadratic", "transformer"],
)
def test_a_network_is_one_function_of_its_weights_however_it_is_asked(network):
    weights = jax.jit(network.init)(KEY, 1.5)
    pairs = jnp.stack(jnp.divmod(jnp.arange(25), 5), axis=1)
    asked, every = network.apply(weights, pairs), network.table(weights)
    np.testing.assert_allclose(every.reshape(25, 5), asked, rtol=1e-12, atol=1e-13)
    rows = network.answers(weights)  # (p, N), N < p: logits are combinations of its columns
    assert rows.shape[0] == 5 > rows.shape[1]
    left = asked.T - rows @ np.linalg.lstsq(rows, asked.T)[0]
    np.testing.assert_allclose(left, 0, atol=1e-12)


def test_a_scale_that_is_not_asked_for_is_one():
    plain, asked = quadratic.init(KEY, 5, 3), quadratic.init(KEY, 5, 3, 1.0)
    jax.tree.map(np.testing.assert_array_equal, plain, asked)


def test_every_frequency_is_drawn_equally_often():
    p, width = 11, 4000
    weights = quadratic.random_phases(KEY, p, width)
    power = np.abs(np.fft.fft(np.asarray(weights.out), axis=0))[: (p + 1) // 2]
    counts = np.bincount(power.argmax(axis=0), minlength=6)
    assert counts[0] == 0
    assert np.all(np.abs(counts[1:] - width / 5) < 5 * (width / 5) ** 0.5)
    np.testing.assert_allclose(np.sort(power, axis=0)[-2], 0, atol=1e-9)  # one wave a neuron


def test_features_have_unit_norm_on_average():
    found, error = variance(gaussian_features.init(KEY, 150, 80))
    assert found == pytest.approx(1 / 150, rel=error)  # F of p rows N(0, I/p)
    theta = random_features.init(KEY, 150, 80)
    np.testing.assert_allclose(jnp.sum(theta**2, axis=1), 80.0, rtol=1e-12)
    assert np.abs(np.asarray(theta).mean()) < 5 / (150 * 80) ** 0.5


@pytest.mark.parametrize("activation", random_features.ACTIVATIONS)
def test_population_moments_are_those_of_very_many_rows(activation):
    """Lengths, products and overlaps with the target, by drawing rows."""
    d, p, draws = 5, 6, 40_000
    theta = random_features.init(KEY, p, d)
    x = sphere.rows(KEY, draws, d)
    phi = np.asarray(random_features.apply(theta, x, activation))
    target = np.asarray(1.2 * sphere.linear(x) + 0.7 * sphere.quadratic(x))
    law = random_features.population(
        theta, activation, signal=jnp.asarray(1.44), quadratic=jnp.asarray(0.49)
    )
    metric, on_target = np.asarray(law.metric), np.asarray(law.target)
    for found, left, right in (
        (metric.T @ metric, phi, phi),
        (metric.T @ on_target[:, None], phi, target[:, None]),
        (np.array([[on_target @ on_target]]), target[:, None], target[:, None]),
    ):
        mean = left.T @ right / draws
        error = np.sqrt(np.maximum((left**2).T @ right**2 / draws - mean**2, 0) / draws)
        assert np.all(np.abs(found - mean) < 5 * error + 1e-9)
    if activation == "relu":  # half of the mean square of an input, exactly
        np.testing.assert_allclose(np.diag(metric.T @ metric), 0.5 / p, rtol=1e-9)


@pytest.mark.parametrize("activation", random_features.ACTIVATIONS)
def test_an_activation_is_the_same_on_the_device_and_on_the_host(activation):
    t = np.linspace(-6.0, 6.0, 101)
    one = random_features.ACTIVATIONS[activation]
    np.testing.assert_allclose(one.device(jnp.asarray(t)), one.host(t), rtol=1e-10, atol=1e-14)
