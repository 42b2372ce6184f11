"""A network for pairs of symbols: what a training that does not care which one it is calls."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ci_theory._types import Array, Key


class Network(NamedTuple):
    """A network that answers pairs of symbols modulo p; its weights are any pytree.

    Attributes:
        init: ``init(key, scale) -> weights``.
        apply: ``apply(weights, pairs) -> logits``; pairs (b, 2), logits (b, p).
        table: ``table(weights) -> logits`` of all p^2 pairs, (p, p, p).
        answers: ``answers(weights)``: of the last layer, a row for each answer, (p, N).
    """

    init: Callable[[Key, Any], Any]
    apply: Callable[[Any, Array], Array]
    table: Callable[[Any], Array]
    answers: Callable[[Any], Array]
