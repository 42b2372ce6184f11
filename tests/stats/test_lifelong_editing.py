"""A life of edits in simulation: the geometric series, the batch editor, replay, and the breaks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.phenomena import predict
from ci_theory.phenomena.lifelong_editing import PHENOMENON, Params, simulate

EDITS = np.array([1, 2, 4, 8, 16, 32, 64])
INNER = PHENOMENON.names(Kind.INNER)
BASE = {"p": 40, "n": 3, "ridge": 10.0}
CAPACITY = 4


@functools.cache
def _program(p, editor):
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": p, "editor": editor})
        return jax.vmap(lambda key: simulate(key, params, {"n": CAPACITY}))(keys)

    return run


def _simulate(edits=EDITS, replicates=40, **point):
    full = {**PHENOMENON.point({}), **BASE, **point, "edits": edits}
    numbers = {
        k: jnp.broadcast_to(jnp.asarray(v), len(edits)) if k in INNER else jnp.asarray(v)
        for k, v in full.items()
        if k not in ("p", "editor")
    }
    keys = jnp.stack([key_for(5, 0, 0, r) for r in range(replicates)])
    made = _program(full["p"], full["editor"])(keys, numbers)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


def _predict(edits=EDITS, **point):
    return predict(PHENOMENON, {**BASE, **point, "edits": [int(k) for k in edits]})


def _mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


SCENES = [
    {},
    {"ridge": 0.0, "replay": 0.0, "n": 1},
    {"ridge": 0.0, "replay": 0.4, "n": 4, "noise": 1.0},
    {"ridge": 60.0, "replay": 0.6, "distance": 2.0, "noise": 0.0},
    {"ridge": 3.0, "distance": 0.0, "noise": 1.0},
    {"editor": "batch", "replay": 0.3},
    {"editor": "batch", "ridge": 1.0, "noise": 0.5},
    {"editor": "batch", "ridge": 0.0, "replay": 0.4, "n": 4, "noise": 1.0},
]


@pytest.mark.parametrize("change", SCENES)
def test_predictions_hold_within_their_slack(change):
    made, told = _simulate(**change), 0
    for name, predicted in _predict(**change).items():
        estimate = predicted.estimate
        mean, error = _mean(made[predicted.prediction.measure])
        ok = np.asarray(estimate.valid)
        gap = np.abs(mean - estimate.value) - estimate.slack - 4.5 * error
        print(
            name,
            change,
            ok,
            np.round(
                (np.abs(mean - estimate.value) - 2 * error) / np.maximum(estimate.slack, 1e-12), 2
            ),
            np.round(estimate.slack / np.maximum(estimate.value, 1e-12), 4),
        )
        assert np.all(gap[ok] <= 1e-11), name
        told += ok.sum()
    assert told >= 12
