"""How far a network on modular arithmetic has become a sum of waves: Fourier progress measures.

What generalises in logits on addition modulo p is their part that depends on n + m - q alone: the
projection on cos and sin of 2 pi k (n + m - q)/p, and likewise for other operations of a cyclic
group (``tasks.modular.places``). Restricted logits keep the waves of the key frequencies only,
excluded ones lack just these (Nanda et al. 2023, arXiv:2301.05217).

>>> from ci_theory.systems import quadratic
>>> from ci_theory.tasks import modular
>>> weights = quadratic.cyclic(11, [3])
>>> logits = quadratic.apply(weights, jnp.asarray(modular.table("add", 11)[0]))
>>> waves = split(logits, *modular.places("add", 11))
>>> bool(jnp.allclose(waves.restricted, logits))
True
>>> print(f"{float(participation(weights.out)):.6f}")
1.000000
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._types import Array, Bool, Float, Scalar


class Waves(NamedTuple):
    """Logits split into the waves of the key frequencies and the rest.

    Attributes:
        restricted: mean and key waves only, (P, q).
        excluded: the logits without the key waves, (P, q).
        key: whether a frequency 1..G/2 is a key one, (K,).
        power: squared amplitude of each frequency's wave, (K,).
    """

    restricted: Float[Array, "P q"]
    excluded: Float[Array, "P q"]
    key: Bool[Array, " K"]
    power: Float[Array, " K"]


def split(logits: Float[Array, "P q"], place: np.ndarray, size: int, share: float = 0.9) -> Waves:
    """Split logits at the fewest frequencies that hold a share of the waves' power.

    Args:
        logits: of all questions.
        place: where on a circle each entry is, -1 for one that is on none, (P, q).
        size: points of the circle, G; with one point there are no waves.
        share: of the power, in (0, 1].
    """
    on = place.ravel() >= 0
    counts = np.maximum(np.bincount(place.ravel()[on], minlength=size), 1)
    totals = jax.ops.segment_sum(logits.ravel()[on], place.ravel()[on], num_segments=size)
    waves = jnp.fft.fft(totals / counts)
    power = jnp.abs(waves[1 : size // 2 + 1]) ** 2
    order = jnp.argsort(-power)
    before = jnp.cumsum(power[order]) - power[order]
    key = jnp.zeros(len(power), bool).at[order].set(before < share * jnp.sum(power))
    kept = jnp.zeros(size, bool).at[1 : size // 2 + 1].set(key)
    kept = kept | jnp.roll(kept[::-1], 1)  # both signs of a frequency
    profile = jnp.fft.ifft(jnp.where(kept, waves, 0.0)).real
    part = jnp.where(place >= 0, profile[np.maximum(place, 0)], 0.0)
    return Waves(jnp.mean(logits) + part, logits - part, key, power)


def participation(weights: Float[Array, "p N"]) -> Scalar:
    """Mean inverse participation ratio of the neurons: 1 if each is one wave, ~ 2/K if random.

    For a neuron whose weights over symbols have the shares s_k of their power at the K
    frequencies k > 0, it is the sum of s_k^2 (Gromov 2023, arXiv:2301.02679; Doshi et al. 2023,
    arXiv:2310.13061, who count the constant too). A neuron constant over symbols counts 0.
    """
    p = weights.shape[0]
    power = jnp.abs(jnp.fft.fft(weights, axis=0)[1 : (p + 1) // 2]) ** 2
    total = jnp.sum(power, axis=0, keepdims=True)
    rounding = (p * jnp.finfo(weights.dtype).eps) ** 2
    waves = total > rounding * jnp.sum(weights**2, axis=0, keepdims=True)
    shares = jnp.where(waves, power / jnp.where(waves, total, 1.0), 0.0)
    return jnp.mean(jnp.sum(shares**2, axis=0))
