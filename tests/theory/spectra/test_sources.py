"""The fixed point of several sources: its equation, its derivatives, and where it has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.spectra.sources import Rows, Traces, solve_sources

SPECTRA = jnp.array([[2.0, 1.0, 0.5, 0.1], [0.2, 0.4, 3.0, 1.0]])


@jax.jit
def solved(counts, weights, ridge, asked=True):
    """Sources of two diagonal covariances in four dimensions."""

    def resolve(omega):
        level = omega @ SPECTRA + ridge
        parts = SPECTRA / level[None, :]
        return Traces(jnp.sum(parts, axis=1), parts @ parts.T, level.min())

    rows = Rows(counts, weights, jnp.zeros(2), ridge, asked)
    return solve_sources(rows, resolve, jnp.sum(SPECTRA, axis=1), jnp.array(4.0))


def at(counts, weights, ridge, **more):
    return solved(*map(jnp.asarray, (counts, weights, ridge)), **more)


@pytest.mark.parametrize(
    ("counts", "weights", "ridge"),
    [([3.0, 5.0], [1.0, 2.5], 0.3), ([9.0, 2.0], [1.0, 1.0], 0.0), ([20.0, 4.0], [1.0, -0.1], 1.0)],
)
def test_every_trace_is_that_of_the_resolvent_that_it_makes(counts, weights, ridge):
    found = jax.tree.map(np.asarray, at(counts, weights, ridge))
    counts = np.array(counts)
    assert int(found.status) == Status.OK
    pull = np.array(weights) / (1 + np.array(weights) * found.e)
    np.testing.assert_allclose(found.pull, pull, rtol=1e-12)
    np.testing.assert_allclose(found.omega, counts * pull, rtol=1e-12)
    level = found.omega @ np.asarray(SPECTRA) + ridge
    np.testing.assert_allclose(found.e, (np.asarray(SPECTRA) / level).sum(axis=1), rtol=1e-11)
    pairs = np.einsum("gi,hi->gh", *[np.asarray(SPECTRA) / level] * 2)
    np.testing.assert_allclose(found.coupling, pairs * (counts * pull**2)[None, :], rtol=1e-10)


def test_its_derivatives_are_difference_quotients():
    point = jnp.array([3.0, 5.0]), jnp.array([1.0, 2.5]), jnp.array(0.3)
    slopes = jax.jit(jax.jacfwd(lambda *given: solved(*given).e, argnums=(0, 1, 2)))(*point)
    step = 1e-5
    for i, slope in enumerate(slopes):
        for j in np.ndindex(point[i].shape):
            moved = [
                [one.at[j].add(sign * step) if k == i else one for k, one in enumerate(point)]
                for sign in (1, -1)
            ]
            quotient = (solved(*moved[0]).e - solved(*moved[1]).e) / (2 * step)
            np.testing.assert_allclose(slope[(slice(None), *j)], quotient, rtol=1e-7)


@pytest.mark.parametrize(
    ("counts", "weights", "ridge", "asked", "status"),
    [
        ([2.0, 2.0], [1.0, 1.0], 0.0, True, Status.NOT_FINITE),  # as many rows as dimensions
        ([2.0, 2.1], [1.0, 1.0], 0.0, True, Status.OK),
        ([2.0, 99.0], [1.0, 0.0], 0.0, True, Status.NOT_FINITE),  # rows that do not count
        ([2.0, 2.0], [1.0, 1.0], 1e-3, True, Status.OK),
        ([2.0, 2.0], [1.0, 1.0], 0.3, False, Status.OUT_OF_SCOPE),
        ([3.0, 9.0], [1.0, -1.0], 0.3, True, Status.NOT_FINITE),  # what is taken off is more
    ],
)
def test_where_there_is_no_answer_it_is_no_number(counts, weights, ridge, asked, status):
    found = at(counts, weights, ridge, asked=jnp.asarray(asked))
    assert int(found.status) == status
    assert np.isnan(found.number) == (status != Status.OK)
