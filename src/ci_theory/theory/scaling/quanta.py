r"""The quantisation model of scaling: skills of Zipf's frequencies, learnt one after the other.

Skill k is needed by a share p_k = k^-(1 + a)/zeta(1 + a) of the tasks and learnt in this order. A
model that holds N skills errs on the rest,

.. math:: L = \sum_{k>N} p_k \to \frac{N^{-a}}{a\,\zeta(1+a)},

and from D examples learns the skills that it needed often enough. Which power of D that gives is
the model's claim, D^(-a/(1+a)); by which factor depends on what "often enough" is.

Source: Michaud, Liu, Girit, Tegmark 2023 (arXiv:2303.13506). In the notation of ``zipf`` the
exponent is alpha = 1 + a.
"""

from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammaln

from ci_theory._types import Array, Float, Scalar, needs_float64
from ci_theory.theory.discrete.zipf import mass_seen
from ci_theory.theory.spectra.power_law import zeta

__all__ = ["capacity_limited", "data_limited", "data_limited_law", "threshold_law"]


@needs_float64
def capacity_limited(known: Any, exponent: Any) -> Scalar:
    """Share of tasks whose skill a model that holds N of them lacks, on an endless list.

        (N + 1/2)^-a / (a zeta(1 + a))

    Args:
        known: N, skills held; the model's size in units of what a skill takes.
        exponent: alpha = 1 + a, > 1.

    Regime: N -> infinity, relative error a (1 + a)/(24 N^2) (midpoint rule). Source: Michaud et
    al., arXiv:2303.13506, where N stands for N + 1/2.

    >>> print(f"{float(capacity_limited(1000.0, 1.4)):.6f}")
    0.050783
    """
    a = jnp.asarray(exponent, float) - 1
    return (known + 0.5) ** -a / (a * zeta(exponent))


@needs_float64
def data_limited(p: Float[Array, " V"], examples: Any, sightings: int) -> Scalar:
    """Share of tasks lacked where a skill is learnt once it was needed tau times in D examples.

        sum_k p_k P(Binomial(D, p_k) < tau)

    Args:
        p: frequencies, from ``zipf.frequencies``.
        examples: D.
        sightings: tau, >= 1; 1 is the learner of ``zipf``.

    Regime: exact. Source: derived here; the model of Michaud et al., arXiv:2303.13506.

    >>> from ci_theory.theory.discrete.zipf import frequencies
    >>> print(f"{float(data_limited(frequencies(100_000, 1.5), 10_000.0, 5)):.5f}")
    0.07953
    """
    return sum((mass_seen(p, examples, times) for times in range(sightings)), jnp.zeros(()))


@needs_float64
def data_limited_law(examples: Any, sightings: Any, exponent: Any) -> Scalar:
    """Law of ``data_limited`` on an endless list.

        C^(1/alpha)/a . D^-b . Gamma(tau + b)/Gamma(tau),   b = a/(1 + a),  C = 1/zeta(1 + a)

    Args:
        examples: D.
        sightings: tau, > 0.
        exponent: alpha = 1 + a, > 1.

    Regime: D -> infinity, relative error O(tau^2/D). Source: the power as in Michaud et al.,
    arXiv:2303.13506; the factor derived here, docs/discrete/zipf.md.

    >>> print(f"{float(data_limited_law(10_000.0, 5, 1.5)):.5f}")
    0.08183
    """
    tau = jnp.asarray(sightings, float)
    b = 1 - 1 / jnp.asarray(exponent, float)
    factor = jnp.exp(gammaln(tau + b) - gammaln(tau))
    return _scale(exponent) * jnp.asarray(examples, float) ** -b * factor


@needs_float64
def threshold_law(examples: Any, sightings: Any, exponent: Any) -> Scalar:
    """Law of the sharp threshold: a skill is learnt where its *mean* count D p_k reaches tau.

        C^(1/alpha)/a . (D/tau)^-b

    Arguments as ``data_limited_law``. Regime: large tau, where it tends to that law; at tau = 1 it
    is too high by 1/Gamma(1 + b). Source: Michaud et al., arXiv:2303.13506.

    >>> print(f"{float(threshold_law(10_000.0, 5, 1.5)):.5f}")
    0.08369
    """
    b = 1 - 1 / jnp.asarray(exponent, float)
    return _scale(exponent) * (jnp.asarray(examples, float) / sightings) ** -b


def _scale(exponent: Any) -> Scalar:
    alpha = jnp.asarray(exponent, float)
    return zeta(alpha) ** (-1 / alpha) / (alpha - 1)
