r"""What a finite sample adds to the overlap of the leading direction of weighted rows.

With a = d - 1 directions across u and B what the rows are in them, the rows' parts along u see

.. math:: Q(z) = -z\,g' C^{1/2}(B - z)^{-1} C^{1/2} g, \qquad
    u'(X'CX - z)^{-1}u = \frac1{(\mathrm{signal} + \sigma)\,Q - z}, \qquad g \sim N(0, I)

exactly. To leading order Q is its trace, and the pole is the outlier of ``spiked_rows.leading``.
Next to it Q has a mean shift M, half the slope of log(1 - q), and a variance V of g; both move the
residue at the pole, which is the mean overlap. In the root S everything is a rational function,

.. math:: H = S\,(\mathrm{signal}\,T_{11} - a), \quad
    (1 - q)\,V = 2 S^2 T_{22}, \quad
    (1 - q)\,M = \frac{\sigma^2}a \Bigl[\frac{\sigma S^2 T_{22} T_{23}}{a (1 - q)} + S T_{33}\Bigr],
    \quad T_{kj} = \sum_g \frac{n_g c_g^k}{(S - c_g\sigma)^j} .
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Scalar, needs_float64
from ci_theory.theory.rows.spiked_rows import Leading, SpikedRows
from ci_theory.theory.spectra.groups import counted

__all__ = ["NextOrder", "overlap_next_order"]


class NextOrder(NamedTuple):
    """Of the overlap of a sample's leading direction.

    Attributes:
        shift: mean overlap less its limit, to order 1/rows and 1/d; 0 without an outlier.
        held: mean share in the vector of the rows that it is made of: 1/rows if they are alike,
            more where few rows of many copies hold it.
        form_shift: M at the outlier, next to the trace of the form [rows].
        form_variance: V at the outlier [rows^2].
    """

    shift: Scalar
    held: Scalar
    form_shift: Scalar
    form_variance: Scalar


@needs_float64
@jax.jit
def overlap_next_order(rows: SpikedRows, top: Leading) -> NextOrder:
    r"""How far the mean overlap of a finite sample lies from its limit.

    .. math:: \mathrm E\,|\hat u\cdot u|^2 - \frac{1 - q}{1 + q\,\mathrm{signal}/\sigma} \approx
        \operatorname{Res}_{S} a\,(1 - q) \Bigl[\frac{(\mathrm{signal} + \sigma)\,M}{H^2}
        - \frac{(\mathrm{signal} + \sigma)^2 V}{H^3}\Bigr]

    Args:
        rows: the rows.
        top: from ``spiked_rows.leading``.

    Regime: first order in 1/rows and 1/d; what is beyond is larger near q = 1, and where few rows
    hold the vector. Limits: little noise: of what is missed 4 sum b^3/sum b^2 - 6 sum b^2 is
    gained, with b = c/sum c the shares of the rows: -2/n for plain rows. No noise: 0.

    Source: derived here (docs/representations/feature_spectrum.md).

    >>> from ci_theory.theory.rows.spiked_rows import leading
    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> rows = SpikedRows(d=20.0, signal=1.0, noise=1e-3, groups=plain_rows(100.0, 0.0))
    >>> top = leading(rows)
    >>> print(f"{float(overlap_next_order(rows, top).shift / (1 - top.overlap)):.4f}")
    -0.0200
    """
    d, signal, noise = (jnp.asarray(v, float) for v in (rows.d, rows.signal, rows.noise))
    across = d - 1
    counts = counted(rows.groups.counts)
    weights = jnp.where(counts > 0, jnp.asarray(rows.groups.weights, float), 0.0)
    power = jnp.where(signal > 0, signal, 1.0)
    root = jnp.where(top.visible, top.value / (across * (1 + noise / power)), jnp.inf)
    asked = jnp.isfinite(root)
    root = jnp.where(asked, root, 1.0 + 2 * noise * jnp.max(weights))

    def pulls(s: Scalar, k: int, j: int) -> Scalar:
        return counts @ (weights**k / (s - weights * noise) ** j)

    def height(s: Scalar) -> Scalar:
        return s * (power * pulls(s, 1, 1) - across)

    def apart(s: Scalar) -> Scalar:
        """Return a (1 - q)."""
        return across - noise**2 * pulls(s, 2, 2)

    def moved(s: Scalar) -> Scalar:
        """Return a (1 - q)(signal + noise) M."""
        mixed = noise * s**2 * pulls(s, 2, 2) * pulls(s, 2, 3)
        return (power + noise) * noise**2 * (mixed / apart(s) + s * pulls(s, 3, 3))

    def spread(s: Scalar) -> Scalar:
        """Return a (1 - q)(signal + noise)^2 V."""
        return (power + noise) ** 2 * 2 * across * s**2 * pulls(s, 2, 2)

    # H = H' x (1 + bent x + more x^2 + ...) about the root
    slope, second, third = (f(root) for f in _slopes(height, 3))
    bent, more = second / (2 * slope), third / (6 * slope)
    once = (jax.grad(moved)(root) - 2 * bent * moved(root)) / slope**2
    first, twice = (f(root) for f in _slopes(spread, 2))
    level = (6 * bent**2 - 3 * more) * spread(root)
    again = (twice / 2 - 3 * bent * first + level) / slope**3
    held = pulls(root, 3, 3) / (pulls(root, 1, 1) * pulls(root, 2, 2))
    left, total = apart(root), power + noise
    return NextOrder(
        shift=jnp.where(asked, once - again, 0.0),
        held=jnp.where(asked, held, 1.0),
        form_shift=jnp.where(asked, moved(root) / (left * total), 0.0),
        form_variance=jnp.where(asked, spread(root) / (left * total**2), 0.0),
    )


def _slopes(function: Callable, times: int) -> list[Callable]:
    """Return the first derivatives of a function of one number."""
    found = [jax.grad(function)]
    for _ in range(times - 1):
        found.append(jax.grad(found[-1]))
    return found
