"""Slight upstream label noise helps in-domain and hurts out-of-domain: the seed finding."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import label_flips
from ci_theory.inherit import noisy_features as inherited
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, Prediction, measured
from ci_theory.phenomena._mistakes import noise_halved
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.noisy_features import (
    Features,
    Probe,
    Task,
    best_flips,
    excess_where,
    flipped_heads,
    probe,
    spared_share,
)
from ci_theory.theory.spectra.spiked import shape

FEWEST_FLIPS = 3.0
"""Flipped labels a head, below which the lengths of the noise of heads vary too much."""


@record
class Upstream:
    """The pre-training stage: binary heads on labels of which some are flipped."""

    n: int = sized(3200, low=3, unit="rows", doc="whitened upstream rows, more than p")
    heads: int = static(80, low=2, high=10**4, unit="heads", doc="binary heads = features")
    scale: float = traced(3.0, above=0, unit="label/input", doc="size of the clean weights")
    flips: float = inner(
        0.05, low=0, high=0.5, unit="", doc="probability that an upstream label is flipped"
    )


@record
class Downstream:
    """The task that inherits the features: a ridge probe on them."""

    n: int = sized(150, low=1, unit="rows", doc="downstream rows")
    ridge: float = inner(
        0.36, above=0, unit="rows·feature²", doc="total ridge on the features' coefficients"
    )
    noise: float = inner(0.6, low=0, unit="label²", doc="downstream label-noise variance")
    named: float = inner(
        1.0, low=0, unit="label²", doc="squared norm of the target that upstream labels name"
    )
    unnamed: float = inner(
        0.2, low=0, unit="label²", doc="squared norm of the target that they do not name"
    )
    kept: float = inner(
        0.0, low=-10, high=10, unit="", doc="multiple of the unnamed target out of domain"
    )


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

    id_excess: Float[Array, " m"] = measured(
        unit="label²", doc="in-domain excess risk of the probe"
    )
    ood_excess: Float[Array, " m"] = measured(
        unit="label²", doc="excess risk where the unnamed target is `kept` times itself"
    )
    id_change: Float[Array, " m"] = measured(
        unit="label²", doc="in-domain excess risk less that after clean upstream labels"
    )
    ood_change: Float[Array, " m"] = measured(
        unit="label²", doc="out-of-domain excess risk less that after clean upstream labels"
    )
    entropy: Float[Array, " m"] = measured(
        unit="nat", doc="entropy of the features' singular values as shares of their sum (SVE)"
    )
    largest: Float[Array, " m"] = measured(
        unit="nat", doc="minus log of the largest singular value's share of the sum (LSVR)"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs and the thresholds of the flips; all inner points share them."""
    up, down, ones = params.up, params.down, jnp.ones(params.p)
    there = jnp.arange(capacity["up.n"]) < up.n
    rows = gaussian.rows(stream(key, "up"), capacity["up.n"], ones) * there[:, None]
    count = jnp.asarray(up.n, rows.dtype)
    rows = inherited.whitened(rows, count)
    truth = jnp.where(rows[:, 0] > 0, 1.0, -1.0)[:, None] * there[:, None]
    signs = jnp.where(jnp.arange(up.heads) % 2 == 0, 1.0, -1.0)

    present = jnp.arange(capacity["down.n"]) < down.n
    inputs = gaussian.rows(stream(key, "down"), capacity["down.n"], ones) * present[:, None]
    gram = inputs.T @ inputs
    limits = label_flips.thresholds(key, (capacity["up.n"], up.heads), rows.dtype)
    clean_feature = inherited.heads(rows, truth, count, up.scale)[:, 0]  # one says it all

    def at(inner: tuple[Scalar, ...]) -> Measures:
        flips, ridge, noise, named, unnamed, kept = inner
        labels = jnp.where(limits < flips, -1.0, 1.0) * truth * signs[None, :]
        features = inherited.spectrum(inherited.heads(rows, labels, count, up.scale))
        noisy = inherited.probe(features, gram, ridge)
        clean = inherited.probe_one(clean_feature, gram, ridge)
        task = partial(inherited.Errors.excess, named=named, unnamed=unnamed, noise=noise)
        found = inherited.shape(features.values)
        home, away = task(noisy, kept=1.0), task(noisy, kept=kept)
        return Measures(
            id_excess=home,
            ood_excess=away,
            id_change=home - task(clean, kept=1.0),
            ood_change=away - task(clean, kept=kept),
            entropy=found.entropy,
            largest=found.largest,
        )

    inner = up.flips, down.ridge, down.noise, down.named, down.unnamed, down.kept
    return jax.lax.map(at, tuple(jnp.asarray(v, float) for v in inner))


class Forecast(NamedTuple):
    """Risks after noisy and clean upstream labels, and the features' spectrum."""

    id_excess: Scalar
    ood_excess: Scalar
    id_change: Scalar
    ood_change: Scalar
    entropy: Scalar
    largest: Scalar
    features: Features
    noisy: Probe
    clean: Probe
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Fit the probe on noisy and on clean features, in the limit."""
    return _told(params, _features(params, params.up.flips), _features(params, 0.0))


def _features(params: Params, flips: Scalar | float) -> Features:
    up = params.up
    return flipped_heads(params.p, up.heads, up.n, flips, up.scale)


def _task(params: Params) -> Task:
    down = params.down
    return Task(
        n=down.n, ridge=down.ridge, noise=down.noise, named=down.named, unnamed=down.unnamed
    )


def _told(params: Params, features: Features, clean: Features) -> Forecast:
    both = jax.tree.map(lambda *v: jnp.stack([jnp.asarray(x, float) for x in v]), features, clean)
    fitted = jax.vmap(partial(probe, task=_task(params)))(both)
    noisy, without = (jax.tree.map(lambda leaf, i=i: leaf[i], fitted) for i in range(2))
    home, away = (
        [excess_where(p, params.down.unnamed, kept) for p in (noisy, without)]
        for kept in (1.0, params.down.kept)
    )
    found = shape(features.weights)
    return Forecast(
        id_excess=home[0],
        ood_excess=away[0],
        id_change=home[0] - home[1],
        ood_change=away[0] - away[1],
        entropy=found.entropy,
        largest=found.largest,
        features=features,
        noisy=noisy,
        clean=without,
        status=jnp.maximum(noisy.status, without.status),
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1 / size, audited: docs/noisy_features.md.

    ``uneven`` is the relative variance of the length of a column of the noise, a head having few
    flipped labels, times what the resolvent makes of it.
    """
    up, down, noisy, clean = params.up, params.down, made.noisy, made.clean
    sizes = 1 / jnp.asarray(params.p, float) + 1 / jnp.asarray(up.heads, float)
    wrong = up.n * up.flips * (1 - up.flips)
    spread = (1 - 2 * up.flips) ** 2 / jnp.where(wrong > 0, wrong, jnp.inf)
    uneven = spread * noisy.resolvent.response / (1 + noisy.resolvent.response) ** 2
    free = down.n - jnp.maximum(noisy.df2, clean.df2)
    room = _slack.per(free)

    def rest(fitted: Probe, kept: Scalar | float) -> Scalar:
        """Return the part that neither label noise nor the mean unnamed error makes."""
        mean = down.unnamed * (kept - fitted.learned) ** 2
        return excess_where(fitted, down.unnamed, kept) - fitted.noise_part - mean

    def slack(noise: Scalar, others: Scalar, kept: Scalar | float) -> Scalar:
        learned = noisy.learned
        moved = 2 * down.unnamed * learned * (1 - learned) * jnp.abs(kept - learned)
        return (
            noise * (room + sizes / 4)
            + others * (1 + learned) * (1.25 * room + sizes / 3 + 4 * uneven)
            + moved * (2 * room + sizes / 4 + 2 * uneven)
        )

    def both(kept: Scalar | float) -> tuple[Scalar, Scalar]:
        now, before = rest(noisy, kept), rest(clean, kept)
        more = slack(jnp.abs(noisy.noise_part - clean.noise_part), jnp.abs(now - before), kept)
        shared = 2 * noisy.learned * (clean.noise_part + before) * room
        return slack(noisy.noise_part, now, kept), more + shared

    home, away = both(1.0), both(down.kept)
    least = jnp.minimum(jnp.asarray(params.p, float), jnp.asarray(up.heads, float))
    counted = (up.flips == 0) | (wrong >= FEWEST_FLIPS)
    enough = (free >= _slack.FEWEST_FREE) & (least >= _slack.FEWEST_PARAMETERS) & counted
    weights, share = made.features.weights, (spread + sizes) / 4
    edge = weights.noise * jnp.sqrt(weights.rows * weights.columns)
    clear = (least >= _slack.FEWEST_PARAMETERS) & counted & (weights.strength >= 3 * edge)
    return {
        "id_excess": Bound(home[0], enough),
        "ood_excess": Bound(away[0], enough),
        "id_change": Bound(home[1], enough),
        "ood_change": Bound(away[1], enough),
        "entropy": Bound(made.entropy * share, clear),
        "largest": Bound(made.largest * share, clear),
    }


def _attenuated(params: Params, made: Forecast) -> Forecast:
    weights = dataclasses.replace(made.features.weights, noise=jnp.zeros(()))
    features = dataclasses.replace(made.features, weights=weights)
    return _told(params, features, _features(params, 0.0))


def _well_named(params: Params, made: Forecast) -> Forecast:
    one = jnp.ones(())
    features, clean = made.features, _features(params, 0.0)
    return _told(
        params,
        dataclasses.replace(features, overlap=one),
        dataclasses.replace(clean, overlap=one),
    )


def _anywhere(params: Params, made: Forecast) -> Forecast:
    at = made.noisy
    learned = 1 - at.kappa * at.resolvent.trace / params.p
    away = excess_where(at._replace(learned=learned), params.down.unnamed, params.down.kept)
    return made._replace(ood_excess=away)


def _without_outlier(params: Params, made: Forecast) -> Forecast:
    bulk = shape(dataclasses.replace(made.features.weights, strength=jnp.zeros(())))
    there = made.features.weights.noise > 0  # else no spectrum is left
    return made._replace(
        entropy=jnp.where(there, bulk.entropy, made.entropy),
        largest=jnp.where(there, bulk.largest, made.largest),
    )


def _least(params: Params) -> float:
    """Share of flips with the least in-domain risk; NaN if none is best."""
    up = params.up
    found = best_flips(params.p, up.heads, up.n, up.scale, _task(params))
    return float(jnp.where(found.status == int(Status.OK), found.flips, jnp.nan))


def _boundary(params: Params) -> float:
    """Kept multiple of the unnamed target at which noise does neither good nor harm."""
    noisy, clean = (probe(_features(params, q), _task(params)) for q in (params.up.flips, 0.0))
    return float(spared_share(clean, noisy, params.down.unnamed))


_RISKS = ("id_excess", "ood_excess", "id_change", "ood_change")
_ORDER = "1 / (down.n - df2), 1 / p, 1 / heads"
_SCOPE = "p, heads, rows -> infinity; here down.n - df2, p and heads >= 10; no flips, or "
_SCOPE += "3 a head"
_SOURCE = "derived here, docs/noisy_features.md"

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
    predictions=(
        Prediction(
            name="id_excess",
            measure="id_excess",
            statement="R = [-k^2 (a^2 A_u' + b^2 A_g') + noise df2/n]/(1 - df2/n), A = entries of "
            "(WW' + k)^-1 along u and across, W a rank one in noise",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
        ),
        Prediction(
            name="ood_excess",
            measure="ood_excess",
            statement="R + b^2 [(kept - l)^2 - (1 - l)^2],  l = 1 - k A_g",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
        ),
        Prediction(
            name="id_change",
            measure="id_change",
            statement="R(flips) - R(0); -4 pi scale^2 n/(up.n ridge) (b^2 + a^2 (1 - cos^2)) flips "
            "to first order",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
        ),
        Prediction(
            name="ood_change",
            measure="ood_change",
            statement="the same out of domain: to first order with kept b^2 in place of b^2",
            scope=_SCOPE,
            order=_ORDER,
            source=_SOURCE,
        ),
        Prediction(
            name="entropy",
            measure="entropy",
            statement="log S - (1/S) sum s log s over the outlier and a Marchenko-Pastur bulk",
            scope="p, heads >= 10, flips as there; the signal is 3 times the detection threshold",
            order="1 / p, 1 / heads, 1 / (up.n flips)",
            source=_SOURCE + "; outlier: Benaych-Georges, Nadakuditi (arXiv:1103.2221)",
            closed=True,
        ),
        Prediction(
            name="largest",
            measure="largest",
            statement="log(S/s_1),  s_1^2 = (x + p t)(x + heads t)/x",
            scope="as entropy",
            order="as entropy",
            source="as entropy",
            closed=True,
        ),
    ),
    mistakes=(
        noise_halved("id_excess", "ood_excess", field="down.noise"),
        Mistake(
            name="noise only attenuates",
            why="flips shrink the features and add nothing to them",
            against=(*_RISKS, "entropy", "largest"),
            forecast=_attenuated,
        ),
        Mistake(
            name="flips for relabelling",
            why="flips are taken for labels drawn anew, of which half are right",
            against=(*_RISKS, "entropy", "largest"),
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
            forecast=lambda params, made: made._replace(
                ood_excess=made.id_excess, ood_change=made.id_change
            ),
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
            against=("entropy", "largest"),
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
