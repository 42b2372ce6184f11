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
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh, noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.feature_spectrum import (
    feature_probe,
    foretold_overlap,
    needed_overlap,
    noise_at,
)
from ci_theory.theory.rows.spiked_rows import Leading, SpikedRows, leading, row_shape
from ci_theory.theory.spectra.groups import Groups, repeated_rows
from ci_theory.theory.spectra.spiked import Spiked, outlier

MOST_CROWDED = 0.4  # q beyond which the outlier is too near the bulk for its next order
MOST_ROOM = 0.1  # 1/d + 1/effective rows beyond which no next order is small
FEWEST_PROBED = 10.0  # downstream rows, below which the error of the probe has heavy tails
HALF = 0.5


@record
class Upstream(repetition.Repetition):
    """The rows from which the feature is learnt: a direction of their own in noise."""

    n: int = sized(160, low=2, unit="rows", doc="upstream rows counted with repeats")
    repeated_fraction: float = again(repetition.Repetition, "repeated_fraction", 0.3)
    repeats: int = again(repetition.Repetition, "repeats", 4)
    signal: float = traced(
        1.0, above=0, high=1e9, unit="input²", doc="variance along the direction, noise aside"
    )
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

    outlier: Float[Array, " m"] = measured(
        unit="input²", doc="largest eigenvalue of the rows' second moment"
    )
    overlap: Float[Array, " m"] = measured(
        unit="1", doc="squared cosine between its vector and the true direction"
    )
    foretold: Float[Array, " m"] = measured(
        unit="1", doc="the same as inferred from the eigenvalues alone, all rows taken for distinct"
    )
    entropy: Float[Array, " m"] = measured(
        unit="nat", doc="entropy of the singular values as shares of their sum (SVE)"
    )
    largest: Float[Array, " m"] = measured(
        unit="nat", doc="minus log of the largest singular value's share of the sum (LSVR)"
    )
    error: Float[Array, " m"] = measured(
        unit="label²", doc="downstream excess risk of a probe on the leading direction"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw both designs; every noise level shares them."""
    up, down, d = params.up, params.down, params.p
    ones = jnp.ones(d)
    weights = repetition.weights(up.split(), capacity["up.n"])
    noise_rows = gaussian.rows(stream(key, "up"), capacity["up.n"], ones)
    own = gaussian.rows(stream(key, "direction"), capacity["up.n"], jnp.ones(1))[:, 0]
    own = jnp.sqrt(jnp.asarray(up.signal, own.dtype)) * own
    total = jnp.asarray(up.n, own.dtype)
    bulk = (noise_rows.T * weights) @ noise_rows
    cross = (weights * own) @ noise_rows
    first = jnp.arange(d) == 0

    inputs = gaussian.rows(stream(key, "down"), capacity["down.n"], ones)
    present = jnp.arange(capacity["down.n"]) < down.n

    def at(fields: tuple[Scalar, Scalar]) -> Measures:
        noise, label_noise = fields
        mixed = jnp.sqrt(noise) * jnp.outer(first, cross)
        gram = noise * bulk + mixed + mixed.T
        gram = gram + (weights @ own**2) * jnp.outer(first, first)
        found = inherited.spectrum(gram)
        return Measures(
            outlier=found.largest / total,
            overlap=found.direction[0] ** 2,
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
        statement="S d (1 + noise/signal)/n,  sum n_g c_g/(S - c_g noise) = d/signal",
    )
    overlap: Scalar = predicted(
        statement="(1 - q)/(1 + q signal/noise),  q = (noise^2/d) sum n_g c_g^2/(S - c_g noise)^2"
    )
    foretold: Scalar = predicted(
        statement="(1 - g w^2/s^2)/(1 + g w/s),  outlier = (s + w)(1 + g w/s),  g = d/n"
    )
    entropy: Scalar = predicted(
        statement="log S - (1/S) sum s log s,  both from df1 of ridge regression at every ridge",
        scope="d >= 10, 1/d + 1/effective rows <= 0.1",
    )
    largest: Scalar = predicted(statement="log(S/s_1),  s_1^2 = n outlier")
    error: Scalar = predicted(
        statement="1 - c^2 + (1 - c^2 + noise)/(n - 2),  c^2 = overlap, noise and n downstream",
    )
    top: Leading
    room: Scalar
    status: Array


def _groups(params: Params) -> Groups:
    return repeated_rows(*params.up.split(), 0.0, True)


def forecast(params: Params, world: None) -> Forecast:
    """Place the outlier, turn its vector, and probe."""
    up, down, groups = params.up, params.down, _groups(params)
    d, n = jnp.asarray(params.p, float), jnp.asarray(up.n, float)
    rows = SpikedRows(d=d, signal=up.signal, noise=up.noise, groups=groups)
    top = leading(rows)
    shape = row_shape(rows, top)
    return Forecast(
        outlier=top.value / n,
        overlap=top.overlap,
        foretold=_foretold(params, top.value),
        entropy=shape.entropy,
        largest=shape.largest,
        error=feature_probe(top.overlap, down.n, down.noise),
        top=top,
        room=1 / d + groups.counts @ groups.weights**2 / n**2,
        status=jnp.maximum(
            top.status, jnp.where(jnp.isfinite(shape.entropy), 0, int(Status.NOT_CONVERGED))
        ),
    )


def _foretold(params: Params, value: Scalar) -> Scalar:
    """Read the overlap off a largest value, the rest of the trace being the noise."""
    d, n = params.p, jnp.asarray(params.up.n, float)
    rest = (d * params.up.noise + params.up.signal - value / n) / (d - 1)
    return foretold_overlap(value, jnp.maximum(rest, 0.0), n, d)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of order 1/d + 1/effective rows: docs/feature_spectrum.md."""
    top, room = made.top, made.room
    clear = 1 - jnp.minimum(top.crowding, MOST_CROWDED)
    place = room / clear
    turned = 2 * (1 - made.overlap) * room / clear**3

    far, near = (_foretold(params, top.value * (1 + s * place)) for s in (1, -1))
    apart = 2 * jnp.sqrt(top.spread)
    bent = [_foretold(params, top.value * (1 + s * apart)) for s in (1, -1)]
    read = jnp.abs(far - near) + jnp.abs(bent[0] + bent[1] - 2 * made.foretold)

    probed = jnp.asarray(params.down.n, float)
    sizes = (room <= MOST_ROOM) & (params.p >= _slack.FEWEST_PARAMETERS)
    enough = sizes & (top.crowding <= MOST_CROWDED)
    share = jnp.exp(-made.largest)
    return {
        "outlier": Bound(made.outlier * place, enough),
        "overlap": Bound(turned, enough),
        "foretold": Bound(read, enough),
        "entropy": Bound(room**2 * (1 + share), sizes),
        "largest": Bound(place / 2, enough),
        "error": Bound(
            turned * (probed - 1) / jnp.maximum(probed - 2, 1.0), enough & (probed >= FEWEST_PROBED)
        ),
    }


def _distinct(params: Params) -> dict[str, Any]:
    return {"up.n": params.up.distinct(), "up.repeated_fraction": 0.0}


def _trusting(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Take what the eigenvalues foretell for what the direction has."""
    down = params.down
    return {
        "overlap": made.foretold,
        "error": feature_probe(made.foretold, down.n, down.noise),
    }


def _population(params: Params, made: Forecast) -> dict[str, Any]:
    up, down = params.up, params.down
    one = jnp.ones(())
    return {
        "outlier": up.signal + up.noise,
        "overlap": one,
        "foretold": one,
        "error": feature_probe(one, down.n, down.noise),
    }


def _swapped(params: Params, made: Forecast) -> dict[str, Scalar]:
    """Take the overlap of the scores of the rows, the other side of the matrix."""
    up, down = params.up, params.down
    n = jnp.asarray(up.n, float)
    matrix = Spiked(rows=params.p, columns=n, strength=n * up.signal, noise=up.noise)
    other = outlier(matrix).column_overlap
    return {"overlap": other, "error": feature_probe(other, down.n, down.noise)}


def _lost(params: Params) -> float:
    """Upstream noise at which half of the direction is gone."""
    return _noise(params, HALF)


def _pays(params: Params) -> float:
    """Upstream noise from which on the probe does worse than none; NaN where it always does."""
    level = float(needed_overlap(params.down.n, params.down.noise))
    return _noise(params, level) if level < 1 else float("nan")


def _noise(params: Params, level: float) -> float:
    found = noise_at(float(params.p), params.up.signal, _groups(params), level)
    return float(jnp.where(found.status == int(Status.OK), found.noise, jnp.nan))


ALL = ("outlier", "overlap", "foretold", "entropy", "largest", "error")

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
        scope="rows, p -> infinity; here q <= 0.4, d >= 10, 1/d + 1/effective rows <= 0.1",
        order="1/d + 1/effective rows, larger near the transition",
        source="derived here, docs/feature_spectrum.md; plain rows: Baik, Ben Arous, Peche "
        "(arXiv:math/0403022)",
    ),
    mistakes=(
        copies_are_fresh(*ALL, field="up.repeats"),
        Mistake(
            name="copies do not count",
            why="only distinct rows are thought to count, as if copies had been removed",
            against=ALL,
            params=_distinct,
        ),
        Mistake(
            name="singular values are trusted",
            why="what they foretell for distinct rows is taken for what the direction has",
            against=("overlap", "error"),
            forecast=_trusting,
        ),
        Mistake(
            name="sample is the population",
            why="a finite sample is thought to add nothing to the largest value, and turn nothing",
            against=("outlier", "overlap", "foretold", "error"),
            forecast=_population,
        ),
        Mistake(
            name="sides swapped",
            why="the overlap of the rows' scores is taken for that of the direction",
            against=("overlap", "error"),
            forecast=_swapped,
        ),
        noise_halved(*ALL, field="up.noise"),
    ),
    breaks=(
        Break(
            name="half of the direction",
            axis="up.noise",
            measure="overlap",
            locator=Crossing(level=HALF, direction="down", log_axis=True),
            statement="(1 - q)/(1 + q signal/noise) = 1/2",
            closed_form=_lost,
        ),
        Break(
            name="probe stops to pay",
            axis="up.noise",
            measure="error",
            locator=Crossing(level=1.0, direction="up", log_axis=True),
            statement="overlap = (1 + noise)/(n - 1), noise and n downstream",
            closed_form=_pays,
        ),
        Break(
            name="repeats that cost half",
            axis="up.repeats",
            measure="overlap",
            locator=Crossing(level=HALF, direction="down", log_axis=True),
        ),
    ),
)
