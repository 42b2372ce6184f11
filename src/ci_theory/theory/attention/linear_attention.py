r"""Linear attention trained on few tasks: what it makes of those, and of new ones.

A prompt holds l pairs (x_i, y_i), x ~ N(0, I/d), :math:`y = x \cdot w + \epsilon`, of one of k
tasks with :math:`|w|^2 = d`, and a query. Linear attention answers :math:`\hat y = x_q' \Gamma h`
with :math:`h = \frac dl \sum_i y_i x_i`; Gamma is fitted by ridge regression on n prompts, which
are rows :math:`x_q \otimes h` of dimension d^2 whose covariance, given the tasks, is

.. math:: \tfrac1d I \otimes (a R + b), \qquad R = \frac1k \sum_j w_j w_j', \qquad
    a = s^2 + \frac{2 - s^2}{l}, \qquad b = \frac dl (1 + \rho),

with s the mean sign of a label in the context. So prompts of several kinds (noisy contexts, flipped
labels, copies) are sources of ``inheritance.mixture`` that share a basis, that of R, and differ in
a, b, the alignment g of query and context labels, and the mean square of the query label.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.attention.task_spectrum import TaskTraces, task_traces
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.sources import Rows, Traces, solve_sources

__all__ = ["Attention", "Contexts", "Prompts", "contexts", "linear_attention"]


@record
class Contexts:
    """What a context and its query are, to second order; numbers, or one of each kind (g,).

    Attributes:
        signal: a, coefficient of R in the second moment of h.
        spread: b, its isotropic part.
        aligned: g, where the mean of y_q x_q h' is g R / d.
        label: mean square of the query's label.
    """

    signal: Any
    spread: Any
    aligned: Any
    label: Any


@needs_float64
def contexts(
    ratio: Any,
    noise: Any,
    query_noise: Any,
    flipped_queries: Any = 0.0,
    flipped_tokens: Any = 0.0,
    length: Any = jnp.inf,
) -> Contexts:
    r"""Moments of contexts with label noise and flipped signs.

    .. math:: a = s^2 + \frac{2 - s^2}{l}, \quad b = \frac{1 + \rho}\alpha, \quad
        g = (1 - 2p)\,s, \quad \mathrm E y_q^2 = 1 + \rho_q, \qquad s = 1 - 2f

    Args:
        ratio: alpha, pairs of a context per dimension, > 0.
        noise: rho, variance of the label noise in the context.
        query_noise: rho_q, of the label noise of the query.
        flipped_queries: p, share of the prompts whose query's label has the wrong sign, in [0, 1];
            whole contexts with the wrong sign are the same.
        flipped_tokens: f, share of the labels in a context with the wrong sign, in [0, 1].
        length: l, pairs of a context; infinite leaves out what is of order 1/l.

    Regime: exact for tasks of squared norm d. Source: fourth moments of Gaussian inputs.

    >>> made = contexts(2.0, 0.5, 0.5, length=32.0)
    >>> print(made.signal, made.spread, made.aligned, made.label)
    1.03125 0.75 1.0 1.5
    """
    ratio, noise, query = (jnp.asarray(v, float) for v in (ratio, noise, query_noise))
    sign = 1 - 2 * jnp.asarray(flipped_tokens, float)
    return Contexts(
        signal=sign**2 + (2 - sign**2) / jnp.asarray(length, float),
        spread=(1 + noise) / ratio,
        aligned=(1 - 2 * jnp.asarray(flipped_queries, float)) * sign,
        label=1 + query,
    )


@record
class Prompts:
    """Kinds of prompts that a model is trained on.

    Attributes:
        counts: distinct prompts of each kind over d^2, (g,).
        weights: copies of each, (g,).
        contexts: what they are, arrays (g,).
        ridge: total ridge on the squared norm of Gamma, over d: lambda tau with lambda a prompt.
    """

    counts: Float[Any, " g"]
    weights: Float[Any, " g"]
    contexts: Contexts
    ridge: Float[Any, ""]


class Attention(NamedTuple):
    """Errors of a trained linear attention [label^2].

    Attributes:
        trained_error: mean squared error on the trained tasks, label noise of the test included.
        fresh_error: likewise on new tasks.
        trained_spread: what of ``trained_error`` is due to the spread of Gamma about its mean.
        fresh_spread: likewise of ``fresh_error``.
        held_out: error on a new prompt of each kind, on its own label, (g,).
        strength: cb; the mean of Gamma is cb R (R + nu)^-1.
        nu: effective ridge on the tasks' spectrum.
        traces: means over that spectrum.
        free: share of the prompts left to average over, 1 - df2/tau if they are of one kind.
        status: OK, NOT_CONVERGED; NOT_FINITE without a ridge for d^2 prompts or fewer;
            OUT_OF_SCOPE for counts or a ridge < 0.
    """

    trained_error: Scalar
    fresh_error: Scalar
    trained_spread: Scalar
    fresh_spread: Scalar
    held_out: Float[Array, " g"]
    strength: Scalar
    nu: Scalar
    traces: TaskTraces
    free: Scalar
    status: Int[Array, ""]


def _pairs(at: TaskTraces, signal: Array, spread: Array) -> Array:
    """Return the mean of (a_g lambda + b_g)(a_h lambda + b_h)/(lambda + nu)^2, (g, g)."""
    both = signal[:, None] * spread[None, :]
    pairs = signal[:, None] * signal[None, :] * at.kept2 + (both + both.T) * at.mixed
    return pairs + spread[:, None] * spread[None, :] * at.inverse2


@needs_float64
@jax.jit
def linear_attention(prompts: Prompts, diversity: Any, test: Contexts) -> Attention:
    r"""Errors on trained and on new tasks of linear attention fitted to prompts of several kinds.

    .. math::
        \omega_g = \frac{N_g c_g}{1 + c_g e_g}, \quad
        \Omega = \sum_g \omega_g a_g, \quad
        \nu = \frac{\delta + \sum_g \omega_g b_g}{\Omega}, \quad
        e_g = \frac1\Omega \Bigl\langle \frac{a_g \lambda + b_g}{\lambda + \nu} \Bigr\rangle, \quad
        \bar\Gamma = \frac{\sum_g \omega_g g_g}{\Omega}\, R (R + \nu)^{-1}

    .. math::
        E = \mathrm E y^2 - 2 g \langle \bar\Gamma \lambda \rangle
        + \langle (a \lambda + b)\,(\bar\Gamma^2 + V) \rangle, \quad
        V = \frac{\sum_h N_h t_h^2 E_h (a_h \lambda + b_h)}{\Omega^2 (\lambda + \nu)^2}, \quad
        t_g = \frac{c_g}{1 + c_g e_g}

    with means over the spectrum of R for trained tasks; for new ones lambda is 1 where it stands
    for the task tested, outside Gamma and V.

    Args:
        prompts: what it is trained on.
        diversity: kappa = k/d, tasks per dimension, each in equally many prompts.
        test: contexts and queries of the test.

    Regime: limit d -> infinity at fixed l/d, k/d, n/d^2; relative corrections of order 1/d.

    Limits: one kind of prompt without copies is the paper's result; kappa -> infinity treats
    trained and new tasks alike; ridge -> infinity answers 0: both errors are the label's square.

    Source: Lu, Letey, Zavatone-Veth, Maiti, Pehlevan 2025 (PNAS 122, arXiv:2405.11751) for one
    kind; several kinds, copies and flips derived here (docs/attention/in_context.md).

    >>> clean = contexts(2.0, 0.25, 0.25)
    >>> for count in (0.5, 1.0, 2.0):
    ...     kinds = jax.tree.map(lambda v: v[None], clean)
    ...     made = linear_attention(Prompts(counts=jnp.array([count]), weights=jnp.ones(1),
    ...         contexts=kinds, ridge=0.1 * count), 2.0, clean)
    ...     print(f"{float(made.trained_error):.4f} {float(made.fresh_error):.4f}")
    1.3410 1.4776
    1.4958 1.7276
    0.9740 1.1604
    """
    kinds = jax.tree.map(lambda v: jnp.asarray(v, float), prompts.contexts)
    test = jax.tree.map(lambda v: jnp.asarray(v, float), test)
    counts, ridge = jnp.asarray(prompts.counts, float), jnp.asarray(prompts.ridge, float)
    rows = Rows(
        counts=counted(counts),
        weights=jnp.asarray(prompts.weights, float),
        noise=jnp.zeros_like(counts),
        ridge=ridge,
        asked=(ridge >= 0) & jnp.all(counts >= 0) & jnp.all(jnp.asarray(prompts.weights) >= 0),
    )

    def seen(omega: Array) -> tuple[Array, Array, TaskTraces]:
        whole = jnp.sum(omega * kinds.signal)
        nu = (ridge + jnp.sum(omega * kinds.spread)) / whole
        return whole, nu, task_traces(nu, diversity)

    def resolve(omega: Array) -> Traces:
        whole, _, at = seen(omega)
        traces = (kinds.signal * at.kept + kinds.spread * at.inverse) / whole
        return Traces(traces, _pairs(at, kinds.signal, kinds.spread) / whole**2, whole)

    solved = solve_sources(rows, resolve, kinds.signal + kinds.spread, jnp.ones(()))
    whole, nu, at = seen(solved.omega)
    strength = jnp.sum(solved.omega * kinds.aligned) / whole

    def missed(context: Contexts) -> Array:
        """Return the error of the mean of Gamma on trained tasks."""
        bias = context.label - 2 * context.aligned * strength * at.signal
        moved = context.signal * at.signal2 + context.spread * at.kept2
        return bias + strength**2 * moved

    own = missed(kinds)
    held_out = jnp.linalg.solve(jnp.eye(len(own)) - solved.coupling, own)
    pull = solved.pull
    load = rows.counts * pull**2 * held_out / whole**2
    a, b = jnp.sum(load * kinds.signal), jnp.sum(load * kinds.spread)
    on_tasks = a * at.kept2 + b * at.mixed
    everywhere = a * at.mixed + b * at.inverse2
    trained_spread = test.signal * on_tasks + test.spread * everywhere
    fresh_spread = (test.signal + test.spread) * everywhere
    fresh = test.label - 2 * test.aligned * strength * at.kept
    fresh = fresh + (test.signal + test.spread) * strength**2 * at.kept2 + fresh_spread
    number = solved.number
    return Attention(
        trained_error=(missed(test) + trained_spread) * number,
        fresh_error=fresh * number,
        trained_spread=trained_spread * number,
        fresh_spread=fresh_spread * number,
        held_out=held_out * number,
        strength=strength * number,
        nu=nu * number,
        traces=at,
        free=jnp.min(jnp.where(rows.counts > 0, own / held_out, 1.0)) * number,
        status=solved.status.astype(int),
    )
