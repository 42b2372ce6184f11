"""How rows are put into groups does not matter: in halves, in another order, beside empty groups.

Every theory of weighted rows is asked for the same rows in three lists of four groups. What it
says of all rows is one and the same, and what it says of each group goes with the group.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.attention import linear_attention
from ci_theory.theory.dynamics import (
    complex_ridge,
    feature_flow_next_order,
    flow,
    flow_next_order,
    flow_start,
)
from ci_theory.theory.features import repeated_features
from ci_theory.theory.inheritance import mixture, operator, two_stages
from ci_theory.theory.representations import feature_spectrum
from ci_theory.theory.rows import (
    corrupted_inputs,
    finite_population,
    repetition,
    row_leverages,
    spiked_next_order,
    spiked_rows,
)
from ci_theory.theory.spectra import groups as of_groups
from ci_theory.theory.spectra import shares
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import power_law

# counts, weights and label noise: halves of both groups; empty ones first; empty ones between
LISTS = [
    ([4.5, 4.5, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [0.2, 0.2, 0.7, 0.7]),
    ([0.0, 7.0, 9.0, 4.0], [5.0, 0.0, 1.0, 3.0], [8.0, 9.0, 0.2, 0.7]),
    ([4.0, 0.0, 9.0, 6.0], [3.0, 0.5, 1.0, 0.0], [0.7, 6.0, 0.2, 5.0]),
]
PLACES = [[0, 2], [2, 3], [2, 0]]  # of the two groups in each list

LAW = power_law(6, 1.5, 0.4, tail=False)
WIDE = power_law(16, 1.5, 0.4, tail=False)  # more modes than rows, but for rows of no weight
EYE, ONES = jnp.eye(3), jnp.ones(3)


def spiked(rows):
    return spiked_rows.SpikedRows(d=6.0, signal=1.0, noise=0.1, groups=rows)


def topped(function):
    return lambda rows: function(spiked(rows), spiked_rows.leading(spiked(rows)))


def stage(rows):
    return operator.RidgeStage(covariance=EYE, target=ONES, groups=rows, ridge=1.0)


def blocks(rows):
    """Every group a source of its own, of one law."""
    given = mixture.BlockMixture(
        variances=jnp.ones((4, 1)),
        multiplicity=jnp.array([6.0]),
        targets=jnp.ones((4, 1, 1)),
        counts=rows.counts,
        weights=rows.weights,
        noise=rows.noise,
        ridge=1.0,
    )
    nothing = mixture.BlockWeights(mean=jnp.zeros((1, 1)), spread=jnp.zeros(1))
    made = mixture.fit_block_mixture(given, nothing)
    return made._replace(share=jnp.sum(made.share))


def kinds(rows):
    """Every group a kind of prompt, that differ by the noise of the query alone."""
    many = jnp.ones(4)
    seen = linear_attention.contexts(2.0, 0.25, 0.25)
    seen = linear_attention.Contexts(
        signal=many * seen.signal,
        spread=many * seen.spread,
        aligned=many * seen.aligned,
        label=1 + rows.noise,
    )
    made = linear_attention.linear_attention(
        linear_attention.Prompts(
            counts=rows.counts, weights=rows.weights, contexts=seen, ridge=jnp.array(0.1)
        ),
        2.0,
        linear_attention.contexts(2.0, 0.25, 0.25),
    )
    return made._replace(free=jnp.zeros(()))  # the least of all kinds


THEORIES = {
    "shares": lambda rows: shares.solve_shares(LAW, rows, 1.0),
    "shares without a ridge": lambda rows: shares.solve_shares(LAW, rows, 0.0),
    "shares of few rows": lambda rows: shares.solve_shares(WIDE, rows, 0.0),
    "copies": lambda rows: of_groups.over_copies(rows, rows.noise),
    "ridge": lambda rows: repetition.weighted_ridge_risk(LAW, rows, 1.0),
    "errors seen": lambda rows: repetition.copy_errors(
        repetition.weighted_ridge_risk(LAW, rows, 1.0), rows, 0.9
    ),
    "population": lambda rows: finite_population.population_risk(LAW, 40.0, rows, 1.0),
    "population of as many rows": lambda rows: finite_population.population_risk(
        LAW, 13.0, rows, 1.0
    ),
    "noisy inputs": lambda rows: corrupted_inputs.weighted_input_noise_risk(LAW, rows, 1.0, 0.1)
    ._replace(groups=None),
    "outlier": lambda rows: spiked_rows.leading(spiked(rows)),
    "edge": lambda rows: spiked_rows.transition(6.0, rows),
    "singular values": topped(spiked_rows.row_shape),
    "outlier, next order": topped(spiked_next_order.overlap_next_order),
    "noise at an overlap": lambda rows: feature_spectrum.noise_at(6.0, 1.0, rows, 0.5),
    "features": lambda rows: repeated_features.repeated_feature_risk(LAW, rows, 8.0, 1.0),
    "levels": lambda rows: complex_ridge.complex_levels(LAW, rows, 8.0, 1j),
    "flow": lambda rows: flow.weighted_flow_risk(LAW, rows, 3.0, 0.5, 8.0),
    "flow, next order": lambda rows: flow_next_order.flow_shift(LAW, rows, 3.0, 0.5),
    "start": lambda rows: flow_start.start_left(LAW, rows, 3.0, 0.5, 8.0),
    "start, next order": lambda rows: flow_next_order.start_shift(LAW, rows, 3.0, 0.5),
    "left": lambda rows: flow_next_order.what_is_left(LAW, rows, 1.0, 8.0),
    "feature flow": lambda rows: feature_flow_next_order.feature_flow_shift(
        LAW, rows, 3.0, 0.5, 8.0
    ),
    "feature ridge": lambda rows: feature_flow_next_order.feature_ridge_shift(LAW, rows, 8.0, 0.5),
    "stage": lambda rows: operator.inherit(operator.from_scratch(3), stage(rows)),
    "pretraining": lambda rows: two_stages.pretrain(6.0, 1.0, rows, 1.0),
    "sources": blocks,
    "prompts": kinds,
}  # fmt: skip


def told(made, places):
    """Return name -> what is told, of the groups in one order; rounding left by solvers apart."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(made)[0]:
        name, value = jax.tree_util.keystr(path), np.asarray(leaf)
        if value.ndim == 0 and name.endswith(("residual", "off")):
            continue
        found[name] = value[places] if value.shape[:1] == (4,) else value
    return found


@pytest.mark.parametrize("name", THEORIES)
def test_rows_are_what_matters_and_not_their_list(name):
    made = []
    for (counts, weights, noise), places in zip(LISTS, PLACES, strict=True):
        rows = Groups(counts=np.array(counts), weights=np.array(weights), noise=np.array(noise))
        made.append(told(THEORIES[name](rows), places))
    for one in made[1:]:
        assert one.keys() == made[0].keys()
        for field, value in one.items():
            np.testing.assert_allclose(value, made[0][field], rtol=1e-8, atol=1e-12, err_msg=field)
            assert np.isfinite(value).all(), field


@pytest.mark.parametrize("name", ["ridge", "population", "features"])
def test_a_row_of_no_weight_is_missed_as_a_fresh_one(name):
    counts, weights, noise = (np.array(v) for v in LISTS[1])
    made = THEORIES[name](Groups(counts=counts, weights=weights, noise=noise))
    assert float(made.residual[1]) == pytest.approx(float(made.excess_risk) + 9.0, rel=1e-12)
    assert float(made.residual[2]) < float(made.excess_risk) + 0.2


def test_leverages_of_rows_go_with_their_groups():
    """Of a kernel of unlike rows, whose groups have different weights and label noise."""
    features = np.random.default_rng(2).normal(size=(30, 9)) * np.geomspace(3, 0.3, 30)[:, None]
    kernel, target = features @ features.T, features[:, 0] + features[:, 4] ** 2
    counts, weights, noise = (np.array(v)[[0, 2]] for v in LISTS[0])
    base = row_leverages.row_risk(kernel, target, 2 * counts, weights, noise, 1.0)
    halves = row_leverages.row_risk(kernel, target, *(np.array(v) for v in LISTS[0]), 1.0)
    turned = row_leverages.row_risk(
        kernel, target, 2 * counts[::-1], weights[::-1], noise[::-1], 1.0
    )
    for field, value in base._asdict().items():
        for other, places in ((halves, [0, 2]), (turned, [1, 0])):
            seen = np.asarray(getattr(other, field))
            seen = seen[places] if seen.ndim else seen
            np.testing.assert_allclose(seen, value, rtol=1e-8, err_msg=field)
