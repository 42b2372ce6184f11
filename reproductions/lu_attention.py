"""In-context learning of linear attention: published simulations against two theories."""

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory import Status
from ci_theory.theory.attention.linear_attention import Prompts, contexts, linear_attention
from ci_theory.theory.attention.prompt_sizes import sized_contexts
from reproductions._judge import exactly, numbers, signs

D, RHO, KAPPA, LENGTH, RUNS = 100, 0.01, 0.5, 100.0, 10
TAU = np.array([0.2, 0.5, 0.85, 1.2, 1.5, 2.0])
FRESH = np.array([1.04656736, 1.30500792, 3.27416878, 3.33167032, 1.77671478, 1.27897201])
FRESH_SPREAD = np.array([0.0040435, 0.00852497, 0.07146102, 0.07438745, 0.01949869, 0.00678305])
KNOWN = np.array([0.80638483, 0.82931829, 2.16371212, 2.04535939, 0.97051457, 0.62576631])
KNOWN_SPREAD = np.array([0.00490392, 0.00973484, 0.05534399, 0.05384757, 0.01158598, 0.00614232])


def runs_like(mean, spread):
    """Return ten values a cell with the published mean and (population) standard deviation.

    Nobody knows how cells go together: all up and down at once is the worst case of their mean,
    and a spread of the other sign the worst case of a difference.
    """
    unit = np.arange(RUNS) - (RUNS - 1) / 2
    return mean + spread * (unit / unit.std())[:, None]


def ours(tau, *, sized, ridge=1e-8, diversity=KAPPA):
    """Return the errors on new and on known tasks."""
    shares, kinds = jnp.ones(1), jax.tree.map(lambda v: jnp.full(1, v), contexts(1.0, RHO, RHO))
    test = contexts(1.0, RHO, RHO)
    if sized:
        shares, kinds = sized_contexts(D, LENGTH, RHO, RHO, 0.0)
        test = contexts(1.0, RHO, RHO, length=LENGTH)
    prompts = Prompts(
        counts=tau * shares, weights=jnp.ones_like(shares), contexts=kinds, ridge=ridge * tau
    )
    made = linear_attention(prompts, diversity, test)
    assert int(made.status) == Status.OK
    return float(made.fresh_error), float(made.trained_error)


def published(tau):
    """Their ridgeless limit of the error on new tasks, with x = (1 + ρ)/α at α = 1."""
    x = 1 + RHO

    def m(ratio):
        half = (x + 1 - 1 / ratio) / 2
        return 1 / (half + np.sqrt(half**2 + x / ratio))

    if tau < 1:
        kept = 1 - x * m(KAPPA / tau)
        bracket = 1 - tau * kept**2 - (1 - RHO / x) * (1 - kept)
        return x - 2 * tau * kept + tau * (1 + x) / (1 - tau) * bracket
    s, over = m(KAPPA), 1 / (tau - 1)
    squares = 1 / (1 - KAPPA * (s / (KAPPA + s)) ** 2)
    first = (squares - over) * (1 + x) * (x * s) ** 2
    return first + s * x**2 * (over - 2) + x * (1 + over * x * s) + RHO * (1 + over * s)


def measure(runs: int = RUNS):
    """Compare both theories with their runs, and look for the peak and the two kinds of tasks."""
    fresh, known = (
        runs_like(*one)[:runs] for one in ((FRESH, FRESH_SPREAD), (KNOWN, KNOWN_SPREAD))
    )
    apart = runs_like(KNOWN, -KNOWN_SPREAD)[:runs]
    steps = np.diff(runs_like(FRESH, FRESH_SPREAD * (-1.0) ** np.arange(6))[:runs], axis=1)
    limit = [ours(t, sized=False, ridge=1e-13)[0] for t in TAU]
    exact = np.array([ours(t * D / (D + 1), sized=True) for t in TAU]).T
    many = np.array([ours(t * D / (D + 1), sized=True, diversity=1e4) for t in TAU]).T
    quiet = np.array([published(t) for t in TAU])
    slack = 0.4 / D / abs(1 - TAU * D / (D + 1))
    return [
        exactly(
            "Their Result 1 is our equation in the limit d → ∞ (error on new tasks)",
            "public code",
            limit,
            quiet,
            within=1e-8,
            decoys={"without the noise of the label": quiet - RHO},
        ),
        numbers(
            "The theory holds in their simulations: error on new tasks, ours at the size of the "
            "runs (Result 1, the limit, is up to 11 % off them)",
            "abstract; public data, formula ours",
            fresh,
            exact[0],
            slack=slack,
            decoys={"Result 1, of d → ∞": quiet, "tasks never met twice": many[0]},
            effect=0.07,
        ),
        numbers(
            "The same, error on the tasks trained on",
            "abstract; public data, formula ours",
            known,
            exact[1],
            slack=slack,
            decoys={"that on new tasks": exact[0], "tasks never met twice": many[1]},
            effect=0.07,
        ),
        signs(
            "Double descent in the prompts: up towards n = d², down beyond",
            "abstract; public data",
            steps[:, [0, 1, 3, 4]] * np.array([1, 1, -1, -1]),
            control=steps,
            where="up all the way",
        ),
        signs(
            "Few tasks (half of d) are known by heart: they are answered better than new ones",
            "abstract; public data",
            fresh - apart,
            control=0.5 * fresh - apart,
            where="twice as well",
        ),
    ]
