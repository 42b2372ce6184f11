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
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path

import platformdirs

import ci_theory
from ci_theory import _shipped

VARIABLE = "CI_THEORY_CACHE"
OFF = "off"

MOST_COMPILED = 400_000_000
"""Bytes of compiled programs."""

MOST_MADE = 400
"""Files of what was made of the code: documents of some kilobytes, programs of up to a megabyte."""

MOST_MACHINES = 4
"""Folders, one for every type of machine and version that uses the same home."""

_DIGEST = 32  # bytes of a checksum before what it is of


_LOGGED, _SILENT = "TF_CPP_MIN_LOG_LEVEL", "3"

_opened: set[str] = set()


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


def keep_compiled() -> None:
    """Let JAX keep what it compiles in this process, unless the user has told it where.

    XLA logs a page about every program that it loads: where that was to be seen, it keeps none.
    """
    import jax

    if _opened:  # what cannot be read or written is compiled again, wherever it is kept
        warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    folder = _folder() if os.environ.get(_LOGGED) == _SILENT else None
    told: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if folder is None or not _opened or told:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_compilation_cache_max_size", MOST_COMPILED)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


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
    _only_newest(file.parent, MOST_MADE)


def _only_newest(folder: Path, most: int) -> None:
    """Remove what was used longest ago, down to a number of entries."""
    entries = {}
    for entry in folder.iterdir():
        with suppress(OSError):  # another process removes as well
            entries[entry] = entry.stat().st_mtime_ns
    for entry in sorted(entries, key=entries.__getitem__, reverse=True)[most:]:
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
            _only_newest(root, MOST_MACHINES)
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


@cache
def _code() -> str:
    """Return a digest of the package as it lies there: of names, sizes and times of its files."""
    roots = [Path(ci_theory.__file__).parent]
    for kind in (_shipped.EXPERIMENT, _shipped.FIGURE):
        roots += _shipped.folders(kind)
    seen = [ci_theory.__version__]
    for root in roots:
        for folder, inner, files in os.walk(root):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            for name in sorted(files):
                found = os.stat(os.path.join(folder, name))
                seen.append(f"{folder}/{name} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()
