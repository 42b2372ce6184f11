import io
import sys

import pytest

from ci_theory.sweeps import Sweep, run
from ci_theory.sweeps.progress import Progress, _Rate

GRAM = Sweep(
    phenomenon="sweep_toys.gram", axes={"fail_above": (-1.0, 1e9)}, replicates=2, name="toy"
)


def test_where_nobody_watches_there_is_no_bar_but_what_must_be_known(tmp_path, capfd):
    run(GRAM, tmp_path / "s")
    told = "ci-theory: values that are not finite: 2, marked and not averaged\n"
    assert capfd.readouterr() == ("", told)
    run(GRAM, tmp_path / "s")
    assert capfd.readouterr() == ("", "")


def test_a_bar_with_rate_and_time_left_goes_to_stderr(tmp_path, capfd):
    run(GRAM, tmp_path / "s", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    for word in ("toy", "4/4", "runs/s", "0:00:00", "not finite: 2"):
        assert word in err


@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_on_exactly_on_a_terminal(terminal, monkeypatch):
    fake = io.StringIO()
    fake.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", fake)
    with Progress("toy", 10, done=4) as bar:
        bar.advance(6)
    assert bar.visible == terminal
    assert ("10/10" in fake.getvalue()) == terminal


def test_the_rate_is_of_what_was_made_here():
    with Progress("toy", 10, done=4, show=False) as bar:
        (task,) = bar._bar.tasks
        task.start_time, task.stop_time = 0.0, 2.0
        assert _Rate().render(task).plain == "- runs/s"
        bar.advance(6)
        assert _Rate().render(task).plain == "3 runs/s"


@pytest.mark.parametrize("show", [True, False])
def test_words_of_other_people_are_shown_as_they_are(show, capfd):
    with Progress("[red]a sweep[/red]\x1b[31m", 10, show=show) as bar:
        bar.note("[bold]it says\x1b[31m")
    err = capfd.readouterr().err
    assert (r"[red]a sweep[/red]\x1b[31m" in err) is show
    assert r"[bold]it says\x1b[31m" in err


def test_runs_that_are_stored_count_from_the_start(tmp_path, capfd):
    sweep = Sweep(phenomenon="sweep_toys.gram", axes={"n": (5, 9)}, replicates=6)
    run(sweep, tmp_path / "s", shard=(0, 2), most_runs=2)
    run(sweep, tmp_path / "s", progress=True)
    assert "12/12" in capfd.readouterr().err
