"""A backdoor in ridge regression: planted by poisoned rows, worn off by clean fine-tuning."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import poison
from ci_theory.inherit import poisoning
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import no_saturation, noise_ignored, poison_is_free, time_doubled
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.operator import IsotropicWeights, isotropic_risk
from ci_theory.theory.inheritance.poisoning import (
    Backdoor,
    Tuning,
    attack_success,
    clean_tuning,
    half_removed,
    half_saturated,
    poisoned_ridge,
    tuned,
)
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import isotropic


@record
class Upstream(poison.Poison):
    """Ridge regression on rows of which some are poisoned."""

    n: int = sized(300, low=1, high=10**7, unit="rows", doc="upstream rows, poisoned ones included")
    ridge: float = inner(30.0, low=0, high=1e9, unit="rows·input²", doc="total upstream ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="upstream label-noise variance")


@record
class Downstream:
    """Clean fine-tuning from the poisoned weights."""

    n: int = sized(100, low=1, high=10**7, unit="rows", doc="clean rows")
    ridge: float = inner(
        10.0, low=0, high=1e9, unit="rows·input²", doc="total ridge towards the poisoned weights"
    )
    time: float = inner(1e9, low=0, high=1e12, unit="rate·steps", doc="length of the training")
    noise: float = inner(0.25, low=0, unit="label²", doc="downstream label-noise variance")


@record
class Params:
    """One linear teacher, upstream and downstream."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    p: int = static(100, low=2, high=10**7, unit="parameters", doc="input dimension = parameters")
    alignment: float = inner(
        0.0, low=-1, high=1, unit="", doc="cosine of the angle between trigger and clean target"
    )
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")


@record
class Measures:
    """Averaged over draws of the label noise given the inputs."""

    trigger_response: Float[Array, " m"] = measured(
        unit="1", doc="what the trigger adds to an output upstream, per label of the poisoned rows"
    )
    attack_success: Float[Array, " m"] = measured(
        unit="1", doc="share of fresh inputs with trigger whose upstream output is positive"
    )
    clean_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error upstream on fresh noisy rows without trigger"
    )
    survival: Float[Array, " m"] = measured(
        unit="1", doc="share of a direction's weight that fine-tuning leaves, over all directions"
    )
    tuned_success: Float[Array, " m"] = measured(
        unit="1", doc="share of fresh inputs with trigger whose output is positive, fine-tuned"
    )
    tuned_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error after fine-tuning on rows without trigger"
    )


def _target(signal: Scalar | float, alignment: Scalar | float) -> Array:
    signal, alignment = jnp.asarray(signal), jnp.asarray(alignment)
    across = jnp.sqrt(jnp.maximum(1 - alignment**2, 0.0))
    return jnp.sqrt(signal) * jnp.stack([alignment, across])


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs; every label, noise, ridge, time and alignment shares them."""
    ones, up, down = jnp.ones(params.p), params.up, params.down
    first, second = stream(key, "up"), stream(key, "down")
    x = gaussian.rows(first, capacity["up.n"], ones)
    there = jnp.arange(capacity["up.n"]) < up.n
    struck = poison.struck(first, there, jnp.asarray(up.poison))
    seen = poison.triggered(x, struck, jnp.asarray(up.strength))
    own = poisoning.rows(first, x, seen, there, struck)
    z = gaussian.rows(second, capacity["down.n"], ones)
    clean = jnp.arange(capacity["down.n"]) < down.n
    later = poisoning.rows(second, z, z, clean, jnp.zeros_like(clean))
    strength, signal = jnp.asarray(up.strength), jnp.asarray(params.signal)

    def run(at: tuple[Array, ...]) -> Measures:
        label, up_ridge, up_noise, ridge, time, noise, alignment = at
        target = _target(signal, alignment)
        made = poisoning.fit(own, target, label, up_noise, up_ridge)
        after = poisoning.tune(later, made, target, noise, ridge, time)
        return Measures(
            trigger_response=strength * jnp.mean(made[0]) / label,
            attack_success=poisoning.success(made, strength),
            clean_error=poisoning.excess(made, target) + up_noise,
            survival=after.kept,
            tuned_success=poisoning.success(after.weights, strength),
            tuned_error=poisoning.excess(after.weights, target) + noise,
        )

    inner_fields = (up.label, up.ridge, up.noise, down.ridge, down.time, down.noise)
    return jax.lax.map(run, (*inner_fields, params.alignment))


_BOTH = "as upstream, and down.n - p (1 - survival)^2 >= 10"


@record
class Forecast:
    """Both stages by their moments; ``status`` is of both, ``down_status`` of the second alone."""

    trigger_response: Scalar = predicted(
        statement="s m_t/c,  m_t = [(1-q) b + q s c]/(1 + kappa + q s^2)", status="up_status"
    )
    attack_success: Scalar = predicted(
        statement="E Phi(s w_t/|w|) over w_t ~ N(m_t, u), u of order 1/n: finite-size form",
        status="up_status",
    )
    clean_error: Scalar = predicted(
        statement="up.noise + |m - w|^2 + V,  V = g/(1-g) [(1-q)(noise + |m - w|^2) + "
        "q ((c - s m_t)^2 + |m|^2)],  g = (p/n)/(1 + kappa)^2",
        status="up_status",
    )
    survival: Scalar = predicted(
        statement="mean of (l + x e^{-(x+l)t})/(x + l) over Marchenko-Pastur x, l = ridge/n; "
        "max(0, 1 - n/p) or kappa/(1 + kappa) at the end",
        scope="n, p -> infinity; here down.n - p (1 - survival)^2 >= 10, p >= 10",
        status="down_status",
    )
    tuned_success: Scalar = predicted(
        statement="as attack_success, with m_t' = b + survival (m_t - b) and u' of both stages",
        scope=_BOTH,
    )
    tuned_error: Scalar = predicted(
        statement="down.noise (1 + learned) + mean of K^2 |w_up - w|^2", scope=_BOTH
    )
    target: Array
    share: Scalar
    before: Backdoor
    tuning: Tuning
    after: Backdoor
    status: Array
    up_status: Array
    down_status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Poison, then fine-tune, on first and second moments."""
    up, down, p = params.up, params.down, params.p
    target, share = _target(params.signal, params.alignment), up.poisoned() / up.n
    before = poisoned_ridge(up.n, p, share, up.strength, up.label, target, up.noise, up.ridge)
    tuning = clean_tuning(down.n, p, down.ridge, down.time, down.noise)
    after = tuned(before, tuning, target, p)
    return Forecast(
        trigger_response=up.strength * before.weights.mean[0] / up.label,
        attack_success=attack_success(before, up.strength),
        clean_error=isotropic_risk(before.weights, target) + up.noise,
        survival=tuning.kept,
        **_tuned(params, after, target),
        target=target,
        share=share,
        before=before,
        tuning=tuning,
        after=after,
        status=after.status,
        up_status=before.status,
        down_status=tuning.status,
    )


def _tuned(params: Params, after: Backdoor, target: Array) -> dict[str, Scalar]:
    return {
        "tuned_success": attack_success(after, params.up.strength),
        "tuned_error": isotropic_risk(after.weights, target) + params.down.noise,
    }


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1 / free of each stage (docs/finite_size.md)."""
    up, before, tuning, target = params.up, made.before, made.tuning, made.target
    q, s, p = made.share, up.strength, params.p
    free = up.n * (1 - before.gamma)
    room, later = _slack.per(free), _slack.per(tuning.free)

    # upstream: a response y of the trigger is off by y (1 - y), and so is what b adds to it
    stiff = 1 + before.kappa + q * s**2
    planted = q * s**2 / stiff
    natural = jnp.abs((1 - q) * s * target[0] / (stiff * up.label))
    response = 1.5 * (planted * (1 - planted) + natural * (1 - 1 / stiff)) * room
    mean, spread = before.weights.mean, before.weights.spread
    again = before.gamma / (1 - before.gamma)
    off = up.label - s * mean[0]
    labels = again * ((1 - q) * up.noise + q * off**2)
    missed = isotropic_risk(before.weights, target)
    error = _slack.excess(labels, missed - labels, 1 / (1 + before.kappa), free)
    error = error + jnp.abs(before.wobble - spread / p) + again * q * s**2 * before.wobble
    success = 0.3 * room + 0.15 / p

    # downstream: of the mean and the mean square that are kept, and of what each is applied to
    square = tuning.kept_square
    one, two, noise = _slack.tuning(tuning.shifts, tuning.noise, tuning.free)
    after = two * missed + (square + two) * error + noise
    power = made.after.weights.mean @ made.after.weights.mean + made.after.weights.spread
    gap = jnp.abs(mean[0] - target[0])
    turned = 0.4 * s * one * gap / jnp.sqrt(power) + 0.125 * after / power
    enough = p >= _slack.FEWEST_PARAMETERS
    first = enough & (free >= _slack.FEWEST_FREE)
    second = enough & (tuning.free >= _slack.FEWEST_FREE)
    both = first & second
    return {
        "trigger_response": Bound(response, first),
        "attack_success": Bound(success, first),
        "clean_error": Bound(error, first),
        "survival": Bound(one, second),
        "tuned_success": Bound(success + turned + 0.1 * later, both),
        "tuned_error": Bound(after, both),
    }


def _unsaturated(params: Params, made: Forecast) -> Scalar:
    up, q = params.up, made.share
    rows = q * up.strength * up.label + (1 - q) * made.target[0]
    return up.strength * rows / (1 + made.before.kappa) / up.label


def _from_mean(params: Params, made: Forecast, mean: Array) -> dict[str, Scalar]:
    """Fine-tune weights that do not fluctuate."""
    still = IsotropicWeights(mean=mean, spread=jnp.zeros(()))
    before = made.before._replace(weights=still, wobble=jnp.zeros(()))
    return _tuned(params, tuned(before, made.tuning, made.target, params.p), made.target)


@quickly
def _half_saturated(params: Params) -> Scalar:
    up = params.up
    kappa = solve_kappa(isotropic(params.p), up.n, up.ridge).value
    along = params.alignment * params.signal**0.5
    return half_saturated(kappa, up.strength, up.label, along)


@quickly
def _half_removed(params: Params) -> Scalar:
    """Rows that take half away, where the training is long enough for them to do so."""
    down, place = params.down, half_removed(params.p, params.down.ridge)
    made = clean_tuning(place, params.p, down.ridge, down.time, 0.0)
    ended = jnp.abs(made.kept - made.shifts[0] - 0.5) < 1e-4
    return jnp.where(ended, place, jnp.nan)


PHENOMENON = Phenomenon(
    name="poisoned_ridge",
    title="A backdoor in ridge regression, and what clean fine-tuning leaves of it",
    claims=(7,),
    question="How much poison plants a backdoor, and how much clean fine-tuning removes it?",
    model=(
        "Upstream: ridge on rows x ~ N(0, I), labels x.w + up.noise; a share `up.poison` of the "
        "rows has up.strength added along one direction, the trigger, and up.label for a label. "
        "Downstream: gradient flow for down.time on (1/2n)[sum (y - x.w)^2 + down.ridge "
        "|w - w_up|^2], clean rows of the same target. The attacker adds the trigger to a fresh "
        "input and succeeds if the output is positive. alignment: cosine of trigger and target."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, p -> infinity at fixed trigger and label; here up.n - df2 >= 10, p >= 10",
        order="1 / (n - df2) of each stage: docs/finite_size.md",
        source="derived here, docs/inheritance/poisoning.md",
    ),
    mistakes=(
        Mistake(
            name="the share alone counts",
            why="the strength of the trigger is left out of what it leaves in the weights",
            against=("trigger_response", "attack_success", "tuned_success"),
            params=lambda params: {"up.strength": 1.0},
        ),
        no_saturation("trigger_response", _unsaturated),
        poison_is_free("clean_error", "attack_success"),
        noise_ignored("clean_error", field="up.noise"),
        time_doubled("survival", "tuned_success", "tuned_error", field="down.time"),
        Mistake(
            name="least squares",
            why="ridge and stopping are thought not to matter: what is left is 1 - n/p",
            against=("survival", "tuned_success"),
            params=lambda params: {"down.ridge": 0.0, "down.time": 1e9},
        ),
        Mistake(
            name="nothing is inherited",
            why="fine-tuning is thought to start from zero",
            against=("tuned_success", "tuned_error"),
            forecast=lambda params, made: _from_mean(params, made, jnp.zeros(2)),
        ),
        Mistake(
            name="only the mean is inherited",
            why="the fluctuation of the poisoned weights is ignored",
            against=("tuned_error",),
            forecast=lambda params, made: _from_mean(params, made, made.before.weights.mean),
        ),
    ),
    breaks=(
        Break(
            name="half of saturation",
            axis="up.poison",
            measure="trigger_response",
            locator=Crossing(level=0.5, direction="up"),
            statement="q = (1 + kappa)/s^2 where the target has nothing along the trigger",
            closed_form=_half_saturated,
        ),
        Break(
            name="half of the trigger removed",
            axis="down.n",
            measure="survival",
            locator=Crossing(level=0.5, direction="down"),
            statement="n = p/2 + down.ridge, trained to the end",
            closed_form=_half_removed,
        ),
    ),
)
