"""The laws that every phenomenon obeys, found by listing the registry."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import recorded

from ci_theory._errors import BadInput
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.phenomena import load, names

NAMES = names()
KEY_A, KEY_B = (0, 1, 2, 0), (0, 1, 2, 1)


def test_the_registry_is_not_empty():
    assert len(NAMES) >= 7
    assert "repeated_data" in NAMES


@functools.cache
def case(name):
    """A phenomenon at its defaults: (phenomenon, params with inner vectors (2,), capacity)."""
    phenomenon = load(name)
    point = phenomenon.point({})
    for inner in phenomenon.names(Kind.INNER):
        axis = phenomenon.axes[inner]
        other = axis.type(0.5 * point[inner] + 0.1)
        assert axis.problem(other) is None
        point[inner] = jnp.array([point[inner], other])
    capacity = {sized: int(point[sized]) for sized in phenomenon.names(Kind.SIZED)}
    return phenomenon, point, capacity


def run(name, key, **changes):
    _, point, _ = case(name)
    numbers = {k: v for k, v in {**point, **changes}.items() if k in moving(name)}
    return simulator(name)(key_for(*key), numbers)


def moving(name):
    return load(name).names(Kind.TRACED, Kind.SIZED, Kind.INNER)


@functools.cache
def simulator(name):
    phenomenon, point, capacity = case(name)
    fixed = {k: point[k] for k in phenomenon.names(Kind.STATIC)}

    @jax.jit
    def compiled(key, numbers):
        return phenomenon.simulate(key, build(phenomenon.params, {**fixed, **numbers}), capacity)

    return compiled


def as_dict(measures):
    return {f.name: np.asarray(getattr(measures, f.name)) for f in dataclasses.fields(measures)}


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_what_it_is(name):
    """What else must hold of every declaration is checked when it is made: test_declarations."""
    phenomenon = load(name)
    assert phenomenon.name == name
    assert phenomenon.title
    assert phenomenon.question
    assert phenomenon.model
    assert phenomenon.breaks


@pytest.mark.parametrize("name", NAMES)
def test_predictions_have_decoys(name):
    phenomenon = load(name)
    assert phenomenon.predictions or "Nothing is predicted" in phenomenon.model
    for prediction in phenomenon.predictions:
        assert len(prediction.decoys) >= 1
        assert all(d.why for d in prediction.decoys)
    if phenomenon.predictions:
        assert sum(len(p.decoys) for p in phenomenon.predictions) >= 2


def usual(name):
    """Measures at usual points, where fields that are 0 by default are not, by name."""
    phenomenon, point, capacity = case(name)
    made = {}
    for index, values in enumerate(recorded.points(phenomenon, capacity)):
        for inner in phenomenon.names(Kind.INNER):
            values[inner] = jnp.array([values.get(inner, point[inner][0]), point[inner][0]])
        found = as_dict(run(name, KEY_B, **values))
        made |= {f"{measure} {index}": value for measure, value in found.items()}
        if phenomenon.stages:  # one training is dear enough
            break
    return made


@pytest.mark.parametrize("name", NAMES)
def test_one_key_gives_one_result_and_another_key_another(name):
    first, again, other = (as_dict(run(name, key)) for key in (KEY_A, KEY_A, KEY_B))
    for measure, value in first.items():
        assert np.all(np.isfinite(value)), measure
        np.testing.assert_array_equal(value, again[measure])
    assert any(not np.array_equal(first[k], other[k]) for k in first)
    recorded.hold(name, "simulated", {**first, **usual(name)})


@pytest.mark.parametrize("name", NAMES)
def test_inner_values_do_not_see_each_other(name):
    phenomenon, point, _ = case(name)
    inner = phenomenon.names(Kind.INNER)
    both = as_dict(run(name, KEY_A))
    if not inner:
        assert all(value.shape == () for value in both.values())
        return
    swapped = as_dict(run(name, KEY_A, **{k: point[k][::-1] for k in inner}))
    for measure, value in both.items():
        assert value.shape == (2,), measure
        np.testing.assert_allclose(swapped[measure][::-1], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_vmap_is_the_loop(name):
    _, point, _ = case(name)
    numbers = {k: point[k] for k in moving(name)}
    keys = jnp.stack([key_for(*KEY_A), key_for(*KEY_B)])
    batch = as_dict(jax.vmap(simulator(name), in_axes=(0, None))(keys, numbers))
    for i, key in enumerate((KEY_A, KEY_B)):
        for measure, value in as_dict(run(name, key)).items():
            np.testing.assert_allclose(batch[measure][i], value, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_axes_are_refused(name):
    with pytest.raises(BadInput, match="unknown axis 'nosuch'"):
        load(name).point({"nosuch": 1})
