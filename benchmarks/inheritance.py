"""Inheritance: 10^4 two-stage cells, and the operator on moments, in matrices and in spectra.

Cells of one pair of designs differ in ridges, noise and angle: each design is diagonalised once
for all of them, where the obvious loop solves each cell anew; what is left is products of p x p
matrices, the same for both. The operator of a stage is one fixed point (cheap) and, in matrix form,
an eigendecomposition and three products, which is what the plain NumPy form spends its time on
as well: there the ratio can only be near 1. In the common eigenbasis a stage is p numbers.
"""

from functools import partial

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from scipy.optimize import brentq  # noqa: E402

from ci_theory import enable_float64  # noqa: E402
from ci_theory.inherit import finetune, two_stage  # noqa: E402
from ci_theory.theory.inheritance.mixture import (  # noqa: E402
    BlockMixture,
    BlockWeights,
    fit_block_mixture,
)
from ci_theory.theory.inheritance.operator import RidgeStage, Weights, inherit  # noqa: E402
from ci_theory.theory.spectra.groups import plain_rows  # noqa: E402

P, UP, DOWN = 60, 120, 40
CELLS = 10_000
BIG, ROWS, NOISE, RIDGE = 1000, 1500, 0.5, 30.0


def cells() -> dict[str, np.ndarray]:
    """Ridges, noise levels and angles of every cell."""
    rng = np.random.default_rng(1)
    return {
        "up_ridge": rng.uniform(0.1, 30, CELLS),
        "up_noise": rng.uniform(0, 1, CELLS),
        "ridge": rng.uniform(0.1, 30, CELLS),
        "noise": rng.uniform(0, 1, CELLS),
        "alignment": rng.uniform(-1, 1, CELLS),
    }


def loop_cell(up: np.ndarray, down: np.ndarray, at: dict[str, float]) -> float:
    """Downstream excess risk of a cell, averaged over the directions of targets and noise."""
    eye = np.eye(P)
    first = np.linalg.inv(up.T @ up + at["up_ridge"] * eye)
    learned = first @ (up.T @ up)
    spread = at["up_noise"] * first @ (up.T @ up) @ first
    anchor = (learned @ learned.T - 2 * at["alignment"] * (learned + learned.T) / 2 + eye) / P
    second = np.linalg.inv(down.T @ down + at["ridge"] * eye)
    keep = at["ridge"] * second
    noise = at["noise"] * second @ (down.T @ down) @ second
    return float(np.trace(keep @ (anchor + spread) @ keep.T) + np.trace(noise))


def two_stages() -> list[tuple[str, float, float]]:
    """Time the cells; rows of (name, CPU seconds of all cells, ratio)."""
    rng = np.random.default_rng(0)
    up, down = rng.normal(size=(UP, P)), rng.normal(size=(DOWN, P))
    at = cells()
    names = ("up_ridge", "up_noise", "ridge", "noise", "alignment")

    @jax.jit
    def every(up, down, *values):
        ones = jnp.ones(UP), jnp.ones(DOWN)
        made = [finetune.design(x, c, c) for x, c in zip((up, down), ones, strict=True)]
        run = partial(two_stage.errors, *made, jnp.ones(()))
        return jax.lax.map(lambda v: run(*v, jnp.ones(())).excess, values, batch_size=100)

    given = [jnp.asarray(at[name]) for name in names]

    def ours():
        return every(up, down, *given).block_until_ready()

    found = np.asarray(ours())
    picks = rng.integers(CELLS, size=200)
    chosen = [{name: float(at[name][i]) for name in names} for i in picks]
    slow = np.array([loop_cell(up, down, one) for one in chosen])
    worst = np.max(np.abs(found[picks] / slow - 1))
    assert worst < 1e-8, f"results differ by {worst:.1e}"
    fast = _clock.seconds(ours)
    loop = CELLS / len(picks) * _clock.seconds(lambda: [loop_cell(up, down, c) for c in chosen])
    print(f"{CELLS} two-stage cells, p = {P}: largest relative difference {worst:.0e}")
    return [("designs diagonalised once", fast, 1.0), ("numpy loop", loop, loop / fast)]


def numpy_operator(mean, spread, covariance, target):
    """The operator as one writes it: a root for kappa, an inverse, and products."""
    values = np.linalg.eigvalsh(covariance)
    kappa = brentq(
        lambda k: np.sum(values / (values + k)) + RIDGE / k - ROWS, 1e-9, 1e9, xtol=1e-14
    )
    resolvent = np.linalg.inv(covariance + kappa * np.eye(BIG))
    gap = mean - target
    moved = kappa * resolvent @ gap
    kept = kappa**2 * resolvent @ spread @ resolvent
    loaded = covariance @ resolvent
    error = NOISE + moved @ covariance @ moved + np.sum(covariance * kept)
    error /= 1 - np.sum(loaded * loaded.T) / ROWS
    return target + moved, kept + error / ROWS * resolvent @ loaded, error


def operators() -> list[tuple[str, float, float]]:
    """Time one stage at p = 1000; rows of (name, CPU seconds, how many times faster than numpy)."""
    rng = np.random.default_rng(2)
    values = np.linspace(0.2, 2.0, BIG)
    turn = np.linalg.qr(rng.normal(size=(BIG, BIG)))[0]
    covariance, target = turn @ np.diag(values) @ turn.T, rng.normal(size=BIG) / BIG**0.5
    start = Weights(mean=jnp.zeros(BIG), spread=jnp.eye(BIG) / BIG)
    stage = RidgeStage(
        covariance=jnp.asarray(covariance),
        target=jnp.asarray(target),
        groups=plain_rows(float(ROWS), NOISE),
        ridge=RIDGE,
    )
    blocks = BlockMixture(
        variances=jnp.asarray(values)[None],
        multiplicity=jnp.ones(BIG),
        targets=jnp.asarray(turn.T @ target)[None, :, None],
        counts=jnp.array([float(ROWS)]),
        weights=jnp.ones(1),
        noise=jnp.array([NOISE]),
        ridge=RIDGE,
    )
    nothing = BlockWeights(mean=jnp.zeros((BIG, 1)), spread=jnp.ones(BIG) / BIG)
    mean, spread, error = numpy_operator(np.zeros(BIG), np.eye(BIG) / BIG, covariance, target)
    made = inherit(start, stage)
    block = fit_block_mixture(blocks, nothing)
    assert np.allclose(made.weights.mean, mean, atol=1e-9)
    assert np.allclose(made.weights.spread, spread, atol=1e-11)
    assert abs(float(made.risk.excess_risk + NOISE) / error - 1) < 1e-8
    assert abs(float(block.held_out[0]) / error - 1) < 1e-8
    np_start = np.zeros(BIG), np.eye(BIG) / BIG

    matrix = _clock.seconds(lambda: jax.block_until_ready(inherit(start, stage)))
    plain = _clock.seconds(lambda: numpy_operator(*np_start, covariance, target))

    def many():
        for _ in range(100):
            jax.block_until_ready(fit_block_mixture(blocks, nothing))

    spectral = _clock.seconds(many) / 100
    return [
        ("operator, matrices", matrix, plain / matrix),
        ("numpy: root, inverse, products", plain, 1.0),
        ("operator, common eigenbasis", spectral, plain / spectral),
    ]


def main() -> None:
    """Assert equality, time, and print the tables."""
    enable_float64()
    stages = two_stages()
    (_, mine, _), *others = stages
    for name, seconds, _ in others:
        _table.tell(f"{CELLS} two-stage cells", name, mine, seconds, "CPU s")
    for name, seconds, ratio in stages:
        print(f"{name:34s}{seconds:10.3f} CPU s{CELLS / seconds:12.0f} cells/s{ratio:9.2f}")
    print(f"one stage at p = {BIG}, the same numbers")
    for name, seconds, ratio in (made := operators()):
        print(f"{name:34s}{seconds:10.4f} CPU s{1 / seconds:12.1f} stages/s{ratio:9.4g}")
    matrix, plain, spectral = (1 / seconds for _, seconds, _ in made)
    for name, rate in (("matrices", matrix), ("in a common eigenbasis", spectral)):
        _table.tell(f"a stage at p = {BIG}, {name}", "numpy's matrices", rate, plain, "stages/s")


if __name__ == "__main__":
    main()
