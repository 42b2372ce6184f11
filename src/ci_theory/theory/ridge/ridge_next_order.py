r"""What the mean excess risk of ridge regression adds to its limit at finite size: the next order.

For rows of N(0, S), weight c each, and penalty M = ridge I + t S + u w w', the mean of
log det(c X'X + M) is, with r = rho + t,

.. math:: \mathrm H(r) + u \mathrm K(r) + n \log(1 + c \tau) - (r - t) \tau
    + \tfrac12 \log(1 - \gamma) + O(1/n), \qquad \gamma = -(\mathrm H'' + u \mathrm K'')
    \frac{n c^2}{(1 + c \tau)^2}

at the saddle point in (r, tau), with H = sum log(r s + ridge) and K = sum w^2/(r s + ridge). The
bias is -ridge^2 d^2/dt du, the excess of unit label noise -d^2/dt dc. The first line gives the
deterministic equivalent; the same derivatives of the last term are the deviation returned here.
In units of rho = 1 everything is a sum over modes of powers of x = s/(s + kappa), also without
a ridge.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, fractions

__all__ = ["NextOrder", "Sums", "moved_mean", "moved_risk", "next_order"]


class NextOrder(NamedTuple):
    """Parts of an excess risk in the limit, and by how much their means exceed them.

    Attributes:
        signal: part due to the target [label^2]; ``noise``: part due to the label noise.
        signal_shift: next order of the former, relative size 1/left; ``noise_shift``: likewise.
        left: n - df2, rows left to average over.
        status: of the solver for kappa; NOT_FINITE where no row is left, at n = p without a ridge.
    """

    signal: Scalar
    noise: Scalar
    signal_shift: Scalar
    noise_shift: Scalar
    left: Scalar
    status: Int[Array, ""]


class Sums(NamedTuple):
    """Rows, and sums over modes of x^2, x^3 and x^4, x = s/(s + kappa) the share learned."""

    n: Scalar
    squares: Scalar
    cubes: Scalar
    fourths: Scalar


class _Saddle(NamedTuple):
    """gamma = p q and the derivatives of p and q at rho = 1, as the saddle point gives them."""

    p: Scalar
    p_r: Scalar
    p_rr: Scalar
    q: Scalar
    w: Scalar
    v: Scalar
    left: Scalar

    @classmethod
    def of(cls, sums: Sums) -> "_Saddle":
        p, n = sums.squares, sums.n
        left = (n - p) / n  # exactly 0 at n = p without a ridge
        return cls(p, -2 * sums.cubes, 6 * sums.fourths, 1 / n, 2 / n**2, 6 / n**3, left)

    def source(self, k: Scalar, k_r: Scalar) -> tuple[Scalar, Scalar, Scalar, Scalar]:
        """Return the derivatives in u of tau, rho, p and gamma."""
        tau_u = k / self.left
        r_u = -self.q * tau_u
        p_u = self.p_r * r_u - k_r
        return tau_u, r_u, p_u, p_u * self.q - self.p * self.w * tau_u


@needs_float64
@jax.jit
def next_order(spectrum: Spectrum, n: Number, ridge: Number, noise: Number) -> NextOrder:
    """Evaluate the limit and the next order of the excess risk.

    Args:
        spectrum: of the inputs, with the target on it; a tail enters as in ``ridge_risk``.
        n: training rows.
        ridge: total ridge [x^2], >= 0.
        noise: label-noise variance [label^2].

    Regime: Gaussian rows; what is left out is of relative order 1/left^2.

    Source: derived here from the mean of log det, docs/finite_size.md; its term of order 1 as
    in Bai, Silverstein 2004 (Annals of Probability 32).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> made = next_order(isotropic(50), 100, 0.0, 1.0)  # exactly 50/(100 - 50 - 1) of noise
    >>> print(f"{made.noise:.3f} {made.noise_shift:.3f} {50 / 49 - 1:.4f}")
    1.000 0.020 0.0204
    """
    root = solve_kappa(spectrum, n, ridge)
    x, y = fractions(spectrum.eigenvalues, root.value)
    squares, cubes, fourths = (jnp.sum(spectrum.multiplicity * x**k) for k in (2, 3, 4))
    missed, once, twice = (jnp.sum(spectrum.power * x**k * y**2) for k in range(3))
    sums = Sums(counted(n), squares, cubes, fourths)
    return moved_risk(sums, (missed + spectrum.tail_power, once, twice), noise, root.status)


def moved_mean(sums: Sums, kept: tuple[Scalar, Scalar]) -> Scalar:
    """Return the next order of the mean share of a target that is missed, sum y w^2.

    Args:
        sums: of the spectrum.
        kept: sums of w^2 x^k y, k = 1, 2, w the coordinates of the target, y = 1 - x.

    >>> sums = Sums(*(jnp.array(v) for v in (40.0, 5.0, 2.5, 1.25)))  # 20 modes at x = 1/2
    >>> print(f"{moved_mean(sums, (jnp.array(0.25), jnp.array(0.125))):.6f}")
    0.003061
    """
    at = _Saddle.of(sums)
    *_, gamma_u = at.source(-kept[0], 2 * kept[1])
    return -gamma_u / at.left / 2


def moved_risk(
    sums: Sums, kept: tuple[Scalar, Scalar, Scalar], noise: Number, status: Any = Status.OK
) -> NextOrder:
    """Return the limit and the next order of an excess risk, from sums over modes alone.

    Args:
        sums: of the spectrum.
        kept: sums of (target's power) x^k y^2, k = 0, 1, 2.
        noise: label-noise variance.
        status: of what the sums come from.

    >>> sums = Sums(*(jnp.array(v) for v in (100.0, 50.0, 50.0, 50.0)))  # exactly 50/49
    >>> print(f"{moved_risk(sums, (jnp.zeros(()),) * 3, 1.0).noise_shift:.3f}")
    0.020
    """
    at = _Saddle.of(sums)
    p, p_r, p_rr, q, w, v, left = at
    noise = jnp.asarray(noise, float)
    r_t, tau_t = 1 / left, -p / left
    gamma_t = p_r * r_t * q - p * w * tau_t

    def mixed(gamma_other: Scalar, gamma_both: Scalar) -> Scalar:
        return -(gamma_both / left + gamma_t * gamma_other / left**2) / 2

    # The target: K' = -k1, K'' = 2 k2, K''' = -6 k3, so P_u = -K'', P_ru = -K'''.
    k, k_r, k_rr = -kept[0], 2 * kept[1], -6 * kept[2]
    tau_u, r_u, p_u, gamma_u = at.source(k, k_r)
    tau_tu = (-p_r * r_t * r_u + k_r * r_t - p * w * tau_t * tau_u) / left
    r_tu = w * tau_t * tau_u - q * tau_tu
    gamma_tu = (
        (p_rr * r_t * r_u - k_rr * r_t + p_r * r_tu) * q
        - p_r * r_t * w * tau_u
        - p_u * w * tau_t
        + p * (v * tau_t * tau_u - w * tau_tu)
    )

    # The labels: q(tau, c) = n c/(1 + c tau) moves, H does not.
    r_c, tau_c = q / left, -(1 - left) / left
    tau_tc = (-p_r * r_t * r_c - p * w * tau_t * (tau_c - 1)) / left
    r_tc = w * tau_t * (tau_c - 1) - q * tau_tc
    gamma_c = p_r * r_c * q + p * w * (1 - tau_c)
    gamma_tc = (
        (p_rr * r_t * r_c + p_r * r_tc) * q
        + p_r * r_t * w * (1 - tau_c)
        - p_r * r_c * w * tau_t
        + p * (v * tau_t * (tau_c - 1) - w * tau_tc)
    )
    told = (left > 0) | (jnp.asarray(status) == Status.OUT_OF_SCOPE)  # refused: left is NaN
    return NextOrder(
        signal=-tau_u,
        noise=-noise * tau_c,
        signal_shift=-mixed(gamma_u, gamma_tu),
        noise_shift=-noise * mixed(gamma_c, gamma_tc),
        left=sums.n * left,
        status=jnp.where(told, status, jnp.maximum(status, Status.NOT_FINITE)),
    )
