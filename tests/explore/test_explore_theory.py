"""The theory of every phenomenon in JavaScript, held against JAX at seeded points."""

import itertools
import json
import os
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from ci_theory._record import build
from ci_theory.explore import controls, curve, javascript
from ci_theory.explore.address import read
from ci_theory.explore.javascript import _by_key, theory
from ci_theory.explore.scripts import MOST_TEXT
from ci_theory.phenomena import load, names
from ci_theory.phenomena._forecast import told
from ci_theory.phenomena._programs import _known_options
from engine import engine, results

POINTS = 64
THOROUGH = bool(os.environ.get("CI_THEORY_THOROUGH"))
"""Whether to look at so many points everywhere, at all words and usual sizes: minutes for some."""
FEWER = {"fact_memory": 4, "epochwise_descent": 8, "linear_grokking": 8, "noisy_features": 16}
FEWER |= {"metric_mirage": 8, "icl_task_pool": 2}
"""Points where JAX or JavaScript take a tenth of a second and more for each."""
COSTLY = ("random_feature_peak", "feature_ensemble", "epochwise_descent")
"""Phenomena whose decoys JAX compiles for many seconds: looked at with their default words only."""
SMALL = {"markov_icl": {"length": 3}}
"""Static values at which a phenomenon is quick."""
if THOROUGH:
    FEWER, COSTLY, SMALL = {}, (), {}
TOLERANCE = 1e-11
LEFT_OUT = tomllib.loads((Path(__file__).parent / "left_out.toml").read_text())
BREAKS = LEFT_OUT.pop("breaks")
MINIMA = {("noisy_features", "in-domain minimum"): 1e-5}
"""Places of a minimum, found to the root of the rounding: relative tolerance."""
PREDICTING = [name for name in names() if load(name).predictions]


def _cases():
    """List every phenomenon with its default words, and what is translated with each other word."""
    for name in PREDICTING:
        yield name, {}
        for key, axis in load(name).axes.items():
            for word in axis.choices or ():
                if word != axis.default and name not in LEFT_OUT:
                    yield name, {key: word}


def _span(axis):
    """Return the ends between which an axis is tried, and whether they are apart by factors."""
    default = float(axis.default)
    low = axis.low if axis.low is not None else axis.above
    low = -1.0 if low is None else low
    if axis.high is not None and axis.high <= max(50 * abs(default), 2):
        high = axis.high
    else:
        high = 10 * default if default > 0 else 1.0
    near = max(low, default / 10) if default > 0 else low
    if near == axis.above:
        near = min(1e-3, high / 2)
    return near, high, near > 0 and high / near > 5


def _points(phenomenon, fixed, count):
    """Draw points that the phenomenon allows: each end of each axis, then anything between."""
    rng = np.random.default_rng(20)
    axes = {k: a for k, a in phenomenon.axes.items() if a.type is not str and k not in fixed}
    ends = [(k, end) for k, a in axes.items() if a.type is not bool for end in _span(a)[:2]]
    ends += [(k, end) for k, a in axes.items() if a.type is bool for end in (False, True)]
    made = []
    wanted = [*ends, *[None] * POINTS]
    for asked in wanted[:: len(wanted) // count]:
        for _ in range(60):
            values = {k: _drawn(a, rng) for k, a in axes.items()}
            if asked:
                values[asked[0]] = asked[1]
            values = {
                k: axes[k].type(round(v) if axes[k].type is int else v) for k, v in values.items()
            }
            try:
                made.append(phenomenon.point({**fixed, **values}))
                break
            except ValueError:
                continue
    return made


def _drawn(axis, rng):
    if axis.type is bool:
        return bool(rng.integers(2))
    low, high, factors = _span(axis)
    if factors:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


def _reference(phenomenon, points, keys):
    """Return what lets JAX compute the same numbers, in one compiled program."""
    words = {k: v for k, v in points[0].items() if isinstance(v, str)}
    world = phenomenon.prepared(points[0])

    def one(numbers, world):  # were it a constant, XLA would spend minutes on its multiples
        params = build(phenomenon.params, {**numbers, **words})
        found = told(phenomenon, params, world, decoys=any(k.startswith("decoy") for k in keys))
        every = {**_by_key(found, decoys=False), **_by_key(found, decoys=True)}
        return {key: every[key] for key in keys}

    every = jax.jit(jax.vmap(one, in_axes=(0, None)), compiler_options=_known_options())

    def right(points):
        numbers = {
            k: np.array([p[k] for p in points], bool if isinstance(points[0][k], bool) else float)
            for k in points[0]
            if k not in words
        }
        made = every(numbers, world)
        return {k: np.broadcast_to(np.asarray(v, float), len(points)) for k, v in made.items()}

    return right


def _beside(points, rng):
    """Move every number that is no whole one by a unit of its last place, either way."""

    def moved(value):
        fine = isinstance(value, float) and not value.is_integer()
        return float(np.nextafter(value, rng.choice([-np.inf, np.inf]))) if fine else value

    return [{k: moved(v) for k, v in point.items()} for point in points]


@pytest.mark.parametrize(
    ("name", "words"),
    list(_cases()),
    ids=lambda x: x if isinstance(x, str) else "-".join(x.values()),
)
def test_javascript_computes_what_jax_computes(name, words):
    phenomenon = load(name)
    made = theory(phenomenon, {**words, **SMALL.get(name, {})})
    kept_out = LEFT_OUT.get(name, {"keys": (), "reason": ""})
    left_out = {k: v for k, v in made.left_out.items() if not k.startswith("break")}
    every = {k for k in made.keys if not k.startswith("break")} | set(left_out)
    assert every == _every_key(phenomenon)
    assert set(left_out) == {k for k in every if k.split(":")[0] in kept_out["keys"]}
    assert set(left_out.values()) <= {kept_out["reason"]}
    if left_out:
        return
    assert len(made.source) <= MOST_TEXT  # else no page has it
    here = engine(made.source)
    keys = sorted(json.loads(here.eval("JSON.stringify(Object.keys(theory))")))
    assert keys == sorted(made.keys)
    keys = [key for key in keys if not key.startswith("break")]
    if words and name in COSTLY:
        keys = [key for key in keys if not key.startswith("decoy")]
    count = FEWER.get(name, POINTS)
    points = _points(phenomenon, made.fixed, count)
    assert len(points) >= count
    reference = _reference(phenomenon, points, keys)
    right = reference(points)
    given = json.dumps([{k: v for k, v in p.items() if not isinstance(v, str)} for p in points])
    rows = f"{given}.map((p) => Float64Array.from({json.dumps(keys)}, (key) => theory[key](p)))"
    got = np.array(results(here, rows)).T
    for key, mine in zip(keys, got, strict=True):
        shown = right.get(f"prediction:{key.split(':')[1]}", right[key])  # the curve drawn beside
        scale = max(_usual(right[key]), _usual(shown))
        off = ~np.isclose(mine, right[key], TOLERANCE, TOLERANCE * scale, equal_nan=True)
        if off.any():  # as the formula says it, or as rounding its parameters moves JAX's own value
            rng = np.random.default_rng(22)
            moved = [reference(_beside(points, rng))[key] for _ in range(16)]
            off &= ~(np.abs(mine - right[key]) <= np.ptp([right[key], *moved], axis=0))
        told = [(points[i], mine[i], right[key][i]) for i in np.flatnonzero(off)]
        assert not told, f"{key}: {told[:3]}"


PLACED = [n for n in names() if any(b.closed_form is not None for b in load(n).breaks)]


@pytest.mark.parametrize("name", PLACED)
def test_javascript_puts_breaks_where_python_puts_them(name, monkeypatch):
    """At 64 points near the presets: closed forms want no ridge here, no noise there."""
    phenomenon = load(name)
    monkeypatch.setattr(javascript, "told", lambda *_: {})  # the rest of the theory is not needed
    forms = {b.name: b.closed_form for b in phenomenon.breaks if b.closed_form is not None}
    left = set(forms) - set(BREAKS.get(name, ()))
    for words in _words(phenomenon):
        made = theory(phenomenon, {**words, **SMALL.get(name, {})})
        assert set(made.left_out) == {f"break:{one}" for one in BREAKS.get(name, ())}
        assert set(made.keys) | set(made.left_out) == {f"break:{one}" for one in forms}
        here = engine(made.source)
        for one in sorted(left):
            points, right = _told(phenomenon, forms[one], made.fixed)
            given = [{k: v for k, v in p.items() if not isinstance(v, str)} for p in points]
            row = f'(p) => theory["break:{one}"](p)'
            (mine,) = results(here, f"[Float64Array.from({json.dumps(given)}, {row})]")
            rtol = MINIMA.get((name, one), TOLERANCE)
            np.testing.assert_allclose(
                mine, right, rtol=rtol, atol=TOLERANCE * _usual(right), err_msg=one
            )
            if np.isfinite(right).sum() >= FEWEST_TOLD:
                left.remove(one)
        if not left:
            return
    raise AssertionError(f"nothing has been compared of {left}")


def _words(phenomenon):
    """List the default words, and each other one; some closed forms are of one word only."""
    yield {}
    for key, axis in phenomenon.axes.items():
        for word in axis.choices or ():
            if word != axis.default:
                yield {key: word}


TOLD, FEWEST_TOLD = 16, 6
"""Points at which a closed form tells a place: looked for, and enough to have compared some."""
FEWER_PLACES = {} if THOROUGH else {"icl_task_pool": 8}
"""Points of closed forms that integrate for a fifth of a second."""


def _told(phenomenon, form, fixed):
    """Draw points until enough of them have a place, and return what Python says there."""
    points, right = [], []
    count = FEWER_PLACES.get(phenomenon.name, POINTS)
    for point in itertools.islice(_near_a_preset(phenomenon, fixed), 1500):
        points.append(point)
        right.append(form(build(phenomenon.params, point)))
        if len(points) >= count and np.isfinite(right).sum() >= min(count, TOLD):
            break
    return points, np.array(right, float)


def _near_a_preset(phenomenon, fixed):
    """Draw points of which most values are those of a declared sweep, and some an end."""
    rng = np.random.default_rng(21)
    axes = {k: a for k, a in phenomenon.axes.items() if a.type is not str and k not in fixed}
    presets = controls.document(phenomenon, phenomenon.name)["presets"]
    shown = [read(one["address"], phenomenon).words for one in presets]
    known = [{}, *(curve.grid(phenomenon, words).first for words in shown)]
    while True:
        values = dict(known[rng.integers(len(known))])
        for key, axis in axes.items():
            chance = rng.uniform()
            if chance < 0.2 and axis.type is not bool and axis.low is not None:
                values[key] = axis.low
            elif chance < 0.4:
                value = _drawn(axis, rng)
                values[key] = axis.type(round(value) if axis.type is int else value)
        try:
            yield phenomenon.point({**values, **fixed})
        except ValueError:
            continue


def _usual(values):
    """Return the usual size of a curve: the median, which one huge value does not move."""
    finite = np.abs(values[np.isfinite(values)])
    return np.median(finite) if finite.size else 0.0


def _every_key(phenomenon):
    kinds = ("prediction", "slack", "valid", "status")
    own = {f"{kind}:{p.name}" for p in phenomenon.predictions for kind in kinds}
    return own | {f"decoy:{p.name}:{d.name}" for p in phenomenon.predictions for d in p.decoys}
