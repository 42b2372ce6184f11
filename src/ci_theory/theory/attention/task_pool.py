r"""Bayes for prompts of finitely many tasks, and how many it takes until it might as well be ridge.

Tasks w ~ N(0, I), inputs x ~ N(0, I/d), l pairs y = x.w + noise of variance rho. Who knows that the
task is one of k that were drawn answers with

.. math:: \hat w = \sum_j w_j \frac{e^{-|y - X w_j|^2/2\rho}}{\sum_i e^{-|y - X w_i|^2/2\rho}} ;

who knows the law of the tasks only, with the ridge estimate m, the mean of the posterior
N(m, 1/Lambda), :math:`\Lambda = 1 + X'X/\rho`. The pool is a sample of the prior: w-hat is m with
importance weights :math:`r_j = p(w_j | y)/p(w_j)`. On new tasks it loses
:math:`\mathrm E|\hat w - m|^2/d` to ridge exactly; on its own it gains
:math:`\mathrm E\,\bar r\,|\hat w - m|^2/d`, with the mean weight of the pool.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, logsumexp

from ci_theory._types import Array, Float, Key, Scalar, needs_float64

__all__ = ["PoolErrors", "average_pool", "log_pool_size", "pool_mean"]


class PoolErrors(NamedTuple):
    """Mean squared errors of Bayes, each with its standard error in the same place.

    Attributes:
        trained: on tasks of the pool, which is known.
        fresh: on new tasks, taken for tasks of the pool.
        ridge: of ridge, on any task.
        gain: ridge - trained, with the error of the difference.
        loss: fresh - ridge, likewise.
    """

    trained: Any
    fresh: Any
    ridge: Any
    gain: Any
    loss: Any

    def share(self) -> Scalar:
        """Return the share of new tasks in use from which on ridge errs less.

        >>> print(PoolErrors(0.4, 0.8, 0.5, gain=0.1, loss=0.3).share())
        0.25
        """
        return self.gain / (self.gain + self.loss)


def pool_mean(
    pool: Float[Array, "k d"], x: Float[Array, "l d"], y: Float[Array, " l"], noise: Any
) -> tuple[Float[Array, " d"], Scalar]:
    """Return the posterior mean of a task of the pool and the squared spread about it.

    Args:
        pool: the tasks, equally likely.
        x: inputs of the context.
        y: its labels.
        noise: rho, > 0.

    >>> pool, x = jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([[1.0, 0.0]])
    >>> mean, spread = pool_mean(pool, x, jnp.array([0.5]), 0.5)
    >>> print(f"{float(mean[0]):.4f} {float(spread):.4f}")  # tanh 1
    0.7616 0.4200
    """
    missed = jnp.sum((y[None, :] - pool @ x.T) ** 2, axis=1)
    chance = jax.nn.softmax(-missed / (2 * noise))
    mean = chance @ pool
    return mean, jnp.sum(chance * jnp.sum((pool - mean[None, :]) ** 2, axis=1))


@partial(jax.jit, static_argnums=(1, 2, 3, 5, 6))
def _draws(key: Key, k: int, d: int, pairs: int, noise: Any, draws: int, at_once: int) -> Array:
    """Return trained, fresh and ridge of every draw, less rho, (draws, 3)."""

    def one(own: Key) -> Array:
        tasks, inputs, label, other = jax.random.split(own, 4)
        pool = jax.random.normal(tasks, (k, d))
        x = jax.random.normal(inputs, (pairs, d)) / jnp.sqrt(d)
        posterior = jnp.linalg.inv(jnp.eye(d) + x.T @ x / noise)
        fresh, *errors = jax.random.normal(other, (2, max(d, pairs)))
        error = jnp.sqrt(noise) * errors[0][:pairs]
        _, spread = pool_mean(
            pool, x, x @ pool[0] + jnp.sqrt(noise) * jax.random.normal(label, (pairs,)), noise
        )
        y = x @ fresh[:d] + error
        moved = pool_mean(pool, x, y, noise)[0] - posterior @ x.T @ y / noise
        ridge = jnp.trace(posterior)
        return jnp.stack([spread, ridge + jnp.sum(moved**2), ridge]) / d

    return jax.lax.map(one, jax.random.split(key, draws), batch_size=at_once)


@needs_float64
def average_pool(
    key: Key, k: int, d: int, pairs: int, noise: float, draws: int
) -> tuple[PoolErrors, PoolErrors]:
    """Average Bayes over pools, prompts and labels: an estimate, with its standard error.

    The rest is exact: over the task given the labels, and the part of ridge in the error on new
    tasks.

    Args:
        key: whatever is drawn comes from it.
        k: tasks of a pool.
        d: input dimension.
        pairs: l.
        noise: rho, > 0.
        draws: pools, with one prompt of a task in it and one of a new task each.

    Returns:
        The means and their standard errors.

    >>> mean, error = average_pool(jax.random.key(0), 1, 4, 8, 0.25, 200)
    >>> float(mean.trained), float(error.trained)  # the only task there is
    (0.25, 0.0)
    """
    at_once = max(1, min(draws, 2**18 // (k * d)))
    trained, fresh, ridge = _draws(key, k, d, pairs, noise, draws, at_once).T
    every = (trained + noise, fresh + noise, ridge + noise, ridge - trained, fresh - ridge)
    spreads = [jnp.std(v, ddof=1) / jnp.sqrt(draws) for v in every]
    return PoolErrors(*(jnp.mean(v) for v in every)), PoolErrors(*spreads)


@needs_float64
def log_pool_size(d: int, pairs: int, noise: Any) -> Scalar:
    r"""Logarithm of the number K of tasks from which on a pool resembles the law of its tasks.

    .. math:: K = \frac1d\,\mathrm E\bigl[\det\Lambda\;\mathrm{tr}\,\Lambda^{-1}\bigr]
        = \sum_j \binom{d-1}{j} \frac{l!}{(l-j)!\,(\rho d)^j}, \qquad
        E_{fresh} = E_{ridge} + \frac Kk + \dots, \quad E_{trained} = E_{ridge} - \frac Kk + \dots

    Given the inputs, the mean over labels and prior of :math:`r^2 |w - m|^2` is
    :math:`\det\Lambda\,\mathrm{tr}\,\Lambda^{-1}`; minors of X'X have falling factorials for their
    means. K grows exponentially in d: linear attention, which answers for tasks that it has not met
    from k ~ d tasks on, is far from Bayes in between.

    Args:
        d: input dimension, >= 1.
        pairs: l, >= 0.
        noise: rho, > 0.

    Regime: K exact; the errors for k -> infinity at fixed d and l, reached from below, and slowly
    where contexts tell much: rare tasks of large norm make K. At d = 6, l = 3, rho = 2 the loss is
    0.80, 0.88, 0.91 of K/k for k = 19, 74, 300 K.

    Limits: no pairs K = 1, the mean of a pool is off by 1/k.

    Source: derived here (docs/attention/in_context.md); both predictors: Raventos, Paul, Chen,
    Ganguli 2023 (arXiv:2306.15063).

    >>> print(f"{float(jnp.exp(log_pool_size(3, 4, 1.0))):.6f}")  # 1 + 2 4/3 + 4 3/9
    5.000000
    """
    j = jnp.arange(min(d - 1, pairs) + 1.0)
    chosen = gammaln(d) - gammaln(j + 1) - gammaln(d - j)
    falling = gammaln(pairs + 1.0) - gammaln(pairs - j + 1)
    return logsumexp(chosen + falling - j * jnp.log(noise * d))
