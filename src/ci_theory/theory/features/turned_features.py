r"""Random features of corrupted inputs: rows of a sphere, each turned by an angle of its own plane.

A learner sees x' = (x + eta z)/sqrt(1 + eta^2), z uniform on the same sphere and orthogonal to x.
The law of (x, x') does not change when both are rotated, so that the mean of a harmonic given x'
is the same harmonic of x', P_l(c) times as large, c = 1/sqrt(1 + eta^2). What is left of the label
has mean zero given x', and a variance whose mean over all rows at one angle to the others is the
same: it is label noise. Nothing new is solved here.
"""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Numbers, Scalar, needs_float64
from ci_theory.theory.features.repeated_features import RepeatedFeatureRisk, repeated_feature_risk
from ci_theory.theory.rows.corrupted_inputs import CorruptedLaw
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, total

__all__ = ["TurnedFeatureRisk", "kept_harmonics", "turned_feature_risk"]


class TurnedFeatureRisk(NamedTuple):
    """Errors after training on turned inputs, all in label^2.

    Attributes:
        excess_risk: mean squared error on clean inputs and clean labels.
        turned_excess_risk: on inputs turned as in training, less the noise of a fresh label.
        unlearned: part of ``excess_risk`` that the error on what turned inputs show lacks.
        law: the law that the learner faces; its noise is of a row whose labels have none.
        groups: the rows on that law.
        inside: the ``RepeatedFeatureRisk`` on it.
        status: a ``Status`` code.
    """

    excess_risk: Scalar
    turned_excess_risk: Scalar
    unlearned: Scalar
    law: CorruptedLaw
    groups: Groups
    inside: RepeatedFeatureRisk
    status: Int[Array, ""]


def kept_harmonics(d: Any, input_noise: Any) -> tuple[Array, Array]:
    r"""Return how much of a harmonic of degree 1 and of degree 2 a turned input shows.

    .. math:: P_1(c) = c, \qquad P_2(c) = \frac{d c^2 - 1}{d - 1}, \qquad
        c = \frac{1}{\sqrt{1 + \eta^2}}

    Args:
        d: dimension of the sphere's space, > 1.
        input_noise: eta^2, the squared tangent of the angle, >= 0.

    Regime: exact. Source: Funk-Hecke formula.

    >>> one, two = kept_harmonics(10, 1.0)
    >>> print(f"{float(one):.6f} {float(two):.6f}")  # 1/sqrt 2 and (10/2 - 1)/9
    0.707107 0.444444
    """
    square = 1 / (1 + jnp.asarray(input_noise, float))
    return jnp.sqrt(square), (d * square - 1) / (d - 1)


def _missed(spectrum: Spectrum, gamma: Numbers) -> Array:
    """Target power that a fit misses on average: its share at gamma of every mode."""
    _, y = fractions(spectrum.eigenvalues, gamma)
    return total(spectrum.power, y) + spectrum.tail_power


@needs_float64
def turned_feature_risk(
    linear: Spectrum,
    quadratic: Spectrum,
    groups: Groups,
    p: Any,
    ridge: Any,
    d: Any,
    input_noise: Any,
) -> TurnedFeatureRisk:
    r"""Excess risk on clean inputs of random-feature ridge regression trained on turned ones.

    .. math::
        E_x = E' + \sum_{l=1,2} (1 - P_l) \Bigl[(1 - P_l)\,\tau_l
              + 2 P_l \sum_{i \in l} v_i^2 \frac{\gamma}{\lambda_i + \gamma}\Bigr]

    with E' and gamma of ``repeated_feature_risk`` for the target P_1 f_1 + P_2 f_2 and label noise
    raised by ``sum (1 - P_l^2) tau_l``; tau_l is the power of the target's part f_l of degree l.

    Args:
        linear: spectrum of the features' mean kernel, with the target's part of degree 1.
        quadratic: the same modes, with its part of degree 2.
        groups: training rows with their label noise.
        p: features, > 0.
        ridge: total ridge [kernel], >= 0.
        d: dimension of the sphere's space, > 1.
        input_noise: eta^2, the squared tangent of the angle, >= 0.

    Returns:
        The errors; status as ``repeated_feature_risk``, and OUT_OF_SCOPE for input_noise < 0.

    Regime: as ``repeated_feature_risk``; the reduction itself is exact, at any d. All copies of a
    row have one turned input.

    Limits: input_noise = 0 is ``repeated_feature_risk`` with the whole target. As d grows the angle
    is that of added Gaussian noise of variance eta^2 brought back to the sphere.

    Source: derived here by the Funk-Hecke formula (docs/features/random_features.md).

    >>> import numpy as np
    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.sphere import sphere_spectrum
    >>> one = sphere_spectrum(np.tanh, 20, linear=1.0)
    >>> two = sphere_spectrum(np.tanh, 20, linear=0.0, quadratic=0.0)
    >>> clean, turned = (
    ...     turned_feature_risk(one, two, plain_rows(100, 0.1), 50, 0.01, 20, s).excess_risk
    ...     for s in (0.0, 0.5)
    ... )
    >>> print(f"{float(clean):.4f} {float(turned):.4f}")
    0.1179 0.3323
    """
    kept = kept_harmonics(d, input_noise)
    parts = linear, quadratic
    whole = [jnp.sum(part.power) + part.tail_power for part in parts]
    seen = dataclasses.replace(
        linear,
        power=sum(k**2 * part.power for k, part in zip(kept, parts, strict=True)),
        tail_power=sum(k**2 * part.tail_power for k, part in zip(kept, parts, strict=True)),
    )
    unseen = sum((1 - k**2) * power for k, power in zip(kept, whole, strict=True))
    raised = dataclasses.replace(groups, noise=jnp.asarray(groups.noise, float) + unseen)
    inside = repeated_feature_risk(seen, raised, p, ridge)
    unlearned = sum(
        (1 - k) * ((1 - k) * power + 2 * k * _missed(part, inside.gamma))
        for k, power, part in zip(kept, whole, parts, strict=True)
    )
    return TurnedFeatureRisk(
        excess_risk=inside.excess_risk + unlearned,
        turned_excess_risk=inside.excess_risk + unseen,
        unlearned=unlearned,
        law=CorruptedLaw(spectrum=seen, noise=unseen),
        groups=raised,
        inside=inside,
        status=jnp.where(jnp.asarray(input_noise) < 0, Status.OUT_OF_SCOPE, inside.status),
    )
