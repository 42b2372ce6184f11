"""Ridge regression on real images: errors predicted image by image from their kernel."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import eigh_tridiagonal, lapack
from threadpoolctl import threadpool_limits

from ci_theory._keys import stream
from ci_theory._record import again, inner, record, sized, static
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.biases.oversampling import Oversampling
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_halved, optimism_ignored
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import digits
from ci_theory.theory.rows.finite_population import population_risk
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.rows.row_leverages import RowRisk, row_risk
from ci_theory.theory.spectra.groups import Groups, over_copies, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, df2
from ci_theory.training.closed_form import shrinkage, without_rounding

POPULATION = 1797
"""Images there are."""

TOLERANCE = 0.05
"""Declared accuracy of the test error, relative to the excess: neither derived nor fitted."""

FEWEST_IMAGES = 50
"""Training images below which nothing is claimed."""

MOST_UNSETTLED = 0.25
"""Share of the training error that its slack may reach before nothing is claimed."""


@record
class Params(Oversampling):
    """Kernel ridge regression of a binary label on part of the digits."""

    n: int = sized(300, low=2, high=1700, unit="rows", doc="distinct training images")
    features: str = static("gaussian", choices=digits.FEATURES, doc="kernel on the images")
    label: str = static("parity", choices=digits.LABELS, doc="what the label +-1 says")
    repeated: float = again(Oversampling, "repeated", 0.25)
    ridge: float = inner(1.0, low=0, unit="rows·kernel", doc="total ridge")
    noise: float = inner(0.0, low=0, unit="label²", doc="variance of noise added to the labels")


@record
class Measures:
    """Averaged over the added label noise given the training images."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on noisy labels of the images left out"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual over all copies"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw the training images without replacement, fit, and test on all the others."""
    size = capacity["n"]
    images = jnp.asarray(digits.images())
    labels = jnp.asarray(digits.labels(params.label))
    order = jax.random.permutation(stream(key, "design"), POPULATION)
    x, y = images[order], labels[order]

    row = jnp.arange(POPULATION)
    weights = repetition.weights(params.split(params.n), size)
    root = jnp.sqrt(weights)
    out = (row >= params.n).astype(x.dtype)

    onto = digits.kernel(params.features, x, x[:size]) * root[None, :]
    gram = root[:, None] * onto[:size]
    values, vectors = jnp.linalg.eigh(gram)
    values = without_rounding(values, size)
    along = vectors.T @ (root * y[:size])
    noise_gram = vectors.T @ (weights[:, None] * vectors)
    onto = (onto @ vectors) * jnp.sqrt(out)[:, None]
    test_gram = (onto.T @ onto) * noise_gram
    own = jnp.diagonal(noise_gram)

    def at(point: tuple[Array, Array]) -> tuple[Array, Array]:
        ridge, noise = point
        inverse = shrinkage(values, ridge)
        kept = jnp.where(values > 0, ridge * inverse, 1.0) ** 2
        miss = onto @ (inverse * along) - jnp.sqrt(out) * y
        spread = inverse @ (test_gram @ inverse)
        test = (miss @ miss + noise * spread) / jnp.sum(out)
        return test + noise, kept @ (along**2 + noise * own) / jnp.sum(weights)

    test, train = jax.lax.map(at, (jnp.asarray(params.ridge), jnp.asarray(params.noise)))
    return Measures(test_error=test, train_error=train)


@lru_cache(maxsize=2)
def _kernel(features: str) -> np.ndarray:
    images = digits.images()
    made: np.ndarray = quickly(partial(digits.kernel, features))(images, images)
    return made  # the same bits in every process, however it compiles all else


def _along(kernel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of a kernel, ascending, and the target's square on each eigenvector.

    For speed no such vector is worked out: a reflection makes the target the first axis, which the
    tridiagonal form of the kernel keeps.
    """
    size = np.linalg.norm(target)
    mirror = target + size * np.eye(1, len(target))[0] * np.copysign(1, target[0])
    mirror /= np.linalg.norm(mirror)
    image = kernel @ mirror
    image -= (mirror @ image) * mirror
    turned = kernel - 2 * (np.outer(mirror, image) + np.outer(image, mirror))
    work = int(lapack.dsytrd_lwork(len(target), lower=1)[0])
    _, diagonal, beside, _, _ = lapack.dsytrd(turned.T, lower=1, lwork=work, overwrite_a=1)
    values, vectors = eigh_tridiagonal(diagonal, beside)
    return values, (size * vectors[0]) ** 2


@lru_cache(maxsize=8)
def _spectrum(features: str, label: str) -> Spectrum:
    labels = digits.labels(label)
    values, squares = _along(_kernel(features), labels)
    kept = values > values[-1] * POPULATION * np.finfo(float).eps
    power = squares / POPULATION
    return Spectrum(
        eigenvalues=np.where(kept, values / POPULATION, 1.0),
        multiplicity=kept.astype(float),
        power=np.where(kept, power, 0.0),
        tail_trace=np.zeros(()),
        tail_power=np.asarray(power[~kept].sum()),
    )


def world(params: Params) -> Spectrum:
    """Diagonalise the kernel on all images; the label's power on its eigenvectors."""
    _kernel(params.features)  # not in the middle of a compiled program
    with threadpool_limits(1, user_api="blas"):  # as in _by_image: more only wait for each other
        return _spectrum(params.features, params.label)


@lru_cache(maxsize=1024)
def _solved(features: str, label: str, fresh: float, repeated: float, *rest: float) -> RowRisk:
    repeats, ridge, start = rest
    found = row_risk(
        _kernel(features),
        digits.labels(label),
        counts=np.array([fresh, repeated]),
        weights=np.array([1.0, repeats]),
        noise=np.ones(2),
        ridge=ridge,
        start=start,
    )
    return RowRisk(*(np.asarray(a) for a in found))


def _by_image(features: str, label: str, *numbers: Any) -> RowRisk:
    """Solve on the host, once for all levels of noise: 1797 unknowns take a second."""
    *at, start = (float(v) for v in numbers)
    with threadpool_limits(1, user_api="blas"):  # more wait for each other on a busy machine
        return _solved(features, label, *at, float(f"{start:.3g}"))


@record
class Forecast:
    """Errors at one point [label^2], and what they come from."""

    test_error: Scalar = predicted(
        statement="noise + mean over images of T,  T = beta + (R*R/b^2 - Q^2)' t,  "
        "R = K/(1 + W K),  R_ii = Q_i b_i,  b = E (1-h),  h = c Q/(ridge + c Q)",
        scope="n >= 50; what single other images add to the training error (twice 3 var(h)"
        "/(1-h)^2, computed) <= 5 % of it",
        order="5 % of the excess: a declared tolerance, not a bound",
    )
    train_error: Scalar = predicted(
        statement="mean over copies and images of (1-h)^2 (T + v)",
        scope="n >= 50; what single other images add (see order) <= 25 %",
        order="twice 3 var(h)/(1-h)^2 of it, var(h) computed to leading order; of the label's "
        "part also 1 / (effective rows - df2)",
    )
    rows: RowRisk  # the risk image by image, for label noise of variance 1
    equal: Scalar  # the training error if all images of one weight had the mean leverage
    free: Scalar  # effective rows less df2
    spectrum: Spectrum  # of the kernel on all images
    status: Int[Array, ""]


def forecast(params: Params, spectrum: Spectrum) -> Forecast:
    """Solve for the leverage of every image; the spectrum tells where to start."""
    groups = _groups(params)
    equal = population_risk(spectrum, POPULATION, groups, params.ridge)
    start = equal.kappa * equal.df1 / (1 - equal.df1 / POPULATION)
    number, pair = jax.ShapeDtypeStruct((), float), jax.ShapeDtypeStruct((2,), float)
    rows = jax.pure_callback(
        partial(_by_image, params.features, params.label),
        RowRisk(number, number, pair, pair, pair, pair, pair, jax.ShapeDtypeStruct((), int)),
        *params.split(params.n),
        jnp.asarray(params.ridge, float),
        start,
        vmap_method="sequential",
    )
    effective = equal.df1**2 / jnp.sum(groups.counts * equal.leverage**2)
    return Forecast(
        **_errors(params, rows, params.noise),
        rows=rows,
        equal=over_copies(_groups(params), equal.residual),
        free=effective - df2(spectrum, equal.kappa),
        spectrum=spectrum,
        status=rows.status,
    )


def _errors(params: Params, rows: RowRisk, noise: Scalar | float) -> dict[str, Scalar]:
    residual = rows.residual_signal + noise * rows.residual_noise
    return {
        "test_error": rows.signal + noise * rows.noise + noise,
        "train_error": over_copies(_groups(params), residual),
    }


def _groups(params: Params) -> Groups:
    return repeated_rows(*params.split(params.n), params.noise, True)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute what single other images do to the training error, to leading order and doubled.

    Doubled, because the fluctuation of a leverage is itself larger than to leading order.
    """
    rows, train, groups = made.rows, made.train_error, _groups(params)
    loose = 2 * over_copies(groups, rows.unsettled_signal + params.noise * rows.unsettled_noise)
    signal = over_copies(groups, rows.residual_signal) * _slack.per(made.free)
    tolerated = TOLERANCE * (made.test_error - params.noise)
    enough = params.n >= FEWEST_IMAGES
    return {
        "test_error": Bound(tolerated, enough & (loose <= TOLERANCE * train)),
        "train_error": Bound(loose + signal, enough & (loose <= MOST_UNSETTLED * train)),
    }


def _endless(params: Params, made: Forecast) -> dict[str, Scalar]:
    risk = weighted_ridge_risk(made.spectrum, _groups(params), params.ridge)
    return {"test_error": risk.excess_risk + params.noise}


def _as_fresh(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Count copies as further images, as far as there are any."""
    fresh, repeated, repeats = params.split(params.n)
    n = jnp.minimum(fresh + repeated * repeats, POPULATION - 1.0)
    rows = repeated_rows(n, 0.0, 1.0, params.noise, True)
    risk = population_risk(made.spectrum, POPULATION, rows, params.ridge)
    # without copies it says what the prediction says
    wrong = jnp.where(repeats == 1, made.test_error, risk.excess_risk + params.noise)
    return {"test_error": wrong}


PHENOMENON = Phenomenon(
    name="digits_ridge",
    title="The learning curve of real images from their kernel, image by image",
    claims=(1, 2),
    question="Does the theory of label noise and repetition hold on real data?",
    model=(
        "The 1797 digits of scikit-learn are the population; n are drawn without replacement, a "
        "share `repeated` of them is seen `repeats` times with one label, kernel ridge regression "
        "of a +-1 label plus noise; tested on all images left out."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(Forecast, source="derived here (docs/rows/real_data.md)"),
    mistakes=(
        dataclasses.replace(  # read off: the leverages, which take long, know nothing of the noise
            noise_halved("test_error", "train_error"),
            params=None,
            forecast=lambda params, made: _errors(params, made.rows, 0.5 * params.noise),
        ),
        Mistake(
            name="infinite population",
            why="the left-out images are taken for fresh draws, N = infinity",
            against=("test_error",),
            forecast=_endless,
        ),
        Mistake(
            name="copies are new images",
            why="repeated images are counted as further ones",
            against=("test_error",),
            forecast=_as_fresh,
        ),
        Mistake(
            name="equal leverages",
            why="all images of one weight have the mean leverage (a Haar frame)",
            against=("train_error",),
            forecast=lambda params, made: {"train_error": made.equal},
        ),
        optimism_ignored(),
    ),
    breaks=(Break(name="peak in n", axis="n", measure="test_error", locator=Peak()),),
)
