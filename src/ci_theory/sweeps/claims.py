"""Who works on what: advisory locks by which processes on one store share its chunks.

A claim is a lock on one byte of the store's ``lock`` file. The system releases it when its
process ends, however it ends, so nothing is left behind. Where the file system has no locks,
every claim succeeds: two processes may then compute a chunk twice, to the same file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

from ci_theory._errors import BadInput

_PER_PLAN = 2**32
PLAN = (0, _PER_PLAN - 1)  # the claim under which plans and sessions are noted


class Claims:
    """Claims on the chunks (plan, chunk) of one store, by this process."""

    def __init__(self, file: Path):
        """Open the lock file, creating it."""
        try:
            self._handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as problem:
            raise BadInput(f"{file}: cannot be written: {problem.strerror or problem}") from None

        self.real = fcntl is not None  # until the file system says that it has no locks

    def close(self) -> None:
        """Release everything."""
        os.close(self._handle)

    @contextmanager
    def claim(self, plan: int, chunk: int, *, wait: bool = False) -> Iterator[bool]:
        """Claim a chunk for the time of a ``with``; False if another process has it."""
        place = plan * _PER_PLAN + chunk
        if not self.real:
            yield True
            return
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
        except (BlockingIOError, PermissionError):
            yield False
            return
        except OSError:
            self.real = False
            yield True
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, place)

    def free(self, plan: int, chunk: int) -> bool:
        """Say whether nobody works on a chunk; False where the file system cannot tell."""
        with self.claim(plan, chunk) as mine:
            return mine and self.real
