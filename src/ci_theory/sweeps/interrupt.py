"""Ctrl-C as a flag, so that it is not lost.

Python raises KeyboardInterrupt wherever its main thread happens to be. If that is inside a
callback of the garbage collector, as JAX has one, the exception is printed and forgotten.
"""

import signal
import threading
from types import TracebackType
from typing import Any


class CtrlC:
    """In a ``with``, the first Ctrl-C only sets a flag; a second one is raised at once, as ever.

    Whoever works in the ``with`` calls ``check`` between two steps. A flag that nobody looked at
    is raised at its end. Another thread's ``with``, or a program that handles Ctrl-C in a way
    of its own, is left alone.
    """

    def __init__(self) -> None:
        """Not pressed."""
        self.pressed = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt

    def __enter__(self) -> "CtrlC":
        here = threading.current_thread() is threading.main_thread()
        self._mine = here and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._mine:
            signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, *_: Any) -> None:
        self.pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if kind is None:
            self.check()
