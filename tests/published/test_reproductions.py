"""The reproductions: each computes its kept numbers again, and the page says what is kept."""

import json
from importlib import import_module

import numpy as np
import pytest
from reproductions import __main__ as command
from reproductions import _page

KEPT = json.loads(command.KEPT.read_text(encoding="utf-8"))
FINDINGS = [(name, one) for name, kept in KEPT.items() for one in kept["findings"]]
ASKED = {
    *("hastie", "mei_montanari", "nakkiran", "dar_baraniuk", "lu_attention"),
    *("grokking", "self_distillation", "self_training"),
}


def test_every_script_is_kept_and_has_its_paper():
    assert set(command.names()) >= ASKED
    assert list(KEPT) == command.names() == sorted(command.papers())


def test_the_page_says_what_is_kept():
    assert command.PAGE.read_text(encoding="utf-8") == _page.page(KEPT, command.papers())


@pytest.mark.parametrize("name", command.names())
def test_the_first_runs_give_the_kept_numbers(name):
    made, kept = import_module(f"reproductions.{name}").measure(2), KEPT[name]["findings"]
    assert [one.claim for one in made] == [one["claim"] for one in kept]
    for one, held in zip(made, kept, strict=True):
        for which in ("first", "said"):
            np.testing.assert_allclose(
                getattr(one, which), held[which], rtol=1e-6, err_msg=f"{one.claim}: {which}"
            )


def test_what_agrees_could_have_come_out_otherwise():
    """Decoys, and controls that fail, are named; what is not tested says why."""
    words = ("rejected by the same numbers: ", "fails, as it must, for: ")
    for name, one in FINDINGS:
        if one["verdict"] == "AGREES":
            assert one["why"].startswith(words), (name, one["claim"])
        assert len(one["why"]) > 10
        assert one["basis"]


def test_findings_that_readers_are_told_of():
    """The one claim that fails here, and that nothing is left undecided."""
    verdicts = [one["verdict"] for _, one in FINDINGS]
    assert "UNDERPOWERED" not in verdicts
    (failed,) = [(name, one["claim"]) for name, one in FINDINGS if one["verdict"] == "DISAGREES"]
    assert failed[0] == "self_training"
    assert "U-shaped" in failed[1]
    assert "least norm" in failed[1]


def test_a_name_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["reproductions", "nonsense"])
    assert command.main() == 2
    assert capsys.readouterr().out.startswith("reproductions: no nonsense: there are belkin, ")
