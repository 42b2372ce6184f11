"""How modes are put into nodes does not matter: in halves, padded, beside inputs that never vary.

Every theory of a spectrum is asked for the same modes in three lists of one length.
"""

import jax
import numpy as np
import pytest

from ci_theory.theory.dynamics import (
    averaged_sgd,
    complex_ridge,
    feature_flow_next_order,
    flow,
    flow_next_order,
    flow_start,
    one_pass_sgd,
)
from ci_theory.theory.features import (
    decomposition,
    feature_next_order,
    random_features,
    repeated_features,
)
from ci_theory.theory.ridge import best_ridge, distillation, ridge_next_order, risk
from ci_theory.theory.rows import (
    contamination,
    corrupted_labels,
    finite_population,
    imbalance,
    repeat_scaling,
    repetition,
)
from ci_theory.theory.scaling import data_constrained
from ci_theory.theory.spectra import fixed_point, shares
from ci_theory.theory.spectra import spectrum as sums
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum

VARIANCES, COUNTS = [0.8, 0.4, 0.2, 0.05], [1.0, 3.0, 2.0, 4.0]
POWER = [0.5, 0.3, 0.4, 0.1]
# variance, modes and power of one more node, and the nodes it takes from
MORE = {
    "half of a node": (0.4, 1.5, 0.15),
    "a padded node": (1.0, 0.0, 0.0),  # of more variance than any input
    "inputs that never vary": (0.0, 5.0, 0.0),
}


def listed(name):
    """Return the modes, the more node first or last."""
    variance, count, power = MORE[name]
    counts, powers = np.array(COUNTS), np.array(POWER)
    if name == "half of a node":
        counts[1], powers[1] = counts[1] - count, powers[1] - power
    at = 0 if name == "inputs that never vary" else len(counts)
    return Spectrum(
        eigenvalues=np.insert(VARIANCES, at, variance),
        multiplicity=np.insert(counts, at, count),
        power=np.insert(powers, at, power),
        tail_trace=np.zeros(()),
        tail_power=np.zeros(()),
    )


ROWS = repeated_rows(5.0, 2.0, 3.0, 0.2, True)
FEW = repeated_rows(30.0, 5.0, 3.0, 0.2, True)
AT = one_pass_sgd.Descent(rate=0.05, rows=2.0, squares=3.0)

THEORIES = {
    "sums": lambda s: (sums.df1(s, 0.3), sums.df2(s, 0.3), sums.d12(s, 0.3), sums.bias(s, 0.3)),
    "whole": lambda s: (sums.rank(s), sums.trace(s), sums.df1(s, 0.0), sums.df2(s, 0.0)),
    "kappa": lambda s: fixed_point.solve_kappa(s, 7.0, 1.0),
    "kappa without a ridge": lambda s: fixed_point.solve_kappa(s, 7.0, 0.0),
    "ridge": lambda s: risk.ridge_risk(s, 12.0, 1.0, 0.2),
    "ridge without a ridge": lambda s: risk.ridge_risk(s, 12.0, 0.0, 0.2),
    "ridge, next order": lambda s: ridge_next_order.next_order(s, 12.0, 1.0, 0.2),
    "best ridge": lambda s: best_ridge.best_ridge(s, 16.0, 0.2),
    "best ridge of few rows": lambda s: best_ridge.best_ridge(s, 6.0, 0.2),
    "distilled": lambda s: distillation.distilled(s, 12.0, 1.0, 0.2),
    "shares": lambda s: shares.solve_shares(s, ROWS, 1.0),
    "shares without a ridge": lambda s: shares.solve_shares(s, FEW, 0.0),
    "repetition": lambda s: repetition.weighted_ridge_risk(s, ROWS, 1.0),
    "worst repeats": lambda s: repeat_scaling.worst_repeats_on(s, 200.0, 0.3, 1.0, 1.0),
    "population": lambda s: finite_population.population_risk(s, 40.0, ROWS, 1.0),
    "rich population": lambda s: finite_population.population_risk(s, 50.0, FEW, 0.0),
    "contamination": lambda s: contamination.contaminated_risk(s, 12.0, 1.0, 0.2, 0.3),
    "flips": lambda s: corrupted_labels.label_flip_risk(s, 12.0, 1.0, 0.1),
    "imbalance": lambda s: imbalance.mixture_risk(s, 20.0, 8.0, 1.0),
    "lost minority": lambda s: imbalance.lost_minority(s, 28.0, 0.0),
    "features": lambda s: random_features.random_feature_risk(s, 12.0, 8.0, 1.0, 0.2),
    "many features": lambda s: random_features.random_feature_risk(s, 14.0, 17.0, 0.0, 0.2),
    "parts": lambda s: decomposition.error_parts(s, 12.0, 8.0, 1.0, 0.2),
    "features, next order": lambda s: feature_next_order.feature_next_order(
        s, 12.0, 8.0, 1.0, 0.2
    ),
    "repeated features": lambda s: repeated_features.repeated_feature_risk(s, ROWS, 8.0, 1.0),
    "levels": lambda s: complex_ridge.complex_levels(s, ROWS, 8.0, 1j),
    "flow": lambda s: flow.weighted_flow_risk(s, ROWS, 3.0, 0.5, 8.0),
    "flow, next order": lambda s: flow_next_order.flow_shift(s, ROWS, 3.0, 0.5),
    "start": lambda s: flow_start.start_left(s, ROWS, 3.0, 0.5, 8.0),
    "start, next order": lambda s: flow_next_order.start_shift(s, ROWS, 3.0, 0.5),
    "left": lambda s: flow_next_order.what_is_left(s, ROWS, 1.0, 8.0),
    "feature flow": lambda s: feature_flow_next_order.feature_flow_shift(s, ROWS, 3.0, 0.5, 8.0),
    "feature ridge": lambda s: feature_flow_next_order.feature_ridge_shift(s, ROWS, 8.0, 0.5),
    "descent": lambda s: one_pass_sgd.one_pass_risk(s, AT, 0.2, 40.0),
    "stability": lambda s: one_pass_sgd.stability(s, AT, 0.2),
    "largest rate": lambda s: one_pass_sgd.largest_rate(s, 2.0, 3.0),
    "averaged descent": lambda s: averaged_sgd.averaged_risk(s, 8.0, AT, 0.2, 40.0),
    "rare draw": lambda s: averaged_sgd.rare_draw(s, 800.0, AT),
    "endless rows": lambda s: data_constrained.endless_data_risk(s, 0.7),
    "reuse": lambda s: data_constrained.ridge_reuse(s, 12.0, 3.0, 1.0, 0.2),
}  # fmt: skip


@pytest.mark.parametrize("name", THEORIES)
def test_modes_are_what_matters_and_not_their_list(name):
    made = []
    for more in MORE:
        leaves = jax.tree_util.tree_flatten_with_path(THEORIES[name](listed(more)))[0]
        made.append({jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves})
    first = {field: value for field, value in made[0].items() if field != ".residual"}
    for field, value in first.items():
        assert np.isfinite(value).all(), field
        for other in made[1:]:
            np.testing.assert_allclose(other[field], value, rtol=2e-7, atol=1e-11, err_msg=field)
