"""Two ridge stages in simulation: the operator, the boundary, and general covariances."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory._record import axes_of, build, flatten
from ci_theory.inherit import finetune, two_stage
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import predict
from ci_theory.phenomena.two_stage_ridge import PHENOMENON, Params, simulate
from ci_theory.theory.inheritance.mixture import Mixture, fit_mixture
from ci_theory.theory.inheritance.operator import RidgeStage, Weights, from_scratch, inherit, risk
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows

INNER = ("up.ridge", "up.noise", "down.ridge", "down.noise", "alignment", "ood_variance")
ALIGNMENTS = np.linspace(0.3, 1.0, 8)
BASE = {
    "p": 40,
    "up.n": 240,
    "up.repeats": 6,
    "up.repeated_fraction": 0.5,
    "up.noise": 0.5,
    "down.n": 40,
    "down.ridge": 12.0,
}


@functools.cache
def _program(p, capacity):
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": p})
        sizes = dict(zip(("up.n", "down.n"), capacity, strict=True))
        return jax.vmap(lambda key: simulate(key, params, sizes))(keys)

    return run


def _simulate(replicates=40, capacity=(240, 80), **point):
    """Simulate at eight alignments; every other number as given or at its default."""
    full = {**PHENOMENON.point({}), **BASE, **point}
    full["alignment"] = ALIGNMENTS
    numbers = {
        k: jnp.broadcast_to(jnp.asarray(v, float), 8) if k in INNER else jnp.asarray(v)
        for k, v in full.items()
        if k != "p"
    }
    keys = jnp.stack([key_for(5, 0, 0, r) for r in range(replicates)])
    made = _program(full["p"], capacity)(keys, numbers)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


def _predict(**point):
    full = {**BASE, "alignment": list(ALIGNMENTS), **point}
    return predict(PHENOMENON, full)


def _mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def test_nested_parameters_have_dotted_names():
    point = PHENOMENON.point({"up.noise": 0.7, "down.n": 12})
    assert flatten(build(Params, point)) == point
    assert axes_of(Params)["up.noise"].kind.value == "inner"
    assert build(Params, point).up.noise == 0.7


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"up.shared_noise": False, "down.n": 80},
        {"up.ridge": 30.0, "up.repeats": 1, "down.ridge": 1.0},
        {"p": 64, "up.n": 24, "up.repeats": 1, "down.n": 24, "down.ridge": 0.0},
    ],
)
def test_predictions_hold_within_their_slack(change):
    made = _simulate(**change)
    found = _predict(**change)
    for name, predicted in found.items():
        estimate = predicted.estimate
        assert estimate.valid.all(), name
        mean, error = _mean(made[predicted.prediction.measure])
        assert np.all(np.abs(mean - estimate.value) <= estimate.slack + 4.5 * error + 1e-12), name


def test_decoys_are_rejected():
    made, found = _simulate(), _predict()
    for predicted in found.values():
        mean, error = _mean(made[predicted.prediction.measure])
        for name, wrong in predicted.decoys.items():
            gap = np.abs(mean - wrong) - predicted.estimate.slack - 5 * error
            assert gap.max() > 0, (predicted.prediction.name, name)


@pytest.mark.parametrize("down", [{"down.n": 20}, {"down.n": 80, "down.ridge": 60.0}])
def test_boundary_does_not_depend_on_the_downstream_task(down):
    gain = _simulate(**down)["transfer_gain"]
    found = Crossing(level=0.0, direction="up").locate(ALIGNMENTS, gain)
    rule = PHENOMENON.breaks[0]
    exact = rule.closed_form(build(Params, {**PHENOMENON.point({}), **BASE, **down}))
    assert found.value == pytest.approx(exact, abs=0.02)
    plain = rule.closed_form(build(Params, {**PHENOMENON.point({}), **BASE}))
    assert exact == pytest.approx(plain, rel=1e-12)


def test_repeats_raise_the_alignment_that_inheriting_needs():
    places = []
    for repeats, shared in [(1, True), (6, True), (6, False)]:
        change = {"up.repeats": repeats, "up.shared_noise": shared}
        gain = _simulate(**change)["transfer_gain"]
        places.append(Crossing(level=0.0).locate(ALIGNMENTS, gain).value)
    once, copied, relabelled = places
    assert copied > once + 0.05
    assert relabelled < once + 0.5 * (copied - once)


def test_least_squares_forgets_its_start():
    made = _simulate(**{"down.n": 80, "down.ridge": 0.0})
    assert np.allclose(made["transfer_gain"], 0, atol=1e-10)
    rule = PHENOMENON.breaks[0]
    params = build(Params, {**PHENOMENON.point({}), **BASE, "down.n": 80, "down.ridge": 0.0})
    assert np.isnan(rule.closed_form(params))


def test_a_downstream_stage_without_an_error_leaves_the_upstream_one_its_own():
    found = _predict(**{"down.n": BASE["p"], "down.ridge": 0.0})
    assert np.all(found["test_error"].estimate.status == Status.NOT_FINITE)
    upstream = found["upstream_error"].estimate
    assert np.all(upstream.status == Status.OK)
    assert np.all(upstream.valid)


# --- the stage itself, against drawn labels and explicit solves --------------------------------


def test_stage_moments_are_those_of_drawn_labels():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(9, 5)), np.array([1.0, 1, 1, 3, 3, 1, 0, 1, 1])
    noise_of_row = np.where(weights > 0, 1.0, 0.0)
    target, mean, root = rng.normal(size=5), rng.normal(size=5), 0.3 * rng.normal(size=(5, 5))
    stage = finetune.design(jnp.array(x), jnp.array(weights), jnp.array(noise_of_row))
    start = finetune.Moments(jnp.array(mean), jnp.array(root @ root.T))
    made = finetune.finetune(stage, start, jnp.array(target), 0.7, 0.4)
    error = finetune.training_error(stage, start, jnp.array(target), 0.7, 0.4)

    draws = 100_000
    w0 = mean + rng.normal(size=(draws, 5)) @ root.T
    y = x @ target + np.sqrt(0.4) * rng.normal(size=(draws, 9))
    gram = x.T @ (weights[:, None] * x) + 0.7 * np.eye(5)
    w = np.linalg.solve(gram, ((y * weights) @ x + 0.7 * w0).T).T
    assert np.allclose(w.mean(axis=0), made.mean, atol=0.01)
    assert np.allclose(np.cov(w.T), made.covariance, atol=0.01)
    left = ((y - w @ x.T) ** 2 @ weights) / weights.sum()
    assert left.mean() == pytest.approx(float(error), abs=4.5 * left.std() / np.sqrt(draws))


def test_orientation_average_is_the_average_over_orientations():
    """The traces that the simulation uses, against a loop over the 2 p pairs of targets."""
    p, signal, cosine, variance = 6, 1.3, 0.6, 3.0
    rng = np.random.default_rng(1)
    up, down = (
        finetune.design(jnp.array(rng.normal(size=(n, p))), jnp.ones(n), jnp.ones(n))
        for n in (9, 5)
    )
    made = two_stage.errors(up, down, signal, 0.8, 0.5, 1.1, 0.2, cosine, variance)
    totals = np.zeros(5)
    for j in range(p):
        for sign in (1, -1):
            a = np.eye(p)[j]
            b = cosine * a + sign * np.sqrt(1 - cosine**2) * np.eye(p)[(j + 1) % p]
            zero = finetune.scratch(p)
            w_up = finetune.finetune(up, zero, np.sqrt(signal) * a, 0.8, 0.5)
            target = np.sqrt(signal) * b
            w = finetune.finetune(down, w_up, target, 1.1, 0.2)
            plain = finetune.finetune(down, zero, target, 1.1, 0.2)
            excess = float(finetune.excess_risk(w, target))
            along = float((a @ (w.mean - target)) ** 2 + a @ w.covariance @ a)
            totals += [
                excess,
                excess + (variance - 1) * along,
                float(finetune.training_error(down, w_up, target, 1.1, 0.2)),
                float(finetune.excess_risk(plain, target)),
                float(finetune.excess_risk(w_up, np.sqrt(signal) * a)),
            ]
    wanted = two_stage.Errors(*(totals / (2 * p)))
    for name, value in wanted._asdict().items():
        assert float(getattr(made, name)) == pytest.approx(value, rel=1e-11), name


# --- covariances that do not commute -----------------------------------------------------------

P = 40


def _covariance(seed):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(P, P)))
    return (q * np.geomspace(3.0, 0.1, P)) @ q.T


@jax.jit
def _two_fits(key, root_up, root_down, beta_up, beta_down, test):
    """One run with drawn labels: repeated upstream rows, then ridge towards the result."""
    a, b, c, d = jax.random.split(key, 4)
    weights = jnp.concatenate([jnp.full(12, 5.0), jnp.ones(60)])
    x = jax.random.normal(a, (72, P)) @ root_up
    y = x @ beta_up + 0.6 * jax.random.normal(b, (72,))
    w = jnp.linalg.solve(x.T @ (weights[:, None] * x) + 2.0 * jnp.eye(P), x.T @ (weights * y))
    x = jax.random.normal(c, (50, P)) @ root_down
    y = x @ beta_down + 0.4 * jax.random.normal(d, (50,))
    w = w + jnp.linalg.solve(x.T @ x + 6.0 * jnp.eye(P), x.T @ (y - x @ w))
    gap = w - beta_down
    return gap @ (test @ gap)


def test_two_stages_with_any_covariances_out_of_distribution():
    up, down, test = _covariance(1), _covariance(2), _covariance(3)
    rng = np.random.default_rng(4)
    beta_up, beta_down = rng.normal(size=(2, P)) / np.sqrt(P)
    first = RidgeStage(
        covariance=up, target=beta_up, groups=repeated_rows(60, 12, 5, 0.36, True), ridge=2.0
    )
    second = RidgeStage(covariance=down, target=beta_down, groups=plain_rows(50, 0.16), ridge=6.0)
    made = inherit(inherit(from_scratch(P), first).weights, second).weights
    roots = [np.linalg.cholesky(s).T for s in (up, down)]
    keys = jax.random.split(jax.random.key(0), 1500)
    for law in (down, test):
        runs = jax.jit(jax.vmap(lambda k, s=law: _two_fits(k, *roots, beta_up, beta_down, s)))(keys)
        error = float(runs.std()) / np.sqrt(len(runs))
        wanted = float(risk(made, law, beta_down))
        assert abs(float(runs.mean()) - wanted) < 4 * error + 0.02 * wanted
        alone = inherit(Weights(mean=jnp.zeros(P), spread=jnp.zeros((P, P))), second).weights
        assert abs(float(runs.mean()) - float(risk(alone, law, beta_down))) > 0.1 * wanted


def test_mixture_of_sources_by_simulation():
    """Contaminated rows: other inputs, other target, more weight and noise."""
    laws, test = [_covariance(5), _covariance(6)], _covariance(7)
    targets = np.random.default_rng(8).normal(size=(2, P)) / np.sqrt(P)
    counts, weights, noise, ridge = (60, 25), (1.0, 3.0), (0.2, 0.6), 4.0
    made = fit_mixture(
        Mixture(
            covariances=np.stack(laws),
            targets=targets,
            counts=np.array(counts),
            weights=np.array(weights),
            noise=np.array(noise),
            ridge=ridge,
        ),
        from_scratch(P),
    )
    roots = [np.linalg.cholesky(s).T for s in laws]

    @jax.jit
    @jax.vmap
    def run(key):
        gram, pull = ridge * jnp.eye(P), jnp.zeros(P)
        for g in range(2):
            a, b = jax.random.split(jax.random.fold_in(key, g))
            x = jax.random.normal(a, (counts[g], P)) @ roots[g]
            y = x @ targets[g] + np.sqrt(noise[g]) * jax.random.normal(b, (counts[g],))
            gram, pull = gram + weights[g] * x.T @ x, pull + weights[g] * x.T @ y
        return jnp.linalg.solve(gram, pull)

    w = np.asarray(run(jax.random.split(jax.random.key(1), 1500)))
    for law, target in [(laws[0], targets[0]), (laws[1], targets[1]), (test, targets[0])]:
        gap = w - target
        values = np.einsum("ri,ij,rj->r", gap, law, gap)
        wanted = float(risk(made.weights, law, target))
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - wanted) < 4 * error + 0.02 * wanted
    assert np.abs(w.mean(axis=0) - made.weights.mean).max() < 0.02
