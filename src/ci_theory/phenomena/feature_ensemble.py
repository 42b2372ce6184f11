"""Ensembles of random-feature models: averaging members removes what their features cause."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from ci_theory._record import record, static
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.locate.peak import Peak
from ci_theory.measure.ensemble import ensemble_errors
from ci_theory.phenomena import _slack
from ci_theory.phenomena import random_feature_peak as member
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.systems import random_features
from ci_theory.tasks import sphere
from ci_theory.theory.features.decomposition import ErrorParts, error_parts
from ci_theory.theory.features.feature_next_order import feature_next_order
from ci_theory.theory.features.random_features import random_feature_risk, solve_gamma
from ci_theory.theory.spectra.spectrum import Spectrum, fractions


@record
class Params(member.Features):
    """The mean of several random-feature ridge models, fitted to the same rows and labels.

    The number of members is static: every ensemble is simulated as such, so that the law in
    1/members is measured, not assumed.
    """

    members: int = static(2, low=1, high=1000, unit="models", doc="models with fresh features")


@record
class Measures:
    """Averaged over the label noise and the whole sphere of test inputs, given the design."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error of the mean prediction on fresh noisy labels"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error of the mean prediction on fresh clean labels"
    )
    disagreement: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared distance of the members from their mean prediction"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and all members' features, and fit every ridge and noise level to them."""
    p, d, members = params.p, params.d, params.members
    theta = random_features.init(key, members * p, d)
    x = sphere.rows(key, capacity["n"], d)
    law = random_features.population(
        theta,
        params.activation,
        signal=jnp.asarray(params.signal),
        quadratic=jnp.asarray(params.quadratic),
    )
    target = jnp.sqrt(params.signal) * sphere.linear(x)
    target = target + jnp.sqrt(params.quadratic) * sphere.quadratic(x)
    # 1/sqrt(members p) is in the features of all members together, 1/sqrt(p) in a member's.
    features = np.sqrt(members) * random_features.apply(theta, x, params.activation)
    metric = np.sqrt(members) * law.metric
    errors = ensemble_errors(
        jnp.swapaxes(features.reshape(-1, members, p), 0, 1),
        (jnp.arange(capacity["n"]) < params.n).astype(x.dtype),
        metric=jnp.swapaxes(metric.reshape(-1, members, p), 0, 1),
        test_target=law.target,
        signal_labels=target,
        ridge=jnp.asarray(params.ridge),
        noise=jnp.asarray(params.noise),
    )
    return Measures(
        test_error=errors.excess + params.noise,
        excess_risk=errors.excess,
        disagreement=errors.disagreement,
    )


@record
class Forecast:
    """The errors of an ensemble [label^2], and the parts they are made of."""

    test_error: Scalar = predicted(
        statement="E_K = E_inf + (E_1 - E_inf) / K,  E_inf = n (noise + B) / (n - q),  "
        "B = sum (v gamma/(lambda+gamma))^2,  q = df2(gamma), gamma of one member",
        scope="as random_feature_peak; K = members >= 1",
        order="1 / L + 1 / L' of the excess risk, both of one member",
    )
    disagreement: Scalar = predicted(
        statement="(1 - 1/K) (E_1 - E_inf): the variance over the features",
        scope="as test_error; K >= 2",
        order="1 / L + 1 / L'",
    )
    parts: ErrorParts  # of one member's error
    spectrum: Spectrum  # of the mean kernel, with the target
    status: Array


def forecast(params: Params, world: member.World) -> Forecast:
    """Split one member's error by its causes, and average what its features cause."""
    spectrum = member.spectrum_of(params, world)
    parts = error_parts(spectrum, params.n, params.p, params.ridge, params.noise)
    return Forecast(
        test_error=parts.ensemble(params.members),
        disagreement=(1 - 1 / params.members) * _initialisation(parts),
        parts=parts,
        spectrum=spectrum,
        status=parts.status,
    )


def _initialisation(parts: ErrorParts) -> Scalar:
    """Variance over the features given data and noise: what averaging removes."""
    return parts.features + parts.features_data + parts.features_noise


def _all_variance(parts: ErrorParts) -> Scalar:
    return parts.data + parts.label_noise + _initialisation(parts)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Bound the error all members share, E_inf, and E_1 - E_inf, which their features cause.

    In simulations (docs/finite_size.md) the relative deviation per ``room`` of the shared error
    was up to 3.2 for a learned target and 0.5 for one that is not and for label noise; of the
    rest it was between -1.6 and 3.4 for the target and between -1.7 and 1.5 for label noise.
    """
    parts, spectrum, share = made.parts, made.spectrum, 1 / params.members
    near = feature_next_order(spectrum, params.n, params.p, params.ridge, params.noise)
    gamma = solve_gamma(spectrum, params.n, params.p, params.ridge).value
    room = 1 / near.rows_left + 1 / near.features_left
    x, y = fractions(spectrum.eigenvalues, gamma)
    forgotten = spectrum.power * y**2
    total = jnp.sum(forgotten) + spectrum.tail_power
    learned = jnp.sum(forgotten * x**2) / jnp.where(total > 0, total, 1.0)
    shared = (0.7 + 3.3 * learned) * (parts.bias + parts.data) + 0.7 * parts.label_noise
    apart = 4 * (parts.features + parts.features_data) + 2 * parts.features_noise
    shifts, limits = (near.signal_shift, near.noise_shift), (near.signal, near.noise)
    one = _slack.features(shifts, limits, room)
    fewest = jnp.minimum(near.rows_left, near.features_left)
    valid = fewest >= _slack.FEWEST_FREE
    valid = valid & (member.resolved(spectrum, gamma) <= 0.05 * params.n)
    return {
        "test_error": Bound(share * one + (1 - share) * shared * room, valid),
        "disagreement": Bound((1 - share) * apart * room, valid & (params.members > 1)),
    }


def _one_large(params: Params, made: Forecast) -> dict[str, Scalar]:
    """The ensemble taken for a single model with all members' features."""
    features = params.members * params.p
    large = random_feature_risk(made.spectrum, params.n, features, params.ridge, params.noise)
    return {"test_error": large.test_error}


def _bagged(params: Params, made: Forecast) -> dict[str, Scalar]:
    """All variance divided by the number of members, as if each had rows and labels of its own."""
    parts, variance = made.parts, _all_variance(made.parts)
    return {
        "test_error": parts.irreducible + parts.bias + variance / params.members,
        "disagreement": (1 - 1 / params.members) * variance,
    }


PHENOMENON = Phenomenon(
    name="feature_ensemble",
    title="Averaging models with fresh features removes the peak, not the noise all have seen",
    claims=(1,),
    question="How much of the harm of label noise does an ensemble on the same data undo?",
    model=(
        "The random-feature ridge models of random_feature_peak, `members` of them with "
        "independent features, fitted to the same rows and the same noisy labels; the prediction "
        "is their mean."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=member.world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        source="derived here (docs/features/random_features.md); ensembles: d'Ascoli et al. 2020 "
        "(arXiv:2003.01054), Jacot et al. 2020 (arXiv:2002.08404)",
    ),
    mistakes=(
        noise_halved("test_error", "disagreement"),
        Mistake(
            name="one model",
            why="averaging is taken to change nothing",
            against=("test_error",),
            params=lambda params: {"members": 1},
        ),
        Mistake(
            name="all variance averages out",
            why="the members are taken to have rows and label noise of their own",
            against=("test_error", "disagreement"),
            forecast=_bagged,
        ),
        Mistake(
            name="one large model",
            why="the ensemble is taken for one model with all members' features",
            against=("test_error",),
            forecast=_one_large,
        ),
        Mistake(
            name="features alone",
            why="what features cause only together with rows or noise is left out",
            against=("disagreement",),
            forecast=lambda params, made: {
                "disagreement": (1 - 1 / params.members) * made.parts.features
            },
        ),
    ),
    breaks=(
        Break(
            name="peak in p",
            axis="p",
            measure="test_error",
            locator=Peak(),
            statement="p = n as ridge -> 0, of height 1/K above E_inf",
            closed_form=lambda params: float(params.n),
        ),
    ),
)
