"""The fixed point of weighted rows: its equation at thirty digits, and what has no answer."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.shares import solve_shares
from ci_theory.theory.spectra.spectrum import Spectrum, df1, isotropic

LAM, MANY = np.array([2.0, 0.3, 1e-3]), np.array([4.0, 10.0, 30.0])
solve = jax.jit(solve_shares)


def law(tail=0.0, lam=LAM):
    return Spectrum(
        eigenvalues=lam,
        multiplicity=MANY,
        power=np.zeros(3),
        tail_trace=np.array(tail),
        tail_power=np.zeros(()),
    )


def rows(*counts, weights=(1.0, 3.0, 20.0)):
    return Groups(counts=np.array(counts), weights=np.array(weights), noise=np.ones(3))


@pytest.mark.parametrize("tail", [0.0, 0.05])
@pytest.mark.parametrize("counts", [(9.0, 4.0, 2.0), (25.0, 15.0, 4.0), (300.0, 0.0, 7.0)])
def test_the_equation_and_all_that_is_read_off_it(counts, tail):
    """Fewer rows than modes, as many, and more; at thirty digits."""
    for ridge in (1e-9, 0.4, 1e5):
        at = solve(law(tail), rows(*counts), ridge)
        assert int(at.status) == Status.OK
        assert float(at.residual) < 1e-10
        with mp.workdps(30):
            kappa = mp.mpf(float(at.kappa))
            learned = mp.fsum(
                m * v / (v + kappa) for m, v in zip(MANY.tolist(), LAM.tolist(), strict=True)
            )
            learned += mp.mpf(tail) / kappa
            s = mp.mpf(ridge) / kappa
            shares = [c / (s + c * learned) for c in (1.0, 3.0, 20.0)]
            whole = mp.fsum(n * a for n, a in zip(counts, shares, strict=True))
            squares = mp.fsum(n * a**2 for n, a in zip(counts, shares, strict=True))
            assert abs(whole - 1) < 1e-11
            for found, wanted in [
                (at.scale, s),
                (at.df1, learned),
                (at.effective_rows, 1 / squares),
                *zip(at.shares, shares, strict=True),
                *zip(at.leverage, (a * learned for a in shares), strict=True),
            ]:
                assert float(found) == pytest.approx(float(wanted), rel=1e-11)
            # what is forgotten keeps its digits where next to nothing is
            for found, a, c in zip(at.forgotten, shares, (1, 3, 20), strict=True):
                assert float(found) == pytest.approx(float(s * a / c), rel=1e-11)


def test_copies_of_every_row_are_a_smaller_ridge():
    for ridge in (0.0, 0.6):
        at = solve(law(), rows(8.0, 5.0, 90.0, weights=(7.0, 7.0, 7.0)), ridge * 7)
        plain = solve_kappa(law(), 103.0, ridge)
        assert float(at.kappa) == pytest.approx(float(plain.value), rel=1e-12)
        assert float(at.effective_rows) == pytest.approx(103, rel=1e-12)
        assert float(at.df1) == pytest.approx(float(df1(law(), plain.value)), rel=1e-12)


@pytest.mark.parametrize(
    ("spectrum", "groups", "ridge", "status"),
    [
        (law(), rows(9.0, 4.0, 2.0), -1e-9, Status.OUT_OF_SCOPE),
        (law(), rows(0.0, 0.0, 0.0), 1.0, Status.OUT_OF_SCOPE),
        (law(), rows(9.0, -4.0, 2.0), 1.0, Status.OUT_OF_SCOPE),
        (law(), rows(9.0, 4.0, 2.0, weights=(1.0, -3.0, 2.0)), 1.0, Status.OUT_OF_SCOPE),
        (law(), rows(9.0, 4.0, 2.0, weights=(0.0, 0.0, 0.0)), 1.0, Status.OUT_OF_SCOPE),
        (law(lam=0 * LAM), rows(9.0, 4.0, 2.0), 1.0, Status.OUT_OF_SCOPE),
        (law(), rows(20.0, 20.0, 4.0), 0.0, Status.NOT_FINITE),
        (law(), rows(20.0, 20.0, 5.0), 0.0, Status.OK),
        (law(), rows(20.0, 20.0, 4.0), 1e-12, Status.OK),
        (law(tail=1e-3), rows(20.0, 20.0, 4.0), 0.0, Status.OK),
    ],
)
def test_what_has_no_answer_says_so(spectrum, groups, ridge, status):
    at = solve(spectrum, groups, ridge)
    assert int(at.status) == status
    numbers = np.hstack([v for k, v in at._asdict().items() if k not in ("status", "residual")])
    assert np.isnan(numbers).all() if status != Status.OK else np.isfinite(numbers).all()


def test_rows_without_weight_are_not_there():
    absent = rows(9.0, 4.0, 50.0, weights=(1.0, 3.0, 0.0))
    at, alone = (solve(law(), groups, 0.2) for groups in (absent, rows(9.0, 4.0, 0.0)))
    assert float(at.kappa) == pytest.approx(float(alone.kappa), rel=1e-13)
    assert (float(at.leverage[2]), float(at.forgotten[2])) == (0.0, 1.0)
    bare = solve(law(), absent, 0.0)  # 13 rows that are all known by heart
    assert float(bare.effective_rows) == pytest.approx(13, rel=1e-12)


@pytest.mark.parametrize(("counts", "tail"), [((9.0, 4.0, 2.0), 0.05), ((90.0, 5.0, 7.0), 0.0)])
def test_derivatives_are_those_of_the_root(counts, tail):
    """Fewer rows than modes, and more: against quotients of fourth order."""
    point = {
        "ridge": jnp.array([0.4]),
        "counts": jnp.array(counts),
        "weights": jnp.array([1.0, 3.0, 20.0]),
        "lam": jnp.array(LAM),
        "tail": jnp.array([tail]),
    }
    still = {"tail": point.pop("tail")} if tail == 0 else {}

    def numbers(at):
        at = {**still, **at}
        groups = Groups(counts=at["counts"], weights=at["weights"], noise=jnp.ones(3))
        spectrum = replace(law(), eigenvalues=at["lam"], tail_trace=at["tail"][0])
        made = solve(spectrum, groups, at["ridge"][0])
        return jnp.hstack([v for k, v in made._asdict().items() if k not in ("status", "residual")])

    slopes = jax.jacfwd(numbers)(point)
    for name, values in point.items():
        for i, value in enumerate(values):
            moved = [
                numbers({**point, name: values.at[i].set(value * (1 + k * 1e-3))})
                for k in (-2, -1, 1, 2)
            ]
            low2, low, high, high2 = moved
            wanted = (low2 - 8 * low + 8 * high - high2) / (12e-3 * value)
            np.testing.assert_allclose(slopes[name][:, i], wanted, rtol=1e-7, atol=1e-9)


def test_as_many_rows_as_modes_keep_their_digits():
    """Ridges of 1e-12, where all but a millionth is memorised: forty digits by bisection."""
    modes, rows_of = 100, ((60, 1), (40, 5))
    for ridge in ("1e-12", "1e-9"):
        groups = Groups(
            counts=np.array([60.0, 40.0]), weights=np.array([1.0, 5.0]), noise=np.zeros(2)
        )
        made = solve_shares(isotropic(modes), groups, float(ridge))
        with mp.workdps(40):
            delta = mp.mpf(ridge)

            def lacks(log_kappa, delta=delta):
                kappa = mp.exp(log_kappa)
                degrees = modes / (1 + kappa)
                held = [n * c / (delta / kappa + c * degrees) for n, c in rows_of]
                return sum(held) - 1

            kappa = mp.exp(mp.findroot(lacks, (-60, 5), solver="bisect", maxsteps=200))
            assert abs(float(made.kappa) / kappa - 1) < 1e-12
            assert abs(float(made.scale) * kappa / delta - 1) < 1e-12
