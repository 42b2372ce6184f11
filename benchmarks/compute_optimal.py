"""Compute-optimal width by theory: the frontier up to 10^12 operations, against going step by step.

The frontier is the risk of one-pass SGD, averaged over random features, at budgets f = d r; it is
asserted to be what a continuous search finds. The obvious way draws features, decomposes their
covariance and runs the recursion of their modes one step after the other, for every width. At
budgets that both can do it is given its best form here (compiled scan, all budgets of a width
read off one run); an average over draws must agree with the averaged curve within its error and
3/width. For 10^12 operations its cost is extrapolated from 4096 modes: every width takes modes x
steps = 10^12 updates of a mode.
"""

import time

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from scipy.optimize import minimize_scalar  # noqa: E402

from ci_theory import enable_float64  # noqa: E402
from ci_theory.theory.dynamics.averaged_sgd import averaged_risk, inputs  # noqa: E402
from ci_theory.theory.dynamics.one_pass_sgd import Descent, one_pass_risk, recursion  # noqa: E402
from ci_theory.theory.scaling.compute_optimal import budget_risks, frontier  # noqa: E402
from ci_theory.theory.scaling.sgd_phases import phase  # noqa: E402
from ci_theory.theory.spectra.spectrum import explicit, from_features, trace  # noqa: E402

ALPHA, BETA, KERNEL = 1.0, 0.3, 0.1
SMALL = 10.0 ** np.arange(4, 7)
WIDTHS = np.array([16.0, 32.0, 64.0, 128.0])
INPUTS, DRAWS = 1000, 30


def modes(width: int, seed: int):
    """Draw features and decompose them."""
    j = np.arange(1.0, INPUTS + 1)
    w = np.random.default_rng([seed, width]).standard_normal((INPUTS, width)) / np.sqrt(width)
    root = np.sqrt(INPUTS)
    return from_features(root * j[:, None] ** -ALPHA * w, root * j ** -(ALPHA + BETA))


def by_recursion(width: int, rate: float, seed: int) -> np.ndarray:
    """Risks of one draw at all budgets, by every step up to the last."""
    steps = np.round(SMALL / width).astype(int)
    run = jax.jit(recursion, static_argnums=3)
    risks = run(modes(width, seed), Descent(rate, 1.0, 1.0), 0.0, int(steps[-1]))
    return np.asarray(risks)[steps]


@jax.jit
def closed(spectrum, rate, steps):
    """Risks of one draw in closed form."""
    at = Descent(rate, 1.0, 1.0)
    return jax.vmap(lambda r: one_pass_risk(spectrum, at, 0.0, r))(steps)


def same_optimum(found) -> float:
    """Return the largest relative difference of best widths from a continuous search."""
    spectrum = inputs(np.inf, ALPHA, BETA)
    at, worst = Descent(2 * KERNEL / float(trace(spectrum)), 1.0, 1.0), 0.0

    @jax.jit
    def risk(u, budget):
        return averaged_risk(spectrum, jnp.exp(u), at, 0.0, budget / jnp.exp(u)).risk

    for budget, width, least in zip(found.flops, found.width, found.risk, strict=True):
        ends = np.log(width) - 1, np.log(width) + 1
        best = minimize_scalar(lambda u, f=budget: float(jnp.log(risk(u, f))), bounds=ends)
        worst = max(worst, abs(width / np.exp(best.x) - 1))
        assert abs(least / np.exp(best.fun) - 1) < 1e-4
    return worst


def main() -> None:
    """Print seconds and ratios."""
    enable_float64()
    spectrum = inputs(float(INPUTS), ALPHA, BETA)
    rate = 2 * KERNEL / float(trace(spectrum))
    print("CPU seconds, one core; risks of 4 widths at 3 budgets up to 10^6 operations")
    means, errors = [], []
    for width in WIDTHS.astype(int):
        draws = [modes(width, seed) for seed in range(DRAWS)]
        steps = np.round(SMALL / width)
        runs = np.array([closed(m, rate, steps) for m in draws])
        np.testing.assert_allclose(by_recursion(width, rate, 0), runs[0], rtol=1e-9)
        means.append(runs.mean(axis=0))
        errors.append(runs.std(axis=0) / np.sqrt(DRAWS))

    @jax.jit
    def theory(widths, steps):
        at = Descent(rate, 1.0, 1.0)
        row = jax.vmap(lambda d, r: averaged_risk(spectrum, d, at, 0.0, r).risk)
        return jax.lax.map(lambda d_r: row(jnp.full(len(SMALL), d_r[0]), d_r[1]), (widths, steps))

    taken = np.round(SMALL[None] / WIDTHS[:, None])
    told = np.asarray(theory(WIDTHS, taken))
    gap = np.abs(told - np.array(means))
    assert np.all(gap < 4 * np.array(errors) + 3 / WIDTHS[:, None] * told)
    theory_s = _clock.seconds(lambda: jax.block_until_ready(theory(WIDTHS, taken)), 5)
    one_s = _clock.seconds(lambda: [by_recursion(d, rate, 0) for d in WIDTHS.astype(int)], 3)
    print(f"  averaged, one inversion each {theory_s:10.4f}")
    print(f"  step by step, one draw       {one_s:10.4f}   x {one_s / theory_s:,.0f}")
    whole = DRAWS * one_s
    print(f"  step by step, {DRAWS} draws      {whole:10.4f}   x {whole / theory_s:,.0f}")

    _table.tell(
        "one-pass SGD, 12 averaged risks", "step by step, one draw", theory_s, one_s, "CPU s"
    )

    budgets = 10.0 ** np.arange(6, 13)
    start = time.process_time()
    found = frontier(ALPHA, BETA, budgets, kernel=KERNEL)
    first = time.process_time() - start
    again = _clock.seconds(lambda: frontier(ALPHA, BETA, budgets, kernel=KERNEL))
    assert np.all(found.status == 0)
    worst = same_optimum(found)
    # every width takes d modes through f/d steps: f mode-steps, at the cost of many modes a step
    widths = 8 * int(np.log10(budgets[-1] ** 0.62 / 8))
    many = explicit(np.geomspace(1e-6, 1, 4096), np.ones(4096))
    run = jax.jit(recursion, static_argnums=3)
    step_s = _clock.seconds(lambda: jax.block_until_ready(run(many, Descent(0.1, 1, 1), 0.0, 1000)))
    slow = step_s / 4096e3 * budgets[-1] * widths
    _table.tell("compute-optimal frontier", "step by step, extrapolated", again, slow, "CPU s")
    print(f"frontier of 7 budgets, 10^6 to 10^12 operations, {widths} widths each")
    print(f"  by theory                    {again:10.2f}   first call {first:.1f}")
    print(f"  step by step, extrapolated   {slow:10.1e}   x {slow / again:.0e}, one draw, without")
    print(f"  {'':41}   the decompositions")
    print(f"  best widths within {worst:.1e} of a continuous search; at 10^12 operations")
    last, limit = (-found.risk_slope[-1], found.width_slope[-1]), phase(ALPHA, BETA)
    print(f"  slope of the risk  {last[0]:.4f}, predicted {limit.risk:.4f}")
    print(f"  slope of the width {last[1]:.4f}, predicted {limit.width:.4f}")
    one = budget_risks(ALPHA, BETA, budgets[-1:], found.width[-1:], kernel=KERNEL)
    assert abs(float(one.risk[0, 0]) / found.risk[-1] - 1) < 1e-4


if __name__ == "__main__":
    main()
