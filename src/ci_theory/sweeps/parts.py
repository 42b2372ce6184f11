"""Result files that are there and whole, or not there: one ``.npz`` a chunk.

A part is written under a temporary name, flushed to the disk, and renamed: whoever sees its name
sees all of it. It carries a checksum of what is inside, so that damage done later is noticed.
"""

import hashlib
import io
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ci_theory._errors import BadInput

_ABOUT = "about"
_TEMPORARY = ".tmp"


class Damaged(Exception):  # noqa: N818 - it names what was found
    """A part that is there but cannot be trusted."""


def write_whole(path: Path, data: bytes, *, keep: bool = False) -> bool:
    """Write a file so that it appears whole or not at all, also after a loss of power.

    Args:
        path: the file.
        data: its bytes.
        keep: leave a file that is already there alone and return False.

    Raises:
        BadInput: the disk is full, or writing is not permitted.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_TEMPORARY}")
    try:
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if keep and not _link(temporary, path):
                return False
            if not keep:
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except OSError as problem:
        raise BadInput(
            f"{path}: cannot be written: {problem.strerror or problem}; "
            "what is stored so far is intact, and the same command continues from there"
        ) from None
    return True


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: the small race is accepted
        if path.exists():
            return False
        os.replace(temporary, path)
    return True


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot flush a folder
        pass
    finally:
        os.close(handle)


class Parts:
    """The parts in one folder, by name.

    >>> import tempfile
    >>> parts = Parts(Path(tempfile.mkdtemp()))
    >>> parts.write("first", {"x": np.arange(3.0)}, {"seed": 0})
    >>> parts.read("first")
    ({'x': array([0., 1., 2.])}, {'seed': 0})
    >>> parts.names()
    ['first']
    """

    def __init__(self, folder: Path):
        """``folder`` need not exist before the first write."""
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the file of a part."""
        return self.folder / f"{name}.npz"

    def has(self, name: str) -> bool:
        """Say whether a part is there: then it was complete when it was written."""
        return self.path(name).exists()

    def names(self) -> list[str]:
        """List the parts that are there."""
        return sorted(file.stem for file in self.folder.glob("*.npz"))

    def write(self, name: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
        """Write a part; writing it again replaces it. Equal content has equal bytes."""
        known = {"content": _checksum(arrays, about), "about": about}
        text = np.frombuffer(json.dumps(known, sort_keys=True).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **{_ABOUT: text}, **arrays)  # type: ignore[arg-type]
        write_whole(self.path(name), buffer.getvalue())

    def read(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return a part's arrays and what was said about them.

        Raises:
            Damaged: the file does not load, or its content is not what was written.
            OSError: it cannot be read at all.
        """
        data = self.path(name).read_bytes()
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            known = json.loads(arrays.pop(_ABOUT).tobytes())
            content, about = known["content"], known["about"]
        except Exception as problem:  # whatever a torn or altered archive makes its readers raise
            raise Damaged(f"{self.path(name)}: does not load: {problem}") from None
        if content != _checksum(arrays, about):
            raise Damaged(f"{self.path(name)}: is not what was written")
        return arrays, about

    def set_aside(self, name: str) -> Path:
        """Rename a damaged part, so that it is neither used nor lost."""
        path = self.path(name)
        aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.damaged")
        os.replace(path, aside)
        return aside

    def sweep_leftovers(self, may: Callable[[str], bool] = lambda name: True) -> int:
        """Delete temporary files of writers that died, and return their number.

        ``may(name)`` says whether nobody is writing that part now.
        """
        found = 0
        for file in self.folder.glob(f"*{_TEMPORARY}"):
            if may(file.name.partition(".npz.")[0]):
                file.unlink(missing_ok=True)
                found += 1
        return found


def _checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
