r"""When an induction head appears: gradient flow of three nested logits. A reconstruction.

A sequence shows N items with their labels and asks for the label of one of them, out of L. A first
head attends to the token before with share a, a second one to the label that follows the queried
item with share w, and the answer is read with strength xi:

.. math:: a = \frac{1}{1 + N e^{-\beta_1}}, \quad w = \frac{1}{1 + (N-1)\, e^{-\beta_2 a}}, \quad
    \ell = \ln\Bigl(1 + (N-1)\, e^{\xi (w' - w)} + (L-N)\, e^{-\xi w}\Bigr), \quad
    w' = \frac{1-w}{N-1}

It is made from what is known of the reduced model of Reddy 2023 (three nested logits; a slow phase
first, in which one of the N labels present is picked at random; no learning for L = N). The paper's
equations were not at hand, so that its constants may differ.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64

__all__ = ["Onset", "induction_loss", "induction_onset"]

START = 0.01  # of each logit
TOLERANCE = 1e-11
MOST_STEPS = 20_000


class Onset(NamedTuple):
    """When the head is there.

    Attributes:
        time: of gradient flow at which the loss falls below half of ln N.
        logits: beta_1, beta_2, xi at that time, (3,).
        status: OK, NOT_CONVERGED if it takes more than ``MOST_STEPS``; OUT_OF_SCOPE for N < 2,
            L < N or a noise outside [0, 1).
    """

    time: Scalar
    logits: Float[Array, "3"]
    status: Int[Array, ""]


@needs_float64
def induction_loss(logits: Float[Array, "3"], items: Any, labels: Any, noise: Any = 0.0) -> Scalar:
    r"""Cross-entropy of the reduced model [nat].

    .. math:: \ell_q = \ell + q\, \xi\, (w - 1/L)

    Args:
        logits: beta_1, beta_2, xi.
        items: N, pairs shown, >= 2.
        labels: L, answers that there are, >= N.
        noise: q, share of the sequences whose answer is drawn at random from all L.

    Regime: attention and read-out that nothing but these three logits moves.

    Limits: all 0: ln L; xi -> infinity with no attention: ln N; all -> infinity: 0.

    Source: reconstruction after Reddy 2023 (arXiv:2312.03002), not its own equations.

    >>> print(f"{float(induction_loss(jnp.zeros(3), 8.0, 32.0)):.4f}")
    3.4657
    """
    items, labels = jnp.asarray(items, float), jnp.asarray(labels, float)
    before = 1 / (1 + items * jnp.exp(-logits[0]))
    found = 1 / (1 + (items - 1) * jnp.exp(-logits[1] * before))
    other = (1 - found) / (items - 1)
    shown = (items - 1) * jnp.exp(logits[2] * (other - found))
    clean = jnp.log1p(shown + (labels - items) * jnp.exp(-logits[2] * found))
    return clean + noise * logits[2] * (found - 1 / labels)


# The pair of orders 5 and 4 of Dormand and Prince 1980.
_WAYS = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


@needs_float64
@jax.jit
def induction_onset(items: Any, labels: Any, noise: Any = 0.0) -> Onset:
    r"""Solve the gradient flow from logits of ``START`` until the clean loss is below ln(N)/2.

    .. math:: \dot\beta_1 = -\partial \ell_q/\partial \beta_1, \quad \dots \quad
        \ell(t^*) = \tfrac12 \ln N

    Args:
        items: N, pairs shown, >= 2.
        labels: L, answers that there are, >= N.
        noise: q, share of wrong answers in training, in [0, 1).

    Regime: as of ``induction_loss``; step sizes are adapted to an error of ``TOLERANCE`` a step,
    and the time is bisected within the last one.

    Limits: L = N makes the origin a critical point: the onset then comes late, and from 0 never.
    Much noise leaves the loss above the level for ever: NOT_CONVERGED.

    Source: reconstruction after Reddy 2023 (arXiv:2312.03002), not its own equations.

    >>> made = induction_onset(8.0, 32.0)
    >>> print(f"{float(made.time):.2f}", int(made.status))
    48.46 0
    """
    items, labels = jnp.asarray(items, float), jnp.asarray(labels, float)
    noise = jnp.asarray(noise, float)
    inside = (items >= 2) & (labels >= items) & (noise >= 0) & (noise < 1)
    n, k = jnp.where(inside, items, 2.0), jnp.where(inside, labels, 2.0)
    level = jnp.log(n) / 2
    slope, share = jax.grad(induction_loss), jnp.where(inside, noise, 0.0)

    def stepped(at: Array, size: Scalar) -> tuple[Array, Scalar]:
        slopes = [-slope(at, n, k, share)]
        for way in _WAYS:
            moved = at + size * sum(c * s for c, s in zip(way, slopes, strict=True))
            slopes.append(-slope(moved, n, k, share))
        off = size * sum(c * s for c, s in zip(_ERROR, slopes, strict=True))
        return moved, jnp.max(jnp.abs(off))

    def before(state: tuple) -> Array:
        _, _, _, count, there = state
        return ~there & (count < MOST_STEPS)

    def advance(state: tuple) -> tuple:
        time, at, size, count, _ = state
        moved, off = stepped(at, size)
        good = off <= TOLERANCE
        there = good & (induction_loss(moved, n, k) < level)
        on = good & ~there
        factor = jnp.clip(0.9 * (TOLERANCE / jnp.maximum(off, 1e-300)) ** 0.2, 0.2, 5.0)
        return (
            jnp.where(on, time + size, time),
            jnp.where(on, moved, at),
            jnp.where(there, size, size * factor),
            count + 1,
            there,
        )

    begin = (jnp.zeros(()), jnp.full(3, START), jnp.asarray(1e-3), 0, jnp.asarray(False))
    time, at, size, _, there = lax.while_loop(before, advance, begin)

    def halved(_: Array, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = (low + high) / 2
        above = induction_loss(stepped(at, middle)[0], n, k) >= level
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    last = lax.fori_loop(0, 60, halved, (jnp.zeros(()), size))[1]
    good = inside & there
    status = jnp.where(there, Status.OK, Status.NOT_CONVERGED)
    return Onset(
        time=jnp.where(good, time + last, jnp.nan),
        logits=jnp.where(good, stepped(at, last)[0], jnp.nan),
        status=jnp.where(inside, status, Status.OUT_OF_SCOPE).astype(int),
    )
