"""Edits in a metric: against the matrix operator, drawn edits, and what an estimate costs."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.editing import editing
from ci_theory.theory.editing.metric_editing import (
    edits_in_metric,
    estimated_metric,
    first_edit,
    half_life_in_metric,
    metric_edit,
    next_squares,
    settled_in_metric,
    squares_of,
)
from ci_theory.theory.inheritance.operator import RidgeStage, Weights, inherit, risk
from ci_theory.theory.spectra.groups import plain_rows

P = 12
KEYS, METRIC = 6 / np.arange(1.0, P + 1), np.geomspace(3, 0.5, P)
TEST = np.geomspace(0.2, 2, P)
ERROR, MOVED = np.linspace(0.01, 0.05, P), np.linspace(0.3, 0.02, P)


@pytest.mark.parametrize("ridge", [0.0, 4.0])
def test_edits_are_the_matrix_operator_in_the_coordinates_of_the_metric(ridge):
    edit = metric_edit(KEYS, METRIC, 5, ridge)
    root = np.sqrt(METRIC)
    aim = np.sqrt(MOVED) * root
    weights = Weights(mean=jnp.zeros(P), spread=jnp.diag(jnp.array(ERROR * METRIC)))
    stage = RidgeStage(
        covariance=np.diag(KEYS / METRIC), target=aim, groups=plain_rows(5, 0.4), ridge=ridge
    )
    for k in range(1, 4):
        weights = inherit(weights, stage).weights
        made = edits_in_metric(edit, k, METRIC, ERROR, MOVED, TEST, 0.4)
        for found, target in ((made.base_risk, np.zeros(P)), (made.edit_risk, aim)):
            wanted = float(risk(weights, np.diag(TEST / METRIC), target))
            assert float(found) == pytest.approx(wanted, rel=1e-9)
    late = edits_in_metric(edit, 5000, METRIC, ERROR, MOVED, TEST, 0.4).edit_risk
    assert float(late) == pytest.approx(float(settled_in_metric(edit, METRIC, TEST, 0.4)), rel=1e-9)


def test_the_plain_metric_is_the_plain_edit():
    ones = np.ones(50)
    edit = metric_edit(ones, ones, 8, 6.0)
    plain = editing.edit_of(50, 8, 6.0)
    for one, other in ((edit.kept[3], plain.kept), (edit.kappa, plain.kappa)):
        assert float(one) == pytest.approx(float(other), rel=1e-12)
    # unit label noise leaves sum reach/free
    assert float(np.sum(edit.reach) / edit.free) == pytest.approx(float(plain.noise), rel=1e-11)
    assert int(edit.status) == Status.OK
    assert int(metric_edit(ones, ones, 8, -1.0).status) == Status.OUT_OF_SCOPE
    double = metric_edit(2 * ones, 2 * ones, 8, 6.0)  # a unit of the inputs drops out
    np.testing.assert_allclose(double.keys, edit.keys)
    made = edits_in_metric(edit, 7, ones, 0.1 * ones / 50, ones / 50, ones, 0.3)
    task = editing.Task(base_error=0.1, distance=1.0, noise=0.3, replay=0.0)
    wanted = editing.edited(editing.edit_of(50, 8, 6.0), 7, task)
    assert float(made.base_risk) == pytest.approx(float(wanted.base_risk), rel=1e-10)
    assert float(made.edit_risk) == pytest.approx(float(wanted.edit_risk), rel=1e-10)
    assert int(metric_edit(ones, ones, 50, 0.0).status) == Status.NOT_FINITE


def test_in_the_metric_of_the_keys_every_spectrum_is_isotropic():
    """What the phenomenon simulates in isotropic inputs is the metric editor on any keys."""
    edit, plain = metric_edit(KEYS, KEYS, 5, 4.0), editing.edit_of(P, 5, 4.0)
    task = editing.Task(base_error=0.1, distance=0.7, noise=0.3, replay=0.0)
    made = edits_in_metric(edit, 9, KEYS, 0.1 / P / KEYS, 0.7 / P / KEYS, KEYS, 0.3)
    wanted = editing.edited(plain, 9, task)
    assert float(made.base_risk) == pytest.approx(float(wanted.base_risk), rel=1e-10)
    assert float(made.edit_risk) == pytest.approx(float(wanted.edit_risk), rel=1e-10)
    # draw by draw: argmin |y - X w|^2 + 4 (w - w0)'C(w - w0), its error at C^1/2 w
    rng = np.random.default_rng(3)
    white, noise = rng.normal(size=(2, 5, P)), rng.normal(size=(2, 5))
    root, w, plainly = np.sqrt(KEYS), np.zeros(P), np.zeros(P)
    for x, y in zip(white, noise, strict=True):
        keys = x * root
        pull = 4 * np.diag(KEYS)
        w = np.linalg.solve(keys.T @ keys + pull, keys.T @ y + pull @ w)
        plainly = np.linalg.solve(x.T @ x + 4 * np.eye(P), x.T @ y + 4 * plainly)
    np.testing.assert_allclose(root * w, plainly, rtol=1e-10)


def test_drawn_edits_in_a_metric_and_without():
    """p = 60 keys of variances 10/i, n = 2 facts, 10 edits; the metric of the keys costs less."""
    p, n, edits, runs, noise = 60, 2, 10, 2000, 1.0
    law = 10 / np.arange(1.0, p + 1)
    risks = []
    for metric, room in ((np.ones(p), 0.12), (law, 0.03)):
        rng = np.random.default_rng(0)
        w = np.zeros((runs, p))
        for _ in range(edits):
            x = rng.normal(size=(runs, n, p)) * np.sqrt(law)
            y = noise**0.5 * rng.normal(size=(runs, n))
            gram = (x / metric) @ x.transpose(0, 2, 1) + 0.5 * np.eye(n)
            gain = np.linalg.solve(gram, (y - np.einsum("rnp,rp->rn", x, w))[..., None])
            w = w + np.einsum("rnp,rn->rp", x / metric, gain[..., 0])
        values = (w**2 * law).sum(axis=1)
        edit, none = metric_edit(law, metric, n, 0.5), np.zeros(p)
        wanted = float(edits_in_metric(edit, edits, metric, none, none, law, noise).base_risk)
        error = values.std() / np.sqrt(runs)
        assert abs(values.mean() - wanted) < 4 * error + room * wanted
        risks.append(values.mean())
    assert risks[0] > 1.5 * risks[1]


def test_the_first_edit_costs_least_in_the_metric_of_what_is_tested():
    best = float(first_edit(KEYS, TEST, TEST))
    assert best == pytest.approx(1 / np.sum(KEYS / TEST))
    rng = np.random.default_rng(2)
    for _ in range(20):
        assert float(first_edit(KEYS, TEST * rng.uniform(0.5, 2, P), TEST)) > best
    one = metric_edit(np.ones(400), np.ones(400), 1, 0.0)  # a surprise of 1, no error before
    zero = np.zeros(400)
    cost = edits_in_metric(one, 1, np.ones(400), zero, zero, np.ones(400), 1.0).base_risk
    assert float(cost) == pytest.approx(1 / 399, rel=1e-9)


@pytest.mark.parametrize("rows", [30, 80])
def test_an_estimated_metric_costs_more(rows):
    p, runs = 20, 6000
    rng = np.random.default_rng(1)
    x = rng.normal(size=(runs, rows, p))
    inverse = np.linalg.inv(x.transpose(0, 2, 1) @ x)
    # a key along the first axis: the change is along the first column
    factor = (inverse[:, :, 0] ** 2).sum(axis=1) / inverse[:, 0, 0] ** 2
    wanted = float(estimated_metric(p, rows))
    assert abs(factor.mean() - wanted) < 4 * factor.std() / np.sqrt(runs)
    assert abs(factor.mean() - 1 / (1 - p / rows)) > 4 * factor.std() / np.sqrt(runs)
    assert float(estimated_metric(20, 20)) == float(estimated_metric(20, 12)) == np.inf


@pytest.mark.parametrize(("n", "ridge"), [(1, 20.0), (8, 5.0), (30, 10.0)])
def test_the_next_order_is_that_of_an_isotropic_edit(n, ridge):
    """A formula of its own: derivatives of the risk of isotropic ridge regression."""
    p = 20
    ones = np.ones(p)
    plain = editing.edit_of(p, n, ridge)
    near = editing.next_edit(plain, p, n, ridge).edit
    for made, wanted in (
        (squares_of(metric_edit(ones, ones, n, ridge)), plain),
        (next_squares(metric_edit(ones, ones, n, ridge), n, ridge), near),
    ):
        np.testing.assert_allclose(made.kept, wanted.kept, rtol=1e-9)
        np.testing.assert_allclose(made.through.sum(axis=1), 1 - wanted.lost, rtol=1e-9)
        np.testing.assert_allclose(made.noise.sum(), wanted.noise, rtol=1e-8)


@pytest.mark.parametrize(("p", "n"), [(12, 1), (24, 10)])
def test_the_next_order_takes_most_of_what_drawn_edits_deviate_by(p, n):
    """Keys of variances 1 to 4, 400 000 draws; half the size, (12, 5), leaves twice the share."""
    ridge, runs = p / 2, 400_000
    keys = np.linspace(4, 1, p)
    edit = metric_edit(keys, np.ones(p), n, ridge)
    plain, near = squares_of(edit), next_squares(edit, n, ridge)
    rng = np.random.default_rng(9)
    total = [np.zeros((runs // 20_000, *shape)) for shape in ((p,), (p, p), (p,))]
    for part in range(runs // 20_000):
        x = rng.normal(size=(20_000, n, p)) * np.sqrt(keys)
        gram = x @ x.transpose(0, 2, 1) + ridge * np.eye(n)
        gain = np.linalg.solve(gram, x).transpose(0, 2, 1)
        left = np.eye(p) - gain @ x
        means = left.diagonal(axis1=1, axis2=2), left**2, (gain**2).sum(axis=2)
        for kept, values in zip(total, means, strict=True):
            kept[part] = values.mean(axis=0)
    for name, drawn in zip(("kept", "through", "noise"), total, strict=True):
        mean, error = drawn.mean(axis=0), drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
        first, second = (np.abs(getattr(made, name) - mean) for made in (plain, near))
        assert np.linalg.norm(second) < 0.25 * np.linalg.norm(first) + 3 * np.linalg.norm(error)
        assert np.linalg.norm(first) > 8 * np.linalg.norm(error), name  # it can tell


def test_half_lives_solve_their_equation():
    kept, law = np.array([0.5, 0.9, 0.99]), np.array([3.0, 1.0, 1.0])
    edits = float(half_life_in_metric(kept, law, 0.3))
    assert np.sum(law * kept**edits) == pytest.approx(0.3 * 5, rel=1e-12)
    assert float(half_life_in_metric(np.ones(4), law[[0, 1, 2, 2]])) == np.inf
    one = metric_edit(np.ones(60), np.ones(60), 4, 20.0)
    wanted = np.log(2) / np.log1p(1 / float(one.kappa))
    assert float(half_life_in_metric(one.kept, np.ones(60))) == pytest.approx(wanted, rel=1e-12)
