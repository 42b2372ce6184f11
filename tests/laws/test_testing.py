"""Every law can be broken: a toy that keeps them all, and one that breaks each."""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput, Status
from ci_theory.biases.repetition import Repetition
from ci_theory.extend import (
    Break,
    Crossing,
    Estimate,
    Phenomenon,
    Stages,
    inner,
    measured,
    record,
    sized,
    static,
    stream,
    traced,
)
from ci_theory.locate import BreakPoint
from ci_theory.phenomena import load, names, predict
from ci_theory.testing import LAWS, Broken, declaring, laws
from ci_theory.testing.case import case_of, differs
from ci_theory.testing.predicting import ends, looked_at, moving, predict_by, statics_of
from forms import form, formed


@record
class Params:
    n: int = sized(6, low=1, unit="rows", doc="rows")
    d: int = static(3, low=1, high=8, unit="1", doc="coordinates")
    noise: float = traced(1.0, low=0, high=9, unit="1", doc="variance")
    step: int = inner(4, low=0, high=50, unit="steps", doc="times that it is halved")


@record
class Measures:
    error: Any = measured(unit="1", doc="squared mean")


def mean_square(key, params, capacity, rows="rows"):
    there = jnp.arange(capacity["n"]) < params.n
    drawn = jax.random.normal(stream(key, rows), (capacity["n"], params.d))
    return params.noise * jnp.mean((there @ drawn / params.n) ** 2)


def simulate(key, params, capacity):
    return Measures(error=mean_square(key, params, capacity) * 0.5**params.step)


def advance(key, params, capacity, state, since, until):
    def one(step, state):
        now, at = state
        now = 0.5 * now
        return now, jnp.where(step + 1 == params.step, now, at)

    return jax.lax.fori_loop(since, until, one, state)


STAGES = Stages(
    axis="step",
    begin=lambda key, params, capacity: (
        mean_square(key, params, capacity),
        mean_square(key, params, capacity) * jnp.ones_like(params.step, dtype=float),
    ),
    advance=advance,
    finish=lambda key, params, capacity, state: Measures(error=state[1]),
)


def exact(p, world):
    return Estimate(p.noise / p.n * 0.5**p.step, 0.0, True, 0)


def half(p, world):
    return 0.5 * p.noise / p.n


BREAK = Break(name="low", axis="n", measure="error", locator=Crossing(level=0.5))
SILENT = Phenomenon(
    name="toy",
    title="A toy",
    claims=(),
    question="Is it lawful?",
    model="a mean",
    params=Params,
    measures=Measures,
    simulate=simulate,
    breaks=(BREAK,),
    stages=STAGES,
)
TOY = formed(SILENT, form("error", exact, half=half))


@record
class Copied(Params, Repetition):
    """The same, some of the rows copied."""


@record
class WithTests(Params):
    """The same, with a second number of rows."""

    tests: int = sized(3, low=1, unit="rows", doc="rows that the error ignores")


def run(change):
    """Return the toy with another simulation, made of the error and of what it is given."""

    def changed(key, params, capacity):
        error = simulate(key, params, capacity).error
        return Measures(error=change(error, key, params, capacity))

    return dataclasses.replace(TOY, simulate=changed, stages=None)


def predicting(evaluate=exact, **decoys):
    return formed(SILENT, form("error", evaluate, **(decoys or {"half": half})))


def same_as_prediction(p, world):
    return exact(p, world).value


@dataclasses.dataclass(frozen=True)
class Nowhere(Crossing):
    level: float = 0.5

    def locate(self, x, y):
        return 3.0


COUNT = itertools.count()


def noise(shape=()):
    return float(np.random.default_rng(next(COUNT)).random())


def traced_apart(error, *_):
    return error * (2.0 if isinstance(error, jax.core.Tracer) else 1.0)


def estimate(**change):
    return predicting(lambda p, w: exact(p, w)._replace(**change))


@jax.custom_batching.custom_vmap
def tainted(x):
    return x


@tainted.def_vmap
def _doubled(size, batched, x):
    return 2 * x, batched[0]


BROKEN = {
    "words": (lambda: formed(SILENT, form("error", exact)), "prediction error has no decoy"),
    "world": (
        lambda: dataclasses.replace(TOY, world=lambda p: np.full(p.d, noise())),
        "world makes something else the second time",
    ),
    "world reads": (
        lambda: dataclasses.replace(TOY, world=lambda p: np.full(p.d, p.noise)),
        "world reads noise, which is not static",
    ),
    "locators": (
        lambda: dataclasses.replace(TOY, breaks=(dataclasses.replace(BREAK, locator=Nowhere()),)),
        "the locator of break low answers a curve with float, expected a BreakPoint",
    ),
    "shapes": (lambda: run(lambda e, *_: e[:1]), r"has shape \(1,\), expected \(2,\)"),
    "shapes complex": (
        lambda: run(lambda e, *_: e + 0j),
        "measure error is complex128, expected real numbers",
    ),
    "shapes bool": (
        lambda: run(lambda e, *_: e > 0),
        "measure error is bool, expected real numbers",
    ),
    "streams": (
        lambda: run(lambda e, key, p, c: e + mean_square(key, p, c)),
        "stream 'rows' is used 2 times, at test_testing.py",
    ),
    "pure": (lambda: run(lambda e, *_: e + noise()), "simulate is another program the second"),
    "pure predictions": (
        lambda: predicting(lambda p, w: Estimate(p.noise + noise(), 0.0, True, 0)),
        "the predictions are another program the second time",
    ),
    "pure arrays": (
        lambda: predicting(
            lambda p, w: Estimate(jnp.sum(p.noise * np.array([1.0, noise()])), 0.0, True, 0)
        ),
        "the predictions are another program the second time",
    ),
    "defaults": (lambda: estimate(valid=False), r"no prediction is valid \(error OK\)"),
    "ranges": (lambda: estimate(status=jnp.float64(9)), "has the status 9"),
    "ranges place": (
        lambda: dataclasses.replace(
            TOY, breaks=(dataclasses.replace(BREAK, closed_form=lambda p: 1 / p.noise),)
        ),
        "the closed form of break low gives ZeroDivisionError",
    ),
    "decoys": (
        lambda: predicting(same=same_as_prediction),
        "decoy same of prediction error says the same as the prediction",
    ),
    "decoys twins": (
        lambda: predicting(half=half, twin=lambda p, w: half(p, w)),
        "decoy twin of prediction error says the same as decoy half at every point tried",
    ),
    "finite": (lambda: run(lambda e, *_: e / 0.0), "measure error is"),
    "keys": (lambda: run(lambda e, *_: jnp.ones_like(e)), "another key gives the same numbers"),
    "jit": (lambda: run(traced_apart), "without jit"),
    "vmap": (lambda: run(lambda e, *_: tainted(e)), r"under vmap \(run 0\)"),
    "biases": (
        lambda: dataclasses.replace(run(lambda e, k, p, c: e * p.repeats), params=Copied),
        "Repetition: measure error is",
    ),
    "padding": (lambda: run(lambda e, k, p, capacity: e * capacity["n"]), "in an array of 9"),
    "padding of the second": (
        lambda: dataclasses.replace(run(lambda e, k, p, c: e * c["tests"]), params=WithTests),
        "with tests of 3 in an array of 5$",
    ),
    "inner": (lambda: run(lambda e, *_: e / jnp.sum(e)), "each beside a copy of itself"),
    "stages": (
        lambda: dataclasses.replace(
            TOY,
            stages=dataclasses.replace(
                STAGES, advance=lambda *a: jax.tree.map(lambda x: x + 1.0, advance(*a))
            ),
        ),
        "left at step 2 of 4",
    ),
    "stages whole": (lambda: dataclasses.replace(TOY, simulate=run(lambda e, *_: 2 * e).simulate),
                     "in stages"),
    "accelerators": (
        lambda: run(lambda e, *_: e + 0 * jax.scipy.linalg.schur(jnp.eye(2))[0][0]),
        "a run does not lower for cpu, cuda, tpu: .*schur",
    ),
    "accelerators stages": (
        lambda: dataclasses.replace(
            TOY,
            stages=dataclasses.replace(
                STAGES,
                advance=lambda *a: jax.tree.map(
                    lambda x: x + jax.scipy.linalg.schur(jnp.eye(2))[0][0, 1], advance(*a)
                ),
            ),
        ),
        "advance does not lower",
    ),
}  # fmt: skip


def test_the_toy_keeps_all_laws():
    laws(TOY)


def test_every_law_is_broken_here():
    assert {name.partition(" ")[0] for name in BROKEN} == set(LAWS)


@pytest.mark.parametrize("name", BROKEN)
def test_a_law_that_is_broken_is_told(name):
    make, says = BROKEN[name]
    law = name.partition(" ")[0]
    with pytest.raises(Broken, match=says) as caught:
        laws(make(), only=[law])
    told = str(caught.value)
    assert told.startswith(f"phenomenon 'toy' breaks the law '{law}' at the defaults: ")
    assert "\n" not in told


@pytest.mark.parametrize("name", names())
def test_every_end_is_tried_with_every_static_value(name):
    """All that are not refused; with the static values of the case itself, alone as well."""
    case = case_of(load(name), None, None)
    axes, static = case.phenomenon.axes, case.fixed
    for statics, points in zip(statics_of(case), looked_at(case), strict=True):
        for axis in (axis for k, axis in axes.items() if k not in static):
            for value in ends(case, axis):
                point = {axis.name: value, **statics}
                try:
                    case.phenomenon.point(point)
                except BadInput:
                    continue
                assert any(point.items() <= one.items() for one in points), point
                assert statics or point in points


def test_points_asked_for_a_few_at_a_time_are_those_asked_for_at_once():
    points = {"noise": [0.5, 1.0, 2.0, 3.0, 4.0], "n": 7}
    (whole,), (parts,) = predict(TOY, points).values(), predict_by(2, TOY, points).values()
    assert parts.prediction is whole.prediction
    jax.tree.map(np.testing.assert_array_equal, parts[1:], whole[1:])


def test_what_a_law_runs_may_raise():
    with pytest.raises(Broken, match=r"'shapes' .*: ZeroDivisionError: .* \(test_testing.py:\d+\)"):
        laws(run(lambda *_: 1 / 0), only=["shapes"])


def test_unknown_laws_and_points_are_refused():
    with pytest.raises(BadInput, match="unknown law 'jti': did you mean 'jit'"):
        laws(TOY, only=["jti"])
    with pytest.raises(BadInput, match="n = 0: must be >= 1"):
        laws(TOY, at={"n": 0})


def test_how_far_two_runs_may_be_apart():
    def said(one, other, within):
        return differs(
            {"m": np.array(one)}, {"m": np.array(other)}, within=within, what="elsewhere"
        )

    assert said([1.0, 2.0], [1.0, 2.0], 0.0) is None
    assert said([np.nan, 2.0], [np.nan, 2.0], 0.0) is None
    assert said([1.0, 2.0], [1.0, 2.0 + 1e-15], 0.0) is not None  # they must be the same
    assert said([1.0, 2.0], [1.0 + 1e-9, 2.0], 1e-9) is None  # of the largest value
    assert said([1.0, 2.0], [1.0 + 3e-9, 2.0], 1e-9).startswith("measure m is [1., 2.]")
    assert said([0.0], [1e-13], 1e-9) is None  # what rounding leaves of zero
    assert said([0.0], [1e-11], 1e-9) is not None
    assert said([1e-8], [1.1e-8], 1e-3) is not None
    assert said([1.0], [np.nan], 1e-3).endswith("elsewhere")


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ((2.0, 1.0, 3.0, Status.OK), None),
        ((2.0, 2.0, 2.0, Status.OK), None),
        ((2.0, np.nan, np.nan, Status.OK), None),
        ((2.0, -np.inf, np.inf, Status.OK), None),
        ((np.nan, np.nan, np.nan, Status.NO_BREAK), None),
        ((2.0, 2.5, 3.0, Status.OK), r"the place 2 outside of [2.5, 3]"),
        ((2.0, 1.0, 1.5, Status.OK), r"the place 2 outside of [1, 1.5]"),
        ((np.nan, 1.0, 1.5, Status.OK), "the place nan and the status OK"),
        ((np.inf, 1.0, 1.5, Status.OK), "the place inf and the status OK"),
        ((2.0, 1.0, 3.0, "OK"), "the status 'OK', expected a Status"),
    ],
)
def test_what_a_locator_may_answer(point, says):
    value, low, high, status = point
    made = BreakPoint(value, low, high, 1.0, status)
    assert declaring._no_place(made) == says
    assert declaring._no_place((1, 2)) == "tuple, expected a BreakPoint"


@pytest.mark.parametrize("part", ["title", "question", "model"])
def test_each_of_the_words_is_asked_for(part):
    with pytest.raises(Broken, match=f"its {part} says nothing"):
        laws(dataclasses.replace(TOY, **{part: "  "}), only=["words"])


def test_the_upper_end_is_the_one_that_the_author_gives():
    assert ends(case_of(TOY, None, None), TOY.axes["d"])[-1] == 8
    assert ends(case_of(TOY, None, {"d": 4}), TOY.axes["d"])[-1] == 4
    wrong = predicting(lambda p, w: exact(p, w)._replace(status=jnp.where(p.d > 6, 9.0, 0.0)))
    laws(wrong, high={"d": 5}, only=["ranges"])
    with pytest.raises(Broken, match="has the status 9"):
        laws(wrong, only=["ranges"])


def test_a_case_is_kept_for_what_it_is_of():
    cases = [case_of(TOY, at, high) for at in (None, {"n": 4}) for high in (None, {"d": 4})]
    assert len({id(case) for case in cases}) == 4
    assert case_of(TOY, {"n": 4}, None) is cases[2]
    assert cases[2].point["n"] == 4
    assert cases[2].point["step"].tolist() == [4, 2]
    one, other = cases[0].run(0), cases[0].run(1)
    assert one is cases[0].run(0)
    assert not np.array_equal(one["error"], other["error"])
    assert not np.array_equal(cases[0].run(0, noise=2.0)["error"], one["error"])


def test_laws_go_near_an_open_end_and_move_fields_together():
    case = case_of(load("poisoned_ridge"), None, None)
    axes = case.phenomenon.axes
    opened = [a for a in axes.values() if a.above is not None and a.type is float]
    assert opened
    for axis in opened:
        assert axis.above < ends(case, axis)[0] < axis.above + 1e-9
    assert moving(case)[0] == {}
    assert {len(point) > 1 for point in moving(case)[1:]} == {False, True}
