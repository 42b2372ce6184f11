"""Who works on what: advisory locks by which processes on one store share its chunks.

A lock is on one byte of the store's ``lock`` file. The system releases it when its
process ends, however it ends, so nothing is left behind. Where the file system has no locks,
every lock is granted: two processes may then compute a chunk twice, to the same file.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

from ci_theory._errors import BadInput

_LOOK = 0.1  # seconds between two looks at a lock that another process has
_PER_PLAN = 2**32
PLAN = (0, _PER_PLAN - 1)  # the lock under which plans and sessions are noted


class Locks:
    """Locks on the chunks (plan, chunk) of one store, by this process."""

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
    def hold(
        self, plan: int, chunk: int, *, wait: Callable[[float], None] | None = None
    ) -> Iterator[bool]:
        """Lock a chunk for the time of a ``with``; False if another process has it.

        With ``wait``, wait for that process to finish or die: ``wait(seconds)`` is called between
        two looks with the time waited so far, and may raise to give up.
        """
        place, begun = plan * _PER_PLAN + chunk, time.monotonic()
        while not (mine := self._take(place)) and wait is not None:
            wait(time.monotonic() - begun)
            time.sleep(_LOOK)
        try:
            yield mine
        finally:
            if mine and self.real:
                fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, place)

    def _take(self, place: int) -> bool:
        if self.real:
            try:
                fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except (BlockingIOError, PermissionError):
                return False
            except OSError:
                self.real = False
        return True

    def free(self, plan: int, chunk: int) -> bool:
        """Say whether nobody works on a chunk; False where the file system cannot tell."""
        with self.hold(plan, chunk) as mine:
            return mine and self.real
