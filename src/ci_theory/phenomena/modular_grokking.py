"""Grokking of modular arithmetic: training answers first, all others later, or never."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, static, traced
from ci_theory._types import Array, Float, Key
from ci_theory.biases.class_noise import corrupted
from ci_theory.biases.subset import subset
from ci_theory.locate.crossing import Crossing
from ci_theory.measure import fourier
from ci_theory.phenomena._base import Break, Phenomenon, measured
from ci_theory.systems import quadratic
from ci_theory.tasks import modular
from ci_theory.training import optimiser

LOSSES = {"squared": optimiser.squared_error, "entropy": optimiser.cross_entropy}
"""Losses by name: squared distance from the one-hot answer, cross-entropy."""


@record
class Params:
    """A quadratic network learns an operation modulo p from part of its table."""

    p: int = static(23, low=3, high=1000, unit="symbols", doc="modulus")
    operation: str = static("add", choices=tuple(modular.OPERATIONS), doc="what is to be learnt")
    width: int = static(128, low=1, high=10**6, unit="neurons", doc="hidden neurons")
    loss: str = static("squared", choices=tuple(LOSSES), doc="what training minimises")
    fraction: float = traced(
        0.6, above=0, high=1, unit="", doc="share of all questions that is trained on"
    )
    corrupted: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the training questions with a wrong answer"
    )
    repeated: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the training questions that is repeated"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that a repeated question counts")
    decay: float = traced(1.0, low=0, unit="1/rate", doc="weight decay of AdamW")
    rate: float = traced(0.01, above=0, unit="", doc="step size of AdamW")
    scale: float = traced(1.0, above=0, unit="", doc="scale of the initial weights")
    step: int = inner(500, low=0, unit="steps", doc="training steps, full batch")


@record
class Measures:
    """Of one network after a number of steps; against true answers unless said otherwise."""

    train_loss: Float[Array, " m"] = measured(
        unit="loss", doc="loss on the training questions as taught"
    )
    test_loss: Float[Array, " m"] = measured(unit="loss", doc="loss on all other questions")
    train_accuracy: Float[Array, " m"] = measured(
        unit="share", doc="training questions answered as taught"
    )
    test_accuracy: Float[Array, " m"] = measured(
        unit="share", doc="other questions answered rightly"
    )
    memorised: Float[Array, " m"] = measured(
        unit="share", doc="of the training questions: answered wrongly, as taught"
    )
    restored: Float[Array, " m"] = measured(
        unit="share", doc="of the training questions: answered rightly though taught wrongly"
    )
    restricted_loss: Float[Array, " m"] = measured(
        unit="loss", doc="loss on all questions of the key waves alone"
    )
    excluded_loss: Float[Array, " m"] = measured(
        unit="loss", doc="loss on the training questions without the key waves"
    )
    participation: Float[Array, " m"] = measured(
        unit="share", doc="inverse participation ratio of the output weights: 1 is one wave each"
    )
    weight_norm: Float[Array, " m"] = measured(unit="weight", doc="Euclidean norm of all weights")


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Train one network and measure it after every number of steps asked for."""
    questions, answers = modular.table(params.operation, params.p)
    place, size = modular.places(params.operation, params.p)
    pairs, right = jnp.asarray(questions), jnp.asarray(answers)

    there = modular.training(key, len(answers), jnp.asarray(params.fraction))
    taught = corrupted(key, right, params.p, there, jnp.asarray(params.corrupted))
    often = subset(stream(key, "repeated"), there, jnp.asarray(params.repeated))
    weights = jnp.where(often, params.repeats, 1) * there.astype(float)
    train, test = there.astype(float), 1.0 - there.astype(float)
    loss = LOSSES[params.loss]

    def objective(network: quadratic.Weights) -> Array:
        return loss(quadratic.apply(network, pairs), taught.labels, weights)

    def measure(network: quadratic.Weights) -> Measures:
        logits = quadratic.apply(network, pairs)
        waves = fourier.split(logits, place, size)
        answer = jnp.argmax(logits, axis=1)
        trained = jnp.sum(train)
        return Measures(
            train_loss=loss(logits, taught.labels, train),
            test_loss=loss(logits, right, test),
            train_accuracy=train @ (answer == taught.labels) / trained,
            test_accuracy=test @ (answer == right) / jnp.sum(test),
            memorised=jnp.sum(taught.wrong & (answer == taught.labels)) / trained,
            restored=jnp.sum(taught.wrong & (answer == right)) / trained,
            restricted_loss=loss(waves.restricted, right, jnp.ones_like(train)),
            excluded_loss=loss(waves.excluded, taught.labels, train),
            participation=fourier.participation(network.out),
            weight_norm=jnp.sqrt(sum(jnp.sum(w**2) for w in network)),
        )

    rule = optimiser.AdamW(rate=params.rate, decay=params.decay)
    network = quadratic.init(key, params.p, params.width, jnp.asarray(params.scale))
    return optimiser.train(objective, network, rule, jnp.asarray(params.step), measure).measures


def _rule(params: Any) -> str | None:
    try:
        questions = len(modular.table(params.operation, params.p)[1])
    except ValueError as problem:
        return str(problem)
    trained = round(params.fraction * questions)
    if not 0 < trained < questions:
        return (
            f"fraction = {params.fraction}: trains on {trained} of {questions} questions; "
            "expected at least 1, and 1 left to test"
        )
    return None


PHENOMENON = Phenomenon(
    name="modular_grokking",
    title="Grokking of modular arithmetic: when, and from how much data of what quality",
    claims=(11,),
    question="When does a network that has memorised its training answers find the rule?",
    model=(
        "Logits f_q(n, m) = sum_j W_qj (U_nj + V_mj)^2 on the p^2 questions of an operation "
        "modulo p, a share of which is trained on, full batch, by AdamW. Some training questions "
        "may be taught a wrong answer or count several times. Nothing is predicted: no "
        "closed form is known for the time of grokking. Breaks are measured."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    rule=_rule,
    predictions=(),
    breaks=(
        Break(
            name="grokking",
            axis="step",
            measure="test_accuracy",
            locator=Crossing(level=0.95, direction="up"),
        ),
        Break(
            name="memorisation",
            axis="step",
            measure="train_accuracy",
            locator=Crossing(level=0.95, direction="up"),
        ),
        Break(
            name="critical fraction",
            axis="fraction",
            measure="test_accuracy",
            locator=Crossing(level=0.5, direction="up"),
        ),
    ),
)
