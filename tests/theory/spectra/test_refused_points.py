"""What a formula refuses is told by its status: each bound of each number, on it and outside.

A point is taken where all is well, and one number of it at a time is put outside or onto its
bound. All points of a formula are one program.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.attention import drawn_tasks, linear_attention, zipf_tasks
from ci_theory.theory.dynamics import (
    averaged_sgd,
    complex_ridge,
    feature_flow_next_order,
    flow,
    flow_isotropic,
    flow_next_order,
    flow_start,
    grokking,
    induction_head,
    induction_next_order,
    induction_onset,
    one_pass_sgd,
)
from ci_theory.theory.features import (
    decomposition,
    mei_montanari,
    random_features,
    repeated_features,
)
from ci_theory.theory.inheritance import mixture, poisoning
from ci_theory.theory.representations import feature_spectrum, noisy_features
from ci_theory.theory.ridge import distillation, ridge_next_order, risk
from ci_theory.theory.rows import (
    contamination,
    corrupted_inputs,
    corrupted_labels,
    finite_population,
    repeat_peak,
    repeat_scaling,
    spiked_rows,
)
from ci_theory.theory.spectra import fixed_point, shares
from ci_theory.theory.spectra.groups import Groups, plain_rows
from ci_theory.theory.spectra.spectrum import power_law
from ci_theory.theory.spectra.spiked import Spiked

LAW = power_law(6, 1.5, tail=False)
KINDS = jax.tree.map(lambda v: jnp.asarray(v)[None], linear_attention.contexts(2.0, 0.25, 0.25))
EPS = 1e-3


def _groups(count, other, weight, noise=0.2):
    return Groups(
        counts=jnp.stack([count, other]),
        weights=jnp.stack([weight, jnp.ones(())]),
        noise=jnp.stack([noise + 0 * count, jnp.asarray(0.1)]),
    )


def _law(size=1.0, tail_trace=0.0, tail_power=0.0):
    """Return the law with eigenvalues ``size`` times as large, none for 0, and with a tail."""
    tail = {"tail_trace": jnp.asarray(tail_trace), "tail_power": jnp.asarray(tail_power)}
    return dataclasses.replace(LAW, eigenvalues=size * LAW.eigenvalues, **tail)


def _told(made, value):
    return made.status, value


def _whole(made):
    """Return the status, and all that is told with it, the sum of what is an array."""
    numbers = made._asdict()
    status = numbers.pop("status")
    numbers.pop("residual", None)
    return status, jnp.stack([jnp.sum(value) for value in numbers.values()])


QUESTIONS = {
    "items": (4.0, [2.0], [1.9]),
    "labels": (6.0, [4.0], [3.9]),
    "noise": (0.1, [0.0], [-EPS, 1.0]),
    "copies": (2.0, [1.0], [0.9]),
    "asked": (0.5, [1.0], [0.0, 1 + EPS]),
}
MODEL = {
    "n": (9.0, [], [0.0]),
    "d": (6.0, [], [0.0]),
    "decay": (0.1, [0.0], [-EPS]),
    "noise": (0.01, [0.0], [-EPS]),
    "signal": (1.0, [], [-EPS]),
    "start": (0.5, [0.0], [-EPS]),
}
FLOW = {
    "noise": (0.1, [0.0], [-EPS]),
    "signal": (1.0, [0.0], [-EPS]),
    "start": (0.5, [0.0], [-EPS]),
}
ROWS = {"count": (5.0, [0.0], [-EPS]), "other": (3.0, [], [])}

# name: what is asked as (status, value), and of each number one that is well, ones on a bound
# that is allowed, and ones that are refused
FORMULAS = {
    "kappa": (
        lambda n, ridge: (lambda r: _told(r, r.value))(fixed_point.solve_kappa(LAW, n, ridge)),
        {"n": (4.0, [], [0.0, -1.0]), "ridge": (1.0, [0.0], [-EPS])},
    ),
    "shares": (
        lambda count, other, weight, ridge, size: _whole(
            shares.solve_shares(_law(size), _groups(count, other, weight), ridge)
        ),
        ROWS
        | {"weight": (2.0, [0.0], [-EPS]), "ridge": (1.0, [0.0], [-EPS]), "size": (1.0, [], [0.0])},
    ),
    "ridge": (
        lambda n, ridge, noise: (
            lambda r: _told(
                r, jnp.stack([r.test_error, r.excess_risk, r.train_error, r.noise_variance])
            )
        )(risk.ridge_risk(LAW, n, ridge, noise)),
        {"n": (4.0, [], [0.0]), "ridge": (1.0, [0.0], [-EPS]), "noise": (0.1, [0.0], [-EPS])},
    ),
    "ridge, next order": (
        lambda n, ridge: _whole(ridge_next_order.next_order(LAW, n, ridge, 0.1)),
        {"n": (4.0, [], [0.0]), "ridge": (1.0, [0.0], [-EPS])},
    ),
    "parts of the error of features": (
        lambda n, p, ridge, noise: (lambda r: _told(r, r.test_error))(
            decomposition.error_parts(LAW, n, p, ridge, noise)
        ),
        {
            "n": (4.0, [], [0.0]),
            "p": (5.0, [], [0.0]),
            "ridge": (1.0, [0.0], [-EPS]),
            "noise": (0.1, [0.0], [-EPS]),
        },
    ),
    "distilled": (
        lambda n, ridge, noise: (lambda r: _told(r, r.mix))(
            distillation.distilled(LAW, n, ridge, noise)
        ),
        {"n": (4.0, [], [0.0]), "ridge": (1.0, [], [0.0]), "noise": (0.1, [0.0], [-EPS])},
    ),
    "flow": (
        lambda count, other, weight, noise, time, ridge, p: _whole(
            flow.weighted_flow_risk(LAW, _groups(count, other, weight, noise), time, ridge, p)
        ),
        ROWS
        | {
            "weight": (2.0, [0.0], [-EPS]),
            "noise": (0.2, [0.0], [-EPS]),
            "time": (2.0, [0.0], [-EPS]),
            "ridge": (0.5, [0.0], [-EPS]),
            "p": (7.0, [], [0.0]),
        },
    ),
    "flow, next order": (
        lambda n, time, ridge, size, tail_trace, tail_power: _whole(
            flow_next_order.flow_shift(
                _law(size, tail_trace, tail_power),
                plain_rows(n, 0.2),
                time,
                ridge,
            )
        ),
        {
            "n": (9.0, [], [0.0]),
            "time": (2.0, [], [0.0]),
            "ridge": (0.5, [0.0], [-EPS]),
            "size": (1.0, [], [0.0]),
            "tail_trace": (0.0, [], [EPS]),
            "tail_power": (0.0, [], [EPS]),
        },
    ),
    "feature flow, next order": (
        lambda n, time, ridge, p, tail_trace, tail_power: _whole(
            feature_flow_next_order.feature_flow_shift(
                _law(1.0, tail_trace, tail_power), plain_rows(n, 0.2), time, ridge, p
            )
        ),
        {
            "n": (9.0, [], [0.0]),
            "time": (2.0, [], [0.0]),
            "ridge": (0.5, [0.0], [-EPS]),
            "p": (8.0, [], [0.0]),
            "tail_trace": (0.0, [], [EPS]),
            "tail_power": (0.0, [], [EPS]),
        },
    ),
    "start of the feature flow, next order": (
        lambda n, time, ridge, p: _whole(
            feature_flow_next_order.feature_start_shift(LAW, plain_rows(n, 0.2), time, ridge, p)
        ),
        {
            "n": (9.0, [], [0.0]),
            "time": (2.0, [], [0.0]),
            "ridge": (0.5, [0.0], [-EPS]),
            "p": (8.0, [], [0.0]),
        },
    ),
    "feature ridge, next order": (
        lambda n, ridge, p, size: (lambda r: _told(r, r.signal))(
            feature_flow_next_order.feature_ridge_shift(_law(size), plain_rows(n, 0.2), p, ridge)
        ),
        {
            "n": (9.0, [], [0.0]),
            "ridge": (0.5, [], [-EPS]),
            "p": (8.0, [], [0.0]),
            "size": (1.0, [], [0.0]),
        },
    ),
    "start of the flow": (
        lambda n, time, ridge, p: _whole(
            flow_start.start_left(LAW, plain_rows(n, 0.2), time, ridge, p=p)
        ),
        {
            "n": (9.0, [], [0.0]),
            "time": (2.0, [], [0.0]),
            "ridge": (0.5, [0.0], [-EPS]),
            "p": (8.0, [], [0.0]),
        },
    ),
    "isotropic flow": (
        lambda n, p, time, ridge, **of: (lambda r: (r.status, None))(
            flow_isotropic.isotropic_flow(n, p, time, ridge=ridge, **of)
        ),
        FLOW
        | {
            "n": (9.0, [], []),
            "p": (6.0, [], [0.0]),
            "time": (2.0, [0.0], []),
            "ridge": (0.5, [0.0], [-EPS]),
        },
    ),
    "best time": (
        lambda n, p, **of: (lambda r: (r.status, r.value))(flow_isotropic.optimal_time(n, p, **of)),
        {
            "n": (9.0, [], []),
            "p": (6.0, [], [0.0]),
            "noise": (0.1, [], [-EPS]),
            "signal": (1.0, [], [-1.0]),
            "start": (0.0, [], []),
        },
    ),
    "levels": (
        lambda count, other, p, delta: (lambda r: (r.status, None))(
            complex_ridge.complex_levels(LAW, _groups(count, other, jnp.asarray(2.0)), p, delta)
        ),
        ROWS | {"p": (7.0, [], [0.0]), "delta": (1j, [-1j], [0.0])},
    ),
    "known inputs": (
        lambda share, tolerance, outputs: (lambda r: _told(r, r.value))(
            grokking.loss_at_accuracy(share, tolerance, outputs)
        ),
        {
            "share": (0.9, [], [0.0, 1.0]),
            "tolerance": (0.1, [], [0.0]),
            "outputs": (2.0, [], [0.0]),
        },
    ),
    "falls": (
        lambda level, **of: (lambda r: _told(r, r.test))(grokking.fall_times(level=level, **of)),
        MODEL | {"level": (0.2, [], [0.0])},
    ),
    "decay": (
        lambda **of: (lambda r: _told(r, r.value))(grokking.decay_time(**of)),
        {
            "n": (6.0, [], [0.0, 9.0]),
            "d": (9.0, [], [6.0]),
            "level": (0.5, [], [0.0]),
            "decay": (0.1, [], [0.0]),
            "signal": (1.0, [0.0], [-EPS]),
            "start": (2.0, [0.0], [-EPS]),
        },
    ),
    "averaged descent": (
        lambda width, rate, rows, noise, steps: _whole(
            averaged_sgd.averaged_risk(
                LAW, width, one_pass_sgd.Descent(rate, rows, 1.0), noise, steps
            )
        ),
        {
            "width": (8.0, [], [0.0]),
            "rate": (0.1, [], [0.0]),
            "rows": (4.0, [], [0.0]),
            "noise": (0.1, [0.0], [-EPS]),
            "steps": (20.0, [], [0.0]),
        },
    ),
    "induction head": (
        lambda time, **of: (lambda r: (r.status, r.logits))(
            induction_onset.induction_head(induction_head.Questions(**of), time)
        ),
        QUESTIONS | {"time": (1.0, [0.0], [-EPS])},
    ),
    "induction onset": (
        lambda **of: _whole(induction_onset.induction_onset(induction_head.Questions(**of))),
        QUESTIONS,
    ),
    "steps of the head": (
        lambda time, rate, batch, **of: _whole(
            induction_next_order.head_steps(induction_head.Questions(**of), time, rate, batch)
        ),
        QUESTIONS
        | {
            "time": (1.0, [0.0], [-EPS]),
            "rate": (0.1, [0.0], [-EPS]),
            "batch": (8.0, [], [0.0]),
        },
    ),
    "random features": (
        lambda n, p, ridge, noise: (lambda r: _told(r, r.test_error))(
            random_features.random_feature_risk(LAW, n, p, ridge, noise)
        ),
        {
            "n": (4.0, [], [0.0]),
            "p": (5.0, [], [0.0]),
            "ridge": (1.0, [0.0], [-EPS]),
            "noise": (0.1, [0.0], [-EPS]),
        },
    ),
    "repeated features": (
        lambda n, p, ridge: (lambda r: _told(r, r.excess_risk))(
            repeated_features.repeated_feature_risk(LAW, plain_rows(n, 0.2), p, ridge)
        ),
        {"n": (4.0, [], [0.0]), "p": (5.0, [], [0.0]), "ridge": (1.0, [0.0], [-EPS])},
    ),
    "transition of rows": (
        lambda count, other, weight: (lambda r: (r.status, None))(
            spiked_rows.transition(6.0, _groups(count, other, weight))
        ),
        ROWS | {"weight": (2.0, [0.0], [-EPS])},
    ),
    "leading direction": (
        lambda count, weight, signal, noise: (lambda r: (r.status, None))(
            spiked_rows.leading(
                spiked_rows.SpikedRows(
                    d=6.0,
                    signal=signal,
                    noise=noise,
                    groups=_groups(count, jnp.asarray(30.0), weight),
                )
            )
        ),
        {
            "count": (5.0, [0.0], [-EPS]),
            "weight": (2.0, [0.0], [-EPS]),
            "signal": (1.0, [], [0.0]),
            "noise": (0.1, [0.0], [-EPS]),
        },
    ),
    "noise at an overlap": (
        lambda signal, level, n: (lambda r: _told(r, r.noise))(
            feature_spectrum.noise_at(6.0, signal, plain_rows(n, 0.0), level)
        ),
        {
            "signal": (1.0, [], [0.0]),
            "level": (0.5, [0.0], [-EPS, 1.0]),
            "n": (30.0, [], [0.0]),
        },
    ),
    "probe of noisy features": (
        lambda n, ridge: (lambda r: (r.status, None))(_probed(n, ridge)),
        {"n": (20.0, [], [0.0]), "ridge": (1.0, [], [0.0])},
    ),
    "poisoned ridge": (
        lambda n, share, noise, ridge: (lambda r: (r.status, r.weights.spread))(
            poisoning.poisoned_ridge(n, 6.0, share, 1.0, 2.0, jnp.array([0.1, 1.0]), noise, ridge)
        ),
        {
            "n": (9.0, [], [0.0]),
            "share": (0.1, [0.0, 1.0], [-EPS, 1 + EPS]),
            "noise": (0.1, [0.0], [-EPS]),
            "ridge": (1.0, [0.0], [-EPS]),
        },
    ),
    "clean tuning": (
        lambda n, ridge, time, noise: (lambda r: (r.status, None))(
            poisoning.clean_tuning(n, 6.0, ridge, time, noise)
        ),
        {
            "n": (9.0, [], [0.0]),
            "ridge": (1.0, [0.0], [-EPS]),
            "time": (1.0, [0.0], [-EPS]),
            "noise": (0.1, [0.0], [-EPS]),
        },
    ),
    "contamination": (
        lambda share, leaked: (lambda r: (r.status, None))(
            contamination.contaminated_risk(LAW, 9.0, 1.0, 0.1, share, leaked=leaked)
        ),
        {
            "share": (0.2, [0.0, 1.0], [-EPS, 1 + EPS]),
            "leaked": (0.5, [0.0, 1.0], [-EPS, 1 + EPS]),
        },
    ),
    "flipped labels": (
        lambda flips, ridge: (lambda r: (r.status, None))(
            corrupted_labels.label_flip_risk(LAW, 9.0, ridge, flips)
        ),
        {"flips": (0.2, [0.0, 1.0], [-EPS, 1 + EPS]), "ridge": (1.0, [0.0], [-EPS])},
    ),
    "noisy inputs": (
        lambda added, tail_trace: (lambda r: (r.status, None))(
            corrupted_inputs.input_noise_risk(_law(1.0, tail_trace), 9.0, 1.0, 0.1, added)
        ),
        {"added": (0.2, [0.0], [-EPS]), "tail_trace": (0.0, [], [EPS])},
    ),
    "noisy inputs of repeated rows": (
        lambda added, tail_trace: (lambda r: (r.status, None))(
            corrupted_inputs.weighted_input_noise_risk(
                _law(1.0, tail_trace), plain_rows(9.0, 0.1), 1.0, added
            )
        ),
        {"added": (0.2, [0.0], [-EPS]), "tail_trace": (0.0, [], [EPS])},
    ),
    "rows of a population": (
        lambda n, weight, other, ridge, size: _whole(
            finite_population.population_risk(LAW, size, _groups(n, other, weight, 0.0), ridge)
        ),
        {
            "n": (5.0, [0.0, 9.0], [-EPS, 9.1]),
            "other": (3.0, [0.0], [-EPS]),
            "weight": (2.0, [0.0], [-EPS]),
            "ridge": (1.0, [], [-EPS]),
            "size": (12.0, [8.0], [7.9, 5.0]),
        },
    ),
    "worst repeats": (
        lambda budget, fraction, p: _whole(repeat_peak.worst_repeats(budget, fraction, p)),
        {
            "budget": (200.0, [], [0.0]),
            "fraction": (0.3, [], [-EPS, 1 + EPS]),
            "p": (20.0, [], [0.0]),
        },
    ),
    "tasks of unequal shares": (
        lambda share, tau, ridge: _whole(
            zipf_tasks.unequal_tasks(
                jnp.stack([share, jnp.asarray(0.3)]),
                8.0,
                tau,
                ridge,
                linear_attention.contexts(2.0, 0.25, 0.25),
            )
        ),
        {"share": (0.7, [], [0.0]), "tau": (2.0, [], [0.0]), "ridge": (1.0, [0.0], [-EPS])},
    ),
    "drawn tasks": (
        lambda share, tau, ridge, drawn: _whole(
            drawn_tasks.drawn_tasks(
                jnp.stack([share, jnp.asarray(0.3)]), 8.0, tau, ridge, jnp.ones(1), KINDS, drawn
            )
        ),
        {
            "share": (0.7, [], [0.0]),
            "tau": (2.0, [], [0.0]),
            "ridge": (1.0, [0.0], [-EPS]),
            "drawn": (3.0, [1.0], [0.9]),
        },
    ),
    "sources": (
        lambda count, other, weight, ridge: (lambda r: (r.status, None))(
            mixture.fit_block_mixture(
                mixture.BlockMixture(
                    variances=jnp.array([[1.0], [0.5]]),
                    multiplicity=jnp.array([6.0]),
                    targets=jnp.ones((2, 1, 1)),
                    counts=jnp.stack([count, other]),
                    weights=jnp.stack([weight, jnp.ones(())]),
                    noise=jnp.array([0.1, 0.2]),
                    ridge=ridge,
                ),
                mixture.BlockWeights(mean=jnp.zeros((1, 1)), spread=jnp.zeros(1)),
            )
        ),
        {
            "count": (5.0, [0.0, np.inf], [-EPS]),
            "other": (3.0, [0.0], [-EPS]),
            "weight": (2.0, [0.0], []),
            "ridge": (1.0, [], [-EPS]),
        },
    ),
    "worst repeats on a spectrum": (
        lambda budget, fraction, ridge, noise: _whole(
            repeat_scaling.worst_repeats_on(LAW, budget, fraction, ridge, noise)
        ),
        {
            "budget": (200.0, [], [0.0]),
            "fraction": (0.3, [], [-EPS, 1 + EPS]),
            "ridge": (1.0, [], [-EPS]),
            "noise": (1.0, [], [0.0]),
        },
    ),
    "Mei and Montanari": (
        lambda n, p, d, ridge, slope, rest: (lambda r: (r.status, r.excess_risk))(
            mei_montanari.mei_montanari_risk(
                mei_montanari.Moments(0.1, slope, rest), n, p, d, ridge, 0.1
            )
        ),
        {
            "n": (9.0, [], [0.0]),
            "p": (8.0, [], [0.0]),
            "d": (6.0, [], [0.0]),
            "ridge": (1.0, [], [0.0]),
            "slope": (0.5, [-0.5], [0.0]),
            "rest": (0.3, [], [0.0]),
        },
    ),
}


def _probed(n, ridge):
    heads = noisy_features.Features(
        weights=Spiked(rows=8.0, columns=5.0, strength=1.0, noise=0.1), overlap=0.9
    )
    return noisy_features.probe(
        heads, noisy_features.Task(n=n, ridge=ridge, noise=0.1, named=1.0, unnamed=1.0)
    )


@pytest.mark.parametrize("name", FORMULAS)
def test_each_bound_is_told_by_the_status(name):
    formula, numbers = FORMULAS[name]
    points, wanted = [{}], [True]
    for which, (usual, allowed, refused) in numbers.items():
        if 0.0 in refused and -usual not in allowed:
            refused = [*refused, -usual]
        points += [{which: value} for value in [*allowed, *refused]]
        wanted += [True] * len(allowed) + [False] * len(refused)
    well = {which: of[0] for which, of in numbers.items()}
    columns = {k: np.array([{**well, **point}[k] for point in points]) for k in numbers}
    status, value = jax.vmap(lambda of: formula(**of))(columns)
    value = [None] * len(points) if value is None else np.asarray(value)
    for point, fine, told, number in zip(points, wanted, status, value, strict=True):
        assert told == (Status.OK if fine else Status.OUT_OF_SCOPE), point
        finite = np.full(1, fine) if number is None else np.isfinite(number)
        assert finite.all() if fine else not finite.any(), point
