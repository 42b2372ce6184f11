"""Every theory, traced: each function that it calls is given the shapes that it says.

Only under the hook of conftest.py, by ``make test-optimised``: to trace compiles nothing.
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from ci_theory._record import build
from ci_theory.phenomena import load, names
from ci_theory.phenomena._forecast import told
from ci_theory.theory.attention import population
from ci_theory.theory.discrete import zipf
from ci_theory.theory.dynamics import induction_head
from ci_theory.theory.editing import editing
from ci_theory.theory.features import random_features
from ci_theory.theory.inheritance import combination
from ci_theory.theory.inheritance.operator import IsotropicWeights
from ci_theory.theory.representations import noisy_features
from ci_theory.theory.ridge import shift
from ci_theory.theory.rows import repetition
from ci_theory.theory.scaling import metrics
from ci_theory.theory.sequences import dirichlet
from ci_theory.theory.spectra import fixed_point
from ci_theory.theory.spectra.spectrum import isotropic

pytestmark = pytest.mark.skipif(
    "CI_THEORY_SHAPES" not in os.environ, reason="make test-optimised checks shapes"
)


# The digits take seconds to decompose; their theory is that of weighted rows.
TRACED = [name for name in names() if load(name).forecast and name != "digits_ridge"]


@pytest.mark.parametrize("name", TRACED)
def test_a_theory_calls_by_the_shapes_that_functions_say(name):
    """Its bounds too."""
    phenomenon = load(name)
    point = phenomenon.point({})
    world = phenomenon.prepared(point)
    words = {k: point[k] for k, a in phenomenon.axes.items() if a.type is str}
    numbers = {k: np.asarray(v, float) for k, v in point.items() if k not in words}

    def at(moving):
        return told(phenomenon, build(phenomenon.params, {**moving, **words}), world, decoys=False)

    jax.eval_shape(at, numbers)


ONE = combination.independent_isotropic(IsotropicWeights(mean=jnp.ones(1), spread=0.5))
ASKED = induction_head.Questions(4.0, 9.0, 0.1, 2.0, 1.0)
WRONG = {
    "attention": lambda: population.turned(jnp.ones((2, 3)), 0.1),
    "discrete": lambda: zipf.mass_seen(jnp.ones((2, 2)), 3),
    "dynamics": lambda: induction_head.found_share(jnp.ones((2, 3)), ASKED),
    "editing": lambda: editing.edit_of(jnp.ones(2), 10.0, 1.0),
    "features": lambda: random_features.solve_gamma(np.ones(3), 10.0, 20.0, 1.0),
    "inheritance": lambda: combination.combined_isotropic(ONE, np.ones((1, 1))),
    "representations": lambda: noisy_features.flipped_heads(np.ones((2, 2)), 3.0, 50.0, 0.1, 1.0),
    "ridge": lambda: shift.shifted_risk_modes(*(np.ones(n) for n in (2, 2, 2, 1)), 9.0, 1.0, 0, 0),
    "rows": lambda: repetition.weighted_ridge_risk(isotropic(9.0), (9.0, 1.0, 0.1), 1.0),
    "scaling": lambda: metrics.exact_match(jnp.ones(2) / 2, 3),
    "sequences": lambda: dirichlet.log_evidence(jnp.ones(()), 1.0),
    "spectra": lambda: fixed_point.solve_kappa(isotropic(9.0), jnp.ones(2), 1.0),
}


@pytest.mark.parametrize("room", WRONG)
def test_a_wrong_shape_is_refused(room):
    """Without the hook most of these would be broadcast without a word."""
    with pytest.raises(TypeCheckError):
        WRONG[room]()
