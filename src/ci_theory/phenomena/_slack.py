r"""Finite-size slack of ridge regression on Gaussian rows, from the next order of its equations.

Every error that is linear or quadratic in the residuals is a second derivative of
:math:`F = \mathrm E \log\det(X'CX + M)` with respect to the weights C and the penalty M. To
leading order F gives the deterministic equivalents; the next term, of relative order 1/size, is

.. math:: F_1 = \tfrac12 \log(1 - \gamma), \qquad \gamma = \mathrm{df}_2 \sum_i a_i^2

so the deviation of a mean from its prediction is known to first order. It is bounded here in the
simplest terms that cover it; docs/finite_size.md has the derivation, and tests/stats/test_slack.py
takes the derivatives at random points and compares them with these bounds.

Symbols: ``free`` = effective rows - df2 (no unit); ``learned`` t = df2/df1 in [0, 1], df1/p of an
isotropic covariance; ``held`` h = leverage of a row in [0, 1]; p parameters. ``noise`` and
``signal`` are the parts of an error made by label noise and by the target [label²].
"""

import jax.numpy as jnp

from ci_theory._types import Array, Scalar
from ci_theory.phenomena._base import Bound

FEWEST_FREE = 10.0
"""Below this ``free`` the means are too heavy-tailed for a normal error bar."""

FEWEST_PARAMETERS = 10.0
"""Below this the leverage of repeated rows is no longer nearly the same for all of them."""


def per(free: Scalar) -> Scalar:
    """Return 1 / (free - 4): 1 / free with the orders beyond.

    The worst exact case, the squared bias of almost ridgeless isotropic least squares, deviates
    by the factor f^2 / ((f - 1)(f - 3)) with f = n - p: relatively by 4 / (f - 3.25) or less.

    >>> f = jnp.array(11.0)
    >>> float(f**2 / ((f - 1) * (f - 3)) - 1) < 4 * float(per(f))
    True
    """
    return 1 / jnp.maximum(free - 4, 1.0)


def excess(
    noise: Scalar, signal: Scalar, learned: Scalar, free: Scalar, spread: Scalar | float = 0.0
) -> Scalar:
    """Bound the deviation of an excess risk.

    The part made by label noise deviates by -1/3 to 1 of itself per ``free``, that of the target
    by 0 to 0.1 + 3.9 t²: by 4 where nearly everything is learned and little is forgotten.

    Args:
        noise: part of the excess risk due to label noise.
        signal: the rest of it.
        learned: t.
        free: rows left to average over.
        spread: h / p of the heaviest rows if weights differ and copies share their label: half
            of it is added for the label noise, whose share between groups then fluctuates.
    """
    room = per(free)
    return noise * (room + spread / 2) + signal * signal_factor(learned) * room


def signal_factor(learned: Scalar) -> Scalar:
    """Bound the relative deviation of the target's part of an excess risk, per 1 / free.

    >>> float(signal_factor(jnp.array(0.0))), float(signal_factor(jnp.array(1.0)))
    (0.1, 4.0)
    """
    return 0.1 + 3.9 * learned**2


def residual(noise: Scalar, signal: Scalar, gamma: Scalar, free: Scalar) -> Scalar:
    """Bound the deviation of the mean squared residual of equally weighted rows.

    The target's part deviates like the label noise's part of the excess risk (they are dual), the
    label noise's part by 0 to 4 gamma, gamma = df2 / n.
    """
    return (signal + 4 * gamma * noise) * per(free)


def copies_residual(
    noise: Scalar, signal: Scalar, learned: Scalar, free: Scalar, p: Scalar
) -> Scalar:
    """Bound the same for a mean over the copies of rows that are repeated unequally.

    Args:
        noise: the part due to label noise, each row's times its leverage h.
        signal: the part due to the target.
        learned: t, so that h t stands for gamma.
        free: rows left to average over.
        p: parameters.
    """
    room = per(free)
    return signal * room + noise * learned * (4 * room + 2 / p)


def row_residual(noise: Scalar, signal: Scalar, held: Scalar, free: Scalar, p: Scalar) -> Scalar:
    """Bound the same for the rows of the heaviest group alone: their leverages differ by 1 / p."""
    room = per(free)
    return signal * (room + held / p) + noise * held**2 * (4 * room + 3 / p)


def leverage(held: Scalar, free: Scalar, p: Scalar) -> Scalar:
    """Bound the deviation of the mean leverage of the heaviest rows."""
    return held * (1 - held) * (per(free) + 1 / p)


def next_order(shifts: tuple[Scalar, ...], parts: tuple[Scalar, ...], room: Scalar) -> Scalar:
    """Bound the deviation of an error whose next order is computed, not bounded.

    A quarter more than the next order of every part, and for the orders beyond twice the square
    of its relative size (the worst exact case, 4/f with 13/f^2 beyond, needs 0.8) and 4 / free^2
    where the next order happens to vanish.

    Args:
        shifts: the next order of each part.
        parts: the parts, >= 0.
        room: 1 / free; with random features that of the rows plus that of the features.
    """
    total = jnp.zeros(())
    for shift, part in zip(shifts, parts, strict=True):
        there = part > 0
        square = jnp.where(there, shift**2 / jnp.where(there, part, 1.0), 0.0)
        total = total + 1.25 * jnp.abs(shift) + 2 * square + 4 * room**2 * part
    return total


def tuning(shifts: Array, noise: Scalar, free: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Bound what fine-tuning keeps of an error, of its square, and the noise that it adds.

    The values have their next order: 0.15 of it, and the order beyond (docs/finite_size.md).

    Args:
        shifts: next orders of the three, (3,): of ``poisoning.clean_tuning``.
        noise: what it adds.
        free: rows left to average over.

    >>> parts = tuning(jnp.array([0.1, -0.2, 0.4]), jnp.array(2.0), jnp.array(14.0))
    >>> print([f"{float(part):.3f}" for part in parts])  # 0.015, 0.03 and 0.06, and what is beyond
    ['0.020', '0.035', '0.100']
    """
    more, room = 0.15 * jnp.abs(shifts), per(free) ** 2
    return more[0] + room / 2, more[1] + room / 2, more[2] + 2 * noise * room


def change(shifts: Array, parts: Array, rooms: Array) -> Scalar:
    """Bound the deviation of one error less another, both with their next order computed.

    Their next orders are subtracted; what is beyond them is in proportion to what the parts, the
    shifts and the rooms differ by: nothing deviates where the two are the same.

    Args:
        shifts: the next order of each part of both errors, (2, k).
        parts: the parts, >= 0, (2, k).
        rooms: 1 / free of both, (2,).

    >>> shifts, parts = jnp.array([[0.02], [0.01]]), jnp.array([[1.0], [0.9]])
    >>> print(f"{float(change(shifts, parts, jnp.array([0.02, 0.02]))):.4f}")
    0.0144
    >>> print(f"{float(change(shifts[:1], parts[:1], jnp.array([0.02]))):.4f}")
    0.0000
    """
    pace = jnp.abs(shifts[0]) / jnp.where(parts[0] > 0, parts[0], 1.0) + rooms[0]
    moved, grown = (jnp.abs(both[0] - both[-1]) for both in (shifts, parts))
    wider = jnp.abs(rooms[0] ** 2 - rooms[-1] ** 2) * parts[-1]
    return jnp.sum((1.25 + 4 * pace) * moved + 4 * pace * rooms[0] * grown + 4 * wider)


def computed(
    shifts: tuple[Scalar, ...], parts: tuple[Scalar, ...], left: tuple[Scalar, ...], value: Scalar
) -> Bound:
    """Bound an error whose next order is computed, where that is a guide and enough is left.

    Args:
        shifts: the next order of each part.
        parts: the parts, >= 0.
        left: rows left to average over, and features if there are random ones.
        value: the error.

    >>> part, many, few = jnp.array(1.0), jnp.array(100.0), jnp.array(9.0)
    >>> for shift, left in ((0.1, (many,)), (0.3, (many,)), (0.1, (many, few))):
    ...     found = computed((jnp.array(shift),), (part,), left, part)
    ...     print(f"{float(found.slack):.4f}", bool(found.valid))
    0.1454 True
    0.5554 False
    0.2037 False
    """
    room = jnp.sum(1 / jnp.stack(left))
    enough = jnp.min(jnp.stack(left)) >= FEWEST_FREE
    return Bound(next_order(shifts, parts, room), enough & is_small(shifts, value))


def features(shifts: tuple[Scalar, ...], parts: tuple[Scalar, ...], room: Scalar) -> Scalar:
    """Bound the deviation of an excess risk on nonlinear features of inputs on a sphere.

    Their next order is not that of Gaussian rows and features but of the same order, and in shape
    much like it: measured (docs/finite_size.md) at most 3 times as large, or 0.15 ``room`` beyond.

    Args:
        shifts: the next order of each part for Gaussian rows and features.
        parts: the parts, >= 0.
        room: 1 / rows left + 1 / features left.
    """
    moved = jnp.sum(jnp.abs(jnp.stack(shifts)))
    return 4 * moved + 0.3 * room * jnp.sum(jnp.stack(parts))


def is_small(shifts: tuple[Scalar, ...], value: Scalar) -> Array:
    """Say whether the next order is at most a quarter of the value: else it is no guide."""
    return jnp.sum(jnp.abs(jnp.stack(shifts))) <= 0.25 * value
