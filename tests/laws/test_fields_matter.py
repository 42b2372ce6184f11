"""Every number of a training changes what is measured; usual points simulate those without alone.

One program for all of them, side by side; of a tiny network that takes three steps.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.phenomena import load, predict

PHENOMENON = load("modular_grokking")
SMALL = {"p": 5, "width": 6, "step": np.array([3]), "corrupted": 0.2, "repeated": 0.4, "repeats": 2}
OTHER = {
    **{"fraction": 0.8, "decay": 0.2, "rate": 0.02, "warm_up": 2, "scale": 1.5},
    **{"corrupted": 0.4, "repeated": 0.6, "repeats": 3},
}


def test_every_number_of_a_training_changes_what_is_measured():
    assert sorted(OTHER) == sorted(PHENOMENON.names(Kind.TRACED))
    point = {**PHENOMENON.point({k: v for k, v in SMALL.items() if k != "step"}), **SMALL}
    numbers = {k: point[k] for k in OTHER}
    rows = [numbers, *({**numbers, k: v} for k, v in OTHER.items())]
    columns = {k: jnp.array([row[k] for row in rows], float) for k in OTHER}

    @jax.jit
    @jax.vmap
    def losses(traced):
        made = PHENOMENON.simulate(
            key_for(3, 0, 0, 0), build(PHENOMENON.params, {**point, **traced}), {}
        )
        return jnp.stack([made.train_loss[0], made.test_loss[0], made.weight_norm[0]])

    found = np.asarray(losses(columns))
    assert np.isfinite(found).all()
    for name, changed in zip(OTHER, found[1:], strict=True):
        assert np.any(np.abs(changed / found[0] - 1) > 1e-6), name


LAWS = [
    ("ridge_peak", {"spectrum": "power_law", "ridge": 1.0}, {"alpha": 2.5}),
    ("corrupted_inputs", {"spectrum": "power_law"}, {"alpha": 2.5}),
    ("imbalanced_mixture", {"spectrum": "power_law"}, {"alpha": 2.5}),
    ("epochwise_descent", {"spectrum": "power_law", "d": 60}, {"alpha": 2.5, "beta": 2.5}),
    ("power_law_break", {"modes": 80}, {"alpha": 1.4, "source": 0.6, "modes": 60, "tail": False}),
    ("repetition_scaling", {"modes": 80}, {"alpha": 1.4, "source": 0.8, "modes": 60}),
    ("sgd_scaling", {"width": 9, "inputs": 30, "steps": 40},
     {"alpha": 1.4, "beta": 0.9, "width": 8, "inputs": 40, "draw": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words", "others"), LAWS, ids=lambda given: str(given)[:24])
def test_every_number_of_a_law_changes_what_is_measured_and_what_is_predicted(name, words, others):
    phenomenon = load(name)
    sizes = {"n": 30} if "n" in phenomenon.axes else {}
    sizes |= {"p": 20} if phenomenon.axes.get("p") and phenomenon.axes["p"].default else {}

    def made(change):
        point = phenomenon.point({**words, **sizes, **change})
        inner = {k: jnp.array([point[k]]) for k in phenomenon.names(Kind.INNER)}
        capacity = {k: int(point[k]) for k in phenomenon.names(Kind.SIZED)}
        params = build(phenomenon.params, {**point, **inner})
        run = phenomenon.simulate(key_for(3, 0, 0, 0), params, capacity)
        seen = [getattr(run, measure) for measure in phenomenon.measure_info]
        told = [p.estimate.value for p in predict(phenomenon, point, decoys=False).values()]
        return np.ravel(seen), np.ravel(told)

    first = made({})
    for field, value in others.items():
        for here, there in zip(first, made({field: value}), strict=True):
            known = np.isfinite(here) & np.isfinite(there)
            assert known.any(), field
            assert np.any(np.abs(there[known] / here[known] - 1) > 1e-6), field
