r"""What the mean excess risk on random features adds to its limit at finite size: the next order.

Rows X of N(0, S), C = c I, and features F x with p rows of N(0, I/p). Given both, the excess risk
of ridge regression on the features is made of second derivatives of

.. math:: \log\det\bigl[1 + (F'F/\delta + u\,ww')(X'CX + t S)\bigr]

at u = t = 0: the target's part is d^2/dt du, the part of unit label noise -d^2/dt dc. Its mean
over X and F is the value at the saddle point, and half the log determinant of the curvature
there. In the logarithms (alpha, beta) of what rows and features give a mode, from their limit on,

.. math:: F_0 = \mathrm h\bigl(\log(e^\alpha + t) + \beta\bigr)
    + u\,(e^\alpha + t)\,\mathrm k\bigl(\log(e^\alpha + t) + \beta\bigr)
    + (a - \epsilon)\,e^\alpha + b\,e^\beta - n\alpha - p\beta,

.. math:: F_1 = \tfrac12\log\det\nabla^2 F_0, \qquad \nabla^2 F_0
    = \begin{pmatrix} a + u_0 & u_0 \\ u_0 & b + u_0 \end{pmatrix}

with h(L) = sum m log(y + x e^L), k(L) = sum v^2 y/(y + x e^L), x = s/(s + gamma), y = 1 - x, and
the rows a = n - df1, features b = p - df1 and u_0 = df1 - df2 of ``random_features``. Label noise
is the source epsilon = a c. Rows and features change places with alpha and beta. Derivation:
docs/finite_size.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.features.random_features import balance, random_feature_risk
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, per_kappa

__all__ = ["FeatureNextOrder", "feature_next_order"]


class FeatureNextOrder(NamedTuple):
    """Parts of an excess risk in the limit, and by how much their means exceed them; all ().

    Attributes:
        signal: part due to the target [label^2]; ``noise``: part due to the label noise.
        signal_shift: next order of the former [label^2]; ``noise_shift``: likewise.
        rows_left: L = a + b u_0/(b + u_0) rows left to average over.
        features_left: b + a u_0/(a + u_0) features left, likewise. 1/rows_left and 1/features_left
            are the diagonal of the inverse curvature: the smallness that the expansion is in.
        status: as of ``random_feature_risk``.
    """

    signal: Scalar
    noise: Scalar
    signal_shift: Scalar
    noise_shift: Scalar
    rows_left: Scalar
    features_left: Scalar
    status: Int[Array, ""]


class _Source(NamedTuple):
    """Derivatives of F_0 with respect to a source and to (alpha, beta): one to three of these."""

    slope: Array
    curve: Array
    third: Array


def _tensor(f: Array, power: int, order: int) -> Array:
    """Differentiate exp(power alpha) f(alpha + beta) at 0; f holds f, f', f'', ..."""
    if order == 0:
        return f[0]
    rows = f[1:] + power * f[:-1]
    return jnp.stack([_tensor(g, power, order - 1) for g in (rows, f[1:])])


def _source(f: Array, power: int) -> _Source:
    return _Source(*(_tensor(f, power, order) for order in (1, 2, 3)))


@needs_float64
@jax.jit
def feature_next_order(
    spectrum: Spectrum, n: Any, p: Any, ridge: Any, noise: Any
) -> FeatureNextOrder:
    r"""Evaluate limit and next order of the excess risk of ridge regression on random features.

    .. math:: \Delta_{signal} = \partial_t\partial_u F_1, \qquad
        \Delta_{noise} = -\sigma^2\,\partial_t\partial_\epsilon F_1

    at the saddle point that moves with the sources; symbols as in the module.

    Args:
        spectrum: of the inputs, with the target on it; a tail enters as in ``random_feature_risk``.
        n: training rows, > 0.
        p: features, > 0, linear and Gaussian.
        ridge: total ridge on the features [x^2], >= 0.
        noise: label-noise variance sigma^2 [label^2].

    Regime: Gaussian rows and features, independent; what is left out is of second order in
    1/rows_left and 1/features_left.
    Limits: p -> infinity is ``ridge_next_order``; ridge 0 and isotropic inputs have exact means.

    Errors: status NOT_FINITE and infinite shifts at the ridgeless peak n = p; OUT_OF_SCOPE and NaN
    as in ``random_feature_risk``.

    Source: derived here (docs/finite_size.md). For one random matrix: Bai, Silverstein, Ann.
    Probab. 32 (2004).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> made = feature_next_order(isotropic(90), 100, 50, 0.0, 1.0)  # exactly 50/(100 - 50 - 1)
    >>> print(f"{made.noise:.3f} {made.noise_shift:.3f} {50 / 49 - 1:.4f}")
    1.000 0.020 0.0204
    """
    n, noise = counted(n), jnp.asarray(noise, float)
    risk = random_feature_risk(spectrum, n, p, ridge, noise)
    at = balance(spectrum, n, p, ridge)
    x, y = fractions(spectrum.eigenvalues, at.gamma)
    a, b, u0 = at.rows_left, at.features_left, at.d12
    features_left = b + a * u0 / jnp.where(a + u0 > 0, a + u0, 1.0)

    # h', ..., h'''' and k, ..., k''': a mode's x has the derivatives xy, xy (y - x), xy (1 - 6 xy).
    ladder = jnp.stack([x, x * y, x * y * (y - x), x * y * (1 - 6 * x * y)])
    h = ladder @ spectrum.multiplicity + per_kappa(spectrum.tail_trace, at.gamma)
    k = -ladder @ spectrum.power
    k = k.at[0].set(y @ spectrum.power + spectrum.tail_power)
    third, fourth = (h[order - 1] + a * _only(0, order) + b * _only(1, order) for order in (3, 4))
    per_row, per_feature = (1 / jnp.where(v > 0, v, 1.0) for v in (at.dof_left, features_left))
    cross = -at.share * per_row
    inverse = jnp.stack([jnp.stack([per_row, cross]), jnp.stack([cross, per_feature])])

    def mixed(one: _Source, other: _Source, slope: Array, curve: Array) -> Scalar:
        """Differentiate F_1 by two sources that have these own mixed derivatives of F_0."""
        moves = [-inverse @ source.slope for source in (one, other)]
        turns = [s.curve + third @ move for s, move in zip((one, other), moves, strict=True)]
        bent = slope + one.curve @ moves[1] + turns[1] @ moves[0]
        turn = curve + one.third @ moves[1] + other.third @ moves[0]
        turn = turn + fourth @ moves[0] @ moves[1] - third @ (inverse @ bent)
        return (jnp.sum(inverse * turn) - jnp.sum((inverse @ turns[0]) * (turns[1] @ inverse))) / 2

    covariance, target = _source(h, -1), _source(k, 1)
    labels = _source(jnp.array([-1.0, 0.0, 0.0, 0.0]), 1)
    both = k[:-1] + k[1:]
    signal_shift = mixed(covariance, target, _tensor(both, 0, 1), _tensor(both, 0, 2))
    noise_shift = -noise * mixed(covariance, labels, jnp.zeros(2), jnp.zeros((2, 2)))
    singular = at.dof_left <= 0
    return FeatureNextOrder(
        signal=jnp.where(singular, jnp.inf, risk.approximation * n * per_row),
        noise=risk.noise_error,
        signal_shift=jnp.where(singular, jnp.inf, signal_shift),
        noise_shift=jnp.where(singular, jnp.inf, noise_shift),
        rows_left=at.dof_left,
        features_left=features_left,
        status=risk.status,
    )


def _only(place: int, order: int) -> Array:
    """Return a tensor of this order with a single 1, at (place, place, ...)."""
    return jnp.zeros((2,) * order).at[(place,) * order].set(1.0)
