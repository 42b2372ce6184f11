"""The clean worlds: spectra, targets and rows are what their documentation says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_gegenbauer, gammaln

from ci_theory._keys import key_for
from ci_theory.tasks import gaussian, mixture, modular, scales, sphere, written_prompts, zipf

KEY = key_for(1, 1, 2, 3)
DRAWS = 20_000


def test_named_spectra_of_gaussian_inputs():
    assert gaussian.variances("isotropic", 3).tolist() == [1, 1, 1]
    assert gaussian.variances("two_block", 5).tolist() == [1, 1, 1, 0.1, 0.1]
    assert gaussian.variances("two_block", 4).tolist() == [1, 1, 0.1, 0.1]
    np.testing.assert_allclose(gaussian.variances("power_law", 3, alpha=2.0), [1, 1 / 4, 1 / 9])
    np.testing.assert_allclose(gaussian.target(9), np.full(9, 1 / 3))


def test_rows_have_the_variances_asked_for():
    wanted = np.array([4.0, 1.0, 0.01])
    x = np.asarray(gaussian.rows(KEY, DRAWS, jnp.asarray(wanted)))
    np.testing.assert_allclose(x.var(axis=0), wanted, rtol=5 * (2 / DRAWS) ** 0.5)
    assert np.abs(np.corrcoef(x.T)[np.triu_indices(3, 1)]).max() < 5 / DRAWS**0.5


def test_inputs_of_several_scales():
    two = scales.variances("two_block", 5, slow_variance=0.2)
    np.testing.assert_allclose(two, [1, 1, 1, 0.2, 0.2])
    np.testing.assert_allclose(scales.variances("power_law", 3, alpha=2.0), [1, 1 / 4, 1 / 9])
    shares = scales.powers("two_block", 5, slow_share=0.4)
    np.testing.assert_allclose(shares, [0.2, 0.2, 0.2, 0.2, 0.2])
    decay = np.array([1, 1 / 4, 1 / 9])
    np.testing.assert_allclose(scales.powers("power_law", 3, beta=2.0), decay / decay.sum())


def test_what_is_not_said_of_a_spectrum_is_as_documented():
    decay = np.array([1, 2**-1.5, 3**-1.5])
    np.testing.assert_allclose(gaussian.variances("power_law", 3), decay)
    np.testing.assert_allclose(scales.variances("power_law", 3), decay)
    np.testing.assert_allclose(scales.powers("power_law", 3), decay / decay.sum())
    np.testing.assert_allclose(scales.variances("two_block", 2), [1, 0.01])
    np.testing.assert_allclose(scales.powers("two_block", 3), [0.25, 0.25, 0.5])
    assert float(scales.powers("two_block", 1, slow_share=0.0)[0]) == 1  # no slow input, no share


@pytest.mark.parametrize("d", [4, 5, 12])
def test_targets_on_the_sphere_have_unit_power_and_are_orthogonal(d):
    x = sphere.rows(KEY, DRAWS, d)
    np.testing.assert_allclose(jnp.sum(x**2, axis=1), d, rtol=1e-12)
    one, two = np.asarray(sphere.linear(x)), np.asarray(sphere.quadratic(x))
    noise = 5 * 2 / DRAWS**0.5
    assert one.mean() == pytest.approx(0, abs=noise)
    assert two.mean() == pytest.approx(0, abs=noise)
    assert np.mean(one**2) == pytest.approx(1, abs=noise)
    assert np.mean(two**2) == pytest.approx(1, abs=noise)
    assert np.mean(one * two) == pytest.approx(0, abs=noise)


def test_zonal_harmonics_are_gegenbauer_polynomials():
    cosine = np.linspace(-1.0, 1.0, 9)
    for d in (3, 8, 50):
        found = sphere.zonal(d, 6, cosine)
        for degree in range(6):
            wanted = eval_gegenbauer(degree, d / 2 - 1, cosine)
            wanted = wanted / eval_gegenbauer(degree, d / 2 - 1, 1.0)
            np.testing.assert_allclose(found[degree], wanted, rtol=1e-11, atol=1e-13)


def test_the_minority_comes_first_and_lies_at_minus_mu():
    mean, variances = jnp.array([3.0, 0.0]), jnp.array([0.01, 0.04])
    x, labels, there = mixture.draw(KEY, 600, 500.0, 200.0, variances, mean)
    assert np.asarray(there).sum() == 500
    assert labels.tolist() == [-1.0] * 200 + [1.0] * 400
    np.testing.assert_allclose(np.asarray(x)[:200].mean(axis=0), [-3, 0], atol=0.08)
    np.testing.assert_allclose(np.asarray(x)[200:].mean(axis=0), [3, 0], atol=0.08)


def test_items_are_drawn_at_their_frequencies():
    p = np.asarray(zipf.frequencies(6, 1.5))
    np.testing.assert_allclose(p, np.arange(1, 7) ** -1.5 / np.sum(np.arange(1, 7) ** -1.5))
    drawn = np.asarray(zipf.draws(jax.random.key(4), jnp.asarray(p), DRAWS))
    counts = np.bincount(drawn, minlength=6)
    assert np.all(np.abs(counts - DRAWS * p) < 5 * np.sqrt(DRAWS * p))


@pytest.mark.parametrize("d", [3, 8, 1000])
def test_averages_over_the_sphere_are_the_moments_of_a_coordinate(d):
    """Of t = <x, theta>/sqrt(d) on the sphere of radius sqrt(d)."""

    def functions(t):
        return [1.0, t * t, t**4, abs(t), t, float(t > 0)]

    size = np.sqrt(d / np.pi) * np.exp(gammaln(d / 2) - gammaln((d + 1) / 2))
    wanted = [1.0, 1.0, 3 * d / (d + 2), size, 0.0, 0.5]
    np.testing.assert_allclose(sphere.average(d, functions), wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("p", [5, 11])
@pytest.mark.parametrize("operation", modular.OPERATIONS)
def test_on_the_circle_of_an_operation_only_the_right_answer_is_at_0(operation, p):
    questions, answers = modular.table(operation, p)
    place, size = modular.places(operation, p)
    assert place.shape == (len(questions), p)
    if size == 1:  # no cyclic group
        assert operation == "quadratic"
        assert not place.any()
        return
    for row, answer in zip(place, answers, strict=True):
        known = row[row >= 0]
        assert sorted(known) in ([], list(range(size)))  # every other place once
        assert len(known) == 0 or row[answer] == 0
    assert (place >= 0).any(axis=1).sum() >= (p - 1) ** 2


def test_numbers_that_are_no_cyclic_group_have_one_place():
    for operation, p in (("multiply", 2), ("divide", 2), ("multiply", 6)):
        place, size = modular.places(operation, p)
        assert size == 1
        assert not place.any(), (operation, p)


def test_draws_are_as_precise_as_what_they_are_drawn_for():
    """Whatever the precision of other numbers: here of the noise."""
    half, noise = jnp.float32, jnp.asarray(0.1, "float64")
    assert gaussian.rows(KEY, 3, jnp.ones(2, half)).dtype == half
    made = written_prompts.draw(KEY, jnp.ones((3, 2), half), jnp.eye(2, dtype=half), 4, noise)
    assert made.tokens.dtype == made.answer.dtype == half
