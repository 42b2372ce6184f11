"""A rank-one matrix in noise against drawn matrices, direct traces and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.spectra.spiked import Spiked, outlier, resolvent, shape

SIZES = [(60, 24), (24, 60), (40, 40)]


def drawn(d, c, strength, noise, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(d, c)) * np.sqrt(noise)
    matrix[0, 0] += np.sqrt(strength)
    return matrix


@pytest.mark.parametrize(("d", "c"), SIZES)
def test_resolvent_is_that_of_drawn_matrices_to_next_order(d, c):
    strength, noise, k = 1.5, 0.02, 0.1
    found = resolvent(Spiked(rows=d, columns=c, strength=strength, noise=noise), k)
    values, noises = [], []
    for seed in range(400):
        matrix = drawn(d, c, strength, noise, seed)
        alone = matrix - drawn(d, c, strength, 0.0)
        noises.append(np.trace(np.linalg.inv(alone @ alone.T + k * np.eye(d))))
        inverse = np.linalg.inv(matrix @ matrix.T + k * np.eye(d))
        square = inverse @ inverse
        values.append([np.trace(inverse), inverse[0, 0], -np.trace(square), -square[0, 0]])
    mean, error = np.mean(values, axis=0), np.std(values, axis=0) / 20
    trace, along, trace_slope, along_slope = (float(v) for v in found[:4])
    noise_error = np.std(noises) / 20
    assert abs(d * float(found.bulk) - np.mean(noises)) > 5 * noise_error  # the next order shows
    for i, value in enumerate((trace, along, trace_slope, along_slope)):
        relative = 2 / (d * c) if i in (0, 2) else 2 / min(d, c)
        assert abs(mean[i] - value) < 4 * error[i] + relative * abs(value), i


@pytest.mark.parametrize("k", [1e-6, 0.3, 40.0])
@pytest.mark.parametrize(("d", "c"), SIZES)
def test_slopes_and_the_equation_of_the_bulk(d, c, k):
    spiked = Spiked(rows=d, columns=c, strength=0.7, noise=0.03)
    found = resolvent(spiked, k)
    g = float(found.bulk)
    assert float(found.response) == pytest.approx(d * 0.03 * g, rel=1e-14)
    parts = [k * d * 0.03 * g**2, k * g, (c - d) * 0.03 * g, -1.0]
    assert sum(parts) == pytest.approx(0, abs=1e-12 * max(map(abs, parts)))
    step = 1e-5 * k
    up, down = resolvent(spiked, k + step), resolvent(spiked, k - step)
    slope = float(up.trace - down.trace) / (2 * step)
    assert float(found.trace_slope) == pytest.approx(slope, rel=1e-4)
    slope = float(up.along - down.along) / (2 * step)
    assert float(found.along_slope) == pytest.approx(slope, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(("d", "c"), SIZES)
def test_outlier_and_the_sides_of_its_overlaps(d, c):
    strength, noise = 2.0, 0.01
    found = outlier(Spiked(rows=d, columns=c, strength=strength, noise=noise))
    values = []
    for seed in range(300):
        left, size, right = np.linalg.svd(drawn(d, c, strength, noise, seed), full_matrices=False)
        values.append([size[0], left[0, 0] ** 2, right[0, 0] ** 2])
    mean, error = np.mean(values, axis=0), np.std(values, axis=0) / np.sqrt(300)
    told = [float(found.value), float(found.row_overlap), float(found.column_overlap)]
    assert np.all(np.abs(mean - told) < 4 * error + 0.01 * np.array(told))
    if d != c:
        assert abs(told[1] - told[2]) > 20 * error[1]


def test_threshold_is_where_overlaps_vanish_and_the_value_meets_the_edge():
    d, c, noise = 90.0, 30.0, 0.02
    threshold = noise * np.sqrt(d * c)

    def at(strength):
        return outlier(Spiked(rows=d, columns=c, strength=strength, noise=noise))

    below, above = at(threshold * (1 - 1e-9)), at(threshold * (1 + 1e-9))
    assert not bool(below.visible)
    assert bool(above.visible)
    edge = np.sqrt(noise) * (np.sqrt(d) + np.sqrt(c))
    assert float(below.value) == pytest.approx(edge, rel=1e-12)
    assert float(above.value) == pytest.approx(edge, rel=1e-7)
    assert float(above.row_overlap) == pytest.approx(0, abs=1e-7)
    assert float(above.column_overlap) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize(("d", "c"), SIZES)
def test_shape_is_that_of_drawn_matrices(d, c, strength):
    noise = 0.01
    found = shape(Spiked(rows=d, columns=c, strength=strength, noise=noise))
    values = []
    for seed in range(300):
        size = np.linalg.svd(drawn(d, c, strength, noise, seed), compute_uv=False)
        share = size / size.sum()
        values.append([-np.sum(share * np.log(share)), -np.log(share[0]), size.sum()])
    mean, error = np.mean(values, axis=0), np.std(values, axis=0) / np.sqrt(300)
    told = [float(found.entropy), float(found.largest), float(found.total)]
    slack = np.array([3e-3, 3e-3 if strength else 0.08, 3e-3]) * told  # an edge fluctuates
    assert np.all(np.abs(mean - told) < 4 * error + slack)


def test_without_noise_all_is_exact():
    spiked = Spiked(rows=7.0, columns=3.0, strength=2.0, noise=0.0)
    found, k = resolvent(spiked, 0.5), 0.5
    assert float(found.trace) == pytest.approx(6 / k + 1 / (k + 2), rel=1e-14)
    assert float(found.trace_slope) == pytest.approx(-6 / k**2 - 1 / (k + 2) ** 2, rel=1e-14)
    assert float(outlier(spiked).value) == pytest.approx(np.sqrt(2), rel=1e-14)
    assert float(outlier(spiked).row_overlap) == 1
    assert [float(v) for v in shape(spiked)[:2]] == [0, 0]


def test_forms_are_differentiable_where_there_is_no_noise():
    def trace(noise):
        spiked = Spiked(rows=9.0, columns=4.0, strength=2.0, noise=noise)
        return resolvent(spiked, 0.5).trace_slope

    assert np.isfinite(jax.grad(trace)(jnp.zeros(())))
