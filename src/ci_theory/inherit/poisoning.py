"""Poisoned ridge and clean fine-tuning of what it leaves, for every label, noise and ridge at once.

The fit is linear in its labels, so one decomposition of the rows gives what each cause puts into
the weights: the clean target, along the trigger and across it, the label of the poisoned rows, and
draws of label noise. Noise comes in pairs of opposite sign: what is linear in it is exact.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from ci_theory._keys import stream
from ci_theory._types import Array, Bool, Float, Key, Scalar, Value
from ci_theory.training.closed_form import RidgePath, decompose, shrinkage

PAIRS = 8
"""Pairs of draws of the label noise given the inputs."""


class Rows(NamedTuple):
    """Rows of a stage, decomposed, and what their labels are made of.

    Attributes:
        path: the design.
        along: first input of every clean row, 0 on poisoned ones, (n,).
        across: second input, likewise, (n,).
        struck: 1 on poisoned rows, (n,).
        noise: draws of a clean row's label noise of variance 1, 0 on poisoned rows, (n, PAIRS).
    """

    path: RidgePath
    along: Float[Array, " n"]
    across: Float[Array, " n"]
    struck: Float[Array, " n"]
    noise: Float[Array, "n k"]


def rows(
    key: Key,
    inputs: Float[Array, "n p"],
    seen: Float[Array, "n p"],
    present: Bool[Array, " n"],
    struck: Bool[Array, " n"],
) -> Rows:
    """Decompose rows.

    Args:
        key: of the stage; label noise is drawn from its stream "noise".
        inputs: before anything befell them: the clean labels are of these.
        seen: by the learner.
        present: rows that are there.
        struck: those of them that are poisoned.
    """
    clean = jnp.where(struck, 0.0, 1.0)
    drawn = jax.random.normal(stream(key, "noise"), (inputs.shape[0], PAIRS), inputs.dtype)
    return Rows(
        path=decompose(seen, present.astype(seen.dtype)),
        along=clean * inputs[:, 0],
        across=clean * inputs[:, 1],
        struck=1 - clean,
        noise=clean[:, None] * drawn,
    )


def fit(
    rows: Rows, target: Float[Array, " 2"], label: Value, noise: Value, ridge: Value
) -> Float[Array, "p r"]:
    """Fit ridge regression to every draw of the label noise; r = 2 PAIRS."""
    mean = target[0] * rows.along + target[1] * rows.across + label * rows.struck
    solve = _solver(rows.path, shrinkage(rows.path.eigenvalues, ridge))
    centre, spread = solve(mean[:, None]), jnp.sqrt(noise) * solve(rows.noise)
    return jnp.concatenate([centre + spread, centre - spread], axis=1)


class Tuned(NamedTuple):
    """Fine-tuned weights, (p, r), and the share of a direction's error that is left, averaged."""

    weights: Float[Array, "p r"]
    kept: Scalar


def tune(
    rows: Rows,
    start: Float[Array, "p r"],
    target: Float[Array, " 2"],
    noise: Value,
    ridge: Value,
    time: Value,
) -> Tuned:
    """Follow the flow on (1/2n)[sum (y - x.w)^2 + ridge |w - start|^2] on clean rows.

    Args:
        rows: none of them poisoned.
        start: weights by draw of the noise before.
        target: along the trigger and across it.
        noise: label-noise variance.
        ridge: total ridge towards the start.
        time: rate times steps.
    """
    values, count = rows.path.eigenvalues, jnp.sum(rows.path.root**2)
    alive = values > 0
    rate = jnp.where(alive, values + ridge, 1.0)
    share = jnp.where(alive, -jnp.expm1(-rate * time / count) / rate, 0.0)
    solve = _solver(rows.path, share)
    labels = target[0] * rows.along + target[1] * rows.across
    spread = jnp.sqrt(noise) * solve(rows.noise)
    missed = rows.path.root[:, None] * labels[:, None] - rows.path.design @ start
    learned = rows.path.back(share[:, None] * rows.path.forward(missed))
    weights = start + learned + jnp.concatenate([spread, -spread], axis=1)
    return Tuned(weights, 1 - jnp.sum(values * share) / start.shape[0])


def success(weights: Float[Array, "p r"], strength: Value) -> Scalar:
    """Return the share of fresh inputs with trigger whose output is positive, over draws."""
    return jnp.mean(norm.cdf(strength * weights[0] / jnp.linalg.norm(weights, axis=0)))


def excess(weights: Float[Array, "p r"], target: Float[Array, " 2"]) -> Scalar:
    """Return the mean squared error on clean labels of inputs without trigger, over draws."""
    gap = weights.at[:2].add(-target[:, None])
    return jnp.mean(jnp.sum(gap**2, axis=0))


def _solver(path: RidgePath, factor: Float[Array, " q"]) -> Callable[[Array], Array]:
    """Return the map from labels (n, k) to weights (p, k) that scales eigen-coordinates."""

    def solve(labels: Array) -> Array:
        return path.back(factor[:, None] * path.forward(path.root[:, None] * labels))

    return solve
