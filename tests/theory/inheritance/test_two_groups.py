"""Two groups of one fit: the gap, the weight that closes it, and the next order."""

import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory.theory.inheritance.group_gap import (
    equalising_share,
    equalising_weight,
    two_groups,
)
from ci_theory.theory.inheritance.group_next_order import group_next_order
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import isotropic

POINTS = [
    # p, majority, minority, weight, cosine, signal, noise, ridge
    (20.0, 50.0, 20.0, 5.0, 0.3, 1.0, 0.5, 0.0),
    (20.0, 40.0, 15.0, 3.0, -0.2, 2.0, 0.5, 8.0),
    (24.0, 30.0, 10.0, 20.0, 0.5, 1.0, 1.0, 2.0),
    (24.0, 60.0, 3.0, 0.0, 0.5, 1.0, 1.0, 0.0),
]


@pytest.mark.parametrize("point", POINTS)
def test_the_gap_is_the_difference_of_the_errors(point):
    made = two_groups(*point)
    assert int(made.status) == Status.OK
    apart = float(made.error_minority - made.error_majority)
    assert float(made.gap) == pytest.approx(apart, abs=1e-12)


def test_groups_of_one_target_are_repeated_rows():
    p, most, few, weight, _, signal, noise, ridge = POINTS[1]
    made = two_groups(p, most, few, weight, 1.0, signal, noise, ridge)
    rows = Groups(counts=np.array([most, few]), weights=np.array([1, weight]), noise=[noise] * 2)
    risk = weighted_ridge_risk(isotropic(p, signal=signal), rows, ridge)
    assert float(made.error_majority) == pytest.approx(float(risk.excess_risk) + noise, rel=1e-10)
    assert float(made.error_minority) == pytest.approx(float(made.error_majority), rel=1e-14)
    assert np.allclose(made.fit.leverage, risk.fixed_point.leverage, rtol=1e-10)
    at = risk.fixed_point
    free = group_next_order(made.rows, made.fit.share).free
    assert float(free) == pytest.approx(float(at.effective_rows - at.df1**2 / p), rel=1e-10)


def test_endless_rows_average_the_targets():
    """Then n_1 : s n_2 is what counts, and a weight of n_1/n_2 equalises."""
    made = two_groups(10.0, 7e9, 3e9, 2.0, 0.4, 1.5, 0.3, 0.0)
    share = np.array([7, 6]) / 13
    for error, missed in ((made.error_majority, share[1]), (made.error_minority, share[0])):
        assert float(error) == pytest.approx(0.3 + missed**2 * 2 * (1 - 0.4) * 1.5, rel=1e-7)
    assert float(equalising_weight(10.0, 7e9, 3e9, 0.0).value) == pytest.approx(7 / 3, rel=1e-7)


def test_equality_may_cost_both_groups():
    """The weight that equalises lies beyond the one that is best for the minority itself."""
    at = (100, 320, 80), (0.75, 1.0, 0.3, 20.0)
    equal = float(equalising_weight(*at[0], at[1][3]).value)
    assert equal == pytest.approx(8.553, abs=1e-3)
    best, alike = (two_groups(*at[0], weight, *at[1]) for weight in (4.67, equal))
    assert float(best.error_minority) < float(alike.error_minority)
    assert float(best.error_majority) < float(alike.error_majority)
    before = two_groups(100, 280, 120, 1.0, 0.75, 1.0, 0.3, 0.0)
    after = two_groups(100, 280, 120, 23 / 7, 0.75, 1.0, 0.3, 0.0)
    risks = (before.error_majority, before.error_minority, after.error_minority)
    assert np.allclose(np.array(risks) - 0.3, [0.18, 0.38, 0.305], atol=1e-3)
    assert float(two_groups(100, 160, 40, 50.0, 0.75, 1, 0.3, 0).gap) == pytest.approx(0.1125, 1e-3)


# --- the weight that equalises ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "most", "few", "ridge"),
    [(100, 280, 120, 0.0), (100, 280, 120, 30.0), (150, 200, 72, 40.0), (120, 40, 36, 30.0)],
)
def test_the_gap_closes_at_the_weight(p, most, few, ridge):
    found = equalising_weight(p, most, few, ridge)
    assert int(found.status) == Status.OK

    def gap(log_weight):
        return float(two_groups(p, most, few, np.exp(log_weight), -0.3, 2.0, 0.4, ridge).gap)

    place = np.exp(brentq(gap, -1.0, 9.0, xtol=1e-12))
    assert float(found.value) == pytest.approx(place, rel=1e-9)
    share = equalising_share(p, most + few, place, ridge)
    assert float(share.value) == pytest.approx(few / (most + few), rel=1e-9)


def test_without_a_ridge_it_is_a_ratio_and_ends_at_two_rows_a_parameter():
    assert float(equalising_weight(100, 280, 120, 0.0).value) == pytest.approx(460 / 140)
    for few, status in ((51, Status.OK), (50, Status.NO_BREAK), (10, Status.NO_BREAK)):
        found = equalising_weight(100, 280, few, 0.0)
        assert int(found.status) == status
        assert np.isnan(float(found.value)) == (status == Status.NO_BREAK)
    heavy = two_groups(100, 280, 50, 1e6, 0.0, 1.0, 0.1, 0.0)
    assert 0 < float(heavy.gap) < 0.01  # closes only at an infinite weight
    assert float(heavy.held[1]) == pytest.approx(50, abs=0.1)
    assert int(equalising_weight(100, 45, 40, 0.0).status) == Status.NO_BREAK  # more rows than p?


def test_limits_of_the_weight_and_of_the_share():
    assert float(equalising_weight(50, 90, 90, 3.0).value) == pytest.approx(1.0, rel=1e-14)
    assert float(equalising_weight(50, 90, 30, 1e12).value) == pytest.approx(3.0, rel=1e-9)
    assert float(equalising_share(100, 400, 1.0, 7.0).value) == pytest.approx(0.5, rel=1e-14)
    endless = float(equalising_share(100, 400, 1e14, 0.0).value)
    assert endless == pytest.approx(100 / 800, rel=1e-9)
    assert float(equalising_share(100, 400, 0.5, 0.0).value) > 0.5
    assert int(equalising_share(100, 100, 2.0, 0.0).status) == Status.NO_BREAK
    assert int(equalising_share(100, 400, 0.0, 1.0).status) == Status.NO_BREAK
    assert int(equalising_weight(1e3, 400, 390, 1e-9).status) == Status.NO_BREAK


# --- the next order -----------------------------------------------------------------------------


def exact_traces(point, draws, seed):
    """Risks without noise, what noise adds, and degrees of freedom, averaged by brute force."""
    p, most, few, weight, cosine, signal, noise, ridge = point
    p = int(p)
    rng = np.random.default_rng(seed)
    products = signal * np.array([[1, cosine], [cosine, 1]])
    grams = []
    for count, c in ((most, 1.0), (few, weight)):
        x = rng.normal(size=(draws, int(count), p))
        grams.append(c * np.swapaxes(x, 1, 2) @ x)
    inverse = np.linalg.inv(grams[0] + grams[1] + ridge * np.eye(p))
    maps = [inverse @ g for g in grams]
    held = [np.trace(m, axis1=1, axis2=2) for m in maps]
    risks = []
    for h in range(2):
        risk = products[h, h] - 2 * sum(products[g, h] * held[g] for g in range(2)) / p
        for g in range(2):
            for k in range(2):
                risk = risk + products[g, k] * np.sum(maps[g] * maps[k], axis=(1, 2)) / p
        risks.append(risk)
    labels = np.einsum("rij,rjk,rki->r", inverse, grams[0] + weight * grams[1], inverse)
    return np.stack([noise * labels, *risks, *held])


@pytest.mark.parametrize("point", POINTS)
def test_the_limit_of_the_expansion_is_the_mixture(point):
    made = two_groups(*point)
    parts = group_next_order(made.rows, made.fit.share)
    for i, error in enumerate((made.error_majority, made.error_minority)):
        assert float(parts.signal[i] + parts.noise + point[6]) == pytest.approx(
            float(error), rel=1e-11
        )
    assert np.allclose(parts.held, made.held, rtol=1e-11)
    apart = parts.held_shift[0] - parts.held_shift[1]  # the gap is linear in them, at every size
    apart = 2 * (1 - point[4]) * point[5] * float(apart) / point[0]
    assert float(parts.signal_shift[1] - parts.signal_shift[0]) == pytest.approx(apart, abs=1e-12)


@pytest.mark.parametrize("point", POINTS[:3])
def test_means_exceed_the_limit_by_the_next_order(point):
    found = exact_traces(point, 3000, seed=1)
    mean, error = found.mean(axis=1), found.std(axis=1) / np.sqrt(found.shape[1])
    made = two_groups(*point)
    at = group_next_order(made.rows, made.fit.share)
    limit = np.array([at.noise, *at.signal, *at.held])
    shift = np.array([at.noise_shift, *at.signal_shift, *at.held_shift])
    left = np.abs(mean - limit - shift)
    second = 3 * shift**2 / limit + 4 * limit * (1 / at.free + 1 / point[0]) ** 2
    assert np.all(left < 4 * error + np.asarray(second))
    assert np.sum(np.abs(mean - limit) > 8 * error) >= 3  # the limit alone is told from the means


def test_shifts_are_derivatives_of_the_last_term():
    """At one point, from the definition in two scalars e_g, by mpmath."""
    p, most, few, weight, cosine, signal, noise, ridge = POINTS[1]
    made = two_groups(*POINTS[1])
    at = group_next_order(made.rows, made.fit.share)
    counts, c = (mp.mpf(most), mp.mpf(few)), (mp.mpf(1), mp.mpf(weight))
    length = mp.sqrt(signal)
    targets = [(length, mp.mpf(0)), (length * cosine, length * mp.sqrt(1 - mp.mpf(cosine) ** 2))]

    def last(t, u, centre, v):
        beta = [[b - m for b, m in zip(target, centre, strict=True)] for target in targets]
        anchor = [-m for m in centre]

        def parts(e):
            omega = [n * w / (1 + w * x) for n, w, x in zip(counts, c, e, strict=True)]
            total = ridge + t + sum(omega)
            mean = [
                (sum(o * b[k] for o, b in zip(omega, beta, strict=True)) + ridge * anchor[k])
                / total
                for k in range(2)
            ]
            gaps = [[b[k] - mean[k] for k in range(2)] for b in beta]
            return total, gaps

        def missing(*e):
            total, gaps = parts(e)
            return [p / total + u * (sum(g**2 for g in gaps[i]) + v) - e[i] for i in range(2)]

        e = mp.findroot(missing, (mp.mpf("0.4"), mp.mpf("0.4")), tol=1e-45)
        total, gaps = parts(e)
        pull = [n * (w / (1 + w * x)) ** 2 for n, w, x in zip(counts, c, e, strict=True)]
        k = [
            [
                pull[h]
                * (p / total**2 + 2 * u / total * sum(a * b for a, b in zip(*pair, strict=True)))
                for h, pair in enumerate(((gaps[g], gaps[0]), (gaps[g], gaps[1])))
            ]
            for g in range(2)
        ]
        return mp.log((1 - k[0][0]) * (1 - k[1][1]) - k[0][1] * k[1][0]) / 2

    with mp.workdps(50):
        step = mp.mpf("1e-12")

        def mixed(centre, v):
            corners = [(i, j) for i in (-1, 1) for j in (-1, 1)]
            return sum(i * j * last(i * step, j * step, centre, v) for i, j in corners) / (
                4 * step**2
            )

        both = [mixed(target, mp.mpf(0)) for target in targets]
        labels = mixed(targets[0], mp.mpf(noise)) - both[0]
    assert np.allclose(at.signal_shift, [float(v) for v in both], rtol=1e-9)
    assert float(at.noise_shift) == pytest.approx(float(labels), rel=1e-9)


def test_one_group_is_the_exact_inverse_wishart_mean():
    made = two_groups(60.0, 200.0, 40.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    at = group_next_order(made.rows, made.fit.share)
    f = 240 - 60
    assert float(at.noise + at.noise_shift) == pytest.approx(60 / (f - 1), rel=2 / f**2)
    assert float(at.free) == pytest.approx(f)
    assert np.allclose(at.signal, 0, atol=1e-12)
    assert np.allclose(at.held_shift, 0, atol=1e-12)  # rows of one weight share p exactly
    assert jnp.all(jnp.isfinite(at.signal_shift))
