r"""How near a trained quadratic network is to the exact one that adds modulo p.

The exact network (``theory.discrete.modular_addition``) answers with waves of n + m - q alone,

.. math:: f_q(n, m) = \sum_k c_k \cos\frac{2\pi k (n + m - q)}{p},

all c_k equal for the logits of a one-hot vector; each of its neurons is one wave over n, over m and
over q, of one frequency, with the phases a, b and a + b. So there are two ways to be near it: as a
function, and neuron by neuron.

>>> exact = construction(quadratic.cyclic(11, range(1, 6)))
>>> print(f"{float(exact.scale):.6f} {float(exact.single):.6f} {float(exact.agreed):.6f}")
16.500000 1.000000 1.000000
>>> bool(exact.one_hot < 1e-12)
True
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Scalar
from ci_theory.measure import fourier
from ci_theory.systems import quadratic


class Construction(NamedTuple):
    """Distances of a network from exact ones; the mean of all logits is left out throughout.

    Attributes:
        waves: least distance of the logits from a sum of cosines of n + m - q, relative.
        one_hot: least distance from a multiple of one-hot logits, relative; >= ``waves``.
        scale: that multiple [logit].
        single: inverse participation ratio of the neurons' waves, mean over the three layers: 1
            for one wave each.
        agreed: share of the neurons' strength in neurons whose three strongest waves have one
            frequency. The strength of a neuron is the product of the three norms.
        phase: root mean square of a + b - c over these neurons, by strength [rad]; NaN if there
            is none.
    """

    waves: Scalar
    one_hot: Scalar
    scale: Scalar
    single: Scalar
    agreed: Scalar
    phase: Scalar


def construction(weights: quadratic.Weights) -> Construction:
    """Measure how near a network is to the exact ones, for an odd p.

    Args:
        weights: of the network, (p, N) each.

    Regime: exact: projections and angles, nothing is fitted.

    Source: the exact network is that of Gromov 2023 (arXiv:2301.02679) with phases that cancel
    (docs/discrete/modular_arithmetic.md); the distances are ours.
    """
    logits = quadratic.table(weights)
    logits = logits - jnp.mean(logits)
    p = len(logits)
    symbols = jnp.arange(p)
    place = (symbols[:, None, None] + symbols[None, :, None] - symbols[None, None, :]) % p
    profile = jnp.zeros(p).at[place.ravel()].add(logits.ravel()) / p**2
    even = (profile + profile[-symbols % p]) / 2  # cosines alone
    hot = jnp.where(symbols == 0, 1.0, 0.0) - 1 / p
    scale = (even @ hot) / (hot @ hot)
    size = jnp.linalg.norm(logits)
    parts = [jnp.fft.fft(layer, axis=0)[1 : (p + 1) // 2] for layer in weights]
    power = jnp.stack([jnp.abs(part) ** 2 for part in parts])  # (3, K, N)
    strength = jnp.sqrt(jnp.prod(jnp.sum(power, axis=1), axis=0))
    strongest = jnp.argmax(power, axis=1)
    same = (strongest[0] == strongest[2]) & (strongest[1] == strongest[2])
    at = strongest[2], jnp.arange(len(same))
    a, b, c = (jnp.angle(part[at]) for part in parts)
    beside = jnp.angle(jnp.exp(1j * (a + b - c)))
    agreed = jnp.sum(strength * same)
    return Construction(
        waves=jnp.linalg.norm(logits - even[place]) / size,
        one_hot=jnp.linalg.norm(logits - scale * hot[place]) / size,
        scale=scale,
        single=jnp.mean(jnp.stack([fourier.participation(layer) for layer in weights])),
        agreed=agreed / jnp.sum(strength),
        phase=jnp.sqrt(jnp.sum(strength * same * beside**2) / agreed),
    )
