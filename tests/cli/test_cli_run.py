"""run: where experiments and stores are, resuming, dry runs, and what stops a run."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest
import toys.mean  # noqa: F401 - files may name what has been imported

import ci_theory
from ci_theory.cli import experiments, main
from ci_theory.sweeps import Store, parts

HERE = Path(__file__).parent
ROOT = Path(ci_theory.__file__).parents[2]
TOY = """
phenomenon = "toys.mean"
replicates = 3
seed = 7

[axes]
n = {geom = [2, 64, 6]}
noise = [0.5, 1.0]

[fixed]
d = 4
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder that holds one experiment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.toml").write_text(TOY)
    return tmp_path


def files(folder):
    """List what is below a folder, with contents."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_run_is_stored_and_resumes_and_grows(folder, capsys):
    assert main(["run", "toy.toml"]) == 0
    out, err = capsys.readouterr()
    assert "results/stores/toy" in out
    assert "6 n x 2 noise x 3 replicates" in out
    assert "18 of 18 stored" in out
    assert err == ""
    stored = files(folder)
    assert main(["run", "toy.toml"]) == 0
    assert files(folder) == stored
    assert main(["run", "toy.toml", "--replicates", "5"]) == 0
    assert "30 of 30 stored" in capsys.readouterr().out
    data = Store.open(folder / "results/stores/toy").dataset()
    assert dict(data.sizes) == {"n": 6, "noise": 2, "replicate": 5}


def test_a_grown_store_is_judged_located_and_drawn_as_one_run_at_once(folder, capsys):
    """New values of two axes, and an axis more: the verdicts and breaks of a fresh run."""
    many = ["d=400", "--replicates", "20", "--store"]
    grown = ["n=lin(4,60,8)", "noise=0.5,1,2", "shift=0,1", *many]
    assert main(["run", "toy.toml", "n=4,20,60", "noise=0.5,2", *many, "old"]) == 0
    before = files(folder / "old")
    capsys.readouterr()
    assert main(["run", "toy.toml", *grown, "old", "--dry-run"]) == 0
    assert "48 (6 reused)" in capsys.readouterr().out
    assert main(["run", "toy.toml", *grown, "old"]) == 0
    out, err = capsys.readouterr()
    assert "8 n x 3 noise x 2 shift x 20 replicates" in out
    assert err == "ci-theory: old grows from 6 to 48 cells: what is there is not run again\n"
    assert before.items() <= files(folder / "old").items()
    assert main(["run", "toy.toml", *grown, "fresh"]) == 0
    capsys.readouterr()
    told = []
    for store in ("old", "fresh"):
        codes = [main([word, store]) for word in ("check", "locate")]
        told.append((codes, capsys.readouterr().out.replace(store, "STORE")))
    assert told[0] == told[1]
    assert told[0][0] == [0, 0]
    assert main(["figure", "old"]) == 0
    assert main(["run", "toy.toml", "n=4,20,60", "noise=0.5,2", *many, "old"]) == 2
    assert "its axes are n, noise, shift, here n, noise; choose another" in capsys.readouterr().err


def test_precision_is_a_choice_that_is_stored_and_shown_and_gets_no_verdict(folder, capsys):
    single = ["run", "toy.toml", "--dtype", "float32"]
    assert main([*single, "--dry-run"]) == 0
    assert not (folder / "results").exists()
    assert main(single) == 0
    told = "precision  float32: `check` and `locate` give no verdict on it"
    assert told in " ".join(capsys.readouterr().out.split()).replace("precision ", "precision  ")
    assert jax.config.read("jax_enable_x64")
    data = Store.open("results/stores/toy").dataset()
    assert data.attrs["dtype"] == "float32"
    assert (data["error"] == data["error"].astype("float32")).all()
    stored = files(folder)
    assert main(["run", "toy.toml"]) == 2
    assert "its dtype is float32, here it is float64; choose another" in capsys.readouterr().err
    for word, reason in (("check", "simulated in float32, of unknown rounding near interpolation"),
                         ("locate", "simulated in float32, of unknown rounding")):  # fmt: skip
        assert main([word, "toy.toml"]) == 3
        out, err = capsys.readouterr()
        assert "UNDERPOWERED" in out
        assert reason in " ".join(out.split())
        assert "AGREES" not in out
        assert err == "ci-theory: results/stores/toy: simulated in float32: no verdict\n"
    assert main([*single, "n=geom(2,64,6)"]) == 0
    assert files(folder) == stored


def test_words_change_the_sweep(folder, capsys):
    words = ["noise=2", "n=4,8,16", "seed=1", "law=uniform", "--store", "elsewhere"]
    assert main(["run", "toy.toml", *words]) == 0
    data = Store.open("elsewhere").dataset()
    assert dict(data.sizes) == {"n": 3, "replicate": 3}
    assert data.attrs["seed"] == 1
    assert '"law": "uniform"' in data.attrs["fixed"]
    assert not (folder / "results").exists()


def test_a_dry_run_writes_nothing(folder, capsys):
    before = files(folder)
    assert main(["run", "toy.toml", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for told in ("cells", "compilations", "memory", "estimated time"):
        assert told in out
    assert files(folder) == before
    assert sorted(os.listdir(folder)) == ["toy.toml"]


def test_a_name_finds_what_comes_with_the_package_and_a_path_what_is_here(folder, capsys):
    """A file here is not run because it is called like an experiment of the package."""
    (folder / "experiments").mkdir()
    for name in ("mine", "ridge_peak"):
        (folder / "experiments" / f"{name}.toml").write_text(TOY)
    (folder / "demo").write_text(TOY)
    assert "mine" not in experiments.names()
    for name in ("ridge_peak", "demo"):
        assert experiments.find(name).is_relative_to(ROOT)
    for path in ("experiments/ridge_peak.toml", "toy.toml", "./demo"):
        assert experiments.find(path) == Path(path)
    assert main(["run", "experiments/mine.toml", "--dry-run"]) == 0
    assert main(["run", "mine", "--dry-run"]) == 2
    assert "for the file here write ./experiments/mine.toml" in capsys.readouterr().err
    (folder / "plain").write_text(TOY)
    assert main(["run", "plain", "--dry-run"]) == 2
    assert "for the file here write ./plain" in capsys.readouterr().err


def test_a_store_is_below_the_folder_of_stores(folder, capsys):
    (folder / "...toml").write_text(TOY)
    (folder / "... .toml").write_text(TOY)
    for name in ("./...toml", "... .toml"):
        assert main(["run", name]) == 2
        assert "cannot be the name of a folder" in capsys.readouterr().err
    assert not (folder / "results").exists()


def test_a_byte_order_mark_is_no_mistake(folder, capsys):
    (folder / "toy.toml").write_bytes(b"\xef\xbb\xbf" + TOY.encode())
    assert main(["run", "toy.toml", "n=4", "--dry-run"]) == 0


def test_the_level_that_is_given_is_the_level_of_the_check(folder, capsys):
    assert main(["run", "toy.toml", "d=800"]) == 0
    finds = {}
    for words, level in ([], 1e-3), (["--level", "1e-9"], 1e-9), (["--level", "0.2"], 0.2):
        capsys.readouterr()
        main(["check", "toy.toml", "--json", *words])
        told = json.loads(capsys.readouterr().out)
        assert (told["level"], told["predictions"][0]["level"]) == (level, level)
        finds[level] = told["predictions"][0]["detectable"]
        main(["check", "toy.toml", *words])
        assert f"at a family-wise level of {level:g}\n" in capsys.readouterr().out
    assert finds[0.2] < 0.5 * finds[1e-3] < 0.1 * finds[1e-9]


def test_shards_share_a_store(folder, capsys):
    for shard in ("0/2", "1/2"):
        assert main(["run", "toy.toml", "--shard", shard]) == 0
    assert "18 of 18 stored" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "Missing argument"),
        (["run", "no.toml"], "no.toml: no such file"),
        (["run", "."], ".: no such file"),
        (["run", "toy"], "unknown experiment 'toy'"),
        (["run", "demmo"], "unknown experiment 'demmo'"),
        (["run", "toy.toml", "nose=1"], "did you mean 'noise'?"),
        (["run", "toy.toml", "n=0"], "n = 0: must be >= 1"),
        (["run", "toy.toml", "noise=-1"], "noise = -1: must be >= 0"),
        (["run", "toy.toml", "n=many"], "must be a whole number"),
        (["run", "toy.toml", "n=3,3"], "twice"),
        (["run", "toy.toml", "n=3", "n=4"], "n is given twice"),
        (["run", "toy.toml", "replicates=3", "--replicates", "4"], "replicates is given twice"),
        (["run", "toy.toml", "--replicates", "0"], "replicates = 0"),
        (["run", "toy.toml", "--replicates", "some"], "replicates = 'some'"),
        (["run", "toy.toml", "biased=true"], "biased needs a shift"),
        (["run", "toy.toml", "n=lin(1,11000,11000)", "shift=lin(0,1,10000)"], "GB of results"),
        (["run", "toy.toml", "--device", "gpu"], "none is available here"),
        (["run", "toy.toml", "--dtype", "half"], "--dtype half: expected float64 or float32"),
        (["run", "toy.toml", "--device", "abacus"], "expected one of cpu, gpu, tpu"),
        (["run", "toy.toml", "--engine", "spark"], "--engine spark: expected local, dask or"),
        (["run", "toy.toml", "--shard", "2/2"], "expected i/n"),
        (["run", "toy.toml", "--store", "toy.toml"], "is a file"),
        (["run", "toy.toml", "--store", "toy.toml/below"], "toy.toml/below"),
        (["run", "toy.toml", "--store", "foreign"], "is not a store"),
        (["run", "toy.toml", "--store", "/proc/nowhere/store"], "/proc/nowhere"),
        (["run", "toy.toml", "--store", "x" * 300], "name too long"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(words, says, folder, capsys):
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.tex").write_text("Chapter 1")
    before = files(folder), sorted(folder.rglob("*"))
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert says.lower() in err.lower()
    assert (out, err.count("\n"), err[:11]) == ("", 1, "ci-theory: ")
    assert (files(folder), sorted(folder.rglob("*"))) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the key 'phenomenon' is missing"),
        ('phenomenon = "ridge_peek"', "did you mean 'ridge_peak'?"),
        ("phenomenon = 3", "must be a string"),
        (TOY.replace("[axes]", "[axis]"), "did you mean 'axes'?"),
        (TOY.replace("n = {", "m = {"), "unknown axis 'm'"),
        (TOY.replace("geom", "goem"), "did you mean 'geom'?"),
        (TOY.replace("[0.5, 1.0]", "[]"), "noise is empty"),
        (TOY.replace("[0.5, 1.0]", "[1, 1.0]"), "twice"),
        (TOY.replace("[0.5, 1.0]", "0.5"), "expected a list or a range"),
        (TOY.replace("d = 4", "d = 4\nnoise = 1"), "both an axis and a fixed value"),
        (TOY.replace("d = 4", "d = 4\nd = 5"), "not valid TOML"),
        (TOY.replace("d = 4", "d = 0"), "d = 0: must be >= 1"),
        (TOY.replace("seed = 7", "seed = -7"), "seed = -7"),
        ("phenomenon = [", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line_and_nothing_is_written(text, says, folder, capsys):
    (folder / "toy.toml").write_text(text)
    assert main(["run", "toy.toml"]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert "toy.toml" in err
    assert (out, err.count("\n")) == ("", 1)
    assert os.listdir(folder) == ["toy.toml"]


def test_a_store_of_another_version_is_refused(folder, capsys, monkeypatch):
    assert main(["run", "toy.toml"]) == 0
    plan = folder / "results/stores/toy/plan-000.json"
    before = plan.read_text()
    for old, new, says in [
        ('"version": "', '"version": "0.0.1-', "plan-000.json is damaged"),
        ('"format": 2', '"format": 99', "store of format 99"),
        ('"format"', '"fromat"', "is not a plan"),
    ]:
        plan.write_text(before.replace(old, new, 1))
        held = files(folder)
        capsys.readouterr()
        assert main(["run", "toy.toml"]) == 2
        out, err = capsys.readouterr()
        assert says in err
        assert (out, err.count("\n")) == ("", 1)
        assert files(folder) == held
    plan.write_text(before)
    monkeypatch.setattr("ci_theory.__version__", "0.0.1")
    assert main(["run", "toy.toml"]) == 2
    err = capsys.readouterr().err
    assert "here it is 0.0.1; choose another folder (on the command line: --store DIR)" in err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses_is_one_line(code, folder, capsys, monkeypatch):
    """Also what a permission would refuse: the tests may run as a user whom nothing stops."""

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(parts.os, "fsync", refuse)
    assert main(["run", "toy.toml"]) == 2
    out, err = capsys.readouterr()
    assert os.strerror(code) in err
    assert (out, err.count("\n")) == ("", 1)
    assert not any(f.endswith((".npz", ".json", ".tmp")) for f in files(folder))
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert main(["run", "toy.toml"]) == 0


def test_memory_that_does_not_suffice_is_one_line(folder, capsys, monkeypatch):
    from ci_theory.cli import run

    def hungry(*_, **__):
        raise MemoryError

    monkeypatch.setattr(run, "run", hungry)
    assert main(["run", "toy.toml"]) == 2
    assert "out of memory" in capsys.readouterr().err


def test_ctrl_c_leaves_a_store_that_resumes(folder):
    # a shell that runs the tests in the background has its children ignore Ctrl-C
    program = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "cores = getattr(os, 'sched_setaffinity', lambda *_: None);"  # not every chunk at once
        "cores(0, sorted(os.sched_getaffinity(0))[:2]) if hasattr(os, 'sched_getaffinity') else 0;"
        "from ci_theory.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "run", "toy.toml", "d=lin(4,400,12)"]
    command += ["--allow", "toys.mean"]
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, "XLA_FLAGS": ""}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as started:
        try:
            while not list(folder.rglob("*.npz")) and started.poll() is None:
                time.sleep(0.02)
            started.send_signal(signal.SIGINT)
            _, err = started.communicate(timeout=60)
        finally:
            started.kill()
    assert started.returncode == 130
    assert err.count("\n") == 1
    assert "the same command continues" in err
    counts = Store.open(folder / "results/stores/toy").counts()
    assert 0 < counts.chunks < counts.all_chunks


@pytest.mark.parametrize(
    ("word", "dry", "started"),
    [
        ("dask", False, [None]),
        ("dask=host:8786", False, ["host:8786"]),
        ("dask=host:8786", True, []),
        ("dask", True, []),
        ("local", False, []),
    ],
)
def test_who_computes_is_started_for_a_run_alone(word, dry, started, monkeypatch):
    from contextlib import nullcontext

    from ci_theory.cli import run
    from ci_theory.sweeps import dask_engine

    seen = []
    monkeypatch.setattr(dask_engine, "connected", lambda at: seen.append(at) or nullcontext(at))
    with run.engine_of(word, dry) as engine:
        assert engine == (started or [None])[0]
    assert seen == started
    for wrong in ("dask=", "local=x", "dask:host"):
        with pytest.raises(ci_theory.BadInput, match="expected local, dask or dask=ADDRESS"):
            run.engine_of(wrong, dry)


def test_replicates_of_a_name_and_of_an_option_are_one_thing(folder):
    from ci_theory.cli.run import declared

    assert declared("toy.toml", {}, "9").replicates == 9
    assert declared("toy.toml", {"replicates": "8"}, None).replicates == 8
    assert declared("toy.toml", {"phenomenon": "toys.mean"}, None).phenomenon == "toys.mean"


def test_a_run_that_fails_leaves_the_precision_of_the_others():
    from ci_theory.cli import run

    with pytest.raises(KeyError), run.computing_in("float32"):
        raise KeyError
    assert jax.config.read("jax_enable_x64")
