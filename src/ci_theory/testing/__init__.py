"""The laws that every phenomenon obeys, for anybody's: ``laws(PHENOMENON)`` in a test of yours.

One law at a time, so that a failure names it::

    import pytest
    from ci_theory.testing import LAWS, laws
    from mine import PHENOMENON

    @pytest.mark.parametrize("law", LAWS)
    def test_law(law):
        laws(PHENOMENON, only=[law])

They compute in float64: call ``ci_theory.enable_float64()`` first.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ci_theory._errors import unknown
from ci_theory.phenomena import Phenomenon
from ci_theory.testing import declaring, predicting, simulating
from ci_theory.testing.case import Broken, Case, case_of

__all__ = ["LAWS", "Broken", "Law", "laws"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
    """One law.

    Attributes:
        statement: what holds, in a line.
        seen: ``seen(case)`` says in a line what contradicts it, or None.
        compiles: whether it compiles or lowers the simulation, which may take long.
    """

    statement: str
    seen: Callable[[Case], str | None]
    compiles: bool = False


LAWS: Mapping[str, Law] = {
    "words": Law(
        statement="title, question and model are told; a prediction has decoys, each with its why",
        seen=declaring.words,
    ),
    "world": Law(
        statement="the world of the predictions is made of static fields alone, twice the same",
        seen=declaring.world,
    ),
    "locators": Law(
        statement="locators answer a curve and its replicates with a place or a status",
        seen=declaring.locators,
    ),
    "shapes": Law(
        statement="a run returns its record of measures, numbers of shape (inner points,) or ()",
        seen=simulating.shapes,
    ),
    "streams": Law(
        statement="no two things that a run draws come from one stream",
        seen=simulating.streams,
    ),
    "pure": Law(
        statement="traced twice, simulation and predictions are the same program",
        seen=predicting.pure,
    ),
    "defaults": Law(
        statement="at the defaults a prediction has a value with a bound, in its scope",
        seen=predicting.defaults,
    ),
    "ranges": Law(
        statement="at the ends of declared ranges everything gives numbers, a status or a refusal",
        seen=predicting.ranges,
    ),
    "decoys": Law(
        statement="a decoy says something else than its prediction, and than any other decoy",
        seen=predicting.decoys,
    ),
    "finite": Law(
        statement="a run at the defaults measures finite numbers",
        seen=simulating.finite,
        compiles=True,
    ),
    "keys": Law(
        statement="one key gives one result, another key another",
        seen=simulating.keys,
        compiles=True,
    ),
    "jit": Law(
        statement="compiled and not compiled, a run measures the same",
        seen=simulating.compiled,
        compiles=True,
    ),
    "vmap": Law(
        statement="runs side by side measure what each does by itself",
        seen=simulating.side_by_side,
        compiles=True,
    ),
    "biases": Law(
        statement="a bias of strength 0 changes nothing, whatever its other fields say",
        seen=simulating.biases,
        compiles=True,
    ),
    "padding": Law(
        statement="a longer array for a count changes nothing that is measured",
        seen=simulating.padding,
        compiles=True,
    ),
    "inner": Law(
        statement="values of inner fields do not see each other",
        seen=simulating.inner,
        compiles=True,
    ),
    "stages": Law(
        statement="a run left between two stages measures the same, and what a whole one does",
        seen=simulating.stages,
        compiles=True,
    ),
    "accelerators": Law(
        statement="a run and its stages can be lowered for CUDA and TPU",
        seen=simulating.accelerators,
        compiles=True,
    ),
}
"""The laws by name, cheap ones first."""


def laws(
    phenomenon: Phenomenon,
    *,
    at: Mapping[str, Any] | None = None,
    high: Mapping[str, Any] | None = None,
    only: Iterable[str] = tuple(LAWS),
) -> None:
    """Hold a phenomenon to the laws.

    Args:
        phenomenon: anybody's.
        at: dotted names and values of the point at which it is run, where its defaults are slow.
        high: what to take for the upper end of a static field whose own end is slow; without
            either it is eight times the default.
        only: names of laws.

    Raises:
        Broken: the first that does not hold: phenomenon, law, point and what was seen, in a line.
        BadInput: a point that the phenomenon refuses, or no such law.

    >>> from ci_theory import enable_float64, load
    >>> enable_float64()
    >>> laws(load("ridge_peak"), only=["words", "shapes", "streams"])
    """
    case = case_of(phenomenon, at, high)
    for name in only:
        if name not in LAWS:
            raise unknown("law", name, LAWS)
        case.hold(name, LAWS[name].seen)
