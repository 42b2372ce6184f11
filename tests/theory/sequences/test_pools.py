"""Pools of chains known by heart: losses at any k against drawn pools, and the first orders."""

import itertools

import jax
import mpmath as mp
import numpy as np
import pytest

from ci_theory.theory.sequences.dirichlet import row_nodes
from ci_theory.theory.sequences.finite_pool import Pool, pool_losses
from ci_theory.theory.sequences.kinds import kinds
from ci_theory.theory.sequences.levels import counting_loss, known_loss
from ci_theory.theory.sequences.pool_order import (
    CATALAN,
    chain_overlap_law,
    crowding,
    first_order,
    further_orders,
    harmless_pool,
    next_order,
    overlaps,
    winning_pool,
)


@jax.jit
def both(pool, noise):
    made, rule = kinds(2, 6), row_nodes(2, 1.0, 20)
    return pool_losses(made, rule, pool, noise), overlaps(made, rule, noise)


def drawn(pool, noise, length, pools, seed):
    """Draw pools; sum over every sequence of two states: losses beside who counts, (pools, 2)."""
    rng = np.random.default_rng(seed)
    steps = []
    for rest in itertools.product((0, 1), repeat=length):
        counts = np.zeros((2, 2))
        for i, j in itertools.pairwise((0, *rest)):
            counts[i, j] += 1
        steps.append(counts.ravel())
    steps = np.array(steps)
    n = steps.reshape(-1, 2, 2)
    single = [np.prod([np.arange(1, c + 1).prod() for c in row]) for m in n for row in m]
    whole = [np.arange(1, row.sum() + 2).prod() for m in n for row in m]
    mean = (np.array(single) / np.array(whole)).reshape(-1, 2).prod(axis=1)
    copies = np.concatenate([np.ones(pool.once), np.full(pool.repeated, pool.repeats)])
    shares = copies / copies.sum()
    found = np.empty((pools, 2))
    for i in range(pools):
        stay = rng.random((len(copies), 2, 1))
        p = np.concatenate([stay, 1 - stay], axis=2).reshape(-1, 4)
        q = (1 - noise) * p + noise / 2
        true = shares @ np.exp(np.log(p) @ steps.T)
        score = np.log(shares @ np.exp(np.log(q) @ steps.T))
        # against counting on the same chains: its mean over pools is that over the prior
        found[i] = true @ (np.log(mean) - score), mean @ (np.log(mean) - score)
    return found


@pytest.mark.parametrize(
    ("pool", "noise", "pools"),
    [
        (Pool(12, 0, 1), 0.0, 4000),
        (Pool(12, 0, 1), 0.2, 4000),
        (Pool(8, 4, 6), 0.1, 4000),
        (Pool(4, 0, 1), 0.0, 8000),
        (Pool(0, 5, 3), 0.0, 8000),
    ],
)
def test_losses_at_any_k_are_those_of_drawn_pools(pool, noise, pools):
    made = np.asarray(both(Pool(*map(float, pool)), noise)[0])
    found = drawn(pool, noise, 6, pools, 1)
    error = found.std(axis=0, ddof=1) / pools**0.5
    assert np.all(error < 0.02 * np.abs(made).max())
    assert np.all(np.abs(found.mean(axis=0) - made) < 4 * error)


def test_all_copies_of_all_chains_are_no_copies():
    alike = np.asarray(both(Pool(0.0, 9.0, 7.0), 0.1)[0])
    assert alike == pytest.approx(np.asarray(both(Pool(9.0, 0.0, 1.0), 0.1)[0]), abs=1e-12)
    assert alike == pytest.approx(np.asarray(both(Pool(4.0, 5.0, 1.0), 0.1)[0]), abs=1e-12)


def test_chains_that_are_not_there_have_no_weight():
    """None that is repeated, however often it would be: in the losses, their orders, the rest."""
    plain, absent = Pool(40.0, 0.0, 1.0), Pool(40.0, 0.0, 7.0)
    exact, made = both(absent, 0.1)
    assert np.asarray(exact) == pytest.approx(np.asarray(both(plain, 0.1)[0]), abs=1e-12)
    for of in (first_order, next_order, crowding, further_orders):
        assert np.asarray(of(made, absent)) == pytest.approx(np.asarray(of(made, plain)), rel=1e-13)
    assert float(absent.total()) == 40


def test_shares_of_copies_are_those_of_a_list():
    pool = Pool(5.0, 3.0, 4.0)
    listed = np.repeat([1.0, 4.0], [5, 3]) / 17
    assert pool.total() == 17
    for power in (1, 2, 3):
        assert float(pool.shares(power)) == pytest.approx(np.sum(listed**power), rel=1e-14)


def test_a_pool_helps_by_less_than_its_name_and_no_more_than_the_chain():
    """Of what counting loses beside who knows the chain, all but ln k: to name one of k."""
    made = kinds(2, 6)
    price = 6 * float(counting_loss(made, 1.0) - known_loss(made, 1.0))
    for k in (4.0, 16.0, 64.0):
        trained, fresh = map(float, both(Pool(k, 0.0, 1.0), 0.0)[0])
        assert 0 < price + trained < min(price, np.log(k))
        assert fresh > -trained  # good for its own, at the cost of others


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_many_chains_need_two_orders(noise):
    """The error of the first order falls as 1/k^2, of two as 1/k^3."""
    left = []
    for k in (100.0, 200.0):
        pool = Pool(k / 2, k / 8, 4.0)
        exact, made = both(pool, noise)
        first, second = (np.asarray(f(made, pool)) for f in (first_order, next_order))
        left.append([np.asarray(exact) - first, np.asarray(exact) - first - second])
    ratio = np.abs(np.array(left[0]) / np.array(left[1]))
    assert np.all(ratio[0] > 3)
    assert np.all(ratio[1] > 6)
    assert np.all(np.abs(left[1][1]) < 0.1 * np.abs(left[1][0]))


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.4])
def test_further_orders_cover_what_two_leave_out(noise):
    """Alike, copied, and a few heavy chains among many."""
    parts = []
    for once, repeated, repeats in ((30, 0, 1), (200, 25, 8), (360, 2, 20), (1, 30, 8), (40, 1, 5)):
        pool = Pool(*map(float, (once, repeated, repeats)))
        exact, made = both(pool, noise)
        assert float(crowding(made, pool)) < 0.2
        told = [np.asarray(f(made, pool)) for f in (first_order, next_order, further_orders)]
        parts.append(np.abs(np.asarray(exact) - told[0] - told[1]) / told[2])
    assert np.max(parts) < 0.8
    assert np.all(np.max(parts, axis=0) > [0.02, 0.09])  # nor is it a bound of anything


def test_overlaps_are_means_over_all_sequences():
    """Three states, both rows of a chain drawn: moments from a fine grid of the simplex."""
    made = overlaps(kinds(3, 2), row_nodes(3, 1.0, 12), 0.3)
    grid = (np.arange(300) + 0.5) / 300
    a, b = np.meshgrid(grid, grid)
    inside = a + b < 1
    p = np.stack([a[inside], b[inside], 1 - a[inside] - b[inside]])
    q = 0.7 * p + 0.1

    def mean(counts, own, learnt):
        return np.prod(
            [np.mean(np.prod(p.T ** (own * c) * q.T ** (learnt * c), axis=1)) for c in counts]
        )

    found = np.zeros(3)
    for second, third in itertools.product(range(3), repeat=2):
        counts = np.zeros((3, 3))
        counts[0, second] += 1
        counts[second, third] += 1
        m, e = mean(counts, 1, 0), mean(counts, 0, 1)
        terms = np.log(m / e), mean(counts, 1, 1) / (m * e) - 1, mean(counts, 0, 2) / e**2 - 1
        found += m * np.array(terms)
    assert np.array([made.cost, made.own, made.square]) == pytest.approx(found, rel=0.02)


def test_overlaps_at_the_ends_of_noise():
    none, all_of_it = (overlaps(kinds(2, 6), row_nodes(2, 1.0, 20), noise) for noise in (0.0, 1.0))
    assert float(none.own) == pytest.approx(float(none.square), rel=1e-12)
    assert float(none.cost) == pytest.approx(0, abs=1e-14)
    assert np.isinf(float(winning_pool(none)))
    assert float(all_of_it.square) == pytest.approx(0, abs=1e-13)
    assert np.isinf(float(harmless_pool(all_of_it, 0.01)))


def test_breaks_solve_the_first_order():
    made = overlaps(kinds(3, 8), row_nodes(3, 1.0, 13), 0.05)
    at = float(winning_pool(made))
    assert float(first_order(made, Pool(at, 0.0, 1.0)).trained) == pytest.approx(0, abs=1e-14)
    level = 2 * float(made.cost)
    at = float(harmless_pool(made, level))
    assert float(first_order(made, Pool(at, 0.0, 1.0)).fresh) == pytest.approx(level, rel=1e-12)


def test_the_overlap_of_chains_grows_as_a_power():
    """Two states: Catalan's n/pi, checked as an integral; three: between its powers."""
    steps = (16, 32, 64)
    found = [float(overlaps(kinds(2, n), row_nodes(2, 1.0, 2 * n + 2)).square) for n in steps]
    slopes = np.diff(found) / np.diff(steps)
    law = float(chain_overlap_law(1.0))
    assert law == pytest.approx(CATALAN / np.pi)
    assert float(chain_overlap_law(64.0)) == pytest.approx(64 * law)
    assert abs(slopes[1] - law) < 0.6 * abs(slopes[0] - law) < 0.02 * law
    with mp.workdps(18):
        assert abs(mp.catalan - mp.mpf(CATALAN)) < 1e-16
        # p = 1 - x^2, r = 1 - y^2; the inner integral in closed form
        inner = lambda x: mp.atanh(1 / mp.sqrt(2 - x * x)) / mp.sqrt(2 - x * x)  # noqa: E731
        volume = 4 * mp.quad(inner, [0, 0.9, 0.999, 1])
        assert abs(volume - 4 * mp.catalan) < 1e-8


def test_one_chain_known_by_heart_is_the_price_of_the_chain():
    """E ln p = -1 for a uniform chance: on other chains every step costs a nat."""
    for length in (1, 3):
        made, rule = kinds(2, length), row_nodes(2, 1.0, 150)
        found = pool_losses(made, rule, Pool(1.0, 0.0, 1.0))
        counting, known = (float(of(made, 1.0)) for of in (counting_loss, known_loss))
        assert float(found.trained) == pytest.approx(length * (known - counting), abs=1e-8)
        assert float(found.fresh) == pytest.approx(length * (1 - counting), abs=1e-7)


def test_terms_of_either_sign_leave_the_same_room():
    made, pool = overlaps(kinds(2, 6), row_nodes(2, 1.0, 20), 0.1), Pool(40.0, 1.0, 5.0)
    for signs in itertools.product((1.0, -1.0), repeat=4):
        turned = made._replace(cubes=np.array(signs) * made.cubes)
        found = np.asarray(further_orders(turned, pool))
        assert found == pytest.approx(np.asarray(further_orders(made, pool)), rel=1e-13)


def test_no_pool_is_harmless_where_the_noise_alone_costs_the_level():
    made = overlaps(kinds(2, 6), row_nodes(2, 1.0, 20), 0.1)
    for level in (0.5 * made.cost, made.cost):
        assert np.isposinf(harmless_pool(made, level))
    assert np.isfinite(harmless_pool(made, 1.01 * made.cost))
