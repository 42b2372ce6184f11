"""Modules that a word of the command line names: installed ones, and those in the user's folder.

To name a module is to run its code. Only the module that is named is looked for in the folder,
and only after what is installed; what it imports may lie beside it. Nothing else that happens to
lie there is ever imported, however it is called.
"""

import difflib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path

from ci_theory import phenomena
from ci_theory._errors import BadInput
from ci_theory.phenomena import Phenomenon


def allow(word: str) -> None:
    """Import a module that the user allows, so that files may name it.

    Raises:
        BadInput: as ``named``; a word that is no module is told as that.
    """
    if word.isidentifier() and word not in phenomena.names():
        here = PathFinder.find_spec(word, [str(Path.cwd())])
        if here is None and _origin(word) is None:
            beside = sorted(file.stem for file in Path.cwd().glob("*.py"))
            near = difflib.get_close_matches(word, beside, n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise BadInput(f"--allow {word}: no such module is installed, nor in this folder{hint}")
    named(word)


def named(word: str) -> tuple[str, Phenomenon]:
    """Import what a word of the command line names.

    Args:
        word: a registered name; a module, ``mine`` or ``my_pkg.my_mod``, installed or in the
            current folder; or the path of a module, ``mine.py`` or ``folder/mine.py``.

    Returns:
        the name by which files refer to it from now on, and the phenomenon.

    Raises:
        BadInput: no such phenomenon or module, or the name means something else already.
    """
    if not (word.endswith(".py") or Path(word).name != word):
        if word in phenomena.names():
            return word, phenomena.load(word)
        if Path(word).is_file():  # mine.toml is no module of a package called mine
            raise BadInput(f"{word}: a file that is no module (.py)")
        return word, _from(Path.cwd(), word)
    file = Path(word)
    if not file.is_file() or file.suffix != ".py":
        raise BadInput(f"{word}: no such file, or not a module (.py)")
    if not file.stem.isidentifier():
        raise BadInput(f"{word}: '{file.stem}' cannot be the name of a module: rename the file")
    if file.stem in phenomena.names():
        raise BadInput(f"{word}: '{file.stem}' comes with ci_theory or a plug-in: rename the file")
    return file.stem, _from(file.parent.resolve(), file.stem)


def _from(folder: Path, name: str) -> Phenomenon:
    """Load a module that is installed or lies in a folder.

    Raises:
        BadInput: both, or what loading it finds.
    """
    top = name.partition(".")[0]
    here = PathFinder.find_spec(top, [str(folder)]) if top.isidentifier() else None
    if here is not None and here.origin is not None:
        other = _origin(top)
        if other is not None and Path(other).resolve() != Path(here.origin).resolve():
            raise BadInput(
                f"phenomenon '{name}': {here.origin} is called like another module ({other}): "
                "rename it"
            )
    with _looked_at_last(folder):
        return phenomena.load(name)


def _origin(top: str) -> str | None:
    """Return what already goes by a name: a module that is loaded, or one that would be."""
    if top in sys.modules:
        return getattr(sys.modules[top], "__file__", None) or f"built-in {top}"
    if top in sys.builtin_module_names:
        return f"built-in {top}"
    found = PathFinder.find_spec(top)
    return None if found is None else found.origin


@contextmanager
def _looked_at_last(folder: Path) -> Iterator[None]:
    """Let imports find what lies in a folder, after everything that is installed."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        for i in reversed(range(len(sys.path))):  # what is imported may have changed the list
            if sys.path[i] == str(folder):
                del sys.path[i]
                break
