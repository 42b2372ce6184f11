"""Ctrl-C is never lost, and needs no second press, whatever the main thread is doing."""

import contextlib
import gc
import os
import signal
import threading
import time

import pytest
import sweep_driver

from ci_theory.sweeps import Interrupted, Store, Sweep, engines, run
from ci_theory.sweeps.engines import LocalEngine
from ci_theory.sweeps.interrupt import CtrlC
from ci_theory.sweeps.locks import Locks
from ci_theory.sweeps.program import Programs

GRAM = Sweep(phenomenon="sweep_toys.gram", axes={"n": (5, 9, 12)}, replicates=4)


@pytest.fixture(autouse=True)
def _ctrl_c_as_in_a_shell():
    """Whoever started the tests in the background may have had Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_press_is_a_flag_and_the_second_is_raised():
    with contextlib.suppress(KeyboardInterrupt), CtrlC() as ctrl_c:
        ctrl_c.check()
        press()
        assert ctrl_c.pressed
        with pytest.raises(KeyboardInterrupt):
            press()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check()


def test_a_press_that_nobody_looked_at_is_raised_at_the_end():
    done = []

    def work():
        with CtrlC():
            press()
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_a_handler_of_another_and_other_threads_are_left_alone():
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    with CtrlC() as ctrl_c:
        press()
    assert (seen, ctrl_c.pressed) == ([1], False)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def elsewhere():
        with CtrlC():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen[1:] == [signal.default_int_handler]


class InACollection(LocalEngine):
    """Ctrl-C falls into a callback of the garbage collector, where Python forgets exceptions."""

    def outcomes(self, jobs, worker):
        yield from super().outcomes(jobs[:2], worker)

        def callback(phase, info):
            if phase == "start":
                press()

        gc.callbacks.insert(0, callback)
        try:
            gc.collect(0)
        finally:
            gc.callbacks.remove(callback)
        yield from super().outcomes(jobs[2:], worker)


def test_ctrl_c_inside_a_collection_is_not_lost(tmp_path):
    with pytest.raises(Interrupted, match=r"stopped with 2 of 6 chunks .*: the same command"):
        run(GRAM, tmp_path / "s", most_runs=2, engine=InACollection())


def test_ctrl_c_while_planning_is_heard_between_two_bundles(tmp_path, monkeypatch):
    lay_out = []

    def pressed(*given):
        lay_out.append(given)
        press()
        return given[0]

    monkeypatch.setattr("ci_theory.sweeps.layout._lay_out", pressed)
    sweep = Sweep(phenomenon="sweep_toys.line", axes={"p": (2, 3, 4)})
    with pytest.raises(Interrupted, match="stopped before anything was run"):
        run(sweep, tmp_path / "s")
    assert len(lay_out) == 1
    assert not (tmp_path / "s").exists()


def test_a_second_press_does_not_wait_for_the_chunk_at_hand(tmp_path, monkeypatch):
    begun, release = threading.Event(), threading.Event()

    def long(*_):
        begun.set()
        release.wait(60)

    def press_twice():
        for wait in (lambda: begun.wait(60), lambda: time.sleep(0.5)):
            wait()
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Programs, "call", long)
    pressing = threading.Thread(target=press_twice)
    pressing.start()
    try:
        with pytest.raises(Interrupted, match="stopped with 0 of"):
            run(GRAM, tmp_path / "s")
        assert not release.is_set()
    finally:
        release.set()
        pressing.join()


HOLD = """
import sys
from pathlib import Path
from ci_theory.sweeps.locks import PLAN, Locks
place = PLAN if sys.argv[2] == "plan" else (0, int(sys.argv[2]))
with Locks(Path(sys.argv[1])).hold(*place) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("what", ["plan", "1"])
def test_waiting_for_another_process_is_told_once_and_ends_with_ctrl_c(
    what, tmp_path, capfd, monkeypatch
):
    """The lock on the plan is waited for in the main thread, that on a chunk in another."""
    monkeypatch.setattr(engines, "PATIENCE", 0.2)
    monkeypatch.setattr("ci_theory.sweeps.runner.PATIENCE", 0.2)
    folder = tmp_path / "s"
    folder.mkdir()
    with sweep_driver.python("-c", HOLD, str(folder / "lock"), what) as other:
        assert other.stdout.readline().strip() == "True"

        def press_while_waiting():
            told = ""
            while "waiting" not in told:
                time.sleep(0.05)
                told += capfd.readouterr().err
            time.sleep(0.5)  # nothing more is told
            seen.append(told + capfd.readouterr().err)
            os.kill(os.getpid(), signal.SIGINT)

        seen = []
        pressing = threading.Thread(target=press_while_waiting, daemon=True)
        pressing.start()
        begun = time.monotonic()
        stopped = "before anything" if what == "plan" else "with 2 of 3 chunks"
        with pytest.raises(Interrupted, match=f"stopped {stopped}"):
            run(GRAM, folder, most_runs=4)
        pressing.join()
        assert time.monotonic() - begun < 20
    assert seen == [f"ci-theory: waiting for another process that works on {folder}\n"]
    if what != "plan":
        assert Store.open(folder).counts().chunks == 2
        with Locks(folder / "lock").hold(0, 0) as mine:
            assert mine


def test_a_lock_that_becomes_free_ends_the_waiting(tmp_path):
    with sweep_driver.python("-c", HOLD, str(tmp_path / "lock"), "3") as other:
        assert other.stdout.readline().strip() == "True"
        waited = []

        def wait(seconds):
            waited.append(seconds)
            if len(waited) == 2:
                other.stdin.close()

        locks = Locks(tmp_path / "lock")
        with locks.hold(0, 3) as mine:
            assert not mine
        with locks.hold(0, 3, wait=wait) as mine:
            assert mine
        assert len(waited) >= 2
        assert waited == sorted(waited)
        locks.close()
        other.wait(timeout=60)
        other.stdin = None
