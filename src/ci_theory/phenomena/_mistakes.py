"""Mistakes that many theories can make, each declared once: the decoys of several phenomena."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from ci_theory._record import flatten
from ci_theory.phenomena._base import Mistake


def noise_halved(*against: str, field: str = "noise") -> Mistake:
    """Half of the label noise is overlooked."""
    return Mistake(
        name="noise halved",
        why="the noise variance is halved",
        against=against,
        params=lambda params: {field: 0.5 * flatten(params)[field]},
    )


def noise_ignored(*against: str, field: str = "noise") -> Mistake:
    """The label noise is left out altogether."""
    return Mistake(
        name="noise ignored",
        why="the label noise is thought to average out",
        against=against,
        params=lambda params: {field: 0.0},
    )


def copies_are_fresh(*against: str, field: str = "repeats") -> Mistake:
    """Copies are taken for new rows, so that only the budget counts."""
    return Mistake(
        name="copies are fresh rows",
        why="every copy is taken for a new row: the budget is what counts",
        against=against,
        params=lambda params: {field: 1},
    )


def time_doubled(*against: str, field: str = "time") -> Mistake:
    """The loss is taken without its factor 1/2."""
    return Mistake(
        name="time doubled",
        why="time of the loss without the factor 1/2: twice too fast",
        against=against,
        params=lambda params: {field: 2 * flatten(params)[field]},
    )


def labels_swapped(*against: str, field: str = "shared_noise") -> Mistake:
    """Copies that share their label are taken for freshly labelled ones, and the reverse."""
    return Mistake(
        name="labels swapped",
        why="shared labels are taken for fresh ones (their noise averages out), and the reverse",
        against=against,
        params=lambda params: {field: jnp.logical_not(flatten(params)[field])},
    )


def labels_are_exact(*against: str, fields: tuple[str, ...] = ("noise",)) -> Mistake:
    """The noise of the labels that were trained on is left out."""
    return Mistake(
        name="labels are exact",
        why="the noise of the labels trained on is thought to average out",
        against=against,
        params=lambda params: dict.fromkeys(fields, 0.0),
    )


def contexts_are_exact(*against: str, field: str = "length") -> Mistake:
    """A context is taken for one without end."""
    return Mistake(
        name="contexts are exact",
        why="a context is thought to tell its task but for label noise: inputs are not sampled",
        against=against,
        params=lambda params: {field: 1e9},
    )


def targets_alike(*against: str, field: str = "alignment") -> Mistake:
    """What is inherited is taken for the very thing that is wanted."""
    return Mistake(
        name="targets alike",
        why="the angle between the two targets is ignored",
        against=against,
        params=lambda params: {field: 1.0},
    )


def poison_is_free(*against: str, field: str = "up.poison") -> Mistake:
    """The poisoned rows are left out."""
    return Mistake(
        name="poison is free",
        why="poisoned rows are thought to leave the rest of the weights as they were",
        against=against,
        params=lambda params: {field: 0.0},
    )


def no_saturation(measure: str, planted: Callable[[Any, Any], Any]) -> Mistake:
    """What the first poisoned row adds, ``planted(params, made)``, is taken for every row's."""
    return Mistake(
        name="no saturation",
        why="every poisoned row is thought to add as much as the first",
        against=(measure,),
        forecast=lambda params, made: {measure: planted(params, made)},
    )


def ridge_per_row(*against: str) -> Mistake:
    """The total ridge is multiplied by the rows once more."""
    return Mistake(
        name="ridge per row",
        why="the total ridge is taken for a ridge per row (ridge / n)",
        against=against,
        params=lambda params: {"ridge": params.n * params.ridge},
    )


def optimism_ignored(measure: str = "train_error", by: str = "test_error") -> Mistake:
    """The error on the training rows is taken for that on fresh ones."""
    return Mistake(
        name="optimism ignored",
        why="the training error is taken for the test error",
        against=(measure,),
        forecast=lambda params, made: {measure: getattr(made, by)},
    )


def proportional_limit(exact: str, limit: Callable[[Any], Any]) -> Mistake:
    """The deterministic equivalent, ``limit(made)``, is taken for the mean at finite size."""
    return Mistake(
        name="proportional limit",
        why="the limit n, p -> infinity used at finite size: n - p for n - p - 1",
        against=(exact,),
        forecast=lambda params, made: {exact: limit(made)},
    )
