"""Every number of a training changes what is measured; usual points simulate those without alone.

One program for all of them, side by side; of a tiny network that takes three steps.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.phenomena import load

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
