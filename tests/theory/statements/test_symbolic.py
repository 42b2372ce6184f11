"""Symbolic statements: their limits, each other, the defining equations and the numbers."""

import itertools
from importlib import import_module

import mpmath as mp
import pytest
import sympy as sp

from ci_theory._errors import BadInput
from ci_theory.theory.ridge import isotropic as iso
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows import repeat_peak
from ci_theory.theory.spectra import power_law as law
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import isotropic, power_law
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

CLOSED = [s for s in STATEMENTS if s.closed]


def rhs(name):
    return find(name).expression


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_a_statement_is_complete(statement):
    module, _, function = statement.implementation.rpartition(".")
    assert callable(getattr(import_module(f"ci_theory.theory.{module}"), function))
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


def grid(*axes):
    return [tuple(map(float, point)) for point in itertools.product(*axes)]


# name -> (the implementation as a function of the statement's arguments, points)
NUMBERS = {
    "isotropic.kappa": (
        lambda n, p, ridge: solve_kappa(isotropic(p), n, ridge).value,
        grid([20.0, 50.0, 90.0], [50.0], [0.5, 20.0]),
    ),
    "isotropic.ridgeless_under": (
        lambda g, noise: iso.ridgeless(100.0, 100 * g, noise).test_error,
        grid([0.1, 0.95], [0.3]),
    ),
    "isotropic.ridgeless_over": (
        lambda g, noise, signal: iso.ridgeless(100.0, 100 * g, noise, signal).test_error,
        grid([1.1, 7.0], [0.3], [1.7]),
    ),
    "isotropic.exact_under": (
        lambda n, noise, p: iso.exact_ridgeless(n, p, noise).test_error,
        grid([50.0], [0.3], [10.0, 48.0]),
    ),
    "isotropic.exact_over": (
        lambda n, noise, p, signal: iso.exact_ridgeless(n, p, noise, signal).test_error,
        grid([50.0], [0.3], [52.0, 300.0], [1.7]),
    ),
    "isotropic.peak_height": (
        lambda level, noise, signal: iso.peak_height(100.0, 100 * level, noise, signal),
        grid([1e-6, 0.1], [0.3], [1.7]),
    ),
    "isotropic.peak_height_small_ridge": (
        lambda level, noise, signal: iso.peak_height_small_ridge(100.0, 100 * level, noise, signal),
        grid([1e-6, 0.1], [0.3], [1.7]),
    ),
    "isotropic.local_minimum": (
        lambda noise, signal: iso.local_minimum(noise, signal).ratio,
        grid([0.3, 0.9], [1.7]),
    ),
    "isotropic.local_minimum_risk": (
        lambda noise, signal: iso.local_minimum(noise, signal).excess_risk,
        grid([0.3, 0.9], [1.7]),
    ),
    "isotropic.optimal_ridge": (
        lambda noise, p, signal: iso.optimal_ridge(p, noise, signal),
        grid([0.3], [50.0], [1.7]),
    ),
    "power_law.ridgeless_kappa": (
        lambda alpha, n: law.ridgeless_kappa(n, alpha),
        grid([1.2, 3.0], [10.0, 1e4]),
    ),
    "power_law.gamma": (
        lambda alpha, n: law.ridgeless(n, alpha, 0.4, 0.1).gamma,
        grid([1.2, 3.0], [10.0, 1e4]),
    ),
    "power_law.bias": (
        lambda alpha, kappa, source: law.bias(kappa, alpha, source),
        grid([1.5], [1e-2, 1e-5], [0.4, 1.3]),
    ),
    "power_law.plateau": (lambda alpha, noise: law.plateau(alpha, noise), grid([1.5], [0.3])),
    "power_law.ridge_crossover": (
        lambda alpha, level: law.ridge_crossover(level, alpha),
        grid([1.5], [1e-2, 1e-6]),
    ),
    "power_law.tuned_slope": (
        lambda alpha, source: law.tuned(alpha, source).slope,
        grid([1.5, 2.0], [0.4, 1.0]),
    ),
    "repetition.excess": (
        lambda fraction, ratio: repeat_peak.data_rich_excess(fraction, ratio),
        grid([0.1, 0.9], [0.2, 1.0, 4.0]),
    ),
    "repetition.worst_excess": (
        lambda fraction: repeat_peak.data_rich_excess(fraction, 1.0),
        grid([0.1, 0.9]),
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_implementation_computes_the_statement(name):
    implementation, points = NUMBERS[name]
    statement = find(name)
    assert len(points) >= 1
    for point in points:
        values = dict(zip(statement.arguments, point, strict=True))
        assert float(implementation(**values)) == pytest.approx(
            statement.evaluate(**values), rel=1e-12
        )


def test_the_general_statements_are_computed_too():
    found = ridge_risk(power_law(20, 1.5), 30.0, 0.4, 0.3)
    b, share, k = (float(v) for v in (found.bias, found.gamma, found.kappa))
    test = find("ridge.test_error").evaluate(B=b, gamma=share, noise=0.3)
    assert float(found.test_error) == pytest.approx(test, rel=1e-13)
    train = find("ridge.train_error").evaluate(E_te=test, kappa=k, n=30.0, ridge=0.4)
    assert float(found.train_error) == pytest.approx(train, rel=1e-13)


def test_every_closed_statement_is_compared():
    assert {s.name for s in CLOSED} == {*NUMBERS, "ridge.test_error", "ridge.train_error"}


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
