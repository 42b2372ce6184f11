"""The next order of gradient flow on features: differences of its energy, and its end.

The oracle solves the saddle point of two copies and two fields by iteration, in 4 x 4 matrices, and
takes finite differences of log det(1 - Gamma) with Gamma written out on all pairs of 2 x 2
matrices. The package has neither.
"""

import dataclasses

import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.dynamics.feature_flow_next_order import (
    feature_flow_shift,
    feature_ridge_shift,
    feature_start_shift,
)
from ci_theory.theory.dynamics.flow_next_order import start_shift, what_is_left
from ci_theory.theory.dynamics.flow_start import start_left
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.features.feature_next_order import feature_next_order
from ci_theory.theory.features.repeated_features import repeated_feature_risk
from ci_theory.theory.spectra.groups import Groups, plain_rows
from ci_theory.theory.spectra.spectrum import Spectrum, isotropic, tail_as_modes

LAM, MANY, POWER = (
    np.array([1.0, 0.3, 0.05]),
    np.array([14.0, 20.0, 9.0]),
    np.array([0.5, 1.0, 0.2]),
)
COUNTS, WEIGHTS, NOISE = np.array([30.0, 6.0]), np.array([1.0, 5.0]), np.array([0.7, 0.4])
SPECTRUM = Spectrum(
    eigenvalues=LAM,
    multiplicity=MANY,
    power=POWER,
    tail_trace=np.array(0.0),
    tail_power=np.array(0.0),
)
GROUPS = Groups(counts=COUNTS, weights=WEIGHTS, noise=NOISE)
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])
P = 27.0
LEVEL = np.stack([LAM, np.ones(3)])  # l of a mode's two fields


def energy(ridges, covariance=0.0, target=0.0, noise=0.0, residual=0.0, alone=0.0):
    """F_1 at pairs of ridges (k, 2), moved by sources, each a number or (k,)."""
    k = len(ridges)

    def beside(source, values):
        return (np.broadcast_to(source, k)[:, None] * values)[:, :, None, None] * SWAP

    apart = np.einsum("ka,ab->kab", ridges, np.eye(2))
    on_rows = beside(covariance, LAM)
    on_features = beside(target, POWER / (LAM * MANY))
    c = WEIGHTS[:, None, None] * np.eye(2)
    c = c + beside(noise, NOISE * WEIGHTS**2) + beside(residual, WEIGHTS)
    first = alone * (NOISE * WEIGHTS**2)[:, None, None] * np.diag([1.0, 0.0])
    own = np.linalg.inv(c + first)
    tau = np.zeros((2, k, 2, 2), complex)
    for _ in range(1500):
        rows = np.linalg.inv(own + tau[0][:, None])
        features = np.linalg.inv(P * apart + tau[1])
        seen = np.einsum("g,kgab->kab", COUNTS, rows)[:, None] * LAM[:, None, None] + on_rows
        shown = P * features[:, None] + on_features
        unit = np.broadcast_to(np.eye(2), seen.shape)
        inverse = np.block([[seen, unit], [-unit, shown]])
        g = np.linalg.inv(inverse).reshape(k, len(LAM), 2, 2, 2, 2)  # field, copy, field, copy
        found = np.stack(
            [np.einsum("m,kmab->kab", MANY * one, g[:, :, a, :, a]) for a, one in enumerate(LEVEL)]
        )
        moved = np.max(np.abs(found - tau) / np.max(np.abs(found), axis=(2, 3), keepdims=True))
        tau = (tau + found) / 2
        if moved < 1e-13:
            break
    units = np.eye(4).reshape(4, 2, 2)
    inner = np.einsum(
        "m,am,bm,kmaibj,uje,kmbeah->kabuih", MANY, LEVEL, LEVEL, g, units, g, optimize=True
    )
    gamma = np.zeros((k, 2, 4, 2, 4), complex)  # field and unit of the result, and of the matrix
    for a, (number, t) in enumerate(((COUNTS, rows), (np.array([P]), features[:, None]))):
        turned = np.einsum("g,kgxi,kbuih,kghy->kbuxy", number, t, inner[:, a], t, optimize=True)
        gamma[:, a] = turned.reshape(k, 2, 4, 4).transpose(0, 3, 1, 2)
    whole = gamma.reshape(k, 8, 8)
    one, swapped = np.eye(4), np.eye(4)[[0, 2, 1, 3]]
    halves = [np.kron(np.eye(2), (one + sign * swapped) / 2) for sign in (1, -1)]
    parts = [np.log(np.linalg.det(np.eye(8) - whole @ half)) for half in halves]
    return 0.5 * (parts[0] - parts[1])


def differences(ridges, first, second, step=1e-3):
    """Mixed derivative by steps of the size of what a source stands beside; F is even in both."""
    inverse = 1 / np.sqrt(np.prod(ridges, axis=1))
    size = {"noise": 1.0, "residual": 1.0, "covariance": 1.0, "target": inverse}
    a, b = (size[name] * step for name in (first, second))
    up, down = (energy(ridges, **{first: a, second: sign * b}) for sign in (1, -1))
    return (up - down) / (2 * a * b)


@pytest.mark.parametrize(("time", "ridge"), [(2.0, 0.0), (40.0, 1.5)])
def test_shifts_are_differences_of_the_energy(time, ridge):
    nodes = contour(12)
    copies = COUNTS @ WEIGHTS
    upper = ridge + copies * nodes.nodes / time
    whole = np.concatenate([upper, np.conj(upper)])
    pairs = np.array([(s, z) for s in upper for z in whole])
    half = nodes.weights / nodes.nodes
    weight = (half[:, None] * np.concatenate([half, np.conj(half)])[None, :]).ravel()
    alone = sum(
        (energy(at, alone=1e-4) - energy(at, alone=-1e-4)) / 2e-4 for at in (pairs, pairs[:, ::-1])
    )
    expected = [
        0.5 * differences(pairs, "covariance", "target"),
        -0.5 * differences(pairs, "covariance", "noise"),
        0.5 * differences(pairs, "target", "residual") / copies,
        (-0.5 * differences(pairs, "noise", "residual") - alone) / copies,
    ]
    found = feature_flow_shift(SPECTRUM, GROUPS, time, ridge, P)
    assert found.status == Status.OK
    for name, table in zip(found._fields, expected, strict=False):
        value = 2 * np.sum(weight * table).real
        assert float(getattr(found, name)) == pytest.approx(value, rel=1e-3), name


def test_at_the_end_it_is_that_of_ridge_regression_on_features():
    plain = Groups(counts=np.array([25.0, 11.0]), weights=np.ones(2), noise=np.ones(2))
    found = feature_flow_shift(SPECTRUM, plain, 1e6, 0.5, P)
    ended = feature_next_order(SPECTRUM, 36.0, P, 0.5, 1.0)
    np.testing.assert_allclose(found[:2], ended[2:4], rtol=1e-6)
    left = what_is_left(SPECTRUM, plain, 0.5, P)
    np.testing.assert_allclose(left, ended[4:6], rtol=1e-10)


def test_at_the_end_copies_leave_what_they_leave_of_ridge_regression():
    """Rows of unequal weight: all four parts, by a contour and without one."""
    ended = feature_ridge_shift(SPECTRUM, GROUPS, P, 0.5)
    np.testing.assert_allclose(feature_flow_shift(SPECTRUM, GROUPS, 1e6, 0.5, P), ended, rtol=1e-6)


@pytest.mark.parametrize("p", [P, 200.0, np.inf])
def test_what_is_left_of_unequal_rows(p):
    """Unit noise V = x/(1 - x), x what is used up of the effective rows; and of the features."""
    left = what_is_left(SPECTRUM, GROUPS, 0.5, p)
    alike = dataclasses.replace(GROUPS, noise=np.ones(2))
    risk = repeated_feature_risk(SPECTRUM, alike, p, 0.5)
    rows = float(risk.effective_rows)
    assert float(left.rows) == pytest.approx(rows / (1 + float(risk.noise_variance)), rel=1e-10)
    if np.isinf(p):
        assert np.isinf(left.features)
        return
    used = MANY @ (LAM / (LAM + float(risk.gamma))) ** 2
    held = float(left.rows) * (p - used)  # a determinant, seen from the other side
    assert float(left.features) * (rows - used) == pytest.approx(held, rel=1e-10)


def tailed(**values):
    return dataclasses.replace(SPECTRUM, **{k: np.array(v) for k, v in values.items()})


NOBODY = Groups(counts=np.zeros(2), weights=WEIGHTS, noise=NOISE)
UNLIT = dataclasses.replace(SPECTRUM, eigenvalues=np.zeros(3))


@pytest.mark.parametrize(
    ("spectrum", "groups", "time", "ridge", "p"),
    [
        (SPECTRUM, GROUPS, 0.0, 0.0, 20.0),
        (SPECTRUM, GROUPS, 1.0, 0.0, 0.0),
        (SPECTRUM, GROUPS, 1.0, -1e-3, 20.0),
        (SPECTRUM, NOBODY, 1.0, 0.0, 20.0),
        (UNLIT, GROUPS, 1.0, 0.0, 20.0),
        (tailed(tail_trace=0.1), GROUPS, 1.0, 0.0, 20.0),
    ],
)
def test_wrong_inputs_are_out_of_scope(spectrum, groups, time, ridge, p):
    flowing = feature_flow_shift(spectrum, groups, time, ridge, p)
    begun = feature_start_shift(spectrum, groups, time, ridge, p)
    made = [flowing, begun]
    if time and not spectrum.tail_trace:  # the end has a tail and no time
        made.append(feature_ridge_shift(spectrum, groups, p, ridge))
    for found in made:
        assert found.status == Status.OUT_OF_SCOPE
        assert np.isnan(found[:-1]).all()


def test_a_target_on_a_tail_has_no_flow_but_a_start():
    hidden = tailed(tail_power=0.1)
    assert feature_flow_shift(hidden, GROUPS, 1.0, 0.0, P).status == Status.OUT_OF_SCOPE
    assert feature_start_shift(hidden, GROUPS, 1.0, 0.0, P).status == Status.OK


def test_rows_without_weight_are_not_there():
    absent = Groups(counts=np.array([30.0, 9.0]), weights=np.array([1.0, 0.0]), noise=NOISE)
    alone = Groups(counts=np.array([30.0, 0.0]), weights=np.array([1.0, 5.0]), noise=NOISE)
    for of in (
        lambda rows: feature_flow_shift(SPECTRUM, rows, 2.0, 0.3, P),
        lambda rows: feature_start_shift(SPECTRUM, rows, 2.0, 0.3, P),
        lambda rows: feature_ridge_shift(SPECTRUM, rows, P, 0.3),
    ):
        np.testing.assert_allclose(of(absent), of(alone), rtol=1e-10)


def test_modes_that_are_not_there_or_without_variance_do_not_count():
    few = dict(multiplicity=MANY * [1, 1, 0], power=POWER * [1, 1, 0])
    for of in (
        lambda modes: feature_flow_shift(modes, GROUPS, 2.0, 0.3, P),
        lambda modes: feature_start_shift(modes, GROUPS, 2.0, 0.3, P),
        lambda modes: feature_ridge_shift(modes, GROUPS, P, 0.3),
    ):
        none, large, dead = (of(tailed(eigenvalues=LAM * [1, 1, by], **few)) for by in (1, 100, 0))
        np.testing.assert_allclose(large, none, rtol=1e-10)
        np.testing.assert_allclose(dead, none, rtol=1e-10)


@pytest.mark.parametrize(("n", "p", "ridge"), [(60, 40, 0.1), (40, 60, 1e-4)])
def test_ridge_on_equal_rows_is_the_form_with_three_derivatives(n, p, ridge):
    slow = tailed(tail_trace=0.3, tail_power=0.1)
    plain = feature_next_order(slow, n, p, ridge, 0.4)
    found = feature_ridge_shift(slow, plain_rows(n, 0.4), p, ridge)
    assert found.status == Status.OK
    assert float(found.signal) == pytest.approx(float(plain.signal_shift), rel=1e-5)
    assert float(found.noise) == pytest.approx(float(plain.noise_shift), rel=1e-5)
    whole = tail_as_modes(slow, 1e9)
    left = (
        what_is_left(slow, plain_rows(n, 0.4), ridge, p),
        what_is_left(whole, plain_rows(n, 0.4), ridge, p),
    )
    np.testing.assert_allclose(left[0], left[1], rtol=1e-6)
    np.testing.assert_allclose(left[0], (plain.rows_left, plain.features_left), rtol=1e-6)


def test_no_ridge_is_least_squares():
    """Of p features on n rows: p/(n - p - 1) less p/(n - p), to its leading order p/(n - p)^2."""
    for p, of in ((50, 50), (np.inf, 90)):
        shift = feature_ridge_shift(isotropic(90), plain_rows(100, 1.0), p, 0.0)
        assert float(shift.noise) == pytest.approx(of / (100 - of) ** 2, rel=1e-7)


def test_repeated_rows_on_features_against_simulation():
    """Ridge regression and what is left of a start, both with their next order."""
    rng, made, ridge, time = np.random.default_rng(5), [], 0.5, 4.0
    many, lam = MANY.astype(int), np.repeat(LAM, MANY.astype(int))
    c, v = (np.repeat(values, COUNTS.astype(int)) for values in (WEIGHTS, NOISE))
    w = np.repeat(np.sqrt(POWER / (LAM * MANY)), many)
    for _ in range(500):
        x = rng.standard_normal((len(c), many.sum())) * np.sqrt(lam)
        f = rng.standard_normal((int(P), many.sum())) / np.sqrt(P)
        phi, seen = x @ f.T, (f * lam) @ f.T
        values, vectors = np.linalg.eigh((phi.T * c) @ phi)
        fit = (vectors / (values + ridge)) @ vectors.T @ (phi.T * c)
        misfit = f.T @ (fit @ (x @ w)) - w
        left = np.exp(-2 * values / c.sum() * time)
        start = np.einsum("ij,ij,j->", vectors, seen @ vectors, left), values @ left / c.sum()
        made.append((misfit @ (lam * misfit), np.einsum("in,ij,jn->n", fit, seen, fit) @ v, *start))
    mean, error = np.mean(made, axis=0), np.std(made, axis=0) / np.sqrt(len(made))
    risk = repeated_feature_risk(SPECTRUM, GROUPS, P, ridge)
    shift = feature_ridge_shift(SPECTRUM, GROUPS, P, ridge)
    begun = start_left(SPECTRUM, GROUPS, time, 0.0, P)
    moved = feature_start_shift(SPECTRUM, GROUPS, time, 0.0, P)
    assert max(risk.status, shift.status, begun.status, moved.status) == Status.OK
    limits = risk.excess_risk - risk.noise_variance, risk.noise_variance, begun.test, begun.train
    by = np.array([shift.signal, shift.noise, moved.test, moved.train])
    scores = (mean - np.array(limits) - by) / error
    assert np.all(np.abs(scores) < 4), scores
    assert np.all(np.abs(by[2:]) > 2.5 * error[2:])  # so that it is seen
    faded = start_left(SPECTRUM, GROUPS, time, 3.0, P).test / begun.test
    assert float(faded) == pytest.approx(np.exp(-2 * time * 3.0 / (COUNTS @ WEIGHTS)))


def test_many_features_leave_of_a_start_what_inputs_do():
    time = 3.0
    inputs, many = (start_left(SPECTRUM, GROUPS, time, 0.2, p) for p in (np.inf, 1e12))
    np.testing.assert_allclose(many[:2], inputs[:2], rtol=1e-8)
    one = start_shift(SPECTRUM, GROUPS, time, 0.2)
    two = feature_start_shift(SPECTRUM, GROUPS, time, 0.2, 1e12)
    np.testing.assert_allclose(two[:2], one[:2], rtol=1e-6)
    outside = start_left(SPECTRUM, GROUPS, time, 0.2, 0.0)
    assert (outside.status, np.isnan(outside.test)) == (Status.OUT_OF_SCOPE, True)
