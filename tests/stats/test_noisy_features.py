"""Flipped upstream labels in simulation: predictions, decoys, both breaks, and the same flips."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.inherit import noisy_features as inherited
from ci_theory.phenomena import predict
from ci_theory.phenomena.noisy_features import PHENOMENON, Params, simulate

FLIPS = np.array([0.0, 0.02, 0.05, 0.12, 0.25, 0.4])
BASE = {"p": 40, "up.heads": 32, "up.n": 1200, "down.n": 80, "down.ridge": 0.2}
INNER = PHENOMENON.names(Kind.INNER)


@functools.cache
def _simulated(kept=0.0, replicates=60):
    """Simulate at six shares of flips: measure -> (replicates, 6)."""
    point = {**PHENOMENON.point(BASE), "up.flips": FLIPS, "down.kept": kept}
    wide = {k: jnp.broadcast_to(jnp.asarray(point[k], float), FLIPS.shape) for k in INNER}
    params = build(Params, {**point, **wide})
    sizes = {"up.n": BASE["up.n"], "down.n": BASE["down.n"]}
    keys = jnp.stack([key_for(3, 0, 0, r) for r in range(replicates)])
    made = jax.jit(lambda keys: jax.lax.map(lambda key: simulate(key, params, sizes), keys))(keys)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


@functools.cache
def _predicted():
    return predict(PHENOMENON, {**BASE, "up.flips": list(FLIPS)})


def _mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def test_predictions_hold_within_their_slack():
    for name, predicted in _predicted().items():
        estimate = predicted.estimate
        assert estimate.valid.all(), name
        assert np.all(estimate.status == 0), name
        mean, error = _mean(_simulated()[predicted.prediction.measure])
        gap = np.abs(mean - estimate.value)
        assert np.all(gap <= estimate.slack + 4 * error + 1e-12), name
        assert np.all(gap <= 0.03 * np.abs(estimate.value) + 4.5 * error + 1e-12), name


def test_decoys_are_rejected():
    for predicted in _predicted().values():
        mean, error = _mean(_simulated()[predicted.prediction.measure])
        assert predicted.decoys
        for name, wrong in predicted.decoys.items():
            if name == "unnamed is anywhere":
                continue  # 1/p of the named part: seen by the sweep
            gap = np.abs(mean - wrong) - predicted.estimate.slack - 5 * error
            assert gap.max() > 0, (predicted.prediction.name, name)


def test_slight_flips_help_in_domain_and_all_hurt_out_of_domain():
    change, error = _mean(_simulated()["id_change"])
    assert change[2] + 5 * error[2] < 0
    away, error = _mean(_simulated()["ood_change"])
    assert np.all(away[2:] > 5 * error[2:])
    assert np.all(_simulated()["id_change"][:, 0] == pytest.approx(0, abs=1e-12))


def test_a_probe_is_ridge_regression_and_one_feature_says_what_all_clean_ones_do():
    rng = np.random.default_rng(0)
    rows, weights, ridge = rng.normal(size=(30, 8)), rng.normal(size=(8, 5)), 0.7
    for given in (weights, rng.normal(size=(8, 12))):
        made = inherited.probe(inherited.spectrum(jnp.asarray(given)), rows.T @ rows, ridge)
        features = rows @ given
        system = features.T @ features + ridge * np.eye(given.shape[1])
        solver = given @ np.linalg.solve(system, features.T)
        off = solver @ rows - np.eye(8)
        assert float(made.named) == pytest.approx(np.sum(off[:, 0] ** 2), rel=1e-9)
        across = np.mean(np.sum(off[:, 1:] ** 2, axis=0))
        assert float(made.unnamed) == pytest.approx(across, rel=1e-9)
        assert float(made.noise) == pytest.approx(np.sum(solver**2), rel=1e-9)
        kept, share = -0.4, np.mean(np.diagonal(solver @ rows)[1:])
        away = np.mean([np.sum((off[:, i] - (kept - 1) * np.eye(8)[i]) ** 2) for i in range(1, 8)])
        told = made.excess(0.0, 1.0, 0.0, kept)
        assert float(told) == pytest.approx(away, rel=1e-9)
        assert float(made.learned) == pytest.approx(share, rel=1e-9)
    direction = rng.normal(size=8)
    signs = np.array([1.0, -1.0, -1.0, 1.0])
    many = inherited.spectrum(jnp.asarray(np.outer(direction, signs) / 2))
    both = (
        inherited.probe(many, rows.T @ rows, ridge),
        inherited.probe_one(jnp.asarray(direction), rows.T @ rows, ridge),
    )
    assert np.allclose(*(np.array([float(v) for v in errors]) for errors in both), rtol=1e-9)


def test_whitening_needs_more_rows_than_inputs():
    with pytest.raises(BadInput, match=r"up.n = 40: whitening needs more rows than p = 40"):
        PHENOMENON.point({**BASE, "up.n": 40})


def test_boundary_falls_to_what_a_sample_leaves_unnamed():
    rule = next(b for b in PHENOMENON.breaks if b.name == "sign boundary")
    places = [
        rule.closed_form(build(Params, PHENOMENON.point({**BASE, "up.flips": q})))
        for q in (1e-4, 0.02, 0.12)
    ]
    assert places[0] < 0.02 < places[1] < places[2] < 1
