"""Mixed weights: brute force, the joint moments, and where mixing gains nothing."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from ci_theory.theory.inheritance.combination import (
    combined_isotropic,
    fine_tuned_isotropic,
    independent_isotropic,
)
from ci_theory.theory.inheritance.interpolation import (
    at_best_ridge,
    best_mix,
    course,
    risk_of,
    shared_shift,
    tuned_course,
)
from ci_theory.theory.inheritance.operator import (
    IsotropicStage,
    IsotropicWeights,
    isotropic_risk,
)
from ci_theory.theory.inheritance.poisoning import clean_tuning
from ci_theory.theory.spectra.groups import plain_rows

OWN, OTHER = jnp.array([0.6, 0.8]), jnp.array([1.0, 0.0])
START = IsotropicWeights(mean=jnp.array([0.7, 0.1]), spread=0.3)


@pytest.mark.parametrize(("n", "ridge"), [(30, 8.0), (50, 0.0), (14, 3.0)])
def test_risks_of_drawn_fits(n, ridge):
    """Starts with an isotropic fluctuation, fine-tuned by the normal equations."""
    rng, runs, p, noise = np.random.default_rng(0), 4000, 20, 0.5
    own, other = (np.pad(np.asarray(v), (0, p - 2)) for v in (OWN, OTHER))
    w0 = np.pad(np.asarray(START.mean), (0, p - 2)) + np.sqrt(0.3 / p) * rng.normal(size=(runs, p))
    x = rng.normal(size=(runs, n, p))
    y = x @ own + np.sqrt(noise) * rng.normal(size=(runs, n)) - np.einsum("rni,ri->rn", x, w0)
    gram = np.einsum("rni,rnj->rij", x, x) + ridge * np.eye(p)
    step = np.linalg.solve(gram, np.einsum("rni,rn->ri", x, y)[..., None])[..., 0]
    tuning = clean_tuning(n, p, ridge, np.inf, noise)
    for target, known in [(own, OWN), (other, OTHER), (2 * other - own, 2 * OTHER - OWN)]:
        found = tuned_course(START, tuning, OWN, known)
        for mix in (-0.5, 0.4, 1.0, 1.6):
            risk = np.sum((w0 + mix * step - target) ** 2, axis=1)
            error = risk.std() / np.sqrt(runs)
            assert abs(risk.mean() - float(risk_of(found, mix))) < 3.5 * error + 0.005 * risk.mean()


def test_limits_are_those_of_the_joint_moments():
    n, p = 1e6, 2e6
    stage = IsotropicStage(target=OWN, groups=plain_rows(n, 0.5), ridge=0.4 * n)
    made = fine_tuned_isotropic(independent_isotropic(START), [1.0], stage, p)
    tuning = clean_tuning(n, p, 0.4 * n, np.inf, 0.5)
    for target in (OWN, OTHER, -OTHER):
        moments, sized = course(made.joint, target), tuned_course(START, tuning, OWN, target)
        assert np.allclose(moments, sized, rtol=1e-5)
        for mix in (-0.3, 0.5, 1.0, 2.0):
            mixed = combined_isotropic(made.joint, [1 - mix, mix])
            wanted = float(isotropic_risk(mixed, target))
            assert float(risk_of(moments, mix)) == pytest.approx(wanted, rel=1e-12)
        least = minimize_scalar(lambda a, c=moments: float(risk_of(c, a))).x
        assert float(best_mix(moments)) == pytest.approx(least, abs=1e-6)


def test_at_the_best_ridge_mixing_gains_nothing():
    anchor = float(isotropic_risk(START, OWN))
    for n, p in [(30, 60), (200, 60), (61, 60)]:
        ridge = at_best_ridge(p, 0.5, anchor)
        mixes = []
        for factor in (0.5, 1.0, 2.0):
            tuning = clean_tuning(n, p, factor * ridge, np.inf, 0.5)
            mixes.append(float(best_mix(tuned_course(START, tuning, OWN, OWN))))
        less, best, more = mixes
        assert best == pytest.approx(1.0, rel=1e-9)
        assert less < 0.95
        assert more > 1.02


def test_the_shared_shift_is_where_the_slope_vanishes():
    tuning = clean_tuning(40, 30, 2.0, np.inf, 0.5)
    share = float(shared_shift(START, tuning, OWN, OTHER))
    for x, sign in [(share, 0), (share - 0.1, 1), (share + 0.1, -1)]:
        found = tuned_course(START, tuning, OWN, (1 - x) * OTHER + x * OWN)
        slope = float(found.slope + found.curvature)
        assert slope == pytest.approx(0, abs=1e-12) if sign == 0 else slope * sign > 0
    assert np.isnan(shared_shift(START, tuning, OWN, OWN))  # no shift to share
    beyond = IsotropicWeights(mean=2 * OWN - OTHER, spread=0.3)  # the start lies past its task
    share = float(shared_shift(beyond, tuning, OWN, OTHER))
    found = tuned_course(beyond, tuning, OWN, (1 - share) * OTHER + share * OWN)
    assert float(found.slope + found.curvature) == pytest.approx(0, abs=1e-12)
    still = IsotropicWeights(mean=OWN, spread=0.0)  # nowhere to go
    clean = clean_tuning(40, 30, 2.0, np.inf, 0.0)
    assert np.isnan(best_mix(tuned_course(still, clean, OWN, OTHER)))
