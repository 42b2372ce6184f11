"""Result files that are there and whole, or not there: one ``.npz`` a chunk.

A part is written under a temporary name, flushed to the disk, and renamed: whoever sees its name
sees all of it. It carries a checksum of what is inside, so that damage done later is noticed.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ci_theory._errors import BadInput

_ABOUT = "about"
_TEMPORARY = re.compile(r"(.+)\.\d+-[0-9a-f]+\.tmp")
_ROOM = 2**16  # bytes of a part besides its arrays: what is said about them, names, headers


class Damaged(Exception):  # noqa: N818 - it names what was found
    """A file that is there but cannot be trusted."""


def target_of(temporary: str) -> str | None:
    """Return the name under which a temporary file would have appeared; None of any other file.

    >>> target_of("plan-000.json.71-0badcafe.tmp"), target_of("notes.tmp")
    ('plan-000.json', None)
    """
    match = _TEMPORARY.fullmatch(temporary)
    return match[1] if match else None


def read_whole(path: Path, most: int | None) -> bytes:
    """Return the bytes of a file, of which there should be at most ``most``.

    Raises:
        FileNotFoundError: there is none.
        Damaged: it is larger, or not a file.
        BadInput: it cannot be read.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise Damaged(f"{path}: is not a file")
        if most is not None and info.st_size > most:
            raise Damaged(f"{path}: has {info.st_size} bytes, where at most {most} can be right")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read: {problem.strerror or problem}") from None


def set_aside(path: Path) -> Path | None:
    """Rename a damaged file, so that it is neither used nor lost; None if it is gone already.

    Raises:
        BadInput: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.damaged")
    try:
        os.replace(path, aside)
    except FileNotFoundError:
        return None
    except OSError as problem:
        reason = problem.strerror or problem
        raise BadInput(f"{path}: is damaged and cannot be renamed: {reason}") from None
    return aside


def write_whole(path: Path, data: bytes, *, keep: bool = False) -> bool:
    """Write a file so that it appears whole or not at all, also after a loss of power.

    Args:
        path: the file.
        data: its bytes.
        keep: leave a file that is already there alone and return False.

    Raises:
        BadInput: the disk is full, or writing is not permitted.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
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
        """List the parts that are there.

        Raises:
            BadInput: the folder cannot be read.
        """
        return sorted(name[: -len(".npz")] for name in self._listed() if name.endswith(".npz"))

    def _listed(self) -> list[str]:
        try:
            return os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as problem:
            reason = problem.strerror or problem
            raise BadInput(f"{self.folder}: cannot be read: {reason}") from None

    def write(self, name: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
        """Write a part; writing it again replaces it. Equal content has equal bytes."""
        known = {"content": _checksum(arrays, about), "about": about}
        text = np.frombuffer(json.dumps(known, sort_keys=True).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **{_ABOUT: text}, **arrays)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):  # the next line tells it better
            self.folder.mkdir(exist_ok=True)
        write_whole(self.path(name), buffer.getvalue())

    def read(
        self, name: str, room: int | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return a part's arrays and what was said about them.

        Args:
            name: of the part.
            room: bytes that its arrays may take with their headers: a larger file is not read.

        Raises:
            Damaged: the file does not load, or its content is not what was written.
            FileNotFoundError: there is no such part.
            BadInput: it cannot be read at all.
        """
        path = self.path(name)
        data = read_whole(path, None if room is None else room + _ROOM)
        try:
            arrays = dict(_unpacked(data))
            known = json.loads(arrays.pop(_ABOUT).tobytes())
            content, about = known["content"], dict(known["about"])
        except Exception as problem:  # whatever a torn or altered archive makes its readers raise
            reason = " ".join(str(problem).split())[:200]
            raise Damaged(f"{path}: does not load: {reason or type(problem).__name__}") from None
        if content != _checksum(arrays, about):
            raise Damaged(f"{path}: is not what was written")
        return arrays, about

    def set_aside(self, name: str) -> Path | None:
        """Rename a damaged part, so that it is neither used nor lost: see ``set_aside``."""
        return set_aside(self.path(name))

    def sweep_leftovers(self, may: Callable[[str], bool] = lambda name: True) -> int:
        """Delete temporary files of writers that died, and return their number.

        ``may(name)`` says whether nobody is writing that part now. Files of others are left.
        """
        found = 0
        for file in self._listed():
            target = target_of(file)
            if target and target.endswith(".npz") and may(target[: -len(".npz")]):
                with contextlib.suppress(OSError):
                    (self.folder / file).unlink()
                    found += 1
        return found


def _unpacked(data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of an archive; none if they claim to be larger than itself.

    We never compress, so such an archive is none of ours, and might fill the memory.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        claimed = sum(member.file_size for member in members)
        if claimed > len(data):
            raise ValueError(f"{len(data)} bytes claim to hold {claimed}")
        for member in members:
            content = io.BytesIO(archive.read(member))  # holds its checksum before it is parsed
            array = np.lib.format.read_array(content, allow_pickle=False)
            yield member.filename.removesuffix(".npy"), array


def _checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
