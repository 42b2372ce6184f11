"""Weighted ridge against 40-digit references from the two coupled Stieltjes equations."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows.repetition import copy_errors, weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.shares import solve_shares
from ci_theory.theory.spectra.spectrum import Spectrum, isotropic, power_law, two_block

# --- the oracle: resolvents, not leverages ---------------------------------------------------
# G = (X'CX + ridge + t S)^-1 has the equivalent ((s + t) S + ridge)^-1 with e = tr S G and
# s = sum c / (1 + c e). The bias part of the risk is ridge^2 w'(-dG/dt)w, the label-noise part
# tr S G X'C V C X G is -de/du for weights c + u c^2 v. Neither uses shares nor leverages.


def _solve(modes, tail, weights, counts, ridge, t, start):
    def equations(log_e, log_s):
        e, s = mp.exp(log_e), mp.exp(log_s)
        trace = sum(m * lam / ((s + t) * lam + ridge) for lam, m in modes) + tail / ridge
        stieltjes = sum(n * c / (1 + c * e) for n, c in zip(counts, weights, strict=True))
        return mp.log(trace) - log_e, mp.log(stieltjes) - log_s

    log_e, log_s = mp.findroot(equations, start, tol=mp.mpf(10) ** -75)
    return mp.exp(log_e), mp.exp(log_s)


def _oracle(spectrum, groups, ridge, start):
    """Kappa, s, excess risk and noise variance with 40 correct digits."""
    with mp.workdps(90):
        values = [mp.mpf(float(v)) for v in spectrum.eigenvalues]
        sizes = [mp.mpf(float(v)) for v in spectrum.multiplicity]
        modes = [(lam, m) for lam, m in zip(values, sizes, strict=True) if m]
        power = [mp.mpf(float(v)) for v in spectrum.power]
        tail = mp.mpf(float(spectrum.tail_trace))
        counts = [mp.mpf(float(v)) for v in groups.counts]
        weights = [mp.mpf(float(v)) for v in groups.weights]
        noise = [mp.mpf(float(v)) for v in groups.noise]
        ridge = mp.mpf(ridge)
        begin = tuple(mp.log(mp.mpf(float(v))) for v in start)

        def at(t=0, u=0):
            moved = [c + u * c * c * v for c, v in zip(weights, noise, strict=True)]
            return _solve(modes, tail, moved, counts, ridge, t, begin)

        s = at()[1]
        small = mp.mpf(10) ** -20

        def slope(f, scale):
            h = small * scale
            return (f(h) - f(-h)) / (2 * h)

        turn = slope(lambda t: at(t=t)[1], s)
        signal = (
            ridge**2
            * (1 + turn)
            * sum(v / (s * lam + ridge) ** 2 for v, lam in zip(power, values, strict=True))
        )
        signal += (1 + turn) * mp.mpf(float(spectrum.tail_power))
        largest = max(c * v for c, v in zip(weights, noise, strict=True))
        fitted = -slope(lambda u: at(u=u)[0], 1 / largest) if largest else mp.mpf(0)
        return ridge / s, s, signal + fitted, fitted


SPECTRA = {
    "isotropic": isotropic(60, signal=1.3),
    "two_block": two_block(20, 40, 1.0, 0.05, 0.7, 0.5),
    "power_law": power_law(60, 1.2, source=0.7, signal=1.0, tail=False),
    "tail": power_law(40, 1.2, source=0.7, tail=True),
}
DESIGNS = {
    # (counts, weights, mean-label noise)
    "one_group": ([60.0], [7.0], [0.3]),
    "at_peak": ([48.0, 12.0], [1.0, 20.0], [0.3, 0.3]),
    "at_peak_fresh_labels": ([48.0, 12.0], [1.0, 20.0], [0.3, 0.015]),
    "few": ([20.0, 5.0], [1.0, 6.0], [0.3, 0.3]),
    "many": ([1400.0, 30.0], [1.0, 20.0], [0.3, 0.3]),
    "importance": ([100.0, 31.5, 8.0, 3.0], [1.0, 0.25, 3.7, 900.0], [0.3, 2.0, 0.0, 0.3]),
}
RIDGES = [1e-12, 1e-8, 1e-4, 0.1, 10.0, 1e5]
POINTS = list(itertools.product(SPECTRA, DESIGNS, RIDGES))


def _groups(name):
    counts, weights, noise = (np.array(v) for v in DESIGNS[name])
    return Groups(counts=counts, weights=weights, noise=noise)


def _padded(law, size=60):
    extra = (0, size - len(law.eigenvalues))
    return Spectrum(
        eigenvalues=np.pad(law.eigenvalues, extra, constant_values=1.0),
        multiplicity=np.pad(law.multiplicity, extra),
        power=np.pad(law.power, extra),
        tail_trace=law.tail_trace,
        tail_power=law.tail_power,
    )


def _risk(law, rows, ridge):
    """Pad to 60 nodes and 4 groups, so that one compilation serves every design."""
    short = 4 - len(rows.counts)
    rows = jax.tree.map(lambda leaf: jnp.pad(jnp.asarray(leaf, float), (0, short)), rows)
    return weighted_ridge_risk(_padded(law), rows, jnp.asarray(ridge, float))


def test_there_are_points_at_the_peak():
    assert len(POINTS) == 144
    assert sum(_groups(d).counts.sum() == 60 for d in DESIGNS) == 3


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("design", DESIGNS)
def test_matches_40_digit_reference(spectrum, design):
    law, groups = SPECTRA[spectrum], _groups(design)
    for ridge in RIDGES:
        risk = _risk(law, groups, ridge)
        at = risk.fixed_point
        assert int(risk.status) == Status.OK
        start = (float(at.df1 / at.scale), float(at.scale))
        kappa, scale, excess, fitted = _oracle(law, groups, ridge, start)
        for ours, wanted in [
            (at.kappa, kappa),
            (at.scale, scale),
            (risk.excess_risk, excess),
            (risk.noise_variance, fitted),
        ]:
            assert abs(float(ours) / wanted - 1) < 1e-12, (spectrum, design, ridge)


# --- limits and laws -------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["few", "many"])
@pytest.mark.parametrize("spectrum", ["isotropic", "two_block", "power_law"])
def test_no_ridge_is_the_limit_of_a_vanishing_one(spectrum, design):
    law, groups = SPECTRA[spectrum], _groups(design)
    risk = _risk(law, groups, 0.0)
    assert int(risk.status) == Status.OK
    tiny = 1e-20
    at = _risk(law, groups, tiny).fixed_point
    _, _, excess, fitted = _oracle(law, groups, tiny, (at.df1 / at.scale, at.scale))
    assert abs(float(risk.excess_risk) / excess - 1) < 1e-12
    assert abs(float(risk.noise_variance) / fitted - 1) < 1e-12
    assert (float(risk.fixed_point.kappa) == 0) == (design == "many")
    assert (float(risk.fixed_point.scale) == 0) == (design == "few")


def test_no_ridge_with_a_tail_interpolates_at_any_number_of_rows():
    law, groups = SPECTRA["tail"], _groups("many")
    risk = _risk(law, groups, 0.0)
    at = _risk(law, groups, 1e-20).fixed_point
    _, _, excess, _ = _oracle(law, groups, 1e-20, (at.df1 / at.scale, at.scale))
    assert abs(float(risk.excess_risk) / excess - 1) < 1e-12
    assert float(risk.fixed_point.df1) == pytest.approx(1430, rel=1e-13)


def test_million_modes_with_as_many_distinct_rows():
    from ci_theory.theory.spectra.compression import compress

    law = compress(power_law(10**6, 1.2, source=0.8, tail=False))
    groups = Groups(
        counts=np.array([9e5, 1e5]), weights=np.array([1.0, 40.0]), noise=np.array([0.1, 0.1])
    )
    for ridge in (1e-8, 1e-12):
        at = solve_shares(law, groups, ridge)
        assert int(at.status) == Status.OK
        # sum over what is memorised = sum over what is learned, from the two small complements
        rows = float(jnp.sum(groups.counts * at.forgotten))
        k = np.arange(1.0, 1e6 + 1)
        modes = float(np.sum(at.kappa / (k**-1.2 + at.kappa)))
        assert rows == pytest.approx(modes, rel=1e-11)


def test_one_weight_for_all_is_plain_ridge_with_less_ridge():
    from ci_theory.theory.spectra.fixed_point import solve_kappa

    law = SPECTRA["power_law"]
    for n, ridge in [(30, 0.0), (60, 1e-8), (200, 3.0)]:
        risk = _risk(
            law, Groups(counts=np.array([n]), weights=np.array([8.0]), noise=np.array([0.2])), ridge
        )
        plain = _risk(law, plain_rows(n, 0.2), ridge / 8)
        assert float(risk.excess_risk) == pytest.approx(float(plain.excess_risk), rel=1e-13)
        assert float(plain.fixed_point.kappa) == pytest.approx(
            float(solve_kappa(law, n, ridge / 8).value), rel=1e-13
        )
        assert float(risk.fixed_point.effective_rows) == pytest.approx(n, rel=1e-13)


def test_plain_rows_are_plain_ridge():
    for n, ridge in [(30, 0.0), (60, 1e-8), (200, 3.0)]:
        ours = weighted_ridge_risk(SPECTRA["two_block"], plain_rows(n, 0.2), ridge)
        theirs = ridge_risk(SPECTRA["two_block"], n, ridge, 0.2)
        errors = copy_errors(ours, plain_rows(n, 0.2), 0.2)
        assert float(errors.test_error) == pytest.approx(float(theirs.test_error), rel=1e-13)
        assert float(errors.train_error) == pytest.approx(float(theirs.train_error), rel=1e-12)
        if ridge > 0:  # without copies the naive form is right
            assert float(errors.gcv_naive) == pytest.approx(float(theirs.test_error), rel=1e-11)


def test_weights_do_not_matter_to_an_interpolator():
    law = SPECTRA["two_block"]
    risks = [
        float(_risk(law, repeated_rows(30, 10, r, 0.5, True), 0.0).excess_risk) for r in (1, 3, 100)
    ]
    assert risks == pytest.approx([risks[0]] * 3, rel=1e-13)
    fresh = float(_risk(law, repeated_rows(30, 10, 3, 0.5, False), 0.0).excess_risk)
    assert fresh < 0.95 * risks[0]


def test_a_row_of_weight_zero_is_not_there():
    law = SPECTRA["power_law"]
    with_it = Groups(
        counts=np.array([40.0, 25.0]), weights=np.array([2.0, 0.0]), noise=np.array([0.1, 9.0])
    )
    without = Groups(counts=np.array([40.0]), weights=np.array([2.0]), noise=np.array([0.1]))
    for ridge in (0.0, 0.3):
        a = _risk(law, with_it, ridge)
        b = _risk(law, without, ridge)
        assert float(a.excess_risk) == pytest.approx(float(b.excess_risk), rel=1e-13)
        assert float(a.fixed_point.leverage[1]) == 0


def test_gradients_agree_with_finite_differences():
    def excess(v):
        law = two_block(20, v[0], 1.0, v[1], 0.7, 0.5)
        rows = repeated_rows(v[2], v[3], v[4], v[5], True)
        return weighted_ridge_risk(law, rows, v[6]).excess_risk

    for n_fresh, ridge in [(48.0, 1e-3), (48.0, 0.5), (20.0, 0.0), (90.0, 0.0)]:
        point = jnp.array([40.0, 0.1, n_fresh, 12.0, 6.0, 0.3, ridge])
        slope = jax.jit(jax.grad(excess))(point)
        assert np.all(np.isfinite(slope))
        value = jax.jit(excess)
        for i in range(7):
            h = 1e-6 * max(float(point[i]), 1e-3)
            if i == 6 and ridge == 0:
                continue  # one-sided there
            measured = (value(point.at[i].add(h)) - value(point.at[i].add(-h))) / (2 * h)
            assert float(slope[i]) == pytest.approx(float(measured), rel=2e-5, abs=1e-8)


def test_statuses_name_what_has_no_answer_and_spoil_nothing():
    law = isotropic(60)

    def one(n, ridge):
        return weighted_ridge_risk(law, repeated_rows(n, 10.0, 5.0, 0.5, True), ridge)

    risk = jax.vmap(one)(jnp.array([50.0, 50.0, 50.0, 90.0, -1.0]), jnp.array([0, 0.1, -1, 0, 0]))
    wanted = [Status.NOT_FINITE, Status.OK, Status.OUT_OF_SCOPE, Status.OK, Status.OUT_OF_SCOPE]
    assert [int(s) for s in risk.status] == wanted
    assert list(np.isfinite(risk.excess_risk)) == [s == Status.OK for s in wanted]
    assert float(risk.excess_risk[1]) == pytest.approx(
        float(_risk(law, repeated_rows(50.0, 10.0, 5.0, 0.5, True), 0.1).excess_risk), rel=1e-14
    )


def test_odd_rows_have_no_fit():
    for counts, weights in (([9.0, -1.0], [1.0, 2.0]), ([9.0, 1.0], [1.0, -2.0])):
        odd = Groups(counts=np.array(counts), weights=np.array(weights), noise=np.ones(2))
        assert int(weighted_ridge_risk(isotropic(60), odd, 0.1).status) == Status.OUT_OF_SCOPE


def test_cross_validation_over_copies_is_fooled_and_over_rows_is_not():
    rows = repeated_rows(1400, 30, 20, 1.0, True)
    seen = copy_errors(weighted_ridge_risk(isotropic(100), rows, 0.0), rows, 1.0)
    assert float(seen.gcv_naive) < 0.8 * float(seen.test_error)
    assert float(seen.gcv_distinct) == float(seen.test_error)


def test_an_interpolator_leaves_nothing_to_cross_validate():
    """Generalised cross-validation is 0/0 where each row is fitted, unless copies are counted."""
    for rows, known in (
        (plain_rows(50.0, 0.2), False),
        (repeated_rows(30, 20, 3, 0.2, True), True),
    ):
        seen = copy_errors(weighted_ridge_risk(isotropic(100), rows, 0.0), rows, 0.2)
        assert float(seen.train_error) == 0
        assert float(seen.gcv_naive) == 0 if known else np.isnan(float(seen.gcv_naive))


def test_residuals_of_freshly_labelled_copies_keep_all_their_noise():
    """A fit held at zero leaves every copy its label: the target's power and the whole noise."""
    groups = repeated_rows(30.0, 10.0, 4.0, 0.6, False)
    risk = weighted_ridge_risk(isotropic(20, signal=0.5), groups, 1e15)
    assert float(copy_errors(risk, groups, 0.6).train_error) == pytest.approx(0.5 + 0.6, rel=1e-9)
