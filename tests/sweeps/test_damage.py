"""Whatever happens to the files of a store, it never shows other numbers, and says one line.

By default a few hundred damages, of which some are also resumed; CI_THEORY_DAMAGES=3000 makes it
that many.
"""

import os
import random
import shutil
from collections import Counter

import damage
import numpy as np
import pytest
import sweep_driver

from ci_theory import BadInput
from ci_theory.sweeps import Store, Sweep, run

DAMAGES = int(os.environ.get("CI_THEORY_DAMAGES", "300"))
RESUMED = DAMAGES // 25  # a run compiles

SWEEP = Sweep(
    phenomenon="sweep_toys.line",
    axes={"n": (5, 7), "slope": (1.0, 2.0), "ridge": (0.0, 0.5, 1.0)},
    fixed={"shape": "steep", "up.noise": 0.25},
    replicates=2,
    name="toy",
)
MORE = {**vars(SWEEP), "replicates": 5}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A finished store with two plans: its files, and its Dataset."""
    folder = tmp_path_factory.mktemp("template") / "store"
    run(SWEEP, folder, most_runs=4)
    store = run(Sweep(**MORE), folder, most_runs=4)
    files = damage.read(folder)
    assert len([name for name in files if name.endswith(".npz")]) == 5
    return files, store.dataset()


def assert_no_other_numbers(found, whole):
    """What is there is what was stored; what is not is marked."""
    assert found.attrs["missing"] == int((found["status"] == -1).sum())
    assert found.sizes == whole.sizes
    for name in whole.coords:
        np.testing.assert_array_equal(found[name], whole[name])
    there = found["status"] != -1
    assert set(found.data_vars) == set(whole.data_vars)
    for name in whole.data_vars:
        np.testing.assert_array_equal(found[name].where(there), whole[name].where(there))
    for name in set(whole.data_vars) - {"status"}:
        assert np.isnan(found[name].where(~there)).all()


def attempt(act, folder):
    """Return what an act makes of a store, or None if it refuses it in one line."""
    try:
        return act(folder)
    except BadInput as problem:
        if "\n" in str(problem) or str(folder) not in str(problem):
            raise
        return None


def opened(folder):
    return Store.open(folder).dataset()


def run_again(folder):
    return run(Sweep(**MORE), folder, progress=False).dataset()


def resumed(folder, whole):
    """Run again on a damaged store that opens: it is whole afterwards, or refused."""
    found = attempt(run_again, folder)
    if found is None:
        return "not resumed"
    assert found.attrs["missing"] == 0
    assert_no_other_numbers(found, whole)
    return "resumed"


@pytest.mark.timeout(max(300, DAMAGES))
def test_a_damaged_store_is_refused_in_one_line_or_shows_what_is_left(template, tmp_path, capfd):
    files, whole = template
    outcomes = Counter()
    for seed in range(DAMAGES):
        folder, what = tmp_path / f"{seed}", random.Random(seed)
        told, changed = damage.damage(files, what)
        damage.write(changed, folder)
        try:
            found = attempt(opened, folder)
            if found is None:
                outcomes["refused"] += 1
            else:
                assert_no_other_numbers(found, whole)
                outcomes["gaps" if found.attrs["missing"] else "whole"] += 1
                outcomes["told"] += found.attrs["damaged"] != "[]"
                if seed < RESUMED:
                    outcomes[resumed(folder, whole)] += 1
        except BaseException as problem:
            raise AssertionError(f"damage {seed} ({told}): {problem}") from problem
        shutil.rmtree(folder)
    told = capfd.readouterr().err
    with capfd.disabled():
        print(f"{DAMAGES} damages: {dict(outcomes)}")
    assert outcomes["refused"] > DAMAGES / 10
    assert outcomes["gaps"] > DAMAGES / 10
    assert outcomes["told"] > DAMAGES / 20
    assert outcomes["resumed"] > 0
    assert all(line.startswith("ci-theory: ") for line in told.splitlines()), told


def test_a_store_that_is_not_damaged_is_whole(template, tmp_path):
    files, whole = template
    damage.write(files, tmp_path / "s")
    found = Store.open(tmp_path / "s").dataset()
    assert found.attrs["missing"] == 0
    assert found.attrs["damaged"] == "[]"
    assert_no_other_numbers(found, whole)
    assert sweep_driver.bits(Store.open(tmp_path / "s"))
