"""How near a quadratic network is to the exact one: of networks whose distance is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.measure.construction import construction
from ci_theory.systems import quadratic

P = 11


def test_an_exact_network_with_all_frequencies_has_one_hot_logits():
    """Six neurons a frequency give 3 cos: summed over all frequencies 3 p/2 times one-hot."""
    found = construction(quadratic.cyclic(P, range(1, 6)))
    assert float(found.waves) < 1e-12
    assert float(found.one_hot) < 1e-12
    assert float(found.scale) == pytest.approx(3 * P / 2, rel=1e-12)
    assert float(found.single) == pytest.approx(1, rel=1e-12)
    assert float(found.agreed) == pytest.approx(1, rel=1e-12)
    assert float(found.phase) < 1e-12


def test_fewer_frequencies_are_waves_but_not_one_hot():
    """Of K equal orthogonal waves the part along one-hot has the share K/(all of them)."""
    found = construction(quadratic.cyclic(P, [2, 5]))
    assert float(found.waves) < 1e-12
    assert float(found.one_hot) == pytest.approx(np.sqrt(1 - 2 / 5), rel=1e-12)
    assert float(found.scale) == pytest.approx(2 / 5 * 3 * P / 2, rel=1e-12)


@pytest.mark.parametrize("turn", [0.3, -1.1])
def test_answers_that_are_turned_are_seen_in_phase_and_in_function(turn):
    """cos(w(n + m - q) + turn) has its sine part beside the cosines; a common sign of two layers
    changes nothing."""
    exact = quadratic.cyclic(P, range(1, 6))
    waves, phases = np.repeat(np.arange(1, 6), 6), np.tile(np.arange(6), 5) * 2 * np.pi / 6
    answers = np.cos(2 * np.pi / P * np.arange(P)[:, None] * waves + 5 * phases - turn)
    turned = quadratic.Weights(-exact.first, -exact.second, jnp.asarray(answers))
    found = construction(turned)
    assert float(found.phase) == pytest.approx(abs(turn), rel=1e-9)
    assert float(found.waves) == pytest.approx(abs(np.sin(turn)), rel=1e-9)
    assert float(found.scale) == pytest.approx(3 * P / 2 * np.cos(turn), rel=1e-9)
    assert float(found.single) == pytest.approx(1, rel=1e-9)


def test_distances_are_those_of_a_fit_by_brute_force():
    """Least squares on all p^3 logits, with the regressors written out."""
    weights = quadratic.init(jax.random.key(1), P, 20)
    u, v, w = (np.asarray(layer) for layer in weights)
    logits = np.zeros((P, P, P))
    for n, m, q in np.ndindex(logits.shape):
        logits[n, m, q] = sum((u[n, j] + v[m, j]) ** 2 * w[q, j] for j in range(20))
    n, m, q = np.indices(logits.shape).reshape(3, -1)
    y = logits.ravel() - logits.mean()
    waves = np.stack([np.cos(2 * np.pi * k * (n + m - q) / P) for k in range(1, 6)], axis=1)
    hot = ((n + m - q) % P == 0) - 1 / P
    found = construction(weights)
    left = y - waves @ np.linalg.lstsq(waves, y, rcond=None)[0]
    assert float(found.waves) == pytest.approx(np.linalg.norm(left) / np.linalg.norm(y), rel=1e-9)
    scale = np.linalg.lstsq(hot[:, None], y, rcond=None)[0][0]
    assert float(found.scale) == pytest.approx(scale, rel=1e-9)
    left = np.linalg.norm(y - scale * hot) / np.linalg.norm(y)
    assert float(found.one_hot) == pytest.approx(left, rel=1e-9)


def test_neurons_of_two_frequencies_do_not_agree():
    """Half of the strength is in neurons whose answers have another frequency: half agree."""
    one, other = quadratic.cyclic(P, [1]), quadratic.cyclic(P, [3])
    first = jnp.concatenate([one.first, other.first], axis=1)
    second = jnp.concatenate([one.second, other.second], axis=1)
    out = jnp.concatenate([one.out, 2 * one.out], axis=1)  # a stronger layer counts for more
    found = construction(quadratic.Weights(first, second, out))
    assert float(found.agreed) == pytest.approx(1 / 3, rel=1e-9)
    assert float(found.single) == pytest.approx(1, rel=1e-9)
    for layer in ("first", "second", "out"):
        foreign = one._replace(**{layer: getattr(other, layer)})
        assert float(construction(foreign).agreed) == 0
    mixed = quadratic.Weights(one.first + other.first, one.second, one.out)
    assert float(construction(mixed).single) == pytest.approx((0.5 + 1 + 1) / 3, rel=1e-9)


def test_phases_are_those_of_the_neurons_that_agree_by_their_strength():
    """Three neurons with turned answers; the strongest of all has two frequencies."""
    angle = 2 * np.pi / P * np.arange(P)[:, None]
    waves, turns = np.array([1, 2, 3, 4]), np.array([0.2, -0.5, 1.0, 1.5])
    sizes = np.array([1.0, 2.0, 0.5, 7.0])
    layer = jnp.asarray(np.cos(angle * waves))
    answers = sizes * np.cos(angle * np.array([1, 2, 3, 5]) - turns)
    found = construction(quadratic.Weights(layer, layer, jnp.asarray(answers)))
    assert float(found.agreed) == pytest.approx(3.5 / 10.5, rel=1e-9)
    mean = np.average(turns[:3] ** 2, weights=sizes[:3])
    assert float(found.phase) == pytest.approx(np.sqrt(mean), rel=1e-9)
    apart = construction(
        quadratic.Weights(*(layer[:, 3:], layer[:, 3:], jnp.asarray(answers)[:, 3:]))
    )
    assert float(apart.agreed) == 0
    assert np.isnan(apart.phase)
