"""The laws that every phenomenon obeys (``ci_theory.testing``), found by listing the registry."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
import recorded

from ci_theory._errors import BadInput
from ci_theory._record import build
from ci_theory.phenomena import load, names, predict
from ci_theory.testing import LAWS, laws
from ci_theory.testing.case import case_of
from ci_theory.testing.predicting import AT_ONCE

NAMES = names()

HIGH = {"vocabulary": 500, "inputs": 60, "width": 30, "modes": 1000, "draw": 10**9, "p": 10**9}
HIGH |= {"tasks": 200}
"""Ends of static fields: of some whose worlds grow with them, and far for those without one."""

AT = {
    "linear_grokking": {"d": 150, "decay": 0.0, "time": 10.0},  # where its decoys are meant
    "metric_mirage": {"vocabulary": 500},  # slow at the defaults
    "modular_grokking": {"step": 20},  # training makes rounding grow, step by step
}


def high(name):
    """Return the ends of static fields that are not their own."""
    axes = load(name).axes
    return {k: v for k, v in HIGH.items() if k in axes and not (k == "p" and axes[k].high)}


def hold(name, law):
    """Hold a phenomenon of the package to a law."""
    laws(load(name), at=AT.get(name), high=high(name), only=[law])


OF_ONE = "the target of its labels has a norm of 1"
LABELS = {
    "digits_ridge": "labels of images are 1 and -1",
    "noisy_features": "named labels are 1 and -1",
    "feature_spectrum": OF_ONE,
    "icl_linear_attention": OF_ONE,
    "icl_population": OF_ONE,
    "icl_task_pool": "tasks are drawn with a variance of 1",
    "icl_zipf_tasks": OF_ONE,
    "network_inheritance": OF_ONE,
    "power_law_break": OF_ONE,
    "repetition_scaling": OF_ONE,
    "sgd_scaling": OF_ONE,
}
"""Where labels have a scale of their own: not all numbers that are in labels are parameters."""


@pytest.mark.parametrize("law", [*LAWS, "numbers", "labels"])
@pytest.mark.parametrize("name", NAMES)
def test_law(name, law):
    """The laws, and what is asked of numbers: one after the other of what was compiled."""
    if law == "numbers":
        numbers_are_as_they_were(name)
    elif law == "labels":
        labels_have_no_unit_of_their_own(name)
    else:
        hold(name, law)


def numbers_are_as_they_were(name):
    """Compare with the record: no change of the code changes a number unseen."""
    phenomenon, at = load(name), AT.get(name, {})
    case = case_of(phenomenon, at, high(name))
    usual = recorded.points(phenomenon, case.capacity)
    points = [{**at, **point} for point in ({}, *usual)]
    recorded.hold(name, "predicted", said(phenomenon, points, AT_ONCE))
    measured = {f"{k} 0": v for k, v in case.run(0).items()}
    for index, point in enumerate([] if phenomenon.stages else usual, start=1):
        inner = {
            k: jnp.array([point.get(k, case.point[k][0]), case.point[k][0]]) for k in case.inner
        }
        measured |= {f"{k} {index}": v for k, v in case.run(0, **{**point, **inner}).items()}
    recorded.hold(name, "simulated", measured)


def labels_have_no_unit_of_their_own(name):
    """Labels three times as large change numbers as their declared units say."""
    phenomenon, at = load(name), AT.get(name, {})
    axes, info = phenomenon.axes, phenomenon.measure_info
    power = {k: power_of_labels(axis.unit) for k, axis in axes.items()}
    usual = recorded.points(phenomenon, case_of(phenomenon, at, high(name)).capacity)[:2]
    points = [{k: {**at, **p}.get(k, a.default) for k, a in axes.items()} for p in usual]
    large = [{k: v * 3.0**e if (e := power[k]) else v for k, v in p.items()} for p in points]
    powers = {p.name: power_of_labels(info[p.measure][0]) for p in phenomenon.predictions}
    powers |= {f"{b.name}: closed form": power[b.axis] for b in phenomenon.breaks}
    alike = {}
    for label, values in said(phenomenon, [*points, *large], AT_ONCE).items():
        of_one = label.endswith((": status", ": valid"))
        e = 0 if of_one else powers.get(label, powers.get(re.split("[:,] ", label)[0]))
        before, after = np.reshape(np.asarray(values, float), (2, 2))
        alike[label] = np.allclose(before * 3.0**e, after, rtol=1e-7, atol=1e-12, equal_nan=True)
    if name in LABELS:
        assert not all(alike.values()), f"no exception any more: {LABELS[name]}"
    else:
        assert [label for label, same in alike.items() if not same] == []


def power_of_labels(unit):
    """Return 2 for a unit of label², 1 for label, also per something; else 0."""
    if re.search(r"\blabel²|\(label/\w+\)²", unit):
        return 2
    return int(bool(re.search(r"\blabel\b", unit)))


def said(phenomenon, points, at_least):
    """Return all that is said of some points, by name; as many at once as the laws ask for."""
    asked = [*points, *[points[-1]] * (at_least - len(points))]
    columns = {k: [p.get(k, a.default) for p in asked] for k, a in phenomenon.axes.items()}
    few, made = slice(len(points)), {}
    for label, predicted in predict(phenomenon, columns).items():
        for part, values in predicted.estimate._asdict().items():
            made[f"{label}: {part}"] = np.asarray(values, float)[few]
        made |= {f"{label}, {decoy}": v[few] for decoy, v in predicted.decoys.items()}
    for sought in phenomenon.breaks:
        if sought.closed_form:
            full = [build(phenomenon.params, phenomenon.point(point)) for point in points]
            made[f"{sought.name}: closed form"] = [sought.closed_form(params) for params in full]
    return made


def test_the_registry_is_not_empty():
    assert len(NAMES) >= 32
    assert len(LAWS) >= 16


@pytest.mark.parametrize("name", NAMES)
def test_what_this_package_asks_of_its_own(name):
    """Beside the laws, and beside what is checked when it is made: test_declarations."""
    phenomenon = load(name)
    assert phenomenon.name == name
    assert phenomenon.breaks
    assert phenomenon.predictions or "Nothing is predicted" in phenomenon.model
    if phenomenon.predictions:
        assert sum(len(p.decoys) for p in phenomenon.predictions) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_unknown_axes_are_refused(name):
    with pytest.raises(BadInput, match="unknown axis 'nosuch'"):
        load(name).point({"nosuch": 1})
