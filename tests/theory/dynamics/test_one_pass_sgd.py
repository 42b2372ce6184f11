"""One-pass SGD given its features: against the recursion, Volterra, 40 digits and literal SGD."""

import dataclasses

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.linalg

from ci_theory._errors import BadInput
from ci_theory.theory.dynamics.averaged_sgd import rare_draw
from ci_theory.theory.dynamics.one_pass_sgd import (
    Descent,
    given_features,
    largest_rate,
    one_pass_risk,
    recursion,
    stability,
)
from ci_theory.theory.spectra.spectrum import (
    Spectrum,
    explicit,
    from_features,
    isotropic,
    power_law,
)

RNG = np.random.default_rng(5)
NAMES = ("rate", "rows", "squares", "noise")
CASES = [(0.2, 1.0, 1.0, 0.0), (0.05, 6.0, 6.0, 0.3), (0.05, 6.0, 18.0, 0.3), (0.45, 1.0, 1.0, 0.1)]


def drawn(v=30, d=10, alpha=1.0, beta=0.4, rng=RNG):
    """Features W of power-law inputs: their modes, and what a simulation needs."""
    j = np.arange(1, v + 1.0)
    w = rng.normal(size=(v, d)) / np.sqrt(d)
    scale, target = j**-alpha, j**-beta
    return given_features(w, scale**2, target), w, scale, target


MODES, W, SCALE, TARGET = drawn()
at_many = jax.jit(jax.vmap(one_pass_risk, (None, None, None, 0)))


def volterra(modes, at, noise, steps):
    """P_r = F_r + sum_u K_(r-1-u) (P_u + noise), every sum written out."""
    s, power = modes.eigenvalues, modes.power
    q = (1 - at.rate * at.rows * s) ** 2 + at.rate**2 * at.squares * s**2
    risk = []
    for r in range(steps + 1):
        kernel = [at.rate**2 * at.squares * np.sum(s**2 * q ** (r - 1 - u)) for u in range(r)]
        past = sum(k * (p + noise) for k, p in zip(kernel, risk, strict=True))
        risk.append(np.sum(power * q**r) + modes.tail_power + past)
    return np.array(risk)


def test_given_features_are_the_eigenvectors_of_their_covariance():
    covariance = W.T @ np.diag(SCALE**2) @ W
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    learned = (vectors.T @ (W.T @ (SCALE**2 * TARGET))) ** 2 / values
    np.testing.assert_allclose(MODES.eigenvalues, values, rtol=1e-11)
    np.testing.assert_allclose(MODES.power, learned, rtol=1e-9, atol=1e-15)
    floor = np.sum(SCALE**2 * TARGET**2) - learned.sum()
    assert float(MODES.tail_power) == pytest.approx(floor, rel=1e-10)
    with pytest.raises(BadInput, match=r"expected \(v, d\), \(v,\) and \(v,\)"):
        given_features(W.T, SCALE**2, TARGET)
    for wrong in ((W, SCALE[1:] ** 2, TARGET), (W, SCALE**2, TARGET[1:]), (W[:, 0], SCALE, TARGET)):
        with pytest.raises(BadInput, match="expected"):
            given_features(*wrong)
    with pytest.raises(BadInput, match="must be >= 0"):
        given_features(W, -SCALE, TARGET)


@pytest.mark.parametrize("case", CASES)
def test_closed_form_is_the_recursion_is_volterra(case):
    at, noise = Descent(*case[:3]), case[3]
    steps = jnp.arange(61.0)
    closed = at_many(MODES, at, noise, steps)
    one_by_one = jax.jit(recursion, static_argnums=3)(MODES, at, noise, 60)
    np.testing.assert_allclose(closed, one_by_one, rtol=1e-12)
    np.testing.assert_allclose(closed, volterra(MODES, at, noise, 60), rtol=1e-12)


def literal(rate, weights, noise, steps, runs, rng):
    """SGD on rows that are there as often as ``weights`` say: mean risks and their errors."""
    v, d = W.shape
    theta = np.zeros((runs, d))
    found = []
    for r in range(max(steps) + 1):
        if r in steps:
            left = (TARGET - theta @ W.T) * SCALE
            risk = np.sum(left**2, axis=1)
            found.append((risk.mean(), risk.std() / np.sqrt(runs)))
        gradient = np.zeros_like(theta)
        for copies in weights:
            x = rng.normal(size=(runs, v)) * SCALE
            label = x @ TARGET + np.sqrt(noise) * rng.normal(size=runs)
            z = x @ W
            gradient += copies * (label - np.sum(theta * z, axis=1))[:, None] * z
        theta = theta + rate * gradient
    return np.array(found).T


@pytest.mark.parametrize(
    ("rate", "weights", "noise"),
    [(0.15, [1], 0.0), (0.06, [1, 1, 1], 0.5), (0.05, [3, 1], 0.5)],
)
def test_sgd_does_what_the_recursion_says(rate, weights, noise):
    steps = [0, 1, 4, 16]
    mean, error = literal(rate, weights, noise, steps, 12_000, np.random.default_rng(8))
    at = Descent(rate, float(sum(weights)), float(sum(c**2 for c in weights)))
    exact = at_many(MODES, at, noise, jnp.array(steps, float))
    assert abs(mean[0] - exact[0]) < 1e-12
    assert np.all(np.abs(mean - exact)[1:] < 4 * error[1:])
    # what the test could not miss: copies taken for fresh rows, noise left out
    wrong = at_many(MODES, at._replace(squares=at.rows), noise, jnp.array(steps, float))
    clean = at_many(MODES, at, 0.0, jnp.array(steps, float))
    if max(weights) > 1:
        assert abs(mean[-1] - wrong[-1]) > 6 * error[-1]
    if noise:
        assert abs(mean[-1] - clean[-1]) > 6 * error[-1]


@pytest.mark.parametrize("weights", [(1,), (1, 1), (2, 1)])
def test_one_feature_by_quadrature(weights):
    """theta -> theta (1 - g sum w z^2) + g sum w z e, averaged over z and e by quadrature."""
    g, s, noise = 0.2, 0.7, 0.4
    nodes, weight = np.polynomial.hermite_e.hermegauss(12)
    weight = weight / weight.sum()
    z = np.stack(np.meshgrid(*[nodes] * len(weights), indexing="ij"))
    chance = np.prod(np.stack(np.meshgrid(*[weight] * len(weights), indexing="ij")), axis=0)
    w = np.array(weights).reshape(-1, *[1] * len(weights))
    kept = np.sum(chance * (1 - g * s * np.sum(w * z**2, axis=0)) ** 2)
    added = g**2 * noise * s * np.sum(chance * np.sum((w * z) ** 2, axis=0))
    risk, expected = 1.3, [1.3]
    for _ in range(5):
        risk = kept * risk + s * added
        expected.append(risk)
    at = Descent(g, float(sum(weights)), float(sum(c**2 for c in weights)))
    one = isotropic(1, signal=1.3 / s, variance=s)
    np.testing.assert_allclose(at_many(one, at, noise, jnp.arange(6.0)), expected, rtol=1e-12)


def test_equal_modes_may_be_one_node():
    many = from_features(np.sqrt(12) * np.eye(12), np.sqrt(12) * np.full(12, 0.3))
    at, steps = Descent(0.05, 3.0, 5.0), jnp.array([1.0, 7.0, 300.0])
    alone = at_many(isotropic(12, signal=12 * 0.09), at, 0.2, steps)
    np.testing.assert_allclose(at_many(many, at, 0.2, steps), alone, rtol=1e-12)


def test_forty_digits():
    s = ["1", "0.21", "0.013", "0.0004", "0.00002"]
    power = ["0.5", "0.3", "0.2", "0.1", "0.05"]
    rate, noise, floor, steps = "0.3", "0.1", "0.02", 3000
    with mp.workdps(40):
        sm, pm = [mp.mpf(x) for x in s], [mp.mpf(x) for x in power]
        g, q2 = mp.mpf(rate), mp.mpf(rate) ** 2
        for _ in range(steps):
            risk = mp.fsum(pm) + mp.mpf(floor) + mp.mpf(noise)
            pm = [
                p * (1 - 2 * g * x + 2 * q2 * x**2) + q2 * x**2 * risk
                for p, x in zip(pm, sm, strict=True)
            ]
        expected = float(mp.fsum(pm) + mp.mpf(floor))
    modes = Spectrum(
        eigenvalues=np.array(s, float), multiplicity=np.ones(5), power=np.array(power, float),
        tail_trace=np.asarray(0.0), tail_power=np.asarray(float(floor)),
    )  # fmt: skip
    found = at_many(modes, Descent(0.3, 1.0, 1.0), 0.1, jnp.array([float(steps)]))
    np.testing.assert_allclose(found, [expected], rtol=2e-13)


@pytest.mark.parametrize(("rows", "squares"), [(1.0, 1.0), (4.0, 4.0), (4.0, 10.0)])
def test_the_edge_of_stability_is_where_the_transition_has_norm_one(rows, squares):
    s = MODES.eigenvalues
    rate = float(jax.jit(largest_rate)(MODES, rows, squares))

    def radius(rate):
        q = (1 - rate * rows * s) ** 2 + rate**2 * squares * s**2
        return max(
            abs(np.linalg.eigvals(np.diag(q) + rate**2 * squares * np.outer(s**2, 0 * s + 1)))
        )

    assert radius(rate) == pytest.approx(1, abs=1e-10)
    assert radius(0.9 * rate) < 1 < radius(1.1 * rate)
    told = [bool(stability(MODES, Descent(f * rate, rows, squares)).stable) for f in (0.99, 1.01)]
    assert told == [True, False]


def test_kernel_and_limit():
    at, noise = Descent(0.15, 2.0, 3.0), 0.25
    found = jax.jit(stability)(MODES, at, noise)
    s = MODES.eigenvalues
    q = (1 - at.rate * at.rows * s) ** 2 + at.rate**2 * at.squares * s**2
    summed = at.rate**2 * at.squares * sum(np.sum(s**2 * q**r) for r in range(20_000))
    assert float(found.kernel) == pytest.approx(summed, rel=1e-9)
    last = at_many(MODES, at, noise, jnp.array([1e7, 1e12]))
    np.testing.assert_allclose(last, float(found.limit), rtol=1e-9)
    edge = float(largest_rate(MODES, 2.0, 3.0))
    beyond = Descent(1.05 * edge, 2.0, 3.0)
    assert not bool(stability(MODES, beyond).stable)
    assert float(stability(MODES, beyond).limit) == np.inf
    risks = np.asarray(at_many(MODES, beyond, noise, jnp.array([1e2, 1e3, 1e4])))
    assert np.all(np.diff(np.log(risks)) > 0)


def _tailed(modes=None):
    """Few modes and a tail of infinitesimal ones; or ``modes`` equal small ones in its place."""
    return Spectrum(
        eigenvalues=np.array([1.0, 0.3, 0.4 / (modes or 1)]),
        multiplicity=np.array([3.0, 5.0, modes or 0.0]),
        power=np.array([0.5, 0.2, 0.25 if modes else 0.0]),
        tail_trace=np.asarray(0.0 if modes else 0.4),
        tail_power=np.asarray(0.0 if modes else 0.25),
    )


def test_a_tail_is_the_limit_of_many_small_modes():
    """In any finite time: infinitesimal modes are never learnt, and sample only for ever."""
    at, noise, steps = Descent(0.1, 2.0, 3.0), 0.2, jnp.array([0.0, 1.0, 30.0, 1e4])
    told, long = (at_many(_tailed(m), at, noise, steps) for m in (None, 1e11))
    np.testing.assert_allclose(told, long, rtol=1e-6)
    assert float(told[0]) == pytest.approx(0.5 + 0.2 + 0.25)
    tail, modes = (stability(_tailed(m), at, noise) for m in (None, 1e11))
    np.testing.assert_allclose(tail[:2], modes[:2], rtol=1e-6)
    # what infinitesimal modes keep alive for ever: gamma Q/2B of their variance
    bare = dataclasses.replace(_tailed(), tail_trace=np.asarray(0.0))
    assert float(tail.kernel - stability(bare, at, noise).kernel) == pytest.approx(
        0.1 * 3 / 4 * 0.4
    )
    edges = [float(largest_rate(_tailed(m), 2.0, 3.0)) for m in (None, 1e11)]
    assert edges[0] == pytest.approx(edges[1], rel=1e-6)
    assert edges[0] < 0.98 * float(largest_rate(bare, 2.0, 3.0))


def test_a_small_rate_is_gradient_flow():
    time = 30.0
    covariance = (W * (SCALE**2)[:, None]).T @ W
    inputs = SCALE**2 * TARGET
    best = np.linalg.solve(covariance, W.T @ inputs)
    theta = best - scipy.linalg.expm(-covariance * time) @ best
    flow = np.sum(((TARGET - W @ theta) * SCALE) ** 2)
    errors = []
    for rate in (1e-2, 5e-3):
        at = Descent(rate, 1.0, 1.0)
        (risk,) = at_many(MODES, at, 0.0, jnp.array([time / rate]))
        errors.append(float(risk) / flow - 1)
    assert 0 < errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)  # first order in the rate


def test_derivatives_exist():
    slope = jax.grad(lambda rate: one_pass_risk(MODES, Descent(rate, 2.0, 3.0), 0.1, 50.0))(0.05)
    two = at_many(MODES, Descent(0.05 + 1e-5, 2.0, 3.0), 0.1, jnp.array([50.0]))
    one = at_many(MODES, Descent(0.05 - 1e-5, 2.0, 3.0), 0.1, jnp.array([50.0]))
    assert float(slope) == pytest.approx(float((two - one)[0]) / 2e-5, rel=1e-6)


def test_a_node_of_no_modes_is_not_there():
    """Spectra are filled up with such nodes to one length; here of a far larger variance."""
    law = power_law(6, 1.5, tail=False)
    filled = dataclasses.replace(
        law,
        eigenvalues=np.append(law.eigenvalues, 50.0),
        multiplicity=np.append(law.multiplicity, 0.0),
        power=np.append(law.power, 0.0),
    )
    descent = Descent(0.05, 4.0, 4.0)
    for asked in (
        lambda of: one_pass_risk(of, descent, 0.1, 30.0),
        lambda of: stability(of, descent, 0.1),
        lambda of: largest_rate(of, 4.0, 4.0),
        lambda of: rare_draw(of, 20.0, descent),
    ):
        found, wanted = np.array(asked(filled)), np.array(asked(law))
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_inputs_that_never_vary_are_not_there():
    at = Descent(rate=0.1, rows=2.0, squares=2.0)
    some, more = explicit([1.0, 0.2], [1.0, 2.0]), explicit([1.0, 0.2, 0.0], [1.0, 2.0, 3.0])
    for steps in (0.0, 3.0, 50.0):
        found = float(one_pass_risk(more, at, 0.3, steps))
        assert found == pytest.approx(float(one_pass_risk(some, at, 0.3, steps)), rel=1e-13)
