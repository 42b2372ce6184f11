"""Theory that keeps what has not changed, and what is built into it or left out of it."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from py_mini_racer import MiniRacer

from ci_theory import phenomena
from ci_theory._record import build
from ci_theory.explore import javascript
from ci_theory.explore.javascript import theory
from ci_theory.explore.kept import Kept
from ci_theory.phenomena import Estimate, Phenomenon, load
from engine import engine, results
from forms import form, formed

POWER_LAW = {"spectrum": "power_law", "p": 37, "alpha": 0.7}


def _kept(function, names, refused=None):
    """Translate a function of numbers by name, and load it: the object of its keys."""
    traced, shape = jax.make_jaxpr(function, return_shape=True)(dict.fromkeys(names, 1.0))
    made = Kept(traced, "all", sorted(names), sorted(shape), refused or {})
    return made, engine(f"var theory = {{}}; {made.text}")


def test_what_is_kept_is_what_would_be_computed_anew():
    """Numbers change one at a time, several at a time, not at all, and to NaN and back."""

    def function(numbers):
        a, b, c = numbers["a"], numbers["b"], numbers["c"]
        rows = jnp.exp(-a * jnp.arange(4.0))
        return {"sum": jnp.sum(rows * b) + c, "alone": b + 0.5, "constant": jnp.sqrt(2.0)}

    _, here = _kept(function, ("a", "b", "c"))
    rng = np.random.default_rng(3)
    points = [{"a": 1.0, "b": 2.0, "c": 3.0}]
    for _ in range(60):
        changed = dict(points[-1])
        for name in rng.choice(["a", "b", "c"], rng.integers(3), replace=False):
            changed[name] = float(rng.choice([np.nan, 1.0, 2.0, 5.5]))
        points.append(changed)
    text = json.dumps(points)
    row = "(p) => Float64Array.of(theory.sum(p), theory.alone(p), theory.constant(p))"
    got = results(here, f"{text}.map({row})")
    for point, mine in zip(points, got, strict=True):
        made = function({k: jnp.asarray(v) for k, v in point.items()})
        np.testing.assert_allclose(mine, [made["sum"], made["alone"], made["constant"]], rtol=1e-14)


def test_what_depends_on_what_is_not_translated_is_left_out_alone():
    def function(numbers):
        odd = jax.pure_callback(np.sin, jnp.ones(()), numbers["a"])
        return {"fine": numbers["a"] * 2, "odd": odd + 1, "odder": odd * numbers["b"]}

    made, here = _kept(function, ("a", "b"))
    assert made.left_out == dict.fromkeys(("odd", "odder"), "primitive pure_callback")
    assert here.eval("Object.keys(theory).join() + theory.fine({a: 3, b: 1})") == "fine6"
    made, here = _kept(function, ("a", "b"), {"fine": "not asked for"})
    assert made.left_out["fine"] == "not asked for"
    assert here.eval("Object.keys(theory).length") == 0


def test_a_name_may_hold_quotes_and_backslashes():
    name = 'a "quoted" back\\slash'
    _, here = _kept(lambda numbers: {name: 2 * numbers[name]}, (name,))
    text = json.dumps(name)
    assert here.eval(f"theory[{text}]({{ {text}: 3 }})") == 6


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda a: jnp.linalg.cholesky(a * jnp.eye(2) + 0j)[0, 0].real, "of complex numbers"),
        (
            lambda a: lax.linalg.eigh(a * jnp.eye(3), subset_by_index=(0, 1))[1][0],
            "some eigenvalues only",
        ),
        (lambda a: lax.pad(a * jnp.ones(3), 0.0, [(-1, 0, 0)])[0], "a negative padding"),
        (lambda a: lax.pad(a * jnp.ones(3), 0.0, [(0, -1, 0)])[0], "a negative padding"),
        (lambda a: jnp.sqrt(a.astype(jnp.float32)).astype(float), "numbers of type float32"),
    ],
)
def test_what_would_be_another_number_in_javascript_is_left_out(function, says):
    made, _ = _kept(lambda numbers: {"odd": function(numbers["a"])}, ("a",))
    assert says in made.left_out["odd"]


def test_a_static_value_is_built_in_where_the_world_reads_it():
    phenomenon = phenomena.load("ridge_peak")
    made = theory(phenomenon, POWER_LAW)
    assert dict(made.fixed) == POWER_LAW
    here = engine(made.source)
    point = phenomenon.point({**POWER_LAW, "n": 30})
    given = json.dumps({k: v for k, v in point.items() if not isinstance(v, str)})
    for name, one in phenomena.predict(phenomenon, point, decoys=False).items():
        mine = here.eval(f'theory["prediction:{name}"]({given})')
        np.testing.assert_allclose(mine, one.estimate.value[0], rtol=1e-12)
    free = theory(phenomena.load("repeated_data"), {})
    assert dict(free.fixed) == {}


def test_a_phenomenon_without_predictions_has_no_theory():
    made = theory(phenomena.load("modular_grokking"), {})
    assert (made.keys, dict(made.left_out)) == ((), {})
    assert engine(made.source).eval("Object.keys(theory).length") == 0


def test_tables_have_a_largest_size(monkeypatch):
    monkeypatch.setattr(javascript, "MOST_NUMBERS", 1999)
    made = theory(phenomena.load("zipf_learning"), {})
    assert made.keys == ("break:the watched item is learnt",)  # which has none
    assert set(made.left_out.values()) == {"its tables hold 2000 numbers"}


def test_after_an_error_nothing_half_computed_is_kept():
    def function(numbers):
        return {"sum": jax.lax.erf(numbers["a"]) + numbers["b"]}

    made, _ = _kept(function, ("a", "b"))
    here = MiniRacer()
    here.eval(
        "var broken = false, theory = {}; const erf = (x) => {"
        f" if (broken) throw new Error('lost'); return 10 * x; }}; {made.text}; 0"
    )
    assert here.eval("theory.sum({ a: 1, b: 2 })") == 12
    told = "(() => { try { return theory.sum({ a: 3, b: 2 }); } catch { return 'lost'; } })()"
    assert here.eval(f"broken = true; {told}") == "lost"
    assert here.eval("broken = false; theory.sum({ a: 3, b: 2 })") == 32


def test_what_a_world_reads_is_noticed_by_its_dotted_name():
    params = build(load("two_stage_ridge").params, {})
    read = set()
    seen = javascript.noticing(params, "", read)
    assert seen.up.n == params.up.n
    assert read == {"up", "up.n"}
    assert seen.alignment == params.alignment
    assert seen.down.ridge == params.down.ridge
    assert read == {"up", "up.n", "alignment", "down", "down.ridge"}


def test_a_decoy_of_what_has_no_translation_is_left_out_with_it():
    """Drawn alone it would stand for the prediction."""

    def right(params, world):
        value = jax.lax.digamma(params.noise) if params is not None else 0.0
        return Estimate(value, 0.0, True, 0)

    peak = load("ridge_peak")
    about = ("name", "title", "claims", "question", "model", "params", "measures", "simulate")
    silent = Phenomenon(**{name: getattr(peak, name) for name in about})
    toy = formed(
        silent,
        form("test_error", right, half=lambda params, world: 0.5 * params.noise),
        form(
            "train_error",
            lambda p, w: Estimate(p.noise, 0.0, True, 0),
            twice=lambda p, w: 2 * p.noise,
        ),
    )
    made = theory(toy, {})
    assert made.left_out["prediction:test_error"] == "primitive digamma"
    assert made.left_out["decoy:test_error:half"] == "primitive digamma"
    assert {"prediction:train_error", "decoy:train_error:twice"} <= set(made.keys)
    assert not set(made.keys) & set(made.left_out)


def test_numbers_are_named_by_what_they_are():
    found = {"a": (Estimate(value=1.0, slack=2.0, valid=True, status=0), {"m": 5.0, "o": 6.0})}
    assert javascript._by_key(found, False) == {
        "prediction:a": 1.0, "slack:a": 2.0, "valid:a": True, "status:a": 0,
    }  # fmt: skip
    assert javascript._by_key(found, True) == {"decoy:a:m": 5.0, "decoy:a:o": 6.0}


def test_a_place_that_reads_its_own_axis_is_left_out(monkeypatch):
    """As Python refuses to tell it; the places beside it are there."""
    peak = load("ridge_peak")
    own, other = (
        dataclasses.replace(
            next(b for b in peak.breaks if b.axis == "n"), name=name, closed_form=of
        )
        for name, of in (
            ("own", lambda params: params.n + 1.0),
            ("other", lambda params: 2.0 * params.p),
        )
    )
    monkeypatch.setattr(javascript, "told", lambda *_: {})
    made = theory(dataclasses.replace(peak, breaks=(own, other)), {})
    assert made.left_out == {"break:own": "not to be traced: BadInput"}
    assert made.keys == ("break:other",)
