"""What of a phenomenon is its simulation: every layer of it counts, its theory does not."""

import ast

import pytest

from altered import altered
from ci_theory.phenomena import load, names
from ci_theory.sweeps.provenance import formula_hash

LAYERS = {
    "ridge_peak": ("tasks.gaussian.rows", "training.closed_form.decompose"),
    "repeated_data": ("biases.repetition.weights", "_keys.key_for", "_keys.point_hash"),
    "random_feature_peak": ("systems.random_features.apply", "_keys.stream"),
    "feature_ensemble": ("measure.ensemble.ensemble_errors",),
    "two_stage_ridge": ("inherit.finetune.design", "inherit.two_stage.errors"),
    "modular_grokking": (
        "phenomena._base.Stages",
        "phenomena._training.stages",
        "phenomena.modular_grokking.init",
        "phenomena.modular_grokking.course",
        "systems.transformer.network",
    ),
}


@pytest.mark.parametrize(
    ("phenomenon", "place"), [(name, p) for name, places in LAYERS.items() for p in places]
)
def test_every_layer_of_a_simulation_counts(monkeypatch, phenomenon, place):
    module, _, wanted = f"ci_theory.{place}".rpartition(".")

    def change(name, source):
        if name != module:
            return source
        tree = ast.parse(source)
        (made,) = (s for s in tree.body if getattr(s, "name", None) == wanted)
        made.body.append(ast.parse("changed = 1").body[0])
        return ast.unparse(tree)

    before = formula_hash(load(phenomenon))
    altered(monkeypatch, change)
    assert formula_hash(load(phenomenon)) != before


@pytest.mark.parametrize("name", names())
def test_theory_decoys_and_verdicts_are_outside_a_phenomenon(monkeypatch, name):
    phenomenon = load(name)
    before = formula_hash(phenomenon)
    outside = ("check", "figures", "cli", "locate", "sweeps", "theory")
    reads = {"power_law_break": ["theory.spectra.spectrum"]}.get(name, [])  # its own

    def change(module, source):
        short = module.removeprefix("ci_theory.")
        if short.startswith(outside) and short not in reads:
            return "def __getattr__(name):\n    return 0\n"  # whoever asks gets all of it
        if module != f"ci_theory.phenomena.{name}":
            return source
        tree = ast.parse(source)
        kept = [
            s
            for s in tree.body
            if not isinstance(s, ast.Assign)
            or "PHENOMENON" not in [getattr(t, "id", "") for t in s.targets]
        ]
        assert len(kept) < len(tree.body)
        return ast.unparse(ast.Module(kept, []))

    altered(monkeypatch, change)
    assert formula_hash(phenomenon) == before
