"""A small phenomenon with a known truth, and sweeps of it: for the tests of the checker."""

import functools
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import xarray

from ci_theory import Status
from ci_theory._keys import key_for, point_hash
from ci_theory._record import Kind, inner, record, static, traced
from ci_theory.locate import Crossing, Peak
from ci_theory.phenomena import Break, Estimate, Phenomenon, measured
from forms import form, formed


@record
class Params:
    family: str = static("plain", choices=("plain", "odd"), doc="changes nothing")
    noise: float = traced(1.0, low=0, unit="label²", doc="variance")
    place: float = traced(0.0, unit="m", doc="where the bump is measured")
    top: float = traced(2.0, unit="m", doc="where the bump is")
    scale: float = inner(1.0, doc="factor")


@record
class Measures:
    power: jax.Array = measured(unit="label²", doc="mean square of 640 draws")
    bump: jax.Array = measured(unit="1", doc="a bump with additive noise")


def simulate(key, params, capacity):
    z = jax.random.normal(key, (641,))
    return Measures(
        power=params.scale * params.noise * jnp.mean(z[:640] ** 2),
        bump=params.scale * (jnp.exp(-0.5 * (params.place - params.top) ** 2) + 0.1 * z[640]),
    )


def exact(value, valid=True):
    return Estimate(value, 0.0, valid, int(Status.OK))


def power(params, world):
    return exact(params.scale * params.noise, params.noise < 50)


def bump(params, world):
    return exact(params.scale * jnp.exp(-0.5 * (params.place - params.top) ** 2))


def times(factor):
    return lambda params, world: factor * params.scale * params.noise


POWER = form("power", power, halved=times(0.5), same=times(1.0))
BUMP = form("bump", bump)

SILENT = Phenomenon(
    name="toy",
    title="",
    claims=(),
    question="",
    model="",
    params=Params,
    measures=Measures,
    simulate=simulate,
    breaks=(
        Break(
            name="top",
            axis="place",
            measure="bump",
            locator=Peak(log_axis=False),
            closed_form=lambda params: params.top,
        ),
        Break(name="half", axis="place", measure="bump", locator=Crossing(level=0.5)),
    ),
)
TOY = formed(SILENT, POWER, BUMP)


def sweep(axes, *, replicates=40, seed=0, fixed=None, paired=(), status=False):
    """Simulate a grid of the toy, the way the sweep engine addresses its randomness."""
    fixed = fixed or {}
    names = list(axes)
    outer = [n for n in names if TOY.axes[n].kind is not Kind.INNER]
    scales = jnp.asarray(axes.get("scale", [fixed.get("scale", 1.0)]), float)
    cells = []
    for values in itertools.product(*(axes[n] for n in outer)):
        point = {**fixed, **dict(zip(outer, values, strict=True))}
        point.pop("scale", None)
        high, low = point_hash({k: v for k, v in point.items() if k not in paired})
        params = Params(**point, scale=scales)
        cells.append(_runs(params, seed, high, low, replicates))
    shape = [len(axes[n]) for n in outer]
    order = [*outer, *(["scale"] if "scale" in names else [])]
    variables = {}
    for measure in ("power", "bump"):
        stacked = np.stack([getattr(c, measure) for c in cells])  # (outer, r, m)
        array = np.moveaxis(stacked, 1, 2).reshape(*shape, len(scales), replicates)
        if "scale" not in names:
            array = array[..., 0, :]
        variables[measure] = ([*order, "replicate"], array)
    given = {**{n: a.default for n, a in TOY.axes.items() if n not in axes}, **fixed}
    made = xarray.Dataset(
        variables,
        {n: list(axes[n]) for n in order},
        {"phenomenon": "toy", "fixed": json.dumps(given), "paired": json.dumps(list(paired))},
    )
    if status:
        made["status"] = xarray.zeros_like(made["power"], dtype=np.int8)
    return made.transpose(*names, "replicate")


@functools.partial(jax.jit, static_argnames="replicates")
def _many(params, seed, high, low, replicates):
    keys = jax.vmap(lambda r: key_for(seed, high, low, r))(jnp.arange(replicates))
    return jax.vmap(lambda key: simulate(key, params, {}))(keys)


def _runs(params, seed, high, low, replicates):
    found = _many(params, seed, np.uint32(high), np.uint32(low), replicates)
    return Measures(power=np.asarray(found.power), bump=np.asarray(found.bump))
