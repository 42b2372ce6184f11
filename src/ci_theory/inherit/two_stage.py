"""Two ridge stages in a row, averaged over the orientation of the two targets and label noise.

Inputs are isotropic, so the average over orientations changes no mean and takes most of the
variance away. The upstream target lies along each coordinate axis in turn, the downstream one at
an angle towards the next axis or away from it. Errors are carried as second moments: over these
orientations a target of squared norm ``signal`` has signal / p in every direction.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Scalar, Value
from ci_theory.inherit import finetune


class Errors(NamedTuple):
    """Errors of the two stages on clean labels, except ``train``; label².

    Attributes:
        excess: of the downstream fit that starts from the upstream weights.
        shifted: the same, with test inputs stretched along the upstream target.
        train: mean squared residual on the downstream rows.
        scratch: of a downstream ridge towards zero.
        upstream: of the upstream fit on its own target.
    """

    excess: Scalar
    shifted: Scalar
    train: Scalar
    scratch: Scalar
    upstream: Scalar


def errors(
    up: finetune.Design,
    down: finetune.Design,
    signal: Value,
    up_ridge: Value,
    up_noise: Value,
    ridge: Value,
    noise: Value,
    alignment: Value,
    variance: Value,
) -> Errors:
    """Run both stages at one inner point.

    Args:
        up: rows of the upstream stage.
        down: rows of the downstream stage.
        signal: squared norm of each target.
        up_ridge: total upstream ridge.
        up_noise: upstream label-noise variance.
        ridge: total ridge towards the upstream weights.
        noise: downstream label-noise variance.
        alignment: cosine of the angle between the two targets.
        variance: variance of the shifted test inputs along the upstream target.
    """
    p = up.eigenvalues.shape[0]
    zero, unit, eye = jnp.zeros(p), signal / p, jnp.eye(p)
    nothing = finetune.scratch(p, zero.dtype)
    away = finetune.kept(up, up_ridge)  # upstream weights = (1 - away) target + fluctuation
    learned = eye - away
    fluctuation = finetune.finetune(up, nothing, zero, up_ridge, up_noise).covariance
    upstream = jnp.trace(fluctuation) + unit * jnp.sum(away**2)

    anchor = unit * (learned @ learned - 2 * alignment * learned + eye)
    start = finetune.Moments(zero, anchor + fluctuation)
    made = finetune.excess_risk(finetune.finetune(down, start, zero, ridge, noise), zero)
    plain = finetune.Moments(zero, unit * eye)
    scratch = finetune.excess_risk(finetune.finetune(down, plain, zero, ridge, noise), zero)

    # The error along the upstream target: of the mean for each orientation, and of the rest.
    keep = finetune.kept(down, ridge)
    own = jnp.diagonal(keep @ learned) - alignment * jnp.diagonal(keep)
    beside = (1 - alignment**2) * jnp.diagonal(jnp.roll(keep, -1, axis=1)) ** 2
    rest = finetune.Moments(zero, fluctuation)
    rest = finetune.finetune(down, rest, zero, ridge, noise)
    along = unit * jnp.sum(own**2 + beside) + jnp.trace(rest.covariance) / p
    return Errors(
        excess=made,
        shifted=made + (variance - 1) * along,
        train=finetune.training_error(down, start, zero, ridge, noise),
        scratch=scratch,
        upstream=upstream,
    )
