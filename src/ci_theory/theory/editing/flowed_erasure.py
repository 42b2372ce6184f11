r"""An alignment undone in training time: the mean response of a flow that is stopped.

On n rows x = s u + z the second moment of the inputs has a spike s^2 along u. The flow keeps
exp(-x t) of each of its modes, and u is spread over these by the law

.. math::
    \nu(dx) = \frac{(1 + l)\,\gamma}{(1 + l)(l + \gamma) - l x}\,F(dx), \qquad l = s^2,\;
    \gamma = d/n,

F the Marchenko-Pastur law, with the weight (1 - gamma/l^2)/(1 + gamma/l) beside it at
(1 + l)(1 + gamma/l) if l^2 > gamma. How the response fluctuates in time is not known to us.
"""

import jax.numpy as jnp

from ci_theory._types import Number, Scalar, needs_float64
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.marchenko_pastur import eigenvalue_law

__all__ = ["flowed_response"]


@needs_float64
def flowed_response(
    time: Number, d: Number, n: Number, strength: Number, label: Number, base: Number
) -> Scalar:
    r"""Mean response along u after gradient flow on n rows s u + z that are labelled -c.

    .. math:: W(t) = A\,N(t) - \frac{c s}{1 + s^2}\,[1 - N(t)], \qquad N(t) = \int e^{-xt}\nu(dx)

    Args:
        time: t of the flow on (1/2n) sum (y - x.w)^2, rate times steps, >= 0.
        d: dimension of the inputs.
        n: rows.
        strength: s, their common component; z has variance 1.
        label: c, minus their label.
        base: A, response of the base along u.

    Regime: limit n, d -> infinity at fixed s, relative corrections of order 1/n. Limits: time 0:
    A; t -> infinity: ``erasure.erasing_rows``'s law without a ridge,
    (kappa A - s c)/(kappa + 1 + s^2), kappa = max(d/n - 1, 0); no component: A times
    ``marchenko_pastur.survival``.

    Source: derived here (docs/editing/alignment_erasure.md); outlier: Benaych-Georges, Nadakuditi
    2011 (from memory).

    >>> for time in (0.0, 0.1, 1.0, 1e9):
    ...     print(f"{float(flowed_response(time, 200, 100, 2.0, 1.0, 0.5)):.4f}")
    0.5000
    0.1754
    -0.2034
    -0.2500
    """
    time, s, c, start = (jnp.asarray(v, float) for v in (time, strength, label, base))
    gamma, spike = counted(d) / counted(n), s**2
    law, root = eigenvalue_law(gamma), jnp.sqrt(gamma)
    room = (spike - root) ** 2 + spike * (4 * root - law.above_edge)  # without cancellation
    bulk = law.weights * (1 + spike) * gamma / room
    apart = spike > root
    safe = jnp.where(apart, spike, root + 1)
    outlier = jnp.where(apart, (1 - gamma / safe**2) / (1 + gamma / safe), 0.0)
    left = jnp.sum(bulk * jnp.exp(-law.eigenvalues * time))
    left = left + outlier * jnp.exp(-(1 + safe) * (1 + gamma / safe) * time)
    left = left + jnp.maximum(gamma - 1, 0.0) / (gamma + spike)
    return start * left - c * s / (1 + spike) * (1 - left)
