"""Many points are evaluated some at a time: one program, bounded memory, the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from declared_toy import TOY, Forecast, changed

from ci_theory._errors import MESSAGES, BadInput, Status
from ci_theory.phenomena import Bound, _predict, _programs, predict, sensitivity, solve


@pytest.fixture
def sizes(monkeypatch):
    """Record how many points every call of a compiled program is given."""
    seen = []
    compiled = _predict.program_of

    def recording(*args, **few):
        program = compiled(*args, **few)

        def call(numbers, world):
            seen.append(len(numbers["n"]))
            return program(numbers, world)

        return call

    monkeypatch.setattr(_predict, "program_of", recording)
    return seen


def traced_toy():
    """Return a toy and the list that grows by one whenever its prediction is traced."""
    traces = []

    def forecast(params, world):
        traces.append(1)
        return TOY.forecast(params, world)

    return changed(forecast=forecast), traces


def test_points_go_some_at_a_time_with_one_compilation(sizes, monkeypatch):
    monkeypatch.setattr(_predict, "_MOST_POINTS", 8)
    toy, traces = traced_toy()
    n = np.arange(1, 28)
    found = predict(toy, {"n": n, "noise": np.linspace(0, 1, 27)})["error"]
    assert sizes == [8, 8, 8, 8]
    assert len(traces) == 1
    np.testing.assert_array_equal(found.estimate.value, np.linspace(0, 1, 27) / n)
    np.testing.assert_array_equal(found.decoys["doubled"], 2 * np.linspace(0, 1, 27))
    assert found.estimate.valid.all()


def test_few_points_are_one_call(sizes):
    predict(traced_toy()[0], {"n": [1, 2, 3]})
    assert sizes == [4]


def test_a_single_point_is_traced_by_itself_and_says_the_same():
    """Not as one of many: to trace that takes twice the time."""

    def one(numbers, world):
        return {"value": jnp.sin(numbers["n"]) + world, "constant": 2.0}

    every = _programs._at_all(one)
    for count, shape in ((1, ()), (3, (3,))):
        jaxpr = jax.make_jaxpr(every)({"n": np.ones(count)}, 1.0).jaxpr
        (sine,) = (e for e in jaxpr.eqns if e.primitive.name == "sin")
        assert sine.outvars[0].aval.shape == shape
        found = every({"n": np.arange(1.0, 1 + count)}, 1.0)
        np.testing.assert_allclose(found["value"], np.sin(np.arange(1.0, 1 + count)) + 1)
        assert found["constant"].shape == (count,)
    alone, beside = (predict(TOY, {"n": n})["error"] for n in ([7], [7, 9]))
    for a, b in zip(alone.estimate, beside.estimate, strict=True):
        np.testing.assert_allclose(a, b[:1], rtol=1e-14)
    for name, value in alone.decoys.items():
        np.testing.assert_allclose(value, beside.decoys[name][:1], rtol=1e-14)


def test_very_many_points_do_not_go_at_once(sizes):
    predict(traced_toy()[0], {"n": np.arange(1, 3001)})
    assert max(sizes) <= 512
    assert len(set(sizes)) == 1


@pytest.mark.parametrize(("count", "again"), [(1024, False), (1025, False), (3, True)])
def test_a_program_for_many_points_or_for_many_times_is_optimised(monkeypatch, count, again):
    asked = []
    made = _predict.program_of
    monkeypatch.setattr(
        _predict, "program_of", lambda *given, few: asked.append(few) or made(*given, few=few)
    )
    predict(TOY, {"n": np.arange(1, count + 1)}, again=again)
    assert asked == [count <= 1024 and not again]


def test_a_notebook_is_told_why_there_is_no_value():
    shown = predict(TOY, {"n": [4, 8], "noise": [1.0, 3.0]})
    shown["error"].estimate.status[1] = Status.NOT_CONVERGED
    page = shown._repr_html_()
    assert "<td>0.25</td>" in page
    assert f"<td>{MESSAGES[Status.NOT_CONVERGED]}</td>" in page
    assert "0.375" not in page
    assert "more points" not in page


def test_points_with_a_large_world_go_fewer_at_a_time(sizes):
    """Every point holds arrays as long as the world's: a million items for each."""
    large = changed(
        world=lambda params: np.zeros(10**6),
        forecast=lambda params, world: TOY.forecast(params, None)._replace(error=jnp.sum(world)),
    )
    predict(large, {"n": np.arange(1, 20)})
    assert max(sizes) * 10**6 <= 2**23
    assert len(set(sizes)) == 1


def test_groups_of_different_static_values_come_back_in_order():
    p = np.tile([3, 4, 5], 40)
    n = np.arange(1, 121)
    found = predict(TOY, {"p": p, "n": n})["error"]
    np.testing.assert_allclose(found.estimate.value, TOY.axes["noise"].default / n, rtol=1e-14)


@pytest.mark.parametrize("slack", [jnp.nan, jnp.inf, -1.0])
def test_no_claim_is_made_without_a_bound(slack):
    """An overflow in the slack must not read as a judgement."""
    toy = changed(bounds=lambda params, made: {"error": Bound(slack, True)})
    assert not predict(toy, {})["error"].estimate.valid[0]


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK])
@pytest.mark.parametrize("value", [1.0, jnp.nan])
def test_no_claim_is_made_where_a_solver_failed(status, value):
    toy = changed(forecast=lambda params, world: Forecast(value, int(status)))
    found = predict(toy, {})["error"].estimate
    assert (bool(found.valid[0]), int(found.status[0])) == (False, status)


def test_a_value_that_is_no_number_is_told():
    toy = changed(forecast=lambda params, world: Forecast(jnp.nan))
    found = predict(toy, {})["error"].estimate
    assert (bool(found.valid[0]), int(found.status[0])) == (False, Status.NOT_FINITE)


@pytest.mark.parametrize(
    "asked",
    [
        lambda given: predict(given, {"n": 100}),
        lambda given: sensitivity(given, {"n": 100}),
        lambda given: solve(given, "test_error", 1.25, "n"),
    ],
)
def test_a_name_is_no_phenomenon_and_what_would_be_is_told(asked):
    with pytest.raises(BadInput, match=r"not str: ci_theory\.load\('ridge_peak'\) is one"):
        asked("ridge_peak")
    with pytest.raises(BadInput, match=r"not module: ci_theory\.load\(NAME\) is one"):
        asked(pytest)
