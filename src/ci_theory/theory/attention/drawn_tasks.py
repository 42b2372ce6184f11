r"""What linear attention knows of tasks that were drawn, from prompts that are not of one length.

``zipf_tasks`` is the limit; at finite size two things move it by as much as 1/d. Prompts weigh by
their squared lengths, kinds of their own within a task (``prompt_sizes``). And a task of share p
has not p n of n drawn prompts but more or fewer: its number is binomial, in whose place stand two
numbers with the same three moments. With a, b, g of a kind of prompt,

.. math:: e = \frac{a Y + b\,\gamma}{\tau}, \qquad Y = \gamma D, \qquad
    D = \frac{1}{1 + A\,d\,\gamma}, \qquad A = \sum \frac{\hat p\,a}{1 + e}, \qquad
    \gamma \lambda + \tau \sum \frac{\hat p\,e}{1 + e} = 1,

where A is summed over the kinds of one task and the last sum goes over everything; so
:math:`\gamma`, the mean trace of the resolvent, is the root of an increasing function, and so is Y
of each task given it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.attention.linear_attention import Contexts
from ci_theory.theory.spectra.fixed_point import log_root

__all__ = ["DrawnTasks", "drawn_tasks"]

STEPS = 40  # of Newton, which climbs to Y from below; ten do but for hardly any ridge
RISE = 1e-8  # of Y in a step, below which the next one is exact
CLOSE = 1e-11


class DrawnTasks(NamedTuple):
    """What the mean of Gamma lacks [no unit].

    Attributes:
        missing: 1 - w'Gamma w/d of every task trained on, (k,).
        fresh: 1 - tr Gamma/d, of a new task.
        left: mean of D, (k,): 1 for a task that might as well be new, 0 for one known by heart.
        status: that of the fixed point; NOT_FINITE without a ridge for d^2 prompts or fewer,
            OUT_OF_SCOPE for shares, prompts or a ridge that there cannot be.
    """

    missing: Float[Array, " k"]
    fresh: Scalar
    left: Float[Array, " k"]
    status: Int[Array, ""]


class _World(NamedTuple):
    """Every task at its two numbers of prompts, (k, 2, 1), and every kind, (1, 1, q)."""

    shares: Array
    kinds: Array
    signal: Array
    spread: Array
    dimension: Array
    prompts: Array
    ridge: Array


class _At(NamedTuple):
    """Solved for every task at a given trace; (k, 2), but ``each`` (k, 2, q)."""

    each: Array  # share of a kind over 1 + e
    used: Array  # e of every kind
    left: Array  # D
    off: Array  # what the equation of Y lacks


def _met(shares: Array, drawn: Any) -> tuple[Array, Array]:
    """Return two shares and their chances, (k, 2), with the moments of a binomial share."""
    rare = 1 / (shares * drawn)
    lean = (1 - 2 * shares) * rare / 2
    half = jnp.sqrt(lean**2 + (1 - shares) * rare)
    safe = jnp.where(half > 0, half, 1.0)
    above = jnp.where(half > 0, (safe - lean) / (2 * safe), 0.5)
    low = (1 - 1 / drawn) / (1 + lean + half)  # 1 + lean - half without cancellation
    values = jnp.stack([low, 1 + lean + half], axis=-1)
    return shares[:, None] * values, jnp.stack([1 - above, above], axis=-1)


def _at(trace: Array, world: _World) -> _At:
    """Solve for Y, from below: the equation is increasing and concave in it.

    The last step of Newton has the derivatives of the root; those before it need none.
    """

    def pulls(trace: Array, world: _World) -> tuple[Array, Array]:
        quiet = 1 + trace * world.spread / world.prompts
        return quiet, world.dimension * world.shares * world.kinds * world.signal

    def equation(y: Array, trace: Array, world: _World) -> tuple[Array, Array]:
        quiet, most = pulls(trace, world)
        total = quiet + world.signal * y[..., None] / world.prompts  # 1 + e
        pull = most / total
        value = y / trace + y * jnp.sum(pull, axis=-1) - 1
        return value, 1 / trace + jnp.sum(pull * quiet / total, axis=-1)

    def climbed(y: Array, trace: Array, world: _World) -> Array:
        value, slope = equation(y, trace, world)
        return y - value / slope

    def search(trace: Array, world: _World) -> Array:
        quiet, most = pulls(trace, world)
        begin = 1 / (1 / trace + jnp.sum(most / quiet, axis=-1))

        def on(state: tuple[Array, Array, Array]) -> Array:
            step, before, y = state
            return (step < STEPS) & jnp.any(y > before * (1 + RISE))

        def climb(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            step, _, y = state
            return step + 1, y, climbed(y, trace, world)

        return lax.while_loop(on, climb, (jnp.asarray(0), jnp.zeros_like(begin), begin))[2]

    y = climbed(search(*lax.stop_gradient((trace, world))), trace, world)
    e = (world.signal * y[..., None] + trace * world.spread) / world.prompts
    return _At(world.kinds / (1 + e), e, y / trace, equation(y, trace, world)[0])


def _mean(values: Array, chances: Array) -> Array:
    """Average over the two numbers of prompts of each task."""
    return jnp.sum(values * chances, axis=-1)


@needs_float64
@jax.jit
def drawn_tasks(
    shares: Float[Array, " k"],
    dimension: Any,
    prompts: Any,
    ridge: Any,
    lengths: Float[Array, " q"],
    kinds: Contexts,
    drawn: Any = jnp.inf,
) -> DrawnTasks:
    r"""What is missing of the response to every task trained on, and to a new one.

    .. math:: f = \gamma\nu + \gamma \sum_j \delta_j D_j, \qquad
        m_j = \mathrm E\Bigl[D_j f + (1 - D_j) \frac{\delta_j}{A_j}\Bigr], \qquad
        \delta_j = \sum \frac{\hat p_j (a - g)}{1 + e}, \qquad
        \nu = \lambda + \sum \frac{\hat p\,b}{1 + e}

    Args:
        shares: p_j, chances of the tasks, > 0; they add up to 1.
        dimension: d.
        prompts: tau, prompts over d^2.
        ridge: lambda, penalty a prompt.
        lengths: shares of the kinds, (q,), as ``sized_contexts`` returns.
        kinds: contexts and queries of each, arrays (q,).
        drawn: prompts whose tasks were drawn; infinite if every task has its very share.

    Regime: limit d -> infinity at fixed k/d, l/d, tau, shares of order 1/d; of the corrections of
    order 1/d those that lengths of prompts and numbers drawn make are in it.

    Limits: one kind and no draw are ``unequal_tasks``.

    Source: derived here (docs/attention/in_context.md).

    >>> from ci_theory.theory.attention.prompt_sizes import sized_contexts
    >>> sizes = sized_contexts(16.0, 32.0, 0.25, 0.25)
    >>> made = drawn_tasks(jnp.array([0.7, 0.3]), 16.0, 2.0, 0.1, *sizes, drawn=512.0)
    >>> print(f"{float(made.fresh):.4f}", *(f"{float(v):.4f}" for v in made.missing))
    0.8896 0.0668 0.1411
    """
    share = jnp.asarray(shares, float)
    d, tau, ridge, drawn = (jnp.asarray(v, float) for v in (dimension, prompts, ridge, drawn))
    lengths, signal, spread, aligned = (
        jnp.asarray(v, float)[None, None, :]
        for v in (lengths, kinds.signal, kinds.spread, kinds.aligned)
    )
    asked = (ridge >= 0) & (tau > 0) & jnp.all(share > 0) & (drawn >= 1)
    exists = (ridge > 0) | (tau > 1)
    fine = asked & exists
    share = jnp.where(fine, share, 1 / share.size)
    met, chances = _met(share, jnp.where(fine, drawn, jnp.inf))
    tau, ridge = jnp.where(fine, tau, 2.0), jnp.where(fine, ridge, 1.0)
    world = _World(met[..., None], lengths, signal, spread, d, tau, ridge)

    def surplus(trace: Array, world: _World) -> Array:
        at = _at(trace, world)
        used = _mean(jnp.sum(world.shares * at.each * at.used, axis=-1), chances)
        return trace * world.ridge + world.prompts * jnp.sum(used) - 1

    # bounds as of ``unequal_tasks``, with the mean kind below and the least spread above
    low = 1 / (ridge + jnp.sum(lengths * (signal + spread)))
    room = jnp.where(ridge > 0, 1 / jnp.where(ridge > 0, ridge, 1.0), jnp.inf)
    many = tau / (jnp.min(spread) * jnp.where(tau > 1, tau - 1, 1.0))
    high = jnp.minimum(room, jnp.where(tau > 1, many, jnp.inf))
    root = log_root(surplus, 0.5 * low, 2 * high, world)
    trace = root.value
    at = _at(trace, world)
    short = jnp.sum(at.each * (signal - aligned), axis=-1)
    lost = short / jnp.sum(at.each * signal, axis=-1)  # delta/A
    nu = ridge + jnp.sum(_mean(met * jnp.sum(at.each * spread, axis=-1), chances))
    fresh = trace * (nu + jnp.sum(_mean(met * short * at.left, chances)))
    missing = _mean(at.left * fresh + (1 - at.left) * lost, chances)
    climbed = jnp.max(jnp.abs(at.off)) < CLOSE
    number = jnp.where(fine, 1.0, jnp.nan)
    solved = jnp.where(climbed, root.status, Status.NOT_CONVERGED)
    status = jnp.where(asked, jnp.where(exists, solved, Status.NOT_FINITE), Status.OUT_OF_SCOPE)
    return DrawnTasks(
        missing=missing * number,
        fresh=fresh * number,
        left=_mean(at.left, chances) * number,
        status=status.astype(int),
    )
