"""Arithmetic modulo p: the whole table of questions is the world, part of it is for training.

>>> questions, answers = table("add", 5)
>>> questions[7], int(answers[7])
(array([1, 2]), 3)
>>> table("divide", 5)[0].shape  # nothing is divided by 0
(20, 2)
"""

from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import BadInput, unknown
from ci_theory._keys import stream
from ci_theory._types import Bool, Key, Value


def _inverse(b: np.ndarray, p: int) -> np.ndarray:
    return np.array([pow(int(v), -1, p) for v in b])


OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "add": lambda a, b, p: a + b,
    "subtract": lambda a, b, p: a - b,
    "multiply": lambda a, b, p: a * b,
    "divide": lambda a, b, p: a * _inverse(b, p),
    "quadratic": lambda a, b, p: a * a + a * b + b * b,
}
"""Operations by name, on whole numbers before they are taken modulo p."""


def is_prime(p: int) -> bool:
    """Say whether p is prime.

    >>> [p for p in range(12) if is_prime(p)]
    [2, 3, 5, 7, 11]
    """
    return p > 1 and all(p % q for q in range(2, int(p**0.5) + 1))


@lru_cache(maxsize=16)
def table(operation: str, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all questions (P, 2) in order, and their answers (P,).

    P is p^2, or p (p - 1) for division, which needs a prime p.

    Raises:
        BadInput: an unknown operation, p < 2, or division modulo a number that is not prime.
    """
    if operation not in OPERATIONS:
        raise unknown("operation", operation, OPERATIONS)
    if p < 2:
        raise BadInput(f"p = {p}: must be >= 2")
    if operation == "divide" and not is_prime(p):
        raise BadInput(f"p = {p}: division modulo p needs a prime p")
    a, b = (v.ravel() for v in np.meshgrid(np.arange(p), np.arange(p), indexing="ij"))
    if operation == "divide":
        a, b = a[b > 0], b[b > 0]
    answers = OPERATIONS[operation](a, b, p) % p
    return np.stack([a, b], axis=1), answers


@lru_cache(maxsize=16)
def places(operation: str, p: int) -> tuple[np.ndarray, int]:
    """Return where on a circle of G points a question and an answer differ, (P, p), and G.

    An operation of a cyclic group is a shift: n + m - q on p points for addition, and for
    multiplication modulo a prime the same with discrete logarithms, on p - 1 points. The right
    answer is at 0. Entries with a 0 that has no logarithm are at -1. An operation without such
    a group (or p not prime) has one point.

    >>> place, size = places("multiply", 5)
    >>> size, place[7].tolist()  # 1 * 2: the answer 2 is right, 0 has no logarithm
    (4, [-1, 1, 0, 2, 3])
    """
    questions, _ = table(operation, p)
    a, b, q = questions[:, :1], questions[:, 1:], np.arange(p)[None, :]
    if operation in ("add", "subtract"):
        return (a + b - q if operation == "add" else a - b - q) % p, p
    if operation not in ("multiply", "divide") or not is_prime(p) or p < 3:
        return np.zeros((len(questions), p), int), 1
    root = next(g for g in range(1, p) if len({pow(g, k, p) for k in range(p - 1)}) == p - 1)
    log = np.zeros(p, int)
    log[[pow(root, k, p) for k in range(p - 1)]] = np.arange(p - 1)
    sign = 1 if operation == "multiply" else -1
    place = (log[a] + sign * log[b] - log[q]) % (p - 1)
    return np.where((a > 0) & (b > 0) & (q > 0), place, -1), p - 1


def training(key: Key, questions: int, fraction: Value) -> Bool[jax.Array, " P"]:
    """Choose the questions to train on: exactly round(fraction P) of them (stream "split").

    The fraction may be traced. One key gives nested choices: a larger fraction adds questions
    and drops none.
    """
    rank = jax.random.permutation(stream(key, "split"), questions)
    return rank < jnp.round(fraction * questions)
