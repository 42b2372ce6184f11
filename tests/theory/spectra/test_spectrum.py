"""Spectra: what a constructor promises, and compression against the uncompressed sums."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import BadInput
from ci_theory.theory.spectra.compression import compress, merge
from ci_theory.theory.spectra.spectrum import (
    bias,
    d12,
    df1,
    df2,
    explicit,
    from_covariance,
    from_features,
    isotropic,
    per_kappa,
    power_law,
    rank,
    scale_target,
    tail_as_modes,
    total,
    trace,
    two_block,
)

rng = np.random.default_rng(7)


def dense(matrix, target, kappa):
    """Return df1, df2, d12 and bias by solving with the matrix itself."""
    learned = np.linalg.solve(matrix + kappa * np.eye(len(matrix)), matrix)
    missed = target - learned @ target
    return (
        np.trace(learned),
        np.trace(learned @ learned),
        np.trace(learned @ (np.eye(len(matrix)) - learned)),
        missed @ matrix @ missed,
    )


def sums(spectrum, kappa):
    return [float(f(spectrum, kappa)) for f in (df1, df2, d12, bias)]


def test_a_covariance_gives_its_traces():
    root = rng.normal(size=(12, 12))
    matrix, target = root @ root.T, rng.normal(size=12)
    spectrum = from_covariance(matrix, target)
    for kappa in (1e-3, 0.7, 40.0):
        np.testing.assert_allclose(sums(spectrum, kappa), dense(matrix, target, kappa), rtol=1e-9)
    two = from_covariance(matrix, np.stack([target, 2 * target], axis=1))
    np.testing.assert_allclose(two.power, 5 * spectrum.power, rtol=1e-12)


def test_features_are_their_covariance_plus_what_they_miss():
    features, labels = rng.normal(size=(40, 6)), rng.normal(size=40)
    fit, *_ = np.linalg.lstsq(features, labels, rcond=None)
    by_rows = from_features(features, labels)
    by_matrix = from_covariance(features.T @ features / 40, fit)
    np.testing.assert_allclose(by_rows.eigenvalues, by_matrix.eigenvalues, rtol=1e-12)
    np.testing.assert_allclose(by_rows.power, by_matrix.power, rtol=1e-10)
    missed = np.mean((labels - features @ fit) ** 2)
    assert float(by_rows.tail_power) == pytest.approx(missed, rel=1e-12)
    assert by_rows.power.sum() + by_rows.tail_power == pytest.approx(np.mean(labels**2))
    wide = from_features(features.T, rng.normal(size=(6, 3)))  # more features than rows
    assert float(rank(wide)) == 6
    assert float(wide.tail_power) < 1e-28
    assert np.all(from_features(features).power == 0)
    two = from_features(features, np.stack([labels, 3 * labels], axis=1))  # outputs add
    np.testing.assert_allclose(two.power, 10 * by_rows.power, rtol=1e-12)
    assert float(two.tail_power) == pytest.approx(10 * missed, rel=1e-12)


def test_a_missing_direction_is_not_counted():
    features = rng.normal(size=(30, 4))
    doubled = np.concatenate([features, features[:, :1]], axis=1)
    assert float(rank(from_features(doubled))) == 4
    assert float(rank(from_covariance(doubled.T @ doubled / 30, np.ones(5)))) == 4


def test_a_covariance_may_be_off_by_rounding():
    """Eigenvalues a few last places below 0 are 0, and only the symmetric part is one at all."""
    flat = from_covariance(np.diag([1.0, 0.5, -4e-15]), np.ones(3))
    assert flat.eigenvalues.tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(BadInput, match="negative eigenvalue -2e-14"):
        from_covariance(np.diag([1.0, 0.5, -2e-14]))
    lopsided = from_covariance([[2.0, 0.6], [0.2, 2.0]])
    np.testing.assert_allclose(lopsided.eigenvalues, [2.4, 1.6], rtol=1e-14)


def test_named_spectra_are_explicit_ones():
    np.testing.assert_allclose(
        sums(isotropic(5, signal=3.0, variance=2.0), 0.7),
        sums(explicit([2.0] * 5, [0.6] * 5), 0.7),
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        sums(two_block(2, 3, 1.0, 0.1, 0.5, 0.9), 0.7),
        sums(explicit([1, 1, 0.1, 0.1, 0.1], [0.25, 0.25, 0.3, 0.3, 0.3]), 0.7),
        rtol=1e-14,
    )
    traced = jax.jit(lambda p: df1(isotropic(p), 1.0))(8.0)
    assert float(traced) == 4.0


def test_power_law_sums_to_zeta_functions():
    for p in (1, 10, 5000):
        for alpha, source in ((1.2, 0.3), (2.0, 1.3)):
            spectrum = power_law(p, alpha, source=source, tail=True)
            decay = 1 + 2 * mp.mpf(alpha) * mp.mpf(source)
            assert float(trace(spectrum)) == pytest.approx(float(mp.zeta(alpha)), rel=1e-13)
            total = float(np.sum(spectrum.power) + spectrum.tail_power)
            assert total == pytest.approx(float(mp.zeta(decay)), rel=1e-13)
    assert float(trace(power_law(100, 1.5))) == pytest.approx(
        float(mp.zeta(1.5) - mp.zeta(1.5, 101)), rel=1e-14
    )


def test_power_law_signal_is_the_squared_norm():
    cut = power_law(50, 1.5, source=0.2, signal=3.0, tail=False)
    assert np.sum(cut.power / cut.eigenvalues) == pytest.approx(3.0, rel=1e-14)
    whole = power_law(50, 1.5, source=2.0, signal=3.0, tail=True)
    beyond = np.arange(51, 20_000.0)
    scale = whole.power[0]
    norm = np.sum(whole.power / whole.eigenvalues) + scale * np.sum(beyond ** (1.5 - 7.0))
    assert norm == pytest.approx(3.0, rel=1e-12)


def test_zero_variance_is_never_learned():
    spectrum = explicit([1.0, 0.0], [1.0, 1.0])
    spectrum = type(spectrum)(**{**vars(spectrum), "power": np.array([1.0, 2.0])})
    assert sums(spectrum, 0.0) == [1.0, 1.0, 0.0, 2.0]
    assert float(compress(spectrum).tail_power) == 2.0


SPECTRA = {
    "slow": power_law(20_000, 1.2, tail=True),
    "fast": power_law(20_000, 3.0, source=1.2, tail=False),
    "log-uniform": explicit(np.exp(rng.uniform(-25, 3, 5000)), rng.uniform(size=5000)),
    "clustered": explicit(np.exp(0.01 * rng.normal(size=3000)), rng.uniform(size=3000)),
    "few": explicit([3.0, 1.0, 1e-8], [1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_compression_keeps_every_sum(name):
    full = SPECTRA[name]
    small = compress(full)
    top = float(np.max(full.eigenvalues))
    for kappa in top * np.geomspace(1e-14, 1e2, 23):
        np.testing.assert_allclose(sums(small, kappa), sums(full, kappa), rtol=3e-13)
    assert float(rank(small)) == float(rank(full))
    assert float(trace(small)) == pytest.approx(float(trace(full)), rel=1e-12)


def test_compression_is_short_and_keeps_few_modes_as_they_are():
    assert len(compress(power_law(10**6, 1.5, tail=True)).eigenvalues) < 200
    np.testing.assert_array_equal(compress(SPECTRA["few"]).eigenvalues, [3.0, 1.0, 1e-8])
    assert len(compress(explicit(np.ones(500), np.ones(500))).eigenvalues) == 1
    padded = compress(SPECTRA["few"], pad_to=8)
    assert padded.eigenvalues.shape == (8,)
    assert len(compress(power_law(10**4, 1.5, tail=True), pad_to=32).eigenvalues) % 32 == 0
    assert sums(padded, 0.3) == pytest.approx(sums(SPECTRA["few"], 0.3), rel=1e-14)


@pytest.mark.parametrize(("nodes", "tolerance"), [(4, 2e-3), (8, 2e-6), (12, 2e-9)])
def test_compression_converges_as_stated(nodes, tolerance):
    """The error falls by 6.4 a node: the nearest pole is at distance pi of a half-width of 1."""
    full = SPECTRA["log-uniform"]
    small = compress(full, nodes_per_panel=nodes)
    worst = max(
        abs(float(d12(small, k)) / float(d12(full, k)) - 1) for k in np.geomspace(1e-9, 10, 40)
    )
    assert worst < tolerance
    assert worst > tolerance * 1e-4  # it is the nodes that limit, not something else


def test_an_exact_count_survives_any_order_of_summation():
    small = compress(power_law(54_321, 1.1, tail=False))
    weights = small.multiplicity
    whole = np.round(weights)
    for order in (np.arange(len(weights)), np.argsort(weights), rng.permutation(len(weights))):
        count = 0.0
        for r in whole[order]:
            count += r
        rest = 0.0
        for w, r in zip(weights[order], whole[order], strict=True):
            rest += w - r
        assert count + rest == 54_321.0


def test_merge_joins_equal_modes_only():
    joined = merge(explicit([1.0, 2.0, 1.0, 1.0 + 1e-15], [1.0, 1.0, 1.0, 1.0]))
    assert len(joined.eigenvalues) == 3
    assert joined.multiplicity.tolist() == [1.0, 1.0, 2.0]


def test_the_tail_is_the_limit_of_many_small_modes():
    base = explicit([1.0, 0.5], [1.0, 1.0])
    modes = 10**8
    fine = type(base)(
        eigenvalues=np.append(base.eigenvalues, 0.3 / modes),
        multiplicity=np.append(base.multiplicity, float(modes)),
        power=np.append(base.power, 0.2),
        tail_trace=np.zeros(()),
        tail_power=np.zeros(()),
    )
    tailed = type(base)(**{**vars(base), "tail_trace": np.array(0.3), "tail_power": np.array(0.2)})
    np.testing.assert_allclose(sums(fine, 0.05), sums(tailed, 0.05), rtol=1e-6)


def test_sums_at_kappa_zero_and_of_scaled_targets():
    assert [float(per_kappa(a, k)) for a, k in ((2.0, 4.0), (0.0, 0.0), (2.0, 0.0))] == [
        0.5, 0.0, np.inf
    ]  # fmt: skip
    assert float(jax.grad(per_kappa, 1)(3.0, 2.0)) == -0.75
    assert float(jax.grad(per_kappa, 1)(0.0, 0.0)) == 0.0
    assert all(np.isnan(sums(isotropic(3), np.nan)))  # what is not known stays so
    tailed = power_law(12, 1.5, tail=True)
    larger = scale_target(tailed, 3.0)
    for kappa in (0.01, 0.7):
        assert float(bias(larger, kappa)) == pytest.approx(3 * float(bias(tailed, kappa)))
        assert float(df1(larger, kappa)) == float(df1(tailed, kappa))
    listed = tail_as_modes(tailed, 1e9)
    assert float(trace(listed)) == pytest.approx(float(trace(tailed)), rel=1e-14)
    assert (float(listed.tail_trace), float(listed.tail_power)) == (0.0, 0.0)
    np.testing.assert_allclose(sums(listed, 0.05), sums(tailed, 0.05), rtol=1e-6)
    long = power_law(5000, 1.5, source=0.3)  # summed as a tree, not as a dot product
    x = long.eigenvalues / (long.eigenvalues + 1e-3)
    assert float(df1(long, 1e-3)) == pytest.approx(np.sum(x), rel=1e-13)
    assert float(total(long.power, x)) == pytest.approx(np.sum(long.power * x), rel=1e-13)


def test_d12_keeps_its_digits():
    for kappa in (1e-5, 1e-12, 1e-20):
        spectrum = power_law(30, 1.5, tail=False)
        k = mp.mpf(kappa)
        want = mp.fsum(v * k / (v + k) ** 2 for v in map(mp.mpf, map(float, spectrum.eigenvalues)))
        assert float(d12(spectrum, kappa)) == pytest.approx(float(want), rel=1e-14)


def test_sums_are_differentiable_at_kappa_zero():
    spectrum = explicit([2.0, 0.0], [1.0, 1.0])
    assert float(jax.grad(df1, argnums=1)(spectrum, 0.0)) == -0.5
    slopes = jax.grad(lambda s: df1(s, 0.5))(spectrum)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(slopes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: power_law(10, 1.0, tail=True), "alpha = 1.0: must be > 1"),
        (lambda: power_law(10, 1.5, source=0.0, tail=True), "source = 0.0: must be > 0"),
        (lambda: power_law(0, 1.5, tail=True), "p = 0: must be >= 1"),
        (lambda: power_law(10, 1.5, source=0.5, signal=1.0, tail=True), "diverges"),
        (lambda: explicit([1.0, 2.0], [1.0]), "one length"),
        (lambda: explicit([-1.0], [1.0]), ">= 0"),
        (lambda: explicit([np.nan], [1.0]), "finite"),
        (lambda: explicit([np.inf], [1.0]), "finite"),
        (lambda: explicit([1.0], [-1.0]), ">= 0"),
        (lambda: power_law(10, 0.0), "alpha = 0.0: must be > 0"),
        (lambda: from_covariance(np.diag([1.0, -1e-9])), "negative eigenvalue -1e-09"),
        (lambda: from_covariance(np.ones((2, 3))), "square"),
        (lambda: from_covariance(np.diag([1.0, -1.0])), "negative eigenvalue -1"),
        (lambda: from_features(np.ones(3)), "(rows, features)"),
        (lambda: from_features(np.ones((0, 3))), "shape (0, 3): must be (rows, features)"),
        (lambda: from_features(np.ones((3, 2)), np.ones(4)), "3 rows"),
    ],
)
def test_mistakes_are_told_in_a_line(make, message):
    with pytest.raises(BadInput) as told:
        make()
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_single_precision_is_refused():
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(RuntimeError, match="needs float64"):
        isotropic(10)
