"""A chain of stages, simulated: f and g of CI = g(D_down, f(D_up, M, A_up), A_down), any number.

A stage draws its rows from a task, lets biases befall them, shows them to a system, and adapts
what it inherits. The same key gives the same draws whatever the biases are, so that a chain with
a defect and the one without it differ by the defect alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._errors import BadInput
from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit.adapters import Adapter
from ci_theory.inherit.rows import Bias, Rows, befallen

Models = Float[Array, "k p"]


def as_they_are(inputs: Float[Array, "n d"], models: Models) -> Float[Array, "n p"]:
    """Show the inputs themselves to the weights: the system of a linear model."""
    return inputs


class Stage(NamedTuple):
    """One stage of a chain.

    Attributes:
        task: ``task(key) -> rows``, without defects.
        adapter: makes weights of rows and of inherited ones, see ``adapters``.
        biases: what befalls the rows, in order, see ``rows``.
        system: ``system(inputs, models) -> features``; the models so far may be part of it.
        anchor: coefficients of the models so far, in order, in what is inherited; the others
            have none, () is weights zero.
        labels: coefficients of the models so far in what is added to the clean labels.
    """

    task: Callable[[Key], Rows]
    adapter: Adapter
    biases: Sequence[Bias] = ()
    system: Callable[[Array, Models], Array] = as_they_are
    anchor: Sequence[float] = ()
    labels: Sequence[float] = ()

    def features(self, inputs: Float[Array, "n d"], models: Models) -> Float[Array, "n p"]:
        """Show inputs to the system, with the models that were there before the stage."""
        return self.system(inputs, models)


def run(key: Key, stages: Sequence[Stage], start: Models) -> Float[Array, "K p"]:
    """Run a chain.

    Args:
        key: of the run; stage i draws from its stream "stage i".
        stages: in order.
        start: models that are there before, (k, p); (0, p) for none.

    Returns:
        all models, those of the start first, (k + stages, p).

    Raises:
        TypeError: of JAX, for coefficients of more models than there are so far; ``harm`` says
            which.

    >>> import jax
    >>> from ci_theory.inherit import adapters, rows
    >>> def task(key):
    ...     return rows.linear(key, 20, jnp.ones(2), jnp.array([1.0, 2.0]))
    >>> up = Stage(task, adapters.probe(0.0))
    >>> down = Stage(task, adapters.taken_over(), anchor=(1.0,))
    >>> print(run(jax.random.key(0), [up, down], jnp.zeros((0, 2))).round(3))
    [[1. 2.]
     [1. 2.]]
    """
    models = start
    for place, stage in enumerate(stages):
        own = stream(key, f"stage {place}")
        rows = stage.task(own)
        if stage.labels:
            taught = stage.features(rows.inputs, models) @ _combined(stage.labels, models)
            rows = rows._replace(clean=rows.clean + taught)
        rows = befallen(own, rows, stage.biases)
        features = stage.features(rows.inputs, models)
        inherited = _combined(stage.anchor, models)
        made = stage.adapter(features, rows.labels, rows.weights, inherited)
        models = jnp.concatenate([models, made[None]])
    return models


def _combined(coefficients: Sequence[float], models: Models) -> Float[Array, " p"]:
    given = jnp.asarray(coefficients, models.dtype)
    return given @ models[: len(coefficients)]


class Harm(NamedTuple):
    """What a defect costs, on one test law [label²]; see ``harm``.

    Attributes:
        total: mean squared error with the defect less that without it.
        bias: the part that is inherited as bias: of the mean over the data.
        noise: the part that is inherited as noise: of what fluctuates about it.
    """

    total: Scalar
    bias: Scalar
    noise: Scalar


def harm(
    key: Key,
    defective: Sequence[Stage],
    clean: Sequence[Stage],
    start: Models,
    test: Callable[[Key], Rows],
) -> Harm:
    """Run a chain with and without a defect on common random numbers, and compare the last models.

    Two independent runs of each chain tell bias and noise apart without bias: the error of the
    mean model is the mean product of the errors of two.

    Args:
        key: of the run.
        defective: the chain with the defect.
        clean: the same chain without it.
        start: models that are there before, (k, p).
        test: ``test(key) -> rows`` of fresh inputs with clean labels, from any law.

    Raises:
        BadInput: a chain without a stage, or a coefficient of a model that is not there yet.
    """
    for name, stages in (("defective", defective), ("clean", clean)):
        _hold_together(name, stages, len(start))
    rows = test(stream(key, "test"))

    def errors(stages: Sequence[Stage]) -> tuple[Scalar, Scalar]:
        missed = []
        for name in ("first", "second"):
            models = run(stream(key, name), stages, start)
            features = stages[-1].features(rows.inputs, models[:-1])
            missed.append(features @ models[-1] - rows.clean)
        one, other = missed
        return jnp.mean(0.5 * (one**2 + other**2)), jnp.mean(one * other)

    wrong, right = errors(defective), errors(clean)
    total, bias = wrong[0] - right[0], wrong[1] - right[1]
    return Harm(total, bias, total - bias)


def _hold_together(name: str, stages: Sequence[Stage], before: int) -> None:
    """Refuse a chain that names a model that it does not have."""
    if not stages:
        raise BadInput(f"harm: {name}: no stage: expected one at least")
    for place, stage in enumerate(stages):
        known = before + place
        for what in ("anchor", "labels"):
            given = len(getattr(stage, what))
            if given > known:
                where = f"harm: {name}: stage {place}: {what}"
                raise BadInput(f"{where}: {given} coefficients, and {known} models so far")
