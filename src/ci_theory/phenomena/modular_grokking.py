"""Grokking of modular arithmetic: training answers first, all others later, or never."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import inner, record, static, traced
from ci_theory._types import Array, Float, Int, Key
from ci_theory.biases.class_noise import ClassNoise, Taught
from ci_theory.biases.oversampling import Oversampling
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.survival import Survival
from ci_theory.measure import fourier
from ci_theory.phenomena import _training
from ci_theory.phenomena._base import Break, Phenomenon, measured
from ci_theory.systems import quadratic, transformer
from ci_theory.systems.network import Network
from ci_theory.tasks import modular
from ci_theory.training import optimiser
from ci_theory.training.batches import Batch, drawn

LOSSES = {"squared": optimiser.squared_error, "entropy": optimiser.cross_entropy}
"""Losses by name: squared distance from the one-hot answer, cross-entropy."""

NETWORKS: dict[str, Callable[[Any], Network]] = {
    "quadratic": lambda params: quadratic.network(params.p, params.width),
    "transformer": lambda params: transformer.network(
        transformer.Shape(
            p=params.p, d=params.d, heads=params.heads, layers=params.layers, norm=params.norm
        )
    ),
}
"""Networks by name, of the parameters that shape them."""


@record
class Params(ClassNoise, Oversampling):
    """A network learns an operation modulo p from part of its table."""

    p: int = static(23, low=3, high=1000, unit="symbols", doc="modulus")
    operation: str = static("add", choices=tuple(modular.OPERATIONS), doc="what is to be learnt")
    network: str = static("quadratic", choices=tuple(NETWORKS), doc="what learns")
    width: int = static(
        128, low=1, high=10**6, unit="neurons", doc="hidden neurons of the quadratic network"
    )
    d: int = static(48, low=1, high=10**5, unit="", doc="residual width of the transformer")
    heads: int = static(4, low=1, high=1000, unit="", doc="attention heads of the transformer")
    layers: int = static(1, low=1, high=100, unit="", doc="blocks of the transformer")
    norm: bool = static(False, doc="whether the transformer has LayerNorms")
    loss: str = static("squared", choices=tuple(LOSSES), doc="what training minimises")
    batch: int = static(
        0, low=0, high=10**6, unit="questions", doc="training questions a step; 0 is all"
    )
    precision: str = static("float64", choices=("float32", "float64"), doc="of the training")
    fraction: float = traced(
        0.6, above=0, high=1, unit="", doc="share of all questions that is trained on"
    )
    decay: float = traced(1.0, low=0, unit="1/rate", doc="weight decay of AdamW")
    rate: float = traced(0.01, above=0, unit="", doc="step size of AdamW")
    warm_up: int = traced(0, low=0, unit="steps", doc="steps over which the step size grows")
    scale: float = traced(1.0, above=0, unit="", doc="scale of the initial weights")
    step: int = inner(500, low=0, unit="steps", doc="training steps")


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
    inverted: Float[Array, " m"] = measured(
        unit="share", doc="of the questions taught wrongly: answered rightly"
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


class World(NamedTuple):
    """What one network is trained and tested on; arrays over all P questions.

    Attributes:
        pairs: the questions, (P, 2).
        right: their answers.
        taught: the answers taught, and whether they are wrong.
        copies: of each question in the training set.
        train: 1 for a training question, else 0.
    """

    pairs: Int[Array, "P 2"]
    right: Int[Array, " P"]
    taught: Taught
    copies: Float[Array, " P"]
    train: Float[Array, " P"]


def questions(key: Key, params: Params) -> World:
    """Choose what is trained on, how often, and what is taught."""
    pairs, answers = modular.table(params.operation, params.p)
    right, kind = jnp.asarray(answers), jnp.dtype(params.precision)
    there = modular.training(key, len(answers), jnp.asarray(params.fraction))
    taught = params.taught(key, right, params.p, there)
    weights = params.copies(key, there)
    return World(jnp.asarray(pairs), right, taught, weights.astype(kind), there.astype(kind))


def course(key: Key, params: Params) -> optimiser.Course:
    """Minimise the loss on what is taught, and measure it against what is right."""
    pairs, right, taught, copies, train = questions(key, params)
    place, size = modular.places(params.operation, params.p)
    test, net, loss = 1 - train, NETWORKS[params.network](params), LOSSES[params.loss]

    def every(weights: Any) -> Array:
        if len(pairs) < params.p**2:
            return net.apply(weights, pairs)
        return net.table(weights).reshape(len(pairs), params.p)  # in the order of the questions

    def objective(weights: Any, batch: Batch | None = None) -> Array:
        if batch is None:
            return loss(every(weights), taught.labels, copies)
        rows, used = batch
        logits = net.apply(weights, pairs[rows])
        return loss(logits, taught.labels[rows], copies[rows] * used.astype(copies.dtype))

    def measure(weights: Any) -> Measures:
        logits = every(weights)
        waves = fourier.split(logits, place, size)
        answer = jnp.argmax(logits, axis=1)
        trained, wrong = jnp.sum(train), jnp.sum(taught.wrong)
        restored = jnp.sum(taught.wrong & (answer == right))
        return Measures(
            train_loss=loss(logits, taught.labels, train),
            test_loss=loss(logits, right, test),
            train_accuracy=train @ (answer == taught.labels) / trained,
            test_accuracy=test @ (answer == right) / jnp.sum(test),
            memorised=jnp.sum(taught.wrong & (answer == taught.labels)) / trained,
            restored=restored / trained,
            inverted=restored / jnp.maximum(wrong, 1),
            restricted_loss=loss(waves.restricted, right, jnp.ones_like(train)),
            excluded_loss=loss(waves.excluded, taught.labels, train),
            participation=fourier.participation(net.answers(weights)),
            weight_norm=jnp.sqrt(sum(jnp.sum(w**2) for w in jax.tree.leaves(weights))),
        )

    return optimiser.Course(
        loss=objective,
        rule=optimiser.AdamW(rate=params.rate, decay=params.decay, warm_up=params.warm_up),
        steps=jnp.asarray(params.step),
        measure=measure,
        draw=drawn(key, train > 0, params.batch) if params.batch else None,
    )


def init(key: Key, params: Params) -> Any:
    """Draw the initial weights, in the precision of the training."""
    weights = NETWORKS[params.network](params).init(key, jnp.asarray(params.scale))
    return jax.tree.map(lambda w: w.astype(params.precision), weights)


STAGES = _training.stages("step", course, init)


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Train one network and measure it after every number of steps asked for."""
    return STAGES.whole(key, params, capacity)


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
    if params.network == "transformer" and params.d % params.heads:
        return f"d = {params.d}: must be a multiple of heads = {params.heads}"
    return None


PHENOMENON = Phenomenon(
    name="modular_grokking",
    title="Grokking of modular arithmetic: when, and from how much data of what quality",
    claims=(11,),
    question="When does a network that has memorised its training answers find the rule?",
    model=(
        "A network answers the p^2 questions of an operation modulo p: quadratic, f_q(n, m) = "
        "sum_j W_qj (U_nj + V_mj)^2, or a decoder transformer on n, m, '='. A share of the "
        "questions is trained on by AdamW, full batch or in mini-batches. Some may be taught a "
        "wrong answer or count several times. Nothing is predicted: no closed form is known for "
        "the time of grokking. Breaks are measured."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    stages=STAGES,
    rule=_rule,
    predictions=(),
    breaks=(
        Break(
            name="grokking",
            axis="step",
            measure="test_accuracy",
            locator=Survival(level=0.95),
        ),
        Break(
            name="memorisation",
            axis="step",
            measure="train_accuracy",
            locator=Survival(level=0.95),
        ),
        Break(
            name="critical fraction",
            axis="fraction",
            measure="test_accuracy",
            locator=Crossing(level=0.5, direction="up"),
        ),
        Break(
            name="the rule appears",
            axis="decay",
            measure="test_accuracy",
            last=("step",),
            locator=Crossing(level=0.9, direction="up", log_axis=None),
        ),
        Break(
            name="inversion",
            axis="decay",
            measure="inverted",
            last=("step",),
            locator=Crossing(level=0.5, direction="up", log_axis=None),
        ),
        Break(
            name="collapse",
            axis="decay",
            measure="train_accuracy",
            last=("step",),
            locator=Crossing(level=0.5, direction="down", log_axis=None),
        ),
    ),
)
