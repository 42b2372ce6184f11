"""Exact networks for modular addition, and the pair error of random phases."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.special import j0

from ci_theory import BadInput
from ci_theory.systems import quadratic
from ci_theory.theory.discrete import modular_addition
from ci_theory.theory.discrete.modular_addition import accuracy_bound, cancels, margin, pair_error


def answers(p):
    return np.add.outer(np.arange(p), np.arange(p)) % p


def margins(logits, p):
    """Right logit less the best wrong one, of every question."""
    right = np.take_along_axis(logits, answers(p)[..., None], axis=-1)[..., 0]
    wrong = np.where(np.arange(p) == answers(p)[..., None], -np.inf, logits)
    return right - wrong.max(axis=-1)


@pytest.mark.parametrize(("p", "k"), [(11, [3]), (23, [5]), (23, range(1, 12)), (97, [1, 30, 7])])
def test_cyclic_phases_are_exact_with_the_margin_told(p, k):
    logits = np.asarray(quadratic.table(quadratic.cyclic(p, k)))
    told = 3 * sum(np.cos(2 * np.pi * j * (answers(p)[..., None] - np.arange(p)) / p) for j in k)
    np.testing.assert_allclose(logits, told, atol=1e-11)
    np.testing.assert_allclose(margins(logits, p), margin(p, k), rtol=0, atol=1e-10)
    assert margin(p, k) > 0
    assert margin(p, k, 12) == pytest.approx(2 * margin(p, k), rel=1e-14)


@pytest.mark.parametrize("neurons", [2, 3, 4, 5, 6, 7, 8])
def test_the_rule_for_phases_is_what_the_network_does(neurons):
    p, k = 13, [2]
    for step in range(neurons):
        logits = np.asarray(quadratic.table(quadratic.cyclic(p, k, neurons, step)))
        wave = np.cos(2 * np.pi * 2 * (answers(p)[..., None] - np.arange(p)) / p)
        exact = np.allclose(logits, neurons / 2 * wave, atol=1e-10)
        assert exact == cancels(neurons, step)


def test_all_frequencies_answer_one_hot_and_stay_put():
    """The loss is zero up to its constant, so gradients vanish: training does not move it."""
    p = 11
    weights = quadratic.cyclic(p, range(1, 6))
    target = jax.nn.one_hot(answers(p), p) - 1 / p

    def loss(w):
        return jnp.mean((quadratic.table(w) / (1.5 * p) - target) ** 2)

    assert float(loss(weights)) < 1e-28
    steepest = max(float(jnp.abs(g).max()) for g in jax.grad(loss)(weights))
    assert steepest < 1e-14
    moved = jax.tree.map(lambda w: w + 1e-3, weights)
    assert max(float(jnp.abs(g).max()) for g in jax.grad(loss)(moved)) > 1e-6


def test_pairs_and_table_agree():
    weights = quadratic.init(jax.random.key(0), 7, 10)
    pairs = jnp.array(list(itertools.product(range(7), repeat=2)))
    found = quadratic.apply(weights, pairs).reshape(7, 7, 7)
    np.testing.assert_allclose(found, quadratic.table(weights), rtol=1e-12)


def test_initial_weights_have_their_scale():
    weights = quadratic.init(jax.random.key(1), 50, 400, 2.0)
    for table, variance in zip(weights, (4 / 100, 4 / 100, 4 / 400), strict=True):
        assert float(jnp.var(table)) == pytest.approx(variance, rel=0.05)


# --- random phases ------------------------------------------------------------------------------


def test_pair_error_against_a_convolution_of_the_density():
    """Another route: bin the density of one neuron on a fine grid, and raise its transform."""
    p, width, step, bins, angles = 11, 32, 4e-3, 2**16, 1000
    u = 2 * np.pi * (np.arange(angles) + 0.5) / angles
    square = (np.cos(u)[:, None] + np.cos(u)[None, :]) ** 2
    total = u[:, None] + u[None, :]
    density = np.zeros(bins)
    for k in range(1, (p - 1) // 2 + 1):
        g = (square * (np.cos(total - 2 * np.pi * k / p) - np.cos(total))).ravel() / step
        low = np.floor(g).astype(int)  # shared between two bins, so that the mean stays
        for at, share in ((low, 1 - (g - low)), (low + 1, g - low)):
            density += np.bincount(at % bins, share, bins)
    law = np.fft.irfft(np.fft.rfft(density / density.sum()) ** width, bins)
    told = law[1 : bins // 2].sum() + law[0] / 2
    found = pair_error(p, width)
    assert found.value == pytest.approx(told, rel=1e-4)
    assert found.error < 1e-12


def test_one_neuron_has_the_characteristic_function_of_the_bessel_form():
    """The average over the difference of angles, at 30 digits, against the plain double mean."""
    theta, t = 2 * mp.pi * 3 / 11, mp.mpf("0.7")
    n = 96  # periodic and smooth: the trapezoid rule converges geometrically
    u = [2 * mp.pi * i / n for i in range(n)]
    plain = (
        mp.fsum(
            mp.expjpi(
                t * (mp.cos(a) + mp.cos(b)) ** 2 * (mp.cos(a + b - theta) - mp.cos(a + b)) / mp.pi
            )
            for a in u
            for b in u
        )
        / n**2
    )
    half = [t * (1 + mp.cos(s)) * (mp.cos(s - theta) - mp.cos(s)) for s in u]
    bessel = mp.fsum(mp.expj(h) * mp.besselj(0, h) for h in half) / n
    assert abs(plain - bessel) < mp.mpf(10) ** -13


@pytest.mark.parametrize(("p", "width"), [(3, 24), (7, 24), (11, 60)])
def test_pair_error_is_as_exact_as_it_says(p, width):
    """The inversion as a sum: exact for a law on less than half a period of its lattice."""
    s = 2 * np.pi * (np.arange(400) + 0.5) / 400
    theta = 2 * np.pi * np.arange(1, (p - 1) // 2 + 1) / p
    half = ((1 + np.cos(s)) * (np.cos(s - theta[:, None]) - np.cos(s))).ravel()
    told, k, step = 0.5, 0, np.pi / (16 * width)  # a neuron adds 8 at most
    while True:
        phase = (k + 0.5) * step * half
        power = np.mean(np.exp(1j * phase) * j0(phase)) ** width
        if abs(power) < 1e-25:
            break
        told, k = told + power.imag / (np.pi * (k + 0.5)), k + 1
    found = pair_error(p, width)
    assert abs(found.value - told) < 1e-13 + found.error < 1e-12


def test_the_error_told_is_how_far_two_resolutions_are_apart(monkeypatch):
    monkeypatch.setattr(modular_addition, "_inverted", lambda p, width, angles: 1 / angles)
    found = pair_error(23, 64)
    assert 1 / found.value > 64  # the finer one is the value
    assert found.error == pytest.approx(1 / 64 - found.value, rel=1e-9)


def test_pair_error_and_bound_against_networks():
    p, width, networks = 23, 64, 400

    @jax.jit
    @jax.vmap
    def wrong(key):
        logits = quadratic.table(quadratic.random_phases(key, p, width))
        right = answers(p)
        own = jnp.take_along_axis(logits, right[..., None], axis=-1)
        beaten = jnp.sum(logits > own) / (p**2 * (p - 1))
        return beaten, jnp.mean(jnp.argmax(logits, axis=-1) == right)

    pairs, accuracy = (np.asarray(a) for a in wrong(jax.random.split(jax.random.key(5), networks)))
    error = pairs.std() / networks**0.5
    assert abs(pairs.mean() - pair_error(p, width).value) < 4 * error
    assert error < 0.15 * pairs.mean()
    spread = accuracy.std() / networks**0.5
    bound = accuracy_bound(p, width)
    assert bound - 4 * spread < accuracy.mean() < bound + 0.003 + 4 * spread


def test_wider_networks_are_surer():
    values = [pair_error(23, width).value for width in (24, 48, 96, 192)]
    assert all(b < a / 2 for a, b in itertools.pairwise(values))
    assert accuracy_bound(97, 24) == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pair_error(15, 64), "odd prime"),
        (lambda: pair_error(2, 64), "odd prime"),
        (lambda: pair_error(1, 64), "odd prime"),
        (lambda: pair_error(49, 64), "odd prime"),
        (lambda: pair_error(23, 23), ">= 24"),
        (lambda: margin(11, []), "1..5"),
        (lambda: margin(11, [6]), "1..5"),
        (lambda: margin(11, [0]), "1..5"),
        (lambda: margin(11, [1, 2.5]), "1..5"),
    ],
)
def test_bad_input_is_told(call, words):
    with pytest.raises(BadInput, match=words):
        call()
