"""Features of flipped heads and a probe on them: brute force, known numbers, first orders."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.representations.noisy_features import (
    Features,
    Task,
    best_flips,
    clean_slope,
    excess_where,
    flipped_heads,
    probe,
    spared_share,
)
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import explicit
from ci_theory.theory.spectra.spiked import Spiked, shape

FLAGSHIP = {"d": 200.0, "heads": 160.0, "n": 6400.0, "scale": 3.0}
TASK = Task(n=300.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
QUICK = jax.jit(lambda flips: probe(flipped_heads(flips=flips, **FLAGSHIP), TASK))


def whitened(rng, n, d):
    """Rows with X'X = n, by QR."""
    return np.sqrt(n) * np.linalg.qr(rng.normal(size=(n, d)))[0]


def flipped_weights(rng, n, d, heads, flips, scale):
    """Least squares on flipped labels, solved as such."""
    rows = whitened(rng, n, d)
    signs = rng.choice([-1.0, 1.0], size=heads)
    labels = (
        np.sign(rows[:, :1]) * signs * rng.choice([1.0, -1.0], (n, heads), p=[1 - flips, flips])
    )
    clean = np.linalg.lstsq(rows, np.sign(rows[:, 0]), rcond=None)[0]
    unit = scale * np.sqrt(np.pi / (2 * heads))
    return unit * np.linalg.lstsq(rows, labels, rcond=None)[0], unit * clean, signs


def test_moments_of_the_weights_are_those_of_real_flips():
    n, d, heads, flips, scale = 90, 12, 8, 0.15, 1.7
    rng = np.random.default_rng(3)
    found = flipped_heads(d, heads, n, flips, scale)
    lengths, cosines, tails, cross = [], [], [], []
    for _ in range(400):
        weights, clean, signs = flipped_weights(rng, n, d, heads, flips, scale)
        signal = (1 - 2 * flips) * np.outer(clean, signs)
        noise = weights - signal
        lengths.append(np.sum(signal**2))
        cosines.append(clean[0] ** 2 / np.sum(clean**2))
        tails.append(np.mean(noise**2))
        cross.append(np.sum(signal * noise))
    for seen, told, slack in (
        (lengths, found.weights.strength, 0.0),
        (cosines, found.overlap, 0.01),
        (tails, found.weights.noise, 0.0),
        (cross, 0.0, 0.0),
    ):
        error = np.std(seen) / 20
        assert abs(np.mean(seen) - float(told)) < 4 * error + slack * float(told)


def test_heads_fitted_to_few_rows_have_their_own_rows_in_the_overlap():
    """At 20 rows that makes 2.9 % of the squared length along u."""
    n, d = 20, 3
    rng = np.random.default_rng(11)
    rows = np.sqrt(n) * np.linalg.qr(rng.normal(size=(40_000, n, d)))[0]
    heads = np.einsum("kni,kn->ki", rows, np.sign(rows[..., 0])) / n
    made = flipped_heads(float(d), 1.0, float(n), 0.0, np.sqrt(2 / np.pi))
    length = float(made.weights.strength)
    for seen, told in (
        (np.sum(heads**2, axis=1), length),
        (heads[:, 0] ** 2, length * float(made.overlap)),
    ):
        error = np.std(seen) / np.sqrt(len(seen))
        assert error < 0.003 * told
        assert abs(np.mean(seen) - told) < 4 * error


def test_probe_is_that_of_real_flips_solved_directly():
    n_up, d, heads, n, scale, flips = 400, 30, 24, 60, 3.0, 0.1
    task = Task(n=float(n), ridge=1.2, noise=0.6, named=1.0, unnamed=0.4)
    rng = np.random.default_rng(5)
    seen = []
    for _ in range(300):
        weights, _, _ = flipped_weights(rng, n_up, d, heads, flips, scale)
        rows = rng.normal(size=(n, d))
        across = rng.normal(size=d)
        across[0] = 0
        across *= np.sqrt(0.4) / np.linalg.norm(across)
        target = across + np.eye(d)[0]
        labels = rows @ target + np.sqrt(0.6) * rng.normal(size=n)
        features = rows @ weights
        system = features.T @ features + 1.2 * np.eye(heads)
        fit = weights @ np.linalg.solve(system, features.T @ labels)
        seen.append([np.sum((fit - target) ** 2), np.sum((fit - np.eye(d)[0] + 0.5 * across) ** 2)])
    made = probe(flipped_heads(d, heads, n_up, flips, scale), task)
    mean, error = np.mean(seen, axis=0), np.std(seen, axis=0) / np.sqrt(300)
    told = np.array([made.excess, excess_where(made, 0.4, -0.5)])
    assert np.all(np.abs(mean - told) < 4 * error + 0.01 * told)
    assert np.all(error < 0.02 * told)


@pytest.mark.parametrize(
    ("flips", "inside", "outside"),
    [
        (0.0, (0.2223, 0.0010), (0.0208, 0.0004)),
        (0.05, (0.1888, 0.0018), (0.0621, 0.0022)),
        (0.10, (0.2014, 0.0027), (0.1068, 0.0025)),
        (0.30, (0.2292, 0.0022), (0.1825, 0.0026)),
        (0.40, (0.2477, 0.0033), (0.1989, 0.0030)),
    ],
)
def test_kept_means_of_an_independent_simulation(flips, inside, outside):
    """Means and errors of a whole pipeline; there a direction in any place was the unnamed one."""
    made = QUICK(flips)
    anywhere = 0.2025 / 200  # of the unnamed target was then along the named one
    assert abs(float(made.excess) - inside[0]) < 3 * inside[1] + anywhere
    away = float(excess_where(made, 0.2025, 0.0))
    assert abs(away - outside[0]) < 3 * outside[1] + anywhere


@pytest.mark.parametrize(
    ("flips", "entropy", "largest"),
    [(0.005, 1.84, 0.299), (0.05, 3.36, 0.781), (0.1, 3.83, 1.042), (0.3, 4.60, 1.886)],
)
def test_spectrum_at_the_flagship_setting(flips, entropy, largest):
    found = shape(flipped_heads(flips=flips, **FLAGSHIP).weights)
    assert float(found.entropy) == pytest.approx(entropy, abs=0.01)
    assert float(found.largest) == pytest.approx(largest, abs=0.003)


def test_slight_noise_helps_in_domain_and_hurts_out_of_domain():
    flips = jnp.array([0.0, 0.05, 0.1, 0.3, 0.45])
    made = jax.vmap(QUICK)(flips)
    inside = np.asarray(made.excess)
    outside = np.asarray(jax.vmap(lambda p: excess_where(p, 0.2025, 0.0))(made))
    assert inside[1] < inside[2] < inside[0] < inside[3] < inside[4]
    assert np.all(np.diff(outside) > 0)
    assert np.all(np.asarray(made.status) == int(Status.OK))
    assert np.asarray(made.residual).max() < 1e-10


@functools.cache
def _wide():
    """Rows so many that only the first order of the flips is left."""
    task = Task(n=1e5, ridge=300.0, noise=0.1, named=1.0, unnamed=0.2)
    shared = {"d": 100.0, "heads": 80.0, "n": 3200.0, "scale": 3.0}
    return task, shared


@pytest.mark.parametrize("kept", [1.0, 0.0, -1.0])
def test_first_flips_change_the_risk_as_the_slope_says(kept):
    task, shared = _wide()

    def away(flips):
        return excess_where(probe(flipped_heads(flips=flips, **shared), task), task.unnamed, kept)

    slope = float(away(jnp.asarray(1e-6)) - away(jnp.asarray(0.0))) / 1e-6
    told = clean_slope(flipped_heads(flips=0.0, **shared), task, 3200.0, 3.0, kept)
    attenuation = 8 * 1.0 * (300.0 / 1e5 / 9) ** 2  # of the named part: tiny
    assert slope == pytest.approx(float(told), rel=0.03, abs=attenuation)
    assert (slope < 0) == (kept > -0.08)


def test_the_effective_ridge_is_found_at_both_ends():
    """Vast and tiny ridges, many rows and few: kappa (n - df1) is the ridge."""
    features = flipped_heads(flips=0.1, **FLAGSHIP)
    task = Task(n=300.0, ridge=1.0, noise=0.6, named=1.0, unnamed=0.2)
    found = jax.vmap(lambda n, ridge: probe(features, dataclasses.replace(task, n=n, ridge=ridge)))
    n, ridge = np.array([300.0, 1e9, 1.0, 1.0, 159.0]), np.array([1e12, 1e-3, 1e-6, 1e6, 1e-9])
    made = jax.jit(found)(n, ridge)
    assert np.all(made.status == int(Status.OK))
    np.testing.assert_allclose(made.kappa * (n - made.df1), ridge, rtol=1e-5)
    assert float(made.excess[0]) == pytest.approx(1.2, rel=1e-6)  # nothing is learned


def test_share_that_must_stay_is_where_noise_does_neither():
    task, shared = _wide()
    clean, noisy = (probe(flipped_heads(flips=q, **shared), task) for q in (0.0, 0.03))
    share = spared_share(clean, noisy, task.unnamed)
    gain = excess_where(noisy, 0.2, share) - excess_where(clean, 0.2, share)
    assert float(gain) == pytest.approx(0, abs=1e-12)
    assert np.isnan(spared_share(clean, clean, task.unnamed))


def test_best_flips_are_where_the_risk_is_least():
    task, shared = _wide()
    task = Task(n=150.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
    found = best_flips(shared["d"], shared["heads"], shared["n"], shared["scale"], task)
    assert int(found.status) == int(Status.OK)
    near = float(found.flips) * np.array([0.97, 1.0, 1.03])
    risks = [float(probe(flipped_heads(flips=q, **shared), task).excess) for q in near]
    assert risks[1] == pytest.approx(float(found.excess), rel=1e-9)
    assert risks[1] < min(risks[0], risks[2])
    near = float(found.flips) * np.exp([-0.003, 0.0, 0.003])
    low, least, high = (float(probe(flipped_heads(flips=q, **shared), task).excess) for q in near)
    off = 0.003 * (low - high) / (low + high - 2 * least) / 2  # of the parabola, in the logarithm
    assert abs(off) < 3e-5
    none = Task(n=150.0, ridge=0.36, noise=0.0, named=1.0, unnamed=0.0)
    poor = best_flips(100.0, 80.0, 1e9, 3.0, none)  # nothing to gain by flips, not even shrinkage
    assert int(poor.status) == int(Status.OUT_OF_SCOPE)


def test_what_a_probe_holds_and_misses_is_that_of_drawn_features():
    """Given the weights, by the ridge of a limit that sees their covariance; 300 draws of them."""
    d, heads, n, ridge = 24, 18, 60, 2.0
    weights = Spiked(rows=float(d), columns=float(heads), strength=2.0, noise=0.04)
    task = Task(n=float(n), ridge=ridge, noise=0.6, named=1.0, unnamed=0.4)
    made = probe(Features(weights=weights, overlap=1.0), task)
    rng, seen = np.random.default_rng(6), []
    for _ in range(300):
        w = 0.2 * rng.normal(size=(d, heads))
        w[0] += np.sqrt(2.0 / heads)
        values, vectors = np.linalg.eigh(w @ w.T)
        kappa = float(solve_kappa(explicit(np.maximum(values, 0), 0 * values), n, ridge).value)
        x = values / (values + kappa)
        keep = (vectors * x) @ vectors.T
        seen.append([kappa, x.sum(), x @ x, 1 - 2 * keep[0, 0] + keep[0] @ keep[0],
                     np.trace(keep[1:, 1:]) / (d - 1)])  # fmt: skip
    told = [made.kappa, made.df1, made.df2, made.missed, made.learned]
    error = np.std(seen, axis=0) / 300**0.5
    slack = np.array([0.005, 0.005, 0.005, 0.1, 0.01])  # entries are off by 1/d
    assert np.all(np.abs(np.mean(seen, axis=0) - told) < 4 * error + slack * np.array(told))
    assert float(made.resolvent.trace) == pytest.approx((d - float(made.df1)) / float(made.kappa))


def test_what_has_no_answer_says_so():
    features = Features(
        weights=Spiked(rows=10.0, columns=5.0, strength=1.0, noise=0.1), overlap=1.0
    )
    for n, ridge in ((0.0, 1.0), (10.0, 0.0), (10.0, -1.0)):
        task = Task(n=n, ridge=ridge, noise=0.1, named=1.0, unnamed=1.0)
        assert int(probe(features, task).status) == int(Status.OUT_OF_SCOPE)


def test_labels_twice_as_large_make_four_times_the_risk_and_nothing_else():
    _, shared = _wide()
    one = Task(n=150.0, ridge=0.36, noise=0.6, named=0.7, unnamed=0.2)
    four = dataclasses.replace(one, noise=2.4, named=2.8, unnamed=0.8)
    clean, noisy = (flipped_heads(flips=q, **shared) for q in (0.0, 0.05))
    for name in ("excess", "noise_part", "missed", "learned", "kappa", "df2"):
        before, after = (float(getattr(probe(noisy, task), name)) for task in (one, four))
        grown = 4 if name in ("excess", "noise_part") else 1
        assert after == pytest.approx(grown * before, rel=1e-12), name
    slopes = [float(clean_slope(clean, task, 3200.0, 3.0, -0.4)) for task in (one, four)]
    assert slopes[1] == pytest.approx(4 * slopes[0], rel=1e-12)
    least = [best_flips(*(shared[k] for k in ("d", "heads", "n", "scale")), t) for t in (one, four)]
    assert float(least[1].flips) == pytest.approx(float(least[0].flips), rel=1e-4)
    assert float(least[1].excess) == pytest.approx(4 * float(least[0].excess), rel=1e-9)
    share = [
        float(spared_share(probe(clean, task), probe(noisy, task), task.unnamed))
        for task in (one, four)
    ]
    assert share[1] == pytest.approx(share[0], rel=1e-9)
