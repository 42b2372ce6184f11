"""The task that the benchmarks of modular addition train on, and the products it takes."""

import numpy as np

from ci_theory.systems import transformer

RULE = {"rate": 1e-3, "warm_up": 10.0}
TRAINED = 3763  # 40 % of the table modulo 97


def questions(p: int) -> tuple[np.ndarray, np.ndarray]:
    """The training questions and their answers."""
    n, m = np.divmod(np.random.default_rng(0).permutation(p**2)[:TRAINED], p)
    return np.stack([n, m], axis=1), (n + m) % p


def products(shape: transformer.Shape, size: int, rows: bool) -> float:
    """Floating-point operations of a step in matrix products, forwards and backwards."""
    p, d, layers = shape.p, shape.d, shape.layers
    answer = size * d * p
    if not rows:
        return 6.0 * (size * 3 * layers * 12 * d**2 + answer)
    first, there = min(p, size), min(p, size)  # rows of the first and, before block 1, the second
    total = 0
    for layer in range(layers):
        last, early = layer == layers - 1, layer == 0
        second, final = (there, 1) if early else (size, size)
        total += 2 * first + 2 * second + 2 * final  # keys and values
        total += final + (0 if last else second)  # queries
        total += 9 * (size if last else first + 2 * size)  # out of attention, MLP
    return 6.0 * (total * d**2 + answer)
