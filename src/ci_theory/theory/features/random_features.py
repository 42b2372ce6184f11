r"""Ridge regression on random features of any kernel spectrum: the eigenframework, stable at p = n.

p features phi_j give the kernel matrix K = Phi Phi^T / p; its expectation over the features is
the kernel whose spectrum and target are the ``Spectrum`` (node power = squared target
coefficients on orthonormal eigenfunctions). The ridge is total, on K: with 1/sqrt(p) inside the
features it is the ridge of sum (y - phi.a)^2 + ridge |a|^2.

One unknown, gamma, carries everything. With z = df1(gamma) modes learned, a = n - z rows and
b = p - z features are left over, and

.. math:: \gamma\,(n - z)(p - z) = p\,\delta

is solved for the smaller of a and b, never for z: nothing cancels at p = n.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import Root, log_root, solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, bias, d12, df1, df2, fractions, rank, trace

__all__ = ["Balance", "FeatureRisk", "balance", "random_feature_risk", "solve_gamma"]


class Balance(NamedTuple):
    """What is learned and what is left over at the fixed point; every entry >= 0.

    Attributes:
        gamma: effective ridge of the features' average [kernel].
        kappa: effective ridge of these p features, gamma (1 - z/p) [kernel].
        rows_left: n - z, to full relative accuracy.
        features_left: p - z, to full relative accuracy.
        df1: z, modes learned.
        df2: q, second degrees of freedom at gamma.
        d12: u = z - q.
        share: u / (b + u): how far the features, not the rows, limit.
        status: of the solver.
    """

    gamma: Scalar
    kappa: Scalar
    rows_left: Scalar
    features_left: Scalar
    df1: Scalar
    df2: Scalar
    d12: Scalar
    share: Scalar
    status: Int[Array, ""]

    @property
    def dof_left(self) -> Float[Array, "..."]:
        """a + b u/(b + u): n (1 - df2 of the features / n), what the test error divides by."""
        return self.rows_left + self.features_left * self.share


class FeatureRisk(NamedTuple):
    """Errors of random-feature ridge regression at one point.

    Attributes:
        gamma: effective ridge [kernel].
        kappa: effective ridge of these p features [kernel].
        test_error: on fresh noisy labels [label^2].
        train_error: mean squared residual on the noisy training labels [label^2].
        excess_risk: test_error - noise, as a sum of positive terms [label^2].
        gcv: generalised cross-validation from the training rows [label^2].
        approximation: risk of the data-averaged predictor at fixed features [label^2].
        noise_error: excess due to the label noise alone [label^2].
        dof_left: L = a + b r, what the errors divide by; n - p for least squares [rows].
        status: OK, NOT_CONVERGED, OUT_OF_SCOPE (bad inputs) or NOT_FINITE (the ridgeless peak).
    """

    gamma: Scalar
    kappa: Scalar
    test_error: Scalar
    train_error: Scalar
    excess_risk: Scalar
    gcv: Scalar
    approximation: Scalar
    noise_error: Scalar
    dof_left: Scalar
    status: Int[Array, ""]


def _gap(n: Array, p: Array) -> Array:
    """|n - p|, of derivative 0 at n = p: what depends on n and p is smooth there."""
    return jnp.maximum(n - p, 0.0) + jnp.maximum(p - n, 0.0)


def _left(power: Array, gap: Array) -> Array:
    """Positive root s of s (s + gap) = power: the smaller of n - z and p - z."""
    return 2 * power / (gap + jnp.sqrt(gap * gap + 4 * power))


def _surplus(gamma: Array, spectrum: Spectrum, n: Array, p: Array, ridge: Array) -> Array:
    """Return df1(gamma) + s(gamma) - min(n, p), decreasing in gamma.

    Modes above gamma are counted as whole modes less what they miss, so that a rank near
    min(n, p) costs no digits.
    """
    x, y = fractions(spectrum.eigenvalues, gamma)
    above = spectrum.eigenvalues > gamma
    whole = jnp.round(spectrum.multiplicity)
    part = spectrum.multiplicity - whole
    counted = jnp.sum(jnp.where(above, whole, 0.0)) - jnp.minimum(n, p)
    counted = counted + jnp.sum(jnp.where(above, part, 0.0))
    rest = jnp.sum(spectrum.multiplicity * jnp.where(above, -y, x))
    left = _left(p * ridge / gamma, _gap(n, p))
    return counted + rest + spectrum.tail_trace / gamma + left


@needs_float64
@jax.jit
def solve_gamma(spectrum: Spectrum, n: Any, p: Any, ridge: Any) -> Root:
    r"""Solve for the effective ridge that n rows and p features leave of a total ridge.

    .. math:: \gamma\,\bigl(n - \mathrm{df}_1(\gamma)\bigr)\bigl(p - \mathrm{df}_1(\gamma)\bigr)
        = p\,\delta, \qquad \mathrm{df}_1(\gamma) < \min(n, p)

    Args:
        spectrum: of the features' mean kernel.
        n: training rows, > 0; need not be whole, and may be infinite.
        p: features, > 0; likewise.
        ridge: total ridge [kernel], >= 0; at 0 gamma solves df1(gamma) = min(n, p), and is 0
            where the rank is no larger.

    Returns:
        gamma; OUT_OF_SCOPE and NaN for n <= 0, p <= 0 or ridge < 0.

    Regime: exact solution of the equation (relative error near 1e-15 also at n = p with a ridge
    of 1e-12); the equation is the limit n, p -> infinity. Limits: p -> infinity gives kappa of
    plain kernel ridge regression (``solve_kappa``).

    Source: Simon et al., arXiv:2311.14646; Defilippis, Loureiro & Misiakiewicz,
    arXiv:2405.15699 (nu_2). The form solved here is derived here: the smaller s of n - z and
    p - z is the positive root of s (s + |p - n|) = p ridge / gamma.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> root = solve_gamma(isotropic(100), 50, 60, 0.0)
    >>> print(f"{float(root.value):.12f}", int(root.status))  # 100/(1 + gamma) = 50
    1.000000000000 0
    """
    n, p, ridge = counted(n), counted(p), jnp.asarray(ridge, float)
    inside = (n > 0) & (p > 0) & (ridge >= 0)
    n, p, ridge = (jnp.where(inside, v, 1.0) for v in (n, p, ridge))
    fewer, more = jnp.minimum(n, p), jnp.maximum(n, p)

    # At ridge 0 the value is that of plain ridge regression with min(n, p) rows; the ridge that
    # enters there is zero, but has the right derivative.
    spare = more - jnp.minimum(fewer, rank(spectrum))
    first_order = p * ridge / jnp.where(spare > 0, spare, 1.0)
    ridgeless = solve_kappa(spectrum, fewer, jnp.where(ridge > 0, 0.0, first_order))

    positive = jnp.where(ridge > 0, ridge, 1.0)
    gap = _gap(n, p)
    low = jnp.maximum(positive / more, jnp.where(ridge > 0, ridgeless.value, 0.0))
    high = jnp.maximum(2 * trace(spectrum) / fewer, 4 * p * positive / (fewer * (fewer + 2 * gap)))
    ridged = log_root(_surplus, *lax.stop_gradient((low, high)), spectrum, n, p, positive)

    value, status, residual = (
        jnp.where(ridge > 0, new, old) for new, old in zip(ridged, ridgeless, strict=True)
    )
    value = jnp.where(inside, value, jnp.nan)
    return Root(value, jnp.where(inside, status, Status.OUT_OF_SCOPE), residual)


@needs_float64
@jax.jit
def balance(spectrum: Spectrum, n: Any, p: Any, ridge: Any) -> Balance:
    """Solve for gamma and form what is left of rows and features without cancellation.

    Args:
        spectrum: of the features' mean kernel.
        n: training rows.
        p: features.
        ridge: total ridge [kernel].

    Returns:
        a ``Balance``.

    Regime: as ``solve_gamma``. Source: as ``solve_gamma``.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> left = balance(isotropic(100), 50, 60, 0.0)
    >>> print(f"{left.rows_left:.1f} {left.features_left:.1f} {left.d12:.1f}")
    0.0 10.0 25.0
    """
    gamma, status, _ = solve_gamma(spectrum, n, p, ridge)
    n, p, ridge = counted(n), counted(p), jnp.asarray(ridge, float)
    positive = gamma > 0
    scale = jnp.where(positive, gamma, 1.0)
    power = p * ridge / scale
    gap = _gap(n, p)
    peak = (power == 0) & (gap == 0)  # ridgeless at n = p: nothing is left over
    some = jnp.where(peak, 0.0, _left(jnp.where(peak, 1.0, power), gap))
    # At gamma = 0 (ridgeless, rank below min(n, p)) the whole rank is learned.
    _, y = fractions(spectrum.eigenvalues, gamma)
    missed = jnp.sum(spectrum.multiplicity * jnp.where(spectrum.eigenvalues > 0, y, 0.0))
    finite_rank = jnp.where(positive, 0.0, rank(spectrum))
    smaller = jnp.where(positive, some, jnp.minimum(n, p) - finite_rank + missed)
    a = smaller + jnp.maximum(n - p, 0.0)
    b = smaller + jnp.maximum(p - n, 0.0)
    u = d12(spectrum, gamma)
    known = b + u > 0
    share = jnp.where(known, u / jnp.where(known, b + u, 1.0), 0.0)
    return Balance(
        gamma=gamma,
        kappa=gamma * b / p,
        rows_left=a,
        features_left=b,
        df1=df1(spectrum, gamma),
        df2=df2(spectrum, gamma),
        d12=u,
        share=share,
        status=status,
    )


@needs_float64
@jax.jit
def random_feature_risk(spectrum: Spectrum, n: Any, p: Any, ridge: Any, noise: Any) -> FeatureRisk:
    r"""Mean test and training error of ridge regression on p random features.

    .. math::
        E_{te} = \frac{n\,(\sigma^2 + A)}{L}, \quad L = a + b\,r, \quad
        A = \sum_i v_i^2\,\frac{\gamma\,(\gamma + r\lambda_i)}{(\lambda_i + \gamma)^2}, \quad
        E_{tr} = \Bigl(\frac a n\Bigr)^2 E_{te}, \quad r = \frac{u}{b + u}

    Symbols: gamma from ``solve_gamma`` [kernel]; z = df1(gamma), a = n - z, b = p - z,
    u = df1 - df2 at gamma (counts); lambda_i the kernel's eigenvalues [kernel], v_i^2 the
    target's power on them [label^2]; sigma^2 = ``noise`` [label^2]. All scalars.

    Args:
        spectrum: eigenvalues of the features' mean kernel and the target on them.
        n: training rows, > 0; may be infinite.
        p: features, > 0; may be infinite.
        ridge: total ridge on K = Phi Phi^T/p [kernel], >= 0; at 0 the minimum-norm interpolator
            or least squares.
        noise: label-noise variance [label^2].

    Returns:
        a ``FeatureRisk``.

    Regime: limit of many rows and features, relative error O(1/(n (1 - df2/n))) for Gaussian
    features; exact in the kernel's spectrum.
    Limits: p -> infinity is kernel ridge regression; ridge 0 and p < n gives
    n/(n - p) (noise + sum v^2 gamma/(lambda + gamma)) at df1(gamma) = p; at p = n it diverges as
    ridge^(-1/2), without noise too.

    Errors: status NOT_FINITE and infinite test error at the ridgeless peak p = n; OUT_OF_SCOPE
    and NaN for n <= 0, p <= 0, ridge < 0 or noise < 0.

    Source: Simon et al., arXiv:2311.14646; Defilippis, Loureiro & Misiakiewicz,
    arXiv:2405.15699; the cancellation-free form is derived here and equal to both.

    >>> from ci_theory.theory.spectra.spectrum import power_law
    >>> risk = random_feature_risk(power_law(1000, 1.5, tail=True), 100, 100, 1e-6, 0.1)
    >>> print(f"{float(risk.test_error):.6f} {float(risk.train_error):.3e}")
    35.556119 9.497e-05
    """
    n, noise = counted(n), jnp.asarray(noise, float)
    at = balance(spectrum, n, p, ridge)
    x, y = fractions(spectrum.eigenvalues, at.gamma)
    approximation = bias(spectrum, at.gamma) + at.share * jnp.sum(spectrum.power * x * y)
    left = at.dof_left
    singular = left <= 0
    per_row = n / jnp.where(singular, 1.0, left)
    used = at.df2 + at.d12 * at.share  # df2 of the features: n - left
    noise_error = noise * used / n * per_row
    excess = approximation * per_row + noise_error
    excess = jnp.where(singular, jnp.inf, excess)
    excess = jnp.where(noise < 0, jnp.nan, excess)
    test = excess + noise
    kept = at.rows_left / n
    status = jnp.where(singular, jnp.maximum(at.status, Status.NOT_FINITE), at.status)
    status = jnp.where(noise < 0, Status.OUT_OF_SCOPE, status)
    return FeatureRisk(
        gamma=at.gamma,
        kappa=at.kappa,
        test_error=test,
        train_error=jnp.where(singular, 0.0, kept**2 * (approximation + noise) * per_row),
        excess_risk=excess,
        gcv=test,
        approximation=approximation,
        noise_error=jnp.where(singular, jnp.inf, noise_error),
        dof_left=left,
        status=status,
    )
