"""How to ask the function that a statement names for what the statement gives."""

import jax.numpy as jnp

from ci_theory.theory.attention.linear_attention import Prompts, contexts
from ci_theory.theory.attention.population import World
from ci_theory.theory.inheritance.interpolation import Course
from ci_theory.theory.sequences.finite_pool import Pool
from ci_theory.theory.sequences.pool_order import Overlaps
from ci_theory.theory.spectra.spectrum import isotropic


def alike(d, pairs, noise=0.0, sign=1.0, scale=1.0):
    """Return prompts with isotropic inputs and tasks in d dimensions."""
    unit = jnp.eye(round(d))
    return World(inputs=scale * unit, tasks=unit, pairs=pairs, noise=noise, sign=sign)


def learnt(cost, own, square):
    """Return the overlaps of chains and what was learnt of them; no higher order is asked for."""
    return Overlaps(*(jnp.asarray(v, float) for v in (cost, own, square)), jnp.full(4, jnp.nan))


def pool(chains):
    """Return a pool of so many chains, one each."""
    return Pool(jnp.asarray(chains, float), 0.0, 1.0)


def ridgeless(attention, inverse, noise, prompts, spread):
    """Ask for prompts of one kind, of as many tasks as have that resolvent at their spread."""
    own = 1 / inverse - spread
    kind = contexts((1 + noise) / spread, noise, noise)
    trained_on = Prompts(
        counts=jnp.array([prompts]), weights=jnp.ones(1), contexts=listed(kind), ridge=0.0
    )
    return attention(trained_on, inverse * own / (1 - own), kind)


def listed(kind):
    return type(kind)(**{k: jnp.asarray(v, float)[None] for k, v in vars(kind).items()})


# name -> (how to ask the function that the statement names, ranges of the statement's arguments)
NUMBERS = {
    "isotropic.kappa": (
        lambda solve, n, p, ridge: solve(isotropic(p), n, ridge).value,
        {"n": (20, 90), "p": (20, 90), "ridge": (0.5, 20)},
    ),
    "isotropic.ridgeless_under": (
        lambda risk, g, noise: risk(100.0, 100 * g, noise).test_error,
        {"g": (0.1, 0.95), "noise": (0.1, 3)},
    ),
    "isotropic.ridgeless_over": (
        lambda risk, g, noise, signal: risk(100.0, 100 * g, noise, signal).test_error,
        {"g": (1.1, 7), "noise": (0.1, 3), "signal": (0.5, 2)},
    ),
    "isotropic.exact_under": (
        lambda risk, n, noise, p: risk(n, p, noise).test_error,
        {"n": (50, 90), "noise": (0.1, 3), "p": (10, 48)},
    ),
    "isotropic.exact_over": (
        lambda risk, n, noise, p, signal: risk(n, p, noise, signal).test_error,
        {"n": (10, 48), "noise": (0.1, 3), "p": (50, 300), "signal": (0.5, 2)},
    ),
    "isotropic.peak_height": (
        lambda height, level, noise, signal: height(100.0, 100 * level, noise, signal),
        {"level": (1e-6, 1), "noise": (0.1, 3), "signal": (0.5, 2)},
    ),
    "isotropic.peak_height_small_ridge": (
        lambda height, level, noise, signal: height(100.0, 100 * level, noise, signal),
        {"level": (1e-6, 0.1), "noise": (0.1, 3), "signal": (0.5, 2)},
    ),
    "isotropic.local_minimum": (
        lambda minimum, noise, signal: minimum(noise, signal).ratio,
        {"noise": (0.1, 0.9), "signal": (1, 2)},
    ),
    "isotropic.local_minimum_risk": (
        lambda minimum, noise, signal: minimum(noise, signal).excess_risk,
        {"noise": (0.1, 0.9), "signal": (1, 2)},
    ),
    "isotropic.optimal_ridge": (
        lambda best, noise, p, signal: best(p, noise, signal),
        {"noise": (0.1, 3), "p": (10, 90), "signal": (0.5, 2)},
    ),
    "power_law.ridgeless_kappa": (
        lambda kappa, alpha, n: kappa(n, alpha),
        {"alpha": (1.2, 3), "n": (10, 1e4)},
    ),
    "power_law.gamma": (
        lambda ridgeless, alpha, n: ridgeless(n, alpha, 0.4, 0.1).gamma,
        {"alpha": (1.2, 3), "n": (10, 1e4)},
    ),
    "power_law.bias": (
        lambda bias, alpha, kappa, source: bias(kappa, alpha, source),
        {"alpha": (1.3, 2), "kappa": (1e-5, 1e-2), "source": (0.3, 0.9)},
    ),
    "power_law.plateau": (
        lambda plateau, alpha, noise: plateau(alpha, noise),
        {"alpha": (1.2, 3), "noise": (0.1, 3)},
    ),
    "power_law.ridge_crossover": (
        lambda crossover, alpha, level: crossover(level, alpha),
        {"alpha": (1.2, 3), "level": (1e-6, 1e-2)},
    ),
    "power_law.tuned_slope": (
        lambda tuned, alpha, source: tuned(alpha, source).slope,
        {"alpha": (1.2, 3), "source": (0.3, 1)},
    ),
    "repetition.excess": (
        lambda excess, fraction, ratio: excess(fraction, ratio),
        {"fraction": (0.1, 0.9), "ratio": (0.2, 4)},
    ),
    "repetition.worst_excess": (
        lambda excess, fraction: excess(fraction, 1.0),
        {"fraction": (0.1, 0.9)},
    ),
    "repetition.worst_count": (
        lambda law, alpha, budget, df1, fraction: law(budget, fraction, df1, alpha),
        {"alpha": (1.2, 3), "budget": (1e3, 1e5), "df1": (10, 90), "fraction": (0.1, 0.9)},
    ),
    "repetition.peak_noise": (
        lambda noise, fraction, share: noise(fraction, share),
        {"fraction": (0.1, 0.9), "share": (0.1, 1)},
    ),
    "repetition.size_exponent": (
        lambda exponent, alpha, source: exponent(alpha, source),
        {"alpha": (1.2, 3), "source": (0.3, 1)},
    ),
    "groups.equalising_weight": (
        lambda weight, majority, minority, p: weight(p, majority, minority, 0.0).value,
        {"majority": (200, 400), "minority": (60, 200), "p": (20, 90)},
    ),
    "prior.balanced_error": (
        lambda errors, separation, shift: errors(separation, shift, 1.0).under(0.5),
        {"separation": (0.2, 3), "shift": (0.1, 3)},
    ),
    "prior.best_strength": (
        lambda best, n, prior, told: best(prior, n, (prior - told) / (2 * prior - 1)),
        {"n": (10, 500), "prior": (0.75, 0.95), "told": (0.55, 0.7)},
    ),
    "prior.fewest_labels": (
        lambda fewest, prior, strength, told: fewest(
            prior, strength, (prior - told) / (2 * prior - 1)
        ),
        {"prior": (0.75, 0.95), "strength": (0.2, 1.5), "told": (0.55, 0.7)},
    ),
    "interpolation.risk": (
        lambda risk, curvature, mix, slope, start: risk(Course(start, -slope, curvature), -mix),
        {"curvature": (0.1, 3), "mix": (0.1, 2), "slope": (0.1, 2), "start": (0.1, 2)},
    ),
    "interpolation.best_mix": (
        lambda best, curvature, slope: best(Course(1.0, slope, jnp.array(curvature))),
        {"curvature": (0.1, 3), "slope": (0.1, 2)},
    ),
    "interpolation.best_ridge": (
        lambda best, anchor, noise, p: best(p, noise, anchor),
        {"anchor": (0.1, 3), "noise": (0.1, 2), "p": (10, 90)},
    ),
    "erasure.rows": (
        lambda rows, d, label, left, reversal, ridge, strength: rows(
            left, d, strength, label, reversal=reversal, ridge=ridge
        ),
        {
            "d": (20, 900),
            "label": (0.1, 3),
            "left": (0.1, 0.9),
            "reversal": (0.1, 2),
            "ridge": (0.1, 9),
            "strength": (0.1, 9),
        },
    ),
    "erasure.attack_success": (
        lambda success, norm, response, strength, variance: success(
            strength, response, variance, norm
        ),
        {"norm": (0.5, 3), "response": (0.1, 1), "strength": (0.5, 3), "variance": (0.01, 1)},
    ),
    "erasure.cost": (
        lambda cost, d, kappa, n, share, strength: cost(share, strength, n, d, kappa),
        {
            "d": (20, 90),
            "kappa": (0.01, 2),
            "n": (100, 900),
            "share": (0.05, 0.5),
            "strength": (0.5, 5),
        },
    ),
    "poison.response": (
        lambda fit, along, kappa, label, share, strength: fit(
            300.0, 90.0, share, strength, label, jnp.array([along, 1.0]), 0.2,
            kappa * (300 - 90 / (1 + kappa)),  # the ridge that leads to kappa
        ).weights.mean[0],
        {
            "along": (0.1, 1),
            "kappa": (0.01, 2),
            "label": (0.5, 3),
            "share": (0.01, 0.5),
            "strength": (0.5, 5),
        },
    ),
    "poison.half_saturated": (
        lambda half, along, kappa, label, strength: half(kappa, strength, label, along),
        {"along": (0.01, 0.1), "kappa": (0.01, 2), "label": (0.8, 3), "strength": (3, 6)},
    ),
    "poison.half_removed": (
        lambda half, p, ridge: half(p, ridge),
        {"p": (10, 90), "ridge": (0.1, 9)},
    ),
    "attention.weight": (
        lambda best, d, noise, pairs, sign: best(alike(d, pairs, noise, sign))[0, 0],
        {"d": (5, 5), "noise": (0.1, 9), "pairs": (1, 50), "sign": (0.1, 1)},
    ),
    "attention.error": (
        lambda error, d, scale, test_noise, test_pairs, weight: error(
            weight * jnp.eye(round(d)), alike(d, test_pairs, test_noise, scale=scale)
        ),
        {
            "d": (4, 4),
            "scale": (0.5, 3),
            "test_noise": (0.1, 9),
            "test_pairs": (1, 50),
            "weight": (0.1, 2),
        },
    ),
    "attention.largest_scale": (
        lambda largest, d, test_noise, test_pairs, weight: largest(
            weight * jnp.eye(round(d)), alike(d, test_pairs, test_noise)
        ),
        {"d": (5, 5), "test_noise": (0.1, 1), "test_pairs": (2, 50), "weight": (0.1, 1)},
    ),
    "attention.best_noise": (
        lambda best, d, pairs, scale, sign, test_noise, test_pairs: best(
            alike(d, pairs, sign=sign), alike(d, test_pairs, test_noise, scale=scale)
        ),
        {
            "d": (3, 3),
            "pairs": (5, 50),
            "scale": (2, 4),
            "sign": (0.9, 1),
            "test_noise": (0.1, 9),
            "test_pairs": (1, 50),
        },
    ),
    "attention.task_inverse": (
        lambda traces, diversity, kappa: traces(kappa, diversity).inverse,
        {"diversity": (0.2, 5), "kappa": (0.01, 3)},
    ),
    "attention.ridge_error": (
        lambda error, noise, ratio: error(ratio, noise),
        {"noise": (0.05, 2), "ratio": (0.1, 9)},
    ),
    "attention.trained_error": (
        lambda attention, **at: ridgeless(attention, **at).trained_error,
        {"inverse": (0.8, 1.2), "noise": (0.1, 2), "prompts": (1.1, 9), "spread": (0.5, 0.6)},
    ),
    "attention.fresh_error": (
        lambda attention, **at: ridgeless(attention, **at).fresh_error,
        {"inverse": (0.8, 1.2), "noise": (0.1, 2), "prompts": (1.1, 9), "spread": (0.5, 0.6)},
    ),
    "memory.weakest_recalled": (
        lambda weakest, outputs, squares, width: weakest(width, squares, outputs),
        {"outputs": (2, 1e4), "squares": (0.1, 1e3), "width": (8, 1e3)},
    ),
    "memory.mixed_up": (
        lambda right, chance, facts, share: right(chance, share, facts),
        {"chance": (0.1, 1), "facts": (3, 100), "share": (0.1, 1)},
    ),
    "memory.zipf_beyond": (
        lambda beyond, exponent, rank: beyond(rank, exponent),
        {"exponent": (1.1, 4), "rank": (0.5, 1e3)},
    ),
    "memory.error_exponent": (
        lambda falls, exponent, power: falls(exponent, power),
        {"exponent": (1.1, 4), "power": (0.6, 2)},
    ),
    "memory.hopfield_error": (
        lambda wrong, neurons, patterns: wrong(neurons, patterns),
        {"neurons": (50, 500), "patterns": (5, 200)},
    ),
    "chains.endless_loss": (
        lambda loss, a, states: loss(states, a),
        {"a": (0.1, 9), "states": (2, 9)},
    ),
    "chains.overlap_law": (
        lambda law, n, states: law(n, states),
        {"n": (1, 1e4), "states": (2, 9)},
    ),
    "chains.pool_gain": (
        lambda order, chains, cost, own, square: -order(
            learnt(cost, own, square), pool(chains)
        ).trained,
        {"chains": (10, 900), "cost": (0.01, 0.02), "own": (2, 4), "square": (1, 3)},
    ),
    "chains.pool_harm": (
        lambda order, chains, cost, square: order(learnt(cost, 9.0, square), pool(chains)).fresh,
        {"chains": (10, 900), "cost": (0.01, 1), "square": (1, 3)},
    ),
    "chains.winning_pool": (
        lambda winning, cost, own, square: winning(learnt(cost, own, square)),
        {"cost": (0.01, 1), "own": (2, 4), "square": (1, 3)},
    ),
    "chains.harmless_pool": (
        lambda harmless, cost, level, square: harmless(learnt(cost, 9.0, square), level),
        {"cost": (0.01, 0.1), "level": (0.2, 1), "square": (1, 3)},
    ),
}  # fmt: skip
