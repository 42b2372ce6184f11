"""Singular values of upstream features: what they foretell of transfer, and where they mislead."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import again, inner, part, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.inherit import feature_spectrum as inherited
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.onset import Onset
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.representations.feature_spectrum import (
    feature_probe,
    foretold_overlap,
    needed_overlap,
    noise_at,
)
from ci_theory.theory.rows.spiked_next_order import NextOrder, overlap_next_order
from ci_theory.theory.rows.spiked_rows import Leading, SpikedRows, leading, row_shape
from ci_theory.theory.spectra.groups import Groups, repeated_rows
from ci_theory.theory.spectra.spiked import Spiked, outlier

SETS = 8  # downstream data sets that a run draws
MOST_CROWDED = 0.5  # q beyond which the outlier is too near the bulk for its next order
MOST_ROOM = 0.1  # 1/d + 1/effective rows beyond which no next order is small
FEWEST_PROBED = 10.0  # downstream rows, below which the error of the probe has heavy tails


@record
class Upstream(repetition.Repetition):
    """The rows from which the feature is learnt: a direction of their own in noise."""

    n: int = sized(160, low=2, unit="rows", doc="upstream rows counted with repeats")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.3)
    repeats: int = again(repetition.Repetition, "repeats", 4)
    signal: float = traced(1.0, above=0, high=1e9, unit="input²", doc="variance along u but noise")
    noise: float = inner(0.3, low=0, high=1e9, unit="input²", doc="variance of every input")


@record
class Downstream:
    """The task along that direction, learnt from the one feature."""

    n: int = sized(30, low=3, unit="rows", doc="downstream rows")
    noise: float = inner(0.3, low=0, unit="label²", doc="downstream label-noise variance")


@record
class Params:
    """A feature learnt without labels, frozen, and a probe on it."""

    up: Upstream = part(Upstream)
    down: Downstream = part(Downstream)
    p: int = static(40, low=2, high=10**4, unit="inputs", doc="input dimension")


@record
class Measures:
    """Of upstream rows, and of the probe averaged over downstream label noise."""

    outlier: Float[Array, " m"] = measured(unit="input²", doc="largest eigenvalue of X'CX/n")
    overlap: Float[Array, " m"] = measured(unit="1", doc="squared cosine of its vector and u")
    foretold: Float[Array, " m"] = measured(unit="1", doc="overlap inferred from eigenvalues alone")
    entropy: Float[Array, " m"] = measured(unit="nat", doc="entropy of the singular values (SVE)")
    largest: Float[Array, " m"] = measured(unit="nat", doc="-log of the largest one's share (LSVR)")
    crowding: Float[Array, " m"] = measured(
        unit="1", doc="q = (1 - overlap)/(1 + overlap signal/noise): 1 where the outlier vanishes"
    )
    error: Float[Array, " m"] = measured(unit="label²", doc="downstream excess risk of the probe")


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs; every noise level shares them."""
    up, down, d = params.up, params.down, params.p
    ones = jnp.ones(d)
    weights = repetition.weights(up.split(), capacity["up.n"])
    rows = gaussian.rows(stream(key, "up"), capacity["up.n"], ones)
    own = gaussian.rows(stream(key, "direction"), capacity["up.n"], jnp.ones(1))[:, 0]
    products = inherited.products(rows, own, weights)
    total = jnp.asarray(up.n, own.dtype)
    most = capacity["down.n"]
    inputs = gaussian.rows(stream(key, "down"), most * SETS, ones).reshape(most, SETS, d)
    present = jnp.arange(most) < down.n

    def at(fields: tuple[Scalar, Scalar]) -> Measures:
        noise, label_noise = fields
        found = inherited.spectrum(products.gram(up.signal, noise))
        overlap = found.direction[0] ** 2
        return Measures(
            outlier=found.largest / total,
            overlap=overlap,
            crowding=noise * (1 - overlap) / (noise + up.signal * overlap),
            foretold=inherited.foretold(found, total),
            entropy=found.shape.entropy,
            largest=found.shape.largest,
            error=inherited.probe(found.direction, inputs, present, label_noise),
        )

    return jax.lax.map(at, (jnp.asarray(up.noise, float), jnp.asarray(down.noise, float)))


@record
class Forecast:
    """The outlier and its vector, what a reader makes of it, and what the probe does."""

    outlier: Scalar = predicted(
        statement="S a (1 + noise/signal)/n,  sum n_g c_g/(S - c_g noise) = a/signal,  a = d - 1"
    )
    overlap: Scalar = predicted(
        statement="(1 - q)/(1 + q signal/noise),  q = (noise^2/a) sum n_g c_g^2/(S - c_g noise)^2"
    )
    crowding: Scalar = predicted(statement="q; 1 is the transition", status="outside")
    foretold: Scalar = predicted(
        statement="(1 - g w^2/s^2)/(1 + g w/s),  outlier = (s + w)(1 + g w/s),  g = (d - 1)/n"
    )
    entropy: Scalar = predicted(
        statement="log S - (1/S) sum s log s,  both from df1 of ridge regression at every ridge",
        scope="rows, p -> infinity; here 1/p + 1/effective rows <= 0.1",
    )
    largest: Scalar = predicted(statement="log(S/s_1),  s_1^2 = n outlier")
    error: Scalar = predicted(
        statement="1 - c^2 + (1 - c^2 + noise)/(n - 2),  c^2 = overlap, noise and n downstream"
    )
    top: Leading
    beyond: NextOrder
    status: Array
    outside: Array


def _groups(params: Params) -> Groups:
    return repeated_rows(*params.up.split(), 0.0, True)


def forecast(params: Params, world: None) -> Forecast:
    """Place the outlier, turn its vector, and probe."""
    up, down, groups = params.up, params.down, _groups(params)
    d, n = jnp.asarray(params.p, float), jnp.asarray(up.n, float)
    rows = SpikedRows(d=d, signal=up.signal, noise=up.noise, groups=groups)
    top = leading(rows)
    shape = row_shape(rows, top)
    status = jnp.where(jnp.isfinite(shape.entropy), top.status, int(Status.NOT_CONVERGED))
    return Forecast(
        outlier=top.value / n,
        overlap=top.overlap,
        crowding=top.crowding,
        foretold=_foretold(params, top.value),
        entropy=shape.entropy,
        largest=shape.largest,
        error=feature_probe(top.overlap, down.n, down.noise),
        top=top,
        beyond=overlap_next_order(rows, top),
        status=status,
        outside=jnp.where(top.crowding <= MOST_CROWDED, status, int(Status.OUT_OF_SCOPE)),
    )


def _foretold(params: Params, value: Scalar) -> Scalar:
    """Read the overlap off a largest value, the rest of the trace being the noise."""
    up, d, n = params.up, params.p, jnp.asarray(params.up.n, float)
    return foretold_overlap(value, n * (d * up.noise + up.signal), n, d)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1/d + 1/effective rows: docs/representations/feature_spectrum.md."""
    top, d, few = made.top, jnp.asarray(params.p, float), 1 / made.top.rows
    crowd = jnp.minimum(top.crowding, 0.9)
    near_bulk = crowd / (1 - crowd) / d
    place = few + near_bulk
    missed, room = 1 - made.overlap, place + made.beyond.held
    turned = _slack.next_order((made.beyond.shift,), (missed,), room)
    signal, noise = params.up.signal, params.up.noise
    # by dq/d overlap, and half of that for the curvature of q
    crowded = 1.5 * turned * noise * (noise + signal) / (noise + signal * made.overlap) ** 2
    far, near = (_foretold(params, top.value * (1 + s * place)) for s in (1, -1))
    apart = 2 * jnp.sqrt(top.spread)
    bent = [_foretold(params, top.value * (1 + s * apart)) for s in (1, -1)]
    read = 0.5 * (jnp.abs(far - near) + jnp.abs(bent[0] + bent[1] - 2 * made.foretold))

    probed = jnp.asarray(params.down.n, float)
    risk = turned * (probed - 1) / jnp.maximum(probed - 2, 1.0)
    sizes = 1 / d + few <= MOST_ROOM
    enough = sizes & (top.crowding <= MOST_CROWDED)
    share = jnp.exp(-made.largest)
    return {
        "outlier": Bound(made.outlier * place, enough),
        "overlap": Bound(turned, enough),
        "crowding": Bound(crowded, enough),
        "foretold": Bound(read, enough),
        "entropy": Bound((1 / d + few) ** 2 * (1 + share), sizes),
        "largest": Bound((place + top.spread) / 2, enough),
        "error": Bound(risk, enough & (probed >= FEWEST_PROBED)),
    }


def _turned(params: Params, overlap: Scalar) -> dict[str, Any]:
    """Return what follows from another overlap."""
    up, down = params.up, params.down
    return {
        "overlap": overlap,
        "crowding": up.noise * (1 - overlap) / (up.noise + up.signal * overlap),
        "error": feature_probe(overlap, down.n, down.noise),
    }


def _swapped(params: Params, made: Forecast) -> dict[str, Any]:
    """Take the overlap of the scores of the rows, the other side of the matrix."""
    up, n = params.up, jnp.asarray(params.up.n, float)
    matrix = Spiked(rows=params.p - 1, columns=n, strength=n * up.signal, noise=up.noise)
    return _turned(params, outlier(matrix).column_overlap)


def _population(params: Params, made: Forecast) -> dict[str, Any]:
    one = jnp.ones(())
    return {"outlier": params.up.signal + params.up.noise, "foretold": one} | _turned(params, one)


@quickly
def _noise(params: Params, level: Any) -> Scalar:
    """Upstream noise at which the overlap falls to a level; NaN where none does. One program."""
    found = noise_at(params.p, params.up.signal, _groups(params), level)
    return jnp.where(found.status == int(Status.OK), found.noise, jnp.nan)


@quickly
def _needed(params: Params) -> Scalar:
    return needed_overlap(params.down.n, params.down.noise)


TURNED = ("overlap", "crowding", "error")
ALL = ("outlier", "foretold", "entropy", "largest", *TURNED)

PHENOMENON = Phenomenon(
    name="feature_spectrum",
    title="Singular values of features: what they foretell of transfer, and where they mislead",
    claims=(21,),
    question="Do the singular values of what was learnt upstream tell how well it transfers?",
    model=(
        "Upstream rows x = signal^1/2 z u + noise^1/2 e in p dimensions, a share of them copies. "
        "The feature is x.v, v the leading direction of the rows. Downstream: least squares on "
        "this one feature for x.u + label noise, x ~ N(0, I)."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="rows, p -> infinity; here q <= 0.5, 1/p + 1/effective rows <= 0.1",
        order="1/p + 1/effective rows, larger near the transition",
        source="derived here, docs/representations/feature_spectrum.md; plain rows: Baik, Ben "
        "Arous, Peche (arXiv:math/0403022)",
    ),
    mistakes=(
        copies_are_fresh(*ALL, field="up.repeats"),
        Mistake(
            name="copies do not count",
            why="only distinct rows are thought to count, as if copies had been removed",
            against=ALL,
            params=lambda params: {"up.n": params.up.distinct(), "up.repeated_fraction": 0.0},
        ),
        Mistake(
            name="singular values are trusted",
            why="what they foretell for distinct rows is taken for what the direction has",
            against=TURNED,
            forecast=lambda params, made: _turned(params, made.foretold),
        ),
        Mistake(
            name="sample is the population",
            why="a finite sample is thought to add nothing to the largest value, and turn nothing",
            against=("outlier", "foretold", *TURNED),
            forecast=_population,
        ),
        Mistake(
            name="sides swapped",
            why="the overlap of the rows' scores is taken for that of the direction",
            against=TURNED,
            forecast=_swapped,
        ),
        noise_halved(*ALL, field="up.noise"),
    ),
    breaks=(
        Break(
            name="transition",
            axis="up.noise",
            measure="crowding",
            locator=Onset(level=1.0, low=0.01, high=0.4),
            statement="q = 1; plain rows: signal (n/(p - 1))^1/2",
            closed_form=lambda params: _noise(params, 0.0),
        ),
        Break(
            name="half of the direction",
            axis="up.noise",
            measure="overlap",
            locator=Crossing(level=0.5, direction="down", log_axis=True),
            statement="(1 - q)/(1 + q signal/noise) = 1/2",
            closed_form=lambda params: _noise(params, 0.5),
        ),
        Break(
            name="probe stops to pay",
            axis="up.noise",
            measure="error",
            locator=Crossing(level=1.0, direction="up", log_axis=True),
            statement="overlap = (1 + noise)/(n - 1), noise and n downstream",
            closed_form=lambda params: _noise(params, _needed(params)),
        ),
        Break(
            name="repeats that cost half",
            axis="up.repeats",
            measure="overlap",
            locator=Crossing(level=0.5, direction="down", log_axis=True),
        ),
    ),
)
