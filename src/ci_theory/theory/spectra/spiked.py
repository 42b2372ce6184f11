r"""A rank-one matrix in noise: its resolvent, its outlier and the entropy of its spectrum.

.. math:: W = x^{1/2}\, s v' + N

with unit vectors s (d,) and v (c,) and d c uncorrelated entries of N of variance tau, independent
of both. Everything follows from the trace g of the noise's own resolvent, the positive root of

.. math:: k\,d\tau\,g^2 + (k + (c - d)\tau)\,g = 1, \qquad d g = \mathrm{tr}(NN' + k)^{-1},

and from the determinant by which the rank-one part changes it. It shows as a singular value of
its own while x exceeds the threshold tau sqrt(d c). At tau = 0 all forms stay finite.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Bool, Float, Number, Scalar, needs_float64
from ci_theory.theory.spectra.marchenko_pastur import STEP, eigenvalue_law

__all__ = [
    "Outlier",
    "Resolvent",
    "SpectralShape",
    "Spiked",
    "outlier",
    "resolvent",
    "resolvent_trace",
    "shape",
]


@record
class Spiked:
    """A rank-one matrix in noise, or several of one shape *b; numbers may be traced.

    Attributes:
        rows: d.
        columns: c.
        strength: x, the squared singular value of the rank-one part, >= 0.
        noise: tau, variance of an entry of the noise, >= 0.
    """

    rows: Float[Any, "*b"]
    columns: Float[Any, "*b"]
    strength: Float[Any, "*b"]
    noise: Float[Any, "*b"]


class Resolvent(NamedTuple):
    """Of K = W W' at a shift k > 0.

    Attributes:
        trace: T = tr (K + k)^-1.
        along: A = s'(K + k)^-1 s, along the rank-one part.
        trace_slope, along_slope: their derivatives in k.
        bulk: g, the mean of the noise's own resolvent.
        response: d tau g, how far a column of the noise shifts its own resolvent.
    """

    trace: Scalar
    along: Scalar
    trace_slope: Scalar
    along_slope: Scalar
    bulk: Scalar
    response: Scalar


class Outlier(NamedTuple):
    """The largest singular value and its vectors.

    Attributes:
        value: the singular value: the outlier, or the edge of the bulk where there is none.
        row_overlap: squared overlap of its left vector with s, 0 without an outlier.
        column_overlap: the same on the right, with v.
        visible: whether there is an outlier.
    """

    value: Scalar
    row_overlap: Scalar
    column_overlap: Scalar
    visible: Bool[Array, ""]


class SpectralShape(NamedTuple):
    """Of the singular values, as shares p of their sum.

    Attributes:
        entropy: - sum p log p [nats].
        largest: - log of the largest share.
        total: sum of the singular values.
    """

    entropy: Scalar
    largest: Scalar
    total: Scalar


def _bulk(spiked: Spiked, k: Scalar) -> tuple[Scalar, Scalar]:
    """Return g, without cancellation on either side, and the root of the equation's discriminant.

    Derivatives are simple in it: g' = -g (1 + d tau g) / root.
    """
    a, b = k * spiked.rows * spiked.noise, k + (spiked.columns - spiked.rows) * spiked.noise
    root = jnp.sqrt(b * b + 4 * a)
    rising = b > 0
    low = (root - b) / jnp.where(rising, 1.0, 2 * a)
    return jnp.where(rising, 2 / jnp.where(rising, b + root, 1.0), low), root


def _trace(spiked: Spiked, k: Scalar) -> Scalar:
    """Return T: d g and the derivative of what log det(K + k) has beyond its leading order.

    The rank-one part adds log D; the noise adds half the log of its curvature 1 - q, as real
    Gaussian matrices do (docs/finite_size.md). With m = g/(1 + d tau g), of slope -m/root, they are
    D = 1 + x m and q = d c (tau m)^2.
    """
    g, root = _bulk(spiked, k)
    pull = g / (1 + spiked.rows * spiked.noise * g)
    taken = spiked.rows * spiked.columns * (spiked.noise * pull) ** 2
    spike = spiked.strength * pull
    return spiked.rows * g + (taken / (1 - taken) - spike / (1 + spike)) / root


def _along(spiked: Spiked, k: Scalar) -> Scalar:
    g, _ = _bulk(spiked, k)
    return g / (1 + spiked.strength * g / (1 + spiked.rows * spiked.noise * g))


@needs_float64
@jax.jit
def resolvent(spiked: Spiked, k: Number) -> Resolvent:
    r"""Trace of the resolvent of K = W W', and its entry along the rank-one part.

    .. math:: A = \frac gD, \qquad T = d g + \partial_k \bigl[\log D
        + \tfrac12\log(1 - q)\bigr], \qquad D = 1 + \frac{x g}{1 + d\tau g}

    with :math:`q = d c\,[\tau g/(1 + d\tau g)]^2`.

    Args:
        spiked: the matrix.
        k: shift, > 0 [W^2].

    Regime: limit d, c -> infinity at a fixed ratio; T includes the next order, A does not.
    Limits: tau = 0: A = 1/(k + x), T = (d - 1)/k + 1/(k + x), exact.

    Source: Marchenko, Pastur 1967 for g (from memory); the rank-one part as in Benaych-Georges,
    Nadakuditi, arXiv:1103.2221; composed here (docs/representations/noisy_features.md).

    >>> found = resolvent(Spiked(rows=10.0, columns=5.0, strength=3.0, noise=0.0), 0.5)
    >>> print(f"{float(found.trace):.6f} {float(found.along):.6f}")
    18.285714 0.285714
    """
    spiked = jax.tree.map(lambda value: jnp.asarray(value, float), spiked)
    k = jnp.asarray(k, float)

    def both(k: Scalar) -> tuple[Scalar, Scalar]:
        return _trace(spiked, k), _along(spiked, k)

    # forwards: a third of the equations of a grad
    (trace, along), (trace_slope, along_slope) = jax.jvp(both, (k,), (jnp.ones_like(k),))
    bulk, _ = _bulk(spiked, k)
    response = spiked.rows * spiked.noise * bulk
    return Resolvent(trace, along, trace_slope, along_slope, bulk, response)


@needs_float64
@jax.jit
def resolvent_trace(spiked: Spiked, k: Number) -> Scalar:
    """Return the trace of ``resolvent`` alone, a fraction of what there is to trace and compile.

    Args:
        spiked: the matrix.
        k: shift, > 0 [W^2].

    Regime: as ``resolvent``. Source: as there.

    >>> spiked = Spiked(rows=10.0, columns=5.0, strength=3.0, noise=0.1)
    >>> bool(resolvent_trace(spiked, 0.5) == resolvent(spiked, 0.5).trace)
    True
    """
    spiked = jax.tree.map(lambda value: jnp.asarray(value, float), spiked)
    return _trace(spiked, jnp.asarray(k, float))


@needs_float64
def outlier(spiked: Spiked) -> Outlier:
    r"""The largest singular value, and what its vectors show of the rank-one part.

    .. math:: \sigma_1^2 = \frac{(x + d\tau)(x + c\tau)}{x}, \qquad
        |\hat s\cdot s|^2 = 1 - \frac{d\tau (x + c\tau)}{x (x + d\tau)}, \qquad
        |\hat v\cdot v|^2 = 1 - \frac{c\tau (x + d\tau)}{x (x + c\tau)}

    while x > tau sqrt(d c); below, the value is the edge tau (sqrt d + sqrt c)^2 and the overlaps
    vanish.

    Regime: limit d, c -> infinity. Source: Benaych-Georges, Nadakuditi, arXiv:1103.2221; in
    teacher and student networks Lampinen, Ganguli, arXiv:1809.10374.

    >>> found = outlier(Spiked(rows=100.0, columns=25.0, strength=1.0, noise=0.01))
    >>> print(f"{float(found.value):.4f} {float(found.row_overlap):.3f}", bool(found.visible))
    1.5811 0.375 True
    """
    d, c, x, tau = (
        jnp.asarray(value, float)
        for value in (spiked.rows, spiked.columns, spiked.strength, spiked.noise)
    )
    visible = x > tau * jnp.sqrt(d * c)
    safe = jnp.where(visible, x, 1.0)
    left, right = safe + d * tau, safe + c * tau
    edge = jnp.sqrt(tau) * (jnp.sqrt(d) + jnp.sqrt(c))
    return Outlier(
        value=jnp.where(visible, jnp.sqrt(left * right / safe), edge),
        row_overlap=jnp.where(visible, 1 - d * tau * right / (safe * left), 0.0),
        column_overlap=jnp.where(visible, 1 - c * tau * left / (safe * right), 0.0),
        visible=visible,
    )


@needs_float64
@jax.jit
def shape(spiked: Spiked) -> SpectralShape:
    r"""Entropy of the singular values, and how much of their sum the largest has.

    .. math:: H = \log S - \frac1S \sum \sigma\log\sigma, \qquad
        \ell = \log\frac{S}{\sigma_1}, \qquad S = \sum \sigma

    The sums are over the outlier and the bulk: of a noise matrix with one row and one column
    less, whose mean sums are Marchenko-Pastur averages and the next order of real matrices,

    .. math:: \mathrm E\sum f(s) = m \int f\,dF + \tfrac14 [f(s_-) + f(s_+)]
        - \tfrac12 \int_{s_-}^{s_+} \frac{f\,ds}{\pi\sqrt{(s_+ - s)(s - s_-)}} .

    Regime: limit d, c -> infinity; relative errors of order 1/(d c), and of order tau/x and
    larger next to the threshold. Limits: tau = 0: both 0.

    Source: derived here (docs/representations/noisy_features.md); the next order: Bai, Silverstein
    2004.

    >>> flat = shape(Spiked(rows=4000.0, columns=100.0, strength=0.0, noise=1.0))
    >>> print(f"{float(flat.entropy / jnp.log(100.0)):.3f}")  # 100 nearly equal values
    0.999
    """
    top = outlier(spiked)
    d, c = jnp.asarray(spiked.rows, float), jnp.asarray(spiked.columns, float)
    few, many = jnp.minimum(d, c) - top.visible, jnp.maximum(d, c) - top.visible
    law = eigenvalue_law(few / many)
    unit = many * jnp.asarray(spiked.noise, float)

    def summed(f: Any) -> Scalar:
        place = law.above_edge / (law.upper - law.lower)
        arcsine = STEP / jnp.pi * jnp.sqrt(place * jnp.maximum(1 - place, 0.0))
        values = f(law.eigenvalues)
        ends = (f(law.lower) + f(law.upper)) / 4
        return few * (law.weights @ values) + ends - arcsine @ values / 2

    def size(s: Array) -> Array:
        return jnp.sqrt(unit * s)

    def weighed(s: Array) -> Array:
        return _times_log(size(s))

    own = jnp.where(top.visible, 1.0, 0.0)
    total = summed(size) + own * top.value
    entropy = jnp.log(total) - (summed(weighed) + own * _times_log(top.value)) / total
    return SpectralShape(entropy, jnp.log(total / top.value), total)


def _times_log(x: Array) -> Array:
    """Return x log x, 0 at 0."""
    return x * jnp.log(jnp.where(x > 0, x, 1.0))
