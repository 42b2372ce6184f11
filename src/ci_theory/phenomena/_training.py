"""Simulations that train a network: what is trained and how is all that they define."""

from collections.abc import Callable, Mapping
from typing import Any

from ci_theory._types import Array, Key
from ci_theory.phenomena._base import Stages
from ci_theory.training import optimiser


def stages(
    axis: str,
    course: Callable[[Key, Any], optimiser.Course],
    init: Callable[[Key, Any], Any],
) -> Stages:
    """Train a network in stages; every number of steps on the axis is measured.

    Args:
        axis: the whole-number inner field that counts the steps.
        course: ``course(key, params)``: what is minimised, how, and what is measured when.
        init: ``init(key, params) -> weights`` to start from, any pytree.
    """

    def begin(key: Key, params: Any, capacity: Mapping[str, int]) -> optimiser.State:
        return optimiser.begin(course(key, params), init(key, params))

    def advance(
        key: Key,
        params: Any,
        capacity: Mapping[str, int],
        state: optimiser.State,
        since: Array,
        until: Array,
    ) -> optimiser.State:
        return optimiser.advance(course(key, params), state, since, until)

    def finish(key: Key, params: Any, capacity: Mapping[str, int], state: optimiser.State) -> Any:
        return optimiser.finish(course(key, params), state).measures

    return Stages(axis=axis, begin=begin, advance=advance, finish=finish)
