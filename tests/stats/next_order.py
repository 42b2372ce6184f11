"""The term of relative order 1/size of every error of weighted ridge on Gaussian rows.

With G = (X'CX + M)^-1 and M = ridge + t S + u ww', second derivatives of log det(X'CX + M) are
minus w'GSGw, minus x_i'GSGx_i, minus (w'Gx_i)^2 and minus (x_i'Gx_j)^2: all that errors and
residuals are made of. The mean of that function is known to leading and to next order (a saddle
point in two variables and the Gaussian integral around it), so the derivatives give both orders.
Nothing here uses the package's equations.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def _saddle(lam, many, penalty, counts, weights):
    """Solve for (rho, tau): X'CX acts like rho S, and x'Gx like tau; differentiable."""

    def tau(rho, m):
        return jnp.sum(many * lam / (rho * lam + m))

    def surplus(x, m, c):
        t = tau(jnp.exp(x), m)
        return jnp.sum(counts * c * t / (1 + c * t)) - jnp.exp(x) * t

    fixed_m, fixed_c = jax.lax.stop_gradient(penalty), jax.lax.stop_gradient(weights)

    def halve(_, ends):
        middle = (ends[0] + ends[1]) / 2
        up = surplus(middle, fixed_m, fixed_c) > 0
        return jnp.where(up, middle, ends[0]), jnp.where(up, ends[1], middle)

    top = jnp.log(jnp.sum(counts * fixed_c))
    low, high = jax.lax.fori_loop(0, 70, halve, (top - 35, top + 0.1))
    x = jax.lax.stop_gradient((low + high) / 2)
    slope = jax.lax.stop_gradient(jax.grad(surplus)(x, fixed_m, fixed_c))
    for _ in range(2):  # two steps from the root carry second derivatives
        x = x - surplus(x, penalty, weights) / slope
    return jnp.exp(x), tau(jnp.exp(x), penalty)


def _energy(moves, order, lam, many, power, ridge, counts, weights):
    """Mean of log det(X'CX + M), leading (0) or next (1) order, moved by (t, u, weights)."""
    penalty = ridge + moves[0] * lam + moves[1] * power / many
    c = weights + moves[2:]
    rho, tau = _saddle(lam, many, penalty, counts, c)
    if order == 0:
        own = jnp.sum(many * jnp.log(rho * lam + penalty))
        return own + jnp.sum(counts * jnp.log1p(c * tau)) - rho * tau
    second = jnp.sum(many * (lam / (rho * lam + penalty)) ** 2)
    return 0.5 * jnp.log1p(-second * jnp.sum(counts * (c / (1 + c * tau)) ** 2))


@functools.partial(jax.jit, static_argnums=0)
def errors(order, lam, many, power, ridge, counts, weights, noise):
    """Excess risk and residuals at one order, split by their cause.

    Args:
        order: 0 leading, 1 next.
        lam: eigenvalues, (k,); ``many`` of each, (k,); ``power`` of the target w on each, (k,).
        ridge: total ridge.
        counts: rows of each group, (g,); ``weights`` of each row; ``noise`` of its label.

    Returns:
        Of the excess risk: ``signal`` and ``noise``; of the squared residuals, summed over the
        rows of each group: ``held_signal`` and ``held_noise``, (g,); ``hat``: the trace of the
        hat matrix of each group, (g,).
    """
    energy = functools.partial(
        _energy,
        order=order,
        lam=lam,
        many=many,
        power=power,
        ridge=ridge,
        counts=counts,
        weights=weights,
    )
    start = jnp.zeros(2 + len(counts))
    slope, curve = jax.jacfwd(energy)(start), jax.jacfwd(jax.jacfwd(energy))(start)
    spread = noise * weights**2
    own = noise * counts if order == 0 else 0.0
    return {
        "signal": -(ridge**2) * curve[0, 1],
        "noise": -curve[0, 2:] @ spread,
        "held_signal": -(ridge**2) * curve[1, 2:],
        "held_noise": own - 2 * noise * weights * slope[2:] - curve[2:, 2:] @ spread,
        "hat": weights * slope[2:],
    }


def simulated(lam, power, ridge, counts, weights, noise, replicates=4000):
    """Do the same by drawing rows: a table (replicates, 2 + 3 g) in the order of ``errors``."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(len(counts)), counts)
    c, v, p = weights[group], noise[group], len(lam)
    table = []
    for _ in range(replicates):
        x = rng.normal(size=(len(c), p)) * np.sqrt(lam)
        g = np.linalg.inv(x.T @ (c[:, None] * x) + ridge * np.eye(p))
        left, k = ridge * g @ np.sqrt(power), x @ g @ x.T
        held = v * (1 - 2 * c * np.diag(k)) + k**2 @ (v * c**2)
        per_row = np.stack([(x @ left) ** 2, held, c * np.diag(k)])
        sums = [[row[group == i].sum() for i in range(len(counts))] for row in per_row]
        fitted = np.sum(((x @ g) ** 2 * lam).sum(axis=1) * v * c**2)
        table.append([lam @ left**2, fitted, *np.ravel(sums)])
    return np.array(table)
