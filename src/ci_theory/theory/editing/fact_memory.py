r"""How long a fact stays in weights that are edited for life.

Every edit fits n of p dimensions' worth of facts, facts that the law so far does not foretell
(surprises, of variance ``noise``), and removes the share e of the surprise that it meets, its
efficacy: the leverage 1 - ridge/(n kappa) of a row. Later edits wear it off like everything else.
"""

import jax.numpy as jnp

from ci_theory._types import Array, Numbers, needs_float64
from ci_theory.theory.spectra.groups import counted

__all__ = ["best_step", "fact_error", "fact_memory"]


@needs_float64
def fact_error(age: Numbers, step: Numbers, p: Numbers, n: Numbers, noise: Numbers) -> Array:
    """Mean squared error on a fact's own label, ``age`` edits after it went in.

        noise [2/(2 - e) - 2 e (1 - e n/p)^age]

    Args:
        age: edits since, 0 just after its own.
        step: e, efficacy of an edit in (0, 1]: the share of a surprise that it removes, the
            leverage 1 - ridge/(n kappa) of a row.
        p: dimension of the inputs.
        n: rows of an edit.
        noise: variance of a surprise [label^2].

    Regime: n << p, after many edits. Source: docs/editing/lifelong_editing.md.

    >>> print(fact_error(0, 1.0, 150, 1, 1.0), f"{fact_error(1, 1.0, 150, 1, 1.0):.4f}")
    0.0 0.0133
    """
    step = jnp.asarray(step, float)
    decay = (1 - step * counted(n) / counted(p)) ** jnp.asarray(age, float)
    return jnp.asarray(noise, float) * (2 / (2 - step) - 2 * step * decay)


@needs_float64
def fact_memory(age: Numbers, step: Numbers, p: Numbers, n: Numbers) -> Array:
    """Squared correlation of the output with a fact, ``age`` edits after it went in.

        e (2 - e) (1 - e n/p)^(2 age)

    Over all ages and the n facts of each edit its sum is p (1 - e/2) for n << p: exact edits store
    p/2 facts' worth, gentle ones up to p.

    Args:
        age: edits since.
        step: e, see ``fact_error``.
        p: dimension of the inputs.
        n: rows of an edit.

    Regime: n << p, after many edits. Source: docs/editing/lifelong_editing.md.

    >>> print(fact_memory(0, 1.0, 150, 1), f"{fact_memory(75, 0.5, 150, 1):.4f}")
    1.0 0.4545
    """
    step = jnp.asarray(step, float)
    decay = (1 - step * counted(n) / counted(p)) ** (2 * jnp.asarray(age, float))
    return step * (2 - step) * decay


@needs_float64
def best_step(age: Numbers, p: Numbers, n: Numbers) -> Array:
    """Efficacy with which facts of one age are remembered best.

        (1 - e)/(e (2 - e)) = age n/p

    Args:
        age: edits since the fact, >= 0.
        p: dimension of the inputs.
        n: rows of an edit.

    Regime: n << p. Limits: age 0 wants exact edits, e = 1; age >> p/n wants e = p/(2 age n).
    Source: the maximum of ``fact_memory`` over e, decay as exp(-e age n/p).

    >>> print(best_step(0, 150, 1), f"{best_step(75, 150, 1):.4f}")
    1.0 0.5858
    """
    # x e^2 - (1 + 2 x) e + 1 = 0, the smaller root
    x = jnp.asarray(age, float) * counted(n) / counted(p)
    return 2 / (1 + 2 * x + jnp.sqrt(1 + 4 * x**2))
