"""Leverages row by row: equal rows exactly, the loss differentiated, unequal rows simulated."""

import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.rows import row_leverages
from ci_theory.theory.rows.finite_population import population_risk
from ci_theory.theory.rows.row_leverages import row_risk
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import explicit

NOISE = 0.3


def _total(risk):
    return np.array([risk.signal + risk.noise, *(risk.residual_signal + risk.residual_noise)])


@pytest.mark.parametrize(
    ("fresh", "repeated", "repeats", "ridge"),
    [(15, 8, 5, 0.1), (30, 10, 3, 5.0), (10, 10, 7, 1e-6), (12, 9, 4, 0.0), (1, 40, 2, 1e4)],
)
def test_rows_that_are_all_alike_have_the_leverage_of_a_haar_frame(fresh, repeated, repeats, ridge):
    """A circulant kernel: every row is every other one, shifted; any target."""
    size = 60
    mode = np.arange(size)
    values = (1.0 + np.minimum(mode, size - mode)) ** -1.3
    waves = np.fft.fft(np.eye(size)) / np.sqrt(size)
    kernel = (waves.conj().T @ np.diag(size * values) @ waves).real
    target = np.random.default_rng(0).normal(size=size)
    squares = np.abs(waves @ target) ** 2 / size / values
    groups = repeated_rows(fresh, repeated, repeats, NOISE, True)
    equal = population_risk(explicit(values, squares), size, groups, ridge)
    counts, weights = np.array([fresh, repeated]), np.array([1, repeats])
    found = row_risk(kernel, target, counts, weights, np.full(2, NOISE), ridge)
    assert found.status == Status.OK
    np.testing.assert_allclose(
        _total(found), [equal.excess_risk, *np.asarray(equal.residual)], rtol=1e-8, atol=1e-30
    )
    np.testing.assert_allclose(found.leverage, equal.leverage, rtol=1e-8)


SIZE, SHARES, WEIGHTS, RIDGE = 14, np.array([0.3, 0.25]), np.array([1.0, 4.0]), 0.4


def _uneven(rng, size, p):
    """Rows of very different lengths, on modes of very different strength."""
    scale = np.exp(0.8 * rng.normal(size=size))
    return scale[:, None] * rng.normal(size=(size, p)) * np.arange(1.0, p + 1) ** -0.7


def _memory(features, weights):
    """Return what a row keeps of itself, the strength of rows and the inverse behind a fit.

    The unknown q_i = x_i'(fit without i)x_i is found by plain iteration of its defining equations,
    in the space of the features.
    """
    shares = np.array([1 - SHARES.sum(), *SHARES])
    q = np.ones(len(features))
    for _ in range(400):
        miss = 1 / (1 + weights * q)
        strength = shares @ (weights * miss) / (shares @ miss)
        inverse = np.linalg.inv(
            features.T @ (strength[:, None] * features) + RIDGE * np.eye(features.shape[1])
        )
        q = np.sum((features @ inverse) * features, axis=1) / (shares @ miss)
    return 1 / (1 + weights * q), strength, inverse


def _mean_minimal_loss(features, target, at, weight, noise):
    """Mean over draws of min_w sum c (y - x.w)^2 + ridge |w|^2, row ``at`` kept with ``weight``.

    That is when the row is drawn for nothing else.
    """
    weights = np.tile(np.array([0.0, *WEIGHTS])[:, None], (1, len(target)))
    weights[0, at] = weight
    shares = np.array([1 - SHARES.sum(), *SHARES])
    miss, strength, inverse = _memory(features, weights)
    fit = features @ (inverse @ (features.T @ (strength * target)))
    pull = shares[1:] @ (weights * miss)[1:]
    return strength @ (target * (target - fit)) + noise * pull.sum()


@pytest.mark.parametrize("noise", [0.0, NOISE])
def test_the_errors_are_derivatives_of_the_mean_minimal_loss(noise):
    rng = np.random.default_rng(3)
    features, target = _uneven(rng, SIZE, 9), rng.normal(size=SIZE)
    step, left = 2e-6, 1 - SHARES.sum()
    slopes = [
        _mean_minimal_loss(features, target, at, step, noise)
        - _mean_minimal_loss(features, target, at, -step, noise)
        for at in range(SIZE)
    ]
    found = row_risk(
        features @ features.T, target, SIZE * SHARES, WEIGHTS, np.full(2, noise), RIDGE
    )
    wanted = np.mean(slopes) / (2 * step * left)
    np.testing.assert_allclose(found.signal + found.noise, wanted, rtol=1e-6)


def test_first_steps_of_single_precision_leave_every_digit_to_the_last_ones():
    """More rows than a block has, and too small a ridge for single precision alone."""
    rng = np.random.default_rng(7)
    size = 300
    features, target = 30 * _uneven(rng, size, 40), rng.normal(size=size)
    kernel = features @ features.T
    found = row_risk(kernel, target, size * SHARES, WEIGHTS, np.full(2, NOISE), RIDGE)
    weights = np.tile(np.array([0.0, *WEIGHTS])[:, None], (1, size))
    miss, strength, inverse = _memory(features, weights)
    np.testing.assert_allclose(1 - found.leverage, miss[1:].mean(axis=1), rtol=1e-11)
    smoother = row_leverages._smoother(kernel, strength / RIDGE)
    np.testing.assert_allclose(smoother / RIDGE, features @ inverse @ features.T, atol=1e-11)


def _draw(rng, kernel, target, n, repeated, repeats, ridge):
    order = rng.permutation(len(target))
    kept, out = order[:n], order[n:]
    weights = np.where(np.arange(n) < repeated, repeats, 1.0)
    gram = kernel[np.ix_(kept, kept)]
    fit = np.linalg.solve(gram * weights + ridge * np.eye(n), np.eye(n))
    far = kernel[np.ix_(out, kept)] * weights @ fit
    near = np.eye(n) - gram * weights @ fit
    test = np.mean((target[out] - far @ target[kept]) ** 2 + NOISE * np.sum(far**2, axis=1))
    miss = (near @ target[kept]) ** 2 + NOISE * np.sum(near**2, axis=1)
    return test, np.mean(miss[repeated:]), np.mean(miss[:repeated])


def test_rows_of_unequal_length_against_simulation():
    """Equal leverages are far off; leverages of the rows' own are not."""
    rng = np.random.default_rng(5)
    size, p, n, repeated, repeats, ridge = 400, 120, 90, 30, 3, 0.5
    features = _uneven(rng, size, p)
    target = features @ rng.normal(size=p) + 0.3 * rng.normal(size=size)
    kernel = features @ features.T
    runs = np.array([_draw(rng, kernel, target, n, repeated, repeats, ridge) for _ in range(300)])
    mean, error = runs.mean(axis=0), runs.std(axis=0) / np.sqrt(len(runs))
    counts, weights = np.array([n - repeated, repeated]), np.array([1, repeats])
    found = row_risk(kernel, target, counts, weights, np.full(2, NOISE), ridge)
    unsettled = found.unsettled_signal + found.unsettled_noise
    assert np.all(unsettled < 0.1 * _total(found)[1:])
    assert np.all(np.abs(mean - _total(found))[1:] < 2 * unsettled + 3.5 * error[1:])
    assert abs(mean[0] - _total(found)[0]) < 0.05 * mean[0] + 3.5 * error[0]

    values, vectors = np.linalg.eigh(kernel)
    learnt = values > 1e-9
    squares = (vectors.T @ target)[learnt] ** 2 / values[learnt]
    rest = np.sum((vectors.T @ target)[~learnt] ** 2) / size
    spectrum = explicit(values[learnt] / size, squares)
    groups = repeated_rows(n - repeated, repeated, repeats, NOISE + rest, True)
    equal = population_risk(spectrum, size, groups, ridge)
    assert abs(mean[1] - float(equal.residual[0])) > 10 * error[1] + 4 * unsettled[0]


def test_what_is_unsettled_is_the_curvature_of_the_residual_at_a_memory_that_varies():
    """(1 - h)^2 with 1 - h = ridge/(ridge + Q), averaged over Q from draw to draw."""
    size, n, ridge, rng = 120, 60, 100.0, np.random.default_rng(1)
    mode = np.arange(size)
    values = (1.0 + np.minimum(mode, size - mode)) ** -1.3
    waves = np.fft.fft(np.eye(size)) / np.sqrt(size)
    kernel = (waves.conj().T @ np.diag(size * values) @ waves).real  # all rows alike
    memory = []
    for _ in range(100):
        order = rng.permutation(size)
        kept, out = order[:n], order[n:]
        far = kernel[np.ix_(out, kept)]
        gram = kernel[np.ix_(kept, kept)] + ridge * np.eye(n)
        memory.append(kernel[0, 0] - np.sum(far @ np.linalg.inv(gram) * far, axis=1))
    miss = (ridge / (ridge + np.concatenate(memory))) ** 2
    typical = (ridge / (ridge + np.mean(memory))) ** 2
    found = row_risk(kernel, rng.normal(size=size), [n], [1.0], [NOISE], ridge)
    share = found.unsettled_noise / found.residual_noise
    assert share == pytest.approx(miss.mean() / typical - 1, rel=0.2)
    assert found.unsettled_signal / found.residual_signal == pytest.approx(share, rel=1e-6)


def test_the_guess_does_not_matter_but_for_the_steps(monkeypatch):
    """One answer from near and from far; a step before it has settled there is none."""
    rng = np.random.default_rng(3)
    features, target = _uneven(rng, SIZE, 9), rng.normal(size=SIZE)

    def risk(start=None):
        noise = np.full(2, NOISE)
        kernel = features @ features.T
        return row_risk(kernel, target, SIZE * SHARES, WEIGHTS, noise, RIDGE, start)

    def steps(start):
        for count in range(1, 60):
            monkeypatch.setattr(row_leverages, "STEPS", count)
            if (made := risk(start)).status == Status.OK:
                return count, _total(made)
        raise AssertionError("never settled")

    wanted = _total(risk())
    taken = {start: steps(start) for start in (None, -1.0, 0.3, 1e5)}
    for _, found in taken.values():
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert taken[-1.0][0] == taken[None][0] < min(taken[0.3][0], taken[1e5][0])


def test_impossible_inputs_are_statuses():
    kernel, target = np.eye(6), np.ones(6)
    for n, weight, ridge in ((6, 1.0, 0.1), (0, 1.0, 0.1), (3, 0.0, 0.1), (3, 1.0, -1.0)):
        risk = row_risk(kernel, target, [n], [weight], [0.1], ridge)
        assert risk.status == Status.OUT_OF_SCOPE
        assert np.isnan(risk.signal)
    odd = row_risk(kernel, target, [4, -1], [1.0, 2.0], [0.1, 0.1], 0.1)
    assert odd.status == Status.OUT_OF_SCOPE
    assert np.isnan(np.hstack([v for k, v in odd._asdict().items() if k != "status"])).all()
    flat = np.ones((6, 6))
    assert row_risk(flat, target, [3], [1.0], [0.1], 0.0).status == Status.NOT_CONVERGED
    assert row_risk(flat, target, [3], [1.0], [0.1], 0.5, start=np.nan).status == Status.OK
