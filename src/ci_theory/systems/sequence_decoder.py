r"""A small decoder for sequences of tokens or of vectors: what all tasks in context are given to.

One or more blocks of causal attention, softmax or linear, with an MLP or without, tied embeddings
or not. Linear attention mixes the values of the t tokens up to the one that asks as

.. math:: \frac1t \sum_{s \le t} \frac{q_t \cdot k_s}{\sqrt w}\, v_s ,

which is what softmax attention does to first order in the scores, less the mean of the values. The
transformer of ``systems/transformer.py`` is the case of tokens n, m, '=' (tests/laws).

>>> shape = Shape(reads="tokens", inputs=5, outputs=5, d=8, heads=2, length=6)
>>> weights = jax.jit(init, static_argnums=1)(jax.random.key(0), shape)
>>> apply(weights, shape, jnp.array([[0, 3, 3, 1]])).shape
(1, 4, 5)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._errors import BadInput
from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value

ATTENTIONS = ("softmax", "linear")
READS = ("tokens", "vectors")
Weights = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """What fixes the arrays and the code.

    Attributes:
        reads: "tokens", whole numbers below ``inputs``, or "vectors" of so many entries.
        inputs: kinds of tokens, or entries of a vector.
        outputs: numbers in an answer.
        d: width of the residual stream; an MLP is 4d wide.
        heads: of the attention, each d/heads wide.
        layers: blocks.
        attention: "softmax" or "linear".
        mlp: whether a block has one.
        norm: whether a LayerNorm stands before attention, MLP and read-out.
        tied: whether the embeddings of tokens are what answers are read with.
        length: positions that have a learned vector each, the longest sequence; 0 is none.
    """

    reads: str
    inputs: int
    outputs: int
    d: int
    heads: int = 1
    layers: int = 1
    attention: str = "softmax"
    mlp: bool = False
    norm: bool = False
    tied: bool = False
    length: int = 0

    def __post_init__(self) -> None:
        if self.reads not in READS or self.attention not in ATTENTIONS:
            raise BadInput(
                f"reads = {self.reads!r}, attention = {self.attention!r}: "
                f"expected one of {', '.join(READS)}, and one of {', '.join(ATTENTIONS)}"
            )
        if min(self.inputs, self.outputs, self.d, self.heads, self.layers) < 1 or self.length < 0:
            raise BadInput(f"{self}: expected length >= 0, and the other sizes >= 1")
        if self.d % self.heads:
            raise BadInput(f"d = {self.d}: must be a multiple of heads = {self.heads}")
        if self.tied and (self.reads != "tokens" or self.inputs != self.outputs):
            raise BadInput("tied: must read tokens, and have as many outputs as inputs")

    @property
    def bilinear(self) -> bool:
        """Whether it is one layer of linear attention and nothing else that bends."""
        plain = not (self.mlp or self.norm or self.length)
        vectors = self.reads == "vectors"
        return self.attention == "linear" and self.layers == 1 and plain and vectors


def init(key: Key, shape: Shape, scale: Value = 1.0, dtype: Any = float) -> Weights:
    """Draw Gaussian weights: variance 1/(inputs) of a product, 1/d of an embedding.

    All times ``scale`` squared, except what starts at 0 (biases) or 1 (scales of LayerNorm).
    """
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    given = (
        jnp.zeros((1, 1), int)
        if shape.reads == "tokens"
        else jnp.zeros((1, 1, shape.inputs), dtype)
    )
    start = _layers(shape, dtype).init(stream(key, "weights"), given, 1)["params"]

    def scaled(path: tuple, w: Array) -> Array:
        return w if path[-1].key == "scale" else w * jnp.asarray(scale, dtype)

    return jax.tree_util.tree_map_with_path(scaled, start)


def apply(weights: Weights, shape: Shape, given: Array) -> Float[Array, "b t o"]:
    """Return the answer at every token, which has seen itself and what came before.

    Args:
        weights: of ``init``.
        shape: theirs.
        given: tokens (b, t), or vectors (b, t, inputs); t at most ``shape.length`` if that is > 0.

    Raises:
        BadInput: a longer sequence.
    """
    return _answers(weights, shape, given, given.shape[1])


def last(weights: Weights, shape: Shape, given: Array) -> Float[Array, "b o"]:
    """Return the answer at the last token: as ``apply``, without the last block of the others."""
    return _answers(weights, shape, given, 1)[:, 0]


def _answers(weights: Weights, shape: Shape, given: Array, asked: int) -> Array:
    if shape.length and given.shape[1] > shape.length:
        raise BadInput(
            f"a sequence of {given.shape[1]} tokens: expected at most length = {shape.length}"
        )
    dtype = jax.tree.leaves(weights)[0].dtype
    return _layers(shape, dtype).apply({"params": weights}, given, asked)


def _layers(shape: Shape, dtype: Any) -> Any:
    """Return the flax module. Its import takes a while, and most commands train no network."""
    from ci_theory.systems.sequence_layers import SequenceDecoder

    return SequenceDecoder(shape, dtype)
