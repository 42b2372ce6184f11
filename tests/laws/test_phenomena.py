"""The laws that every phenomenon obeys (``ci_theory.testing``), found by listing the registry."""

import pytest

from ci_theory._errors import BadInput
from ci_theory.phenomena import load, names
from ci_theory.testing import LAWS, laws

NAMES = names()

HIGH = {"vocabulary": 500, "inputs": 60, "width": 30, "modes": 1000, "draw": 10**9, "p": 10**9}
"""Ends of static fields: of some whose worlds grow with them, and far for those without one."""

AT = {
    "linear_grokking": {"d": 150, "decay": 0.0, "time": 10.0},  # where its decoys are meant
    "metric_mirage": {"vocabulary": 500},  # slow at the defaults
    "modular_grokking": {"step": 20},  # training makes rounding grow, step by step
}


def hold(name, law):
    """Hold a phenomenon of the package to a law."""
    static = load(name).axes
    high = {k: v for k, v in HIGH.items() if k in static and not (k == "p" and static[k].high)}
    laws(load(name), at=AT.get(name), high=high, only=[law])


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", NAMES)
def test_law(name, law):
    hold(name, law)


def test_the_registry_is_not_empty():
    assert len(NAMES) >= 17
    assert len(LAWS) >= 16
    assert "repeated_data" in NAMES


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
