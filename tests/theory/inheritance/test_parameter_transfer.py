"""Frozen weights against the published finite-size form for any target, and their limits."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.inheritance.parameter_transfer import (
    CoordinateStage,
    Task,
    exact_partial,
    inherited_error,
    parameter_transfer,
    partial_fit,
)

D = 40
POWER, DIFFERENCE, NOISE = 0.9, 0.2, 0.3


def published(target, per_coordinate, noise, p, n, frozen):
    """Mean squared error of frozen weights, Dar and Baraniuk 2020, for coordinates 0..frozen-1.

    ``per_coordinate`` is the variance of the difference of the targets on each coordinate.
    """
    squares = target**2 + per_coordinate
    outside = noise + np.sum(squares[p:])
    taken = squares[:frozen]
    if p <= n - 2:
        return frozen * (per_coordinate + outside / (n - p - 1))
    r = n / p
    own = n * (n + 2) / (p * (p + 2))
    other = n * (p - n) / (p * (p + 2) * (p - 1))
    mixed = np.sum(np.sum(squares[:p]) - taken)
    kept = (1 - 2 * r) * np.sum(target[:frozen] ** 2) + own * taken.sum() + other * mixed
    return kept + frozen * outside * n / (p * (p - n - 1))


def upstream(p, difference=DIFFERENCE):
    power = POWER + difference
    return Task(power * p / D, NOISE + power * (1 - p / D))


@pytest.mark.parametrize(("p", "n"), [(6, 20), (20, 6), (39, 20), (12, 14), (40, 90)])
def test_the_exact_form_is_the_published_one_for_an_even_target(p, n):
    even = np.full(D, np.sqrt(POWER / D))
    frozen = 5
    found = inherited_error(exact_partial(p, n, upstream(p)), frozen / p, DIFFERENCE * p / D)
    wanted = published(even, DIFFERENCE / D, NOISE, p, n, frozen)
    assert float(found) == pytest.approx(wanted, rel=1e-12)


def test_the_limit_is_approached_as_its_next_order_says():
    gaps = []
    for scale in (1, 4):
        for p, n in ((60 * scale, 100 * scale), (100 * scale, 60 * scale)):
            task = Task(0.4, 0.7)
            limit, exact = partial_fit(p, n, 0.0, task), exact_partial(p, n, task)
            shift = float(limit.risk.signal_shift + limit.risk.noise_shift)
            gaps.append((float(exact.excess - limit.excess), shift))
            assert float(limit.learned) == pytest.approx(float(exact.learned), rel=1e-12)
    for gap, shift in gaps:
        assert shift == pytest.approx(gap, rel=0.15)
    for near, far in zip(gaps[:2], gaps[2:], strict=True):
        assert abs(far[0] - far[1]) < 0.1 * abs(near[0] - near[1])  # second order: 16 times less


def test_where_the_mean_is_infinite_nothing_is_said():
    assert int(exact_partial(20, 21, upstream(20)).status) == Status.OUT_OF_SCOPE
    assert int(partial_fit(20, 20, 0.0, upstream(20)).status) == Status.NOT_FINITE
    for p in (30, 49, 98):  # in which 1/p is not a whole number of steps
        assert int(partial_fit(p, p, 0.0, Task(0.5, 0.2)).status) == Status.NOT_FINITE


def test_limits_of_what_is_inherited():
    share, apart = 0.5, DIFFERENCE * 0.5
    many = exact_partial(20, 10**9, upstream(20))
    assert float(inherited_error(many, share, apart)) == pytest.approx(share * apart, rel=1e-6)
    heavy = partial_fit(20, 30, 1e12, upstream(20))
    assert float(inherited_error(heavy, share, apart)) == pytest.approx(
        share * POWER * 0.5, rel=1e-9
    )


def test_the_peak_of_the_frozen_weights_is_where_upstream_interpolates():
    sizes = jnp.arange(4, 39)
    found = [
        float(inherited_error(partial_fit(p, 20, 1e-4, upstream(p)), 4 / p, DIFFERENCE * p / D))
        for p in sizes.tolist()
    ]
    assert int(sizes[int(np.argmax(found))]) == 20


def test_what_is_not_fitted_acts_as_label_noise():
    """Least squares with many rows: misfit and noise enter by p/(n - p - 1), upstream and down."""
    up, down = CoordinateStage(30.0, 400.0, 0.0, 0.3), CoordinateStage(20.0, 300.0, 0.0, 0.2)
    d, frozen, signal, difference = 100.0, 10.0, 2.0, 0.5
    made = parameter_transfer(up, down, d, frozen, signal, difference, exact=True)
    outside = 0.3 + (signal + difference) * (1 - 30 / d)
    assert float(made.outside) == pytest.approx(outside)
    weights = outside * 30 / (400 - 30 - 1)  # excess risk upstream
    inherited = frozen / 30 * (weights + difference * 30 / d)
    assert float(made.inherited) == pytest.approx(inherited)
    assert float(made.up.excess) == pytest.approx(weights)
    assert float(made.own.risk.noise) == pytest.approx(20 / (300 - 20 - 1))  # of unit noise
    assert float(made.noise) == pytest.approx(0.2 + signal * (1 - (frozen + 20) / d))
    assert float(made.passed_on) == pytest.approx(1 + 20 / (300 - 20 - 1))
    assert int(made.status) == Status.OK
    noise = 0.2 + signal * (1 - (frozen + 20) / d) + inherited
    wanted = noise * (1 + 20 / (300 - 20 - 1))
    assert float(made.error(made.inherited)) == pytest.approx(wanted)
    limit = parameter_transfer(up, down, d, frozen, signal, difference)
    assert float(limit.own.risk.noise) == pytest.approx(20 / (300 - 20))


@pytest.mark.parametrize("up_rows", [30.0, 60.0])
@pytest.mark.parametrize("down_rows", [20.0, 60.0])
def test_either_fit_without_a_mean_is_told(up_rows, down_rows):
    up, down = CoordinateStage(30.0, up_rows, 0.0, 0.3), CoordinateStage(20.0, down_rows, 0.0, 0.2)
    lost = up_rows == 30 or down_rows == 20
    for exact, status in ((True, Status.OUT_OF_SCOPE), (False, Status.NOT_FINITE)):
        made = parameter_transfer(up, down, 100.0, 10.0, 2.0, 0.5, exact=exact)
        assert int(made.status) == (status if lost else Status.OK)


def test_each_fit_has_its_own_ridge():
    up, down = CoordinateStage(30.0, 80.0, 9.0, 0.3), CoordinateStage(20.0, 60.0, 2.0, 0.2)
    made = parameter_transfer(up, down, 100.0, 10.0, 2.0, 0.5)
    first = partial_fit(30.0, 80.0, 9.0, Task(2.5 * 0.3, 0.3 + 2.5 * 0.7))
    own = partial_fit(20.0, 60.0, 2.0, Task(2.0 * 0.2, 1.0))
    assert float(made.up.excess) == pytest.approx(float(first.excess), rel=1e-12)
    assert float(made.own.excess) == pytest.approx(float(own.excess), rel=1e-12)
    wanted = inherited_error(first, 10 / 30, 0.5 * 0.3)
    assert float(made.inherited) == pytest.approx(float(wanted), rel=1e-12)
