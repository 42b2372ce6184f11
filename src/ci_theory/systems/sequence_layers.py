"""A small decoder for sequences, layer by layer in flax: tokens or vectors in, an answer to each.

Only ``systems/sequence_decoder.py`` uses this file; its functions hide flax from everybody else.
"""

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from ci_theory._types import Array, Float
from ci_theory.systems.decoder import Back
from ci_theory.systems.sequence_decoder import Shape

_WIDE = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class Attention(nn.Module):
    """Queries of some tokens mix the values of those up to each: the last ones of a sequence."""

    shape: Shape
    precision: Any

    @nn.compact
    def __call__(self, asking: Float[Array, "b q d"], seen: Float[Array, "b t d"]) -> Array:
        """Return what every query finds, (b, q, d)."""
        heads, width = self.shape.heads, self.shape.d // self.shape.heads
        own = {"use_bias": False, "param_dtype": self.precision, "kernel_init": _WIDE}
        query, key, value = (
            nn.DenseGeneral((heads, width), name=name, **own)(read)
            for name, read in (("query", asking), ("key", seen), ("value", seen))
        )
        there = jnp.tril(jnp.ones((seen.shape[1],) * 2, bool))[-asking.shape[1] :][None, None]
        if self.shape.attention == "softmax":
            found = nn.dot_product_attention(query, key, value, mask=there)
        else:
            scores = jnp.einsum("bqhw,bkhw->bhqk", query, key) / math.sqrt(width)
            shares = jnp.where(there, scores / jnp.sum(there, axis=-1, keepdims=True), 0.0)
            found = jnp.einsum("bhqk,bkhw->bqhw", shares, value)
        return nn.DenseGeneral(self.shape.d, axis=(-2, -1), name="out", **own)(found)


class Block(nn.Module):
    """Causal attention, then an MLP of width 4d if asked for, each added to what it reads."""

    shape: Shape
    precision: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], last: int) -> Float[Array, "b q d"]:
        """Return what the next block reads, of the last so many tokens."""
        d, now = self.shape.d, x[:, -last:]
        seen = _normed(self.shape, self.precision, "norm_attention", x)
        now = now + Attention(self.shape, self.precision, name="attention")(seen[:, -last:], seen)
        if not self.shape.mlp:
            return now
        seen = _normed(self.shape, self.precision, "norm_mlp", now)
        own = {"param_dtype": self.precision, "kernel_init": _WIDE}
        hidden = nn.relu(nn.Dense(4 * d, name="into", **own)(seen))
        return now + Back(d, self.precision, name="back")(hidden)


class SequenceDecoder(nn.Module):
    """What is read in, with learned positions if there are any, blocks, and what is read out."""

    shape: Shape
    precision: Any

    @nn.compact
    def __call__(self, given: Array, last: int) -> Float[Array, "b q o"]:
        """Return the answers at the last so many tokens; given (b, t), or vectors (b, t, i)."""
        shape, d = self.shape, self.shape.d
        own = {"param_dtype": self.precision, "use_bias": False, "kernel_init": _WIDE}
        start = nn.initializers.normal(d**-0.5)
        if shape.reads == "tokens":
            embed = nn.Embed(
                shape.inputs, d, embedding_init=start, param_dtype=self.precision, name="embed"
            )
            x = embed(given)
        else:
            x = nn.Dense(d, name="read", **own)(given)
        if shape.length:
            place = self.param("place", start, (shape.length, d), self.precision)
            x = x + place[None, : x.shape[1]]
        for layer in range(shape.layers):
            asked = last if layer == shape.layers - 1 else x.shape[1]
            x = Block(shape, self.precision, name=f"block_{layer}")(x, asked)
        x = _normed(shape, self.precision, "norm_last", x)
        return embed.attend(x) if shape.tied else nn.Dense(shape.outputs, name="answer", **own)(x)


def _normed(shape: Shape, precision: Any, name: str, x: Array) -> Array:
    if not shape.norm:
        return x
    return nn.LayerNorm(param_dtype=precision, use_fast_variance=False, name=name)(x)
