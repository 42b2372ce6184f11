r"""A chain of stages: what any sequence of trainings makes of an upstream defect.

A stage trains on sources, pulled to a combination of the models so far, on labels that models so
far may have made. Given the fixed point of its rows it is affine in all that was before,

.. math::
    w' = \sum_j L_j w_j + \sum_g F_g \beta_g + \text{noise}, \qquad
    F_g = \omega_g G \Sigma_g, \qquad L_j = \delta a_j G + \sum_g b_{gj} F_g,

with a_j the coefficients of its anchor, b_gj those of the teacher of source g, and G, omega_g of
``mixture``. So the first two moments of all models together are carried from stage to stage
(``combination.Joint``): scaled anchors, task vectors, averages of models, self-training and
unlearning are chains. See docs/inheritance/inheritance.md.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import BadInput
from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.inheritance.combination import FineTuned, Joint, fine_tuned, joined
from ci_theory.theory.inheritance.mixture import Mixed, Mixture, fit_mixture
from ci_theory.theory.inheritance.operator import (
    Inherited,
    RidgeStage,
    Weights,
    from_scratch,
    risk,
)
from ci_theory.theory.spectra.groups import counted

__all__ = [
    "Chained",
    "Elasticity",
    "Harm",
    "Training",
    "chain",
    "elasticities",
    "fine_tuned_mixture",
    "harm",
]


@record
class Training:
    """One stage of a chain.

    Attributes:
        stage: its rows, their targets and its ridge: a ``RidgeStage``, which may interpolate,
            or a ``Mixture``, whose sources may differ in everything.
        anchor: coefficients of the models so far, in order, in what the ridge pulls to; models
            that are not named have none. () for weights zero.
        labels: coefficients of the models so far in what is added to the stage's target: (j,)
            for a ``RidgeStage``, (g, j) for a ``Mixture``. () for nothing.
    """

    stage: Any
    anchor: Any = ()
    labels: Any = ()


class Chained(NamedTuple):
    """Outcome of a chain.

    Attributes:
        joint: moments of all models together, those of the start first.
        stages: errors and moments of each stage.
        status: the worst of the stages.
    """

    joint: Joint
    stages: tuple[Inherited | Mixed, ...]
    status: Int[Array, ""]

    def model(self, index: int) -> Weights:
        """Return the moments of one model; -1 is the last."""
        return Weights(mean=self.joint.means[index], spread=self.joint.covariance[index, index])


@needs_float64
def chain(start: Joint | None, trainings: Sequence[Training]) -> Chained:
    """Run stages one after the other on the first two moments of the models.

    Args:
        start: models that are there before; None for none.
        trainings: the stages, each on data of its own.

    Raises:
        BadInput: no stage, or a coefficient of a model that is not there yet.

    Regime: as ``operator.inherit`` and ``mixture.fit_mixture``, of which it is the composition:
    relative corrections of order 1/n of each stage; any covariances.

    Source: derived here (docs/inheritance/inheritance.md). Limits: self-training on one's own
    labels without a ridge adds the noise of every generation up (compare Dohmatob, Feng, Kempe,
    arXiv:2402.07712).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> def rows(target):
    ...     return RidgeStage(
    ...         covariance=jnp.eye(2), target=target, groups=plain_rows(50, 1.0), ridge=0.0)
    >>> own = Training(stage=rows(jnp.ones(2)))
    >>> again = Training(stage=rows(jnp.zeros(2)), labels=(1.0,))  # taught by the first
    >>> made = chain(None, [own, again])
    >>> print(made.model(-1).mean, f"{made.model(-1).spread[0, 0] * 48:.3f}")
    [1. 1.] 2.000
    """
    if not trainings:
        raise BadInput("chain: no stage: expected one at least")
    p = jnp.shape(_targets(trainings[0].stage))[-1]
    joint = start if start is not None else _nothing(p)
    stages, statuses = [], []
    for number, training in enumerate(trainings):
        found = _trained(joint, training, f"chain: stage {number}")
        joint = found.joint
        stages.append(found.stage)
        statuses.append(found.stage.status)
    return Chained(joint, tuple(stages), jnp.max(jnp.stack(statuses)))


def _targets(stage: RidgeStage | Mixture) -> Any:
    return stage.target if isinstance(stage, RidgeStage) else stage.targets


def _nothing(p: int) -> Joint:
    return Joint(means=jnp.zeros((0, p)), covariance=jnp.zeros((0, 0, p, p)))


def _trained(joint: Joint, training: Training, where: str) -> FineTuned:
    known = joint.means.shape[0]
    anchor = _padded(training.anchor, known, f"{where}: anchor")
    labels = _padded(training.labels, known, f"{where}: labels")
    if isinstance(training.stage, RidgeStage):
        if jnp.ndim(labels) != 1:
            raise BadInput(f"{where}: labels of a RidgeStage: expected a coefficient a model")
        return fine_tuned(joint, anchor, training.stage, labels)
    sources = jnp.shape(training.stage.counts)[0]
    return fine_tuned_mixture(
        joint, anchor, training.stage, jnp.broadcast_to(labels, (sources, known))
    )


def _padded(coefficients: Any, known: int, where: str) -> Array:
    """Give the models that are not named a coefficient of 0."""
    given = jnp.asarray(coefficients, float)
    missing = known - given.shape[-1]
    if missing < 0:
        raise BadInput(f"{where}: {given.shape[-1]} coefficients, and {known} models so far")
    return jnp.concatenate([given, jnp.zeros((*given.shape[:-1], missing))], axis=-1)


@needs_float64
@jax.jit
def fine_tuned_mixture(
    joint: Joint, anchor: Float[Any, " k"], mixture: Mixture, labels: Float[Any, "g k"]
) -> FineTuned:
    r"""Train on sources from a combination of the models so far, which may have labelled them.

    .. math::
        E_g = v_g + \mathrm E\,(\bar w - \beta_g - \textstyle\sum_j b_{gj} w_j)'
        \Sigma_g (\ldots) + \sum_h n_h t_h^2 E_h\,\mathrm{tr}\,\Sigma_g G \Sigma_h G, \qquad
        \bar w = \sum_j L_j w_j + \sum_g F_g \beta_g

    Args:
        joint: the models so far.
        anchor: coefficients a of what the ridge pulls to, (k,).
        mixture: the rows, on data of their own.
        labels: coefficients b of what is added to the target of each source, (g, k).

    Returns:
        the joint moments, the new model last, and the outcome of the stage.

    Regime: as ``mixture.fit_mixture``. Limits: that function for labels 0 and one model; one
    source: ``combination.fine_tuned``.

    Source: derived here (docs/inheritance/inheritance.md).

    >>> taught = Mixture(
    ...     covariances=jnp.eye(2)[None], targets=jnp.zeros((1, 2)), counts=jnp.array([50.0]),
    ...     weights=jnp.ones(1), noise=jnp.zeros(1), ridge=0.0)
    >>> teacher = Joint(means=jnp.ones((1, 2)), covariance=jnp.eye(2)[None, None])
    >>> found = fine_tuned_mixture(teacher, jnp.zeros(1), taught, jnp.ones((1, 1)))
    >>> print(found.joint.means[1], found.joint.covariance[0, 1, 0, 0])  # it is its teacher
    [1. 1.] 1.0
    """
    covariances, targets = (jnp.asarray(v, float) for v in (mixture.covariances, mixture.targets))
    a, b = jnp.asarray(anchor, float), jnp.asarray(labels, float)
    noise, ridge = jnp.asarray(mixture.noise, float), jnp.asarray(mixture.ridge, float)
    counts = counted(mixture.counts)
    p = targets.shape[-1]
    found = fit_mixture(mixture, from_scratch(p))
    omega = found.share
    resolvent = jnp.linalg.inv(ridge * jnp.eye(p) + jnp.einsum("g,gpq->pq", omega, covariances))
    learn = omega[:, None, None] * (resolvent[None] @ covariances)  # F_g
    maps = ridge * a[:, None, None] * resolvent[None] + jnp.einsum("gk,gpq->kpq", b, learn)  # L_j
    mean = jnp.einsum("kpq,kq->p", maps, joint.means) + jnp.einsum("gpq,gq->p", learn, targets)
    shared = jnp.einsum("kpq,kjqr->jpr", maps, joint.covariance)  # Cov(w', w_j)
    carried = jnp.einsum("jpr,jqr->pq", shared, maps)

    # What a row of each source is missed by, on the mean over its stage's data.
    taught = targets + b @ joint.means
    gaps = mean[None] - taught
    beside = jnp.einsum("gj,jpr->gpr", b, shared)
    teachers = jnp.einsum("gi,gj,ijpr->gpr", b, b, joint.covariance)
    apart = carried[None] - beside - jnp.swapaxes(beside, -1, -2) + teachers
    own = noise + jnp.einsum("gp,gpq,gq->g", gaps, covariances, gaps)
    own = own + jnp.einsum("gpq,gqp->g", covariances, apart)
    pulls = jnp.where(counts > 0, omega / jnp.where(counts > 0, counts, 1.0), 0.0)  # t_g
    loads = counts * pulls**2
    loaded = covariances @ resolvent[None]
    coupling = jnp.einsum("gij,hji->gh", loaded, loaded) * loads[None, :]
    held_out = jnp.linalg.solve(jnp.eye(len(own)) - coupling, own)
    noisy = jnp.einsum("g,gpq->pq", loads * held_out, covariances)
    made = Weights(mean=mean, spread=carried + resolvent @ noisy @ resolvent)
    return FineTuned(joined(joint, made, shared), found._replace(weights=made, held_out=held_out))


class Harm(NamedTuple):
    """What a defect upstream costs downstream, on one test law [label^2].

    Attributes:
        total: excess risk with the defect less that without it; negative where it helps.
        bias: the part of it that is inherited as bias: of the mean weights.
        noise: the part that is inherited as noise: of what fluctuates about them.
    """

    total: Scalar
    bias: Scalar
    noise: Scalar


@needs_float64
def harm(defective: Weights, clean: Weights, covariance: Any, target: Any) -> Harm:
    r"""Compare two models on any test law, by their first two moments.

    .. math:: \Delta\,(m - \beta)'\Sigma(m - \beta) + \Delta\,\mathrm{tr}\,\Sigma V

    Args:
        defective: the last model of a chain whose upstream stages have a defect.
        clean: that of the same chain without it.
        covariance: of the test inputs, (p, p) [x^2].
        target: weights that make the test labels, (p,).

    Regime: exact in the moments. Source: ``operator.risk``, twice.

    >>> noisy = Weights(mean=jnp.array([0.5, 0.0]), spread=0.1 * jnp.eye(2))
    >>> found = harm(noisy, from_scratch(2), jnp.eye(2), jnp.array([1.0, 0.0]))
    >>> print(f"{found.total:.2f} = {found.bias:.2f} + {found.noise:.2f}")  # a bias that helps
    -0.55 = -0.75 + 0.20
    """

    def parts(weights: Weights) -> tuple[Scalar, Scalar]:
        still = Weights(mean=weights.mean, spread=jnp.zeros_like(weights.spread))
        own = risk(still, covariance, target)
        return own, risk(weights, covariance, target) - own

    wrong, right = parts(defective), parts(clean)
    bias, noise = wrong[0] - right[0], wrong[1] - right[1]
    return Harm(bias + noise, bias, noise)


class Elasticity(NamedTuple):
    """What a small change of one knob of one stage does to what is measured at the end.

    Attributes:
        stage: number of the stage, from 0.
        knob: "rows", "weights" (of rows), "noise", "ridge", "anchor" or "labels"; of a stage with
            several groups or sources all of them together.
        elasticity: d log |measure| / d log knob; NaN for a measure of 0 and where the differences
            to both sides do not meet the derivative, as at a kink.
    """

    stage: int
    knob: str
    elasticity: float


_STEP = 1e-5
"""Step of a difference quotient, in the logarithm of a knob."""

_AGREE = 1e-3
"""Difference of a derivative and a quotient that is still one number, of the larger or of 1."""


@needs_float64
def elasticities(
    start: Joint | None,
    trainings: Sequence[Training],
    measure: Callable[[Chained], Scalar],
) -> tuple[Elasticity, ...]:
    """Differentiate what is measured at the end of a chain by every knob of every stage.

    Args:
        start: as for ``chain``.
        trainings: the stages.
        measure: a number read off the outcome, such as the risk of the last model on some law.

    Returns:
        an entry a knob that is not 0 (nothing can be less than no noise), the one that matters
        most first. Counts of rows change continuously.

    Raises:
        BadInput: as ``chain``.

    Regime: of ``chain``. Every derivative is held against a difference on either side.

    Source: derivatives of ``chain`` by JAX.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> rows = RidgeStage(
    ...     covariance=jnp.eye(2), target=jnp.ones(2), groups=plain_rows(50, 1.0), ridge=0.0)
    >>> def missed(made):
    ...     return risk(made.model(-1), jnp.eye(2), jnp.ones(2))
    >>> found = elasticities(None, [Training(stage=rows)], missed)  # the risk is 2 noise/(n - 2)
    >>> [(one.knob, round(one.elasticity, 3)) for one in found if abs(one.elasticity) > 1e-9]
    [('rows', -1.042), ('noise', 1.0)]
    """
    knobs = [(i, name) for i, one in enumerate(trainings) for name in _knobs(one)]

    def at(logs: Array) -> Scalar:
        scales = [
            {name: jnp.exp(logs[k]) for k, (j, name) in enumerate(knobs) if j == i}
            for i in range(len(trainings))
        ]
        return measure(
            chain(start, [_scaled(t, s) for t, s in zip(trainings, scales, strict=True)])
        )

    here = jnp.zeros(len(knobs))
    value, exact = at(here), jax.jacfwd(at)(here)
    steps = _STEP * jnp.eye(len(knobs))
    sides = [(jax.lax.map(at, sign * steps) - value) / (sign * _STEP) for sign in (1, -1)]
    near = [
        jnp.abs(side - exact) <= _AGREE * jnp.maximum(jnp.abs(exact), abs(value)) for side in sides
    ]
    settled = jnp.where(near[0] & near[1] & (value != 0), exact / value, jnp.nan)
    found = [Elasticity(i, name, float(e)) for (i, name), e in zip(knobs, settled, strict=True)]
    return tuple(sorted(found, key=lambda one: -jnp.nan_to_num(abs(one.elasticity), nan=-1.0)))


def _knobs(training: Training) -> list[str]:
    """List the knobs of a stage that are not 0."""
    held = _held(training)
    return [name for name, values in held.items() if bool(jnp.any(jnp.asarray(values) != 0))]


def _held(training: Training) -> dict[str, Any]:
    stage = training.stage
    rows = stage.groups if isinstance(stage, RidgeStage) else stage
    return {
        "rows": rows.counts,
        "weights": rows.weights,
        "noise": rows.noise,
        "ridge": stage.ridge,
        "anchor": training.anchor,
        "labels": training.labels,
    }


def _scaled(training: Training, scales: dict[str, Scalar]) -> Training:
    """Multiply the knobs of a stage."""
    new = {
        name: jnp.asarray(value, float) * scales.get(name, 1.0)
        for name, value in _held(training).items()
    }
    rows = {"counts": new["rows"], "weights": new["weights"], "noise": new["noise"]}
    stage = training.stage
    if isinstance(stage, RidgeStage):
        groups = dataclasses.replace(stage.groups, **rows)
        stage = dataclasses.replace(stage, groups=groups, ridge=new["ridge"])
    else:
        stage = dataclasses.replace(stage, **rows, ridge=new["ridge"])
    return Training(stage=stage, anchor=new["anchor"], labels=new["labels"])
