"""What outlives a command: what JAX compiled, and what was made of the code alone.

Most of what a user waits for is tracing and compilation of a program that was the same yesterday.
The command line keeps both in the user's cache folder; a program that imports the package keeps
nothing unless it calls ``open_``. The folder

* holds executable code, so it belongs to the user alone and nobody else can write there: if it
  does not, nothing is kept;
* is of one type of CPU, one Python and one JAX: what runs on another is of no use here;
* is bounded: what was used longest ago goes first;
* may be deleted, or damaged, at any time: then things are made again.

``CI_THEORY_CACHE`` names another folder; ``CI_THEORY_CACHE=off`` keeps nothing.
"""

import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import platformdirs

import ci_theory
from ci_theory import _shipped

VARIABLE = "CI_THEORY_CACHE"
OFF = "off"

MOST_COMPILED = 400_000_000
"""Bytes of compiled programs."""

MOST_MADE = 400_000_000
"""Bytes of what was made of the code: documents of some kilobytes, programs of up to a megabyte."""

LARGEST_MADE, LEAST_MADE = MOST_MADE // 20, MOST_MADE // 4000
"""Bytes of one thing: larger ones are not kept, smaller ones count as that, so files stay few."""

MOST_MACHINES = 4
"""Folders, one for every type of machine and version that uses the same home."""

_DIGEST = 32  # bytes of a checksum before what it is of


_LOGGED, _SILENT = "TF_CPP_MIN_LOG_LEVEL", "3"

_opened: set[str] = set()
_compiling = threading.Lock()


def open_() -> None:
    """Let this process keep things, unless the user says that nothing is to be kept.

    Best before JAX is imported, which reads then what XLA may log: see ``keep_compiled``.
    """
    _opened.add("by the command line")
    if is_open() and "jaxlib" not in sys.modules and os.environ.get(_LOGGED, "1") == "1":
        os.environ[_LOGGED] = _SILENT  # 1 is what JAX sets, perhaps in the process before


def is_open() -> bool:
    """Say whether this process keeps things."""
    return bool(_opened) and _folder() is not None


def keeps_programs() -> bool:
    """Say whether this process keeps compiled programs.

    XLA logs a page about every program that it loads: where that was to be seen, none is kept.
    """
    return is_open() and os.environ.get(_LOGGED) == _SILENT


def keep_compiled() -> None:
    """Let JAX keep what it compiles in this process, unless the user has told it where."""
    import jax

    if _opened:  # what cannot be read or written is compiled again, wherever it is kept
        warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    told: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    folder = _folder()
    if not keeps_programs() or folder is None or told:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_compilation_cache_max_size", MOST_COMPILED)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


@contextmanager
def compiled_here() -> Iterator[None]:
    """Let JAX compile, and not load what it has kept itself.

    What XLA writes of a loaded program lacks the code, which shows when that is to run.
    """
    import jax
    from jax.experimental.compilation_cache.compilation_cache import reset_cache

    with _compiling:
        keeps: bool = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
        jax.config.update("jax_enable_compilation_cache", False)
        reset_cache()  # or it would not look again whether it keeps anything
        try:
            yield
        finally:
            jax.config.update("jax_enable_compilation_cache", keeps)
            reset_cache()


def around() -> list[str]:
    """Return the variables that change what JAX computes, or how: part of what a thing is."""
    return [f"{k}={os.environ[k]}" for k in sorted(os.environ) if k.startswith(("JAX_", "XLA_"))]


def remembered(what: Iterable[str], make: Callable[[], bytes]) -> bytes:
    """Return what was made of the code as it is now, or make it and keep it.

    Args:
        what: words that say what it is; together with the code they determine it.
        make: makes it.

    Where another package declares phenomena nothing is kept: their code is not looked at.
    """
    folder = _folder()
    if folder is None or not _opened or entry_points(group="ci_theory.phenomena"):
        return make()
    name = hashlib.sha256("\0".join([_code(), *what]).encode()).hexdigest()
    file = folder / "made" / name
    with suppress(OSError):
        digest, kept = (whole := file.read_bytes())[:_DIGEST], whole[_DIGEST:]
        if hashlib.sha256(kept).digest() == digest:
            with suppress(OSError):
                os.utime(file)
            return kept
    made = make()
    if len(made) <= LARGEST_MADE:
        with suppress(OSError):  # a full disk, or a folder that was removed
            _keep(file, hashlib.sha256(made).digest() + made)
    return made


def _keep(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, and remove the oldest of too many."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as open_file:
            open_file.write(content)
        os.replace(name, file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    _only_newest(file.parent, MOST_MADE, lambda found: max(found.st_size, LEAST_MADE))


def _only_newest(folder: Path, most: int, size: Callable[[os.stat_result], int]) -> None:
    """Remove what was used longest ago, until the sizes of the entries add up to no more."""
    entries = {}
    for entry in folder.iterdir():
        with suppress(OSError):  # another process removes as well
            entries[entry] = entry.stat()
    total = 0
    for entry, found in sorted(entries.items(), key=lambda e: e[1].st_mtime_ns, reverse=True):
        total += size(found)
        if total > most:
            with suppress(OSError):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@cache
def _folder() -> Path | None:
    """Return the folder of this machine, made if it was not there; None if nothing is kept."""
    given = os.environ.get(VARIABLE, "")
    if given == OFF:
        return None
    root = Path(given) if given else platformdirs.user_cache_path("ci_theory", appauthor=False)
    folder = root.absolute() / _machine()
    try:
        is_new = not folder.exists()
        for part in (root, folder):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _private(part):
                return None
        os.utime(folder)
        if is_new:
            _only_newest(root, MOST_MACHINES, lambda _: 1)
    except OSError:  # no home, or none that can be written
        return None
    return folder


def _private(folder: Path) -> bool:
    """Say whether a folder is the user's, and nobody else can write there."""
    if os.name != "posix":
        return True  # a profile of Windows is its user's
    found = folder.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _machine() -> str:
    """Name a type of CPU, a Python and a JAX."""
    lines = []
    with suppress(OSError):
        told = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")[0]
        lines = [line for line in told.splitlines() if line.startswith(("model", "flags", "Feat"))]
    words = [platform.machine(), platform.processor(), platform.python_version(), *lines]
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    return f"jax-{version('jax')}-{version('jaxlib')}-{digest}"


def _version(library: str) -> str:
    """Return the version of a library, or that it is not there."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


@cache
def _code() -> str:
    """Return a digest of the package as it lies there, and of what the libraries are.

    Of its files it takes names, sizes and times; of libraries that compute, versions: of those of
    JAX, and of Python, the folder is.
    """
    roots = [Path(ci_theory.__file__).parent]
    for kind in (_shipped.EXPERIMENT, _shipped.FIGURE):
        roots += _shipped.folders(kind)
    seen = [ci_theory.__version__, *map(_version, ("numpy", "scipy", "scikit-learn"))]
    for root in roots:
        for folder, inner, files in os.walk(root):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            for name in sorted(files):
                found = os.stat(os.path.join(folder, name))
                seen.append(f"{folder}/{name} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()
