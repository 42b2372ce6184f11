"""Where a closed form has no value, or another branch, its derivatives are still numbers.

One bad point must not spoil the derivatives of a batch; all are taken in one compiled program.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.attention.population import ridge_error
from ci_theory.theory.attention.task_spectrum import task_traces
from ci_theory.theory.discrete.memory_limits import (
    error_exponent,
    hopfield_error,
    zipf_recall,
)
from ci_theory.theory.dynamics.grokking import accuracy, decay_time, largest_ratio
from ci_theory.theory.editing.editing_limits import batch_half_life, half_life
from ci_theory.theory.editing.erasure import erasing_rows
from ci_theory.theory.editing.metric_editing import estimated_metric
from ci_theory.theory.features.decomposition import _times
from ci_theory.theory.inheritance.group_gap import equalising_share, equalising_weight
from ci_theory.theory.inheritance.interpolation import Course, best_mix
from ci_theory.theory.inheritance.poisoning import half_saturated
from ci_theory.theory.inheritance.prior_bias import fewest_labels
from ci_theory.theory.inheritance.transfer import tuned_excess
from ci_theory.theory.representations.feature_spectrum import feature_probe, foretold_overlap
from ci_theory.theory.representations.features_next_order import uneven_heads
from ci_theory.theory.ridge.isotropic import exact_ridgeless, local_minimum, ridgeless
from ci_theory.theory.rows.contamination import apparent_peak
from ci_theory.theory.rows.corrupted_inputs import best_input_noise
from ci_theory.theory.scaling.metrics import exact_match
from ci_theory.theory.scaling.power_law_limits import bottleneck, width_limited
from ci_theory.theory.sequences.pool_order import Overlaps, harmless_pool, winning_pool
from ci_theory.theory.spectra.marchenko_pastur import bessel_ratio
from ci_theory.theory.spectra.spectrum import per_kappa
from ci_theory.theory.spectra.spiked import Spiked, outlier, resolvent

NONE = jnp.zeros(4)

# name -> (function, points on both sides of where it changes)
EDGES = {
    "half life": (half_life, [(9.0, 0.4), (9.0, 0.5), (9.0, 0.7)]),
    "batch half life": (batch_half_life, [(9.0, 2.0, 1.0, 0.4), (9.0, 2.0, 1.0, 0.5)]),
    "erasing rows": (erasing_rows, [(0.5, 9.0, 1.0, 1.0), (0.0, 9.0, 2.0, 0.0)]),
    "estimated metric": (estimated_metric, [(20.0, 30.0), (20.0, 20.0)]),
    "equalising weight": (
        lambda *at: equalising_weight(*at).value,
        [(100.0, 280.0, 120.0, 0.0), (100.0, 280.0, 50.0, 0.0), (100.0, 40.0, 30.0, 0.0)],
    ),
    "equalising share": (
        lambda *at: equalising_share(*at).value,
        [(100.0, 400.0, 3.0, 0.0), (100.0, 90.0, 3.0, 0.0), (100.0, 400.0, 0.0, 1.0)],
    ),
    "best mix": (lambda *at: best_mix(Course(*at)), [(1.0, -1.0, 2.0), (1.0, 0.0, 0.0)]),
    "half saturated": (half_saturated, [(0.0, 3.0, 2.0, 0.1), (0.0, 0.5, 2.0, 0.25)]),
    "fewest labels": (fewest_labels, [(0.7, 1.0), (0.7, 2.0), (0.5, 1.0)]),
    "feature probe": (feature_probe, [(0.5, 9.0, 0.1), (0.5, 2.0, 0.1)]),
    "foretold": (
        foretold_overlap, [(302.4, 3134.4, 240.0, 60.0), (300.0, 14000.0, 240.0, 60.0)]
    ),
    "uneven heads": (uneven_heads, [(90.0, 0.1), (90.0, 0.0)]),
    "tuned excess": (tuned_excess, [(200.0, 100.0, 0.5, 1.0), (20.0, 100.0, 0.1, 1.0)]),
    "ridgeless": (
        lambda *at: ridgeless(*at).test_error,
        [(90.0, 50.0, 0.5, 1.0), (50.0, 90.0, 0.5, 1.0), (50.0, 50.0, 0.0, 1.0)],
    ),
    "exact ridgeless": (
        lambda *at: exact_ridgeless(*at).test_error, [(90.0, 50.0, 0.5), (50.0, 50.5, 0.5)]
    ),
    "local minimum": (lambda *at: local_minimum(*at).ratio, [(0.5, 1.0), (2.0, 1.0)]),
    "ridge in context": (ridge_error, [(2.0, 0.25), (0.1, 0.25)]),
    "tasks": (lambda *at: task_traces(*at).inverse, [(0.5, 2.0), (0.1, 0.5)]),
    "exponent": (error_exponent, [(1.5, 1.0), (1.0, 1.0), (1.5, 0.2)]),
    "hopfield": (hopfield_error, [(90.0, 20.0), (90.0, 1.0)]),
    "zipf recall": (lambda y: zipf_recall(y, 1.0, 16), [(0.7,), (9.0,)]),
    "accuracy": (lambda loss: accuracy(loss, 1e-3), [(1e-3,), (0.0,)]),
    "decay time": (
        lambda *at: decay_time(*at).value,
        [(30.0, 60.0, 0.1, 0.1, 0.1, 9.0), (30.0, 60.0, 0.1, 0.1, 9.0, 9.0),
         (60.0, 30.0, 0.1, 0.1, 0.1, 9.0), (30.0, 60.0, 0.1, 0.1, 0.1, 0.01)],
    ),
    "largest ratio": (largest_ratio, [(0.5, 1.0), (1.0, 1.0), (2.0, 1.0)]),
    "apparent peak": (
        apparent_peak, [(1e3, 0.1, 0.5), (1e3, 0.1, 0.9995), (1e3, 0.0, 0.5)]
    ),
    "input noise": (
        best_input_noise,
        [(301.0, 100.0, 2.0, 1.0), (301.0, 100.0, 9.0, 1.0), (201.0, 100.0, 2.0, 1.0)],
    ),
    "exact match": (lambda e: exact_match(e, 0.0), [(0.5,)]),
    "bottleneck": (lambda s: bottleneck(100.0, 1.5, s), [(0.3,), (0.5,), (0.8,)]),
    "width": (lambda p: width_limited(p, 2.0, 1.2), [(100.0,)]),
    "winning pool": (
        lambda c: winning_pool(Overlaps(c, jnp.array(3.0), jnp.array(3.0), NONE)), [(0.1,), (0.0,)]
    ),
    "harmless pool": (
        lambda c: harmless_pool(Overlaps(c, jnp.array(3.0), jnp.array(3.0), NONE), 0.1),
        [(0.05,), (0.1,), (0.2,)],
    ),
    "Bessel": (bessel_ratio, [(1.0,), (0.0,)]),
    "per kappa": (per_kappa, [(1.0, 2.0), (0.0, 0.0)]),
    "product with infinity": (lambda x: _times(x, jnp.inf), [(0.0,)]),
    "outlier": (
        lambda x, v: outlier(Spiked(rows=9.0, columns=4.0, strength=x, noise=v)).row_overlap,
        [(1.0, 0.01), (0.01, 0.1), (0.0, 0.1)],
    ),
    "resolvent": (
        lambda x, v: resolvent(Spiked(rows=9.0, columns=4.0, strength=x, noise=v), 0.1).trace,
        [(1.0, 0.1), (1.0, 0.0)],
    ),
}  # fmt: skip


@jax.jit
def slopes():
    return {
        name: [
            jax.grad(lambda at, f=function: jnp.sum(f(*at)))(jnp.asarray(point)) for point in points
        ]
        for name, (function, points) in EDGES.items()
    }


MADE = {}


@pytest.mark.parametrize("name", EDGES)
def test_derivatives_are_numbers(name):
    MADE.update(MADE or slopes())
    for point, slope in zip(EDGES[name][1], MADE[name], strict=True):
        assert np.isfinite(slope).all(), point
