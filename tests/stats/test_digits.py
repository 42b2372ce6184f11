"""Digits: the data, one run by brute force, and the errors against the theory."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for, stream
from ci_theory.phenomena import digits_ridge, load, predict
from ci_theory.tasks import digits
from ci_theory.theory.spectra.spectrum import explicit

datasets = pytest.importorskip("sklearn.datasets")


@partial(jax.jit, static_argnames="capacity")
def _runs(params, replicates, capacity):
    def one(replicate):
        return digits_ridge.simulate(key_for(0, 1, 2, replicate), params, {"n": capacity})

    return jax.lax.map(one, replicates)


def test_images_and_labels():
    x = digits.images()
    assert x.shape == (1797, 64)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(np.mean(np.sum(x**2, axis=1)), 1)
    assert set(digits.labels("zero")) == {-1.0, 1.0}
    assert np.sum(digits.labels("zero") > 0) == 178
    with pytest.raises(BadInput, match="parity"):
        digits.labels("party")


def test_labels_and_kernels_are_those_of_their_names():
    digit = datasets.load_digits().target
    for name, positive in (
        ("parity", digit % 2 == 0),
        ("zero", digit == 0),
        ("at_least_five", digit > 4),
    ):
        np.testing.assert_array_equal(digits.labels(name), np.where(positive, 1, -1))
    x = digits.images()[:30]
    far = np.sum((x[:, None] - x[None]) ** 2, axis=-1)
    seen = np.maximum(x @ digits._weights(), 0)
    wanted = {"pixels": x @ x.T, "gaussian": np.exp(-far / 2), "relu": seen @ seen.T}
    assert set(wanted) == set(digits.FEATURES)
    for name, gram in wanted.items():
        np.testing.assert_allclose(digits.kernel(name, x, x[:20]), gram[:, :20], atol=1e-12)
    norm = np.mean(np.sum(digits._weights() ** 2, axis=1))  # N(0, 1/features) each
    assert norm == pytest.approx(1, rel=5 * (2 / 64 / 300) ** 0.5)


@pytest.fixture
def anew():
    """Read the images anew, and again for whoever comes next."""
    digits._data.cache_clear()
    yield
    digits._data.cache_clear()


def test_missing_scikit_learn_is_one_line(monkeypatch, anew):
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"pip install 'ci-theory\[data\]'"):
        digits.labels("parity")


@pytest.mark.parametrize("there", [True, False])
def test_the_images_are_those_that_scikit_learn_loads(monkeypatch, anew, there):
    """From its file, or by its own function where the file has another place."""
    wanted = datasets.load_digits(return_X_y=True)
    asked = []
    monkeypatch.setattr(
        datasets, "load_digits", lambda return_X_y: asked.append(return_X_y) or wanted
    )
    if not there:
        monkeypatch.setattr(digits.Path, "is_file", lambda file: False)
    for found, known in zip(digits._data(), wanted, strict=True):
        np.testing.assert_array_equal(found, known)
        assert found.dtype == known.dtype
    assert asked == ([] if there else [True])


@pytest.mark.parametrize(
    ("features", "label"),
    [*((features, "parity") for features in digits.FEATURES),
     *(("pixels", label) for label in digits.LABELS[1:])],
)  # fmt: skip
def test_one_run_is_the_explicit_computation_with_literal_copies(features, label):
    n, repeats, ridge, noise = 40, 3, 0.8, 0.5
    words = {"features": features, "label": label}
    numbers = {"ridge": np.array([ridge]), "noise": np.array([noise])}
    params = digits_ridge.Params(n=n, repeats=repeats, **words, **numbers)
    found = _runs(params, jnp.arange(1), n + 4)
    order = np.asarray(jax.random.permutation(stream(key_for(0, 1, 2, 0), "design"), 1797))
    x, y = digits.images()[order], digits.labels(label)[order]
    rows = np.append(np.arange(n), np.repeat(np.arange(n // 4), repeats - 1))
    gram = np.asarray(digits.kernel(features, x, x[rows]))
    copy = np.eye(n)[rows]
    fit = gram @ np.linalg.solve(gram[rows] + ridge * np.eye(len(rows)), copy)
    miss = (fit @ y[:n] - y) ** 2 + noise * np.sum(fit**2, axis=1)
    np.testing.assert_allclose(found.test_error[0, 0], np.mean(miss[n:]) + noise, rtol=1e-8)
    rest = copy - fit[rows]
    train = np.mean((rest @ y[:n]) ** 2 + noise * np.sum(rest**2, axis=1))
    np.testing.assert_allclose(found.train_error[0, 0], train, rtol=1e-8)


@pytest.mark.parametrize("status", [Status.OK, Status.NOT_CONVERGED])
def test_what_is_said_of_the_leverages_is_said_of_the_errors(status, monkeypatch):
    pair = np.full(2, 0.5)
    rows = digits_ridge.RowRisk(
        np.asarray(0.5), np.asarray(0.5), pair, pair, pair, pair, pair, np.asarray(int(status))
    )
    monkeypatch.setattr(digits_ridge, "_by_image", lambda *given: rows)
    params = digits_ridge.Params(n=100.0, repeats=2.0, ridge=1.0, noise=0.3)
    made = digits_ridge.forecast(params, explicit(0.8 ** np.arange(60.0), np.ones(60)))
    assert int(made.status) == status


@pytest.mark.parametrize("label", digits.LABELS)
def test_the_theory_is_of_the_label_and_of_the_kernel_that_are_asked_for(label, monkeypatch):
    asked = []
    monkeypatch.setattr(digits_ridge, "_spectrum", lambda *words: asked.append(words))
    digits_ridge.world(digits_ridge.Params(features="pixels", label=label))
    assert asked == [("pixels", label)]

    def solved(kernel, target, **numbers):
        asked.append((kernel, target, numbers))
        return digits_ridge.RowRisk(*[0.0] * len(digits_ridge.RowRisk._fields))

    monkeypatch.setattr(digits_ridge, "row_risk", solved)
    digits_ridge._by_image("pixels", label, 21.0, 4.0, 3.0, 0.123, 0.98765)
    kernel, target, numbers = asked[1]
    x = digits.images()
    np.testing.assert_allclose(kernel[:5, :7], x[:5] @ x[:7].T, rtol=1e-6)
    np.testing.assert_array_equal(target, digits.labels(label))
    assert (numbers["counts"].tolist(), numbers["weights"].tolist()) == ([21, 4], [1, 3])
    assert (numbers["ridge"], numbers["start"]) == (0.123, 0.988)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_squares_along_eigenvectors_have_the_moments_of_the_kernel(sign):
    """y'K^k y for each k, and the squares themselves where eigenvalues are apart."""
    rng = np.random.default_rng(0)
    rows, target = rng.normal(size=(60, 40)), rng.normal(size=60)
    target[0] = sign * abs(target[0])
    kernel = rows @ rows.T  # of rank 40
    values, squares = digits_ridge._along(kernel, target)
    image = target
    for power in range(4):
        np.testing.assert_allclose(squares @ values**power, target @ image, rtol=1e-12)
        image = kernel @ image
    wanted, vectors = np.linalg.eigh(kernel)
    np.testing.assert_allclose(values, wanted, atol=1e-13 * wanted[-1])
    apart = slice(20, None)
    np.testing.assert_allclose(squares[apart], (vectors.T @ target)[apart] ** 2, rtol=1e-8)


@pytest.mark.parametrize("features", ["gaussian", "pixels"])
def test_learning_curve_is_closer_than_the_infinite_population(features):
    ridge, noise = np.array([1.0, 1.0, 10.0]), np.array([0.0, 1.0, 0.3])
    n, repeats, replicates = 250, 8, 8
    params = digits_ridge.Params(n=n, features=features, repeats=repeats, ridge=ridge, noise=noise)
    values = np.asarray(_runs(params, jnp.arange(replicates), n).test_error)
    point = {"n": n, "features": features, "repeats": repeats, "ridge": ridge, "noise": noise}
    made = predict(load("digits_ridge"), point)["test_error"]
    assert np.all(made.estimate.status == Status.OK)
    error = values.std(axis=0, ddof=1) / replicates**0.5
    gap = np.abs(values.mean(axis=0) - made.estimate.value)
    assert np.all(gap < made.estimate.slack + 4.5 * error)
    usual = values.mean(axis=0) - made.decoys["infinite population"]
    assert np.sum(np.abs(usual)) > 1.5 * np.sum(gap)


def test_images_near_interpolation_have_leverages_of_their_own():
    """Equal leverages are a third too low, and where nothing is claimed is told."""
    ridge, noise = np.array([0.01, 0.01, 0.1]), np.array([1.0, 0.0, 1.0])
    n, replicates = 250, 8
    params = digits_ridge.Params(n=n, features="gaussian", repeats=1, ridge=ridge, noise=noise)
    values = np.asarray(_runs(params, jnp.arange(replicates), n).train_error)
    point = {"n": n, "features": "gaussian", "repeats": 1, "ridge": ridge, "noise": noise}
    found = predict(load("digits_ridge"), point)
    made = found["train_error"]
    assert np.all(made.estimate.valid)
    assert found["test_error"].estimate.valid.tolist() == [False, False, True]
    error = values.std(axis=0, ddof=1) / replicates**0.5
    mean, slack = values.mean(axis=0), made.estimate.slack
    assert np.all(np.abs(mean - made.estimate.value) < slack + 4.5 * error)
    assert np.all(slack < 0.15 * made.estimate.value)
    equal = made.decoys["equal leverages"]
    assert np.all(((mean - equal) > slack + 5 * error)[[0, 2]])
    assert mean[0] > 1.3 * equal[0]


def test_the_most_that_single_images_may_do_bounds_the_scope():
    few = predict(load("digits_ridge"), {"n": 60, "ridge": 0.01, "noise": 1.0})
    assert not few["train_error"].estimate.valid[0]
    assert few["train_error"].estimate.slack[0] > 0.25 * few["train_error"].estimate.value[0]
