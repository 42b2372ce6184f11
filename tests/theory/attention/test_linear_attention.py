"""Linear attention on few tasks: the paper's numbers, and the same fit as a mixture of blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory.theory.attention.linear_attention import (
    Contexts,
    Prompts,
    contexts,
    linear_attention,
)
from ci_theory.theory.inheritance.mixture import BlockMixture, BlockWeights, fit_block_mixture


def stacked(*kinds):
    return jax.tree.map(lambda *values: jnp.stack([jnp.asarray(v, float) for v in values]), *kinds)


def one_kind(tau, kappa, alpha, noise, ridge, kind=None):
    clean = contexts(alpha, noise, noise)
    kinds = stacked(clean if kind is None else kind)
    at = Prompts(counts=jnp.array([tau]), weights=jnp.ones(1), contexts=kinds, ridge=ridge * tau)
    return linear_attention(at, kappa, clean)


def paper(tau, kappa, alpha, noise, ridge, query_noise, sign):
    """Both errors with an equation for the ridge that is left, solved by bisection."""
    x = (1 + noise) / alpha

    def inverse(z):
        root = np.sqrt((z + 1 - 1 / kappa) ** 2 + 4 * z / kappa)
        slope = (1 + (z + 1 + 1 / kappa) / root) / 2
        return 2 / (z + 1 - 1 / kappa + root), slope

    def gap(log_xi):
        xi = np.exp(log_xi)
        return xi * inverse(x + xi)[0] - (1 - tau + tau * ridge / xi)

    xi = np.exp(brentq(gap, -60, 60, xtol=1e-14, rtol=1e-14))
    nu = x + xi
    m, slope = inverse(nu)
    dm = -(m**2) * slope
    t1, t2 = 1 - nu * m, 1 - 2 * nu * m - nu**2 * dm
    df2 = 1 - 2 * xi * m - xi**2 * dm
    own = query_noise + 1 - 2 * sign**2 * (1 - nu * t1) + sign**2 * (1 - nu * t1 - xi * t2)
    known = tau * own / (tau - df2)
    fresh = noise + 1 - 2 * sign * t1
    fresh = fresh + (1 + x) * (sign**2 * t2 + known / tau * (m + xi * dm))
    return known, fresh, 1 - df2 / tau, nu


@pytest.mark.parametrize(
    ("ridge", "wanted"),
    [
        (1e-3, [1.314, 1.612, 3.450, 13.26, 4.042, 1.402, 0.878]),
        (0.1, [1.302, 1.478, 1.740, 1.728, 1.590, 1.160, 0.854]),
    ],
)
def test_double_descent_in_the_number_of_prompts(ridge, wanted):
    taus = (0.25, 0.5, 0.8, 1.0, 1.2, 2.0, 5.0)
    found = [float(one_kind(tau, 2.0, 2.0, 0.25, ridge).fresh_error) for tau in taus]
    assert found == pytest.approx(wanted, abs=6e-3 if ridge < 0.01 else 6e-4)


@pytest.mark.parametrize(
    ("kappa", "fresh", "trained"),
    [(0.25, 0.799, 0.036), (0.5, 0.576, 0.059), (1.1, 0.210, 0.091), (10, 0.109, 0.106)],
)
def test_repeating_tasks_helps_on_them_and_costs_new_ones(kappa, fresh, trained):
    made = one_kind(20.0, kappa, 10.0, 0.01, 0.0)
    assert float(made.fresh_error) == pytest.approx(fresh, abs=6e-4)
    assert float(made.trained_error) == pytest.approx(trained, abs=6e-4)


@pytest.mark.parametrize(
    "point",
    [
        (0.5, 2.0, 2.0, 0.25, 0.1, 0.25, 1.0),
        (1.0, 2.0, 2.0, 0.25, 1e-3, 0.25, 1.0),
        (0.9, 1.0, 4.0, 0.2, 1e-3, 0.5, 0.6),
        (3.0, 0.3, 1.0, 1.0, 1e-6, 0.1, -0.2),
    ],
)
def test_one_kind_is_the_papers_result(point):
    tau, kappa, alpha, noise, ridge, query, sign = point
    made = one_kind(tau, kappa, alpha, noise, ridge, contexts(alpha, noise, query, (1 - sign) / 2))
    known, fresh, free, nu = paper(*point)
    assert int(made.status) == Status.OK
    assert float(made.free) == pytest.approx(free, rel=1e-9)
    assert float(made.nu) == pytest.approx(nu, rel=1e-11)
    assert float(made.held_out[0]) == pytest.approx(known, rel=1e-11)
    assert float(made.fresh_error) == pytest.approx(fresh, rel=1e-11)


def nodes(kappa, count=400):
    """Gauss nodes of the Marchenko-Pastur law, and the part that has no task."""
    c = 1 / kappa
    angle = np.arange(1, count + 1) * np.pi / (count + 1)
    v = 1 + c + 2 * np.sqrt(c) * np.cos(angle)
    weight = np.pi / (count + 1) * 4 * c * np.sin(angle) ** 2 / (2 * np.pi * c * v)
    return np.append(v, 0.0), np.append(weight, max(0.0, 1 - kappa))


@pytest.mark.parametrize(("kappa", "ridge"), [(2.0, 0.05), (0.4, 0.3)])
def test_several_kinds_are_a_mixture_of_blocks(kappa, ridge):
    """Every eigenvalue of the tasks a block, every kind of prompt a source with its target."""
    kinds = stacked(
        contexts(2.0, 0.25, 0.25, length=48),
        contexts(2.0, 0.25, 0.25, 0.3, length=48),
        contexts(0.7, 1.0, 0.1, flipped_tokens=0.2, length=17),
    )
    test = contexts(3.0, 0.1, 0.1, length=72)
    counts, copies = jnp.array([0.8, 0.3, 0.5]), jnp.array([1.0, 7.0, 2.0])
    made = linear_attention(
        Prompts(counts=counts, weights=copies, contexts=kinds, ridge=ridge), kappa, test
    )
    v, weight = nodes(kappa)
    a, b, g, label = (np.asarray(x)[:, None] for x in vars(kinds).values())
    seen = a * v + b
    target = g * v / seen
    noise = label[:, 0] - np.sum(weight * seen * target**2, axis=1)
    rows = BlockMixture(
        variances=seen,
        multiplicity=weight,
        targets=(np.sqrt(weight) * target)[:, :, None],
        counts=counts,
        weights=copies,
        noise=noise,
        ridge=ridge,
    )
    zero = BlockWeights(mean=jnp.zeros((len(v), 1)), spread=jnp.zeros(len(v)))
    wanted = fit_block_mixture(rows, zero)
    assert np.asarray(made.held_out) == pytest.approx(np.asarray(wanted.held_out), rel=1e-9)
    mean, spread = np.asarray(wanted.weights.mean)[:, 0], np.asarray(wanted.weights.spread)
    power = mean**2 + spread
    a, b, g, label = (float(x) for x in vars(test).values())
    assert float(made.trained_spread) == pytest.approx(np.sum((a * v + b) * spread), rel=1e-9)
    assert float(made.fresh_spread) == pytest.approx((a + b) * np.sum(spread), rel=1e-9)
    learned = v / (v + float(made.nu))
    np.testing.assert_allclose(mean, np.sqrt(weight) * float(made.strength) * learned, rtol=1e-9)
    assert float(made.traces.kept) == pytest.approx(weight @ learned, rel=1e-9)
    own = [
        label - 2 * g * np.sum(np.sqrt(weight) * v * mean) + np.sum((a * v + b) * mean**2)
        for a, b, g, label in zip(*(np.asarray(x) for x in vars(kinds).values()), strict=True)
    ]
    assert float(made.free) == pytest.approx(np.min(own / np.asarray(wanted.held_out)), rel=1e-9)
    trained = label - 2 * g * np.sum(np.sqrt(weight) * v * mean) + np.sum((a * v + b) * power)
    fresh = label - 2 * g * np.sum(np.sqrt(weight) * mean) + (a + b) * np.sum(power)
    assert float(made.trained_error) == pytest.approx(trained, rel=1e-9)
    assert float(made.fresh_error) == pytest.approx(fresh, rel=1e-9)


def test_a_kind_of_which_there_is_no_prompt_changes_nothing():
    clean, odd = contexts(2.0, 0.25, 0.25), contexts(0.7, 1.0, 0.1, flipped_tokens=0.2, length=17)
    alone = one_kind(1.4, 0.7, 2.0, 0.25, 0.1)
    counts, kinds = jnp.array([1.4, 0.0]), stacked(clean, odd)
    at = Prompts(counts=counts, weights=jnp.ones(2), contexts=kinds, ridge=0.14)
    beside = linear_attention(at, 0.7, clean)
    for one in ("trained_error", "fresh_error", "nu", "free"):
        assert float(getattr(beside, one)) == pytest.approx(float(getattr(alone, one)), rel=1e-12)
    held_out = np.asarray(beside.held_out)
    assert held_out[1] != pytest.approx(held_out[0], rel=0.1)  # it is told, and not counted


def test_limits():
    clean = contexts(2.0, 0.25, 0.25)
    endless = one_kind(2.0, jnp.inf, 2.0, 0.25, 0.1)
    assert float(endless.fresh_error) == pytest.approx(float(endless.trained_error), rel=1e-13)
    idle = one_kind(2.0, 2.0, 2.0, 0.25, 1e12)
    assert float(idle.fresh_error) == pytest.approx(1.25, rel=1e-10)
    assert float(idle.trained_error) == pytest.approx(1.25, rel=1e-10)
    blind = one_kind(2.0, 2.0, 2.0, 0.25, 0.1, contexts(2.0, 0.25, 0.25, 0.5))
    assert float(blind.strength) == 0
    # two halves of one kind are that kind
    whole = one_kind(1.4, 0.7, 2.0, 0.25, 0.1)
    halves = linear_attention(
        Prompts(
            counts=jnp.array([1.0, 0.4]),
            weights=jnp.ones(2),
            contexts=stacked(clean, clean),
            ridge=0.14,
        ),
        0.7,
        clean,
    )
    assert float(halves.fresh_error) == pytest.approx(float(whole.fresh_error), rel=1e-12)
    # prompts that all come r times are prompts once with a ridge r times smaller
    copies = linear_attention(
        Prompts(
            counts=jnp.array([1.4]), weights=jnp.array([5.0]), contexts=stacked(clean), ridge=0.7
        ),
        0.7,
        clean,
    )
    assert float(copies.fresh_error) == pytest.approx(float(whole.fresh_error), rel=1e-12)


def test_the_transition_at_as_many_tasks_as_dimensions():
    """Endless prompts, then endless contexts: the gap is 1 - kappa, and none above."""
    for kappa in (0.25, 0.5, 0.9, 1.1, 2.0):
        made = one_kind(1e12, kappa, 1e5, 0.01, 0.0)
        gap = float(made.fresh_error - made.trained_error)
        assert gap == pytest.approx(max(0.0, 1 - kappa), abs=3e-4)
    # the order matters: at alpha = tau = 1e5
    made = one_kind(1e5, 0.25, 1e5, 0.01, 0.0)
    assert float(made.fresh_error - made.trained_error) == pytest.approx(0.7574, abs=6e-5)


def test_statuses():
    assert int(one_kind(0.9, 2.0, 2.0, 0.25, 0.0).status) == Status.NOT_FINITE
    assert int(one_kind(1.1, 2.0, 2.0, 0.25, 0.0).status) == Status.OK
    assert int(one_kind(1.1, 2.0, 2.0, 0.25, -0.1).status) == Status.OUT_OF_SCOPE
    assert np.isnan(float(one_kind(0.9, 2.0, 2.0, 0.25, 0.0).fresh_error))
    assert int(one_kind(-0.1, 2.0, 2.0, 0.25, 0.1).status) == Status.OUT_OF_SCOPE
    kinds = stacked(contexts(2.0, 0.25, 0.25))
    at = Prompts(counts=jnp.ones(1), weights=-jnp.ones(1), contexts=kinds, ridge=jnp.ones(()))
    made = linear_attention(at, 2.0, contexts(2.0, 0.25, 0.25))
    assert int(made.status) == Status.OUT_OF_SCOPE
    assert np.isnan(made.trained_error)


def test_nothing_is_told_where_there_is_no_fit():
    made = one_kind(0.9, 2.0, 2.0, 0.25, 0.0)
    numbers = made._asdict()
    del numbers["status"], numbers["traces"]
    assert all(np.isnan(np.asarray(value)).all() for value in numbers.values())


def test_prompts_without_end_are_a_number():
    """Of weights 1 and no ridge; half of them flipped, as many as the others."""
    kinds = stacked(contexts(2.0, 0.25, 0.25), contexts(2.0, 0.25, 0.25, 0.2))

    def made(count):
        counts = jnp.array([count, 0.5])
        at = Prompts(counts=counts, weights=jnp.ones(2), contexts=kinds, ridge=jnp.zeros(()))
        return linear_attention(at, 0.7, contexts(2.0, 0.25, 0.25))

    endless, many = made(jnp.inf), made(1e9)
    assert int(endless.status) == Status.OK
    for name in ("trained_error", "fresh_error", "strength", "nu"):
        wanted = float(getattr(many, name))
        assert float(getattr(endless, name)) == pytest.approx(wanted, rel=1e-7), name
    assert abs(float(endless.trained_spread)) < 1e-12


def test_moments_of_contexts_are_those_of_drawn_ones():
    """Brute force in three dimensions: E h, E h h', with noise and flipped labels."""
    rng = np.random.default_rng(1)
    d, length, noise, flips, many = 3, 4, 0.5, 0.2, 400_000
    w = np.array([1.0, -1.0, 1.0])
    x = rng.standard_normal((many, length, d)) / np.sqrt(d)
    y = x @ w + np.sqrt(noise) * rng.standard_normal((many, length))
    y *= np.where(rng.random((many, length)) < flips, -1, 1)
    h = d / length * np.einsum("nl,nld->nd", y, x)
    made = contexts(length / d, noise, 0.0, 0.0, flips, length)
    second = float(made.signal) * np.outer(w, w) + float(made.spread) * np.eye(d)
    assert h.mean(axis=0) == pytest.approx(0.6 * w, abs=0.02)
    assert h.T @ h / many == pytest.approx(second, abs=0.03)
    assert float(made.aligned) == pytest.approx(0.6)
    assert isinstance(made, Contexts)
    # the query's label, a share of whose signs is wrong, with all of a context
    turned = contexts(length / d, noise, 0.7, 0.15, flips, length)
    query = rng.standard_normal((many, d)) / np.sqrt(d)
    answer = query @ w + np.sqrt(0.7) * rng.standard_normal(many)
    answer *= np.where(rng.random(many) < 0.15, -1, 1)
    seen = np.einsum("n,ni,nj->ij", answer, query, h) / many
    assert seen == pytest.approx(float(turned.aligned) * np.outer(w, w) / d, abs=0.02)
    assert np.mean(answer**2) == pytest.approx(float(turned.label), rel=0.02)
