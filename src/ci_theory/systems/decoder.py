"""A decoder transformer for modular arithmetic, layer by layer in flax: tokens n, m, '='.

Only ``systems/transformer.py`` uses this file; its functions hide flax from everybody else.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from ci_theory._types import Array, Float, Int
from ci_theory.systems.transformer import Shape

_WIDE = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class Block(nn.Module):
    """Causal attention, then an MLP of width 4d, each added to what it reads."""

    shape: Shape
    precision: Any

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        """Return what the next block reads."""
        own = {"param_dtype": self.precision, "kernel_init": _WIDE}
        seen = _normed(self.shape, self.precision, "norm_attention", x)
        x = x + nn.MultiHeadDotProductAttention(
            self.shape.heads, use_bias=False, name="attention", **own
        )(seen, mask=nn.make_causal_mask(jnp.ones(x.shape[:2])))
        seen = _normed(self.shape, self.precision, "norm_mlp", x)
        hidden = nn.relu(nn.Dense(4 * self.shape.d, name="into", **own)(seen))
        return x + Back(self.shape.d, self.precision, name="back")(hidden)


class Back(nn.Module):
    """A dense layer with its kernel stored outputs first: the gradient of one with more inputs
    than outputs takes half the time that way (XLA on a CPU).
    """

    outputs: int
    precision: Any

    @nn.compact
    def __call__(self, x: Float[Array, "... i"]) -> Float[Array, "... o"]:
        """Return products plus bias."""
        start = nn.initializers.normal(x.shape[-1] ** -0.5)
        kernel = self.param("kernel", start, (self.outputs, x.shape[-1]), self.precision)
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,), self.precision)
        return x @ kernel.T + bias.reshape((1,) * (x.ndim - 1) + (-1,))


class Decoder(nn.Module):
    """Embeddings and learned positions, blocks, and the answers read at the last token."""

    shape: Shape
    precision: Any

    @nn.compact
    def __call__(self, pairs: Int[Array, "b 2"]) -> Float[Array, "b p"]:
        """Return the logits of every answer."""
        p, d = self.shape.p, self.shape.d
        tokens = jnp.concatenate([pairs, jnp.full((len(pairs), 1), p, pairs.dtype)], axis=1)
        start = nn.initializers.normal(d**-0.5)
        embed = nn.Embed(p + 1, d, embedding_init=start, param_dtype=self.precision, name="embed")
        place = self.param("place", start, (3, d), self.precision)
        x = embed(tokens) + place[None]
        for layer in range(self.shape.layers):
            x = Block(self.shape, self.precision, name=f"block_{layer}")(x)
        last = _normed(self.shape, self.precision, "norm_last", x[:, -1])
        answer = nn.Dense(
            p, use_bias=False, kernel_init=_WIDE, param_dtype=self.precision, name="answer"
        )
        return answer(last)


def _normed(shape: Shape, precision: Any, name: str, x: Array) -> Array:
    if not shape.norm:
        return x
    return nn.LayerNorm(param_dtype=precision, use_fast_variance=False, name=name)(x)
