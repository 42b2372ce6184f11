"""Next order of a probe on noisy features: known identities, drawn weights, drawn probes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from ci_theory.theory.representations.features_next_order import _beyond, next_probe, uneven_heads
from ci_theory.theory.representations.features_next_order import resolvent_shift as shift
from ci_theory.theory.representations.noisy_features import Features, Task, flipped_heads, probe
from ci_theory.theory.ridge.ridge_next_order import Sums, moved_mean, moved_risk, next_order
from ci_theory.theory.spectra.spectrum import isotropic
from ci_theory.theory.spectra.spiked import Spiked, resolvent


@pytest.mark.parametrize(("p", "n", "ridge"), [(20.0, 30.0, 4.0), (20.0, 8.0, 15.0)])
def test_what_a_mean_fit_misses_is_the_square_and_the_noise(p, n, ridge):
    """E r G = E r^2 G^2 + r E G X'X G, G the resolvent of isotropic rows: an identity."""
    near = next_order(isotropic(p, signal=1.0), n, ridge, 1.0)
    risk = float(ridge / p * near.noise + near.signal)
    assert 0 < risk < 1  # kappa/(1 + kappa), one share of every mode
    x = 1 - risk
    sums = Sums(*(jnp.asarray(v) for v in (n, p * x**2, p * x**3, p * x**4)))
    moved = moved_mean(sums, (jnp.asarray(x * risk), jnp.asarray(x**2 * risk)))
    told = near.signal_shift + ridge / p * near.noise_shift
    assert float(moved) == pytest.approx(float(told), rel=1e-10)
    again = moved_risk(sums, tuple(jnp.asarray(x**k * risk**2) for k in range(3)), 1.0)
    for name in ("signal", "noise", "signal_shift", "noise_shift", "left"):
        assert float(getattr(again, name)) == pytest.approx(float(getattr(near, name)), rel=1e-10)


def _weights(rng, draws, d, c, strength, noise, uneven):
    """Weights whose columns have noise of squared lengths of variance ``uneven``, (draws, d, c)."""
    length = 1 + uneven**0.5 * rng.choice([-1.0, 1.0], (draws, 1, c))
    weights = rng.normal(size=(draws, d, c)) * np.sqrt(noise * length)
    weights[:, 0] += np.sqrt(strength / c)
    return weights


def _drawn(d, c, strength, noise, uneven, k, draws):
    """T and A of weights, (draws, 2)."""
    weights = _weights(np.random.default_rng(11), draws, d, c, strength, noise, uneven)
    inverse = np.linalg.inv(weights @ weights.transpose(0, 2, 1) + k * np.eye(d))
    return np.stack([np.trace(inverse, axis1=1, axis2=2), inverse[:, 0, 0]], axis=1)


@pytest.mark.parametrize(
    ("d", "c", "strength", "uneven", "k"),
    [(10, 6, 1.0, 0.0, 0.3), (10, 16, 1.0, 0.5, 0.3), (6, 14, 2.0, 0.7, 0.2)],
)
def test_resolvent_of_drawn_weights_deviates_by_the_shift(d, c, strength, uneven, k):
    spiked = Spiked(rows=float(d), columns=float(c), strength=strength, noise=0.1)
    at = resolvent(spiked, k)
    limit = np.array([float(at.trace), float(at.along)])
    moved = np.array([float(v) for v in shift(spiked, k, uneven)])
    seen = _drawn(d, c, strength, 0.1, uneven, k, 30_000)
    gap, error = seen.mean(axis=0) - limit, seen.std(axis=0) / 30_000**0.5
    near = np.abs(gap - moved) < 4 * error + 0.25 * np.abs(moved)
    assert near[1]
    assert abs(gap[1]) > 8 * error[1]
    if uneven:  # else what is left of the trace is of a higher order
        assert near[0]
        assert abs(gap[0]) > 8 * error[0]


def test_flips_make_uneven_heads():
    """The length of a head's noise, in rows whose hat matrix is even."""
    rng = np.random.default_rng(2)
    n, d = 60, 20
    rows = np.linalg.qr(rng.normal(size=(n, d)))[0]
    leverage = np.sum(np.sum(rows**2, axis=1) ** 2) * n / d**2  # 1 where it is the same for all
    for flips in (0.04, 0.5):
        wrong = (rng.random((n, 60_000)) < flips) - flips
        length = np.sum((rows.T @ wrong) ** 2, axis=0) / (d * flips * (1 - flips))
        plain = 2 / d  # of Gaussian noise
        told = plain + float(uneven_heads(n, flips)) * leverage
        assert length.var() == pytest.approx(told, rel=0.04)
        assert abs(length.var() / plain - 1) > 0.2
    assert float(uneven_heads(n, 0.0)) == 0.0


def test_parts_are_those_of_the_probe_and_move_with_the_target():
    task = Task(n=60.0, ridge=1.2, noise=0.6, named=1.0, unnamed=0.4)
    features = flipped_heads(30.0, 24.0, 400.0, 0.1, 3.0)
    fitted = probe(features, task)
    made = next_probe(features, task, fitted, uneven_heads(400.0, 0.1))
    assert float(made.parts.sum()) == pytest.approx(float(fitted.excess), rel=1e-7)
    assert float(made.parts[0]) == pytest.approx(float(fitted.noise_part), rel=1e-7)
    assert float(made.learned) == pytest.approx(float(fitted.learned), rel=1e-7)
    # rows left downstream; upstream those of ridge regression on heads as rows, q = df2/rows
    assert float(made.free) == pytest.approx(60 - float(fitted.df2), rel=1e-12)
    pull = float(fitted.resolvent.response) / (1 + float(fitted.resolvent.response))
    used = 24 / 30 * pull**2
    assert float(made.left) == pytest.approx(30 * (1 - used), rel=1e-12)
    room = 1 / float(made.free) + np.sqrt(used / (30 * 24)) / (1 - used)
    assert float(made.room) == pytest.approx(room, rel=1e-12)
    # labels twice as large
    four = Task(n=60.0, ridge=1.2, noise=2.4, named=4.0, unnamed=1.6)
    more = next_probe(features, four, probe(features, four), uneven_heads(400.0, 0.1))
    for name, grown in (("parts", 4), ("shifts", 4), ("learned", 1), ("learned_shift", 1)):
        np.testing.assert_allclose(getattr(more, name), grown * getattr(made, name), rtol=1e-9)
    shifts, parts = made.elsewhere(0.4, -0.5)
    away = 0.4 * ((-0.5 - made.learned) ** 2 - (1 - made.learned) ** 2)
    assert float(parts.sum() - fitted.excess) == pytest.approx(float(away), rel=1e-6)
    assert float(shifts[2] - made.shifts[2]) == pytest.approx(0.4 * 3 * float(made.learned_shift))


def test_probe_on_drawn_features_deviates_by_the_next_order():
    """Few rows and large noise; the parts are of exact means given weights and rows."""
    d, c, n, ridge, draws, uneven = 16, 12, 28, 1.0, 12_000, 0.15
    spiked = Spiked(rows=float(d), columns=float(c), strength=2.0, noise=0.05)
    task = Task(n=float(n), ridge=ridge, noise=1.0, named=1.0, unnamed=1.0)
    features = Features(weights=spiked, overlap=1.0)
    made = jax.jit(lambda f: next_probe(f, task, probe(f, task), uneven))(features)
    rng = np.random.default_rng(4)
    weights = _weights(rng, draws, d, c, 2.0, 0.05, uneven)
    rows = rng.normal(size=(draws, n, d))
    seen = rows @ weights
    system = seen.transpose(0, 2, 1) @ seen + ridge * np.eye(c)
    solver = weights @ np.linalg.solve(system, seen.transpose(0, 2, 1))
    off = solver @ rows - np.eye(d)
    squares = np.sum(off**2, axis=1)
    values = np.stack(
        [
            np.sum(solver**2, axis=(1, 2)),
            squares[:, 0],
            squares[:, 1:].mean(axis=1),
            1 + np.trace(off[:, 1:, 1:], axis1=1, axis2=2) / (d - 1),
        ],
        axis=1,
    )
    limit = np.array([*made.parts, made.learned])
    moved = np.array([*made.shifts, made.learned_shift])
    gap, error = values.mean(axis=0) - limit, values.std(axis=0) / draws**0.5
    assert np.all(np.abs(gap - moved) < 3.5 * error + 0.15 * np.abs(moved))
    assert np.sum(np.abs(gap) > 5 * error) >= 2


def test_uneven_heads_move_the_effective_ridge_too():
    """The label noise's part, from a trace moved a little and the fixed point solved anew."""
    d, n, ridge = 16.0, 28.0, 1.0
    spiked = Spiked(rows=d, columns=12.0, strength=2.0, noise=0.05)
    task = Task(n=n, ridge=ridge, noise=1.0, named=1.0, unnamed=1.0)
    features = Features(weights=spiked, overlap=1.0)
    both = jax.jit(jax.vmap(lambda v: next_probe(features, task, probe(features, task), v)))
    made = both(jnp.array([0.0, 0.3]))
    at = jax.jit(
        lambda k: (resolvent(spiked, k).trace, *(shift(spiked, k, v)[0] for v in (0, 0.3)))
    )

    def trace(k, part):
        plain, *moved = (float(v) for v in at(k))
        return plain + part * (moved[1] - moved[0])

    def noise(part):
        k = optimize.brentq(lambda k: k * (n - d + k * trace(k, part)) - ridge, 1e-3, 1, xtol=1e-14)
        slope = (trace(k * 1.001, part) - trace(k * 0.999, part)) / (0.002 * k)
        df2 = d - 2 * k * trace(k, part) - k**2 * slope
        return df2 / n / (1 - df2 / n)

    told = float(made.shifts[1, 0] - made.shifts[0, 0])
    assert (noise(0.05) - noise(-0.05)) / 0.1 == pytest.approx(told, rel=1e-3)


def beyond_by_jax(weights, k, at, uneven, u):
    """``_beyond`` as its derivation has it: two terms, of which JAX takes the derivatives."""
    d, c, tau = weights.rows, weights.columns, weights.noise

    def apart(z, uneven):
        share = z[1] / (1 + z[1])
        pulled = k + u + z[0] + weights.strength * (1 + uneven * share**2) / (1 + z[1])
        return jnp.log(pulled / (k + z[0])) - c * uneven / 2 * share**2

    def loop(z):
        return jnp.log1p(-d * c * (tau / ((k + z[0]) * (1 + z[1]))) ** 2) / 2

    row, head = c * (tau / (1 + at.response)) ** 2, d * (tau * at.bulk) ** 2
    curved = jnp.array([[row, -tau], [-tau, head]])
    curved = curved / (1 - d * c * (tau * at.bulk / (1 + at.response)) ** 2)
    z = jnp.stack([c * tau / (1 + at.response), at.response])
    slope, bent = jax.grad(apart)(z, uneven), jax.hessian(apart)(z, uneven)
    pull = curved @ slope
    beside = apart(z, uneven) - apart(z, 0.0)
    return beside - slope @ pull / 2 + jnp.sum(curved * bent) / 2 - jax.grad(loop)(z) @ pull


def test_derivatives_by_hand_are_those_of_jax():
    """Of the terms of the next order: at any size of noise, signal, shift and unevenness."""
    random = np.random.default_rng(7)
    sizes = random.uniform(3, 200, (2, 50))
    strength, k = 10 ** random.uniform(-1, 1.5, 50), 10 ** random.uniform(-2, 1, 50)
    noise, uneven = 10 ** random.uniform(-4, 0, 50), random.uniform(-0.1, 0.5, 50)
    uneven[::5] = 0.0

    def at(function, rows, columns, strength, noise, k, uneven):
        weights = Spiked(rows=rows, columns=columns, strength=strength, noise=noise)
        one = partial(function, weights, k, resolvent(weights, k), uneven)
        return jnp.stack(jax.jvp(one, (0.0,), (1.0,)))

    given = (*sizes, strength, noise, k, uneven)
    ours, plain = (jax.jit(jax.vmap(partial(at, f)))(*given) for f in (_beyond, beyond_by_jax))
    np.testing.assert_allclose(ours, plain, rtol=1e-9)  # both are sums of larger terms
    assert np.all(np.abs(plain[:, 0]) > 0)
