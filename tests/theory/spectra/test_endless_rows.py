"""Infinitely many rows: what every formula tends to, by large n and by what is known of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.discrete import known_sequences, zipf
from ci_theory.theory.dynamics import flow_isotropic
from ci_theory.theory.features import decomposition, mei_montanari, random_features
from ci_theory.theory.ridge import best_ridge, isotropic, ridge_next_order, risk
from ci_theory.theory.rows import contamination, imbalance, repetition
from ci_theory.theory.rows.corrupted_inputs import input_noise_risk
from ci_theory.theory.spectra import power_law
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import two_block

inf = jnp.inf
TWO = two_block(10, 20, 1.0, 0.1, 1.0, 2.0)
FREQUENCIES = zipf.frequencies(50, 1.5)
NOISE, RIDGE = 0.3, 2.0


def rows(n):
    return repeated_rows(n, 30.0, 5.0, NOISE, True)


def weighted(n):
    found = repetition.weighted_ridge_risk(TWO, rows(n), RIDGE)
    seen = repetition.copy_errors(found, rows(n), NOISE)
    return {"excess": found.excess_risk, "train": seen.train_error, "gcv": seen.gcv_naive}


# what is asked at n rows -> what it is in the limit
LIMITS = {
    "kappa": (lambda n: solve_kappa(TWO, n, RIDGE)._asdict() | {"residual": 0.0}, {"value": 0.0}),
    "ridge": (
        lambda n: risk.ridge_risk(TWO, n, RIDGE, NOISE)._asdict(),
        {"test_error": NOISE, "train_error": NOISE, "fit": 1.0, "gamma": 0.0},
    ),
    "next order": (
        lambda n: {
            k: v
            for k, v in ridge_next_order.next_order(TWO, n, RIDGE, NOISE)._asdict().items()
            if k != "left"
        },
        {"signal": 0.0, "noise_shift": 0.0},
    ),
    "best ridge": (  # noise sum m/lambda / sum w^2/lambda
        lambda n: best_ridge.best_ridge(TWO, n, NOISE)._asdict(),
        {"ridge": NOISE * (10 / 1 + 20 / 0.1) / (1 / 1 + 2 / 0.1)},
    ),
    "least squares": (
        lambda n: isotropic.ridgeless(n, 30.0, NOISE)._asdict(),
        {"test_error": NOISE},
    ),
    "repeated rows": (weighted, {"excess": 0.0, "train": NOISE, "gcv": NOISE}),
    "contamination": (
        lambda n: {"apparent": contamination.contaminated_risk(TWO, n, RIDGE, NOISE, 0.2)[0]},
        {"apparent": NOISE},
    ),
    "classes": (  # the majority is known in the end, and the minority lost
        lambda n: dict(
            zip(("majority", "minority"), imbalance.mixture_risk(TWO, n, 20.0, RIDGE), strict=False)
        ),
        {"majority": 0.0, "minority": 1.0},
    ),
    "lost minority": (lambda n: imbalance.lost_minority(TWO, n, 0.0)._asdict(), {}),
    "noisy inputs": (
        lambda n: {"excess": input_noise_risk(TWO, n, RIDGE, NOISE, 0.2).excess_risk},
        {"excess": 1 * 0.2**2 / 1.2**2 + 0.2 * 0.2**2 / 0.3**2},
    ),
    "features": (
        lambda n: (
            random_features.random_feature_risk(TWO, n, 20.0, RIDGE, NOISE)._asdict()
            | {"dof_left": 0.0}
        ),
        {},
    ),
    "parts": (
        lambda n: decomposition.error_parts(TWO, n, 20.0, RIDGE, NOISE)._asdict(),
        {"data": 0.0, "label_noise": 0.0, "features_noise": 0.0},
    ),
    "isotropic flow": (
        lambda n: flow_isotropic.isotropic_flow(n, 30.0, 3.0, NOISE)._asdict(),
        {"excess_risk": np.exp(-6.0), "status": 0},
    ),
    "proportional limit": (
        lambda n: {
            "excess": mei_montanari.mei_montanari_risk(
                mei_montanari.Moments(0.0, 0.5, 0.1), n, 50.0, 30.0, RIDGE, NOISE
            ).excess_risk
        },
        {},
    ),
    "power law": (
        lambda n: power_law.ridgeless(n, 1.5, 0.4, NOISE)._asdict(),
        {"gamma": 1 / 3, "test_error": 1.5 * NOISE},
    ),
    "met twice": (lambda n: {"mass": zipf.mass_seen(FREQUENCIES, n, 2)}, {"mass": 0.0}),
    "price": (  # of the rarest item
        lambda n: {"price": zipf.price(FREQUENCIES, n, 1)},
        {"price": float(FREQUENCIES[-1])},
    ),
    "sequences": (lambda n: {"known": known_sequences.all_known(FREQUENCIES, n, 0.1, 3)}, {}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_infinitely_many_rows(name):
    ask, known = LIMITS[name]
    many, endless = (
        {k: v[i] for k, v in jax.vmap(ask)(jnp.array([1e12, inf])).items()} for i in (0, 1)
    )
    for key, value in endless.items():
        assert float(value) == pytest.approx(float(many[key]), rel=1e-6, abs=1e-9), key
    for key, value in known.items():
        assert float(endless[key]) == pytest.approx(value, rel=1e-6, abs=1e-50), key


def test_where_the_limit_is_infinite_or_has_no_value():
    assert float(zipf.items_seen_law(inf, 1, 0.4, inf, 1.5)) == inf
    assert float(zipf.items_seen_law(inf, 1, 0.4, 100.0, 1.5)) == 0
    lost = imbalance.mixture_risk(TWO, inf, inf, RIDGE)  # in which shares?
    assert np.isnan(float(lost.balanced_error))
    assert int(lost.status) != Status.OK


def test_infinitely_many_features_are_the_kernel():
    features = random_features.random_feature_risk(TWO, 100.0, inf, RIDGE, NOISE)
    kernel = risk.ridge_risk(TWO, 100.0, RIDGE, NOISE)
    for name in ("test_error", "train_error", "excess_risk"):
        assert getattr(features, name) == pytest.approx(float(getattr(kernel, name)), rel=1e-12)


def test_an_endless_group_of_rows_hides_the_others():
    found = repetition.weighted_ridge_risk(TWO, plain_rows(inf, NOISE), 0.0)
    assert float(found.excess_risk) < 1e-50
    assert int(found.status) == Status.OK


def test_many_draws_keep_their_digits():
    """On the circle the exponent is n (exp(ia) - 1 - ia): at n = 1e12 half of it cancels."""
    one, endless = (known_sequences.all_known(FREQUENCIES, n, 0.1, 3) for n in (1e12, inf))
    assert float(one) == pytest.approx(float(endless), rel=1e-12)
