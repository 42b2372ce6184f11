"""Every bias, by listing: strength 0 does nothing, it is one program for any key, theory means it.

What a bias does to rows and what theory takes it for are written apart: here drawn rows must have
the moments that the closed form has for endlessly many rows, within their Monte Carlo error.
"""

import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ci_theory.biases
from ci_theory._keys import key_for, stream
from ci_theory._record import record, sized
from ci_theory.biases import (
    class_noise,
    contamination,
    imbalance,
    input_noise,
    label_flips,
    leaks,
    noise,
    oversampling,
    poison,
    repetition,
)
from ci_theory.theory.inheritance.poisoning import poisoned_ridge
from ci_theory.theory.rows.contamination import contaminated_risk
from ci_theory.theory.rows.corrupted_inputs import corrupted_law
from ci_theory.theory.rows.corrupted_labels import label_flip_risk
from ci_theory.theory.scaling.metrics import leaked_share
from ci_theory.theory.spectra.groups import over_copies, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic

ROWS, INPUTS = 4000, 2
KEYS = [key_for(0, 7, 1, i) for i in range(40)]
THERE = jnp.arange(ROWS) < ROWS - 96  # the last rows of the arrays are not there
HELPERS = {"subset", "whole"}  # with which biases choose rows, and make numbers of them whole
TARGET = np.array([0.6, -1.1])


@record
class Rows(repetition.Repetition):
    """Rows that may be copies."""

    n: int = sized(ROWS - 96, doc="rows")


class Bias(NamedTuple):
    """One way to spoil data.

    Attributes:
        act: ``act(key, strength)``: what is left of the data, an array.
        strength: one that is no symmetric case.
        clean: what is left of it without the bias; a function of the key.
        moments: numbers of what is left.
        twin: what theory says that these are at a strength; None where it says nothing.
        why: the reason, if so.
    """

    act: Callable[[Any, Any], Any]
    strength: float
    clean: Callable[[Any], Any]
    moments: Callable[[Any], Any]
    twin: Callable[[Any], Any] | None
    why: str = ""


def _inputs(key):
    return jax.random.normal(stream(key, "rows"), (ROWS, INPUTS))


def _signs(key):
    return jnp.where(_inputs(key) @ TARGET > 0, 1.0, -1.0)


def _fitted(x, y, there=THERE):
    """Fit least squares: coefficients, then the mean squared residual."""
    x, y = x * there[:, None], y * there
    weights = jnp.linalg.solve(x.T @ x, x.T @ y)
    return jnp.append(weights, jnp.sum((y - x @ weights) ** 2) / jnp.sum(there))


def _copies(weights):
    """Total weight, and its squares: what an effective ridge sees of rows with copies."""
    return jnp.stack([jnp.sum(weights), jnp.sum(weights**2)])


def _grouped(groups):
    return np.array([groups.counts @ groups.weights, groups.counts @ groups.weights**2])


def _noisy_inputs(key, strength):
    x = _inputs(key)
    return jnp.column_stack([input_noise.InputNoise(input_noise=strength).seen(key, x), x @ TARGET])


def _regressed(strength):
    """Coefficients and residual of the law that noisy inputs make."""
    clean = isotropic(INPUTS)
    law = corrupted_law(clean, 0.0, strength)
    kept = law.spectrum.power / law.spectrum.eigenvalues / (clean.power / clean.eigenvalues)
    return np.append(np.sqrt(kept) * TARGET, law.noise / clean.power * (TARGET @ TARGET))


def _poisoned(key, strength):
    x = _inputs(key)
    struck = poison.struck(key, THERE, strength)
    return jnp.column_stack([poison.triggered(x, struck, 1.5), jnp.where(struck, 2.5, x @ TARGET)])


def _planted(strength):
    found = poisoned_ridge(np.inf, INPUTS, strength, 1.5, 2.5, TARGET, 0.0, 0.0)
    return np.asarray(found.weights.mean)


def _flipped(key, strength):
    return jnp.column_stack([_inputs(key), label_flips.flipped(key, _signs(key), strength)])


def _flip_residual(strength):
    return np.asarray(label_flip_risk(isotropic(INPUTS), np.inf, 0.0, strength).squared_error)


def _leaking(key, strength):
    luck = jax.random.uniform(stream(key, "luck"), (2, ROWS))
    return leaks.unleaked(luck, strength, strength / 50, 40.0)


def _tested(key, strength):
    """Error shown where a share of the tests leaked: 3 on fresh rows, 0.5 on leaked ones."""
    return contamination.mixed(*map(jnp.asarray, (3.0, 0.5, strength)))


def _apparent(strength):
    """What theory makes of the errors on fresh and on leaked rows, read back to 3 and 0.5."""
    at = contaminated_risk(isotropic(60.0), 200.0, 5.0, 0.4, strength)
    share = (at.test_error - at.apparent_error) / (at.test_error - at.leaked_error)
    return np.asarray(3.0 + share * (0.5 - 3.0))


def _labels(key):
    return jax.random.randint(stream(key, "classes"), (ROWS,), 0, 5)


BIASES = {
    "class_noise": Bias(
        lambda key, s: class_noise.corrupted(key, _labels(key), 5, THERE, s).labels,
        0.3,
        _labels,
        lambda labels: jnp.bincount(labels, length=5) / ROWS,
        None,
        "networks that are taught wrong classes have no closed form (modular_grokking)",
    ),
    "contamination": Bias(
        _tested, 0.3, lambda key: jnp.asarray(3.0), lambda error: error, _apparent
    ),
    "imbalance": Bias(
        lambda key, s: jnp.stack(imbalance.sizes(ROWS, 0.5 - s)),
        0.2,
        lambda key: jnp.array([ROWS / 2, ROWS / 2]),
        lambda sizes: sizes / ROWS,
        None,
        "theory takes the sizes of both classes as they are",
    ),
    "input_noise": Bias(
        _noisy_inputs,
        0.7,
        lambda key: jnp.column_stack([_inputs(key), _inputs(key) @ TARGET]),
        lambda rows: _fitted(rows[:, :2], rows[:, 2]),
        _regressed,
    ),
    "label_flips": Bias(
        _flipped,
        0.15,
        lambda key: jnp.column_stack([_inputs(key), _signs(key)]),
        lambda rows: _fitted(rows[:, :2], rows[:, 2])[2],
        _flip_residual,
    ),
    "leaks": Bias(
        _leaking,
        0.3,
        lambda key: jnp.ones(ROWS, bool),
        lambda kept: 1 - jnp.mean(kept),
        lambda s: np.asarray(leaked_share(s, s / 50, 40.0)),
    ),
    "noise": Bias(
        lambda key, s: noise.row_noise(1 + s * jnp.ones(5), False),
        3.0,
        lambda key: jnp.ones(5),
        jnp.mean,
        lambda s: np.asarray(repeated_rows(0.0, 5.0, 1 + s, 1.0, False).noise[1]),
    ),
    "oversampling": Bias(
        lambda key, s: oversampling.Oversampling(repeated=s, repeats=4).copies(key, THERE),
        0.37,
        lambda key: 1 * THERE,
        _copies,
        lambda s: _grouped(
            repeated_rows(*oversampling.Oversampling(repeated=s, repeats=4).split(ROWS - 96), 1, 1)
        ),
    ),
    "poison": Bias(
        _poisoned,
        0.12,
        lambda key: jnp.column_stack([_inputs(key), _inputs(key) @ TARGET]),
        lambda rows: _fitted(rows[:, :2], rows[:, 2])[:2],
        _planted,
    ),
    "repetition": Bias(
        lambda key, s: repetition.weights(Rows(repeated_fraction=s, repeats=7).split(), ROWS),
        0.43,
        lambda key: 1.0 * THERE,
        _copies,
        lambda s: _grouped(repeated_rows(*Rows(repeated_fraction=s, repeats=7).split(), 1, True)),
    ),
}


def test_every_bias_is_listed():
    modules = {one.name for one in pkgutil.iter_modules(ci_theory.biases.__path__)}
    assert modules == {*BIASES, *HELPERS}
    assert all(bool(bias.twin) != bool(bias.why) for bias in BIASES.values())


@pytest.mark.parametrize("name", BIASES)
def test_strength_0_is_the_identity(name):
    bias = BIASES[name]
    for key in KEYS[:3]:
        np.testing.assert_array_equal(bias.act(key, 0.0), bias.clean(key))
        spoilt = np.asarray(bias.act(key, bias.strength))
        assert not np.array_equal(spoilt, bias.clean(key))


@pytest.mark.parametrize("name", BIASES)
def test_it_is_one_program_for_any_key_and_strength(name):
    """With jit as without; under vmap over keys and strengths as one by one."""
    bias = BIASES[name]
    strengths = jnp.array([0.0, bias.strength, bias.strength / 2])
    keys = jnp.stack(KEYS[:3])
    singly = np.array([bias.act(k, s) for k, s in zip(keys, strengths, strict=True)])
    program = jax.jit(bias.act)
    jitted = [program(k, s) for k, s in zip(keys, strengths, strict=True)]
    np.testing.assert_allclose(np.array(jitted), singly, rtol=1e-13, atol=1e-13)
    together = jax.vmap(bias.act)(keys, strengths)
    np.testing.assert_allclose(together, singly, rtol=1e-13, atol=1e-13)


def _deviation(bias, strength, told):
    """Return by how many standard errors moments of drawn rows differ from what is told."""
    found = np.array([bias.moments(bias.act(key, strength)) for key in KEYS], float)
    error = found.std(axis=0, ddof=1) / len(KEYS) ** 0.5
    return np.max(np.abs(found.mean(axis=0) - told) / np.maximum(error, 1e-9 * np.abs(told)))


@pytest.mark.parametrize("name", [name for name, bias in BIASES.items() if bias.twin])
def test_theory_means_what_the_bias_does(name):
    """And is seen to be wrong at another strength."""
    bias = BIASES[name]
    for strength in (bias.strength, bias.strength / 2):
        assert _deviation(bias, strength, bias.twin(strength)) < 4.5
    assert _deviation(bias, bias.strength, bias.twin(0.7 * bias.strength)) > 10


def test_rows_of_unlike_error_weigh_in_the_mean_as_their_copies():
    """Copies that are labelled afresh: the mean error over copies, drawn and by groups."""
    params = Rows(repeated_fraction=0.43, repeats=7)
    weights = repetition.weights(params.split(), ROWS)
    drawn = jnp.sum(weights * noise.row_noise(weights, False)) / jnp.sum(weights)
    groups = repeated_rows(*params.split(), 1.0, False)
    assert float(drawn) == pytest.approx(float(over_copies(groups, groups.noise)), rel=1e-12)
