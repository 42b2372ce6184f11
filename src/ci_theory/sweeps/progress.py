"""A progress bar with rate and time left, on stderr, where somebody watches; notes anywhere."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from ci_theory._errors import printable


class _Rate(ProgressColumn):
    """Runs a second, since this process began."""

    def render(self, task: Task) -> Text:
        taken, made = task.elapsed or 0.0, task.completed - task.fields["before"]
        return Text(f"{made / taken:.3g} runs/s" if made and taken else "- runs/s")


class Progress:
    """Shows how far a sweep is; use it in a ``with``.

    Runs that were stored before count towards the bar but not towards the rate.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, show: bool | None = None):
        """``show`` None: only if stderr is a terminal."""
        self.visible = sys.stderr.isatty() if show is None else show
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self.visible,
        )
        self._task = self._bar.add_task(printable(title), total=total, completed=done, before=done)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.visible:  # older versions of rich end a bar that is not shown with an empty line
            self._bar.stop()

    def advance(self, runs: int) -> None:
        """Count runs as done."""
        self._bar.advance(self._task, runs)

    def note(self, text: str) -> None:
        """Print a line on stderr, above the bar if there is one."""
        if self.visible:
            self._bar.console.print(printable(text), highlight=False, markup=False)
        else:
            note(text)


def note(text: str) -> None:
    """Print a line on stderr, whoever watches."""
    print(f"ci-theory: {printable(text)}", file=sys.stderr)
