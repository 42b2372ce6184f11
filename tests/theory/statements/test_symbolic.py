"""Symbolic statements: their limits, each other, the defining equations and the numbers."""

import dataclasses
import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from asked_of_statements import NUMBERS

from ci_theory._errors import BadInput
from ci_theory.theory.attention import linear_attention, population, task_spectrum
from ci_theory.theory.discrete import associative_memory, memory_limits, stored_facts
from ci_theory.theory.editing import erasure
from ci_theory.theory.inheritance import group_gap, interpolation, poisoning, prior_bias
from ci_theory.theory.ridge import isotropic, risk
from ci_theory.theory.rows import repeat_peak, repeat_scaling
from ci_theory.theory.sequences import dirichlet, pool_order
from ci_theory.theory.spectra import fixed_point
from ci_theory.theory.spectra import power_law as law
from ci_theory.theory.spectra.spectrum import Spectrum, power_law
from ci_theory.theory.statements.of_attention import ATTENTION
from ci_theory.theory.statements.of_inheritance import INHERITANCE
from ci_theory.theory.statements.of_memory import MEMORY
from ci_theory.theory.statements.of_ridge import RIDGE
from ci_theory.theory.statements.of_rows import ROWS
from ci_theory.theory.statements.statement import (
    Limit,
    d,
    delta,
    df_share,
    f,
    g,
    grown,
    inverse,
    kappa,
    label,
    labels,
    level,
    mix,
    moved,
    n,
    n_1,
    n_2,
    noise_d,
    p,
    prior,
    q,
    read,
    rho,
    seen,
    sigma,
    spread,
    strength,
    t,
    tasks,
    tau,
    told,
    w,
)
from ci_theory.theory.statements.symbolic import STATEMENTS, concerning, find, stating

IMPLEMENTED = (
    *(
        linear_attention,
        population,
        task_spectrum,
        associative_memory,
        memory_limits,
        stored_facts,
        erasure,
    ),
    *(group_gap, interpolation, poisoning, prior_bias, isotropic, risk, repeat_peak),
    *(repeat_scaling, dirichlet, pool_order, fixed_point, law),
)
"""Imported by name: what this file says follows from them, and is run when one changes."""
MODULES = {module.__name__.removeprefix("ci_theory.theory."): module for module in IMPLEMENTED}


def rhs(name):
    return find(name).expression


def test_names_are_unique_and_found():
    assert len({s.name for s in STATEMENTS}) == len(STATEMENTS) >= 20
    with pytest.raises(BadInput, match=r"did you mean 'isotropic.kappa'"):
        find("isotropic.kapa")
    assert {s.name for s in concerning("repeated_data")} >= {"repetition.excess"}
    assert not concerning("nothing")
    for statement in STATEMENTS:
        for name in statement.predictions:
            assert statement in stating(*name.split("."))
    # a phenomenon rests on more than what states one of its predictions
    assert {s.name for s in stating("prior_bias", "gain")} == {"prior.balanced_error"}
    assert not stating("prior_bias", "nothing")
    assert [s.name for s in STATEMENTS] == [
        s.name for s in (*RIDGE, *ROWS, *INHERITANCE, *ATTENTION, *MEMORY)
    ]


def test_what_a_statement_shows():
    """Its symbols with their meaning, its arguments as functions call them, and its digits."""
    statement = find("isotropic.optimal_ridge")
    assert statement.symbols["p"] == "parameters (input dimension)"
    assert statement.arguments == ("noise", "p", "signal")
    assert r"\sigma^{2}" in statement.latex()
    assert "σ" in statement.unicode()
    assert statement.evaluate(p=100, noise=0.5, signal=2.0) == 25.0
    for one in STATEMENTS:
        shown = {str(v) for v in one.equation.free_symbols if not isinstance(v, sp.Idx)}
        assert {name for name in shown if name in one.symbols} == set(one.symbols), one.name
        assert all(meaning and meaning[0] != " " for meaning in one.symbols.values())
    # an argument is exact: 1/3 + 1/3 is not that of the nearest float to 0.7 less 0.03
    third = find("repetition.worst_excess").evaluate(fraction=0.3)
    with mp.workdps(30):
        exact = (1 / mp.sqrt(1 - mp.mpf(0.3)) - 1) / 2
    assert third == float(exact)


def test_a_limit_is_taken_from_above():
    step = Limit(words="", symbol=g, point=0, value=1)
    assert step.holds(sp.Heaviside(g))
    assert not dataclasses.replace(step, value=0).holds(sp.Heaviside(g))
    assert dataclasses.replace(step, value=2, given={n: 2}).holds(n * sp.Heaviside(g))
    assert not dataclasses.replace(step, value=n, given={n: 2}).holds(3 * sp.Heaviside(g))


@pytest.mark.parametrize(
    ("statement", "limit"),
    [pytest.param(s, m, id=f"{s.name}: {m.words}") for s in STATEMENTS for m in s.limits],
)
def test_limits_hold(statement, limit):
    assert limit.holds(statement.expression)


def test_a_wrong_limit_is_noticed():
    assert not Limit(words="", symbol=g, point=0, value=0).holds(rhs("isotropic.ridgeless_under"))


def points(name, ranges, count=3):
    """Random points of a statement, the same in every run."""
    rng = np.random.default_rng(list(name.encode()))
    return [
        {k: math.exp(rng.uniform(math.log(low), math.log(high))) for k, (low, high) in ranges}
        for _ in range(count)
    ]


def function(statement):
    module, name = statement.implementation.rsplit(".", 1)
    return getattr(MODULES[module], name)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_function_that_a_statement_names_computes_it(name):
    ask, ranges = NUMBERS[name]
    statement = find(name)
    for values in points(name, ranges.items()):
        assert float(ask(function(statement), **values)) == pytest.approx(
            statement.evaluate(**values), rel=1e-12
        )


def test_the_errors_of_ridge_regression():
    test, train = find("ridge.test_error"), find("ridge.train_error")
    assert function(test) is function(train)
    for at in points("ridge", {"n": (10, 60), "ridge": (0.1, 2), "noise": (0.1, 2)}.items()):
        found = function(test)(power_law(20, 1.5, tail=True), at["n"], at["ridge"], at["noise"])
        b, share, k = (float(v) for v in (found.bias, found.gamma, found.kappa))
        error = test.evaluate(B=b, gamma=share, noise=at["noise"])
        assert float(found.test_error) == pytest.approx(error, rel=1e-13)
        left = train.evaluate(E_te=error, kappa=k, n=at["n"], ridge=at["ridge"])
        assert float(found.train_error) == pytest.approx(left, rel=1e-13)


def test_the_effective_ridge_solves_its_equation():
    statement = find("ridge.kappa")
    (summed,) = statement.equation.rhs.atoms(sp.Sum)
    (_, _, last) = summed.limits[0]
    eigenvalue, count = sp.IndexedBase("lambda"), sp.IndexedBase("m")
    variances, counts = [2.0, 0.5, 0.01], [3.0, 10.0, 40.0]
    spectrum = Spectrum(
        eigenvalues=np.array(variances),
        multiplicity=np.array(counts),
        power=np.zeros(3),
        tail_trace=np.zeros(()),
        tail_power=np.zeros(()),
    )
    rows = statement.equation.rhs.subs(last, 3).doit()
    for k, (v, m) in enumerate(zip(variances, counts, strict=True), start=1):
        rows = rows.subs({eigenvalue[k]: v, count[k]: m})
    for at in points("kappa", {"n": (5, 80), "ridge": (0.1, 9)}.items()):
        found = function(statement)(spectrum, at["n"], at["ridge"]).value
        back = rows.subs({kappa: float(found), delta: at["ridge"]})
        assert float(back) == pytest.approx(at["n"], rel=1e-12)


def test_the_pressure_behind_repetition_solves_its_equation():
    """excess = A/(1 - A) with A = f rho/(t + rho)^2: the function gives t, the equation holds."""
    statement = find("repetition.pressure")
    for at in points("pressure", {"fraction": (0.1, 0.9), "ratio": (0.2, 4)}.items()):
        excess = float(function(statement)(**at))
        spent = excess / (1 + excess)
        pressure = math.sqrt(at["fraction"] * at["ratio"] / spent) - at["ratio"]
        given = {t: pressure, rho: at["ratio"], f: at["fraction"]}
        left, right = (side.subs(given) for side in statement.equation.args)
        assert float(left) == pytest.approx(float(right), rel=1e-10)


def test_the_gap_of_two_groups():
    """Its value, and that of the difference of the two errors, at the leverages found."""
    statement = find("groups.gap")
    for at in points("groups", {"weight": (0.5, 6), "ridge": (0.1, 20)}.items()):
        found = function(statement)(60.0, 180.0, 90.0, at["weight"], 0.3, 2.0, 0.1, at["ridge"])
        first, second = (float(v) for v in found.held)
        gap = statement.evaluate(d_1=first, d_2=second, p=60.0, cosine=0.3, signal=2.0)
        assert float(found.gap) == pytest.approx(gap, rel=1e-12)
        apart = float(found.error_minority - found.error_majority)
        assert apart == pytest.approx(gap, rel=1e-9, abs=1e-9)


def test_every_statement_is_compared():
    apart = {"ridge.kappa", "ridge.test_error", "ridge.train_error", "repetition.pressure"}
    apart |= {"groups.gap"}
    assert {s.name for s in STATEMENTS} == {*NUMBERS, *apart}
    open_ones = {"ridge.kappa", "repetition.pressure"}  # equations that something solves
    assert {s.name for s in STATEMENTS if not s.closed} == open_ones


def test_missing_arguments_and_those_of_another_are_refused():
    plateau = find("power_law.plateau")
    for given in ({"alpha": 1.5}, {"alpha": 1.5, "noise": 1.0, "n": 3.0}):
        with pytest.raises(TypeError, match="takes"):
            plateau.evaluate(**given)
    assert plateau.evaluate(alpha=1.5, noise=1.0) == 0.5


class TestAgainstEachOther:
    def test_isotropic_kappa_solves_the_defining_equation(self):
        """n = p/(1 + kappa) + delta/kappa, the sum over modes done."""
        k = rhs("isotropic.kappa")
        assert sp.simplify(p / (1 + k) + delta / k - n) == 0

    def risk(self):
        """Isotropic test error with kappa as the parameter."""
        learned = 1 / (1 + kappa)
        return rhs("ridge.test_error").subs(
            {
                sp.Symbol("B", positive=True): w**2 * (1 - learned) ** 2,
                sp.Symbol("gamma", positive=True): p * learned**2 / n,
            }
        )

    def ridge(self):
        """The ridge that leads to kappa."""
        return kappa * (n - p / (1 + kappa))

    def test_no_ridge(self):
        under = sp.limit(self.risk().subs(p, g * n), kappa, 0)
        assert sp.simplify(under - rhs("isotropic.ridgeless_under")) == 0
        over = self.risk().subs({kappa: g - 1, p: g * n})  # df1 = n
        assert sp.simplify(over - rhs("isotropic.ridgeless_over")) == 0
        assert sp.simplify(self.ridge().subs({kappa: g - 1, p: g * n})) == 0

    def test_the_peak(self):
        at_peak = rhs("isotropic.kappa").subs({p: n, delta: level * n})
        height = self.risk().subs(p, n).subs(kappa, at_peak)
        assert sp.simplify(height - rhs("isotropic.peak_height")) == 0
        ratio = rhs("isotropic.peak_height") / rhs("isotropic.peak_height_small_ridge")
        assert sp.limit(ratio, level, 0, "+") == 1

    def test_the_optimal_ridge_is_stationary(self):
        """Put the noise that makes this kappa's ridge the optimal one: the slope vanishes."""
        matching = sp.sqrt(self.ridge() * w**2 / p)
        assert sp.simplify(rhs("isotropic.optimal_ridge").subs(sigma, matching) - self.ridge()) == 0
        assert sp.simplify(sp.diff(self.risk(), kappa).subs(sigma, matching)) == 0
        assert sp.simplify(sp.diff(self.risk(), kappa)) != 0

    def test_the_local_minimum_is_stationary_and_a_minimum(self):
        excess = rhs("isotropic.ridgeless_over") - sigma**2
        at = rhs("isotropic.local_minimum")
        assert sp.simplify(sp.diff(excess, g).subs(g, at)) == 0
        assert sp.simplify(excess.subs(g, at) - rhs("isotropic.local_minimum_risk")) == 0
        curved = sp.factor(sp.diff(excess, g, 2).subs(g, at))
        assert curved.subs({w: 3, sigma: 1}) > 0
        below_null = sp.factor(w**2 - rhs("isotropic.local_minimum_risk"))
        assert below_null == (w - sigma) ** 2

    def test_exact_forms_have_their_pole_one_row_off(self):
        for name, gap in (("isotropic.exact_under", n - 1), ("isotropic.exact_over", n + 1)):
            assert rhs(name).subs(p, gap).has(sp.zoo)

    def test_power_law_plateau(self):
        """The learning curve ends at (B + noise)/(1 - gamma) less the noise, with B -> 0."""
        end = sp.limit(rhs("power_law.gamma"), n, sp.oo)
        excess = sigma**2 / (1 - end) - sigma**2
        assert sp.simplify(excess - rhs("power_law.plateau")) == 0

    def test_the_crossover_inverts_kappa(self):
        rows = rhs("power_law.ridge_crossover")
        back = rhs("power_law.ridgeless_kappa").subs(n, rows)
        assert sp.simplify(sp.powdenest(back, force=True) - level) == 0

    def test_df1_of_a_power_law(self):
        """At alpha = 2 the sum over modes is known: (pi/(2 root) coth(pi/root) - 1/2."""
        root = mp.sqrt(mp.mpf("1e-5"))
        exact = mp.pi / (2 * root) * mp.coth(mp.pi / root) - mp.mpf(1) / 2
        rows = find("power_law.ridge_crossover").evaluate(alpha=2.0, level=1e-5)
        assert float(exact) == pytest.approx(rows, rel=1e-14)

    def test_the_pole_of_the_bias_is_removable(self):
        near = [
            find("power_law.bias").evaluate(alpha=2.0, kappa=0.01, source=1 + h)
            for h in (1e-7, -1e-7)
        ]
        want = 1e-4 * (mp.euler - (1 + mp.log(0.01)) / 2)
        assert sum(near) / 2 == pytest.approx(float(want), rel=1e-10)
        assert float(law.bias(0.01, 2.0, 1.0)) == pytest.approx(float(want), rel=1e-6)

    def test_repetition_follows_from_its_pressure(self):
        """Eliminate t from its quadratic: A = f rho/(t + rho)^2, excess A/(1 - A)."""
        quadratic = find("repetition.pressure").equation
        positive = [v for v in sp.solve(quadratic, t) if v.subs({rho: 2, f: sp.Rational(1, 2)}) > 0]
        assert len(positive) == 1
        share = f * rho / (positive[0] + rho) ** 2
        difference = share / (1 - share) - rhs("repetition.excess")
        for ratio, part in [(2, sp.Rational(1, 3)), (sp.Rational(1, 5), sp.Rational(9, 10))]:
            assert sp.radsimp(sp.nsimplify(difference.subs({rho: ratio, f: part}))).equals(0)

    def test_the_worst_repeat_count(self):
        """Symmetric under rho -> 1/rho, so stationary at rho = 1, and a maximum there."""
        excess = rhs("repetition.excess")
        assert sp.simplify(excess.subs(rho, 1 / rho) - excess) == 0
        assert sp.simplify(sp.diff(excess, rho).subs(rho, 1)) == 0
        bend = sp.simplify(sp.diff(excess, rho, 2).subs(rho, 1))
        assert bend.subs(f, sp.Rational(1, 2)) < 0
        assert sp.simplify(excess.subs(rho, 1) - rhs("repetition.worst_excess")) == 0

    def test_the_best_mix_is_the_minimum_of_the_parabola(self):
        risk, best = rhs("interpolation.risk"), rhs("interpolation.best_mix")
        assert sp.simplify(sp.diff(risk, mix).subs(mix, best)) == 0
        assert sp.diff(risk, mix, 2) == 2 * moved

    def test_equal_weights_of_equal_held_degrees(self):
        """At the equalising weight both groups hold p/2 of the p degrees of freedom."""
        per_row = sp.Symbol("e", positive=True)  # trace per row, of a row of weight 1
        held = n_1 * per_row / (1 + per_row)
        (at,) = sp.solve(held - p / 2, per_row)
        heavy = rhs("groups.equalising_weight")
        assert (
            sp.simplify((n_2 * heavy * per_row / (1 + heavy * per_row)).subs(per_row, at) - p / 2)
            == 0
        )

    def test_labels_that_pay_are_those_whose_spread_is_what_is_taken_off(self):
        """E (L - tau L_hat)^2 = L^2 at the number of labels, of mean L' and variance v."""
        at = {told: sp.Rational(33, 50), prior: sp.Rational(7, 10), tau: sp.Rational(4, 5)}
        share = at[told]
        seen, inherited = sp.log(share / (1 - share)), sp.log(sp.Rational(7, 3))
        spread = 1 / (rhs("prior.fewest_labels").subs(at) * share * (1 - share))
        left = (inherited - at[tau] * seen) ** 2 + at[tau] ** 2 * spread - inherited**2
        assert abs(left.evalf(40)) < 1e-30
        best = rhs("prior.best_strength").subs({**at, labels: rhs("prior.fewest_labels").subs(at)})
        slope = -2 * seen * (inherited - best * seen) + 2 * best * spread
        assert abs(slope.evalf(40)) < 1e-30

    def test_half_of_the_label_at_half_of_saturation(self):
        planted = rhs("poison.response").subs(q, rhs("poison.half_saturated"))
        assert sp.simplify(strength * planted - label / 2) == 0

    def test_the_harm_on_any_spectrum_is_that_of_isotropic_rows_without_a_ridge(self):
        ratio = rhs("repetition.peak_noise").subs(df_share, 1) - rhs("repetition.worst_excess")
        assert sp.simplify(ratio) == 0

    def test_the_break_in_scale_is_where_nothing_is_gained(self):
        """And the best noise is the one whose weight is best for the test."""
        at = rhs("attention.largest_scale")
        blind = noise_d + d * grown
        assert sp.simplify((rhs("attention.error") - blind).subs(grown, at)) == 0
        best = sp.solve(sp.diff(rhs("attention.error"), read), read)
        noisy = rhs("attention.weight").subs(sigma, sp.sqrt(rhs("attention.best_noise")))
        assert [sp.simplify(noisy - weight) for weight in best] == [0]

    def test_new_tasks_are_those_trained_on_where_there_is_a_task_for_every_prompt(self):
        """Of endless tasks none is known: its resolvent is that of the identity."""
        trained, fresh = (rhs(f"attention.{name}_error") for name in ("trained", "fresh"))
        endless = 1 / (1 + spread)
        assert sp.simplify((fresh - trained).subs(inverse, endless)) == 0
        resolvent = sp.limit(rhs("attention.task_inverse"), tasks, sp.oo)
        assert sp.simplify(resolvent.subs(kappa, spread) - endless) == 0

    def test_ridge_in_context_is_isotropic_ridge(self):
        """Inputs of variance 1/d: kappa/(1 + kappa) of a task is left of it."""
        k = rhs("isotropic.kappa").subs({n: seen, p: 1, delta: sigma**2})
        left = k / (1 + k) + sigma**2 - rhs("attention.ridge_error")
        for ratio, root in ((2, sp.Rational(1, 2)), (sp.Rational(1, 3), 2)):
            assert sp.simplify(left.subs({seen: ratio, sigma: root})) == 0
