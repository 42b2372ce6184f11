"""The same defects in three learners: linear, random features, a network of two layers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._record import again, part, record, sized, static, traced
from ci_theory._types import Array, Key, Scalar
from ci_theory.biases import poison, repetition
from ci_theory.inherit import networks
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import (
    copies_are_fresh,
    no_saturation,
    noise_ignored,
    poison_is_free,
    targets_alike,
)
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.systems.two_layer import SYSTEMS, model
from ci_theory.theory.editing.erasure import Lessons
from ci_theory.theory.inheritance.operator import IsotropicWeights, at_angle
from ci_theory.theory.inheritance.poisoning import half_saturated
from ci_theory.theory.inheritance.retaught import Pretrained, Retaught, pretrained, reteach
from ci_theory.theory.inheritance.transfer import negative_transfer_cosine
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic


@record
class Upstream(repetition.Repetition, poison.Poison):
    """Pre-training rows and their defects."""

    n: int = sized(80, low=1, high=10**6, unit="rows", doc="upstream rows, copies included")
    repeats: int = again(repetition.Repetition, "repeats", 4)
    poison: float = again(poison.Poison, "poison", 0.0)
    noise: float = traced(1.0, low=0, high=1e6, unit="label²", doc="upstream label-noise variance")
    ridge: float = traced(
        8.0, low=0, high=1e6, unit="rows·input²", doc="total ridge towards the start"
    )
    label: float = traced(2.0, above=0, high=1e3, unit="label", doc="label of every poisoned row")
    strength: float = traced(
        3.0, above=0, high=1e3, unit="input", doc="how far the trigger moves an input"
    )


@record
class Downstream:
    """Fine-tuning rows."""

    n: int = sized(30, low=0, high=10**6, unit="rows", doc="clean rows")
    harmful: int = sized(0, low=0, high=10**6, unit="rows", doc="rows that carry the trigger")
    shared: float = traced(1.0, low=0, high=1, unit="1", doc="share of the trigger they carry")
    push: float = traced(
        1.0, low=-10, high=10, unit="1", doc="minus what their labels have in common, over up.label"
    )
    noise: float = traced(
        0.1, low=0, high=1e6, unit="label²", doc="downstream label-noise variance"
    )
    ridge: float = traced(
        8.0, low=0, high=1e6, unit="rows·input²", doc="total ridge towards what is inherited"
    )

    def problem(self) -> str | None:
        """Ask for a row."""
        return "n and harmful are both 0: no row to tune on" if self.n + self.harmful == 0 else None


@record
class Params:
    """Two tasks, at an angle, of one learner."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    system: str = static("linear", choices=SYSTEMS, doc="the learner")
    d: int = static(20, low=networks.FEWEST, high=400, unit="inputs", doc="input dimension")
    width: int = static(32, low=1, high=1024, unit="neurons", doc="of features and network")
    alignment: float = traced(0.8, low=-1, high=1, unit="", doc="cosine between the two targets")
    ood_variance: float = traced(
        4.0, low=0, high=1e6, unit="input²", doc="of shifted test inputs along the up target"
    )
    rate: float = traced(0.02, above=0, high=1, unit="", doc="first step size of Adam (network)")
    steps: int = static(100, low=1, high=10**5, unit="steps", doc="of either training (network)")


@record
class Measures:
    """On 400 fresh inputs a run, the same ones with and without the defects."""

    excess: Scalar = measured(unit="label²", doc="downstream mean squared error on clean labels")
    ood_excess: Scalar = measured(
        unit="label²", doc="the same, test inputs stretched along the upstream target"
    )
    harm: Scalar = measured(
        unit="label²",
        doc="excess less that without noise, copies and poison upstream, on the same draws",
    )
    ood_harm: Scalar = measured(unit="label²", doc="the same out of domain")
    gain: Scalar = measured(
        unit="label²", doc="excess of fine-tuning from the start less that of the inheriting fit"
    )
    planted: Scalar = measured(
        unit="1", doc="what the trigger adds to an upstream answer, over the poisoned label"
    )
    response: Scalar = measured(unit="1", doc="the same after fine-tuning")
    attack_success: Scalar = measured(
        unit="1", doc="share of inputs with trigger that are answered with a positive number"
    )
    moved: Scalar = measured(
        unit="1", doc="how far the first layer went in both stages, over its norm"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Run the chain with the defects, without them, and without pre-training, on one key."""
    up, down, d = params.up, params.down, params.d
    learner = model(params.system, key, d=d, width=params.width)
    numbers = {"n": up.n, "strength": up.strength, "label": up.label, "ridge": up.ridge}
    defective = networks.Upstream(
        **numbers, counts=up.split(), noise=up.noise, poison=jnp.asarray(up.poison)
    )
    none, rows = jnp.zeros(()), jnp.asarray(up.n, float)
    clean = defective._replace(
        counts=repetition.counts(rows, none, jnp.ones(())), noise=none, poison=none
    )
    tuning = networks.Downstream(
        n=down.n,
        harmful=down.harmful,
        shared=down.shared,
        label=-down.push * up.label,
        cosine=params.alignment,
        noise=down.noise,
        ridge=down.ridge,
    )
    lengths = capacity["up.n"], capacity["down.n"], capacity["down.harmful"]

    def run(upstream: networks.Upstream) -> networks.Trained:
        at: dict[str, Any] = {"rate": params.rate, "steps": params.steps}
        return networks.inherited(key, learner, upstream, tuning, lengths, d, **at)

    tested = networks.tests(key, d, params.ood_variance, up.strength)
    wanted = networks.target(params.alignment, d)

    def missed(weights: Array) -> list[Scalar]:
        return [networks.excess(learner, weights, inputs, wanted) for inputs in tested[:2]]

    arms = (defective, clean, clean._replace(there=none))
    sides = jax.tree.map(lambda *arm: jnp.stack([jnp.asarray(a, float) for a in arm]), *arms)
    trained = jax.vmap(run)(sides)
    excess, shifted = jax.vmap(missed)(trained.down)
    made = jax.tree.map(lambda weights: weights[0], trained)
    return Measures(
        excess=excess[0],
        ood_excess=shifted[0],
        harm=excess[0] - excess[1],
        ood_harm=shifted[0] - shifted[1],
        gain=excess[2] - excess[0],
        planted=networks.response(learner, made.up, tested) / up.label,
        response=networks.response(learner, made.down, tested) / up.label,
        attack_success=networks.success(learner, made.down, tested),
        moved=learner.moved(made.down),
    )


def _linear(params: Params) -> Any:
    """Say whether the closed form speaks: one kind of odd rows at a time."""
    copied = (params.up.repeated_fraction > 0) & (params.up.repeats > 1)
    both = copied & (params.up.poison > 0)
    return (both == 0) & (params.system == "linear")


def _planting(params: Params) -> Any:
    return _linear(params) & (params.up.poison > 0)


@record
class Forecast:
    """The linear learner at the minimum of both losses; ``clean``, ``scratch``: its other arms."""

    excess: Scalar = predicted(
        where=_linear,
        statement="|w - b|^2 + tr Cov + spread + what M, kappa rho leave of V: "
        "docs/inheritance/networks.md",
    )
    harm: Scalar = predicted(
        where=_linear, statement="excess less the same at up.noise = copies = poison = 0"
    )
    gain: Scalar = predicted(where=_linear, statement="excess from a base of zero less excess")
    planted: Scalar = predicted(
        where=_planting, statement="s m_t/c,  m_t = q s c/(1 + kappa + q s^2)", status="up_status"
    )
    response: Scalar = predicted(
        where=_planting,
        statement="planted (1 - K S) + s K h/c: planted kappa/(1 + kappa) by clean rows",
    )
    up: Pretrained
    best: Pretrained
    made: Retaught
    clean: Retaught
    scratch: Retaught
    status: Array
    up_status: Array


def _target(params: Params) -> Array:
    return jnp.append(jnp.zeros(1), at_angle(params.alignment))


def _pretrained(d: Any, up: Upstream) -> Pretrained:
    """Fit the upstream rows, some of them repeated, or some of them poisoned."""
    groups = repeated_rows(*up.split(), up.noise, True)
    share = up.poisoned() / jnp.asarray(up.n, float)
    return pretrained(d, groups, up.ridge, share, up.strength, up.label)


def _tuned(params: Params, weights: IsotropicWeights) -> Retaught:
    """Fine-tune what pre-training left."""
    down, target = params.down, _target(params)
    trigger = jnp.eye(3)[0] * down.shared * params.up.strength
    lessons = Lessons(
        counts=jnp.stack([jnp.asarray(v, float) for v in (down.n, down.harmful)]),
        shared=jnp.stack([jnp.zeros(3), trigger]),
        labels=jnp.stack([jnp.zeros(()), -down.push * params.up.label]),
        slopes=jnp.stack([target, target]),
        noise=down.noise,
        drift=0.0,
        ridge=down.ridge,
    )
    return reteach(weights, lessons, target, params.d)


def forecast(params: Params, world: None) -> Forecast:
    """Apply pre-training and fine-tuning of the linear learner on first and second moments."""

    def base(there: Scalar) -> Pretrained:
        """Pre-train with the defects, or without them."""
        names = ("noise", "repeated_fraction", "poison")
        defects = {name: there * getattr(params.up, name) for name in names}
        return _pretrained(params.d, replace(params.up, **defects))

    bases = jax.vmap(base)(jnp.array([1.0, 0.0]))
    weights = jax.tree.map(lambda both: jnp.append(both, 0.0 * both[:1], axis=0), bases.weights)
    tuned = jax.vmap(lambda one: _tuned(params, one))(weights)
    up, best = (jax.tree.map(lambda both, k=k: both[k], bases) for k in range(2))
    made, clean, scratch = (jax.tree.map(lambda all_, k=k: all_[k], tuned) for k in range(3))
    shown = params.up.strength / params.up.label
    return Forecast(
        excess=made.excess,
        harm=made.excess - clean.excess,
        gain=scratch.excess - made.excess,
        planted=shown * up.weights.mean[0],
        response=shown * made.mean[0],
        up=up,
        best=best,
        made=made,
        clean=clean,
        scratch=scratch,
        status=jnp.maximum(jnp.maximum(up.status, best.status), made.status),
        up_status=up.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1 / free of each stage (docs/inheritance/networks.md)."""
    up, later, target = params.up, _slack.per(made.made.taught.free), _target(params)
    shown, planted = up.strength / up.label, made.planted * (1 - made.planted)
    planted = 1.5 * jnp.abs(planted) * _slack.per(made.up.free)

    def passed(base: Pretrained, found: Retaught) -> Scalar:
        """What pre-training is off by, as far as fine-tuning hands it on.

        Its fluctuation by 1 / free of itself; its mean, which shrinks by 1 - x, by x (1 - x).
        """
        learned, room = base.weights.mean[1], _slack.per(base.free)
        off = jnp.stack([planted / shown, learned * (1 - learned) * room, 0.0])
        gap, moved = found.kept @ (base.weights.mean - target), jnp.abs(found.kept) @ off
        return (room + base.held / 2) * found.inherited + 2 * jnp.abs(gap) @ moved

    here, spared = passed(made.up, made.made), passed(made.best, made.clean)
    found = made.made.taught
    moved = jnp.abs(found.mean[0] - made.up.weights.mean[0]) + jnp.abs(found.shift[0])
    square = jnp.where(moved > 0, found.shift[0] ** 2 / jnp.where(moved > 0, moved, 1.0), 0.0)
    rows = params.down.n + params.down.harmful
    response = shown * 2 * (square + moved * later / rows)
    enough = params.d >= _slack.FEWEST_PARAMETERS
    first, best = (enough & (one.free >= _slack.FEWEST_FREE) for one in (made.up, made.best))
    second = found.free >= _slack.FEWEST_FREE
    # clean rows act on every error alike, harmful ones do not
    both = [made.excess + other.excess for other in (made.clean, made.scratch)]
    alike = params.down.harmful == 0
    harm, gain = (
        later * jnp.where(alike, jnp.abs(difference), total)
        for difference, total in zip((made.harm, made.gain), both, strict=True)
    )
    return {
        "excess": Bound(here + later * made.excess, first & second),
        "harm": Bound(here + spared + harm, first & best & second),
        "gain": Bound(here + gain, first & second),
        "planted": Bound(planted, first),
        "response": Bound(response + jnp.abs(made.made.kept[0, 0]) * planted, first & second),
    }


def _unsaturated(params: Params, made: Forecast) -> Scalar:
    up = params.up
    kappa = solve_kappa(isotropic(params.d), up.n, up.ridge).value
    return up.poisoned() / up.n * up.strength**2 / (1 + kappa)


@quickly
def _half_saturated(params: Params) -> Scalar:
    up = params.up
    kappa = solve_kappa(isotropic(params.d), up.n, up.ridge).value
    return half_saturated(kappa, up.strength, up.label)


@quickly
def _neutral(params: Params) -> Scalar:
    weights = _pretrained(params.d, params.up).weights
    cosine = negative_transfer_cosine(weights.mean[1], weights.spread, 1.0)
    return jnp.where(cosine < 1, cosine, jnp.nan)


def _boundary(params: Params) -> float:
    """Alignment at which inheriting neither helps nor harms; NaN if there is none in (0, 1)."""
    forgotten = params.down.ridge == 0 and params.down.n >= params.d  # least squares
    if forgotten or params.down.harmful > 0 or params.up.poison > 0:
        return float("nan")
    return float(_neutral(params))


_ERRORS = ("excess", "harm", "gain")

PHENOMENON = Phenomenon(
    name="network_inheritance",
    title="What networks inherit: the defects of a linear chain in three learners",
    claims=(7, 8, 9),
    question="Which conclusions about inherited defects survive in random features and a network?",
    model=(
        "Upstream: rows x ~ N(0, I) of d inputs, labels x_1 + up.noise; a share counts several "
        "times, or a share up.poison has up.strength added to x_0 and the label up.label. "
        "Downstream: down.n clean rows of a target at an angle, and down.harmful rows with "
        "up.strength shared added to x_0 and -push up.label to their label. Either stage minimises "
        "sum (y - f(x))^2 + ridge |w - w_before|^2 over the weights of a linear learner, of an "
        "output layer on rectified random neurons, or, by Adam from w_before, of both layers. "
        "Nothing is predicted of the last two."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="the linear learner; rows, d -> infinity; here d >= 10 and rows - df2 >= 10 twice",
        order="1 / (rows - df2) of each stage",
        source="derived here, docs/inheritance/networks.md",
    ),
    mistakes=(
        noise_ignored(*_ERRORS, field="up.noise"),
        copies_are_fresh(*_ERRORS, field="up.repeats"),
        targets_alike("excess", "gain"),
        poison_is_free("harm", "planted", "response"),
        no_saturation("planted", _unsaturated),
        Mistake(
            name="harmful rows ignored",
            why="the rows that carry the trigger are left out",
            against=("response",),
            params=lambda params: {"down.harmful": 0.0, "down.n": jnp.maximum(params.down.n, 1)},
        ),
        Mistake(
            name="nothing in common",
            why="harmful rows are thought to act by their labels, not by what they share",
            against=("response",),
            params=lambda params: {"down.shared": 0.0},
        ),
    ),
    breaks=(
        Break(name="noise harms most", axis="up.n", measure="harm", locator=Peak()),
        Break(name="worst repeat count", axis="up.repeats", measure="harm", locator=Peak()),
        Break(
            name="negative transfer",
            axis="alignment",
            measure="gain",
            locator=Crossing(level=0.0, direction="up"),
            statement="cos = (|m|^2 + V)/(2 |m|): the same at every down.n, noise and ridge",
            closed_form=_boundary,
        ),
        Break(
            name="half of saturation",
            axis="up.poison",
            measure="planted",
            locator=Crossing(level=0.5, direction="up"),
            statement="q = (1 + kappa)/s^2",
            closed_form=_half_saturated,
        ),
        Break(
            name="the response turns",
            axis="down.harmful",
            measure="response",
            locator=Crossing(level=0.0, direction="down"),
        ),
    ),
)
