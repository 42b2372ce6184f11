"""Whose code failed: an exception that comes out of somebody's phenomenon is told to its author."""

import sys
import sysconfig
import traceback
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from ci_theory._errors import BadInput, printable
from ci_theory.phenomena._blame import shown

_OURS = Path(__file__).parents[1]


class Module(NamedTuple):
    """A module outside of this package that defines a phenomenon."""

    name: str
    file: Path
    phenomenon: str

    def holds(self, frame: FrameType) -> bool:
        """Say whether code is this author's: of the module's package, or beside the module."""
        name, file = frame.f_globals.get("__name__") or "", Path(frame.f_code.co_filename)
        if name.partition(".")[0] == self.name.partition(".")[0]:
            return True
        return self.file.parent in file.parents and not _installed(file)


def told(error: BaseException) -> str | None:
    """Say whose phenomenon an exception came out of, and where; None if out of nobody's.

    The innermost line of the author's counts, also where the exception was raised deeper, in a
    library or in this package: what was called there, was called with what the author gave.
    """
    modules = _outside()
    frames = [*traceback.walk_tb(error.__traceback__)]
    for depth in range(len(frames) - 1, -1, -1):
        frame, line = frames[depth]
        owners = [m for m in modules if m.holds(frame)]
        if not owners:
            continue
        file = Path(frame.f_code.co_filename)
        owner = next((m for m in owners if m.file == file), owners[0])
        inside = [f for f, _ in frames[depth + 1 :] if _OURS in Path(f.f_code.co_filename).parents]
        through = f" (in {inside[-1].f_globals['__name__']})" if inside else ""
        where = f"{shown(file)}:{line}, in {frame.f_code.co_name}"
        return f"phenomenon '{owner.phenomenon}', {where}: {problem(error)}{through}"
    return None


def problem(error: BaseException) -> str:
    """Return kind and first line of an exception; of a refusal of ours, what it says."""
    first = (str(error).strip().splitlines() or [""])[0]
    kind = "" if isinstance(error, BadInput) else f"{type(error).__name__}: "
    return printable(f"{kind}{first}".removesuffix(": "))


def _outside() -> list[Module]:
    """Return the modules with a phenomenon that are loaded and not of this package."""
    from ci_theory.phenomena import Phenomenon

    found = []
    for name, module in list(sys.modules.items()):
        inside = getattr(module, "__dict__", {})
        declared, file = inside.get("PHENOMENON"), inside.get("__file__")
        if isinstance(declared, Phenomenon) and file and _OURS not in Path(file).parents:
            found.append(Module(name, Path(file), declared.name))
    return found


def _installed(file: Path) -> bool:
    paths = sysconfig.get_paths()
    folders = {Path(paths[kind]) for kind in ("stdlib", "purelib", "platlib")}
    return file.is_relative_to(_OURS) or any(file.is_relative_to(folder) for folder in folders)
