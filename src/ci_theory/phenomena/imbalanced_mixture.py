"""A minority class under least squares: how imbalance costs it, and when it is lost."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri

from ci_theory._record import again, inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import imbalance
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian, mixture
from ci_theory.theory.rows.imbalance import lost_minority, mixture_risk, separation
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.spectrum import Spectrum, df2, explicit, isotropic, scale_target
from ci_theory.training import closed_form

ERRORS = ("error_majority", "error_minority", "balanced_error", "balanced_error_optimal")
"""All that is measured, and predicted."""

NODES = 256  # a power law is compressed to this many nodes: one compiled shape for every p


@record
class Params(imbalance.Imbalance):
    """Least-squares classification of two Gaussian classes."""

    n: int = sized(400, low=4, unit="rows", doc="training rows of both classes")
    minority: float = again(imbalance.Imbalance, "minority", 0.2)
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension")
    spectrum: str = static(
        "isotropic", choices=gaussian.SPECTRA, doc="within-class covariance, see `model`"
    )
    alpha: float = static(1.5, above=0, high=20, doc="decay exponent of the power-law spectrum")
    separation: float = traced(
        1.0, low=0, unit="input²", doc="|mu|²: squared half distance of the class means"
    )
    ridge: float = inner(1.0, low=0, unit="rows·input²", doc="total ridge; the intercept is free")


@record
class Measures:
    """Exact on the test law, given the fitted classifier sign(w.x + b)."""

    error_majority: Float[Array, " m"] = measured(
        unit="probability", doc="error on fresh rows of the majority"
    )
    error_minority: Float[Array, " m"] = measured(
        unit="probability", doc="error on fresh rows of the minority; above 1/2 the class is lost"
    )
    balanced_error: Float[Array, " m"] = measured(
        unit="probability", doc="mean of the two class errors"
    )
    balanced_error_optimal: Float[Array, " m"] = measured(
        unit="probability", doc="mean of the two class errors at the best threshold"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both classes, fit every ridge, and integrate the score over each class."""
    variances = jnp.asarray(gaussian.variances(params.spectrum, params.p, alpha=params.alpha))
    mean = jnp.sqrt(params.separation) * gaussian.target(params.p)
    size, few = capacity["n"], params.sizes()[1]
    x, labels, there = mixture.draw(key, size, jnp.asarray(params.n), few, variances, mean)

    # A free intercept is a fit of centred rows to centred labels.
    n = jnp.sum(there)
    middle, level = there @ x / n, there @ labels / n
    path = closed_form.decompose(x - middle[None, :], there)
    w = closed_form.coefficients(path, labels - level, jnp.asarray(params.ridge))
    intercept = level - middle @ w

    spread = jnp.sqrt(variances @ w**2)
    majority, minority = intercept + mean @ w, intercept - mean @ w
    wrong = ndtr(-majority / spread), ndtr(minority / spread)
    return Measures(
        error_majority=wrong[0],
        error_minority=wrong[1],
        balanced_error=(wrong[0] + wrong[1]) / 2,
        balanced_error_optimal=ndtr((minority - majority) / (2 * spread)),
    )


def world(params: Params) -> Spectrum:
    """Build the within-class spectrum, with class means at unit squared distance from 0."""
    if params.spectrum == "isotropic":
        return isotropic(float(params.p))
    variances = gaussian.variances(params.spectrum, params.p, alpha=params.alpha)
    squares = gaussian.target(params.p) ** 2 / variances  # so that ``power`` is mu^2
    return compress(explicit(variances, squares), pad_to=NODES)


@record
class Forecast:
    """Errors of the classifier, and what they are averaged over."""

    error_majority: Scalar = predicted(statement="Phi(-m+ / s),  m+ = 1 - 2 (n-/n) R")
    error_minority: Scalar = predicted(
        statement="Phi(m- / s),  m- = -1 + 2 (n+/n) R,  R = n' / (n' + (n+ n-/n) A)"
    )
    balanced_error: Scalar = predicted(statement="(Phi(-m+ / s) + Phi(m- / s)) / 2")
    balanced_error_optimal: Scalar = predicted(
        statement="Phi(-A / (2 sqrt V)): what no threshold removes"
    )
    known_law: Scalar  # error of Fisher's discriminant with known means and covariance
    directions: Scalar  # df2
    status: Array


def forecast(params: Params, unit: Spectrum) -> Forecast:
    """Evaluate the deterministic equivalent, and Fisher's discriminant."""
    spectrum = scale_target(unit, params.separation)
    risk = mixture_risk(spectrum, *params.sizes(), params.ridge)
    return Forecast(
        error_majority=risk.error_majority,
        error_minority=risk.error_minority,
        balanced_error=risk.balanced_error,
        balanced_error_optimal=risk.balanced_error_optimal,
        known_law=ndtr(-jnp.sqrt(separation(spectrum, 0.0)) / 2),
        directions=df2(spectrum, risk.kappa),
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach the second-order term of averaging Phi over scores that fluctuate.

    They do with the minority rows, the effective directions (df2) and the rows left over (free);
    the three factors are measured at random points, |z| < 2.5, not derived (docs/finite_size.md).
    Further out in the tail an average of Phi is made of rare designs. Fewer than 10 rows left,
    than 10 minority rows or than 8 effective directions do not average out.
    """
    minority, second = params.sizes()[1], made.directions
    free = params.n - 2 - second
    room = 0.5 / minority + 0.3 / second + 0.4 / free
    enough = (minority >= 10) & (second >= 8) & (free >= 10)

    def bound(error: Scalar) -> Bound:
        z = ndtri(error)
        valid = enough & (jnp.abs(z) <= 2.5)
        return Bound(jnp.where(valid, error * (1 - error) * (1 + z**2 / 2) * room, 0.0), valid)

    return {name: bound(getattr(made, name)) for name in ERRORS}


def _lost(params: Params) -> float:
    """Share of the minority at which its error passes 1/2, in closed form."""
    return float(_share_lost(params, world(params)))


@quickly
def _share_lost(params: Params, unit: Spectrum) -> Scalar:
    return lost_minority(scale_target(unit, params.separation), params.n, params.ridge).share


PHENOMENON = Phenomenon(
    name="imbalanced_mixture",
    title="A minority class under least squares: threshold, direction, and loss of the class",
    claims=(5,),
    question="When is a rare class lost, and what of the harm can a threshold repair?",
    model=(
        "Rows N(+-mu, S), a share `minority` of them at -mu, labels +-1; minimise "
        "sum (y - w.x - b)^2 + ridge |w|^2 with a free intercept b, classify by sign(w.x + b). "
        "|mu|^2 = separation, spread evenly over the coordinates; S is the identity, two blocks "
        "(half the variances 1, the others 1/10) or k^-alpha."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, p, minority -> infinity together; here 10 minority rows, df2 >= 8, "
        "n - df2 >= 12, and an error of 0.6 to 99.4 %",
        order="1 / minority rows, 1 / df2 and 1 / (n - 2 - df2): measured, docs/finite_size.md",
        source="derived here (docs/rows/imbalance.md); Raudys 1967; Mai, Liao 2019 "
        "(arXiv:1905.13742)",
    ),
    mistakes=(
        Mistake(
            name="imbalance ignored",
            why="two classes of n/2 rows; of the best threshold: imbalance moves nothing else",
            against=ERRORS,
            params=lambda params: {"minority": 0.5},
        ),
        Mistake(
            name="rows halved",
            why="the classes count half their rows",
            against=ERRORS,
            params=lambda params: {"n": 0.5 * params.n},
        ),
        Mistake(
            name="infinite data",
            why="Fisher's discriminant with known means and covariance",
            against=ERRORS,
            forecast=lambda params, made: dict.fromkeys(ERRORS, made.known_law),
        ),
    ),
    breaks=(
        Break(
            name="minority lost",
            axis="minority",
            measure="error_minority",
            locator=Crossing(level=0.5, direction="down"),
            statement="2 / (a + 2 + sqrt(a^2 + 4)),  a = n A(kappa) / (n - 2)",
            closed_form=_lost,
        ),
    ),
)
