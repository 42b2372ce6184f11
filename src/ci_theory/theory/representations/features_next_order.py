r"""What a probe on noisy features adds to its limit at finite size: the next order, of both stages.

Downstream it is that of ridge regression (``ridge_next_order``), whose sums over modes here are
derivatives in kappa of the trace T and of the entries A of the resolvent of the features.

Upstream T has its next order already. For the entry along the signal let z = (sigma, phi), where
sigma is what the noise adds to k for a row and phi what it adds to 1 for a head. The mean of
log det(W W' + k + u s s') is stationary in z of

.. math:: F = d\log(k + \sigma) + c\log(1 + \phi) - \frac{\sigma\phi}{\tau} + L
    + \tfrac12\log\det H, \qquad
    L = \log\frac{k + u + \sigma + x(1 + V a^2)/(1 + \phi)}{k + \sigma} - \frac{cV}{2} a^2

with H the curvature of the first three terms, a = phi/(1 + phi), and V the variance of the squared
length of a head's noise beyond that of Gaussian noise: V = [1/(q (1 - q)) - 6]/n, flips being few.
L and log det H are of order 1 beside the rest. So the mean moves by

.. math:: -\tfrac12 L_z' H^{-1} L_z + \tfrac12 \mathrm{tr}\,H^{-1} L_{zz}
    - L_z' H^{-1} (\tfrac12\log\det H)_z

of which the derivative in u is the next order of A, and by -c V a^2/2, whose derivative in k is
that of T.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._types import Array, Float, Number, Numbers, Scalar, needs_float64
from ci_theory.theory.representations.noisy_features import Features, Probe, Task, mixed
from ci_theory.theory.ridge.ridge_next_order import Sums, moved_mean, moved_risk
from ci_theory.theory.spectra.spiked import Resolvent, Spiked, resolvent

__all__ = ["NextProbe", "next_probe", "resolvent_shift", "uneven_heads"]


_NODES = 0.6 * np.cos(np.pi * (np.arange(9) + 0.5) / 9)  # in log k; derivatives to 1e-8
_TAYLOR = np.linalg.inv(np.vander(_NODES, increasing=True))[:4] * np.array([[1], [1], [2], [6]])


class NextProbe(NamedTuple):
    """Parts of the excess risk of a probe in the limit, and by how much their means exceed them.

    Attributes:
        parts: of the in-domain excess risk by label noise, named and unnamed target [label^2].
        shifts: their next orders.
        learned: share of the unnamed target that the mean fit has.
        learned_shift: its next order.
        free: n - df2, rows left downstream.
        left: max(d, c)(1 - q), what is left upstream.
        room: in which orders count: 1/free, and upstream sqrt(q/(d c))/(1 - q).
    """

    parts: Float[Array, "*b 3"]
    shifts: Float[Array, "*b 3"]
    learned: Scalar
    learned_shift: Scalar
    free: Scalar
    left: Scalar
    room: Scalar

    def elsewhere(self, unnamed: Number, kept: Number) -> tuple[Array, Array]:
        """Return shifts and parts where the unnamed target, of square b^2, is kept times itself."""
        away = unnamed * (kept - 1)
        part = self.parts[..., 2] + away * (kept + 1 - 2 * self.learned)
        shift = self.shifts[..., 2] - 2 * away * self.learned_shift
        return self.shifts.at[..., 2].set(shift), self.parts.at[..., 2].set(part)


@needs_float64
def uneven_heads(n: Number, flips: Numbers) -> Float[Array, "..."]:
    """Return V, the variance of a head's squared noise that flips have beyond Gaussian noise.

    It is the excess kurtosis of a flip over n: large for few flips, below 0 for many.

    Args:
        n: upstream rows.
        flips: q in [0, 1/2]; 0 without flips, where there is no noise.

    >>> print(f"{uneven_heads(1000, 0.01):.4f} {uneven_heads(1000, 0.5):.4f}")
    0.0950 -0.0020
    """
    n, flips = jnp.asarray(n, float), jnp.asarray(flips, float)
    both = flips * (1 - flips)
    return (1 - 6 * both) / jnp.where(both > 0, n * both, jnp.inf)


@needs_float64
@jax.jit
def next_probe(features: Features, task: Task, fitted: Probe, uneven: Number) -> NextProbe:
    """Evaluate the parts of a probe's risk and their next order.

    Args:
        features: inherited, frozen.
        task: the task and its probe.
        fitted: ``probe`` of both.
        uneven: V, from ``uneven_heads``.

    Regime: Gaussian rows downstream; what is left out is of relative order 1/free^2, 1/left^2,
    1/(upstream rows) and V^2.

    Source: derived here, docs/representations/noisy_features.md.

    >>> from ci_theory.theory.representations.noisy_features import flipped_heads, probe
    >>> task = Task(n=60.0, ridge=1.2, noise=0.6, named=1.0, unnamed=0.4)
    >>> features = flipped_heads(30.0, 24.0, 400.0, 0.1, 3.0)
    >>> made = next_probe(features, task, probe(features, task), uneven_heads(400.0, 0.1))
    >>> print(f"{made.parts[2]:.4f} {made.shifts[2]:.4f}")
    0.2595 0.0010
    >>> print(f"{made.learned:.4f} {made.learned_shift:.4f}")
    0.2593 -0.0013
    """
    weights = jax.tree.map(lambda value: jnp.asarray(value, float), features.weights)
    n, d, kappa = jnp.asarray(task.n, float), weights.rows, fitted.kappa
    uneven = jnp.asarray(uneven, float)

    def entries(k: Scalar) -> tuple[Scalar, ...]:
        at = resolvent(weights, k)
        moved = jax.jvp(partial(_beyond, weights, k, at, uneven), (jnp.zeros(()),), (jnp.ones(()),))
        return at.trace, at.along, *moved

    trace, along, beyond, along_shift = (
        _derivatives(values, kappa) for values in jax.vmap(entries)(kappa * jnp.exp(_NODES))
    )
    free = n - fitted.df2
    pull = -(kappa**2) * beyond[1] / free  # what the shift of T makes of kappa
    at = kappa, trace[:2], along[:2]
    pulled = [
        (pull * f[1] + shift[0], pull * f[2] + shift[1])
        for f, shift in ((trace, beyond[1:]), (along, along_shift))
    ]

    def parts(k: Scalar, trace: Any, along: Any) -> tuple[Array, Scalar]:
        _, across = mixed(features.overlap, d, trace[0], along[0])
        slopes = mixed(features.overlap, d, trace[1], along[1])
        df2 = d - 2 * k * trace[0] - k**2 * trace[1]
        left = 1 - df2 / n
        named, unnamed = (-(k**2) * slope / left for slope in slopes)
        noise = task.noise * df2 / n / left
        return jnp.stack([noise, task.named * named, task.unnamed * unnamed]), 1 - k * across

    value, upstream = jax.jvp(parts, at, (pull, *pulled))

    every, own = _missed(trace, kappa), _missed(along, kappa)
    named, unnamed = zip(
        *(mixed(features.overlap, d, *pair) for pair in zip(every, own, strict=True)), strict=True
    )
    sums = Sums(
        n=n,
        squares=d - 2 * every[0] + every[1],
        cubes=d - 3 * every[0] + 3 * every[1] - every[2],
        fourths=d - 4 * every[0] + 6 * every[1] - 4 * every[2] + every[3],
    )
    moved = [moved_risk(sums, _forgotten(target), 1.0) for target in (named, unnamed)]
    mean = moved_mean(sums, (unnamed[0] - unnamed[1], unnamed[0] - 2 * unnamed[1] + unnamed[2]))
    c = weights.columns
    taken = fitted.resolvent.response / (1 + fitted.resolvent.response)
    rest = 1 - c / d * taken**2
    downstream = (
        task.noise * moved[0].noise_shift,
        task.named * moved[0].signal_shift,
        task.unnamed * moved[1].signal_shift,
    )
    return NextProbe(
        parts=value[0],
        shifts=upstream[0] + jnp.stack(downstream),
        learned=value[1],
        learned_shift=upstream[1] - mean,
        free=free,
        left=jnp.maximum(d, c) * rest,
        room=1 / free + taken / (d * rest),
    )


@needs_float64
def resolvent_shift(weights: Spiked, k: Number, uneven: Number) -> tuple[Scalar, Scalar]:
    """Return the next order of the trace of a resolvent, and of its entry along the signal.

    Of the trace, which has that of Gaussian noise, only what uneven columns add is complete.

    Args:
        weights: the matrix.
        k: shift, > 0 [W^2].
        uneven: V, variance of the squared length of a column's noise beyond that of Gaussian noise.

    Regime: as ``next_probe``.

    Source: derived here (docs/representations/noisy_features.md).

    >>> weights = Spiked(rows=10.0, columns=6.0, strength=1.0, noise=0.1)
    >>> print(f"{resolvent_shift(weights, 0.3, 0.0)[1]:.4f}")  # 30 000 draws: 0.046(3)
    0.0515
    """
    zero, uneven = jnp.zeros(()), jnp.asarray(uneven, float)

    def moved(k: Scalar, u: Scalar) -> Scalar:
        return _beyond(weights, k, resolvent(weights, k), uneven, u)

    return jax.grad(moved, (0, 1))(jnp.asarray(k, float), zero)


def _derivatives(values: Array, k: Scalar) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Return f, f', f'' and the third at k, by the polynomial in log k through values."""
    f, first, second, third = _TAYLOR @ values
    return f, first / k, (second - first) / k**2, (third - 3 * second + 2 * first) / k**3


def _missed(f: tuple[Scalar, ...], k: Scalar) -> tuple[Scalar, ...]:
    """Return the sums of y^j, j = 1 to 4, y = k/(s + k), from what ``_derivatives`` gives."""
    return k * f[0], -(k**2) * f[1], k**3 * f[2] / 2, -(k**4) * f[3] / 6


def _forgotten(target: tuple[Scalar, ...]) -> tuple[Scalar, Scalar, Scalar]:
    """Return the sums of x^j y^2, j = 0 to 2, x = 1 - y."""
    _, two, three, four = target
    return two, two - three, two - 2 * three + four


def _beyond(weights: Spiked, k: Scalar, at: Resolvent, uneven: Scalar, u: Scalar) -> Scalar:
    """Return what uneven heads and the order 1/d add to the mean of log det.

    The derivatives of both terms stand here by hand: JAX takes thousands of equations to find them.
    """
    d, c, tau = weights.rows, weights.columns, weights.noise
    x, y = c * tau / (1 + at.response), at.response  # where the mean of log det is stationary
    shifted, one = k + x, 1 + y
    share, share_y = y / one, 1 / one**2
    bent = share_y**2 - 2 * share / one**3  # half of the second derivative of share^2

    def apart(uneven: Scalar) -> tuple[Scalar, Scalar]:
        height = weights.strength * (1 + uneven * share**2)
        pulled = shifted + u + height / one
        return pulled, jnp.log(pulled / shifted) - c * uneven / 2 * share**2

    pulled, log_both = apart(uneven)
    height = weights.strength * (1 + uneven * share**2)
    first = 2 * weights.strength * uneven * share * share_y  # of the height
    pulled_y = first / one - height / one**2
    pulled_yy = 2 * (weights.strength * uneven * bent - first / one + height / one**2) / one
    slope_x = 1 / pulled - 1 / shifted
    slope_y = pulled_y / pulled - c * uneven * share * share_y
    bent_xx = 1 / shifted**2 - 1 / pulled**2
    bent_xy = -pulled_y / pulled**2
    bent_yy = pulled_yy / pulled - (pulled_y / pulled) ** 2 - c * uneven * bent
    turn = d * c * (tau / (shifted * one)) ** 2
    loop_x, loop_y = turn / (1 - turn) / shifted, turn / (1 - turn) / one

    row, head = c * (tau / one) ** 2, d * (tau * at.bulk) ** 2
    stiff = 1 - d * c * (tau * at.bulk / one) ** 2
    pull_x = (row * slope_x - tau * slope_y) / stiff
    pull_y = (head * slope_y - tau * slope_x) / stiff
    traced = (row * bent_xx - 2 * tau * bent_xy + head * bent_yy) / stiff
    beside = log_both - apart(jnp.zeros(()))[1]
    square = slope_x * pull_x + slope_y * pull_y
    return beside - square / 2 + traced / 2 - loop_x * pull_x - loop_y * pull_y
