"""Symbolic statements: their limits, each other, the defining equations and the numbers."""

import math
from importlib import import_module

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from ci_theory import phenomena
from ci_theory._errors import BadInput
from ci_theory.phenomena import predict
from ci_theory.theory.spectra import power_law as law
from ci_theory.theory.spectra.spectrum import Spectrum, isotropic, power_law
from ci_theory.theory.statements.catalogue import catalogue
from ci_theory.theory.statements.statement import (
    Limit,
    delta,
    f,
    g,
    kappa,
    level,
    n,
    p,
    rho,
    sigma,
    t,
    w,
)
from ci_theory.theory.statements.symbolic import STATEMENTS, concerning, find


def rhs(name):
    return find(name).expression


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_a_statement_is_complete(statement):
    assert statement.implementation in {f.path for f in catalogue()}
    plain = {str(s) for s in statement.equation.free_symbols if s.is_Symbol}
    assert plain - {"lambda", "m"} == set(statement.symbols)  # those two are summed over
    assert "=" in statement.latex()
    assert statement.unicode()
    assert statement.regime
    assert statement.source


def test_names_are_unique_and_found():
    assert len({s.name for s in STATEMENTS}) == len(STATEMENTS) >= 20
    with pytest.raises(BadInput, match=r"did you mean 'isotropic.kappa'"):
        find("isotropic.kapa")
    assert {s.name for s in concerning("repeated_data")} >= {"repetition.excess"}
    assert not concerning("nothing")


@pytest.mark.parametrize(
    ("statement", "limit"),
    [pytest.param(s, m, id=f"{s.name}: {m.words}") for s in STATEMENTS for m in s.limits],
)
def test_limits_hold(statement, limit):
    assert limit.holds(statement.expression)


def test_a_wrong_limit_is_noticed():
    assert not Limit(words="", symbol=g, point=0, value=0).holds(rhs("isotropic.ridgeless_under"))


# name -> (how to ask the function that the statement names, ranges of the statement's arguments)
NUMBERS = {
    "isotropic.kappa": (
        lambda solve, n, p, ridge: solve(isotropic(p), n, ridge).value,
        {"n": (20, 90), "p": (20, 90), "ridge": (0.5, 20)},
    ),
    "isotropic.ridgeless_under": (
        lambda risk, g, noise: risk(100.0, 100 * g, noise).test_error,
        {"g": (0.1, 0.95), "noise": (0.1, 3)},
    ),
    "isotropic.ridgeless_over": (
        lambda risk, g, noise, signal: risk(100.0, 100 * g, noise, signal).test_error,
        {"g": (1.1, 7), "noise": (0.1, 3), "signal": (0.5, 2)},
    ),
    "isotropic.exact_under": (
        lambda risk, n, noise, p: risk(n, p, noise).test_error,
        {"n": (50, 90), "noise": (0.1, 3), "p": (10, 48)},
    ),
    "isotropic.exact_over": (
        lambda risk, n, noise, p, signal: risk(n, p, noise, signal).test_error,
        {"n": (10, 48), "noise": (0.1, 3), "p": (50, 300), "signal": (0.5, 2)},
    ),
    "isotropic.peak_height": (
        lambda height, level, noise, signal: height(100.0, 100 * level, noise, signal),
        {"level": (1e-6, 1), "noise": (0.1, 3), "signal": (0.5, 2)},
    ),
    "isotropic.peak_height_small_ridge": (
        lambda height, level, noise, signal: height(100.0, 100 * level, noise, signal),
        {"level": (1e-6, 0.1), "noise": (0.1, 3), "signal": (0.5, 2)},
    ),
    "isotropic.local_minimum": (
        lambda minimum, noise, signal: minimum(noise, signal).ratio,
        {"noise": (0.1, 0.9), "signal": (1, 2)},
    ),
    "isotropic.local_minimum_risk": (
        lambda minimum, noise, signal: minimum(noise, signal).excess_risk,
        {"noise": (0.1, 0.9), "signal": (1, 2)},
    ),
    "isotropic.optimal_ridge": (
        lambda best, noise, p, signal: best(p, noise, signal),
        {"noise": (0.1, 3), "p": (10, 90), "signal": (0.5, 2)},
    ),
    "power_law.ridgeless_kappa": (
        lambda kappa, alpha, n: kappa(n, alpha),
        {"alpha": (1.2, 3), "n": (10, 1e4)},
    ),
    "power_law.gamma": (
        lambda ridgeless, alpha, n: ridgeless(n, alpha, 0.4, 0.1).gamma,
        {"alpha": (1.2, 3), "n": (10, 1e4)},
    ),
    "power_law.bias": (
        lambda bias, alpha, kappa, source: bias(kappa, alpha, source),
        {"alpha": (1.3, 2), "kappa": (1e-5, 1e-2), "source": (0.3, 0.9)},
    ),
    "power_law.plateau": (
        lambda plateau, alpha, noise: plateau(alpha, noise),
        {"alpha": (1.2, 3), "noise": (0.1, 3)},
    ),
    "power_law.ridge_crossover": (
        lambda crossover, alpha, level: crossover(level, alpha),
        {"alpha": (1.2, 3), "level": (1e-6, 1e-2)},
    ),
    "power_law.tuned_slope": (
        lambda tuned, alpha, source: tuned(alpha, source).slope,
        {"alpha": (1.2, 3), "source": (0.3, 1)},
    ),
    "repetition.excess": (
        lambda excess, fraction, ratio: excess(fraction, ratio),
        {"fraction": (0.1, 0.9), "ratio": (0.2, 4)},
    ),
    "repetition.worst_excess": (
        lambda excess, fraction: excess(fraction, 1.0),
        {"fraction": (0.1, 0.9)},
    ),
}


def points(name, ranges, count=3):
    """Random points of a statement, the same in every run."""
    rng = np.random.default_rng(list(name.encode()))
    return [
        {k: math.exp(rng.uniform(math.log(low), math.log(high))) for k, (low, high) in ranges}
        for _ in range(count)
    ]


def function(statement):
    where, name = statement.implementation.rsplit(".", 1)
    return getattr(import_module(f"ci_theory.theory.{where}"), name)


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


def test_every_statement_is_compared():
    apart = {"ridge.kappa", "ridge.test_error", "ridge.train_error", "repetition.pressure"}
    assert {s.name for s in STATEMENTS} == {*NUMBERS, *apart}
    assert {s.name for s in STATEMENTS if not s.closed} <= apart


class TestPredictions:
    """A prediction that a statement is said to state has its value, at a point of a sweep."""

    def test_the_names_exist(self):
        linked = {name for s in STATEMENTS for name in s.predictions}
        assert len(linked) >= 4
        for name in linked:
            phenomenon, prediction = name.split(".")
            assert prediction in {p.name for p in phenomena.load(phenomenon).predictions}
        for statement in STATEMENTS:
            assert {name.split(".")[0] for name in statement.predictions} <= {*statement.phenomena}

    def value(self, phenomenon, prediction, **at):
        found = predict(phenomena.load(phenomenon), at)[prediction].estimate
        assert found.valid[0]
        return float(found.value[0])

    def test_ridge_peak(self):
        """Isotropic inputs, whose effective ridge the statements give too."""
        at = {"n": 150, "p": 100, "ridge": 7.0, "noise": 0.3}
        k = find("isotropic.kappa").evaluate(n=150, p=100, ridge=7.0)
        bias, share = k**2 / (1 + k) ** 2, 100 / 150 / (1 + k) ** 2
        error = find("ridge.test_error").evaluate(B=bias, gamma=share, noise=0.3)
        assert self.value("ridge_peak", "test_error", **at) == pytest.approx(error, rel=1e-12)
        left = find("ridge.train_error").evaluate(E_te=error, kappa=k, n=150, ridge=7.0)
        assert self.value("ridge_peak", "train_error", **at) == pytest.approx(left, rel=1e-12)

    @pytest.mark.parametrize("n", [60, 150])
    def test_ridge_peak_at_finite_size(self, n):
        at = {"n": n, "p": 100, "noise": 0.3}
        if n > 100:
            error = find("isotropic.exact_under").evaluate(**at)
        else:
            error = find("isotropic.exact_over").evaluate(**at, signal=1)
        found = self.value("ridge_peak", "finite_size_excess", **at, ridge=0.0)
        assert found == pytest.approx(error - 0.3, rel=1e-12)

    def test_power_law_break(self):
        at = {"n": 200, "alpha": 1.5, "source": 0.3, "noise": 0.1}
        k = find("power_law.ridgeless_kappa").evaluate(alpha=1.5, n=200)
        bias = find("power_law.bias").evaluate(alpha=1.5, kappa=k, source=0.3)
        share = find("power_law.gamma").evaluate(alpha=1.5, n=200)
        error = find("ridge.test_error").evaluate(B=bias, gamma=share, noise=0.1)
        found = self.value("power_law_break", "closed_form", **at, ridge=0.0, modes=10_000)
        assert found == pytest.approx(error - 0.1, rel=1e-12)


def test_missing_arguments_are_refused():
    with pytest.raises(TypeError, match="takes"):
        find("power_law.plateau").evaluate(alpha=1.5)


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
