"""Slight upstream label noise helps in-domain and hurts out-of-domain: the seed finding."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit import noisy_features as inherited
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.theory.representations import noisy_features as theory
from ci_theory.theory.representations.features_next_order import next_probe, uneven_heads
from ci_theory.theory.spectra.spiked import shape

_RISKS = ("id_excess", "ood_excess", "id_change", "ood_change")
_SOURCE = "derived here, docs/representations/noisy_features.md"
_SPECTRUM = ("entropy", "largest")
_SHAPE: dict[str, Any] = {
    "scope": "p, heads >= 10, flips as there; the signal is 3 times the detection threshold",
    "order": "1 / p, 1 / heads, 1 / (up.n flips)",
    "source": _SOURCE + "; outlier: Benaych-Georges, Nadakuditi (arXiv:1103.2221)",
    "closed": True,
}

FEWEST_FLIPS = 3.0
"""Flipped labels a head, below which the lengths of the noise of heads vary too much."""


@record
class Upstream:
    """The pre-training stage: binary heads on labels of which some are flipped."""

    n: int = sized(3200, low=3, unit="rows", doc="whitened upstream rows, more than p")
    heads: int = static(80, low=2, high=10**4, unit="heads", doc="binary heads = features")
    scale: float = traced(3.0, above=0, unit="label/input", doc="size of the clean weights")
    flips: float = inner(0.05, low=0, high=0.5, unit="", doc="probability that a label is flipped")


@record
class Downstream:
    """The task that inherits the features: a ridge probe on them."""

    n: int = sized(150, low=1, unit="rows", doc="downstream rows")
    ridge: float = inner(0.36, above=0, unit="rows·feature²", doc="total ridge of the probe")
    noise: float = inner(0.6, low=0, unit="label²", doc="downstream label-noise variance")
    named: float = inner(1.0, low=0, unit="label²", doc="|target|² that upstream labels name")
    unnamed: float = inner(0.2, low=0, unit="label²", doc="|target|² that they do not name")
    kept: float = inner(0.0, low=-10, high=10, unit="", doc="multiple of `unnamed` out of domain")


@record
class Params:
    """Two stages on inputs of one law."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    p: int = static(100, low=2, high=10**4, unit="inputs", doc="input dimension")

    def problem(self) -> str | None:
        """Say in a line what is wrong, if anything is."""
        if self.up.n <= self.p:
            return f"up.n = {self.up.n}: whitening needs more rows than p = {self.p}"
        return None


@record
class Measures:
    """Averaged over downstream label noise and the direction of the unnamed target."""

    id_excess: Float[Array, " m"] = measured(unit="label²", doc="in-domain excess risk")
    ood_excess: Float[Array, " m"] = measured(unit="label²", doc="the same out of domain")
    id_change: Float[Array, " m"] = measured(unit="label²", doc="id_excess less that of clean ones")
    ood_change: Float[Array, " m"] = measured(unit="label²", doc="the same out of domain")
    entropy: Float[Array, " m"] = measured(unit="nat", doc="entropy of the singular values (SVE)")
    largest: Float[Array, " m"] = measured(unit="nat", doc="-log of the largest one's share (LSVR)")


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs and the thresholds of the flips; all inner points share them."""
    up, down, d = params.up, params.down, params.p
    drawn = inherited.upstream(key, up.n, up.scale, capacity["up.n"], d, up.heads)
    gram = inherited.downstream(key, down.n, capacity["down.n"], d)
    inner = up.flips, down.ridge, down.noise, down.named, down.unnamed, down.kept
    points = tuple(jnp.asarray(v, float) for v in inner)
    found = jax.lax.map(lambda point: inherited.measure(drawn, gram, *point), points)
    return Measures(**found._asdict())


@record
class Forecast:
    """Risks after noisy and clean upstream labels, and the features' spectrum."""

    id_excess: Scalar = predicted(
        statement="R = [-k^2 (a^2 A_u' + b^2 A_g') + noise df2/n]/(1 - df2/n), A = entries of "
        "(WW' + k)^-1 along u and across, W a rank one in noise",
    )
    ood_excess: Scalar = predicted(statement="R + b^2 [(kept - l)^2 - (1 - l)^2],  l = 1 - k A_g")
    id_change: Scalar = predicted(
        statement="R(flips) - R(0); -4 pi scale^2 n/(up.n ridge) (b^2 + a^2 (1 - cos^2)) flips "
        "to first order",
    )
    ood_change: Scalar = predicted(
        statement="the same out of domain: to first order with kept b^2 in place of b^2"
    )
    entropy: Scalar = predicted(
        statement="log S - (1/S) sum s log s over the outlier and a Marchenko-Pastur bulk", **_SHAPE
    )
    largest: Scalar = predicted(statement="log(S/s_1),  s_1^2 = (x + p t)(x + heads t)/x", **_SHAPE)
    features: theory.Features  # after noisy labels and after clean ones, as the probes
    probes: theory.Probe
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Fit the probe on noisy and on clean features, in the limit."""
    return _told(params, _features(params))


def _features(params: Params) -> theory.Features:
    """Return those of noisy labels, and those of clean ones."""
    up, made = params.up, partial(theory.flipped_heads, params.p, params.up.heads, params.up.n)
    return jax.vmap(partial(made, scale=up.scale))(_flips(params))


def _flips(params: Params) -> Array:
    return jnp.stack([jnp.asarray(params.up.flips, float), jnp.zeros(())])


def _task(params: Params) -> theory.Task:
    down = params.down
    return theory.Task(
        n=down.n, ridge=down.ridge, noise=down.noise, named=down.named, unnamed=down.unnamed
    )


def _probes(params: Params, features: theory.Features) -> theory.Probe:
    return jax.vmap(partial(theory.probe, task=_task(params)))(features)


def _told(params: Params, features: theory.Features) -> Forecast:
    probes, down = _probes(params, features), params.down
    home, away = (theory.excess_where(probes, down.unnamed, kept) for kept in (1.0, down.kept))
    found = shape(_one(features.weights))
    return Forecast(
        id_excess=home[0],
        ood_excess=away[0],
        id_change=home[0] - home[1],
        ood_change=away[0] - away[1],
        entropy=found.entropy,
        largest=found.largest,
        features=features,
        probes=probes,
        status=jnp.max(probes.status),
    )


def _one(both: Any, which: int = 0) -> Any:
    return jax.tree.map(lambda leaf: leaf[which], both)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Take what is beyond the next order of both stages; for the spectrum an audited share."""
    up, down, weights = params.up, params.down, _one(made.features.weights)
    uneven = uneven_heads(up.n, _flips(params))
    at = jax.vmap(next_probe, (0, None, 0, 0))(made.features, _task(params), made.probes, uneven)
    least = jnp.minimum(jnp.asarray(params.p, float), jnp.asarray(up.heads, float))
    flipped = up.n * up.flips * (1 - up.flips)
    some = jnp.logical_or(up.flips == 0, flipped >= FEWEST_FLIPS)
    enough = some & (least >= _slack.FEWEST_PARAMETERS)
    risks = enough & (jnp.minimum(at.free, at.left)[0] >= _slack.FEWEST_FREE)
    unsampled = at.parts[:, 1] / up.n  # of u, by which the clean fit differs
    found = {}
    for name, kept in (("id", 1.0), ("ood", down.kept)):
        shifts, parts = at.elsewhere(down.unnamed, kept)
        sure = risks & _slack.is_small(tuple(shifts[0]), getattr(made, f"{name}_excess"))
        slack = _slack.next_order(shifts[0], parts[0], at.room[0]) + unsampled[0]
        found[f"{name}_excess"] = Bound(slack, sure)
        slack = _slack.change(shifts, parts, at.room) + jnp.abs(unsampled[0] - unsampled[1])
        found[f"{name}_change"] = Bound(slack, sure)
    clear = weights.strength >= 3 * weights.noise * jnp.sqrt(weights.rows * weights.columns)
    spread = (1 - 2 * up.flips) ** 2 / jnp.where(flipped > 0, flipped, jnp.inf)
    share = (spread + 1 / weights.rows + 1 / weights.columns) / 4
    for name in _SPECTRUM:
        found[name] = Bound(getattr(made, name) * share, enough & clear)
    return found


def _attenuated(params: Params, made: Forecast) -> Forecast:
    weights = dataclasses.replace(made.features.weights, noise=jnp.zeros(2))
    return _told(params, dataclasses.replace(made.features, weights=weights))


def _well_named(params: Params, made: Forecast) -> Forecast:
    return _told(params, dataclasses.replace(made.features, overlap=jnp.ones(2)))


def _anywhere(params: Params, made: Forecast) -> dict[str, Scalar]:
    at = _one(made.probes)
    at = at._replace(learned=1 - at.kappa * at.resolvent.trace / params.p)
    return {"ood_excess": theory.excess_where(at, params.down.unnamed, params.down.kept)}


def _without_outlier(params: Params, made: Forecast) -> dict[str, Scalar]:
    weights = _one(made.features.weights)
    bulk = shape(dataclasses.replace(weights, strength=jnp.zeros(())))
    there = weights.noise > 0  # else no spectrum is left
    return {n: jnp.where(there, getattr(bulk, n), getattr(made, n)) for n in _SPECTRUM}


def _least(params: Params) -> float:
    """Share of flips with the least in-domain risk; NaN if none is best."""
    return float(_best_flips(*_numbers(params)))


def _boundary(params: Params) -> float:
    """Kept multiple of the unnamed target at which noise does neither good nor harm."""
    return float(_spared_share(float(params.up.flips), *_numbers(params)))


def _numbers(params: Params) -> tuple[Any, ...]:
    """Return what the heads take, and the task of the probe, as floats."""
    up = params.up
    return jax.tree.map(float, (params.p, up.heads, up.n, up.scale, _task(params)))


@quickly
def _best_flips(*given: Any) -> Array:
    found = theory.best_flips(*given)
    return jnp.where(found.status == int(Status.OK), found.flips, jnp.nan)


@quickly
def _spared_share(flips: Any, p: Any, heads: Any, n: Any, scale: Any, task: theory.Task) -> Array:
    def probe(share: Array) -> theory.Probe:
        return theory.probe(theory.flipped_heads(p, heads, n, share, scale), task)

    both = jax.vmap(probe)(jnp.stack([flips, jnp.zeros(())]))
    return theory.spared_share(_one(both, 1), _one(both), task.unnamed)


PHENOMENON = Phenomenon(
    name="noisy_features",
    title="Slight upstream label noise helps in-domain and hurts out-of-domain",
    claims=(6,),
    question="When does label noise in pre-training help downstream, and where does it harm?",
    model=(
        "Upstream: least-squares heads on whitened x for labels +-sign(x.u), each flipped with "
        "probability up.flips; x.W are the features. Downstream: a ridge probe on them, of a fixed "
        "ridge, for a.u named and an unnamed target across u, with label noise. Out of domain "
        "the inputs are the same and the unnamed target is `kept` times itself."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="p, heads, rows -> infinity; here p, heads, down.n - df2 and max(p, heads) (1 - q) "
        ">= 10, next order below a quarter; no flips, or 3 a head",
        order="1 / (down.n - df2), 1 / p, 1 / heads, 1 / (up.n flips), computed",
        source=_SOURCE,
    ),
    mistakes=(
        noise_halved("id_excess", "ood_excess", field="down.noise"),
        Mistake(
            name="noise only attenuates",
            why="flips shrink the features and add nothing to them",
            against=(*_RISKS, *_SPECTRUM),
            forecast=_attenuated,
        ),
        Mistake(
            name="flips for relabelling",
            why="flips are taken for labels drawn anew, of which half are right",
            against=(*_RISKS, *_SPECTRUM),
            params=lambda params: {"up.flips": params.up.flips / 2},
        ),
        Mistake(
            name="perfectly named",
            why="a finite upstream sample is thought to find u exactly, as without thresholding",
            against=("id_excess", "ood_excess"),
            forecast=_well_named,
        ),
        Mistake(
            name="in-domain",
            why="the change of the target out of domain is ignored",
            against=("ood_excess", "ood_change"),
            forecast=lambda _, made: {"ood_excess": made.id_excess, "ood_change": made.id_change},
        ),
        Mistake(
            name="unnamed is anywhere",
            why="the unnamed direction is taken for any, 1/p of which is along the named one",
            against=("ood_excess",),
            forecast=_anywhere,
        ),
        Mistake(
            name="no outlier",
            why="the spectrum of the noise alone",
            against=_SPECTRUM,
            forecast=_without_outlier,
        ),
    ),
    breaks=(
        Break(
            name="in-domain minimum",
            axis="up.flips",
            measure="id_excess",
            locator=Valley(),
            statement="dR/dflips = 0",
            closed_form=_least,
        ),
        Break(
            name="noise turns harmful",
            axis="up.flips",
            measure="id_change",
            locator=Crossing(level=0.0, direction="up"),
        ),
        Break(
            name="sign boundary",
            axis="down.kept",
            measure="ood_change",
            locator=Crossing(level=0.0, direction="down"),
            statement="kept = 1 - [R(0) - R(flips)]/(2 b^2 l); -a^2 (1 - cos^2)/b^2 as flips -> 0",
            closed_form=_boundary,
        ),
    ),
)
