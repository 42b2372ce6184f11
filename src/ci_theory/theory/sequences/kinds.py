"""Kinds of sequences: those of a Markov chain that no unknown chain tells apart.

Given its first state a sequence tells of the chain only by how often each step was taken. If the
rows of the chain are drawn alike, and their entries alike, then rows may change places and so may
the entries of a row: what is left is a few kinds of sequences, each with the number of sequences
that are of it. Means over all K^n sequences are sums over kinds.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from ci_theory._errors import BadInput
from ci_theory._types import Float, Int

__all__ = ["MOST", "Kinds", "kinds", "problem", "unigram_loss"]

MOST = {2: 64, 3: 12, 4: 7}
"""Longest sequences whose steps are counted one by one, by the number of states."""


class Kinds(NamedTuple):
    """Kinds of sequences of n steps from a given state.

    Attributes:
        rows: counts of the steps of one row, those that occur, in descending order, (R, K).
        index: which of them the rows of a kind are, in some order, (m, K).
        ways: sequences of each kind, (m,); they sum to K^n.
    """

    rows: Float[Any, "R K"]
    index: Int[Any, "m K"]
    ways: Float[Any, " m"]


def problem(states: int, length: int) -> str | None:
    """Say in a line why sequences cannot be counted, if they cannot.

    >>> print(problem(3, 13))
    length = 13: sequences of 3 states are counted up to 12 steps
    """
    if states not in MOST:
        return f"states = {states}: sequences are counted of {min(MOST)} to {max(MOST)} states"
    if not 1 <= length <= MOST[states]:
        most = f"are counted up to {MOST[states]} steps"
        return f"length = {length}: sequences of {states} states {most}"
    return None


@functools.lru_cache(maxsize=32)
def _counts(states: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the step counts (M, K, K) of sequences from state 0, and how many have them (M,)."""
    told = problem(states, length)
    if told:
        raise BadInput(told)
    made, last = np.zeros((1, states**2), int), np.zeros(1, int)
    ways: np.ndarray = np.ones(1)
    for _ in range(length):
        longer = np.repeat(made, states, axis=0)
        to = np.tile(np.arange(states), len(made))
        longer[np.arange(len(longer)), np.repeat(last, states) * states + to] += 1
        made, first, which = _distinct(longer)  # the counts tell where a sequence ends
        last, ways = to[first], np.bincount(which, np.repeat(ways, states))
    return made.reshape(-1, states, states), ways


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct rows, where each is first, and which of them every row is."""
    made, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return made, first, which.ravel()


@functools.lru_cache(maxsize=32)
def kinds(states: int, length: int) -> Kinds:
    """Count the sequences of a chain by kinds; on the host.

    Args:
        states: K, 2 to 4.
        length: n, steps, 1 to ``MOST`` for so many states.

    Raises:
        BadInput: longer sequences, or more states.

    >>> made = kinds(2, 3)
    >>> print(made.ways, made.rows.shape, float(made.ways.sum()))
    [1. 1. 4. 2.] (6, 2) 8.0
    """
    counts, ways = _counts(states, length)
    each = -np.sort(-counts, axis=2).reshape(-1, states)
    rows, _, which = _distinct(each)
    index, _, kind = _distinct(np.sort(which.reshape(-1, states), axis=1))
    return Kinds(rows.astype(float), index, np.bincount(kind, ways))


@functools.lru_cache(maxsize=32)
def unigram_loss(states: int, length: int, a: float = 1.0) -> float:
    r"""Mean loss in nats a step of who counts states and not steps, on an unknown chain.

    .. math:: -\frac1n \sum_t \ln\frac{c_{x_{t+1}} + a}{t + 1 + Ka}

    with c the states met so far, the first one included. Each row of the chain is drawn from the
    Dirichlet law with parameter a.

    Args:
        states, length: as in ``kinds``.
        a: parameter of the Dirichlet law, and what is added to a count, > 0.

    Regime: exact. Limits: one step of two states: the first tells nothing, but is counted.

    Source: the baseline of Edelman et al. 2024 (arXiv:2402.11004); the sum here.

    >>> print(f"{unigram_loss(2, 1):.4f}")  # ln(3/2)/2 + ln(3)/2
    0.7520
    """
    counts, ways = _counts(states, length)
    rows = np.sum(gammaln(a + counts) - gammaln(a), axis=2)
    rows += gammaln(states * a) - gammaln(states * a + counts.sum(axis=2))
    chance = ways * np.exp(rows.sum(axis=1))
    start = np.eye(states)[0]
    met = counts.sum(axis=1) + start
    score = np.sum(gammaln(a + met) - gammaln(a + start), axis=1)
    score += gammaln(states * a + 1) - gammaln(states * a + 1 + length)
    return float(-chance @ score / length)
