r"""A decoder transformer on pairs of symbols: tokens n, m, '=', the answer read at the last one.

Weights are the nested dictionary of the flax layers in ``systems/decoder.py``. ``plain`` runs
these layers. ``apply`` and ``table`` compute the same numbers from the rows that differ: with
causal attention the first token sees only n, so it takes p values whatever the batch; before the
first block the second one takes p values and '=' one; in the last block only '=' asks. Values and
gradients are those of ``plain`` up to rounding (docs/discrete/modular_arithmetic.md).

>>> shape = Shape(p=5, d=8, heads=2)
>>> weights = jax.jit(init, static_argnums=1)(jax.random.key(0), shape)
>>> jax.jit(table, static_argnums=1)(weights, shape).shape
(5, 5, 5)
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import BadInput
from ci_theory._keys import stream
from ci_theory._types import Array, Float, Int, Key, Value
from ci_theory.systems.network import Network

Weights = dict[str, Any]
_TINY = 1e-6  # of flax's LayerNorm


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """What fixes the arrays and the code.

    Attributes:
        p: modulus; there are p + 1 tokens.
        d: width of the residual stream; the MLP is 4d wide.
        heads: of the attention, each d/heads wide.
        layers: blocks.
        norm: whether a LayerNorm stands before attention, MLP and read-out.
    """

    p: int
    d: int = 128
    heads: int = 4
    layers: int = 1
    norm: bool = False

    def __post_init__(self) -> None:
        if min(self.p - 1, self.d, self.heads, self.layers) < 1:
            raise BadInput(f"{self}: expected p >= 2, and the other sizes >= 1")
        if self.d % self.heads:
            raise BadInput(f"d = {self.d}: must be a multiple of heads = {self.heads}")


def init(key: Key, shape: Shape, scale: Value = 1.0, dtype: Any = float) -> Weights:
    """Draw Gaussian weights: variance 1/(inputs) of a product, 1/d of an embedding.

    All times ``scale`` squared, except what starts at 0 (biases) or 1 (scales of LayerNorm).
    """
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    start = _decoder(shape, dtype).init(stream(key, "weights"), jnp.zeros((1, 2), int))["params"]

    def scaled(path: tuple, w: Array) -> Array:
        return w if path[-1].key == "scale" else w * jnp.asarray(scale, dtype)

    return jax.tree_util.tree_map_with_path(scaled, start)


def plain(weights: Weights, shape: Shape, pairs: Int[Array, "b 2"]) -> Float[Array, "b p"]:
    """Return the logits of every answer, all layers at all tokens: the obvious way."""
    return _decoder(shape, weights["place"].dtype).apply({"params": weights}, pairs)


def apply(weights: Weights, shape: Shape, pairs: Int[Array, "b 2"]) -> Float[Array, "b p"]:
    """Return the logits of every answer; a batch of more than p questions shares its rows."""
    if len(pairs) <= shape.p:
        return _answers(weights, shape, (pairs[:, 0], pairs[:, 1]), (_same, _same, _same))
    each = jnp.arange(shape.p)
    at = (_found(pairs[:, 0]), _found(pairs[:, 1]), _same)
    return _answers(weights, shape, (each, each), at)


def table(weights: Weights, shape: Shape) -> Float[Array, "p p p"]:
    """Return the logits of all pairs: entry (n, m, q)."""
    each = jnp.arange(shape.p)
    at = (lambda v: v[:, None], lambda v: v[None], lambda v: v[None])
    return _answers(weights, shape, (each, each), at)


def network(shape: Shape) -> Network:
    """Return the network of a shape."""
    return Network(
        init=lambda key, scale: init(key, shape, scale),
        apply=lambda weights, pairs: apply(weights, shape, pairs),
        table=lambda weights: table(weights, shape),
        answers=lambda weights: weights["answer"]["kernel"].T,
    )


def parameters(shape: Shape) -> int:
    """Count the weights.

    >>> parameters(Shape(p=97, d=128, layers=2))
    419840
    """
    like = jax.eval_shape(lambda: init(jax.random.key(0), shape))
    return sum(w.size for w in jax.tree.leaves(like))


# --- rows that differ ---------------------------------------------------------------------------


class _Rows(NamedTuple):
    """What a token takes: ``at`` spreads its different values (r, ...) over the questions."""

    value: Array
    at: Callable[[Array], Array]


def _same(value: Array) -> Array:
    return value


def _found(tokens: Int[Array, " b"]) -> Callable[[Array], Array]:
    """Look rows up; by a product on accelerators, where adding up the gradients of rows is slow."""
    if jax.default_backend() == "cpu":
        return lambda value: value[tokens]

    def product(value: Array) -> Array:
        hot = jax.nn.one_hot(tokens, len(value), dtype=value.dtype)
        return (hot @ value.reshape(len(value), -1)).reshape(len(tokens), *value.shape[1:])

    return product


def _answers(weights: Weights, shape: Shape, tokens: tuple, at: tuple) -> Array:
    symbols, place = weights["embed"]["embedding"], weights["place"]
    ends = (*tokens, jnp.array([shape.p]))
    x = [_Rows(symbols[t] + place[j : j + 1], at[j]) for j, t in enumerate(ends)]
    for layer in range(shape.layers):
        block = weights[f"block_{layer}"]
        asking = (2,) if layer == shape.layers - 1 else (0, 1, 2)
        x = _block(block, shape, x, asking)
    answer = weights["answer"]["kernel"]
    return _each(lambda rows: _normed(weights, shape, "last", rows) @ answer, [x[-1].value])[0]


def _block(block: Weights, shape: Shape, x: list[_Rows], asking: tuple[int, ...]) -> list[_Rows]:
    """Return the rows of the tokens that ask; the first one sees only itself."""
    d, attention = shape.d, block["attention"]
    query, key, value, out = (
        attention[name]["kernel"].reshape(d, d) for name in ("query", "key", "value", "out")
    )

    seen = [rows.value for rows in x]
    if shape.norm:
        seen = _each(lambda rows: _normed(block, shape, "attention", rows), seen)
    both = _each(lambda rows: rows @ jnp.concatenate([key, value], axis=1), seen)
    keys = [_heads(kv[..., :d], rows, shape) for kv, rows in zip(both, x, strict=True)]
    values = [_heads(kv[..., d:], rows, shape) for kv, rows in zip(both, x, strict=True)]

    before, mixed, at = [], [], []
    if 0 in asking:
        before, mixed, at = [x[0].value], [both[0][..., d:]], [x[0].at]
    mixing = [j for j in asking if j > 0]
    queries = _each(lambda rows: rows @ query, [seen[j] for j in mixing])
    for j, asked in zip(mixing, queries, strict=True):
        found = _attended(_heads(asked, x[j], shape), keys[: j + 1], values[: j + 1])
        mixed.append(found.reshape(*found.shape[:-2], d))
        before.append(jnp.broadcast_to(x[j].at(x[j].value), mixed[-1].shape))
        at.append(_same)

    def rest(before: Array, mixed: Array) -> Array:
        now = before + mixed @ out
        normed = _normed(block, shape, "mlp", now)
        into, back = block["into"], block["back"]
        hidden = jax.nn.relu(normed @ into["kernel"] + into["bias"][None])
        return now + hidden @ back["kernel"].T + back["bias"][None]

    return [_Rows(*row) for row in zip(_each(rest, before, mixed), at, strict=True)]


def _each(work: Callable[..., Array], *lists: list[Array]) -> list[Array]:
    """Do row by row what is the same for all tokens: in one product, which is faster than a few."""
    stacked = (jnp.concatenate([v.reshape(-1, v.shape[-1]) for v in values]) for values in lists)
    made = work(*stacked)
    cuts = np.cumsum([v.size // v.shape[-1] for v in lists[0]])[:-1]
    parts = jnp.split(made, cuts)
    return [part.reshape(*v.shape[:-1], -1) for part, v in zip(parts, lists[0], strict=True)]


def _heads(made: Array, like: _Rows, shape: Shape) -> _Rows:
    return _Rows(made.reshape(*made.shape[:-1], shape.heads, -1), like.at)


def _attended(query: _Rows, keys: list[_Rows], values: list[_Rows]) -> Array:
    """Mix the values of the tokens seen: (..., heads, d/heads)."""
    scores = jnp.broadcast_arrays(*(_product(query, key) for key in keys))
    share = jax.nn.softmax(jnp.stack(scores, axis=-1) / math.sqrt(query.value.shape[-1]), axis=-1)
    mixed = [share[..., i, None] * rows.at(rows.value) for i, rows in enumerate(values)]
    return sum(mixed[1:], start=mixed[0])


def _product(query: _Rows, key: _Rows) -> Array:
    """Multiply queries and keys: before they are spread where one decides about both."""
    if query.at is key.at or query.value.shape[0] == 1:
        return key.at(jnp.sum(query.value * key.value, axis=-1))
    return jnp.sum(query.at(query.value) * key.at(key.value), axis=-1)


def _normed(weights: Weights, shape: Shape, name: str, rows: Float[Array, "r d"]) -> Array:
    if not shape.norm:
        return rows
    scale, bias = (weights[f"norm_{name}"][part][None] for part in ("scale", "bias"))
    from_mean = rows - jnp.mean(rows, axis=-1, keepdims=True)
    size = jnp.mean(from_mean**2, axis=-1, keepdims=True)
    return from_mean * jax.lax.rsqrt(size + _TINY) * scale + bias


def _decoder(shape: Shape, dtype: Any) -> Any:
    """Return the flax module. Its import takes a while, and most commands train no network."""
    from ci_theory.systems.decoder import Decoder

    return Decoder(shape, dtype)
