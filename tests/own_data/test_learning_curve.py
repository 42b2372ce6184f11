"""The learning curve of one's own rows: each part of it against another way to find it."""

import dataclasses
import json
import os

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import ci_theory
from ci_theory import BadInput, Status
from ci_theory.check import Verdict
from ci_theory.own_data import curve, judging, learning_curve
from ci_theory.own_data import population as theory
from ci_theory.own_data import rows as given
from ci_theory.own_data.refits import Defects, left_out, refits
from ci_theory.own_data.tuning import best_ridge
from ci_theory.phenomena import Estimate
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows.finite_population import population_risk
from ci_theory.theory.spectra.groups import plain_rows
from ci_theory.theory.spectra.spectrum import explicit, from_features

NOTHING = Defects()


def gaussian(seed, n, p, noise=0.5, alpha=0.5):
    """Rows of a known law: variances k^-alpha, weights 1/sqrt(p)."""
    rng = np.random.default_rng(seed)
    variances = np.arange(1, p + 1.0) ** -alpha
    x = rng.normal(size=(n, p)) * np.sqrt(variances)
    y = x @ np.ones(p) / np.sqrt(p) + np.sqrt(noise) * rng.normal(size=n)
    return x, y, explicit(variances, np.ones(p) / p)


def whole_of(x, y, copies=None, centred=False):
    copies = np.ones(len(x)) if copies is None else copies
    return theory.population(x, y, copies, np.zeros(len(x)), centred)


def test_without_copies_and_noise_it_is_the_closed_form():
    x, y, _ = gaussian(0, 80, 8)
    n, ridge = np.array([20.0, 40.0, 60.0]), np.array([0.0, 1.0, 5.0])
    found = theory.predict(whole_of(x, y), theory.Cells(n, ridge, np.ones(3, bool)), NOTHING)
    for i in range(3):
        risk = population_risk(from_features(x, y), 80, plain_rows(n[i], 0.0), ridge[i])
        assert found.test_error[i] == pytest.approx(float(risk.excess_risk), rel=1e-11)
        assert found.kappa[i] == pytest.approx(
            float(risk.kappa) / (1 - float(risk.df1) / 80), rel=1e-11, abs=1e-300
        )


def test_repeats_of_one_and_no_repeated_rows_change_nothing():
    x, y, _ = gaussian(1, 80, 8)
    whole, at = whole_of(x, y), (np.array([30.0]), np.array([0.7]), np.array([True]))
    plain = theory.predict(whole, theory.Cells(*at), NOTHING).test_error
    for same in (Defects(repeated=0.4, repeats=1.0), Defects(repeated=0.0, repeats=9.0)):
        assert theory.predict(whole, theory.Cells(*at), same).test_error == pytest.approx(
            plain, rel=1e-11
        )
    other = theory.predict(whole, theory.Cells(*at), Defects(repeated=0.4, repeats=9.0)).test_error
    assert other > 1.02 * plain


@pytest.mark.parametrize("centred", [False, True])
def test_all_rows_are_generalised_cross_validation(centred):
    x, y, _ = gaussian(2, 70, 8)
    if centred:
        x, y = x - x.mean(axis=0), y - y.mean()
    size = 70 - centred
    whole = whole_of(x, y, centred=centred)
    found = theory.predict(whole, theory.Cells(*map(np.array, ([70.0], [2.0], [True]))), NOTHING)
    hat = x @ np.linalg.solve(x.T @ x + 2.0 * np.eye(8), x.T)
    residual = y - hat @ y
    gcv = np.mean(residual**2) / (1 - np.trace(hat) / size) ** 2
    assert found.test_error[0] == pytest.approx(gcv, rel=1e-9)


def test_leaving_out_is_refitting_without_the_row_with_its_mean_taken_anew():
    x, y, _ = gaussian(3, 45, 5)
    x += 3.0
    errors = []
    for i in range(45):
        rest = np.arange(45) != i
        mean, label = x[rest].mean(axis=0), y[rest].mean()
        z = x[rest] - mean
        w = np.linalg.solve(z.T @ z + 1.5 * np.eye(5), z.T @ (y[rest] - label))
        errors.append((y[i] - label - (x[i] - mean) @ w) ** 2)
    z = x - x.mean(axis=0)
    found = left_out(z, y - y.mean(), np.ones(45), np.array([1.5]), True)
    assert found.rows[0] == pytest.approx(np.mean(errors), rel=1e-10)


def test_leaving_out_takes_all_copies_of_a_row():
    x, y, _ = gaussian(4, 45, 5)
    copies = np.where(np.arange(45) < 9, 4, 1)
    errors = []
    for i in range(45):
        rest = np.arange(45) != i
        z, c = x[rest], copies[rest]
        w = np.linalg.solve(z.T @ (c[:, None] * z) + np.eye(5), z.T @ (c * y[rest]))
        errors.append((y[i] - x[i] @ w) ** 2)
    found = left_out(x, y, copies.astype(float), np.array([1.0]), False)
    assert found.rows[0] == pytest.approx(np.mean(errors), rel=1e-10)
    assert found.naive[0] < found.rows[0]  # who takes copies for rows has seen them


@pytest.mark.parametrize("centred", [False, True])
def test_naive_cross_validation_is_that_of_all_copies_as_rows(centred):
    x, y, _ = gaussian(5, 40, 5)
    copies = np.where(np.arange(40) < 9, 3, 1)
    if centred:  # of mean zero as they are counted, so that the intercept is no further column
        x, y = x - np.average(x, axis=0, weights=copies), y - np.average(y, weights=copies)
    every, labels = np.repeat(x, copies, axis=0), np.repeat(y, copies)
    for ridge in (0.3, 5.0):
        hat = every @ np.linalg.solve(every.T @ every + ridge * np.eye(5), every.T)
        residual, spare = labels - hat @ labels, 1 - (np.trace(hat) + centred) / len(labels)
        found = left_out(x, y, copies.astype(float), np.array([ridge]), centred).naive[0]
        assert found == pytest.approx(np.mean(residual**2) / spare**2, rel=1e-10)


def test_noise_of_more_features_than_rows_is_read_where_nine_tenths_are_resolved():
    """By solving for the ridge at which the hat matrix has a trace of 0.9 N."""
    x, y, _ = gaussian(8, 40, 60)
    gram = x @ x.T
    ridge = scipy.optimize.brentq(
        lambda r: np.trace(gram @ np.linalg.inv(gram + r * np.eye(40))) - 36, 1e-9, 1e3, xtol=1e-13
    )
    hat = gram @ np.linalg.inv(gram + ridge * np.eye(40))
    gcv = np.mean((y - hat @ y) ** 2) / (1 - 36 / 40) ** 2
    mixed = np.trace(hat @ (np.eye(40) - hat))
    lost = mixed / (1 - mixed / 4)
    found = theory.noise(whole_of(x, y))
    assert found.value == pytest.approx(gcv * (1 - (36 - lost) / 40), rel=2e-3)
    assert found.kappa == pytest.approx(ridge / 4, rel=2e-2)


def test_refits_solve_the_normal_equations_with_the_noise_drawn():
    x, y, _ = gaussian(5, 60, 6)
    copies = np.where(np.arange(60) < 20, 3, 1)
    sizes, ridges = np.array([30]), np.array([0.4])
    defects = Defects(noise=0.8, repeated=0.5, repeats=2.0)
    found = refits(x, y, copies, sizes, ridges, defects, 2, 1, seed=11)
    order = np.random.default_rng([11, 30, 0]).permutation(60)
    train, test, rng = order[:30], order[30:], np.random.default_rng(0)
    c = copies[train] * np.where(np.arange(30) < 15, 2.0, 1.0)
    for v, weights in enumerate((c, np.ones(30))):
        gram = x[train].T @ (weights[:, None] * x[train]) + 0.4 * np.eye(6)
        drawn = y[train] + np.sqrt(0.8) * rng.normal(size=(4000, 30))
        w = np.linalg.solve(gram, x[train].T @ (weights * drawn).T)
        each = np.mean((x[test] @ w - y[test][:, None]) ** 2, axis=0)
        assert abs(each.mean() - found[v, 0, 0, 0]) < 4 * each.std() / np.sqrt(4000)


def test_a_column_that_others_add_up_to_changes_no_least_squares():
    x, y, _ = gaussian(4, 60, 5)
    more = np.hstack([x, x[:, :1] + x[:, 1:2]])
    ones, none = np.ones(60, int), Defects(noise=0.3, repeated=0.0, repeats=1)
    found = [refits(v, y, ones, np.array([30]), np.zeros(1), none, 1, 3, seed=2) for v in (x, more)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


def test_the_population_behind_many_rows_is_found():
    """Rows of a known law: the curve, kappa and gamma of the law, not those of the rows."""
    x, y, law = gaussian(6, 3000, 8, noise=0.5)
    n, ridge = np.array([24.0, 100.0]), np.array([3.0, 1.0])
    found = theory.predict(whole_of(x, y), theory.Cells(n, ridge, np.ones(2, bool)), NOTHING)
    for i in range(2):
        true = ridge_risk(law, n[i], ridge[i], 0.5)
        assert found.test_error[i] == pytest.approx(float(true.test_error), rel=0.06)
        assert found.gamma[i] == pytest.approx(float(true.gamma), rel=0.02)
        assert found.kappa[i] == pytest.approx(float(true.kappa), rel=0.02)


def test_more_features_than_rows_show_the_population_too():
    """40 rows of 60 equal variances: they look far from the law, and what is read off is not."""
    found, ends, seeds = [], [], 20
    for seed in range(seeds):
        x, y, law = gaussian(100 + seed, 40, 60, noise=0.5, alpha=0.0)
        at = np.array([20.0]), np.array([8.0]), np.array([True])
        made = theory.predict(whole_of(x, y), theory.Cells(*at), NOTHING)
        found.append([made.test_error[0], made.gamma[0], made.kappa[0]])
        ends.append(made.endless[0])
    true = ridge_risk(law, 20, 8.0, 0.5)
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(seeds)
    wanted = np.array([true.test_error, true.gamma, true.kappa], float)
    assert (np.abs(mean - wanted) < 4 * error + 0.01 * wanted).all()
    forgotten = np.mean(ends), np.std(ends, ddof=1) / np.sqrt(seeds)
    assert abs(forgotten[0] - wanted[0]) > 4 * forgotten[1]  # the rows' own spectrum does not


def test_noise_is_the_residual_over_its_degrees_of_freedom():
    x, y, _ = gaussian(7, 80, 8)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    found = theory.noise(whole_of(x, y))
    assert found.value == pytest.approx(rest @ rest / 72, rel=1e-10)
    assert (found.bound, found.kappa) == (False, 0.0)
    x, y, _ = gaussian(8, 40, 60)
    found = theory.noise(whole_of(x, y))
    assert found.bound
    assert found.kappa > 0


def test_the_band_covers_the_curve_of_the_law():
    """Of 40 samples of a known law the 95 % band holds its curve in nearly as many as it says."""
    at = np.array([30.0, 60.0]), np.array([0.0, 2.0]), np.ones(2, bool)
    inside, ratios = [], []
    for seed in range(40):
        x, y, law = gaussian(200 + seed, 90, 8)
        whole = whole_of(x, y)
        error, _ = theory.band(
            x, y, np.ones(90), np.zeros(90), False, whole, theory.Cells(*at), NOTHING
        )
        value = theory.predict(whole, theory.Cells(*at), NOTHING).test_error
        true = [float(ridge_risk(law, n, r, 0.5).test_error) for n, r in zip(*at[:2], strict=True)]
        inside.append(np.abs(value - true) < 2.09 * error)
        ratios.append((value - true) / error)
    assert np.mean(inside) >= 0.85  # a binomial of 40 has an error of 0.035
    assert 0.7 < np.std(ratios) < 1.4


def planted(seed, rows, copies, n=200, p=8):
    """Add copies of the first rows, in between; return also the rows without them."""
    x, y, _ = gaussian(seed, n, p)
    order = np.random.default_rng(seed).permutation(n + rows * copies)
    which = np.concatenate([np.arange(n), np.tile(np.arange(rows), copies)])[order]
    return x[which], y[which], x, y


def test_units_rotations_and_offsets_change_nothing_but_the_units():
    x, y, _, _ = planted(40, rows=15, copies=2, n=90, p=6)
    at = {"sizes": [30, 60], "replicates": 3}
    base = learning_curve(x, y, ridge=[0.0, 2.0], **at)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    cases = [
        (learning_curve(x @ turn + 5, y - 3, ridge=[0.0, 2.0], **at), 1.0, 1.0),
        (learning_curve(10 * x, -y / 4, ridge=[0.0, 200.0], **at), 100.0, 1 / 16),
    ]
    for other, of_ridge, of_error in cases:
        for name in ("predicted", "slack", "rows_error", "mean", "error"):
            np.testing.assert_allclose(
                getattr(other, name), of_error * getattr(base, name), rtol=1e-6, err_msg=name
            )
        for name in ("n", "kept", "valid"):
            np.testing.assert_array_equal(getattr(other, name), getattr(base, name))
        np.testing.assert_allclose(other.ridge, of_ridge * base.ridge)
        for best, its in ((other.best, base.best), (other.best_without, base.best_without)):
            ridges = [best.ridge, best.left_out_ridge, best.naive_ridge]
            assert ridges == pytest.approx(
                [of_ridge * r for r in (its.ridge, its.left_out_ridge, its.naive_ridge)], rel=1e-3
            )
            errors = [best.error, best.left_out, best.left_out_error]
            assert errors == pytest.approx(
                [of_error * e for e in (its.error, its.left_out, its.left_out_error)], rel=1e-5
            )
            assert best.effective == pytest.approx(its.effective, rel=1e-3)
        assert other.noise.value == pytest.approx(of_error * base.noise.value, rel=1e-6)
        assert other.verdict is base.verdict


def test_duplicates_are_found_and_weigh_what_they_weigh():
    x, y, _, _ = planted(9, rows=60, copies=5, n=300, p=30)
    found = learning_curve(x, y, ridge=[0.0], sizes=[80, 150], replicates=100)
    assert (found.total, found.distinct, found.duplicates) == (600, 300, 300)
    assert found.conflicting == 0
    assert found.effective < 295
    assert set(found.kept.tolist()) == {True, False}
    assert found.verdict in (Verdict.AGREES, Verdict.UNDERPOWERED)
    (gain,) = found.gains
    assert gain.predicted > 0
    assert abs(gain.measured - gain.predicted) < 4 * gain.error + 0.2 * gain.predicted
    assert gain.measured > 4 * gain.error
    decoy = found.report.outcomes[0].decoys["copies are fresh rows"]
    assert decoy.rejected


def test_without_duplicates_the_rows_are_what_they_were():
    x, y, plain, label = planted(10, rows=25, copies=3)
    with_copies = learning_curve(x, y, ridge=[0.5], sizes=[60], replicates=3)
    without = learning_curve(plain, label, ridge=[0.5], sizes=[60], replicates=3)
    removed = ~with_copies.kept
    assert with_copies.predicted[removed] == pytest.approx(without.predicted, rel=1e-9)
    assert with_copies.best_without.error == pytest.approx(without.best.error, rel=1e-9)
    assert without.duplicates == 0
    assert without.gains == ()


def test_effective_rows_at_both_ends_of_the_ridge():
    """Without shrinkage every distinct row counts once; under an endless ridge, Kish's number."""
    x, y, _ = gaussian(11, 60, 80, alpha=0.0)
    copies = np.where(np.arange(60) < 12, 6.0, 1.0)
    whole = whole_of(x, y, copies)
    at = np.array([30.0, 30.0]), np.array([1e-9, 1e9]), np.ones(2, bool)
    found = theory.predict(whole, theory.Cells(*at), NOTHING).effective
    assert found[0] == pytest.approx(30, rel=1e-6)
    kish = 30 * (0.2 * 6 + 0.8) ** 2 / (0.2 * 36 + 0.8)
    assert found[1] == pytest.approx(kish, rel=1e-6)


def test_equal_rows_with_other_labels_are_one_row_with_the_mean():
    x, y, _ = gaussian(12, 60, 6)
    found = learning_curve(
        np.vstack([x, x[:4]]), np.r_[y, y[:4] + 2.0], ridge=[1.0], sizes=[30], replicates=3
    )
    assert (found.duplicates, found.conflicting) == (4, 4)


def test_gaussian_rows_agree_and_rows_of_unequal_length_do_not():
    """Rows that are long or short as a whole have unequal leverages: the frame is not Haar."""
    rng = np.random.default_rng(3)
    verdicts = []
    for seed in range(6):
        x, y, _ = gaussian(300 + seed, 250, 8)
        at = {"ridge": [0.0], "sizes": [30, 60, 150], "replicates": 120, "seed": seed}
        verdicts.append(learning_curve(x, y, **at).verdict)
    assert verdicts == [Verdict.AGREES] * 6
    length = np.exp(1.2 * rng.normal(size=250))
    y = x @ np.ones(8) + length * rng.normal(size=250)
    found = learning_curve(length[:, None] * x, y, **at)
    assert found.verdict is Verdict.DISAGREES
    assert found.exit_code == 1


def test_a_few_rows_tell_nothing_and_say_so():
    x, y, _ = gaussian(13, 60, 8)
    found = learning_curve(x, y, ridge=[0.0], sizes=[30, 45], replicates=5)
    assert found.verdict is Verdict.UNDERPOWERED
    assert found.exit_code == 3
    assert found.report.remedies


def test_added_noise_and_repeats_are_predicted():
    x, y, _ = gaussian(14, 250, 8)
    found = learning_curve(
        x, y, ridge=[0.0], sizes=[40, 120], noise=2.0, repeated=0.25, repeats=6, replicates=120
    )
    assert found.verdict is Verdict.AGREES
    assert found.report.outcomes[0].decoys["added noise halved"].rejected
    plain = learning_curve(x, y, ridge=[0.0], sizes=[40, 120], replicates=3)
    assert (found.predicted[:2] > 1.3 * plain.predicted).all()


def test_the_peak_is_where_the_parameters_are():
    x, y, _ = gaussian(15, 200, 8)
    found = learning_curve(x, y, ridge=[0.0, 0.1], replicates=40, centre=False)
    bare, shrunk = found.peaks
    assert bare.pole
    assert bare.predicted == pytest.approx(8)
    assert not shrunk.pole


def test_the_measured_peak_is_that_of_refits_with_their_copies(monkeypatch):
    x, y, _ = gaussian(15, 200, 8)

    def with_peaks(*asked):
        values = refits(*asked)
        values[0, :, 1] += 9.0  # at 30 rows, with copies
        values[1, :, 4] += 9.0  # at 100 rows, without
        return values

    monkeypatch.setattr(curve, "refits", with_peaks)
    found = learning_curve(
        x, y, ridge=[1.0], sizes=[20, 30, 45, 70, 100, 140], repeated=0.5, repeats=4, replicates=20
    )
    assert 20 < found.peaks[0].measured < 45


def test_best_ridge_is_the_lowest_of_a_fine_scan():
    x, y, _ = gaussian(16, 60, 8, noise=3.0)
    whole = whole_of(x, y)
    best = best_ridge(whole, x, y, np.ones(60), NOTHING)
    scan = np.geomspace(best.ridge / 30, best.ridge * 30, 181)
    at = theory.Cells(np.full(181, 60.0), scan, np.ones(181, bool))
    errors = theory.predict(whole, at, NOTHING).test_error
    assert best.error <= errors.min() * (1 + 1e-9)
    assert abs(np.log(scan[np.argmin(errors)] / best.ridge)) < 0.06
    assert best.at_edge == ""


def test_with_copies_it_is_held_against_leaving_out_the_weighted_rows():
    x, y, _ = gaussian(18, 60, 8, noise=3.0)
    copies = np.where(np.arange(60) < 12, 6.0, 1.0)
    best = best_ridge(whole_of(x, y, copies), x, y, copies, NOTHING)
    ridge = np.array([best.ridge])
    assert best.left_out == pytest.approx(left_out(x, y, copies, ridge, False).rows[0], rel=1e-12)
    bare = best_ridge(whole_of(x, y, copies), x, y, copies, NOTHING, kept=False)
    assert bare.error < best.error
    assert bare.effective == pytest.approx(60, rel=1e-6)


def test_everything_is_told_as_text_html_and_json():
    x, y, _, _ = planted(17, rows=10, copies=2, n=80, p=6)
    found = learning_curve(x, y, replicates=3)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["duplicates"] == 20
    assert len(document["curve"]["n"]) == len(found.table()) == len(found.n)
    text = str(found)
    assert "100 given, 80 distinct (20 copies of earlier rows)" in text
    assert found.verdict.value in text
    assert "<table>" in found._repr_html_()


def test_it_is_public():
    assert ci_theory.learning_curve is learning_curve


def test_the_interval_is_two_sided_and_of_any_confidence():
    x, y, _ = gaussian(19, 60, 4)
    found = learning_curve(x, y, ridge=[0.0], sizes=[20, 40], replicates=3)
    for confidence in (0.5, 0.95, 0.99):
        low, high = found.interval(confidence)
        half = scipy.stats.t.ppf((1 + confidence) / 2, theory.GROUPS - 1) * found.rows_error
        np.testing.assert_allclose(high - found.predicted, half, rtol=1e-6)
        np.testing.assert_allclose(found.predicted - low, half, rtol=1e-6)
    document = found.to_json()["curve"]
    low, high = found.interval()
    assert (document["low"], document["high"]) == (low.tolist(), high.tolist())
    for name in ("n", "ridge", "kept", "predicted", "slack", "valid", "mean", "error"):
        assert document[name] == getattr(found, name).tolist()
    for row, i in zip(found.table(), range(2), strict=True):
        assert float(row["from"]) == pytest.approx(low[i], rel=0.006)
        assert float(row["to"]) == pytest.approx(high[i], rel=0.006)
        assert float(row["refitted"]) == pytest.approx(found.mean[i], rel=1e-3)
        assert row["slack"] == f"{found.slack[i]:.2g}"


def test_a_cell_without_a_claim_has_no_slack_in_the_table():
    x, y, _ = gaussian(20, 80, 12)
    found = learning_curve(x, y, ridge=[0.0], sizes=[14, 60], replicates=3)
    assert found.valid.tolist() == [False, True]
    assert [row["slack"] for row in found.table()] == ["no claim", f"{found.slack[1]:.2g}"]


def test_what_taking_the_copies_out_brings_is_paired_and_a_share_of_the_error_with_them():
    x, y, _, _ = planted(21, rows=30, copies=4, n=120, p=10)
    found = learning_curve(x, y, ridge=[0.0], sizes=[40, 90], replicates=40)
    (gain,) = found.gains
    with_copies, without = found.predicted[found.n == 90]  # copies kept first
    assert found.kept[found.n == 90].tolist() == [True, False]
    assert gain.n == 90
    assert gain.predicted == pytest.approx(with_copies - without)
    assert gain.share == pytest.approx((with_copies - without) / with_copies)
    mean = found.mean[found.n == 90]
    assert gain.measured == pytest.approx(mean[0] - mean[1])
    # of a mean, and of draws in common: below what both errors apart would give
    apart = np.hypot(*found.error[found.n == 90])
    assert 0.02 * apart < gain.error < apart


def typed(*case):
    """Mark a case that the check of annotations would refuse before we do."""
    hook = bool(os.environ.get("CI_THEORY_SHAPES"))
    return pytest.param(*case, marks=pytest.mark.skipif(hook, reason="the types are checked"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replicates": 2}, "replicates = 2: must be a whole number >= 3"),
        typed({"replicates": 50.0}, "replicates = 50.0: must be a whole number"),
        ({"replicates": 60_000}, "replicates = 60000: 240000 fits, over 200000"),
        ({"replicates": 30_000, "repeated": 0.5, "repeats": 2.0}, "240000 fits, over 200000"),
        ({"effect": 0.0}, "effect = 0.0: must be > 0"),
        ({"noise": -1.0}, "noise = -1.0: must be from 0 to"),
        ({"noise": np.inf}, "noise = inf: must be from 0 to"),
        ({"repeated": 1.5}, "repeated = 1.5: must be from 0 to 1"),
        ({"repeats": 0.5}, "repeats = 0.5: must be from 1 to"),
        ({"sizes": [1, 20]}, "sizes = 1 to 20: must be from 2 to 54"),
        ({"sizes": [20, 55]}, "sizes = 20 to 55: must be from 2 to 54"),
        typed({"sizes": [20.5]}, "must be whole numbers of rows"),
        ({"sizes": []}, "must be whole numbers of rows"),
        ({"ridge": [-1.0]}, "must be numbers from 0 to"),
        ({"ridge": [np.nan]}, "must be numbers from 0 to"),
        ({"level": 0.0}, "level = 0"),
        typed({"seed": 1.5}, "seed = 1.5: must be a whole number >= 0"),
    ],
)
def test_what_is_asked_for_is_looked_at_before_anything_is_fitted(change, says, monkeypatch):
    x, y, _ = gaussian(22, 60, 4)
    monkeypatch.setattr(curve, "refits", lambda *_: pytest.fail("fitted"))
    at = {"ridge": [0.0, 1.0], "sizes": [20, 40], "replicates": 3, **change}
    with pytest.raises(BadInput) as told:
        learning_curve(x, y, **at)
    assert says in str(told.value)


def test_a_median_contradicts_only_where_something_is_claimed():
    """Cells of long upper tails whose medians lie far above the prediction."""
    rng = np.random.default_rng(5)
    values = 2.45 + np.exp(2.0 * rng.normal(size=(2, 60)))

    def outcome(valid):
        one = judging.Comparison(
            prediction=judging._prediction(0.0),
            axes={"n": np.array([20, 40]), "copies kept": np.array([True, True])},
            values=values,
            lost=np.zeros(2, int),
            estimate=Estimate(np.full(2, 2.5), np.full(2, 0.1), valid, np.zeros(2, int)),
            decoys={},
            near=np.full((2, 2), -1),
        )
        made = judging.judge(one, level=1e-12, effect=0.1)
        assert made.verdict is not Verdict.DISAGREES
        return judging._medians(made, 1e-2).verdict

    assert outcome(np.array([True, True])) is Verdict.DISAGREES
    assert outcome(np.array([True, False])) is Verdict.DISAGREES
    assert outcome(np.array([False, False])) is not Verdict.DISAGREES


def test_cross_validation_has_the_copies_that_the_fit_has():
    x, y, _ = gaussian(23, 60, 8, noise=3.0)
    copies = np.where(np.arange(60) < 12, 6.0, 1.0)
    whole = whole_of(x, y, copies)
    for kept, weights in ((True, copies), (False, np.ones(60))):
        best = best_ridge(whole, x, y, copies, NOTHING, kept=kept)
        cross = left_out(x, y, weights, np.array([best.ridge, best.left_out_ridge]), False)
        assert best.left_out == pytest.approx(cross.rows[0], rel=1e-12)
        assert best.left_out_error == pytest.approx(cross.rows[1], rel=1e-12)
        assert best.left_out_error <= best.left_out
        around = best.naive_ridge * np.array([0.5, 1.0, 2.0])
        assert np.argmin(left_out(x, y, weights, around, False).naive) == 1


def test_a_best_ridge_at_an_end_of_the_range_is_said_to_be_none():
    """Labels that no feature explains; and labels without noise of more features than rows."""
    x, _, _ = gaussian(24, 200, 3)
    x = x - x.mean(axis=0)
    y = np.random.default_rng(1).normal(size=200)
    y -= x @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert best_ridge(whole_of(x, y), x, y, np.ones(200), NOTHING).at_edge == "endless"
    x, y, _ = gaussian(3, 60, 200, noise=0.0, alpha=1.0)
    best = best_ridge(whole_of(x, y), x, y, np.ones(60), NOTHING)
    assert best.at_edge == "none"
    assert curve._ridges(None, best).tolist() == [0.0]
    inside = best_ridge(
        whole_of(*gaussian(3, 60, 8)[:2]), *gaussian(3, 60, 8)[:2], np.ones(60), NOTHING
    )
    assert curve._ridges(None, inside).tolist() == [0.0, inside.ridge]


# --- the parts, one by one ----------------------------------------------------------------------


def test_rows_of_each_kind_with_and_without_repeats():
    """Counts, weights and noise of 12 rows, a third of which were there twice."""
    x, y, _ = gaussian(30, 30, 3)
    copies = np.where(np.arange(30) < 10, 2.0, 1.0)
    missed = np.where(copies == 2, 5.0, 2.0)
    whole = theory.population(x, y, copies, missed, False)
    assert (whole.rows, whole.size) == (30, 30.0)
    assert whole.counts.tolist() == [1, 2]
    np.testing.assert_allclose(whole.shares, [2 / 3, 1 / 3])
    np.testing.assert_allclose(whole.harder, [2 - 3, 5 - 3])  # than all on average
    defects = Defects(noise=0.5, repeated=0.25, repeats=4.0)
    counts, weights, noise = theory.groups(
        whole, theory.Cells(np.full(2, 12.0), np.ones(2), np.array([True, False])), defects
    )
    np.testing.assert_allclose(counts[:, :4], [[6, 3, 2, 1]] * 2, rtol=1e-12)
    assert weights[0, :4].tolist() == [1, 2, 4, 8]
    assert set(weights[1]) == {1.0}
    np.testing.assert_allclose(noise[:, :4], [[-0.5, 2.5, -0.5, 2.5]] * 2)
    assert not counts[:, 4:].any()
    assert np.all(counts.sum(axis=1) < 12)  # all rows are not more than there are
    centred = theory.population(x - x.mean(axis=0), y - y.mean(), copies, missed, True)
    assert centred.size == 29
    made = theory.groups(
        centred, theory.Cells(np.array([12.0]), np.ones(1), np.array([True])), NOTHING
    )[0]
    assert made.sum() == pytest.approx(12 * 29 / 30)


def test_copies_taken_for_fresh_rows_are_no_more_than_there_are():
    x, y, _ = gaussian(31, 60, 4)
    copies = np.where(np.arange(60) < 20, 4.0, 1.0)  # twice as many rows as distinct ones
    whole = whole_of(x, y, copies)
    n, ridge = np.array([20.0, 50.0]), np.array([0.5, 0.5])
    fresh = theory.as_fresh(whole, theory.Cells(n, ridge, np.ones(2, bool)), NOTHING)
    plain = whole_of(x, y)
    cells = theory.Cells(np.array([40.0, 58.8]), ridge, np.ones(2, bool))
    more = theory.predict(plain, cells, NOTHING)
    np.testing.assert_allclose(fresh, more.test_error, rtol=1e-9)


def test_a_decoy_is_silent_where_it_says_nearly_the_same():
    x, y, _, _ = planted(32, rows=30, copies=5, n=120, p=10)
    data = given.checked(x, y)
    whole = theory.population(data.features, data.labels, data.copies, np.zeros(120), False)
    cells = theory.Cells(np.array([14.0, 40.0, 100.0]), np.zeros(3), np.ones(3, bool))
    found = theory.predict(whole, cells, NOTHING)
    for effect in (0.02, 0.2):
        decoys = judging._decoys(found, whole, cells, NOTHING, effect)
        assert set(decoys) == {"tail forgotten", "optimism ignored"}
        for name, values in (
            ("tail forgotten", found.endless),
            ("optimism ignored", found.train_error),
        ):
            far = np.abs(values / found.test_error - 1) > effect
            np.testing.assert_array_equal(np.isfinite(decoys[name]), far)
            np.testing.assert_array_equal(decoys[name][far], values[far])
    cells = cells._replace(kept=np.array([True, False, True]))
    noisy = judging._decoys(found, whole, cells, Defects(noise=1.0), 0.01)
    assert {"copies are fresh rows", "added noise halved"} <= set(noisy)


def test_neighbours_are_the_next_sizes_with_the_same_copies():
    assert judging._near(2, 3).tolist() == [[-1, 1], [0, 2], [1, -1], [-1, 4], [3, 5], [4, -1]]


def test_sizes_are_chosen_around_the_peak_and_leave_rows_to_test():
    x, y, _ = gaussian(33, 300, 40)
    whole = whole_of(x, y)
    sizes = curve._sizes(None, whole)
    assert sizes[-1] == 240
    assert sizes[0] >= 10
    assert np.all(np.abs(sizes - 40) > 1)
    assert np.any((sizes > 20) & (sizes < 40))
    assert np.sum((sizes > 41) & (sizes < 70)) >= 2
    assert curve._sizes([30, 20, 20], whole).tolist() == [20, 30]
    assert curve._sizes([2, 270], whole).tolist() == [2, 270]


def test_features_are_turned_only_where_there_are_more_than_rows():
    rng = np.random.default_rng(2)
    for shape in ((30, 50), (30, 30), (30, 20)):
        x = rng.normal(size=shape)
        turned = curve._rotated(x)
        assert turned.shape == (30, min(shape))
        np.testing.assert_allclose(turned @ turned.T, x @ x.T, atol=1e-10)
        assert (turned is x) == (shape[1] <= 30)


def test_the_peak_is_without_bound_only_without_a_ridge_and_inside_the_axis():
    x, y, _ = gaussian(34, 100, 20)
    whole, sizes = whole_of(x, y), np.array([10, 15, 19, 25, 60])
    rng = np.random.default_rng(0)
    values = np.array([1.0, 2.0, 6.0, 2.0, 1.0])[:, None] * (1 + 0.05 * rng.normal(size=(5, 30)))
    bare = curve._peak(whole, 0.0, NOTHING, sizes, values)
    assert (bare.pole, bare.predicted) == (True, 20.0)
    assert bare.low <= bare.measured <= bare.high
    assert bare.measured == pytest.approx(19, rel=0.15)
    small = curve._peak(whole, 0.05, NOTHING, sizes, values)
    assert not small.pole
    assert small.predicted == pytest.approx(20, rel=0.15)
    few = curve._peak(whole, 0.0, NOTHING, sizes[:2], values[:2])
    assert (few.pole, few.predicted) == (True, 20.0)
    assert np.isnan([few.measured, few.low, few.high]).all()
    x, y, _ = gaussian(35, 40, 60)
    beyond = curve._peak(whole_of(x, y), 0.0, NOTHING, np.array([10, 20, 30]), values[:3])
    assert not beyond.pole  # 60 parameters, and no more than 36 rows


def test_without_taking_the_mean_off_an_offset_is_an_error():
    x, y, _ = gaussian(36, 120, 4, noise=0.1)
    at = {"ridge": [0.0], "sizes": [60], "replicates": 3}
    plain = learning_curve(x, y + 5, **at)
    bare = learning_curve(x, y + 5, centre=False, **at)
    assert (plain.centred, bare.centred) == (True, False)
    assert plain.mean[0] < 0.2
    assert bare.mean[0] > 20
    assert "centred" in dict(plain.facts())
    assert "centred" not in dict(bare.facts())


def test_facts_say_what_was_found():
    x, y, _, _ = planted(37, rows=20, copies=3, n=100, p=6)
    y = y.copy()
    found = learning_curve(x, y, ridge=[0.0], sizes=[50, 80], replicates=5)
    facts = found.facts()
    told = dict(facts)
    assert told["rows"] == "160 given, 100 distinct (60 copies of earlier rows); 6 features"
    for many, words in ((0, "no copies"), (1, "1 copy of an earlier row")):
        other = dict(dataclasses.replace(found, duplicates=many).facts())
        assert f"100 distinct ({words}); 6" in other["rows"]
    assert told["best ridge"].startswith(f"{found.best.ridge:.4g}: error {found.best.error:.4g}")
    assert told["effective"] == f"{found.best.effective:.1f} rows of equal weight"
    less = (found.best.error - found.best_without.error) / found.best.error
    assert f"without them {less:+.2%} of the error" in told["duplicates"]
    assert f"lowest at {found.best.left_out_ridge:.4g}" in told["left out"]
    assert any(f"would choose {found.best.naive_ridge:.4g}" in text for _, text in facts)
    assert told["noise"].startswith(f"{found.noise.value:.4g} ± {found.noise_error:.2g} label²")
    assert f"at n = {found.peaks[0].predicted:.4g}, without bound" in told["peak"]
    assert found.peaks[0].predicted == pytest.approx(6, rel=0.02)
    added = learning_curve(x, y, ridge=[0.0], sizes=[50], noise=1.0, replicates=5)
    assert "left out" not in dict(added.facts())  # it sees the rows as they are


def test_slack_is_of_what_sampling_adds_and_of_these_rows_being_a_sample():
    x, y, _ = gaussian(38, 2000, 8)
    whole = whole_of(x, y)
    cells = theory.Cells(np.array([40.0, 40.0]), np.array([0.0, 1e12]), np.ones(2, bool))
    found = theory.predict(whole, cells, NOTHING)
    bare, endless = judging.slack_of(found, whole, cells, NOTHING) / found.test_error
    assert endless == pytest.approx(2 / 2000, rel=0.01)  # nothing is learnt, nothing sampled
    assert bare == pytest.approx(2 * (8 / 40) / (40 - 8 - 4) + 2 / 2000, rel=0.1)
    # all rows twice are rows of one kind; some of them many times are not
    twice = whole_of(x, y, np.full(2000, 2.0))
    alike = judging.slack_of(theory.predict(twice, cells, NOTHING), twice, cells, NOTHING)
    assert alike[0] / found.test_error[0] == pytest.approx(bare, rel=0.01)
    some = whole_of(x[:300], y[:300], np.where(np.arange(300) < 60, 9.0, 1.0))
    made = theory.predict(some, cells, NOTHING)
    free = made.free[0]
    one = judging.slack_of(made, some, cells, NOTHING)[0] / made.test_error[0]
    assert one > 1.2 * (2 / (free - 4) * made.gamma[0] + 2 / 300)
    # three standard errors of how unequal the squared leverages of 300 rows are, row by row
    squares = made.leverage[0][np.repeat([1, 0], [60, 240])] ** 2
    uneven = 3 * np.sqrt(2 / 300) * squares.std() / squares.mean()
    every, fewer = (
        theory.predict(some, cells._replace(n=np.full(2, n)), NOTHING) for n in (300.0, 38.0)
    )
    learnt = 1 - every.test_error[0] / made.test_error[0]
    unknown = np.hypot(learnt, (1 + made.gamma[0] * made.effective[0]) ** -0.5)
    missed, before = (e.test_error[0] * (1 - e.gamma[0]) for e in (made, fewer))
    moved = abs(before - missed) / made.test_error[0] + 2 / 300
    assert one == pytest.approx((2 / (free - 4) + uneven * unknown) * made.gamma[0] + moved)


def test_all_ridges_share_one_level(monkeypatch):
    x, y, _ = gaussian(39, 60, 4)
    means, medians = [], []

    def judge(one, *, level, effect):
        means.append((level, effect))
        return judging_before(one, level=level, effect=effect)

    def of_medians(outcome, level):
        medians.append(level)
        return outcome

    judging_before = judging.judge
    monkeypatch.setattr(judging, "judge", judge)
    monkeypatch.setattr(judging, "_medians", of_medians)
    at = {"sizes": [30], "replicates": 3, "level": 0.02, "effect": 0.3}
    learning_curve(x, y, ridge=[0.0, 1.0], **at)
    assert len(means) == len(medians) == 2
    assert {effect for _, effect in means} == {0.3}
    total = sum(level for level, _ in means) + sum(medians)
    assert total == pytest.approx(0.02)
    assert min(medians) > 0


def test_the_band_leaves_rows_out_with_their_mean_taken_anew():
    """From the rows as they are given: what is left of them is centred by itself."""
    x, y, _ = gaussian(41, 60, 5)
    x, y, ones = x + 3.0, y - 2.0, np.ones(60)
    cells = theory.Cells(np.array([20.0, 40.0]), np.array([0.5, 2.0]), np.ones(2, bool))
    errors = []
    for part in np.array_split(np.random.default_rng(0).permutation(60), theory.GROUPS):
        rest = np.setdiff1d(np.arange(60), part)
        z, label = x[rest] - x[rest].mean(axis=0), y[rest] - y[rest].mean()
        one = theory.population(z, label, ones[rest], 0 * label, True)
        errors.append(theory.predict(one, cells, NOTHING).test_error)
    z, label = x - x.mean(axis=0), y - y.mean()
    whole = theory.population(z, label, ones, 0 * label, True)
    found, _ = theory.band(z, label, ones, 0 * label, True, whole, cells, NOTHING)
    wanted = np.sqrt(theory.GROUPS - 1) * np.std(errors, axis=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_share_of_rows_is_rounded_to_the_next_row():
    """0.29 of 100 rows is 29 of them, though the product is a little less in floating point."""
    x, y, _ = gaussian(42, 120, 4)
    order = np.random.default_rng([7, 100, 0]).permutation(120)
    copies, twice = np.ones(120, int), np.ones(120, int)
    twice[order[:29]] = 2
    at = np.array([100]), np.array([0.5])
    share = refits(x, y, copies, *at, Defects(repeated=0.29, repeats=2.0), 1, 1, seed=7)
    np.testing.assert_allclose(share, refits(x, y, twice, *at, NOTHING, 1, 1, seed=7), rtol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_rows_without_copies_are_as_many_as_they_are(centred):
    x, y, _ = gaussian(43, 50, 6)
    if centred:
        x, y = x - x.mean(axis=0), y - y.mean()
    best = best_ridge(whole_of(x, y, centred=centred), x, y, np.ones(50), NOTHING)
    assert best.effective == pytest.approx(50, rel=1e-9)


@pytest.mark.parametrize("lost", [float("nan"), None], ids=["no number", "a number"])
def test_where_the_solver_failed_nothing_is_compared_and_nothing_agrees(lost):
    x, y, _ = gaussian(44, 80, 4)
    whole = whole_of(x, y)
    cells = theory.Cells(np.array([30.0, 60.0]), np.ones(2), np.ones(2, bool))
    found = theory.predict(whole, cells, NOTHING)
    draws = np.random.default_rng(0).normal(0.0, 1e-3, (1, 1, 2, 50))
    values = np.reshape(found.test_error, (1, 1, 2, 1)) * (1 + draws)
    assert judging.judged(found, whole, cells, NOTHING, values, 1e-3, 0.1).exit_code == 0
    found = found._replace(status=np.array([Status.OK, Status.NOT_CONVERGED]))
    if lost is not None:
        found = found._replace(free=np.array([found.free[0], lost]))
    report = judging.judged(found, whole, cells, NOTHING, values, 1e-3, 0.1)
    (outcome,) = report.outcomes
    assert outcome.comparison.estimate.valid.tolist() == [True, False]
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert outcome.reason == ("its formula fails: 1 cell in its scope: the solver did not converge")


def test_slack_has_what_two_rows_fewer_would_not_have_learnt():
    x, y, _ = gaussian(45, 80, 8)
    whole = whole_of(x, y)
    cells = theory.Cells(np.array([20.0]), np.array([30.0]), np.ones(1, bool))
    found, fewer = (
        theory.predict(whole, cells._replace(n=np.array([n])), NOTHING) for n in (20.0, 18.0)
    )
    missed, before = (float(one.test_error[0] * (1 - one.gamma[0])) for one in (found, fewer))
    rest = 2 / (found.free[0] - 4) * found.gamma[0] * found.test_error[0]
    rest += 2 * found.test_error[0] / 80
    slack = float(judging.slack_of(found, whole, cells, NOTHING)[0])
    assert slack - rest == pytest.approx(abs(before - missed), rel=1e-6)
    assert slack - rest > 0.1 * slack
