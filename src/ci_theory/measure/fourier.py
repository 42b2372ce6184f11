"""How far a network on addition modulo p has become a sum of waves: Fourier progress measures.

Logits are a table over (n, m, q). What generalises is their part that depends on n + m - q alone:
the projection on cos and sin of 2 pi k (n + m - q)/p. Restricted logits keep the waves of the key
frequencies only, excluded ones lack just these (Nanda et al. 2023, arXiv:2301.05217).

>>> from ci_theory.systems import quadratic
>>> weights = quadratic.cyclic(11, [3])
>>> waves = split(quadratic.table(weights), share=0.9)
>>> bool(jnp.allclose(waves.restricted, quadratic.table(weights)))
True
>>> print(f"{float(participation(weights.out)):.6f}")
1.000000
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Bool, Float, Scalar


class Waves(NamedTuple):
    """Logits split into the waves of the key frequencies and the rest.

    Attributes:
        restricted: mean and key waves only, (p, p, p).
        excluded: the logits without the key waves, (p, p, p).
        key: whether a frequency 1..(p-1)/2 is a key one, (K,).
        power: squared amplitude of each frequency's wave, (K,).
    """

    restricted: Float[Array, "p p p"]
    excluded: Float[Array, "p p p"]
    key: Bool[Array, " K"]
    power: Float[Array, " K"]


def split(logits: Float[Array, "p p p"], share: float = 0.9) -> Waves:
    """Split logits at the fewest frequencies that hold a share of the waves' power.

    Args:
        logits: of all questions, entry (n, m, q); p is odd.
        share: of the power, in (0, 1].
    """
    p = logits.shape[0]
    n, m, q = jnp.ogrid[:p, :p, :p]
    place = (n + m - q) % p
    profile = jax.ops.segment_sum(logits.ravel(), place.ravel(), num_segments=p) / p**2
    waves = jnp.fft.fft(profile)
    power = jnp.abs(waves[1 : (p + 1) // 2]) ** 2
    order = jnp.argsort(-power)
    before = jnp.cumsum(power[order]) - power[order]
    key = jnp.zeros(len(power), bool).at[order].set(before < share * jnp.sum(power))
    kept = jnp.concatenate([jnp.zeros(1, bool), key, key[::-1]])  # both signs of a frequency
    part = jnp.fft.ifft(jnp.where(kept, waves, 0.0)).real[place]
    return Waves(jnp.mean(logits) + part, logits - part, key, power)


def participation(weights: Float[Array, "p N"]) -> Scalar:
    """Mean inverse participation ratio of the neurons: 1 if each is one wave, ~ 2/K if random.

    For a neuron whose weights over symbols have the shares s_k of their power at the K
    frequencies k > 0, it is the sum of s_k^2 (Gromov 2023, arXiv:2301.02679; Doshi et al. 2023,
    arXiv:2310.13061). A neuron that is constant over symbols counts 0.
    """
    p = weights.shape[0]
    power = jnp.abs(jnp.fft.fft(weights, axis=0)[1 : (p + 1) // 2]) ** 2
    total = jnp.sum(power, axis=0, keepdims=True)
    rounding = (p * jnp.finfo(weights.dtype).eps) ** 2
    waves = total > rounding * jnp.sum(weights**2, axis=0, keepdims=True)
    shares = jnp.where(waves, power / jnp.where(waves, total, 1.0), 0.0)
    return jnp.mean(jnp.sum(shares**2, axis=0))
