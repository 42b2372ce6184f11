"""What is printed of verdicts, breaks, solutions and claims made by hand, line by line."""

import dataclasses
import types
from pathlib import Path

import pytest

from ci_theory import BadInput, Status, figures
from ci_theory.check import Verdict
from ci_theory.check.breaks import Breaks
from ci_theory.check.report import Report
from ci_theory.check.room import Room
from ci_theory.claims import Claim
from ci_theory.cli import claims, demo, elasticity, figure, solve, verdicts
from told import FOUND, LATE, MEASURED, NOWHERE, OUTCOME, POINT, SILENT


@pytest.fixture
def lines(capsys, monkeypatch):
    """Print in a wide terminal; return the lines, blanks between cells as one."""
    monkeypatch.setenv("COLUMNS", "220")

    def printed(show, *given):
        show(*given)
        out, err = capsys.readouterr()
        assert err == ""
        return [" ".join(line.split()) for line in out.splitlines() if line.strip(" ─")]

    return printed


def breaks(*found):
    return Breaks(phenomenon="toy", found=found, level=0.01)


def test_breaks_with_what_is_known_of_them(lines):
    room = dataclasses.replace(FOUND, expected=Room(POINT, 2.125, 2.125, True), at=FOUND.at)
    maybe = dataclasses.replace(
        NOWHERE, expected=Room(NOWHERE.expected.point, 1.0, 3.0, True), delicate=True
    )
    found = breaks(FOUND, room, maybe)
    assert lines(verdicts.print_breaks, found) == [
        "breaks: AGREES at a family-wise level of 0.01",
        "top: place on the axis noise where power breaks",
        f"AGREES: {found.kinds[0].reason}",
        "p share deduplicated family measured [95 %] predicted [slack] formula agree why",
        "12345 0.1235 true plain 2 [1.5, 2.5] 2.125 [2, 2.25] 2.75 yes found where predicted",
        "12345 0.1235 true plain 2 [1.5, 2.5] 2.125 or none 2.75 yes found where predicted",
        "12345 0.1235 true plain none* none, or one in [1, 3] - yes none, as predicted",
        "* heavy tails at the break: the interval may be too narrow",
        found.note,
    ]


def test_breaks_of_single_runs_and_of_what_nothing_predicts(lines):
    nothing = Room(
        POINT._replace(status=Status.OUT_OF_SCOPE, value=float("nan")), *NOWHERE.expected[1:]
    )
    bare = {
        "expected": nothing,
        "judged_by": nothing,
        "closed_form": float("nan"),
        "prediction": "",
    }
    late = dataclasses.replace(LATE, **bare, at={})
    some = dataclasses.replace(FOUND, measured=MEASURED._replace(reached=5), **bare, at={})
    other = dataclasses.replace(FOUND, **bare, at={})
    lost = dataclasses.replace(other, measured=NOWHERE.measured._replace(status=Status.NOT_FINITE))
    assert lines(verdicts.print_breaks, breaks(late, some, other, lost)) == [
        "breaks: OUT_OF_SCOPE at a family-wise level of 0.01",
        "top: place on the axis noise where power breaks",
        "OUT_OF_SCOPE: no such break is predicted here",
        "runs measured [95 %]",
        "3 of 8 not by the end [3.5, inf]*",
        "5 of 9 2 [1.5, 2.5]",
        "- 2 [1.5, 2.5]",
        "- not a finite number",
        "* heavy tails at the break: the interval may be too narrow",
        "no prediction speaks about these breaks",
    ]
    formula = dataclasses.replace(other, closed_form=3.5)
    told = lines(verdicts.print_breaks, breaks(formula))
    assert told[4] == "2 [1.5, 2.5] - 3.5 - no prediction speaks here"
    assert lines(verdicts.print_breaks, breaks()) == [
        "no break points: none is defined on an axis of this sweep with 3 or more values"
    ]


def test_a_report_with_decoys_remedies_and_idle_axes(lines):
    beyond = dataclasses.replace(
        SILENT,
        verdict=Verdict.OUT_OF_SCOPE,
        comparison=dataclasses.replace(
            SILENT.comparison,
            prediction=dataclasses.replace(SILENT.comparison.prediction, name="b"),
        ),
    )
    report = Report(phenomenon="toy", outcomes=(OUTCOME, beyond), level=0.01, effect=0.03)
    idle = report.idle
    assert idle == ("family", "noise")  # each cell has a family and a noise of its own
    assert lines(verdicts.print_report, report) == [
        "predictions: UNDERPOWERED at a family-wise level of 0.01",
        "prediction verdict cells bias finds worst z",
        "power UNDERPOWERED 2/5 +1.23% ± 0.45% 3.12% -2.2",
        "b OUT_OF_SCOPE 2/5 - - -",
        "power because",
        "decoys twice: rejected; same: vacuous; near: SURVIVES",
        f"to decide {report.remedies['power'].line}",
        "b because",
        "family changes no prediction here: nothing is tested by it",
        "noise changes no prediction here: nothing is tested by it",
    ]
    empty = Report(phenomenon="toy", outcomes=(), level=0.01, effect=0.03)
    assert lines(verdicts.print_report, empty) == [
        "toy predicts nothing to check; `ci-theory locate` finds its breaks"
    ]


def test_solutions_jumps_and_none(lines):
    made = {
        "phenomenon": "toy", "prediction": "gain", "level": 0.5, "knob": "n", "unit": "rows",
        "params": {"p": 3, "noise": 0.25},
        "solutions": [
            {"at": 12, "value": 0.500000012345, "direction": "rising", "judged": True},
            {"at": 123456.789, "value": 0.5, "direction": "falling", "judged": False},
        ],
        "jumps": [7.5], "stays": [], "tried": [1, 1000], "reached": [-0.25, float("inf")],
    }  # fmt: skip
    assert lines(solve.print_solutions, made) == [
        "toy: gain = 0.5, by n",
        "p 3",
        "noise 0.25",
        "n rows gain direction",
        "12 0.50000001 rising",
        "123456.79 0.5 falling not judged by a check here",
        "the curve jumps over it at n = 7.5",
        "tried: n from 1 to 1000, where it lies between -0.25 and inf",
    ]
    flat = {**made, "solutions": [], "jumps": [], "stays": [[2, 30.5]]}
    assert lines(solve.print_solutions, flat)[3] == "the curve is at it from 2 to 30.5"
    none = {**made, "solutions": [], "jumps": [], "unit": ""}
    assert lines(solve.print_solutions, none)[3:] == [
        "none: for n no value tried reaches it",
        "tried: n from 1 to 1000, where it lies between -0.25 and inf",
    ]


def entry(knob, prediction, value, *, slope=0.0, how="exact", at=2.0):
    return {
        "knob": knob, "at": at, "unit": "", "prediction": prediction,
        "elasticity": value, "slope": slope, "how": how,
    }  # fmt: skip


def test_elasticities_the_one_that_matters_most_first(lines):
    made = {
        "phenomenon": "toy",
        "values": {"a": 1.5, "b": 2.5, "c": 3.5, "d": 4.5},
        "elasticities": [
            *(entry("n", p, v) for p, v in zip("abcd", (0.5, -0.25, 0.125, 1e-12), strict=True)),
            *(entry("p", p, v, how="differences", at=0.1)
              for p, v in zip("abcd", (-1.0, 0.0, 0.12345678, 3.0), strict=True)),
            entry("z", "a", None, slope=-7.0, at=0.0), entry("z", "b", None, how="none", at=0.0),
            entry("z", "c", 0.2), entry("z", "d", 0.0),
        ],
    }  # fmt: skip
    assert lines(elasticity.print_elasticity, made) == [
        "toy: d log(prediction) / d log(number), the one that matters most first",
        "number at a b c",
        "value 1.5 2.5 3.5",
        "p 0.1 ~-1 ~0 ~0.1235",
        "n 2 0.5 -0.25 0.125",
        "z 0 -7/1 - 0.2",
        "number at d",
        "value 4.5",
        "p 0.1 ~3",
        "n 2 0",
        "z 0 0",
        "~ from difference quotients: the theory is prepared value by value, or not smooth",
        "/1: the number is 0 here, so d prediction / d number is given instead",
        "- no derivative here: the end of a range, a kink, or 0 means another model",
    ]
    plain = {**made, "values": {"c": 3.5}, "elasticities": [entry("n", "c", 0.2)]}
    assert lines(elasticity.print_elasticity, plain)[1:] == ["number at c", "value 3.5", "n 2 0.2"]


def test_each_part_of_a_table_has_its_own_order(lines):
    """What matters most to a prediction that stands below says nothing of those above."""
    made = {
        "phenomenon": "toy",
        "values": dict.fromkeys("abcd", 1.0),
        "elasticities": [
            *(entry("n", p, 0.5) for p in "abcd"),
            *(entry("p", p, v) for p, v in zip("abcd", (0.1, 0.1, 0.1, 9.0), strict=True)),
        ],
    }
    told = [line.split()[0] for line in lines(elasticity.print_elasticity, made)[1:]]
    assert told == ["number", "value", "n", "p", "number", "value", "p", "n"]


def kept(name, **more):
    return {
        "sweep": name, "title": "How it is", "version": "9", "formula": "f", "date": "2026-01-02",
        "predictions": [
            {"name": "a", "verdict": "AGREES", "bias": 0.0123, "error": 0.0045, "z": -2.25},
            {"name": "b", "verdict": "DISAGREES", "bias": None, "error": None, "z": 31.0},
            {"name": "c", "verdict": "AGREES", "bias": None, "error": None, "z": None},
        ],
        "breaks": [
            {"name": "top", "verdict": "AGREES", "told": 2, "slices": 3, "disagree": 0, "middle": {
                "at": {"p": 3, "noise": 0.12345}, "measured": [2.00049, 1.5, 2.5],
                "predicted": [2.125, 2.0, 2.25]}},
            {"name": "end", "verdict": "UNDERPOWERED", "told": 0, "slices": 3, "disagree": 1,
             "middle": None},
        ],
        **more,
    }  # fmt: skip


def test_claims_with_what_is_known_of_each(lines):
    told = {"verdict": "AGREES 2", "source": "kept", "implemented": True, "answers": [kept("mine")]}
    part = {
        "says": "it is so", "word": "supported", "predictions": ["a", "b"], "figures": ["pic"],
        "old": ["mine"],
    }  # fmt: skip
    bare = {"says": "or so", "word": "not yet", "predictions": [], "figures": [], "old": []}
    entries = [
        {
            "number": 1, "claim": "One", "cited": "A; B", "break_point": "a peak",
            "answer": {"word": "supported", "text": "yes", "parts": [part, bare]},
            "phenomena": {
                "toy": told,
                "other": {**told, "note": claims.STALE, "source": "yours",
                          "answers": [kept("x", store="results/x", breaks=[], predictions=[])]},
                "silent": {"implemented": True, "verdict": "not run"},
                "later": {"implemented": False, "verdict": "planned"},
            },
        },
        {
            "number": 2, "claim": "Two", "cited": "C", "break_point": None,
            "answer": {"word": "not yet", "text": "no", "parts": []}, "phenomena": {},
        },
    ]  # fmt: skip
    found = "finding: How it is"
    made = "ci_theory 9, simulation f, 2026-01-02"
    assert lines(claims.print_claims, entries) == [
        "1. One (A; B)",
        "in our models: yes",
        f"- it is so: supported, by a, b; figure pic; mine: {claims.STALE}",
        "- or so: not yet, by nothing",
        "looked for: a peak",
        "toy: AGREES 2 (kept)",
        found,
        f"from: experiments/mine.toml; {made}",
        "AGREES a (bias +1.23% ± 0.45%, worst z -2.2), c",
        "DISAGREES b (worst z +31.0)",
        "AGREES top: located 2 [1.5, 2.5], predicted 2.125 at p = 3, noise = 0.1235; "
        "2 of 3 curves tell, 0 against",
        "UNDERPOWERED end: 0 of 3 curves tell, 1 against",
        "other: AGREES 2 (yours)",
        f"note: {claims.STALE}",
        found,
        f"from: results/x; {made}",
        "no answer: silent (not run)",
        "not answered: no phenomenon tests it yet (planned: later)",
        "2. Two (C)",
        "in our models: no",
        "1 of 2 claims have an answer; not yet: 2",
        "in our models, as kept with the package: 1 supported, 1 not yet",
    ]


def test_a_claim_names_its_own_models_then_those_of_others(monkeypatch):
    """Others' by what they declare; one that cannot be loaded hides nothing."""
    declared = {"ours": (2, 7), "theirs": (2, 7), "elsewhere": (6, 8)}

    def load(name, *, trusted):
        assert not trusted
        if name not in declared:
            raise BadInput("broken")
        return types.SimpleNamespace(claims=declared[name])

    monkeypatch.setattr(claims.phenomena, "load", load)
    claim = Claim(7, "it is so", "somebody", ("ours", "planned"), "")
    registered = ["broken", "elsewhere", "ours", "theirs"]
    known = {name: claims._declared(name) for name in registered}
    assert claims._models(claim, known) == ["ours", "planned", "theirs"]


def test_the_summary_of_the_demonstration(lines, monkeypatch):
    monkeypatch.setattr(demo, "_hidden", lambda: False)
    beyond = dataclasses.replace(OUTCOME, verdict=Verdict.OUT_OF_SCOPE)
    report = Report(
        phenomenon="toy", outcomes=(OUTCOME, beyond, SILENT, SILENT), level=0.01, effect=0.03
    )
    mute = dataclasses.replace(FOUND, prediction="", kind=dataclasses.replace(FOUND.kind, name="x"))
    seen = [("one", breaks(FOUND, NOWHERE, mute), report), ("two", breaks(NOWHERE), report)]
    made = lines(demo._summarise, seen, [Path("out/a.png"), Path("out/a.pdf")], Path("out"))
    at = "p = 12345, share = 0.1235, deduplicated = true, family = plain"
    assert made[:4] == [
        "summary",
        "sweep break at located [95 %] predicted verdict",
        f"one top {at} 2 [1.5, 2.5] 2.125 AGREES: 2 of 2 curves",
        f"one x {at} 2 [1.5, 2.5] 2.125 no formula is known",
    ]
    assert made[4:6] == ["predictions 4 AGREES, 2 UNDERPOWERED", "pictures out/a.png"]
    assert "`ci-theory check out/stores/one`: the numbers behind a verdict" in made
    assert demo._note(report) == "check of 4 predictions: 1 UNDERPOWERED, 1 OUT_OF_SCOPE, 2 AGREES"
    none = dataclasses.replace(report, outcomes=())
    assert demo._note(none) == "no formula is known: measured, not predicted"


def test_figures_that_differ_from_fresh_results_are_named(monkeypatch, tmp_path):
    said, asked = [], []
    monkeypatch.setattr(figures, "names", lambda: ["a", "b"])

    def make(name, out, stores, *, fresh):
        asked.append((name, out, stores, fresh))
        return [out / f"{name}.png"]

    monkeypatch.setattr(figures, "make", make)
    agreeing = {"a": [True], "b": [True, False]}

    class One(types.SimpleNamespace):
        def __str__(self):
            return f"{self.agrees}\n  more"

    monkeypatch.setattr(
        figures, "agreements", lambda name, stores: [One(agrees=a) for a in agreeing[name]]
    )

    def run(name, every, fresh):
        said.clear()
        asked.clear()
        return figure.make(
            name, every, Path("out"), Path("stores"), fresh, lambda x: said.append(str(x))
        )

    assert run(None, True, True) == 1
    assert asked == [(one, Path("out"), Path("stores"), True) for one in "ab"]
    assert said == [
        "out/a.png", "  True", "    more", "out/b.png", "  True", "    more", "  False", "    more",
        "fresh and kept results DIFFER beyond their errors: b; "
        f"3 sweeps, level {figures.LEVEL:g} a sweep",
    ]  # fmt: skip
    assert run("a", False, True) == 0
    assert said[-1].startswith("fresh and kept results agree; 1 sweeps, level ")
    agreeing["a"] = []
    assert run("a", False, True) == 0
    assert said[-1].startswith("fresh and kept results were not compared; 0 sweeps")
    assert run("b", False, False) == 0
    assert said == ["out/b.png"]
    for name, every in ((None, False), ("a", True)):
        with pytest.raises(BadInput, match=r"^figure: give one name or --all \(known: a, b\)$"):
            run(name, every, False)
    assert figure._is_of_a_sweep("demo")
    assert figure._is_of_a_sweep("mine.toml")
    assert figure._is_of_a_sweep(str(tmp_path))
    assert not figure._is_of_a_sweep("a")
    assert not figure._is_of_a_sweep("no_such")
