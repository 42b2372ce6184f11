"""Mistakes that many theories can make, each declared once: the decoys of several phenomena."""

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
