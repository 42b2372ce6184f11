r"""A reduced induction head: three nested logits, and what they lose. A reconstruction.

A sequence shows N items with their labels, each c times, and asks for the label of one of them, out
of L. A first head attends to the token before with share a, a second one to the labels that follow
the item asked for with share w in all, and the answer is read with strength xi:

.. math:: a = \frac{1}{1 + c N e^{-\beta_1}}, \quad w = \frac{1}{1 + (N-1)\, e^{-\beta_2 a}}, \quad
    \ell = \ln\Bigl(1 + (N-1)\, e^{\xi (w' - w)} + (L-N)\, e^{-\xi w}\Bigr), \quad
    w' = \frac{1-w}{N-1}

It is made from what is known of the reduced model of Reddy 2023 (three nested logits; a slow phase
first, in which one of the N labels present is picked at random; no learning for L = N). The paper's
equations were not at hand, so that its constants may differ.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = ["Questions", "answer_losses", "answer_shares", "found_share", "induction_loss"]


class Questions(NamedTuple):
    """What sequences hold and ask.

    Attributes:
        items: N, different items shown, >= 2.
        labels: L, answers that there are, >= N.
        noise: q in [0, 1): share of the answers that are drawn at random from all L.
        copies: c, how often each item is shown, >= 1.
        asked: share in (0, 1] of the sequences that ask for an item they show; of the others the
            answer is any of the L.
    """

    items: Scalar | float
    labels: Scalar | float
    noise: Scalar | float = 0.0
    copies: Scalar | float = 1.0
    asked: Scalar | float = 1.0


def found_share(logits: Float[Array, "3"], of: Questions) -> Scalar:
    """Return w, the attention on the labels of the item that is asked for.

    >>> print(f"{float(found_share(jnp.array([50.0, 2.0, 1.0]), Questions(4.0, 16.0))):.4f}")
    0.7112
    """
    before = 1 / (1 + of.copies * of.items * jnp.exp(-logits[0]))
    return 1 / (1 + (of.items - 1) * jnp.exp(-logits[1] * before))


@needs_float64
def answer_losses(logits: Float[Array, "3"], of: Questions) -> Float[Array, "5"]:
    r"""Cross-entropy of each kind of answer [nat].

    An item that is shown: the right label, one of the other N - 1 shown, one of the L - N that are
    not; an item that is not shown, to whose question attention is alike: one of the N labels
    shown, one of the others.

    .. math:: \ell,\ \ \ell + \xi (w - w'),\ \ \ell + \xi w;\qquad
        \ln\Bigl(N + (L-N)\, e^{-\xi/N}\Bigr),\ \ \text{the same} + \xi/N

    Regime: attention and read-out that nothing but these three logits moves.

    Source: reconstruction after Reddy 2023 (arXiv:2312.03002), not its own equations.

    >>> print(answer_losses(jnp.zeros(3), Questions(4.0, 16.0)).round(4))
    [2.7726 2.7726 2.7726 2.7726 2.7726]
    """
    found, n, absent = found_share(logits, of), of.items, of.labels - of.items
    other = (1 - found) / (n - 1)
    ahead, alike = logits[2] * (found - other), logits[2] / n
    right = jnp.log1p((n - 1) * jnp.exp(-ahead) + absent * jnp.exp(-logits[2] * found))
    lost = jnp.log(n + absent * jnp.exp(-alike))
    return jnp.stack([right, right + ahead, right + logits[2] * found, lost, lost + alike])


def answer_shares(of: Questions) -> Float[Array, "5"]:
    """Return how often each kind of answer of ``answer_losses`` is told.

    >>> print(answer_shares(Questions(4.0, 16.0, 0.2, 1.0, 0.5)))
    [0.40625 0.01875 0.075   0.125   0.375  ]
    """
    n, rest, chance = of.items, of.labels - of.items, of.noise / of.labels
    shown = of.asked * jnp.stack([1 - of.noise + chance, (n - 1) * chance, rest * chance])
    return jnp.concatenate([shown, (1 - of.asked) * jnp.stack([n, rest]) / of.labels])


@needs_float64
def induction_loss(logits: Float[Array, "3"], of: Questions) -> Scalar:
    r"""Mean cross-entropy in training [nat].

    .. math:: s \Bigl[\ell + q\, \xi\, \bigl(w - \tfrac1L\bigr)\Bigr]
        + (1 - s) \Bigl[\ln\Bigl(N e^{\xi/N} + L - N\Bigr) - \tfrac{\xi}{L}\Bigr]

    Args:
        logits: beta_1, beta_2, xi.
        of: N, L, q, c and s.

    Regime: as of ``answer_losses``.

    Limits: all 0: ln L; every answer right and asked for, xi -> infinity with no attention: ln N,
    all -> infinity: 0.

    Source: reconstruction after Reddy 2023 (arXiv:2312.03002), not its own equations.

    >>> print(f"{float(induction_loss(jnp.zeros(3), Questions(8.0, 32.0))):.4f}")
    3.4657
    """
    return answer_shares(of) @ answer_losses(logits, of)
