"""Prompts of different lengths: their moments, and what they leave of a simulated deviation."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.attention.linear_attention import contexts
from ci_theory.theory.attention.prompt_sizes import sized_contexts


@pytest.mark.parametrize(
    "point", [(16.0, 32.0, 0.25, 0.5, 0.1), (9.0, 5.0, 1.0, 0.0, 0.8), (500.0, 100.0, 0.0, 0.1, 0)]
)
def test_their_means_are_the_moments_of_all_contexts(point):
    d, length, noise, query, flips = point
    shares, kinds = sized_contexts(*point)
    whole = contexts(length / d, noise, query, flips, length=length)
    assert np.all(np.asarray(shares) > 0)
    assert np.all(np.asarray(kinds.signal) > 0)
    for name, value in vars(whole).items():
        assert float(shares @ getattr(kinds, name)) == pytest.approx(float(value), rel=1e-13), name


def test_lengths_of_drawn_prompts_have_these_moments():
    """Squared lengths of query and of the part of h across the task, and their label's square."""
    rng = np.random.default_rng(3)
    d, length, noise, many = 6, 8, 0.5, 200_000
    w = np.zeros(d)
    w[0] = np.sqrt(d)
    x = rng.standard_normal((many, length, d)) / np.sqrt(d)
    y = x @ w + np.sqrt(noise) * rng.standard_normal((many, length))
    h = d / length * np.einsum("nl,nld->nd", y, x)
    query = rng.standard_normal((many, d)) / np.sqrt(d)
    shares, kinds = sized_contexts(float(d), float(length), noise, 0.0)
    across = np.mean(h[:, 1:] ** 2, axis=1)
    size = np.sum(query**2, axis=1)
    u = kinds.label
    assert np.mean(size**2) == pytest.approx(float(shares @ u**2), rel=0.01)
    assert np.mean(size**3) == pytest.approx(float(shares @ u**3), rel=0.02)
    _, noisy = sized_contexts(float(d), float(length), noise, 0.7)  # whatever the query's length
    assert np.asarray(noisy.label - u) == pytest.approx(0.7, rel=1e-13)
    assert np.mean(across) == pytest.approx(float(shares @ (kinds.spread / u)), rel=0.01)
    # d - 1 squares across the task, for which the theory takes d
    second = float(shares @ (kinds.spread / u) ** 2) * (1 + 2 / (d - 1)) / (1 + 2 / d)
    assert np.mean(across**2) == pytest.approx(second, rel=0.01)
    along = np.mean(h[:, 0] * across) / np.sqrt(d)
    assert along == pytest.approx(float(shares @ (kinds.aligned * kinds.spread / u**2)), rel=0.01)
    length2 = np.mean(h[:, 0] ** 2 * across)
    whole = (kinds.signal * d + kinds.spread) * kinds.spread / u**2
    assert length2 == pytest.approx(float(shares @ whole), rel=0.02)


def test_long_prompts_in_many_dimensions_are_alike():
    _, kinds = sized_contexts(1e12, 1e12, 0.25, 0.25)
    for value in vars(kinds).values():
        assert float(jnp.max(value) / jnp.min(value)) == pytest.approx(1, abs=1e-5)
