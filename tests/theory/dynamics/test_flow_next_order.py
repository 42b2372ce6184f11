"""The next order of gradient flow: differences of the energy it derives from, and simulation.

The oracle solves the saddle point of two copies as it stands, by iteration, in 2 x 2 matrices, and
takes finite differences of log det(1 - Gamma) with Gamma written out on the basis of all 2 x 2
matrices. The package has neither.
"""

import dataclasses

import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.dynamics.flow_next_order import flow_shift, start_shift, what_is_left
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import Spectrum

LAM, MANY, POWER = (
    np.array([1.0, 0.3, 0.05]),
    np.array([14.0, 20.0, 9.0]),
    np.array([0.5, 1.0, 0.2]),
)
COUNTS, WEIGHTS, NOISE = np.array([30.0, 6.0]), np.array([1.0, 5.0]), np.array([0.7, 0.4])
SPECTRUM = Spectrum(eigenvalues=LAM, multiplicity=MANY, power=POWER, tail_trace=0.0, tail_power=0.0)
GROUPS = Groups(counts=COUNTS, weights=WEIGHTS, noise=NOISE)
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


def energy(ridges, covariance=0.0, target=0.0, noise=0.0, residual=0.0, alone=0.0):
    """F_1 at pairs of ridges (k, 2), moved by sources, each a number or (k,)."""
    k = len(ridges)

    def beside(source, values):
        return (np.broadcast_to(source, k)[:, None] * values)[:, :, None, None]

    m = np.zeros((k, len(LAM), 2, 2), complex)
    m[:, :, 0, 0], m[:, :, 1, 1] = ridges[:, [0]], ridges[:, [1]]
    m = m + (beside(covariance, LAM) + beside(target, POWER / (LAM * MANY))) * SWAP
    c = WEIGHTS[:, None, None] * np.eye(2)
    c = c + (beside(noise, NOISE * WEIGHTS**2) + beside(residual, WEIGHTS)) * SWAP
    own = np.linalg.inv(c + beside(alone, NOISE * WEIGHTS**2) * np.diag([1.0, 0.0]))
    tau = np.zeros((k, 2, 2), complex)
    for _ in range(250):
        rows = np.linalg.inv(own + tau[:, None])
        rho = np.einsum("g,kgab->kab", COUNTS, rows)
        modes = np.linalg.inv(LAM[:, None, None] * rho[:, None] + m)
        tau = np.einsum("m,kmab->kab", MANY * LAM, modes)
    units = np.eye(4).reshape(4, 2, 2)
    inner = np.einsum("m,kmab,ubc,kmcd->kuad", MANY * LAM**2, modes, units, modes, optimize=True)
    gamma = np.einsum("g,kgab,kubc,kgcd->kuad", COUNTS, rows, inner, rows, optimize=True)
    one, swapped = np.eye(4), np.eye(4)[[0, 2, 1, 3]]
    even, odd = (one + swapped) / 2, (one - swapped) / 2  # projections on symmetric and the rest
    whole = gamma.reshape(k, 4, 4).swapaxes(1, 2)
    parts = [np.log(np.linalg.det(one - whole @ half)) for half in (even, odd)]
    return 0.5 * (parts[0] - parts[1])


def differences(ridges, first, second, step=1e-3):
    """Mixed derivative by steps of the size of what a source stands beside; F is even in both."""
    size = {"noise": 1.0, "residual": 1.0}
    a, b = (size.get(name, np.sqrt(np.prod(ridges, axis=1))) * step for name in (first, second))
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
    squared = np.prod(pairs, axis=1)

    step = 1e-4
    alone = sum(
        (energy(at, alone=step) - energy(at, alone=-step)) / (2 * step)
        for at in (pairs, pairs[:, ::-1])
    )
    expected = [
        -0.5 * squared * differences(pairs, "covariance", "target"),
        -0.5 * differences(pairs, "covariance", "noise"),
        -0.5 * squared * differences(pairs, "target", "residual") / copies,
        (-0.5 * differences(pairs, "noise", "residual") - alone) / copies,
    ]
    found = flow_shift(SPECTRUM, GROUPS, time, ridge)
    assert found.status == Status.OK
    for name, table in zip(found._fields, expected, strict=False):
        value = 2 * np.sum(weight * table).real
        assert float(getattr(found, name)) == pytest.approx(value, rel=1e-3), name


def test_the_shift_of_a_start_is_a_difference_of_the_energy():
    time, step = 3.0, 1e-4
    nodes = contour(16)
    copies = COUNTS @ WEIGHTS
    ridges = copies * nodes.nodes / (2 * time)
    moved = {"covariance": [], "ridge": []}
    for s in ridges:
        up, down = (energy(np.array([[s * (1 + h), s]]))[0] for h in (step, -step))
        moved["ridge"].append((up - down) / (2 * step * s))
        moved["covariance"].append(_by_covariance(s, step))
    test = 2 * np.sum(nodes.weights * copies * np.array(moved["covariance"])).real / (2 * time)
    train = (
        -2
        * np.sum(nodes.weights * nodes.nodes * copies * np.array(moved["ridge"])).real
        / (2 * time) ** 2
    )
    found = start_shift(SPECTRUM, GROUPS, time, 0.0)
    assert float(found.test) == pytest.approx(test, rel=1e-4)
    assert float(found.train) == pytest.approx(train, rel=1e-4)
    decayed = start_shift(SPECTRUM, GROUPS, time, 2.0)
    fade = np.exp(-2 * time * 2.0 / copies)
    assert float(decayed.test) == pytest.approx(fade * test, rel=1e-4)


def _by_covariance(s, step):
    """Difference of 1/2 log(1 - gamma) of one copy whose modes have the ridge s + t lambda."""

    def single(t):
        tau = 0.0
        for _ in range(400):
            rows = WEIGHTS / (1 + WEIGHTS * tau)
            modes = 1 / ((COUNTS @ rows) * LAM + s + t * LAM)
            tau = np.sum(MANY * LAM * modes)
        return 0.5 * np.log(1 - (COUNTS @ rows**2) * np.sum(MANY * (LAM * modes) ** 2))

    h = step * s
    return (single(h) - single(-h)) / (2 * h)


def test_free_rows_are_those_of_ridge_regression():
    ridge = 2.0
    at = weighted_ridge_risk(SPECTRUM, GROUPS, ridge).fixed_point
    x = LAM / (LAM + float(at.kappa))
    expected = float(at.effective_rows) - MANY @ x**2
    assert float(what_is_left(SPECTRUM, GROUPS, ridge).rows) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("changed", "counts", "time", "ridge"),
    [
        ({}, COUNTS, 0.0, 0.0),
        ({}, COUNTS, 1.0, -1.0),
        ({}, 0 * COUNTS, 1.0, 0.0),
        ({"tail_trace": 1.0}, COUNTS, 1.0, 0.0),
        ({"tail_power": 1.0}, COUNTS, 1.0, 0.0),
        ({"eigenvalues": 0 * LAM}, COUNTS, 1.0, 0.0),
    ],
)
def test_wrong_inputs_are_out_of_scope(changed, counts, time, ridge):
    spectrum = dataclasses.replace(SPECTRUM, **changed)
    groups = dataclasses.replace(GROUPS, counts=counts)
    made = [flow_shift(spectrum, groups, time, ridge)]
    if ridge == 0:  # a decay is a factor
        made.append(start_shift(spectrum, groups, time, ridge))
    for found in made:
        assert found.status == Status.OUT_OF_SCOPE
        assert np.isnan(found[:-1]).all()


def test_what_is_not_there_does_not_count():
    absent = Groups(counts=np.array([30.0, 9.0]), weights=np.array([1.0, 0.0]), noise=NOISE)
    alone = Groups(counts=np.array([30.0, 0.0]), weights=np.array([1.0, 5.0]), noise=NOISE)
    for of in (flow_shift, start_shift):
        one, other = (of(SPECTRUM, rows, 2.0, 0.3) for rows in (absent, alone))
        np.testing.assert_allclose(one, other, rtol=1e-10)
    dead = dataclasses.replace(SPECTRUM, eigenvalues=LAM * [1, 1, 0], power=POWER * [1, 1, 0])
    assert np.isfinite(flow_shift(dead, GROUPS, 1.0, 0.0).signal)
    few = dict(multiplicity=MANY * [1, 1, 0], power=POWER * [1, 1, 0])
    for of in (flow_shift, start_shift):
        none, large, dead = (
            of(dataclasses.replace(SPECTRUM, eigenvalues=LAM * [1, 1, by], **few), GROUPS, 2.0, 0.3)
            for by in (1, 100, 0)
        )
        np.testing.assert_allclose(large, none, rtol=1e-10)
        np.testing.assert_allclose(dead, none, rtol=1e-10)
