r"""One-pass SGD on least squares, exactly: the mean risk after any number of steps.

Gaussian features z of covariance C, labels t.z + g + noise, where g is what no linear function of
z explains. Every step draws fresh rows and moves against the SUM of their gradients,

.. math:: \theta \leftarrow \theta + \gamma \sum_b w_b\, z_b\, (y_b - \theta\cdot z_b),
    \qquad B = \sum_b w_b, \quad Q = \sum_b w_b^2,

w_b copies of row b (B = Q: no row twice). A ``Spectrum`` says what the features are: eigenvalues
s_i of C, power s_i t_i^2, and the variance of g as ``tail_power``; ``from_features`` makes one.
Given the features the mean risk obeys a closed linear recursion, at every rate and every size.
The derivation is in docs/dynamics/sgd.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ci_theory._errors import BadInput
from ci_theory._types import Array, Bool, Float, Scalar, needs_float64
from ci_theory.theory.spectra.spectrum import Spectrum, from_features

__all__ = [
    "Descent",
    "Stability",
    "given_features",
    "largest_rate",
    "one_pass_risk",
    "recursion",
    "stability",
]

HALVINGS = 60


class Descent(NamedTuple):
    """How a step is made.

    Attributes:
        rate: gamma, for every row of the sum [1/feature^2].
        rows: B, rows of a step, copies counted.
        squares: Q, the sum of the squared numbers of copies; ``rows`` where no row is there twice.
    """

    rate: Any
    rows: Any
    squares: Any


class Stability(NamedTuple):
    """What becomes of the mean risk after many steps.

    Attributes:
        kernel: |K|_1, the share of its own risk that SGD keeps alive by sampling, 0 to 1.
        fastest: gamma s (B + Q/B)/2 of the largest s; the first mode diverges at 1.
        limit: risk on clean labels after infinitely many steps [label^2]; infinite beyond the
            edge.
        stable: whether the mean risk converges.
    """

    kernel: Scalar
    fastest: Scalar
    limit: Scalar
    stable: Bool[Array, ""]


@needs_float64
def given_features(
    features: Float[Any, "v d"], variances: Float[Any, " v"], target: Float[Any, " v"]
) -> Spectrum:
    r"""Spectrum of given linear features W'x of Gaussian inputs: docs/dynamics/sgd.md.

    .. math:: W'DWu_i = s_i u_i, \qquad s_i t_i^2 = \frac{(u_i'W'D\beta)^2}{s_i}, \qquad
        P_{floor} = \beta'D\beta - \sum_i s_i t_i^2

    Args:
        features: W, one column a feature, (v, d).
        variances: of the v independent inputs, D, (v,), >= 0.
        target: beta, weights of the inputs in the labels, (v,).

    Returns:
        modes of the features, with what no feature explains as ``tail_power``. On the host.

    Raises:
        BadInput: shapes that do not belong together, or a negative variance.

    Regime: exact. Source: a change of basis.

    >>> modes = given_features(np.eye(3)[:, :2], [1.0, 0.5, 0.25], [1.0, 2.0, 2.0])
    >>> print(modes.eigenvalues, modes.power, f"{modes.tail_power:.3f}")
    [1.  0.5] [1. 2.] 1.000
    """
    matrix, variances, target = (np.asarray(a, float) for a in (features, variances, target))
    inputs = len(matrix) if matrix.ndim == 2 else -1
    if variances.shape != (inputs,) or target.shape != (inputs,):
        raise BadInput(
            f"features {matrix.shape}, variances {variances.shape}, target {target.shape}: "
            "expected (v, d), (v,) and (v,)"
        )
    if not np.all(variances >= 0):
        raise BadInput("variances of inputs must be >= 0")
    scale = np.sqrt(inputs * variances)  # v rows, each along an input, are the population
    return from_features(scale[:, None] * matrix, scale * target)


def _decay(rates: Any, at: Descent) -> tuple[Array, Array]:
    """Return 1 - q of each mode and the strength gamma^2 Q of the sampling noise."""
    rate, rows, squares = (jnp.asarray(v, float) for v in at)
    lost = rate * rates * (2 * rows - rate * (rows**2 + squares) * rates)
    return lost, rate**2 * squares


@needs_float64
@jax.jit
def one_pass_risk(spectrum: Spectrum, descent: Descent, noise: Any, steps: Any) -> Scalar:
    r"""Mean risk on clean labels after r steps from zero, at one r or in closed form at any.

    .. math:: P_r = \sum_i s_i m_i(r) + P_{floor}, \qquad
        m_i(r+1) = q_i\,m_i(r) + \gamma^2 Q\,s_i\,(P_r + \sigma^2), \qquad
        q_i = 1 - 2\gamma B s_i + \gamma^2 (B^2 + Q)\,s_i^2, \qquad m_i(0) = t_i^2

    The transition is a diagonal plus a symmetric matrix of rank one: one decomposition gives
    every r.

    Args:
        spectrum: modes of the features (m,), of multiplicities > 0 (quadrature nodes of
            ``compress`` may have negative ones and will not do); ``tail_power`` is the floor.
            Infinitesimal modes (``tail_trace``) neither learn nor disturb in finite time.
        descent: rate, rows and squares, scalars.
        noise: sigma^2, label-noise variance [label^2].
        steps: r >= 0.

    Returns:
        P_r [label^2]; a risk on noisy labels is larger by ``noise``. A bare number: nothing has to
        converge; infinite where the risk has grown beyond every float.

    Regime: exact for Gaussian features, also beyond the edge of stability (``stability``).
    Relative error near 1e-13 times the condition of the modes.

    Limits: rate -> 0 at fixed rate x steps: gradient flow; r = 0: the target's power;
    r -> infinity: ``stability(...).limit``.

    Source: Paquette, Paquette, Xiao, Pennington 2024, arXiv:2405.15074 (distinct rows, no
    noise); copies and noise are derived in docs/dynamics/sgd.md.

    >>> from ci_theory.theory.spectra.spectrum import explicit
    >>> modes = explicit([1.0, 0.1], [1.0, 1.0])
    >>> at = Descent(rate=0.2, rows=1.0, squares=1.0)
    >>> print(f"{float(one_pass_risk(modes, at, 0.0, 1.0)):.6f}")  # .68 + .09608 + .04 1.01 1.1
    0.820520
    """
    count, s = spectrum.multiplicity, spectrum.eigenvalues
    used = (count > 0) & (s > 0)
    s = jnp.where(used, s, 0.0)
    lost, strength = _decay(s, descent)
    root = jnp.sqrt(jnp.where(used, count, 0.0))
    start = jnp.where(used, spectrum.power / jnp.where(used, s * root, 1.0), 0.0)
    along = s * root
    # Eigenvalues of 1 - transition: a slow mode keeps the digits of its distance from 1.
    gaps, vectors = jnp.linalg.eigh(jnp.diag(lost) - strength * jnp.outer(along, along))
    seen, begun = along @ vectors, start @ vectors
    steps = jnp.asarray(steps, float)
    exponent = steps * jnp.log1p(-gaps)  # 1 - gap >= Q/(B^2 + Q)
    still = jnp.abs(gaps) < 1e-300
    summed = jnp.where(still, steps, -jnp.expm1(exponent) / jnp.where(still, 1.0, gaps))
    outside = spectrum.tail_power + noise
    learned = seen @ (jnp.exp(exponent) * begun) + strength * outside * (seen**2 @ summed)
    return learned + spectrum.tail_power


@needs_float64
def recursion(
    spectrum: Spectrum, descent: Descent, noise: Any, steps: int
) -> Float[Array, " steps"]:
    """Risks after 0, 1, ..., ``steps`` steps, one after the other: the slow way, (steps + 1,).

    Arguments as ``one_pass_risk``, which must give the same; modes must be single.

    >>> from ci_theory.theory.spectra.spectrum import explicit
    >>> modes = explicit([1.0, 0.1], [1.0, 1.0])
    >>> print(recursion(modes, Descent(rate=0.2, rows=1.0, squares=1.0), 0.0, 2).round(6))
    [1.1      0.82052  0.618205]
    """
    s = jnp.asarray(spectrum.eigenvalues)
    lost, strength = _decay(s, descent)

    def step(power: Array, _: Any) -> tuple[Array, Array]:
        risk = jnp.sum(power) + spectrum.tail_power
        return (1 - lost) * power + strength * s**2 * (risk + noise), risk

    _, risks = lax.scan(step, jnp.asarray(spectrum.power), None, length=steps + 1)
    return risks


@needs_float64
@jax.jit
def stability(spectrum: Spectrum, descent: Descent, noise: Any = 0.0) -> Stability:
    r"""Whether the mean risk converges, and to what.

    .. math:: |K|_1 = \sum_i \frac{\gamma Q s_i}{2B - \gamma(B^2 + Q)s_i} < 1
        \quad\text{and}\quad \gamma (B^2 + Q) s_{max} < 2B, \qquad
        P_\infty = \frac{P_{floor} + \sigma^2}{1 - |K|_1} - \sigma^2

    Arguments as ``one_pass_risk``. Infinitesimal modes count in |K|_1, with their total variance.

    Regime: exact for Gaussian features. Source: arXiv:2405.15074 (distinct rows); copies and noise:
    docs/dynamics/sgd.md.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> found = stability(isotropic(1), Descent(rate=0.5, rows=1.0, squares=1.0), 0.3)
    >>> print(f"{float(found.kernel):.3f} {float(found.limit):.3f}")  # .5/(2 - 1) and .3/.5 - .3
    0.500 0.300
    """
    rate, rows, squares = (jnp.asarray(v, float) for v in descent)
    s = spectrum.eigenvalues
    ratios = rate * (rows**2 + squares) * s / (2 * rows)
    there = spectrum.multiplicity > 0
    fastest = jnp.max(jnp.where(there, ratios, 0.0))
    safe = jnp.where(there & (ratios < 1), 1 - ratios, 1.0)
    share = jnp.where(ratios < 1, s / safe, jnp.inf)
    whole = jnp.sum(jnp.where(there, spectrum.multiplicity * share, 0.0)) + spectrum.tail_trace
    kernel = rate * squares / (2 * rows) * whole
    stable = (kernel < 1) & (fastest < 1)
    floor = spectrum.tail_power
    rest = jnp.where(stable, 1 - kernel, 1.0)
    limit = jnp.where(stable, (floor + kernel * noise) / rest, jnp.inf)
    return Stability(kernel, fastest, limit, stable)


@needs_float64
@jax.jit
def largest_rate(spectrum: Spectrum, rows: Any, squares: Any) -> Scalar:
    """Rate at the edge of stability: |K|_1 = 1. ``rows`` and ``squares`` as in ``Descent``.

    Below 2/(tr C) by the largest modes; copies lower it in the ratio of rows to squares.

    Regime: exact for Gaussian features, by bisection. Source: as ``stability``.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(f"{float(largest_rate(isotropic(10), 4.0, 4.0)):.6f}")  # 2/(10 + 4 + 1)
    0.133333
    """
    rows, squares = jnp.asarray(rows, float), jnp.asarray(squares, float)
    top = jnp.max(jnp.where(spectrum.multiplicity > 0, spectrum.eigenvalues, 0.0))
    high = 2 * rows / ((rows**2 + squares) * top)

    def halve(_: Any, bracket: tuple) -> tuple:
        low, high = bracket
        middle = 0.5 * (low + high)
        good = stability(spectrum, Descent(middle, rows, squares)).stable
        return jnp.where(good, middle, low), jnp.where(good, high, middle)

    low, high = lax.fori_loop(0, HALVINGS, halve, (jnp.zeros(()), high))
    return 0.5 * (low + high)
