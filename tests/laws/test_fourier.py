"""Fourier progress measures on networks whose waves are known, and against plain projections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.measure import fourier
from ci_theory.systems import quadratic
from ci_theory.tasks import modular

P = 11
PLACES = modular.places("add", P)


def place():
    return 2 * np.pi * PLACES[0] / P


def answered(weights):
    return quadratic.apply(weights, jnp.asarray(modular.table("add", P)[0]))


def test_a_network_of_waves_is_kept_whole_and_taken_whole():
    logits = answered(quadratic.cyclic(P, [2, 5]))
    waves = fourier.split(logits, *PLACES)
    np.testing.assert_allclose(waves.restricted, logits, atol=1e-12)
    np.testing.assert_allclose(waves.excluded, 0.0, atol=1e-12)
    assert np.flatnonzero(waves.key).tolist() == [1, 4]  # k = 2 and 5


def test_parts_are_the_projections_on_cosines_and_sines():
    rng = np.random.default_rng(0)
    wave = 3 * np.cos(2 * place() + 0.4) + 0.2 * np.cos(3 * place() - 1.0)
    logits = 1.5 + wave + 0.3 * rng.normal(size=(P * P, P))
    waves = fourier.split(jnp.asarray(logits), *PLACES, share=0.9)
    assert np.flatnonzero(waves.key).tolist() == [1]
    part = np.zeros_like(logits)
    for shape in (np.cos(2 * place()), np.sin(2 * place())):
        part += (logits * shape).sum() / (shape**2).sum() * shape
    np.testing.assert_allclose(waves.restricted, logits.mean() + part, rtol=1e-11)
    np.testing.assert_allclose(waves.excluded, logits - part, atol=1e-12)
    everything = fourier.split(jnp.asarray(logits), *PLACES, share=1.0)
    assert np.all(everything.key)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_fewest_frequencies_hold_the_share(share):
    logits = sum(a * np.cos(k * place()) for k, a in ((1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)))
    waves = fourier.split(jnp.asarray(logits), *PLACES, share=share)
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


@pytest.mark.parametrize("operation", modular.OPERATIONS)
@pytest.mark.parametrize("p", [5, 9])
def test_the_right_answer_is_where_the_circle_begins(operation, p):
    if operation == "divide" and p == 9:
        pytest.skip("division needs a prime")
    questions, answers = modular.table(operation, p)
    place, size = modular.places(operation, p)
    assert place.shape == (len(questions), p)
    right = place[np.arange(len(answers)), answers]
    assert set(right.tolist()) <= {0, -1}
    wrong = place[np.arange(p)[None, :] != answers[:, None]]
    assert size == 1 or not np.any(wrong == 0)
    on = place[place >= 0]
    assert len(set(np.bincount(on, minlength=size).tolist())) == 1  # every point equally often


def test_without_a_circle_there_are_no_waves():
    logits = jnp.asarray(np.random.default_rng(2).normal(size=(25, 5)))
    waves = fourier.split(logits, *modular.places("quadratic", 5))
    np.testing.assert_allclose(waves.restricted, jnp.mean(logits), rtol=1e-12)
    np.testing.assert_array_equal(waves.excluded, logits)


def test_entries_on_no_circle_belong_to_no_wave():
    """Multiplication: products of 0 are beside the circle of p - 1 points, of an even number."""
    place, size = modular.places("multiply", 7)
    on = place >= 0
    noise = np.random.default_rng(4).normal(size=place.shape)
    logits = np.where(on, 2 * (-1.0) ** place + np.cos(2 * np.pi * place / size), 5.0) + noise
    waves = fourier.split(jnp.asarray(logits), place, size, share=0.6)
    assert np.flatnonzero(waves.key).tolist() == [2]  # the wave that changes sign at each step
    wave = np.where(on, (-1.0) ** place, 0.0)
    part = np.sum(logits * wave) / np.sum(wave**2) * wave
    np.testing.assert_allclose(waves.restricted, logits.mean() + part, rtol=1e-11)
    np.testing.assert_allclose(waves.excluded, logits - part, atol=1e-12)


@pytest.mark.parametrize(("part", "keys"), [(0.92, 1), (0.88, 2)])
def test_nine_tenths_of_the_power_are_held_if_nothing_else_is_asked(part, keys):
    logits = part**0.5 * np.cos(2 * place()) + (1 - part) ** 0.5 * np.cos(3 * place())
    assert np.sum(fourier.split(jnp.asarray(logits), *PLACES).key) == keys
