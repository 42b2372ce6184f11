"""Sums in place of integrals are fine enough: twice as fine a rule says the same."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.inheritance import poisoning
from ci_theory.theory.rows import spiked_rows
from ci_theory.theory.spectra.groups import repeated_rows


def entropies():
    groups = repeated_rows(168.0, 6.0, 12.0, 0.0, True)
    rows = spiked_rows.SpikedRows(d=60.0, signal=1.0, noise=0.2, groups=groups)
    return spiked_rows.row_shape.__wrapped__.__wrapped__(rows, spiked_rows.leading(rows))


def tuning():
    return poisoning.clean_tuning.__wrapped__.__wrapped__(400.0, 200.0, 5.0, 8.0, 0.1)[:4]


def success():
    struck = poisoning.poisoned_ridge(90, 50, 0.1, 2.0, 1.0, jnp.array([0.0, 1.0]), 0.3, 5.0)
    return (poisoning.attack_success.__wrapped__(struck, 3.0),)


@pytest.mark.parametrize(
    ("solve", "finer"),
    [
        (entropies, {"ci_theory.theory.rows.spiked_rows.STEP": 0.3}),
        (entropies, {"ci_theory.theory.rows.spiked_rows.REACH": 90.0}),
        (tuning, {"ci_theory.theory.inheritance.poisoning.ARCSINE": 256}),
        (success, {"ci_theory.theory.inheritance.poisoning.NODES": 81}),
    ],
)
def test_a_finer_rule_says_the_same(monkeypatch, solve, finer):
    told = solve()
    for name, value in finer.items():
        if name.endswith("NODES"):
            nodes, weights = np.polynomial.hermite_e.hermegauss(value)
            monkeypatch.setattr(name, nodes)
            monkeypatch.setattr(name.replace("NODES", "NODE_WEIGHTS"), weights / weights.sum())
        else:
            monkeypatch.setattr(name, value)
    for one, other in zip(told, solve(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9)
