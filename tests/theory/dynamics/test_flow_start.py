"""A random start under flow: closed forms, decay, and simulation with repeated rows."""

import jax
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.dynamics import flow_start
from ci_theory.theory.dynamics.flow_start import start_left
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.marchenko_pastur import survival, survival_slope
from ci_theory.theory.spectra.spectrum import two_block

evaluate = jax.jit(jax.vmap(start_left, (None, None, 0, None)))
TIMES = np.array([1e-3, 0.5, 4.0, 30.0])


def rows(n):
    """Plain rows as two groups, so that one compilation serves the file."""
    return repeated_rows(n, 0, 2, 0.0, True)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
def test_isotropic_inputs_have_closed_forms(gamma):
    d = 120
    found = evaluate(two_block(d - 20, 20, 1.0, 1.0, 1, 1), rows(d / gamma), TIMES, 0.0)
    assert np.all(found.status == Status.OK)
    for i, t in enumerate(TIMES):
        # an inversion leaves an absolute error, 1e-13 of the value at the start
        assert found.test[i] / d == pytest.approx(float(survival(gamma, 2 * t)), abs=1e-12)
        assert found.train[i] / d == pytest.approx(float(survival_slope(gamma, 2 * t)), abs=1e-12)


def test_decay_is_a_factor():
    spectrum = two_block(60, 60, 1.0, 0.1, 1, 1)
    bare, decayed = (evaluate(spectrum, rows(90.0), TIMES, ridge) for ridge in (0.0, 1.8))
    factor = np.exp(-2 * 0.02 * TIMES)
    np.testing.assert_allclose(decayed.test, bare.test * factor, rtol=1e-13)
    np.testing.assert_allclose(decayed.train, bare.train * factor, rtol=1e-13)


def test_repeated_rows_against_simulation():
    rng = np.random.default_rng(2)
    values = np.repeat([1.0, 0.1], 60)
    weights = np.repeat([1.0, 12.0], [80, 8])
    out = []
    for _ in range(150):
        x = rng.normal(size=(88, 120)) * np.sqrt(values)
        s, v = np.linalg.eigh((x * weights[:, None]).T @ x / weights.sum())
        s = np.maximum(s, 0)
        left = np.exp(-2 * s[:, None] * TIMES)
        out.append([(values @ v**2) @ left, s @ left])
    mean, error = np.mean(out, axis=0), np.std(out, axis=0) / np.sqrt(len(out))
    spectrum = two_block(60, 60, 1.0, 0.1, 1, 1)
    found = evaluate(spectrum, repeated_rows(80, 8, 12, 0.0, True), TIMES, 0.0)
    got = np.array([found.test, found.train])
    assert np.all(np.abs(mean - got) < 4 * error + got * 2 / 88)
    wrong = evaluate(spectrum, rows(176.0), TIMES, 0.0)
    assert np.any(np.abs(mean[0] - wrong.test) > 4 * error[0] + got[0] * 2 / 88)


def test_contours_that_disagree_are_not_converged(monkeypatch):
    monkeypatch.setattr(flow_start, "CHECK", 8)
    fresh = jax.jit(start_left.__wrapped__.__wrapped__)  # beneath the compiled one
    found = fresh(two_block(60, 60, 1.0, 0.1, 1, 1), rows(90.0), 3.0, 0.0)
    assert int(found.status) == Status.NOT_CONVERGED
    assert 1e-6 < float(found.residual) < 1e-3


def test_statuses():
    spectrum, times = two_block(60, 60, 1.0, 0.1, 1, 1), np.array([0.5, -1.0, 0.0, 4.0])
    found = evaluate(spectrum, rows(90.0), times, 0.0)
    assert found.status.tolist() == [Status.OK, Status.OUT_OF_SCOPE, Status.OUT_OF_SCOPE, Status.OK]
    assert np.isnan(found.test[1:3]).all()
    assert np.isnan(found.train[1:3]).all()
    assert np.all(np.asarray(found.residual) < 1e-8)
    assert set(evaluate(spectrum, rows(90.0), TIMES, -1.0).status.tolist()) == {Status.OUT_OF_SCOPE}
    assert set(evaluate(spectrum, rows(0.0), TIMES, 0.0).status.tolist()) == {Status.OUT_OF_SCOPE}
    alone = evaluate(spectrum, rows(90.0), TIMES, 0.0)
    assert float(found.test[0]) == pytest.approx(float(alone.test[1]), rel=1e-13)
