"""An inherited label prior: how far counting labels removes it, and with how many it pays."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from ci_theory._record import inner, record, sized, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit import label_prior
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena._base import Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.theory.inheritance.prior_bias import (
    MOST_LABELS,
    ClassErrors,
    adjusted_errors,
    best_strength,
    fewest_labels,
    gaussian_errors,
    log_odds,
    shifted_errors,
    told_share,
)

SETS = 256  # sets of labels that a run draws
ALL = ("balanced_error", "rare_error", "upstream_error", "gain")


@record
class Params:
    """A classifier that is best under the prior it was trained on, adjusted to equal classes."""

    n: int = sized(40, low=1, high=MOST_LABELS, unit="labels", doc="labels that tell the prior")
    prior: float = traced(0.7, low=0.5, high=0.999, unit="", doc="upstream share of one class")
    flips: float = traced(0.0, low=0, high=0.5, unit="", doc="share of the labels that is wrong")
    separation: float = inner(
        1.0, above=0, unit="", doc="mu²: squared half distance of the classes over their variance"
    )
    strength: float = inner(
        1.0, low=0, high=100, unit="", doc="share of the estimated log prior that is taken off"
    )


@record
class Measures:
    """Exact on the test laws given the labels; a mean over the sets of labels of a run."""

    balanced_error: Float[Array, " m"] = measured(
        unit="probability", doc="mean of the errors on both classes"
    )
    rare_error: Float[Array, " m"] = measured(
        unit="probability", doc="error on the class that is rare upstream"
    )
    upstream_error: Float[Array, " m"] = measured(
        unit="probability", doc="error where the classes have their upstream shares"
    )
    gain: Float[Array, " m"] = measured(
        unit="probability", doc="balanced error as inherited less that of the adjusted classifier"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw labels, count them, and take their log odds off the score."""
    n, prior, flips = (jnp.asarray(v) for v in (params.n, params.prior, params.flips))
    separation, strength = jnp.asarray(params.separation), jnp.asarray(params.strength)
    estimate = label_prior.estimates(key, SETS, capacity["n"], n, prior, flips)
    made = label_prior.errors(separation, strength, prior, estimate)
    before = label_prior.errors(separation, jnp.zeros_like(strength), prior, estimate)
    balanced = (made.common + made.rare) / 2
    return Measures(
        balanced_error=balanced,
        rare_error=made.rare,
        upstream_error=prior * made.common + (1 - prior) * made.rare,
        gain=(before.common + before.rare) / 2 - balanced,
    )


@record
class Forecast:
    """Means over the labels: a sum over their counts."""

    balanced_error: Scalar = predicted(
        statement="(e+ + e-)/2,  e+- = sum_k Bin(k; n, q) Phi(-mu -+ (L - strength L_k)/2mu),  "
        "q = prior + flips (1 - 2 prior)",
    )
    rare_error: Scalar = predicted(statement="e-")
    upstream_error: Scalar = predicted(statement="prior e+ + (1 - prior) e-")
    gain: Scalar = predicted(statement="[Phi(-mu - L/2mu) + Phi(-mu + L/2mu)]/2 - (e+ + e-)/2")


def forecast(params: Params, world: None) -> Forecast:
    """Sum over the binomial counts."""
    at = params.separation, params.prior, params.n, params.strength, params.flips
    return Forecast(**_read(params, adjusted_errors(*at)))


def _read(params: Params, made: ClassErrors) -> dict[str, Any]:
    return {
        "balanced_error": made.under(0.5),
        "rare_error": made.rare,
        "upstream_error": made.under(params.prior),
        "gain": made.gain,
    }


def _gaussian(params: Params, made: Forecast) -> dict[str, Any]:
    at = params.separation, params.prior, params.n, params.strength, params.flips
    return _read(params, gaussian_errors(*at))


def _counted(params: Params, made: Forecast) -> dict[str, Any]:
    """Take the share that the labels tell for known."""
    inherited = log_odds(params.prior)
    left = inherited - params.strength * log_odds(told_share(params.prior, params.flips))
    return _read(params, shifted_errors(params.separation, left, inherited))


@quickly
def _best(params: Params) -> Scalar:
    """Strength at which the mean square of the shift is least; NaN without a prior to take off."""
    strength = best_strength(params.prior, params.n, params.flips)
    return jnp.where(strength > 0, strength, jnp.nan)


@quickly
def _fewest(params: Params) -> Scalar:
    """Labels from which on adjusting pays; NaN where it never does, or always."""
    labels = fewest_labels(params.prior, params.strength, params.flips)
    return jnp.where((labels > 0) & jnp.isfinite(labels), labels, jnp.nan)


PHENOMENON = Phenomenon(
    name="prior_bias",
    title="An inherited label prior: how far counting labels removes it",
    claims=(22,),
    question="Can an inherited label prior be adjusted away, with how many labels, and how far?",
    model=(
        "Scores N(+-mu, 1) of two classes, mu^2 = separation. Upstream a share `prior` is of one "
        "class: the classifier inherits the log odds L. Of n labels from there, a share `flips` of "
        "them wrong, k say so: `strength` times ln (k + 1/2)/(n - k + 1/2) is taken off. Tested on "
        "equal classes."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    predictions=predictions(
        Forecast,
        scope="everywhere",
        order="exact",
        source="derived here, docs/inheritance/prior_bias.md; the errors of a shifted threshold: "
        "Menon et al. 2020 (arXiv:2007.07314)",
        closed=True,
    ),
    mistakes=(
        Mistake(
            name="log odds are Gaussian",
            why="the estimated log odds are taken for Gaussian: good for many labels",
            against=ALL,
            forecast=_gaussian,
        ),
        Mistake(
            name="share is known",
            why="the estimate is thought to be what it converges to",
            against=ALL,
            forecast=_counted,
        ),
        Mistake(
            name="labels are right",
            why="wrong labels, which hide part of the prior, are overlooked",
            against=ALL,
            params=lambda params: {"flips": 0.0},
        ),
    ),
    breaks=(
        Break(
            name="labels that adjusting needs",
            axis="n",
            measure="gain",
            locator=Crossing(level=0.0, direction="up", log_axis=True),
            statement="L -> 0: strength/[q (1 - q) L' (2 L - strength L')], 1/[q (1 - q) L^2] if "
            "full and the labels right",
            closed_form=_fewest,
        ),
        Break(
            name="best strength",
            axis="strength",
            measure="balanced_error",
            locator=Valley(log_axis=False),
            statement="L -> 0: L L'/(L'^2 + v),  v = 1/[n q (1 - q)],  L' the log odds of q",
            closed_form=_best,
        ),
    ),
)
