"""Records that are passed around: frozen, fields named. And the last of claims and of rows."""

import ast
from pathlib import Path

import numpy as np
import pytest
from declared_toy import TOY, changed

import ci_theory
from ci_theory import BadInput
from ci_theory.claims import CLAIMS
from ci_theory.phenomena import predict
from ci_theory.phenomena._predict import MOST_ROWS

SOURCE = Path(ci_theory.__file__).parent
WRITTEN = {"explore/frame.py"}  # whose records are filled in step by step
BY_PLACE = {  # few fields, made in one place, in the order of the class
    *("_shown.py Forgotten", "locate/breaks.py BrokenLaw", "phenomena/_base.py _Place"),
    "_views.py Outline",
}


def declared():
    """Every dataclass of the package: file, name, and what its decorator says."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for how in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                named = ast.unparse(how.func if isinstance(how, ast.Call) else how)
                if named.rpartition(".")[2] == "dataclass":
                    words = how.keywords if isinstance(how, ast.Call) else ()
                    said = {word.arg: ast.literal_eval(word.value) for word in words}
                    yield str(path.relative_to(SOURCE)), node.name, said


def test_records_are_frozen_and_their_fields_named():
    found = list(declared())
    assert len(found) >= 30
    assert {file for file, _, said in found if not said.get("frozen")} == WRITTEN
    loose = {f"{file} {name}" for file, name, said in found if not said.get("kw_only")}
    assert {one for one in loose if one.split()[0] not in WRITTEN} == BY_PLACE


def test_claims_are_those_that_there_are():
    for claim in (1, len(CLAIMS)):
        assert changed(claims=(claim,)).claims == (claim,)
    for claim in (0, len(CLAIMS) + 1, True):
        with pytest.raises(BadInput, match=rf"claim {claim}: must be a number in 1..{len(CLAIMS)}"):
            changed(claims=(claim,))


def test_a_notebook_says_how_many_points_it_leaves_out():
    for points, said in ((MOST_ROWS, None), (MOST_ROWS + 1, "and 1 more points")):
        shown = predict(TOY, {"n": np.arange(1, points + 1)}, decoys=False)._repr_html_()
        assert f"predictions at {points} points" in shown
        assert (said is None) == ("more points" not in shown)
        assert said is None or said in shown
        assert shown.count("<tr>") == MOST_ROWS + 1
