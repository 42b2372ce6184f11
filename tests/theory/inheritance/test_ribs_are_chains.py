"""Phenomena of two stages at drawn points: their closed forms are those of a chain, in matrices.

The phenomena follow scalars in the plane of two targets; the chain carries full matrices of all
models together through any stages, and knows of neither planes nor isotropy.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._record import build
from ci_theory.phenomena import load
from ci_theory.phenomena._forecast import told
from ci_theory.theory.inheritance.chain import Training, chain
from ci_theory.theory.inheritance.combination import combined
from ci_theory.theory.inheritance.operator import RidgeStage, risk
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows

P = 24


def drawn(seed, size=1):
    """Values that both phenomena have: sizes on either side of p, strengths, an angle."""
    rng = np.random.default_rng(seed)
    return {
        "p": size * P,
        "up.n": size * int(rng.integers(30, 90)),
        "up.repeated_fraction": 0.5,
        "up.repeats": int(rng.integers(1, 5)),
        "up.ridge": size * float(rng.uniform(1, 9)),
        "up.noise": float(rng.uniform(0.1, 1)),
        "down.n": size * int(rng.integers(12, 60)),
        "down.ridge": size * float(rng.uniform(1, 20)),
        "down.noise": float(rng.uniform(0.1, 1)),
        "alignment": float(rng.uniform(-1, 1)),
        "signal": float(rng.uniform(0.5, 2)),
    }


class Ran:
    """A phenomenon at a point, and the chain of its two stages with the targets turned about."""

    def __init__(self, name, point):
        phenomenon = load(name)
        params = self.params = build(phenomenon.params, phenomenon.point(point))
        made = told(phenomenon, params, phenomenon.prepared(point), decoys=False)
        self.told = {name: float(estimate.value) for name, (estimate, _) in made.items()}
        turn = (
            np.linalg.qr(np.random.default_rng(9).normal(size=(params.p, params.p)))[0]
            * params.signal**0.5
        )
        cosine = params.alignment
        self.before, self.own = turn[0], cosine * turn[0] + (1 - cosine**2) ** 0.5 * turn[1]
        shared = getattr(params.up, "shared_noise", True)
        up = repeated_rows(*params.up.split(), params.up.noise, shared)
        down = plain_rows(params.down.n, params.down.noise)
        self.chain = chain(
            None,
            [
                Training(stage=self.stage(self.before, up, params.up.ridge)),
                Training(stage=self.stage(self.own, down, params.down.ridge), anchor=(1.0,)),
            ],
        )

    def stage(self, target, rows, ridge):
        whole = jnp.eye(self.params.p)
        return RidgeStage(covariance=whole, target=jnp.asarray(target), groups=rows, ridge=ridge)


@pytest.mark.parametrize("seed", range(4))
def test_two_stage_ridge_is_a_chain_of_two(seed):
    shared = bool(seed % 2)
    ran = Ran("two_stage_ridge", {**drawn(seed), "up.shared_noise": shared, "ood_variance": 3.0})
    noise, along = ran.params.down.noise, ran.before / ran.params.signal**0.5
    stretched = np.eye(P) + 2 * np.outer(along, along)
    rows = plain_rows(ran.params.down.n, noise)
    alone = chain(None, [Training(stage=ran.stage(ran.own, rows, ran.params.down.ridge))])
    first, last = ran.chain.model(0), ran.chain.model(-1)
    scratch, inherited = (risk(m, np.eye(P), ran.own) for m in (alone.model(-1), last))
    wanted = {
        "test_error": inherited + noise,
        "ood_error": risk(last, stretched, ran.own) + noise,
        "transfer_gain": scratch - inherited,
        "upstream_error": risk(first, np.eye(P), ran.before) + ran.params.up.noise,
    }
    for name, value in wanted.items():
        assert ran.told[name] == pytest.approx(float(value), rel=1e-9), name


def apart(seed, size):
    """Relative differences of the phenomenon's mixed weights from a chain's."""
    point = {**drawn(seed, size), "transfer": 0.4 * seed - 3, "mix": 0.4 * seed - 4}
    ran = Ran("weight_interpolation", point)
    other = ran.before + point["transfer"] * (ran.own - ran.before)

    def mixed(mix, target):
        weights = combined(ran.chain.joint, jnp.array([1 - mix, mix]))
        return float(risk(weights, np.eye(size * P), target))

    found = []
    for kind, target in (("id", ran.own), ("ood", other)):
        start, slope = mixed(0.0, target), mixed(1.5, target) - mixed(0.5, target)
        found.append((ran.told[f"{kind}_risk"] - mixed(point["mix"], target)) / start)
        found.append((ran.told[f"{kind}_slope"] - slope) / start)  # exact of a parabola
    return np.array(found)


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_mixed_weights_are_those_of_both_models_of_a_chain(seed):
    """The phenomenon has the next order of fine-tuning beside it: a tenth at ten times the size."""
    small, large = apart(seed, 1), apart(seed, 10)
    np.testing.assert_allclose(10 * large, small, rtol=0.02, atol=1e-5)
    assert np.max(np.abs(large)) < 3e-3
