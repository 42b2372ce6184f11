"""Fourier progress measures on networks whose waves are known, and against plain projections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.measure import fourier
from ci_theory.systems import quadratic

P = 11


def place():
    n, m, q = np.ogrid[:P, :P, :P]
    return 2 * np.pi * ((n + m - q) % P) / P


def test_a_network_of_waves_is_kept_whole_and_taken_whole():
    logits = quadratic.table(quadratic.cyclic(P, [2, 5]))
    waves = fourier.split(logits)
    np.testing.assert_allclose(waves.restricted, logits, atol=1e-12)
    np.testing.assert_allclose(waves.excluded, 0.0, atol=1e-12)
    assert np.flatnonzero(waves.key).tolist() == [1, 4]  # k = 2 and 5


def test_parts_are_the_projections_on_cosines_and_sines():
    rng = np.random.default_rng(0)
    wave = 3 * np.cos(2 * place() + 0.4) + 0.2 * np.cos(3 * place() - 1.0)
    logits = 1.5 + wave + 0.3 * rng.normal(size=(P, P, P))
    waves = fourier.split(jnp.asarray(logits), share=0.9)
    assert np.flatnonzero(waves.key).tolist() == [1]
    part = np.zeros_like(logits)
    for shape in (np.cos(2 * place()), np.sin(2 * place())):
        part += (logits * shape).sum() / (shape**2).sum() * shape
    np.testing.assert_allclose(waves.restricted, logits.mean() + part, rtol=1e-11)
    np.testing.assert_allclose(waves.excluded, logits - part, atol=1e-12)
    everything = fourier.split(jnp.asarray(logits), share=1.0)
    assert np.all(everything.key)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_fewest_frequencies_hold_the_share(share):
    logits = sum(a * np.cos(k * place()) for k, a in ((1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)))
    waves = fourier.split(jnp.asarray(logits), share=share)
    power = np.asarray(waves.power)
    held = power[np.asarray(waves.key)]
    assert held.sum() >= share * power.sum() * (1 - 1e-12)
    assert held.sum() - held.min() < share * power.sum()


def test_participation_of_waves_of_noise_and_of_constants():
    weights = quadratic.random_phases(jax.random.key(0), 23, 40)
    assert float(fourier.participation(weights.first)) == pytest.approx(1.0, abs=1e-12)
    noise = jax.random.normal(jax.random.key(1), (97, 2000))
    # shares of K exponential variables: E sum s^2 = 2 / (K + 1), K = 48
    assert float(fourier.participation(noise)) == pytest.approx(2 / 49, rel=0.01)
    assert float(fourier.participation(jnp.ones((23, 3)))) == pytest.approx(0.0, abs=1e-12)
