"""The average over features: against draws of them, the Marchenko-Pastur law and its limits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory.theory.dynamics import averaged_sgd
from ci_theory.theory.dynamics.averaged_sgd import averaged_risk, inputs, rare_draw
from ci_theory.theory.dynamics.one_pass_sgd import Descent, one_pass_risk
from ci_theory.theory.spectra.spectrum import (
    from_features,
    isotropic,
    power_law,
    tail_as_modes,
    trace,
)

NODES, POINTS = 448, 5  # every test here pads to them: one program
_averaged = jax.jit(jax.vmap(averaged_risk, (None, 0, 0, 0, 0)))


def averaged(spectrum, width, at, noise, steps):
    """Evaluate at numbers or vectors of at most ``POINTS``."""
    short = NODES - len(spectrum.eigenvalues)
    pads = {"eigenvalues": 1.0, "multiplicity": 0.0, "power": 0.0}
    padded = {
        k: np.pad(getattr(spectrum, k), (0, short), constant_values=v) for k, v in pads.items()
    }
    size = max(np.size(v) for v in (width, *at, noise, steps))
    numbers = [np.broadcast_to(np.asarray(v, float), (size,)) for v in (width, *at, noise, steps)]
    width, *at, noise, steps = (np.pad(v, (0, POINTS - size), mode="edge") for v in numbers)
    found = _averaged(dataclasses.replace(spectrum, **padded), width, Descent(*at), noise, steps)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:size], found)


given = jax.jit(jax.vmap(one_pass_risk, (None, None, None, 0)))


def test_it_is_the_mean_over_draws_of_the_features():
    v, d, alpha, beta, draws, noise = 120, 60, 0.9, 0.6, 100, 0.2
    at, steps = Descent(0.012, 3.0, 5.0), jnp.array([3e1, 3e2, 3e3])
    rng, j = np.random.default_rng(2), np.arange(1, v + 1.0)
    found = []
    for _ in range(draws):
        w = rng.normal(size=(v, d)) / np.sqrt(d)
        rows = np.sqrt(v) * j[:, None] ** -alpha
        modes = from_features(rows * w, np.sqrt(v) * j ** -(alpha + beta))
        found.append(np.asarray(given(modes, at, noise, steps)))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(draws)
    told = averaged(inputs(v, alpha, beta), float(d), at, noise, steps)
    assert np.all(np.asarray(told.status) == Status.OK)
    gap = np.abs(mean - np.asarray(told.risk))
    assert np.all(gap < 4 * error + mean / d)
    assert np.all(error < 0.03 * mean)  # single draws scatter by 16 to 22 %
    assert (mean - np.asarray(told.flow))[-1] > 10 * (error + mean / d)[-1]  # not without noise


def test_a_tail_is_the_limit_of_many_small_modes():
    modes = power_law(30, 1.5)
    tailed = dataclasses.replace(modes, tail_trace=np.array(0.4), tail_power=np.array(0.25))
    at, steps = Descent(0.05, 2.0, 3.0), np.array([3.0, 100.0, 1e4])
    tail, many = (averaged(s, 40.0, at, 0.2, steps) for s in (tailed, tail_as_modes(tailed, 1e11)))
    assert np.all(tail.status == Status.OK)
    np.testing.assert_allclose(tail.risk, many.risk, rtol=1e-7)
    np.testing.assert_allclose(tail.flow, many.flow, rtol=1e-7)
    bare = averaged(modes, 40.0, at, 0.2, steps)
    assert np.all(tail.risk > bare.risk + 0.2)  # that it is seen


def marchenko_pastur(ratio, count=4000):
    """Nodes and weights of the spectrum of W'W, W of ratio c = v/d: midpoints in the angle."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    angle = np.pi * (np.arange(count) + 0.5) / count
    x = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(angle)
    density = np.sqrt((high - x) * (x - low)) / (2 * np.pi * x)
    return x, density * 0.5 * (high - low) * np.sin(angle) * np.pi / count  # sums to min(1, c)


@pytest.mark.parametrize("ratio", [0.5, 4.0])
def test_equal_inputs_follow_the_marchenko_pastur_law(ratio):
    d, rate, noise = 50.0, 0.002, 0.3
    v, at = ratio * d, Descent(rate, 2.0, 3.0)
    x, weight = marchenko_pastur(ratio)
    weight = weight * d
    steps = np.array([30.0, 200.0])
    told = averaged(isotropic(v), d, at, noise, jnp.array(steps))
    hidden = 1 - weight.sum() / v

    def flow(t):
        return hidden + np.exp(-np.multiply.outer(t, x)) @ weight / v

    np.testing.assert_allclose(told.flow, flow(2 * rate * 2 * steps), rtol=1e-9)
    share = rate * at.squares / (2 * at.rows)
    risks = []
    for cells in (200, 400):  # Volterra's equation by trapezoids, then Richardson
        t = np.linspace(0, 2 * rate * 2 * steps[-1], cells + 1)
        kernel = np.exp(-np.multiply.outer(t, x)) @ (weight * x**2) * share * t[1]
        force, risk = flow(t) + noise, np.zeros(cells + 1)
        risk[0] = force[0]
        for i in range(1, cells + 1):
            past = kernel[i] * risk[0] / 2 + kernel[i - 1 : 0 : -1] @ risk[1:i]
            risk[i] = (force[i] + past) / (1 - kernel[0] / 2)
        risks.append(risk[-1] - noise)
    best = (4 * risks[1] - risks[0]) / 3
    assert float(told.risk[-1]) == pytest.approx(best, rel=2e-6)


def test_infinitely_many_features_are_the_inputs_themselves():
    """Their difference is the step size: second order without sampling noise, first with it."""
    modes, times = power_law(60, 1.6, tail=False), np.array([50.0, 3000.0])
    errors = []
    for rate in (2e-3, 1e-3):
        at, steps = Descent(rate, 2.0, 2.0), jnp.array(times / rate)
        exact, told = given(modes, at, 0.1, steps), averaged(modes, np.inf, at, 0.1, steps)
        errors.append(np.asarray(told.risk / exact) - 1)
    assert np.all(np.abs(errors[1]) < 1e-3)
    np.testing.assert_allclose(errors[0] / errors[1], [4, 2], rtol=0.1)


@pytest.mark.parametrize(
    ("v", "alpha", "beta"), [(3e6, 0.3, 0.7), (3e6, 0.8, 0.2), (500, 1.0, 1.0)]
)
def test_sums_over_inputs(v, alpha, beta):
    made, j = inputs(v, alpha, beta), np.arange(1.0, v + 1)
    for kappa in (1e-2, 1e-4, 1e-7):
        x = j ** (-2 * alpha)
        degrees = np.sum(x / (x + kappa))
        missed = np.sum(x * j ** (-2 * beta) * kappa / (x + kappa))
        learned = made.eigenvalues / (made.eigenvalues + kappa)
        assert made.multiplicity @ learned == pytest.approx(degrees, rel=1e-10)
        assert made.power @ (1 - learned) == pytest.approx(missed, rel=1e-9)


def test_an_endless_spectrum_is_the_limit_of_long_ones():
    at, steps = Descent(0.1, 1.0, 1.0), jnp.array([1e6])
    endless, long = (averaged(inputs(v, 1.2, 0.8), 300.0, at, 0.0, steps) for v in (np.inf, 1e8))
    np.testing.assert_allclose(endless.risk, long.risk, rtol=1e-6)


def test_what_is_out_of_scope_is_told():
    modes = inputs(100.0, 1.0, 0.5)
    whole = float(trace(modes))
    rates = np.array([1.9 / whole, 2.1 / whole, 0.1, 0.1, -0.1])
    widths, noises = np.array([50.0, 50.0, -1.0, 50.0, 50.0]), np.array([0.0, 0, 0, -1, 0])
    found = averaged(modes, widths, Descent(rates, 1.0, 1.0), noises, 100.0)
    good = np.array([True, False, False, False, False])
    assert np.array_equal(np.asarray(found.status) == Status.OK, good)
    assert np.array_equal(np.isfinite(found.risk), good)
    for bad in ((100.0, 0.3, 0.2), (0.0, 1.0, 1.0), (10.0, -1.0, 2.0), (0.5, 1.0, 1.0)):
        with pytest.raises(BadInput, match="alpha"):
            inputs(*bad)
    with pytest.raises(BadInput, match="without an end"):
        inputs(np.inf, 0.4, 1.0)
    alone = inputs(1.0, 0.3, 1.2)
    assert float(trace(alone)) == pytest.approx(1, rel=1e-12)


def test_contours_that_disagree_are_told(monkeypatch):
    modes, at = inputs(100.0, 1.0, 0.5), Descent(0.1, 1.0, 1.0)
    bare = averaged_risk.__wrapped__.__wrapped__  # not compiled before
    good = averaged(modes, 50.0, at, 0.1, 100.0)
    assert 0 < float(good.residual[0]) < 1e-9
    monkeypatch.setattr(averaged_sgd, "CHECK", 8)
    found = bare(modes, 50.0, at, 0.1, 100.0)
    assert int(found.status) == Status.NOT_CONVERGED
    assert 1e-7 < float(found.residual) < 0.1
    assert float(found.risk) == pytest.approx(float(good.risk[0]), rel=1e-9)
    for width, steps in ((50.0, 0.0), (0.0, 100.0)):
        assert int(averaged(modes, width, at, 0.1, steps).status[0]) == Status.OUT_OF_SCOPE
    assert int(averaged(modes, 50.0, Descent(0.1, 0.0, 1.0), 0.1, 9.0).status[0]) == (
        Status.OUT_OF_SCOPE
    )


@pytest.mark.parametrize("width", [10, 40])
def test_rare_draws_are_bounded(width):
    """Some draws are beyond the bound of the mean norm, none of 3000 beyond 3 deviations."""
    modes, j = inputs(60.0, 0.7, 0.5), np.arange(1, 61.0)
    at, rng = Descent(0.02, 2.0, 3.0), np.random.default_rng(3)
    w = rng.normal(size=(3000, 60, width)) / np.sqrt(width)
    s = np.linalg.svd(j[:, None] ** -0.7 * w, compute_uv=False) ** 2
    fastest = 0.02 * 7 / 4 * s[:, 0]
    kernel = np.sum(0.02 * 3 * s / (4 - 0.02 * 7 * s), axis=1)
    mean, rare = (rare_draw(modes, width, at, t) for t in (0.0, 3.0))
    assert 0 < np.mean(fastest > float(mean.fastest)) < 0.2
    assert 0 < np.mean(kernel > float(mean.kernel)) < 0.5
    assert fastest.max() < float(rare.fastest) < 2.5 * fastest.max()
    assert kernel.max() < float(rare.kernel) < 2.5 * kernel.max()
    assert float(rare_draw(modes, width, Descent(1.0, 2.0, 3.0)).kernel) == np.inf
