"""Flow of any spectrum: against 40 digits, closed forms, static limits and simulation."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.dynamics.flow import flow_risk, weighted_flow_risk
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.features.random_features import random_feature_risk
from ci_theory.theory.features.repeated_features import repeated_feature_risk
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, power_law, two_block

INF = np.inf
TWO = two_block(200, 200, 1.0, 0.01, 0.2, 100.0)
HALVES = two_block(150, 150, 1.0, 0.02, 0.5, 50.0)
TRACES = []


@jax.jit
def _batch(spectrum, groups, table):
    """Eight points (time, ridge, p) at once: one compilation for the whole file."""
    TRACES.append(None)
    return jax.vmap(weighted_flow_risk, (None, 0, 0, 0, 0))(spectrum, groups, *table)


def weighted(spectrum, rows, points):
    """Evaluate points of (time, ridge, p), each with the rows, or with its own of a list."""
    rows = rows if isinstance(rows, list) else [rows] * len(points)
    rows = [jax.tree.map(lambda leaf: np.pad(leaf, (0, 2 - len(leaf))), r) for r in rows]
    parts = []
    for i in range(0, len(points), 8):
        some, theirs = list(points[i : i + 8]), rows[i : i + 8]
        some += [some[-1]] * (8 - len(some))
        theirs += [theirs[-1]] * (8 - len(theirs))
        groups = jax.tree.map(lambda *leaves: np.stack(leaves), *theirs)
        parts.append(_batch(spectrum, groups, np.array(some, dtype=float).T))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(points)], *parts)


def plain(spectrum, points):
    """Evaluate points of (n, time, ridge, noise, p)."""
    rows = [plain_rows(n, noise) for n, _, _, noise, _ in points]
    found = weighted(spectrum, rows, [(t, ridge, p) for _, t, ridge, _, p in points])
    return found._replace(train_error=found.train_error[:, 0])


# --- 40 digits --------------------------------------------------------------------------------


def effective_ridge(blocks, n, p, level):
    """The root of level = k (1 - df1/n)(1 - df1/p) in the sector of the level: all roots tried.

    ``blocks`` are (modes, variance, |w|^2). Multiplied out over the two variances.
    """
    (m1, t1, _), (m2, t2, _) = blocks

    def product(a, b):
        out = [mp.mpf(0)] * (len(a) + len(b) - 1)
        for (i, x), (j, y) in itertools.product(enumerate(a), enumerate(b)):
            out[i + j] += x * y
        return out

    if p == INF:  # one factor less, or the variances would be roots of their own
        left = [m1 * t1 * t2 + m2 * t1 * t2, m1 * t1 + m2 * t2]
        whole = product([t1, mp.mpf(1)], [t2, mp.mpf(1)])
        rows = [w - (left[i] / n if i < 2 else 0) for i, w in enumerate(whole)]
        terms = [v - level * c for v, c in zip([mp.mpf(0), *rows], [*whole, 0], strict=True)]
        roots = mp.polyroots(terms[::-1], 400, extraprec=200)
        found = [k for k in roots if 0 < mp.arg(k) / mp.arg(level) < 1]
        assert len(found) == 1
        return found[0]
    one = [t1, mp.mpf(1)]
    two = [t2, mp.mpf(1)]
    whole = product(one, two)
    learned = [m1 * t1 * c for c in two]
    for i, c in enumerate(one):
        learned[i] += m2 * t2 * c
    learned.append(mp.mpf(0))
    rows = [w - u / n for w, u in zip(whole, learned, strict=True)]
    features = [w - u / p for w, u in zip(whole, learned, strict=True)]
    left = product([mp.mpf(0), mp.mpf(1)], product(rows, features))
    right = [level * c for c in product(whole, whole)]
    right += [mp.mpf(0)] * (len(left) - len(right))
    roots = mp.polyroots(
        [a - b for a, b in zip(left, right, strict=True)][::-1], 400, extraprec=200
    )

    def degrees(k):
        return m1 * t1 / (t1 + k) + m2 * t2 / (t2 + k)

    def inside(k):
        z = degrees(k)
        rests = [k * (1 - z / n), k * (1 - z / p)]
        turn = mp.arg(level)
        return all(0 < mp.arg(v) / turn < 1 for v in [k, *rests])

    found = [k for k in roots if inside(k)]
    assert len(found) == 1
    return found[0]


def two_point_reference(blocks, n, time, ridge, noise, p, count=40):
    """The published quotient form, by 40 nodes and 40 digits."""
    theta = [mp.pi * (2 * k + 1) / count for k in range(count // 2)]
    a = mp.mpf("0.6407")
    z, w = [], []
    for th in theta:
        cot = mp.cot(a * th)
        z.append(
            count * (mp.mpf("0.5017") * th * cot - mp.mpf("0.6122") + mp.mpf("0.2645") * 1j * th)
        )
        slope = mp.mpf("0.5017") * (cot - a * th / mp.sin(a * th) ** 2) + mp.mpf("0.2645") * 1j
        w.append(mp.exp(z[-1]) * slope / 1j)
    points = []
    for node, weight in zip(z, w, strict=True):
        k2 = effective_ridge(blocks, n, p, ridge / mp.mpf(n) + node / time)
        points.append((node, weight, k2))
    both = points + [tuple(mp.conj(v) for v in point) for point in points]

    def levels(k2):
        df1 = sum(m * t / (t + k2) for m, t, _ in blocks)
        k1 = k2 * (1 - (df1 / p if p != INF else 0))
        return k1, df1, k2 / k1 * sum(s * t / (t + k2) for _, t, s in blocks)

    total = mp.mpf(0)
    for (z1, w1, k), (z2, w2, k_o) in itertools.product(points, both):
        if k == k_o:  # the diagonal as a limit: a far smaller shift than the digits asked for
            k_o = k_o * (1 + mp.mpf("1e-14"))
        (k1, d, q), (l1, e, r) = levels(k), levels(k_o)
        bias = -k1 * l1 * (q - r) / (k1 - l1)
        second = (k1 * d - l1 * e) / (k1 - l1)
        total += w1 * w2 * (bias + noise * second / n) / (1 - second / n) / (z1 * z2)
    return 2 * mp.re(total)


def test_forty_digits():
    points = [
        (400, 0.3, 0.0, 0.64, INF),
        (400, 10.0, 0.0, 0.64, INF),
        (400, 3000.0, 2.0, 0.64, INF),
        (150, 3.0, 0.0, 0.25, 250.0),
        (250, 80.0, 0.5, 0.25, 150.0),
    ]
    blocks = {400: [(200, 1.0, 0.2), (200, 0.01, 100.0)], 0: [(150, 1.0, 0.5), (150, 0.02, 50.0)]}
    with mp.workdps(40):
        for point in points:
            n, *_ = point
            spectrum = TWO if n == 400 else HALVES
            rows = [tuple(mp.mpf(v) for v in b) for b in blocks[400 if n == 400 else 0]]
            found = plain(spectrum, [point])
            want = two_point_reference(rows, *point)
            off = abs(float(found.excess_risk[0]) / want - 1)
            assert off < 1e-12, (point, float(off))
            # the stated error is an upper bound, and not idle
            assert off < found.residual[0] < 1e-10, point


# --- closed forms and limits ------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), [(100, 50), (100, 100), (60, 100), (100, 99)])
def test_isotropic_flow_has_a_closed_form(n, p):
    times = [0.0, 1e-6, 1e-2, 1.0, 30.0, 1e3, 1e6, 1e10]
    for ridge in (0.0, 0.3):
        found = plain(
            two_block(p - 1, 1, 1.0, 1.0, 0.9, 0.1), [(n, t, ridge, 0.3, INF) for t in times]
        )
        assert np.all(found.status == Status.OK)
        for i, t in enumerate(times):
            want = isotropic_flow(n, p, t, 0.3, ridge=ridge)
            assert found.excess_risk[i] == pytest.approx(float(want.excess_risk), rel=1e-12)
            assert found.bias[i] + found.signal_variance[i] == pytest.approx(
                float(want.bias), rel=1e-11
            )
            assert found.train_error[i] == pytest.approx(
                float(want.train_error), rel=1e-11, abs=1e-13
            )


def test_endless_training_is_ridge_regression():
    points = [
        (n, INF, ridge, 0.25, p)
        for n, ridge, p in [
            (150, 0.0, INF), (150, 0.3, INF), (500, 0.0, INF), (300, 1e-3, INF),
            (150, 0.0, 250), (150, 0.3, 250), (250, 0.0, 150), (150, 1e-3, 150),
        ]
    ]  # fmt: skip
    found = plain(HALVES, points)
    assert np.all(found.status == Status.OK)
    for i, (n, _, ridge, noise, p) in enumerate(points):
        if p == INF:
            want = ridge_risk(HALVES, n, ridge, noise)
            parts = [want.bias, want.signal_variance, want.noise_variance]
            got = [found.bias[i], found.signal_variance[i], found.noise_variance[i]]
            np.testing.assert_allclose(got, parts, rtol=1e-11, atol=1e-13)
        else:
            want = random_feature_risk(HALVES, n, p, ridge, noise)
        assert found.excess_risk[i] == pytest.approx(float(want.excess_risk), rel=1e-12)
        assert found.train_error[i] == pytest.approx(float(want.train_error), rel=1e-11, abs=1e-13)


def test_endless_training_on_repeated_rows_is_weighted_ridge_regression():
    rows = repeated_rows(120, 20, 10, 0.3, True)
    cases = [(INF, 0.0), (INF, 2.0), (250.0, 0.0), (100.0, 0.0), (250.0, 2.0)]
    found = weighted(HALVES, rows, [(INF, ridge, p) for p, ridge in cases])
    for i, (p, ridge) in enumerate(cases):
        if p == INF:
            want = weighted_ridge_risk(HALVES, rows, ridge)
        else:
            want = repeated_feature_risk(HALVES, rows, p, ridge)
        assert found.excess_risk[i] == pytest.approx(float(want.excess_risk), rel=1e-12)
        np.testing.assert_allclose(found.train_error[i], want.residual, rtol=1e-11, atol=1e-13)


def test_equal_weights_are_plain_rows_with_less_ridge():
    """Time is counted in steps on the mean loss, so c copies of everything change nothing."""
    for time, ridge, p in [(0.5, 0.0, INF), (20.0, 3.0, INF), (7.0, 3.0, 90.0)]:
        rows = Groups(counts=np.array([60.0, 40.0]), weights=np.full(2, 7.0), noise=np.full(2, 0.3))
        found = weighted(HALVES, rows, [(time, 7 * ridge, p)])
        want = plain(HALVES, [(100, time, ridge, 0.3, p)])
        assert found.excess_risk[0] == pytest.approx(want.excess_risk[0], rel=1e-12)
        assert found.train_error[0].tolist() == pytest.approx([want.train_error[0]] * 2, rel=1e-11)


@pytest.mark.parametrize("n", [1e15, INF])
def test_endless_data_learn_every_mode_by_itself(n):
    times = [0.3, 3.0, 60.0]
    found = plain(HALVES, [(n, t, 0.0, 0.25, INF) for t in times])
    for value, t in zip(found.excess_risk, times, strict=True):
        want = 0.5 * np.exp(-2 * t) + 50 * 0.02 * np.exp(-2 * 0.02 * t)
        assert value == pytest.approx(want, rel=2e-12)  # 1/n: 300 modes on 1e15 rows


def test_many_features_are_the_inputs():
    few, all_of_them = plain(HALVES, [(100, 5.0, 0.1, 0.25, 1e13), (100, 5.0, 0.1, 0.25, INF)])[0]
    assert few == pytest.approx(all_of_them, rel=1e-9)


def test_the_first_moment_is_the_gradient_at_zero():
    """dE/dt at 0 is -2 w' S^2 w, whatever the rows: 2 sum m lambda v^2."""
    h = 1e-6
    found = plain(HALVES, [(100, h, 0.0, 0.25, INF), (100, h, 0.0, 0.25, 70.0)])
    start = 0.5 + 1.0
    slope = 2 * (0.5 + 0.02 * 1.0)
    np.testing.assert_allclose((start - found.excess_risk) / h, slope, rtol=1e-4)


def test_known_epochwise_descent():
    times = [0.3, 3.0, 10.0, 30.0, 300.0, 3000.0]
    wanted = [1.162256, 1.678695, 2.139309, 2.131369, 1.735467, 3.478214]
    found = plain(TWO, [(400, t, 0.0, 0.64, INF) for t in times])
    np.testing.assert_allclose(found.excess_risk, wanted, atol=6e-7)
    found = plain(HALVES, [(150, t, 0.0, 0.25, 250.0) for t in (1.0, 3.0, 100.0)])
    np.testing.assert_allclose(found.excess_risk, [1.57651, 1.93262, 4.83272], atol=6e-6)


def test_a_tail_of_modes_is_many_small_ones():
    cut, long = (
        power_law(120, 1.5, source=0.6, tail=True),
        power_law(400, 1.5, source=0.6, tail=True),
    )
    cut = Spectrum(
        eigenvalues=np.pad(cut.eigenvalues, (0, 280), constant_values=1.0),
        multiplicity=np.pad(cut.multiplicity, (0, 280)),
        power=np.pad(cut.power, (0, 280)),
        tail_trace=cut.tail_trace,
        tail_power=cut.tail_power,
    )
    evaluate = jax.jit(lambda s, t: flow_risk(s, 20.0, t, 0.0, 0.1))
    for t in (1.0, 30.0):
        few, many = evaluate(cut, t), evaluate(long, t)
        assert int(few.status) == Status.OK
        assert float(few.excess_risk) == pytest.approx(float(many.excess_risk), rel=2e-3)


# --- simulation -------------------------------------------------------------------------------


def simulate(values, target, weights, variances, times, ridge, p, trials, seed):
    """Exact averages over label noise, design by design: excess risk, and residual per row."""
    rng = np.random.default_rng(seed)
    n, d = len(weights), len(values)
    out = []
    for _ in range(trials):
        x = rng.normal(size=(n, d)) * np.sqrt(values)
        features = np.eye(d) if p == INF else rng.normal(size=(int(p), d)) / np.sqrt(p)
        phi = x @ features.T
        left = (phi * weights[:, None]).T / weights.sum()
        s, v = np.linalg.eigh(left @ phi)
        a = np.maximum(s, 0) + ridge / weights.sum()
        row = []
        for t in times:
            h = np.where(a > 1e-12, -np.expm1(-a * t) / np.where(a > 1e-12, a, 1), t)
            learn = features.T @ ((v * h) @ (v.T @ left))  # from labels to input weights
            missed = learn @ (x @ target) - target
            excess = missed @ (values * missed) + np.sum(values[:, None] * learn**2 * variances)
            gone = np.eye(n) - x @ learn
            residual = (gone @ x @ target) ** 2 + gone**2 @ variances
            row.append([excess, residual[0], residual[-1]])
        out.append(row)
    return np.mean(out, axis=0), np.std(out, axis=0) / np.sqrt(trials)


@pytest.mark.parametrize(
    ("p", "ridge", "shared"),
    [(INF, 0.0, True), (INF, 5.0, False), (70, 0.0, True), (130, 3.0, True)],
)
def test_repeated_rows_against_simulation(p, ridge, shared):
    """90 fresh rows and 10 that appear 15 times, two scales, from early to late."""
    values = np.repeat([1.0, 0.05], 50)
    target = np.repeat([0.1, 0.3], 50)
    times = np.array([1.0, 6.0, 60.0])
    weights = np.repeat([1.0, 15.0], [90, 10])
    noise = 0.5
    variances = np.where(weights > 1, noise / (1 if shared else 15), noise)
    mean, error = simulate(values, target, weights, variances, times, ridge, p, 150, 7)

    spectrum = two_block(50, 50, 1.0, 0.05, 0.5, 4.5)
    rows = repeated_rows(90, 10, 15, noise, shared)
    found = weighted(spectrum, rows, [(t, ridge, p) for t in times])
    got = np.column_stack([found.excess_risk, found.train_error])
    slack = np.array([3.0, 3.0, 6.0]) / 100 * got
    assert np.all(np.abs(mean - got) < 4 * error + slack), (mean, got, error)
    # what is wrong is seen: fresh rows in place of copies, and time counted per distinct row
    for wrong in (
        weighted(spectrum, plain_rows(240, noise), [(t, ridge, p) for t in times]),
        weighted(spectrum, rows, [(2.4 * t, ridge, p) for t in times]),
    ):
        off = np.abs(mean[:, 0] - wrong.excess_risk)
        assert np.any(off > 4 * error[:, 0] + slack[:, 0])


# --- derivatives, statuses, compilation -------------------------------------------------------


def test_gradients_are_finite_differences():
    def parts(v):
        spectrum = two_block(40, 60, 1.0, v[0], 0.7, v[1])
        return spectrum, repeated_rows(v[2], 12.0, v[3], v[4], True), v[5:]

    @jax.jit
    @jax.grad
    def slopes(v):
        spectrum, rows, rest = parts(v)
        found = weighted_flow_risk(spectrum, rows, *rest)
        return jnp.where(v[2] > 0, found.excess_risk + 0.3 * found.train_error[1], 0.0)

    def value(v):
        spectrum, rows, rest = parts(v)
        found = weighted(spectrum, rows, [rest])
        return found.excess_risk[0] + 0.3 * found.train_error[0, 1]

    for time, ridge in [(0.8, 0.5), (40.0, 2.0)]:
        point = jnp.array([0.05, 2.0, 60.0, 6.0, 0.3, time, ridge, 80.0])
        slope = slopes(point)
        for i, size in enumerate(point):
            h = 1e-4 * float(size)
            at = [float(value(point.at[i].add(j * h))) for j in (-2, -1, 1, 2)]
            rise = (8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * h)
            assert float(slope[i]) == pytest.approx(rise, rel=1e-6, abs=1e-8), i
    assert np.all(slopes(point.at[2].set(-60.0)) == 0)  # out of scope: no NaN leaks


def test_statuses_are_honest_and_spoil_nothing():
    points = [
        (100, 3.0, 0.1, 0.25, INF),
        (-1, 3.0, 0.1, 0.25, INF),
        (100, -3.0, 0.1, 0.25, INF),
        (100, 3.0, -0.1, 0.25, INF),
        (100, 3.0, 0.1, -0.25, INF),
        (100, 3.0, 0.1, 0.25, 0.0),
        (300, INF, 0.0, 0.25, INF),  # the interpolation peak
        (100, INF, 0.0, 0.25, 100.0),
    ]
    found = plain(HALVES, points)
    out, lost = Status.OUT_OF_SCOPE, Status.NOT_FINITE
    assert found.status.tolist() == [0, out, out, out, out, out, lost, lost]
    assert np.isfinite(found.excess_risk).tolist() == [True] + [False] * 7
    odd = [
        Groups(counts=np.array(n), weights=np.array(c), noise=np.array(v))
        for n, c, v in (
            ([60.0, -9.0], [1.0, 2.0], [0.2, 0.2]),
            ([60.0, 9.0], [1.0, -2.0], [0.2, 0.2]),
            ([60.0, 9.0], [1.0, 2.0], [0.2, -0.2]),
            ([0.0, 0.0], [1.0, 2.0], [0.2, 0.2]),
            ([60.0, 9.0], [0.0, 0.0], [0.2, 0.2]),
        )
    ]
    bad = weighted(HALVES, odd, [(3.0, 0.1, INF)] * len(odd))
    assert set(bad.status.tolist()) == {out}
    assert np.isnan(bad.train_error).all()
    dark = weighted(two_block(150, 150, 0.0, 0.0, 0.5, 1.0), odd[0], [(3.0, 0.1, INF)])
    assert dark.status.tolist() == [out]
    alone = plain(HALVES, points[:1])
    assert found.excess_risk[0] == pytest.approx(alone.excess_risk[0], rel=1e-14)


def test_plain_rows_on_features_end_as_ridge_regression_on_them():
    for n, ridge in ((100.0, 0.4), (60.0, 3.0)):
        found = flow_risk(HALVES, n, INF, ridge, 0.25, 80.0)
        end = random_feature_risk(HALVES, n, 80.0, ridge, 0.25)
        assert int(found.status) == Status.OK
        assert float(found.excess_risk) == pytest.approx(float(end.excess_risk), rel=1e-9)
        assert float(found.train_error) == pytest.approx(float(end.train_error), rel=1e-9)
        assert float(found.noise_variance) == pytest.approx(float(end.noise_error), rel=1e-9)


def test_contours_that_disagree_are_not_converged(monkeypatch):
    monkeypatch.setattr("ci_theory.theory.dynamics.flow.CHECK", 8)
    beneath = weighted_flow_risk.__wrapped__.__wrapped__  # the compiled one
    fresh = jax.jit(lambda *given: beneath(*given))  # a function that no program is kept of
    found = fresh(HALVES, plain_rows(100, 0.25), 3.0, 0.1, INF)
    assert int(found.status) == Status.NOT_CONVERGED
    assert 1e-5 < float(found.residual) < 1e-3


def test_compiles_once():
    """Spectrum, rows, time, ridge, noise and feature count are all traced."""
    plain(TWO, [(50, 3.0, 0.1, 0.25, INF)])
    plain(HALVES, [(60, 0.3, 0.2, 0.35, 40.0)])
    assert len(TRACES) == 1
