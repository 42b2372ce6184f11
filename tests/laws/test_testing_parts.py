"""What the laws try and compare, worked out by hand: values of fields, ends, decoys, locators."""

import types
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._record import axes_of, inner, part, record, sized, static, traced
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import Estimate
from ci_theory.phenomena._predict import Predicted
from ci_theory.testing import LAWS, case, declaring, predicting, simulating


@record
class Noise:
    """A bias with a strength, and a field that does nothing without it."""

    OFF: ClassVar = {"level": 0.0}
    IDLE: ClassVar = ("kind", "count", "on")

    level: float = traced(1.0, low=0, doc="strength")
    kind: float = traced(0.2, low=0, high=1, doc="share")
    count: int = sized(3, low=1, doc="copies")
    on: bool = traced(False, doc="whether")


@record
class Params:
    n: int = sized(5, low=1, unit="rows", doc="rows")
    d: int = static(8, low=2, doc="dimensions")
    word: str = static("a", choices=("a", "b"), doc="word")
    share: float = traced(0.5, low=0, high=1, doc="share")
    above: float = traced(2.0, above=0, doc="more than nothing")
    free: float = inner(0.0, doc="any number")
    steps: int = inner(10, low=0, high=64, doc="steps")
    flag: bool = inner(False, doc="flag")
    up: Noise = part(Noise)


AXES = axes_of(Params)


def of(at=None, high=None, *, problem=lambda point: None):
    """A case of these fields, with a rule."""

    def point(given):
        complete = {**{k: a.default for k, a in AXES.items()}, **given}
        line = problem(complete)
        if line:
            raise BadInput(line)
        return complete

    def names(*kinds):
        return [k for k, a in AXES.items() if a.kind in kinds]

    phenomenon = types.SimpleNamespace(
        axes=AXES, names=names, point=point, name="toy", params=Params, breaks=()
    )
    return types.SimpleNamespace(
        phenomenon=phenomenon, at=at or {}, high=high or {}, point=point(at or {}),
        inner=["free", "steps", "flag"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("flag", False, True), ("flag", True, False), ("free", 0.0, 0.1), ("free", 0.2, 0.1),
        ("free", 4.0, 2.1), ("steps", 10, 5), ("steps", 0, 1), ("steps", 1, 0), ("share", 0.0, 0.1),
        ("above", 2.0, 1.1), ("n", 1, 3), ("n", 3, 1), ("d", 2, 5), ("d", 4, 2),
    ],
)  # fmt: skip
def test_another_value_of_a_field(name, value, other):
    found = case._another(AXES[name], value)
    assert found == pytest.approx(other)
    assert type(found) is AXES[name].type


def test_two_values_of_every_inner_field_unless_they_are_refused_together():
    free = of()
    two = case._two(free.phenomenon, free.point)
    assert {k: v.tolist() for k, v in two.items()} == {
        "free": [0.0, pytest.approx(0.1)], "steps": [10, 5], "flag": [False, True],
    }  # fmt: skip
    ruled = of(problem=lambda p: "too few" if p["steps"] < 7 else None)
    twice = case._two(ruled.phenomenon, ruled.point)
    assert {k: v.tolist() for k, v in twice.items()} == {
        "free": [0.0, 0.0], "steps": [10, 10], "flag": [False, False],
    }  # fmt: skip


def test_the_ends_of_a_field():
    def found(name, **high):
        return predicting.ends(of(high=high), AXES[name])

    assert found("flag") == [False, True]
    assert found("share") == [0.0, 1.0]
    assert found("above") == [1e-12, 1e9, 1e300]
    assert found("free") == [-1e9, -1e300, 1e9, 1e300]
    assert found("steps") == [0, 64]
    assert found("n", n=3) == [1, 10**9]  # only of static fields
    assert found("d") == [2, 64]
    assert found("d", d=4) == [2, 4]
    assert all(type(v) is float for v in found("share"))


def test_points_have_each_end_alone_many_together_and_some_inside():
    toy = of()
    points = predicting.moving(toy)
    numbers = {k: predicting.ends(toy, a) for k, a in AXES.items() if k not in ("d", "word")}
    alone = [{k: v} for k, values in numbers.items() for v in values]
    assert points[0] == {}
    assert points[1 : 1 + len(alone)] == alone
    corners, inside = np.split(np.array(points[1 + len(alone) :], object), [predicting.CORNERS])
    assert len(inside) == predicting.INSIDE
    for k, values in numbers.items():
        at = [corner[k] for corner in corners if k in corner]
        assert len(at) == predicting.AT_AN_END
        assert set(at) == set(values)
    for i, point in enumerate(inside):
        assert all(AXES[k].problem(v) is None for k, v in point.items())
        if i % 2:
            assert point.keys() == numbers.keys()


def test_values_inside_lie_around_the_default():
    rng = np.random.default_rng(0)
    tries = {k: [predicting._inside(AXES[k], rng) for _ in range(400)] for k in AXES if k != "word"}
    ranges = {"n": (2, 11), "d": (4, 17), "share": (0.25, 1), "above": (1, 4), "free": (0.1, 0.9),
              "steps": (5, 21)}  # fmt: skip
    for name, (low, high) in ranges.items():
        found = np.array(tries[name])
        assert low <= found.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < found.max() <= high
        assert type(tries[name][0]) is AXES[name].type
    assert set(tries["flag"]) == {False, True}


def test_static_values_that_are_looked_at_once_each():
    found = predicting.statics_of(of())
    assert found[0] == {}
    assert found[1].keys() == {"d"}
    assert found[2:] == [{"d": 2}, {"d": 64}]
    assert predicting.statics_of(of(at={"d": 3}, high={"d": 5}))[1:] == [{"d": 2}, {"d": 5}]


def told(value, status=0, **decoys):
    value = np.asarray(value, float)
    estimate = Estimate(value, 0 * value, value == value, np.full(value.shape, int(status)))
    return Predicted(None, estimate, {k: np.asarray(v, float) for k, v in decoys.items()})


def test_decoys_are_compared_where_both_speak():
    seen = {}
    predicting._compared(
        {"a": told([1.0, 2.0, np.nan], same=[1.0, 2.0 + 1e-7, 5.0], near=[1.0, 2.1, 3.0],
                   far=[3.0, 4.0, np.inf])}, seen,
    )  # fmt: skip
    assert seen == {
        ("a", "", "same"): {True}, ("a", "", "near"): {True, False}, ("a", "", "far"): {False},
        ("a", "same", "near"): {True, False}, ("a", "same", "far"): {False},
        ("a", "near", "far"): {False},
    }  # fmt: skip
    predicting._compared({"a": told([1.0], same=[1.1]), "b": told([0.0], zero=[1e-30])}, seen)
    assert seen["a", "", "same"] == {True, False}
    assert seen["b", "", "zero"] == {False}  # of zero nothing is a share
    mute = {}
    failed = told([1.0], Status.NOT_CONVERGED, same=[1.0])
    predicting._compared({"a": failed}, mute)
    assert mute == {("a", "", "same"): set()}


def test_the_decoy_that_is_named_is_the_one_that_is_never_another(monkeypatch):
    def compared(_, seen):
        seen.update({("a", "", "near"): {True, False}, ("a", "", "same"): {True}})

    monkeypatch.setattr(predicting, "everywhere", lambda _: [([], {})])
    monkeypatch.setattr(predicting, "_compared", compared)
    monkeypatch.setattr(predicting, "ROUNDS", 0)
    nothing = types.SimpleNamespace(
        phenomenon=types.SimpleNamespace(names=lambda *_: [], axes={}), at={}
    )
    assert "decoy same of prediction a says" in predicting.decoys(nothing)


def test_a_status_that_is_none_is_told_with_its_point():
    points = [{}, {"n": 3, "share": 0.5}, {"n": 9}]
    assert predicting._ill(np.array([0, 6, 1]), points) is None
    assert predicting._ill(np.array([0, 7, -1]), points) == (
        "has the status 7, which is none, where n = 3, share = 0.5"
    )
    assert predicting._ill(np.array([-1, 0, 0]), points).endswith("where all is at its default")


def test_closed_forms_give_a_float_or_are_told():
    toy = of()
    toy.phenomenon.breaks = (
        types.SimpleNamespace(name="none", closed_form=None),
        types.SimpleNamespace(name="top", closed_form=lambda p: 1.0 / p.share),
    )
    assert predicting._ill_places(toy, [{"share": 0.5}]) is None
    line = predicting._ill_places(toy, [{"share": 0.5}, {"share": 0.0, "n": 2}])
    assert line == (
        "the closed form of break top gives ZeroDivisionError('float division by zero'), "
        "expected a float, NaN where it says nothing, where share = 0.0, n = 2"
    )
    toy.phenomenon.breaks[1].closed_form = lambda p: p.n
    assert "gives 5, expected a float" in predicting._ill_places(toy, [{}])


# --- simulations and locators ---------------------------------------------------------------------


@pytest.mark.parametrize(("values", "line"), [([1.0, 2.0], False), ([1.0, np.nan], True)])
def test_one_value_that_is_not_finite_breaks_the_law(values, line):
    toy = of()
    toy.run = lambda: {"m": np.array(values)}
    assert (simulating.finite(toy) is not None) == line


def test_biases_are_found_in_a_record_and_its_parts_and_their_idle_fields_moved():
    assert list(simulating._biases(Params)) == [("up.", Noise)]
    assert list(simulating._biases(Noise)) == [("", Noise)]
    toy = of()
    moved = {k: simulating._another(toy, f"up.{k}") for k in Noise.IDLE}
    assert moved == {"kind": pytest.approx(0.6), "count": 4, "on": True}
    assert simulating._another(toy, "above") == pytest.approx(3.0)
    endless, most = AXES["above"], AXES["share"]
    for axis, value in ((endless, 0.0), (most, most.high), (most, 0.0)):
        toy.phenomenon.axes, toy.point = {"x": axis}, {"x": value}
        other = simulating._another(toy, "x")
        assert other != value
        assert axis.problem(other) is None


def test_a_bias_without_strength_is_run_with_its_other_fields_moved():
    """Two runs: both without it, one with other values of what then means nothing."""
    toy, asked = of(), []

    def run(**changes):
        asked.append(changes)
        return {"m": np.array([1.0 + 0.1 * toy.wrong * (len(changes) > 1)])}

    toy.run, toy.wrong = run, False
    assert simulating.biases(toy) is None
    assert sorted(asked, key=len) == [
        {"up.level": 0.0},
        {"up.level": 0.0, "up.kind": pytest.approx(0.6), "up.count": 4, "up.on": True},
    ]
    toy.wrong = True
    assert simulating.biases(toy) == (
        "Noise: measure m is [1.], and [1.1] with up.kind = 0.6, up.count = 4, up.on = True "
        "and no such bias"
    )


def test_what_a_measure_is_after_a_run_is_compared_measure_by_measure():
    one = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    line = case.differs(one, {**one, "b": np.array([3.5])}, within=1e-3, what="there")
    assert line == "measure b is [3.], and [3.5] there"
    made = case.plain(Measures(a=jnp.arange(2), b=3.0))
    assert {k: v.tolist() for k, v in made.items()} == {"a": [0, 1], "b": 3.0}


@record
class Measures:
    a: object = None
    b: object = None


def test_a_broken_law_is_one_line():
    toy = case.Case.__new__(case.Case)
    toy.phenomenon, toy.at = types.SimpleNamespace(name="toy\n"), {"n": 3, "d": 2}
    toy.hold("law", lambda one: None)
    with pytest.raises(case.Broken) as caught:
        toy.hold("law", lambda one: "a\n  b\x1b")
    assert str(caught.value) == "phenomenon 'toy\\n' breaks the law 'law' at n = 3, d = 2: a b\\x1b"
    assert caught.value.seen == "a b\\x1b"
    toy.at = {}

    def wrong(one):
        raise BadInput("n = 0: no")

    with pytest.raises(case.Broken, match=r": n = 0: no \(test_testing_parts\.py:\d+\)$"):
        toy.hold("law", wrong)
    with pytest.raises(case.Broken, match=r": KeyError: 'x' \(test_testing_parts\.py:\d+\)$"):
        toy.hold("law", lambda one: {}["x"])


def test_places_of_a_locator_lie_around_the_case_and_in_the_range():
    def places(axis, **at):
        return declaring._places(of(at=at), types.SimpleNamespace(axis=axis)).tolist()

    spread = np.geomspace(0.2, 5, declaring.PLACES)
    assert places("above") == pytest.approx((2 * spread).tolist())
    assert places("share") == pytest.approx([v for v in 0.5 * spread if v <= 1])
    assert places("free") == pytest.approx(spread.tolist())  # around 1 for want of a place
    assert places("n") == sorted({*np.round(5 * spread)})
    assert places("steps", steps=40) == sorted(v for v in {*np.round(40 * spread)} if v <= 64)


def test_a_locator_that_is_wrong_about_a_curve_or_about_runs_is_told():
    good = BreakPoint(1.0, 0.5, 2.0, 1.0, Status.OK)
    asked = []

    def answering(wrong):
        def locate(x, y):
            asked.append(np.shape(y))
            return good._replace(low=1.5) if np.ndim(y) == wrong else good

        return types.SimpleNamespace(
            name="top", axis="above", locator=types.SimpleNamespace(locate=locate)
        )

    toy = of()
    toy.phenomenon.breaks = (answering(0),)
    assert declaring.locators(toy) is None
    t = declaring.PLACES
    assert asked == [(t,), (declaring.RUNS, t)] * 2
    for wrong, what in ((1, "a curve"), (2, "replicates")):
        toy.phenomenon.breaks = (answering(wrong),)
        assert declaring.locators(toy) == (
            f"the locator of break top answers {what} with the place 1 outside of [1.5, 2]"
        )


def test_the_laws_that_need_a_compilation_are_marked():
    assert [name for name, law in LAWS.items() if law.compiles] == [
        "finite", "keys", "jit", "vmap", "biases", "padding", "inner", "stages", "accelerators",
    ]  # fmt: skip
    first = next(i for i, law in enumerate(LAWS.values()) if law.compiles)
    assert all(law.compiles for law in list(LAWS.values())[first:])  # the cheap ones first


def test_a_prediction_must_be_valid_at_the_defaults_themselves(monkeypatch):
    def seen(*valid):
        status = np.where(valid, int(Status.OK), int(Status.OUT_OF_SCOPE))
        estimate = Estimate(np.ones(2), np.zeros(2), np.array(valid), status)
        found = {"a": types.SimpleNamespace(estimate=estimate)}
        monkeypatch.setattr(predicting, "everywhere", lambda _: [([{}, {"n": 1}], found)])
        return predicting.defaults(None)

    assert seen(True, False) is None
    assert seen(False, True) == "no prediction is valid (a OUT_OF_SCOPE)"


def test_a_third_of_the_ends_may_not_all_be_refused(monkeypatch):
    toy = of()
    points = predicting.moving(toy)
    few = (len(points) - predicting.INSIDE) // 3

    def seen(count):
        monkeypatch.setattr(predicting, "everywhere", lambda _: [(points[:count], {})])
        return predicting.ranges(toy)

    assert seen(few + 1) is None
    assert seen(few) == f"only {few} of {len(points)} points at ends are not refused"


def test_decoys_that_differ_at_other_static_values_alone_are_found_to(monkeypatch):
    def predicted(_, points):
        off = [1.0 + (point["d"] != 8) if "d" in point else 1.0 for point in points]
        return {"a": told(np.ones(len(points)), same=off)}

    monkeypatch.setattr(predicting, "_predicted", predicted)
    monkeypatch.setattr(predicting, "everywhere", lambda _: [([{}], predicted(_, [{}]))])
    assert predicting.decoys(of()) is None
    assert "decoy same of prediction a says" in predicting.decoys(of(at={"d": 8}))


def test_one_measure_that_another_key_changes_is_enough(monkeypatch):
    monkeypatch.setattr(simulating, "plain", lambda measures: measures)
    runs = [{"a": np.ones(1), "b": np.ones(1)}, {"a": np.ones(1), "b": np.zeros(1)}]
    toy = types.SimpleNamespace(
        run=lambda key=0: runs[key], program=lambda: lambda key, moving: runs[0], moving={}
    )
    assert simulating.keys(toy) is None
    runs[1] = runs[0]
    assert simulating.keys(toy) == "another key gives the same numbers"


def test_both_inner_places_and_both_keys_are_looked_at():
    measured = {None: [1.0, 2.0], 0.0: [1.0, 1.0], 0.5: [2.0, 2.0]}

    def run(key=0, **changes):
        value = measured[float(changes["free"][0]) if changes else None]
        return {"m": np.array(value) + wrong_key * key}

    wrong_key = 0.0
    toy = types.SimpleNamespace(inner=["free"], point={"free": jnp.array([0.0, 0.5])}, run=run)
    assert simulating.inner(toy) is None
    measured[0.5] = [2.0, 2.5]
    assert "each beside a copy of itself" in simulating.inner(toy)
    toy.moving, toy.program = {}, lambda: lambda key, moving: Measured(m=jnp.array([1.0, 2.0]))
    assert simulating.side_by_side(toy) is None
    wrong_key = 0.5
    assert "under vmap (run 1)" in simulating.side_by_side(toy)


@record
class Measured:
    m: object = None


def test_blank_words_say_nothing():
    decoy = types.SimpleNamespace(name="wrong", why=" \n")
    form = types.SimpleNamespace(name="a", decoys=(decoy,))
    toy = types.SimpleNamespace(title="t", question="q", model="m", predictions=(form,))
    one = types.SimpleNamespace(phenomenon=toy)
    assert declaring.words(one) == "decoy wrong of prediction a does not say why"
    decoy.why = "it forgets"
    assert declaring.words(one) is None
    toy.model = " "
    assert declaring.words(one) == "its model says nothing"


def test_what_a_library_raises_is_told_with_the_line_that_called_it():
    with pytest.raises(np.linalg.LinAlgError) as caught:
        np.linalg.inv(np.zeros((2, 2)))
    assert "(test_testing_parts.py:" in case._raised(caught.value)
