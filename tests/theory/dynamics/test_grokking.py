"""Grokking times: against 30 digits, closed forms, decomposed designs and a trained network."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory.theory.dynamics import grokking
from ci_theory.theory.dynamics.flow_isotropic import isotropic_flow
from ci_theory.theory.dynamics.grokking import (
    accuracy,
    asymptotic_delay,
    decay_time,
    fall_times,
    grok_times,
    large_start_time,
    largest_ratio,
    loss_at_accuracy,
)

MANY = jax.jit(jax.vmap(grok_times))
FIELDS = ("n", "d", "tolerance", "share", "outputs", "decay", "noise", "signal", "start")


def times(*points):
    """Evaluate points, dictionaries, eight at a time with one compilation."""
    usual = {"n": 300, "share": 0.95, "outputs": 1, "decay": 0, "noise": 0, "start": 0, "signal": 1}
    rows = [[{**usual, **point}[name] for name in FIELDS] for point in points]
    table = np.array(rows + [rows[-1]] * (-len(rows) % 8), dtype=float)
    parts = [MANY(*chunk.T) for chunk in table.reshape(-1, 8, len(FIELDS))]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(rows)], *parts)


@pytest.mark.parametrize("outputs", [1, 2, 10, 300])
@pytest.mark.parametrize("share", [1e-3, 0.5, 0.95, 1 - 1e-6])
def test_accuracy_and_its_inverse(outputs, share):
    root = loss_at_accuracy(share, 1e-3, outputs)
    assert int(root.status) == Status.OK
    with mp.workdps(30):

        def at(loss):
            half = mp.mpf(outputs) / 2
            return mp.gammainc(half, 0, half * mp.mpf(1e-3) / loss, regularized=True)

        loss = mp.mpf(float(root.value))
        assert abs(float(accuracy(root.value, 1e-3, outputs)) / at(loss) - 1) < 1e-12
        slope = abs(mp.diff(lambda u: at(mp.exp(u)), mp.log(loss)))
        assert abs(at(loss) - mp.mpf(share)) < 1e-12 * slope + 4e-16


def test_accuracy_is_a_share_of_points():
    rng = np.random.default_rng(3)
    for outputs, loss in [(1, 0.7), (5, 1.4), (40, 1.1)]:
        errors = rng.normal(size=(20000, outputs)) * np.sqrt(loss)
        right = np.mean(np.mean(errors**2, axis=1) < 1.0)
        want = float(accuracy(loss, 1.0, outputs))
        assert abs(right - want) < 4 * np.sqrt(want * (1 - want) / 20000)
    assert float(accuracy(0.0, 1e-3, 3)) == 1.0


def kernel(v, gamma):
    """A(v) from its definition as a Bessel function, in high precision."""
    if v == 0:
        return mp.mpf(1)
    x = 2 * mp.sqrt(gamma) * v
    return mp.exp(-(1 + gamma) * v) * 2 * mp.besseli(1, x) / x


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 1.0, 1.6])
def test_times_solve_their_equations(gamma):
    """M falls to 1 less the integral of A; beyond gamma = 1 only above the null space."""
    tolerance = 2.0 if gamma > 1 else 0.1
    share = 0.9
    found = times({"d": 300 * gamma, "tolerance": tolerance, "share": share, "start": 0.5})
    assert int(found.status[0]) == Status.OK
    with mp.workdps(25):
        level = mp.mpf(float(found.level[0])) / mp.mpf("1.5")
        g = mp.mpf(300 * gamma) / 300
        two = 2 * mp.mpf(float(found.train[0]))
        assert abs(kernel(two, g) / level - 1) < 1e-12
        two = 2 * mp.mpf(float(found.test[0]))
        pieces = [two * k / 20 for k in range(21)]
        left = 1 - mp.quad(lambda v: kernel(v, g), pieces)
        condition = two * kernel(two, g) / level
        assert abs(left / level - 1) < 1e-12 * max(1, condition)
    assert found.delay[0] == pytest.approx(found.test[0] - found.train[0], rel=1e-14)


def test_the_asymptotic_delay_is_poor():
    """Its ratio to the exact delay, at a practical and at a tiny tolerance."""
    gammas = np.array([0.1, 0.5, 0.9, 0.99])
    for tolerance, wanted in [(1e-3, [0.57, 0.60, 0.36, 0.09]), (1e-8, [0.81, 0.86, 0.84, 0.75])]:
        found = times(*({"d": 300 * g, "tolerance": tolerance} for g in gammas))
        ratio = found.delay / [float(asymptotic_delay(300, 300 * g)) for g in gammas]
        np.testing.assert_allclose(ratio, wanted, atol=0.03)


DECAYING = [
    # d, decay, start, exact, closed form: n = 300, tolerance 1e-3, signal 1e-4
    (600, 0.01, 100.0, 618.948, 618.946),
    (600, 0.001, 100.0, 6189.457, 6189.457),
    (600, 0.01, 1e4, 849.206, 849.204),
    (375, 0.01, 100.0, 566.540, 566.464),
]


def test_weight_decay_sets_the_time():
    found = times(
        *(
            {"d": d, "tolerance": 1e-3, "decay": mu, "signal": 1e-4, "start": s}
            for d, mu, s, *_ in DECAYING
        )
    )
    assert np.all(found.status == Status.OK)
    np.testing.assert_allclose(found.test, [row[3] for row in DECAYING], atol=6e-4)
    for i, (d, mu, s, _, closed) in enumerate(DECAYING):
        root = decay_time(300, d, found.level[i], mu, 1e-4, s)
        assert float(root.value) == pytest.approx(closed, abs=6e-4)
    assert np.all(found.delay > 5 * found.train)


def test_with_a_wide_gap_the_closed_form_is_exact():
    """gamma = 9: the bulk is gone by then; what is left is of order (mu/nu)^2 of the signal."""
    for mu, bound in [(1e-2, 1e-7), (1e-4, 1e-11)]:
        found = times({"d": 2700, "tolerance": 1e-3, "decay": mu, "signal": 1e-5, "start": 100.0})
        want = decay_time(300, 2700, found.level[0], mu, 1e-5, 100.0).value
        assert found.test[0] == pytest.approx(float(want), rel=bound)


def test_beyond_the_boundary_it_never_groks():
    level = float(loss_at_accuracy(0.95, 1.0).value)
    edge = float(largest_ratio(level, 1.0))
    assert edge == pytest.approx(1 / (1 - level), rel=1e-14)
    usual = {"tolerance": 1.0, "decay": 1e-5, "start": 5.0}
    found = times({"d": 300 * edge * 0.999, **usual}, {"d": 300 * edge * 1.001, **usual})
    assert found.status.tolist() == [Status.OK, Status.NO_BREAK]
    assert np.isfinite(found.test[0])
    assert found.test[1] == np.inf
    assert np.all(np.isfinite(found.train))
    never = decay_time(300, 300 * edge * 1.001, level, 1e-5, 1.0, 5.0)
    assert (float(never.value), int(never.status)) == (np.inf, Status.NO_BREAK)
    assert float(largest_ratio(2.0, 1.0)) == np.inf
    assert float(largest_ratio(3 * level, 3.0)) == pytest.approx(edge, rel=1e-13)  # a unit only


def test_without_decay_the_null_space_stays():
    found = times({"d": 600, "tolerance": 1e-3}, {"d": 300, "tolerance": 1e-3})
    assert found.status.tolist() == [Status.NO_BREAK, Status.OK]
    # at n = d the slowest mode has no rate: M -> 1/sqrt(pi t), a power of the level
    assert found.test[1] == pytest.approx(1 / (2 * np.pi * found.level[1] ** 2), rel=1e-3)


def test_noise_delays_and_then_prevents_grokking():
    noises = [0.0, 1e-4, 3e-4, 1e-2]
    found = times(*({"d": 150, "tolerance": 1e-3, "noise": s} for s in noises))
    assert found.status.tolist()[:2] == [Status.OK, Status.OK]
    assert found.test[1] > found.test[0]
    assert int(found.status[3]) == Status.NO_BREAK  # noise d/(n - d) is above the level


def test_special_times_and_statuses():
    found = times(
        {"d": 150, "tolerance": 1e3},  # right from the start
        {"d": 150, "tolerance": 0.0},
        {"d": 150, "tolerance": 1.0, "share": 1.0},
        {"d": -1, "tolerance": 1.0},
        {"d": 150, "tolerance": 1.0, "noise": -1.0},
        {"d": 150, "tolerance": 1.0},
    )
    out = Status.OUT_OF_SCOPE
    assert found.status.tolist() == [0, out, out, out, out, 0]
    assert (found.train[0], found.test[0], found.delay[0]) == (0, 0, 0)
    assert np.all(np.isnan(found.test[1:5]))
    for bad in (
        decay_time(300, 200, 0.1, 0.1, 1.0, 1.0),
        decay_time(300, 300, 0.1, 0.1, 1.0, 1.0),
        decay_time(0, 600, 0.1, 0.1, 1.0, 1.0),
        decay_time(300, 600, 0.0, 0.1, 1.0, 1.0),
        decay_time(300, 600, 0.1, 0.0, 1.0, 1.0),
        decay_time(300, 600, 0.1, 0.1, -1.0, 1.0),
        decay_time(300, 600, 0.1, 0.1, 1.0, -1.0),
        loss_at_accuracy(0.0, 1.0),
        loss_at_accuracy(1.0, 1.0),
        loss_at_accuracy(0.5, 0.0),
        loss_at_accuracy(0.5, 1.0, 0),
    ):
        assert int(bad.status) == out
        assert np.isnan(float(bad.value))
    worse = times(
        {"d": 150, "tolerance": 1.0, "decay": -0.1},
        {"d": 150, "tolerance": 1.0, "signal": -1.0},
        {"d": 150, "tolerance": 1.0, "start": -1.0},
    )
    assert worse.status.tolist() == [out] * 3


def test_gradients_are_finite_differences():
    names = ("d", "tolerance", "share", "decay", "noise", "signal", "start")
    point = dict(zip(names, (450.0, 0.4, 0.9, 0.02, 0.01, 0.2, 5.0), strict=True))

    def test_time(values):
        named = dict(zip(names, values, strict=True))
        return grok_times(300.0, outputs=2.0, **named).test

    slope = jax.jit(jax.grad(test_time))(jnp.array(list(point.values())))
    for i, name in enumerate(names):
        h = 1e-5 * point[name]
        found = times(*({**point, "outputs": 2, name: point[name] + j * h} for j in (-1, 1)))
        assert np.all(found.status == Status.OK)
        rise = (found.test[1] - found.test[0]) / (2 * h)
        assert float(slope[i]) == pytest.approx(rise, rel=1e-6), name


@pytest.mark.parametrize(
    ("n", "d", "decay", "signal", "start", "noise"),
    [(300, 600, 0.01, 1e-4, 100.0, 0.0), (200, 100, 0.0, 1.0, 0.0, 1e-4)],
)
def test_against_decomposed_designs(n, d, decay, signal, start, noise):
    """The time at which each design's own loss falls to the level, averaged over designs."""
    rng = np.random.default_rng(11)
    point = {"n": n, "d": d, "tolerance": 1e-3, "decay": decay, "noise": noise}
    found = times({**point, "signal": signal, "start": start})
    level = float(found.level[0])
    out = []
    for _ in range(60):
        s = np.linalg.svd(rng.normal(size=(n, d)), compute_uv=False) ** 2 / n
        s = np.pad(s, (0, d - len(s)))
        a = np.maximum(s + decay, 1e-300)

        def loss(t, s=s, a=a):
            e = np.exp(-a * t)
            h = -np.expm1(-a * t) / a
            kept = 1 - s * h
            test = start * e**2 + signal * kept**2 + noise * d / n * s * h**2
            train = s * (start * e**2 + signal * kept**2) + noise * d / n * (kept**2 - 1)
            return test.mean() - level, noise + train.mean() - level

        out.append([brentq(lambda t, k=k: loss(t)[k], 1e-3, 2e3) for k in (0, 1)])
    mean, error = np.mean(out, axis=0), np.std(out, axis=0) / np.sqrt(len(out))
    want = np.array([found.test[0], found.train[0]])
    # the edge of the bulk moves by n^(-2/3); the null space has exactly 1 - n/d of the modes
    assert np.all(np.abs(mean - want) < 4 * error + [0.02, 0.02] * want), (mean, want, error)
    wrong = times({**point, "signal": signal, "start": start, "n": n * 1.3})
    assert abs(mean[0] - wrong.test[0]) > 4 * error[0] + 0.02 * wrong.test[0]


def test_large_starts_are_apart_by_their_logarithm():
    """f = <u^2 - v^2, x> from u = v = alpha on a sparse target, integrated to the transition."""
    rng = np.random.default_rng(0)
    n, d, decay = 20, 40, 0.05
    x, fresh = rng.choice([-1.0, 1.0], size=(n, d)), rng.choice([-1.0, 1.0], size=(400, d))
    target = np.zeros(d)
    target[:2] = 1.0

    def velocity(_, w):
        u, v = w[:d], w[d:]
        slope = x.T @ (x @ (u**2 - v**2 - target)) / n
        return np.concatenate([-2 * slope * u, 2 * slope * v]) - decay * w

    def jacobian(_, w):
        u, v = w[:d], w[d:]
        gram = x.T @ x / n
        slope = gram @ (u**2 - v**2 - target)
        uu = -4 * u[:, None] * gram * u - np.diag(2 * slope + decay)
        vv = -4 * v[:, None] * gram * v + np.diag(2 * slope - decay)
        cross = 4 * u[:, None] * gram * v
        return np.block([[uu, cross], [cross.T, vv]])

    def error(_, w):
        return np.mean((fresh @ (w[:d] ** 2 - w[d:] ** 2 - target)) ** 2) - 0.3

    error.terminal = True
    reached = []
    for alpha in (4.0, 8.0):
        run = solve_ivp(
            velocity, (0, 200), np.full(2 * d, alpha), "BDF",
            jac=jacobian, events=error, rtol=1e-6, atol=1e-9,
        )  # fmt: skip
        assert run.t_events[0].size == 1
        reached.append(float(run.t_events[0][0]))
    apart = float(large_start_time(8.0, decay) - large_start_time(4.0, decay))
    assert reached[1] - reached[0] == pytest.approx(apart, rel=5e-3)
    assert reached[0] > 1.5 * float(large_start_time(4.0, decay))  # the constant is not predicted


def test_no_level_is_out_of_scope_and_a_loss_is_below_a_high_one_from_the_first():
    found = jax.vmap(lambda level: fall_times(300, 150, level, start=1.0))(
        jnp.array([-1.0, 0.0, jnp.nan, 2.1, 0.5])
    )
    assert found.status.tolist() == [Status.OUT_OF_SCOPE] * 3 + [Status.OK] * 2
    assert np.all(np.isnan(found.test[:3]))
    assert found.test[3] == found.train[3] == 0
    exact = mp.findroot(lambda t: 2 * survived(t) - 0.5, float(found.test[4]))
    assert float(found.test[4]) == pytest.approx(float(exact), rel=1e-10)


def test_noisy_labels_are_missed_from_the_first_though_clean_ones_are_not():
    """A level between the start's error on clean labels, 1, and that on noisy ones, 1.5."""
    found = fall_times(300, 150, 1.2, noise=0.5)
    assert (int(found.status), float(found.test)) == (Status.OK, 0.0)
    assert float(found.train) > 0
    there = isotropic_flow(300, 150, found.train, 0.5).train_error
    assert float(there) == pytest.approx(1.2, rel=1e-12)
    assert float(found.delay) == -float(found.train)


def survived(time):
    """Return the mean of exp(-2 s t) over the law of half as many inputs as rows."""
    low, high = (1 - mp.sqrt(0.5)) ** 2, (1 + mp.sqrt(0.5)) ** 2

    def density(angle):  # s = middle + half cos(angle)
        half = (high - low) / 2
        s = (high + low) / 2 + half * mp.cos(angle)
        return mp.exp(-2 * s * time) * (half * mp.sin(angle)) ** 2 / (mp.pi * s)

    return mp.quad(density, [0, mp.pi])


@pytest.mark.parametrize("which", [0, 1])
def test_either_time_that_was_not_found_is_told(which, monkeypatch):
    honest = grokking._first_fall

    def stuck(model, level, of_train):
        time, status = honest(model, level, of_train)
        return time, jnp.where(of_train == (which == 0), Status.NOT_CONVERGED, status)

    at = (300.0, 600.0, 1e-3, 0.95)
    given = {"decay": 0.01, "signal": 1e-4, "start": 100.0}
    assert int(grok_times(*at, **given).status) == Status.OK
    monkeypatch.setattr(grokking, "_first_fall", stuck)
    bare = grok_times.__wrapped__.__wrapped__  # not compiled before
    assert int(bare(*at, **given).status) == Status.NOT_CONVERGED


def test_a_start_below_the_level_has_not_to_decay():
    """Half of the inputs are never touched: 0.15 of the start and 0.1 of the signal, of 0.3."""
    at = decay_time(300.0, 600.0, 0.3, 0.01, 0.2, 0.3)
    assert float(at.value) == 0
    assert int(at.status) == Status.OK
    assert float(decay_time(300.0, 600.0, 0.3, 0.01, 0.2, 0.5).value) > 0


def test_what_is_never_learned_is_late_for_ever():
    """Without decay the null space stays: trained on, but never generalised to."""
    made = grok_times(300, 600, 1e-3, start=1.0)
    assert int(made.status) == Status.NO_BREAK
    assert np.isfinite(made.train)
    assert np.isposinf(made.test)
    assert np.isposinf(made.delay)
