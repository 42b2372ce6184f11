r"""Rows with a direction of their own in noise, some of them repeated: the singular values.

A row is x = signal^1/2 z u + noise^1/2 e with z and e standard normal in d dimensions; rows of
weight c (copies) make K = X'CX. Across u lie a = d - 1 directions, along it one; its largest
eigenvalue and the share of u in its vector need one unknown, the root S above all c noise of

.. math:: \sum_g \frac{n_g c_g}{S - c_g\sigma} = \frac a{\mathrm{signal}}, \qquad
    \lambda_1 = S a\,\Bigl(1 + \frac\sigma{\mathrm{signal}}\Bigr), \qquad
    |\hat u\cdot u|^2 = \frac{1 - q}{1 + q\,\mathrm{signal}/\sigma}, \qquad
    q = \frac{\sigma^2}a \sum_g \frac{n_g c_g^2}{(S - c_g\sigma)^2}

with sigma the noise. It is an outlier while q < 1; at q = 1 it enters the bulk. Sums over all
singular values are read off the degrees of freedom of ridge regression on these rows, at every
ridge, so that no density is needed and the transition is no special place. Derivation:
docs/representations/feature_spectrum.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._record import record
from ci_theory._types import Array, Bool, Float, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import log_root
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.shares import solve_shares
from ci_theory.theory.spectra.spectrum import Spectrum, d12, df2
from ci_theory.theory.spectra.spiked import SpectralShape

__all__ = ["Leading", "SpikedRows", "Transition", "leading", "row_shape", "transition"]

STEP = 0.6
"""Step in log ridge: the integrands are analytic for |Im| < pi, the error is exp(-2 pi^2/STEP)."""

REACH = 72.0
"""Range of log ridge on both sides of the typical eigenvalue: what lies beyond carries exp(-36)."""


@record
class SpikedRows:
    """Weighted rows with a direction of their own in noise; numbers may be traced.

    Attributes:
        d: input dimension, >= 2.
        signal: variance of a row along u beyond the noise, > 0 [x^2].
        noise: variance of a row in every direction, >= 0 [x^2].
        groups: counts and weights of the rows; their label noise does not matter here.
    """

    d: Float[Any, ""]
    signal: Float[Any, ""]
    noise: Float[Any, ""]
    groups: Groups


class Leading(NamedTuple):
    """The largest eigenvalue of X'CX and its vector.

    Attributes:
        value: the eigenvalue: the outlier, or the edge of the bulk where there is none [x^2 rows].
        overlap: squared cosine between its vector and u, 0 without an outlier.
        crowding: q, how near the bulk is: 0 far from it, 1 at the transition, above 1 inside.
        rows: effective number of rows that the vector is made of, at most that of distinct ones:
            q = ((d - 1)/rows)(noise/signal)^2.
        spread: variance of the logarithm of the singular value, of order 1/rows.
        visible: whether there is an outlier.
        status: of the roots; OUT_OF_SCOPE without rows or without a signal.
        residual: relative error left in S.
    """

    value: Scalar
    overlap: Scalar
    crowding: Scalar
    rows: Scalar
    spread: Scalar
    visible: Bool[Array, ""]
    status: Int[Array, ""]
    residual: Scalar


class Transition(NamedTuple):
    """Where the outlier leaves the bulk.

    Attributes:
        ratio: signal over noise from which on it does.
        edge: upper edge of the bulk, per unit of noise [rows].
        status: of the root; OUT_OF_SCOPE without rows.
    """

    ratio: Scalar
    edge: Scalar
    status: Int[Array, ""]


class _Rows(NamedTuple):
    """Rows that are there, at least one kind of them."""

    counts: Array
    weights: Array
    below: Array  # by how much a weight is below the largest
    heaviest: Array
    asked: Array


def _present(groups: Groups) -> _Rows:
    counts, weights = counted(groups.counts), jnp.asarray(groups.weights, float)
    there = (counts > 0) & (weights > 0)
    asked = jnp.any(there) & jnp.all(counts >= 0) & jnp.all(weights >= 0)
    counts = jnp.where(asked, jnp.where(there, counts, 0.0), 1.0)
    weights = jnp.where(asked, jnp.where(there, weights, 0.0), 1.0)
    heaviest = jnp.max(weights)
    return _Rows(counts, weights, heaviest - weights, heaviest, asked)


def _missing(above: Array, noise: Array, wanted: Array, rows: _Rows) -> Array:
    """Return what vanishes at the root, in S less the largest c noise."""
    return jnp.sum(rows.counts * rows.weights / (above + rows.below * noise)) - wanted


def _uncrowded(above: Array, across: Array, rows: _Rows) -> Array:
    """Return what vanishes where q = 1, in units of the noise."""
    return jnp.sum(rows.counts * (rows.weights / (above + rows.below)) ** 2) - across


@needs_float64
@jax.jit
def leading(rows: SpikedRows) -> Leading:
    r"""Find the largest eigenvalue of X'CX, and how much of u its vector has.

    Args:
        rows: the rows.

    Regime: limit of many rows and dimensions at fixed ratios, relative corrections of order
    1/rows and 1/d, larger near q = 1; below the transition the value is the edge, which a sample
    misses by a relative order of rows^(-2/3).

    Limits: all weights 1 and n rows: S = noise + n signal/a,
    lambda_1 = n (signal + noise)(1 + a noise/(n signal)) and q = a noise^2/(n signal^2).
    No noise: lambda_1 = N signal, overlap 1. Little noise, but for 1/rows:
    overlap 1 - a noise/(rows signal), as its vector can turn in d - 1 directions and not in d.

    Source: derived here (docs/representations/feature_spectrum.md); for plain rows Baik, Ben Arous,
    Peche, arXiv:math/0403022, and Paul 2007; weighted rows are treated by Hong, Fessler, Balzano,
    arXiv:1810.12862.

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> for repeats, kept in ((1, 72.0), (12, 6.0)):
    ...     groups = repeated_rows(168.0, kept, repeats, 0.0, True)
    ...     made = leading(SpikedRows(d=61.0, signal=1.0, noise=0.2, groups=groups))
    ...     print(f"{float(made.value) / 240:.3f} {float(made.overlap):.3f}", int(made.status))
    1.260 0.943 0
    1.547 0.656 0
    """
    d, signal, noise = (jnp.asarray(v, float) for v in (rows.d, rows.signal, rows.noise))
    across = d - 1
    there = _present(rows.groups)
    asked = there.asked & (signal > 0) & (noise >= 0)
    power = jnp.where(asked, signal, 1.0)
    own = jnp.where(there.below == 0, there.counts * there.weights, 0.0)
    total = there.counts @ there.weights
    wanted = across / power
    low, high = jnp.sum(own) / wanted, total / wanted
    root = log_root(_missing, low * (1 - 1e-9), high * (1 + 1e-9), noise, wanted, there)

    apart = root.value + there.below * noise  # S - c noise
    pull = there.weights / apart
    per_noise = noise / across * (there.counts @ pull**2)  # q / noise
    crowding = noise * per_noise
    visible = crowding < 1
    scale = root.value + there.heaviest * noise  # S
    held = pull / wanted  # shares of the rows in u, their sum is 1
    response = 1 / (scale * (there.counts @ (held / apart)))
    squares = there.counts @ held**2
    spread = 0.5 * (1 - crowding) * squares * response**2
    edge = transition(d, rows.groups)
    status = jnp.where(visible, root.status, jnp.maximum(root.status, edge.status))
    outlier = scale * across * (1 + noise / power)
    return Leading(
        value=jnp.where(visible, outlier, noise * edge.edge),
        overlap=jnp.where(visible, (1 - crowding) / (1 + power * per_noise), 0.0),
        crowding=crowding,
        rows=1 / squares,
        spread=jnp.where(visible, spread, 0.0),
        visible=visible,
        status=jnp.where(asked, status, int(Status.OUT_OF_SCOPE)),
        residual=root.residual,
    )


@needs_float64
@jax.jit
def transition(d: Number, groups: Groups) -> Transition:
    r"""Find the signal over noise from which on a direction shows: the transition.

    .. math:: \sum_g \frac{n_g c_g^2}{(s - c_g)^2} = a, \qquad
        \frac{\mathrm{signal}}{\mathrm{noise}} = \frac a{\sum_g n_g c_g/(s - c_g)}, \qquad
        \text{edge} = s\,\Bigl[a + \sum_g \frac{n_g c_g}{s - c_g}\Bigr], \qquad a = d - 1

    Args:
        d: input dimension.
        groups: the rows.

    Regime: as ``leading``. Limits: n plain rows: sqrt(a/n), and the edge (sqrt n + sqrt a)^2.

    Source: derived here (docs/representations/feature_spectrum.md); for plain rows as ``leading``.

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> made = transition(61.0, repeated_rows(168.0, 72.0, 1, 0.0, True))
    >>> print(f"{float(made.ratio):.3f} {float(made.edge):.1f}", int(made.status))
    0.500 540.0 0
    >>> print(f"{float(transition(61.0, repeated_rows(168.0, 6.0, 12, 0.0, True)).ratio):.3f}")
    1.987
    """
    across, there = jnp.asarray(d, float) - 1, _present(groups)
    own = jnp.where(there.below == 0, there.counts, 0.0)
    low = there.heaviest * jnp.sqrt(jnp.sum(own) / across)
    high = jnp.sqrt(there.counts @ there.weights**2 / across)
    root = log_root(_uncrowded, low * (1 - 1e-9), high * (1 + 1e-9), across, there)
    pulled = there.counts @ (there.weights / (root.value + there.below))
    return Transition(
        ratio=across / pulled,
        edge=(root.value + there.heaviest) * (across + pulled),
        status=jnp.where(there.asked, root.status, int(Status.OUT_OF_SCOPE)),
    )


@needs_float64
@jax.jit
def row_shape(rows: SpikedRows, top: Leading) -> SpectralShape:
    r"""Entropy of the singular values of the rows, and how much of their sum the largest has.

    With df1 the degrees of freedom of ridge regression on the rows and gamma the share that its
    next order sees (docs/finite_size.md), the mean sums over the singular values s of C^1/2 X are

    .. math:: \sum s = \frac1\pi \int_0^\infty \Bigl[\mathrm{df}_1(k)
        + \tfrac14 \log(1 - \gamma(k))\Bigr] \frac{dk}{\sqrt k}, \qquad
        \sum s\log s = \frac1{2\pi} \int_0^\infty \Bigl[\mathrm{df}_1 \log k
        + \tfrac14 (2 + \log k) \log(1 - \gamma)\Bigr] \frac{dk}{\sqrt k}

    and the entropy (SVE) is log S - (1/S) sum s log s with S = sum s, the other minus the log of
    s_1/S (LSVR); what the largest value's own fluctuation adds is taken from ``top.spread``.

    Args:
        rows: the rows.
        top: from ``leading``.

    Returns:
        As ``spiked.shape``; NaN where the fixed point of some ridge has no root.

    Regime: as ``leading``; relative errors of order 1/(rows d), without any loss at the transition
    but for what ``top.value`` has. Limits: no noise: both 0; plain rows: ``spiked.shape``.

    Source: derived here (docs/representations/feature_spectrum.md).

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> for repeats, kept in ((1, 72.0), (12, 6.0)):
    ...     groups = repeated_rows(168.0, kept, repeats, 0.0, True)
    ...     rows = SpikedRows(d=61.0, signal=1.0, noise=0.2, groups=groups)
    ...     made = row_shape(rows, leading(rows))
    ...     print(f"{float(made.entropy):.3f} {float(made.largest):.3f}")
    4.063 3.182
    4.005 3.024
    """
    d, signal, noise = (jnp.asarray(v, float) for v in (rows.d, rows.signal, rows.noise))
    noisy = noise > 0
    safe = jnp.where(noisy, noise, 1.0)
    spectrum = Spectrum(
        eigenvalues=jnp.stack([safe, safe + signal]),
        multiplicity=jnp.stack([d - 1, jnp.ones(())]),
        power=jnp.zeros(2),
        tail_trace=jnp.zeros(()),
        tail_power=jnp.zeros(()),
    )
    total = counted(rows.groups.counts) @ jnp.asarray(rows.groups.weights, float)
    # around the bulk; the outlier and the lowest values lie within a few powers of e
    centre = jnp.log(total * safe)
    logs = jnp.asarray(np.arange(-REACH, REACH + STEP, STEP))

    def learned(log_ridge: Scalar) -> tuple[Scalar, Scalar]:
        at = solve_shares(spectrum, rows.groups, jnp.exp(centre + log_ridge))
        small = df2(spectrum, at.kappa) / at.effective_rows  # gamma, if it is small
        mixed = d12(spectrum, at.kappa) / at.df1
        counts = counted(rows.groups.counts)
        left = counts @ (at.shares * (at.forgotten + at.leverage * mixed))  # 1 - gamma, if not
        near = small < 0.5
        beyond = jnp.where(near, jnp.log1p(-jnp.where(near, small, 0.0)), jnp.log(left))
        good = at.status == int(Status.OK)
        return jnp.where(good, at.df1, jnp.nan), 0.25 * beyond

    degrees, beyond = jax.vmap(learned)(logs)
    root = jnp.exp(0.5 * logs) * STEP / jnp.pi
    # in units of the square root of the centre
    size = root @ (degrees + beyond)
    weighed = 0.5 * root @ (degrees * logs + beyond * (2 + logs))
    largest = 0.5 * (jnp.log(top.value) - centre)
    share = jnp.exp(2 * largest) / size**2 * top.spread
    entropy = jnp.log(size) - weighed / size
    above = jnp.log(size) - largest
    return SpectralShape(
        entropy=jnp.where(noisy, entropy + share * (0.5 - above + entropy), 0.0),
        largest=jnp.where(noisy, above - 0.5 * share + top.spread, 0.0),
        total=jnp.where(noisy, size * jnp.exp(0.5 * centre), jnp.sqrt(top.value)),
    )
