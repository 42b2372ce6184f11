"""What outlives a command: the same answers, sooner; nothing where it is not wanted or not safe."""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import threading
import types
import zlib
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
import toys.mean
from jax.experimental.compilation_cache import compilation_cache

from ci_theory import _cache, _record, phenomena
from ci_theory.cli import again, main
from ci_theory.phenomena import _programs, feature_spectrum, linear_grokking

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)

PROGRAM = (
    "import sys; from ci_theory.cli import main; code = main(sys.argv[1:]); "
    "print('jax' in sys.modules, file=sys.stderr); sys.exit(code)"
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder of the test's own, in a process that keeps things."""
    monkeypatch.setenv(_cache.VARIABLE, str(tmp_path / "kept"))
    monkeypatch.setattr(_cache, "_opened", set())
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    settings = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update("jax_compilation_cache_dir", None)  # JAX has read the variable of that name
    _forget()
    _cache.open_()
    yield tmp_path / "kept"
    for name, value in settings.items():
        jax.config.update(name, value)
    _forget()


def _forget():
    """Let the next call find the folder, and what is in it, as another process would."""
    _cache._folder.cache_clear()
    _programs.program_of.cache_clear()
    compilation_cache.reset_cache()


@pytest.fixture
def calls():
    """Something to make, and how often it was made."""
    made = []

    def make():
        made.append(1)
        return b"made"

    make.count = lambda: len(made)
    return make


def ask(folder, *words):
    """Run a command in a process of its own: what it says, and whether it needed JAX."""
    environment = {**os.environ, _cache.VARIABLE: str(folder), "XLA_FLAGS": ""}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0
    (needed,) = done.stderr.splitlines()
    return done.stdout, needed == "True"


def test_what_follows_from_the_code_needs_no_jax_the_second_time(tmp_path):
    first, needed = ask(tmp_path, "show", "ridge_peak", "--json")
    assert needed
    again, needed = ask(tmp_path, "show", "ridge_peak", "--json")
    assert not needed
    assert again == first
    assert '"name": "ridge_peak"' in first


def test_a_prediction_needs_no_jax_the_second_time(tmp_path):
    """Only the same words do: another value, or another way to say it, is another answer."""
    first, needed = ask(tmp_path, "predict", "ridge_peak", "n=30")
    assert needed
    assert ask(tmp_path, "predict", "ridge_peak", "n=30") == (first, False)
    other, needed = ask(tmp_path, "predict", "ridge_peak", "n=60")
    assert needed
    assert other != first


def test_compiled_programs_are_loaded_in_silence(tmp_path):
    """XLA logs a page about every program that it loads; ``ask`` wants one line on stderr.

    This one calls LAPACK, which JAX looks up where it lowers such a call: not so the second time.
    """
    words = ["predict", "alignment_erasure", "--json"]
    first, _ = ask(tmp_path, *words)
    compiled, made = (sorted(tmp_path.glob(f"*/{kind}")) for kind in ("compiled/*-cache", "made/*"))
    assert compiled
    (answer,) = (f for f in made if f.read_bytes().endswith(first.encode()))
    answer.unlink()
    assert ask(tmp_path, *words) == (first, True)
    assert sorted(tmp_path.glob("*/compiled/*-cache")) == compiled
    assert sorted(tmp_path.glob("*/made/*")) == made


def test_a_prediction_is_traced_once(home, capsys, monkeypatch):
    """Another process, or one that has forgotten, does without the code of the forecast."""

    def answer(values):
        _programs.program_of.cache_clear()
        assert main(["predict", "ridge_peak", values, "--json"]) == 0
        return capsys.readouterr().out

    monkeypatch.setenv(_cache.VARIABLE, "off")
    _cache._folder.cache_clear()
    plain = answer("n=30,70")
    monkeypatch.setenv(_cache.VARIABLE, str(home))
    _cache._folder.cache_clear()
    answer("n=30,60")
    monkeypatch.setattr(_programs, "told", lambda *_: pytest.fail("traced again"))
    assert answer("n=30,70") == plain
    with pytest.raises(pytest.fail.Exception, match="traced again"):
        answer("n=30,60,90")


def test_what_a_compiled_program_rests_on_is_in_its_name(home, monkeypatch):
    asked = []
    monkeypatch.setattr(_cache, "remembered", lambda name, make: asked.append(tuple(name)) or b"")

    def ask_for(options=None, leaf=1.0, name="sine"):
        program, value = _programs._compiled(lambda leaves: np.sin(1.0), [leaf], options, [name])
        assert float(program([leaf])) == float(value) == np.sin(1.0)

    ask_for()
    ask_for({"xla_backend_optimization_level": 0})
    ask_for(name="cosine")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    ask_for()
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    ask_for()
    assert len(set(asked)) == len(asked) == 5


def test_a_kept_program_that_cannot_be_used_is_compiled_anew(home, monkeypatch):
    """What another version of JAX wrote, say, though its checksum holds."""

    def compiled():
        given = [np.float64(3.0)]
        program, value = _programs._compiled(lambda leaves: 2 * leaves[0], given, None, ["twice"])
        assert float(value) == float(program(given)) == 6.0
        return program

    first = compiled()
    (file,) = home.glob("*/made/*")
    with monkeypatch.context() as patched:
        patched.setattr(jax, "jit", lambda *_, **__: pytest.fail("compiled again"))
        again = compiled()
    assert again is not first
    for unusable in (
        b"",
        b"no program",
        zlib.compress(pickle.dumps((False, (b"no program", None, None)))),
    ):
        file.write_bytes(hashlib.sha256(unusable).digest() + unusable)
        compiled()


def test_a_program_that_jax_has_kept_too_can_be_kept_again(home, monkeypatch):
    """As after an edit that leaves a program what it was: JAX loads it, nobody compiles it."""
    _cache.keep_compiled()

    def compiled():
        def product():
            return lambda leaves: np.linspace(0, 1, 7) @ leaves[0]

        given = [np.arange(7.0)]
        jax.jit(product())(given)  # which JAX keeps, or loads
        return float(_programs._compiled(product(), given, None, ["product"])[1])

    first = compiled()
    (file,) = home.glob("*/made/*")
    assert list(home.glob("*/compiled/*-cache"))
    file.unlink()
    _forget()
    assert compiled() == first
    with monkeypatch.context() as patched:  # loaded, as whole as it was written
        patched.setattr(_cache, "compiled_here", lambda: pytest.fail("compiled again"))
        assert compiled() == first


def test_where_xla_would_be_heard_no_program_is_kept(home, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    assert _cache.is_open()
    assert not _cache.keeps_programs()
    phenomena.predict(phenomena.load("ridge_peak"), {"n": 30.0}, decoys=False)
    assert not list(home.glob("*/made/*"))


def test_the_closed_form_of_a_break_is_traced_once(home, monkeypatch):
    """By a plain function of ours; what another one closes over would not be in its name."""
    given = 80.0, 20.0, 2.6e-4, 0.0, 0.0, 1.0, 1.0

    def anew():  # a function that JAX has not met, as in another process
        same = linear_grokking._times.__wrapped__
        forgotten = types.FunctionType(same.__code__, same.__globals__, same.__name__)
        forgotten.__module__ = same.__module__
        return _programs.quickly(forgotten)

    first = anew()(*given)
    plain = linear_grokking.fall_times(*given)
    for name, value in first.items():
        np.testing.assert_allclose(value, getattr(plain, name), rtol=1e-9)
    another = anew()
    monkeypatch.setattr(linear_grokking, "fall_times", lambda *_: pytest.fail("traced again"))
    again = another(*given)
    assert {k: float(v) for k, v in again.items()} == {k: float(v) for k, v in first.items()}
    with pytest.raises(pytest.fail.Exception, match="traced again"):
        another(*(np.array([value]) for value in given))  # of other shapes


def test_closed_forms_of_one_function_share_its_program(monkeypatch):
    """Neither a level that is an array, nor what whoever reads the axis is told, makes another."""
    given = []

    def noise_at(*numbers):
        given.append([jax.typeof(leaf).weak_type for leaf in jax.tree.leaves(numbers)])
        return types.SimpleNamespace(status=0, noise=1.0)

    monkeypatch.setattr(feature_spectrum, "noise_at", noise_at)
    phenomenon = feature_spectrum.PHENOMENON
    params = _record.build(phenomenon.params, phenomenon.point({}))
    for one in phenomenon.breaks:
        if one.closed_form is not None:
            one.closed_form(params)
    assert len([one for one in phenomenon.breaks if one.closed_form is not None]) == 3
    assert len(given) == 1


def test_a_function_that_closes_over_something_is_not_kept(home):
    def times(factor):
        def product(value):
            return factor * value

        product.__module__ = "ci_theory.phenomena.ridge_peak"
        return _programs.quickly(product)

    assert [float(times(factor)(3.0)) for factor in (2.0, 5.0)] == [6.0, 15.0]
    assert not list(home.glob("*/made/*"))


def test_kept_and_traced_anew_agree_with_what_a_program_computes(home):
    phenomenon = phenomena.load("group_gap")
    points = {"n": np.array([40, 80, 120])}
    kept = phenomena.predict(phenomenon, points)
    _programs.program_of.cache_clear()
    again = phenomena.predict(phenomenon, points)
    _cache._opened.clear()
    _programs.program_of.cache_clear()
    plain = phenomena.predict(phenomenon, points)
    assert list(kept) == list(again) == list(plain)
    for name, one in plain.items():
        for there in (kept, again):
            for a, b in zip(there[name].estimate, one.estimate, strict=True):
                np.testing.assert_array_equal(a, b)
            assert set(there[name].decoys) == set(one.decoys)
            for decoy, values in one.decoys.items():
                np.testing.assert_array_equal(there[name].decoys[decoy], values)


def test_each_program_has_a_name_of_its_own(home, monkeypatch):
    asked = []

    def remembered(name, make):
        asked.append(tuple(name))
        raise LookupError

    monkeypatch.setattr(_cache, "remembered", remembered)
    for name in ("ridge_peak", "repeated_data"):
        for spectrum in ("isotropic", "two_block"):
            for decoys in (True, False):
                words = (("spectrum", spectrum),)
                program = _programs.program_of(phenomena.load(name), words, decoys, few=True)
                with pytest.raises(LookupError):
                    program({"n": np.ones(2)}, np.ones(3))
    assert len(set(asked)) == len(asked) == 8


def test_an_answer_is_of_what_was_asked_for_and_as_wide_as_the_terminal(home, capsys, monkeypatch):
    said = []
    for _ in range(2):
        for columns in ("80", "120"):
            monkeypatch.setenv("COLUMNS", columns)
            for words in (
                ["show", "ridge_peak"],
                ["show", "group_gap"],
                ["predict", "ridge_peak"],
                ["predict", "ridge_peak", "n=30"],
                ["predict", "ridge_peak", "--elasticity"],
            ):
                for how in ([], ["--json"]):
                    assert main([*words, *how]) == 0
                    said.append(capsys.readouterr().out)
    assert said[:20] == said[20:]
    narrow, wide = said[:10], said[10:20]
    assert len(set(narrow)) == len(set(wide)) == 10
    assert narrow[1::2] == wide[1::2]  # JSON is as wide as it is
    assert max(map(len, said[0].splitlines())) <= 80 < max(map(len, said[10].splitlines())) <= 120


def test_without_decoys_the_rest_is_the_same():
    phenomenon = phenomena.load("ridge_peak")
    points = {"n": np.array([40, 80])}
    whole, bare = (phenomena.predict(phenomenon, points, decoys=d) for d in (True, False))
    for name, one in whole.items():
        assert one.decoys
        assert bare[name].decoys == {}
        for a, b in zip(one.estimate, bare[name].estimate, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


def test_the_code_of_somebody_else_is_not_kept(home):
    """Nobody looks whether it has changed."""
    phenomena.predict(toys.mean.PHENOMENON, {"n": np.array([4, 8])})
    assert not list(home.glob("*/made/*"))


def test_what_has_no_lasting_form_is_traced_every_time(home, monkeypatch):
    """What calls Python, whatever XLA would write of it; and what XLA does not write."""

    def calls_python(leaves):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), float), leaves[0])

    def no_form(_):
        raise ValueError("Compilation does not support serialization")

    given = [np.float64(1.0)]
    writes = _programs.serialize_executable.serialize
    for function, write in (
        (calls_python, writes),
        (calls_python, lambda _: b"something"),
        (lambda leaves: jax.numpy.sin(leaves[0]), no_form),
    ):
        monkeypatch.setattr(_programs.serialize_executable, "serialize", write)
        for _ in range(2):
            found, value = _programs._compiled(function, given, None, ["sine"])
            assert float(found(given)) == float(value) == pytest.approx(np.sin(1.0), rel=1e-15)
        (file,) = home.glob("*/made/*")
        assert file.stat().st_size == _cache._DIGEST  # that there is none
        file.unlink()


def test_many_points_are_worth_a_compiler_that_takes_its_time(monkeypatch):
    """Also in a process that compiles quickly, unless that is the user's wish."""
    before = jax.config.read("jax_disable_most_optimizations")
    monkeypatch.delenv("JAX_DISABLE_MOST_OPTIMIZATIONS", raising=False)
    options = {}
    try:
        for quick in (True, False):
            jax.config.update("jax_disable_most_optimizations", quick)
            options[quick] = _programs._options_of_many()
        jax.config.update("jax_disable_most_optimizations", True)
        monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        options["the user"] = _programs._options_of_many()
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
    assert options == {True: _programs._FULLY, False: None, "the user": None}
    fully = jax.jit(lambda x: jax.numpy.sin(x), compiler_options=_programs._FULLY)
    assert float(fully(1.0)) == pytest.approx(np.sin(1.0), rel=1e-15)


def test_an_unknown_option_of_the_compiler_leaves_all_to_it(monkeypatch):
    assert _programs._known_options() == _programs._QUICKLY
    monkeypatch.setattr(_programs, "_QUICKLY", {"xla_of_another_version": True})
    assert _programs._known_options.__wrapped__() is None


# --- the folder ---------------------------------------------------------------------------------


def test_a_thing_is_made_once(home, calls):
    assert {_cache.remembered(["a"], calls) for _ in range(3)} == {b"made"}
    assert calls.count() == 1
    _cache.remembered(["b"], calls)
    _cache.remembered(["a", "b"], calls)
    assert calls.count() == 3


def test_processes_that_make_it_at_once_do_not_disturb_each_other(home):
    together = threading.Barrier(4)

    def make():
        together.wait(timeout=20)
        return b"made" * 10_000

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: _cache.remembered(["a"], make), range(4)))
    assert found == [b"made" * 10_000] * 4
    assert len(list(home.glob("*/made/*"))) == 1
    assert _cache.remembered(["a"], lambda: pytest.fail("made again")) == found[0]


def test_nothing_is_kept_unless_the_command_line_asks_for_it(home, calls):
    _cache._opened.clear()
    assert not _cache.is_open()
    for _ in range(2):
        _cache.remembered(["a"], calls)
    assert calls.count() == 2
    assert not list(home.glob("*/made/*"))


def test_nothing_is_kept_if_the_user_says_so(tmp_path, monkeypatch, home, calls):
    monkeypatch.setenv(_cache.VARIABLE, "off")
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(home)
    _cache._folder.cache_clear()
    assert not _cache.is_open()
    for _ in range(2):
        _cache.remembered(["a"], calls)
    assert calls.count() == 2
    assert not list(tmp_path.rglob("*"))


def test_another_version_of_the_code_makes_it_anew(home, calls, tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("one = 1\n")
    monkeypatch.setattr(_cache.ci_theory, "__file__", str(package / "__init__.py"))
    seen = []
    for text in ("one = 1\n", "one = 2\n"):
        (package / "__init__.py").write_text(text)
        _cache._code.cache_clear()
        seen.append(_cache._code())
        _cache.remembered(["a"], calls)
    _cache._code.cache_clear()
    assert len(set(seen)) == calls.count() == 2


@pytest.mark.parametrize("library", ["numpy", "scipy", "scikit-learn"])
def test_another_version_of_what_computes_makes_it_anew(home, calls, monkeypatch, library):
    here = _cache._version
    seen = []
    for told in (here, lambda name: "another" if name == library else here(name)):
        monkeypatch.setattr(_cache, "_version", told)
        _cache._code.cache_clear()
        seen.append(_cache._code())
        _cache.remembered(["a"], calls)
    _cache._code.cache_clear()
    assert len(set(seen)) == calls.count() == 2
    assert here("no such library") == "none"


def test_plug_ins_are_not_looked_at_so_nothing_is_kept(home, calls, monkeypatch):
    monkeypatch.setattr(_cache, "entry_points", lambda group: [group])
    for _ in range(2):
        _cache.remembered(["a"], calls)
    assert calls.count() == 2


@pytest.mark.parametrize("damage", [b"", b"x" * 10, None])
def test_what_is_damaged_is_made_anew(home, calls, damage):
    _cache.remembered(["a"], calls)
    (file,) = home.glob("*/made/*")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?" if damage is None else damage)
    assert _cache.remembered(["a"], calls) == b"made"
    assert calls.count() == 2
    assert file.read_bytes() == whole


def test_a_folder_that_is_removed_meanwhile_costs_an_answer_nothing(home, calls, monkeypatch):
    (home / "a file").write_text("")
    with monkeypatch.context() as patched:
        patched.setattr(_cache, "_folder", lambda: home / "a file" / "in the way")
        assert _cache.remembered(["a"], calls) == b"made"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_folder_is_the_users_alone(home, calls):
    _cache.remembered(["a"], calls)
    made = [home, *home.iterdir(), *home.glob("*/made"), *home.glob("*/made/*")]
    assert [oct(f.stat().st_mode & 0o077) for f in made] == ["0o0"] * 4
    for writable in (home, next(home.iterdir())):
        writable.chmod(0o770)
        _cache._folder.cache_clear()
        assert _cache._folder() is None
        writable.chmod(0o700)


def test_folders_and_files_are_bounded(home, calls, monkeypatch):
    monkeypatch.setattr(_cache, "MOST_MADE", 3 * _cache.LEAST_MADE)
    for i in range(5):
        _cache.remembered([str(i)], calls)
        for age, file in enumerate(home.glob("*/made/*")):  # the clock may stand still
            os.utime(file, ns=(i, file.stat().st_mtime_ns - 10**9 * (age + 1)))
    assert len(list(home.glob("*/made/*"))) == 3
    _cache.remembered(["4"], calls)
    assert calls.count() == 5
    _cache.remembered(["long"], lambda: bytes(2 * _cache.LEAST_MADE - _cache._DIGEST))
    assert len(list(home.glob("*/made/*"))) == 2  # of three times the least

    monkeypatch.setattr(_cache, "LARGEST_MADE", 3)
    before = set(home.glob("*/made/*"))
    for _ in range(2):
        assert _cache.remembered(["too long"], calls) == b"made"
    assert calls.count() == 7
    assert set(home.glob("*/made/*")) == before

    for machine in range(6):
        monkeypatch.setattr(_cache, "_machine", lambda m=machine: f"machine {m}")
        _cache._folder.cache_clear()
        assert _cache._folder() is not None
    assert len(list(home.iterdir())) == _cache.MOST_MACHINES
    assert (home / "machine 5").exists()


def test_what_was_used_last_stays_though_it_is_old(home, calls, monkeypatch):
    """A thing that is read, and the folder of a machine that computes."""
    for name in "abc":
        _cache.remembered([name], calls)
    for file in home.glob("*/made/*"):
        os.utime(file, ns=(0, 10**9))
    _cache.remembered(["b"], calls)
    monkeypatch.setattr(_cache, "MOST_MADE", 2 * _cache.LEAST_MADE)
    _cache.remembered(["d"], calls)
    _cache.remembered(["b"], calls)
    assert calls.count() == 4

    (folder,) = home.iterdir()
    os.utime(folder, ns=(0, 10**9))
    for machine in range(_cache.MOST_MACHINES):
        _cache._folder.cache_clear()
        assert _cache._folder() == folder
        with monkeypatch.context() as patched:
            patched.setattr(_cache, "_machine", lambda m=machine: f"machine {m}")
            _cache._folder.cache_clear()
            _cache._folder()
    assert folder.exists()


def test_what_cannot_be_written_leaves_nothing_behind(home, calls, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    _cache.remembered(["a"], calls)
    before = list(home.glob("*/made/*"))
    monkeypatch.setattr(_cache.os, "replace", full)
    assert _cache.remembered(["b"], calls) == b"made"
    assert list(home.glob("*/made/*")) == before


def test_a_folder_is_of_one_python_one_jax_and_one_type_of_cpu(monkeypatch):
    names, here, known = [_cache._machine()], _cache.version, _cache.Path.read_text
    for name in ("python_version", "machine", "processor"):
        with monkeypatch.context() as patched:
            patched.setattr(_cache.platform, name, lambda: "another")
            names.append(_cache._machine())
    for library in ("jax", "jaxlib"):
        with monkeypatch.context() as patched:
            told = lambda name, one=library: "0.0" if name == one else here(name)  # noqa: E731
            patched.setattr(_cache, "version", told)
            names.append(_cache._machine())
    for text in ("flags\t: avx512f\n\n", "flags\t: avx2\ncpu MHz: 1\n\n", "flags\t: avx2\n"):
        with monkeypatch.context() as patched:
            read = lambda file, *a, said=text, **k: (  # noqa: E731
                said if file.name == "cpuinfo" else known(file, *a, **k)
            )
            patched.setattr(_cache.Path, "read_text", read)
            names.append(_cache._machine())
    assert len(set(names)) == len(names) - 1
    assert names[-1] == names[-2]  # how fast it runs at the moment is no type


def test_a_folder_stays_where_it_was_named(tmp_path, monkeypatch, home):
    """Also after a change of the current folder; the user's own, if none is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(_cache.VARIABLE, "near")
    _cache._folder.cache_clear()
    assert _cache._folder().parent == tmp_path / "near"
    own = lambda name, appauthor: tmp_path / "own" / name  # noqa: E731
    monkeypatch.setattr(_cache.platformdirs, "user_cache_path", own)
    monkeypatch.delenv(_cache.VARIABLE)
    _cache._folder.cache_clear()
    assert _cache._folder().parent == tmp_path / "own" / "ci_theory"


@pytest.mark.parametrize(("before", "after"), [(None, "3"), ("1", "3"), ("0", "0"), ("2", "2")])
def test_what_the_user_wants_to_hear_of_xla_is_heard(home, monkeypatch, before, after):
    monkeypatch.delitem(sys.modules, "jaxlib")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    if before is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", before)
    _cache.open_()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == after
    assert _cache.keeps_programs() == (after == "3")
    monkeypatch.setenv(_cache.VARIABLE, "off")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    _cache._folder.cache_clear()
    _cache.open_()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"


@pytest.mark.parametrize("keeps", [True, False])
def test_whether_jax_keeps_what_it_compiles_is_as_before(keeps):
    before = jax.config.jax_enable_compilation_cache
    try:
        jax.config.update("jax_enable_compilation_cache", keeps)
        with _cache.compiled_here():
            assert not jax.config.jax_enable_compilation_cache
        assert jax.config.jax_enable_compilation_cache == keeps
    finally:
        jax.config.update("jax_enable_compilation_cache", before)


def test_jax_keeps_its_programs_there_unless_it_is_told_otherwise(home, monkeypatch):
    told = {}
    monkeypatch.setattr(jax.config, "update", lambda name, value: told.update({name: value}))
    _cache.keep_compiled()
    assert told["jax_compilation_cache_dir"].startswith(str(home))
    assert told["jax_compilation_cache_max_size"] == _cache.MOST_COMPILED
    told.clear()
    with monkeypatch.context() as patched:
        patched.setattr(_cache, "_opened", set())
        _cache.keep_compiled()
    with monkeypatch.context() as patched:
        patched.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
        _cache.open_()  # too late: JAX has read it
        _cache.keep_compiled()
    assert told == {}


def test_a_folder_that_the_user_named_to_jax_stays(home, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "named"))
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    _cache.keep_compiled()
    assert {name: getattr(jax.config, name) for name in SETTINGS} == before


def test_an_answer_is_of_the_variables_that_jax_reads(monkeypatch):
    asked = []
    monkeypatch.setattr(_cache, "remembered", lambda name, make: asked.append(tuple(name)) or b"")
    again.answer(["list"], lambda: None)
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    again.answer(["list"], lambda: None)
    assert asked[0] != asked[1]
