"""Predictions that a statement is said to state have its value, at a point of a sweep."""

import math

import jax
import numpy as np
import pytest
import sympy as sp

from ci_theory import phenomena
from ci_theory.phenomena import (
    alignment_erasure,
    icl_linear_attention,
    markov_icl,
    predict,
    repetition_scaling,
)
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import df1, df2, power_law
from ci_theory.theory.statements.statement import S, mix, moved
from ci_theory.theory.statements.symbolic import STATEMENTS, concerning, find, stating

STATED = {
    "alignment_erasure.attack_success": "erasure.attack_success",
    "fact_memory.error": "memory.mixed_up",
    "fact_memory.known": "memory.mixed_up",
    "fact_memory.recalled": "memory.mixed_up",
    "group_gap.gap": "groups.gap",
    "icl_linear_attention.fresh_error": "attention.task_inverse",
    "icl_linear_attention.trained_error": "attention.task_inverse",
    "icl_population.error": "attention.weight attention.error",
    "icl_population.gain": "attention.weight attention.error",
    "icl_population.regret": "attention.weight attention.error",
    "markov_icl.ordered_gain": "chains.pool_gain",
    "markov_icl.ordered_harm": "chains.pool_harm",
    "poisoned_ridge.trigger_response": "poison.response",
    "power_law_break.closed_form": "power_law.ridgeless_kappa power_law.gamma power_law.bias",
    "prior_bias.balanced_error": "prior.balanced_error",
    "prior_bias.gain": "prior.balanced_error",
    "repetition_scaling.excess_risk": "repetition.worst_count repetition.peak_noise "
    "repetition.size_exponent",
    "ridge_peak.finite_size_excess": "isotropic.exact_under isotropic.exact_over",
    "ridge_peak.test_error": "ridge.kappa ridge.test_error",
    "ridge_peak.train_error": "ridge.kappa ridge.train_error",
    "weight_interpolation.id_risk": "interpolation.risk",
    "weight_interpolation.id_slope": "interpolation.risk",
    "weight_interpolation.ood_risk": "interpolation.risk",
    "weight_interpolation.ood_slope": "interpolation.risk",
}
"""The statements from which each prediction is made in the tests below."""

RESTS = {
    "alignment_erasure": {"erasure": 3},
    "fact_memory": {"memory": 4},
    "group_gap": {"groups": 2},
    "icl_linear_attention": {"attention": 3},
    "icl_population": {"attention": 4},
    "markov_icl": {"chains": 6},
    "poisoned_ridge": {"poison": 3},
    "power_law_break": {"power_law": 5},
    "prior_bias": {"prior": 3},
    "repeated_data": {"repetition": 3},
    "repetition_scaling": {"repetition": 3},
    "ridge_peak": {"ridge": 3, "isotropic": 10, "power_law": 6},
    "weight_interpolation": {"interpolation": 3},
}
"""Of which family each phenomenon has how many statements."""


def test_every_prediction_that_is_made_from_statements_is_found_with_all_of_them():
    linked = {name for s in STATEMENTS for name in s.predictions}
    assert linked == set(STATED)
    for name, statements in STATED.items():
        assert [s.name for s in stating(*name.split("."))] == statements.split()
    compared = {name.split(".")[0] for name in STATED}
    assert all(hasattr(TestPredictions, f"test_{phenomenon}") for phenomenon in compared)


def test_every_phenomenon_that_rests_on_statements_is_found_with_all_of_them():
    for phenomenon in phenomena.names():
        families = [s.name.split(".")[0] for s in concerning(phenomenon)]
        assert {f: families.count(f) for f in families} == RESTS.get(phenomenon, {}), phenomenon


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
            assert {*statement.phenomena} <= {*phenomena.names()}
            assert statement.title[0].islower() or statement.title[0].isdigit()
            assert statement.regime
            assert statement.source

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

    def test_repetition_scaling(self):
        """Place, height and growth of the harm's peak along counts that fill the share exactly."""
        spectrum = compress(power_law(20_000, 2.0, 0.5, tail=False), pad_to=256)

        @jax.jit
        @jax.vmap
        def harm(n, repeats):
            # noise that hides the target, whose part has no peak
            params = repetition_scaling.Params(
                n=n, repeats=repeats, level=2.0, repeated_fraction=0.5, noise=1e6
            )
            return repetition_scaling.forecast(params, spectrum).excess_risk / 1e6

        places = {}
        for filled in (1_081_080, 17_297_280):  # rows of the share, with many divisors
            n = 2.0 * filled
            kappa = solve_kappa(spectrum, n, 2.0 * n ** (1 / 3)).value
            held = float(df1(spectrum, kappa))
            law = find("repetition.worst_count").evaluate(
                alpha=2.0, budget=n, df1=held, fraction=0.5
            )
            near = np.arange(round(0.75 * law), round(1.35 * law))
            counts = near[filled % near == 0]
            counts = counts[np.linspace(0, len(counts) - 1, 8).round().astype(int)]
            made = np.asarray(harm(np.full(8, n), counts.astype(float)))
            parabola = np.polyfit(np.log(counts / law), np.log(made), 3)
            fine = np.linspace(-0.2, 0.2, 2001)
            heights = np.polyval(parabola, fine)
            places[filled] = law * np.exp(fine[heights.argmax()])
            assert places[filled] == pytest.approx(law, rel=5e-3)
            share = float(df2(spectrum, kappa)) / held
            height = find("repetition.peak_noise").evaluate(fraction=0.5, share=share)
            assert np.exp(heights.max()) == pytest.approx(height, rel=5e-3)
        grown = np.log(places[17_297_280] / places[1_081_080]) / np.log(16)
        exponent = find("repetition.size_exponent").evaluate(alpha=2.0, source=0.5)
        assert grown == pytest.approx(exponent, abs=0.005)

    def test_group_gap(self):
        """Rows of equal weight hold p/n degrees of freedom each, without a ridge."""
        at = {"n": 240, "minority": 0.25, "p": 60, "alignment": 0.3, "signal": 2.0}
        gap = find("groups.gap").evaluate(d_1=45.0, d_2=15.0, p=60.0, cosine=0.3, signal=2.0)
        found = self.value("group_gap", "gap", **at, weight=1.0, ridge=0.0)
        assert found == pytest.approx(gap, rel=1e-12)

    def test_prior_bias(self):
        """The mean over Python's own binomials, estimate by estimate."""
        at = {"n": 12, "prior": 0.7, "flips": 0.1, "separation": 0.8, "strength": 0.9}
        told, error = 0.7 + 0.1 * (1 - 1.4), find("prior.balanced_error")
        inherited = math.log(0.7 / 0.3)
        expected = 0.0
        for k in range(13):
            chance = math.comb(12, k) * told**k * (1 - told) ** (12 - k)
            left = inherited - 0.9 * math.log((k + 0.5) / (12 - k + 0.5))
            expected += chance * error.evaluate(separation=0.8, shift=left)
        assert self.value("prior_bias", "balanced_error", **at) == pytest.approx(
            expected, rel=1e-12
        )
        before = error.evaluate(separation=0.8, shift=inherited)
        found = self.value("prior_bias", "gain", **at)
        assert found == pytest.approx(before - expected, rel=1e-10)

    def test_weight_interpolation(self):
        """One parabola through three of its points gives every other, and the slopes."""
        parabola = find("interpolation.risk")
        for kind in ("id", "ood"):
            at = {"transfer": 0.3, "up.noise": 0.5, "down.n": 120, "p": 60}

            def seen(mix, what, kind=kind, at=at):
                return self.value("weight_interpolation", f"{kind}_{what}", **at, mix=mix)

            start, half, one = (seen(mix, "risk") for mix in (0.0, 0.5, 1.0))
            curvature = 2 * (start + one - 2 * half)
            slope = (one - start - curvature) / 2
            given = {"start": start, "slope": slope, "curvature": curvature}
            assert seen(1.5, "risk") == pytest.approx(
                parabola.evaluate(mix=1.5, **given), rel=1e-10
            )
            along = sp.diff(parabola.expression, mix)
            steep = along.subs({mix: 1, S: slope, moved: curvature})
            assert seen(1.0, "slope") == pytest.approx(float(steep), rel=1e-9)

    def test_alignment_erasure(self):
        at = {"n": 12, "d": 100, "noise": 1.0}
        params = alignment_erasure.Params(**at)
        made = alignment_erasure.forecast(params, None)
        success = find("erasure.attack_success").evaluate(
            strength=float(params.component()),
            response=float(made.mean[0]),
            variance=float(made.taught.covariance[0, 0]),
            norm=float(made.norm),
        )
        found = self.value("alignment_erasure", "attack_success", **at)
        assert found == pytest.approx(success, rel=1e-12)

    def test_poisoned_ridge(self):
        at = {"up.n": 300, "p": 60, "up.poison": 0.1, "up.strength": 5.0, "up.label": 2.0}
        k = find("isotropic.kappa").evaluate(n=300, p=60, ridge=30.0)
        planted = find("poison.response").evaluate(
            kappa=k, share=0.1, strength=5.0, label=2.0, along=0.4
        )
        found = self.value("poisoned_ridge", "trigger_response", **at, **{
            "up.ridge": 30.0, "alignment": 0.4, "signal": 1.0,
        })  # fmt: skip
        assert found == pytest.approx(5.0 * planted / 2.0, rel=1e-12)

    def test_icl_population(self):
        """Isotropic inputs: the weight trained, the weight of the test, and what both cost."""
        at = {"d": 5, "n": 9, "noise": 2.0, "flips": 0.1, "scale": 1.7, "test_noise": 0.4}
        at |= {"test_length": 14, "decay": 0.0, "tilt": 0.0, "turn": 0.6}
        test = {"d": 5, "scale": 1.7, "test_noise": 0.4, "test_pairs": 14}
        weight = find("attention.weight").evaluate(d=5, pairs=9, noise=2.0, sign=0.8)
        error = find("attention.error").evaluate(**test, weight=weight)
        assert self.value("icl_population", "error", **at) == pytest.approx(error, rel=1e-12)
        blind = 0.4 + 5 * 1.7
        assert self.value("icl_population", "gain", **at) == pytest.approx(blind - error, rel=1e-12)
        # inputs larger by a factor are tasks larger by it, read by a weight smaller by it
        there = find("attention.weight").evaluate(d=5, pairs=14, noise=0.4 / 1.7, sign=1.0) / 1.7
        least = find("attention.error").evaluate(**test, weight=there)
        assert self.value("icl_population", "regret", **at) == pytest.approx(
            error - least, rel=1e-11
        )

    def test_icl_linear_attention(self):
        """The traces of tasks are read off the resolvent and its slope, as the statement has it."""
        made = icl_linear_attention.forecast(
            icl_linear_attention.Params(d=200, n=80_000, tasks=300, ridge=0.2), None
        )
        at = {"kappa": float(made.made.nu), "diversity": 1.5}
        resolvent = find("attention.task_inverse").evaluate(**at)
        assert float(made.made.traces.inverse) == pytest.approx(resolvent, rel=1e-12)
        assert float(made.made.traces.kept) == pytest.approx(1 - at["kappa"] * resolvent, rel=1e-12)

    def test_fact_memory(self):
        """A mixture of two chances, which is as linear in the mean as in every fact."""
        at = {"facts": 40, "d": 16}
        for name in ("recalled", "known", "error"):
            clean, mixed = (self.value("fact_memory", name, **at, noise=v) for v in (0.0, 0.3))
            if name == "error":
                clean, mixed = 1 - clean, 1 - mixed
            told = find("memory.mixed_up").evaluate(chance=clean, share=0.3, facts=40)
            assert mixed == pytest.approx(told, rel=1e-12)

    @pytest.mark.parametrize("noise", [0.0, 0.2])
    def test_markov_icl(self, noise):
        """Two pools give the leading order, whatever the next is: g = a/k + b/k^2 - C."""
        at = {"noise": noise, "length": 5, "states": 3}
        params = markov_icl.Params(pool=4000, **at)
        made = markov_icl.forecast(params, markov_icl.PHENOMENON.world(params)).made
        cost, own, square = (float(v) for v in made[:3])
        for name, statement, asked in (
            ("ordered_gain", "chains.pool_gain", {"own": own, "square": square}),
            ("ordered_harm", "chains.pool_harm", {"square": square}),
        ):
            offset = cost if name == "ordered_harm" else -cost
            one, two = (self.value("markov_icl", name, **at, pool=k) - offset for k in (4000, 8000))
            leading = find(statement)
            stated = leading.evaluate(**asked, chains=4000, cost=cost or 1e-300) - offset
            assert 4 * two - one == pytest.approx(stated, rel=1e-9)
