"""Training that comes to rest: the step size falls along half a cosine, stair by stair.

With a constant step size AdamW hovers about a minimum. Nothing of it is restarted at a stair.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ci_theory.training import optimiser
from ci_theory.training.optimiser import Course, Trained


def anneal(course: Course, weights: Any, *, stairs: int, each: int) -> Trained:
    """Train with a step size that falls from that of a course to nothing.

    Args:
        course: its rule has the first step size; ``course.steps`` count from the start.
        weights: to start from, any pytree.
        stairs: number of step sizes.
        each: steps with each of them.

    Returns:
        The weights at the end and what was measured. Under ``jax.vmap`` as of ``optimiser``.

    >>> rule = optimiser.AdamW(rate=0.1)
    >>> course = Course(lambda w: jnp.sum((w - 3) ** 2), rule, jnp.array([0, 600]), jnp.sum)
    >>> made = jax.jit(lambda w: anneal(course, w, stairs=20, each=30))(jnp.zeros(2))
    >>> print(made.measures.round(4))
    [0. 6.]
    """
    rule = course.rule

    def stair(index: jax.Array, state: optimiser.State) -> optimiser.State:
        slower = optimiser.AdamW(
            rate=rule.rate * 0.5 * (1 + jnp.cos(jnp.pi * index / stairs)),
            decay=rule.decay,
            warm_up=rule.warm_up,
            first=rule.first,
            second=rule.second,
            tiny=rule.tiny,
        )
        now = course._replace(rule=slower)
        return optimiser.advance(now, state, index * each, (index + 1) * each)

    start = optimiser.begin(course, weights)
    return optimiser.finish(course, jax.lax.fori_loop(0, stairs, stair, start))
