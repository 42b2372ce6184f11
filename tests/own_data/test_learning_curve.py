"""The learning curve of one's own rows: each part of it against another way to find it."""

import json

import numpy as np
import pytest

import ci_theory
from ci_theory.check import Verdict
from ci_theory.own_data import learning_curve
from ci_theory.own_data import population as theory
from ci_theory.own_data.refits import Defects, left_out, refits
from ci_theory.own_data.tuning import best_ridge
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
