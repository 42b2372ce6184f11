"""`ci-theory explore`: the page of the phenomena, served on this machine or written to a folder."""

import sys
import webbrowser
from pathlib import Path

from ci_theory import phenomena
from ci_theory._errors import BadInput
from ci_theory.cli import modules
from ci_theory.cli.failures import bug, explain
from ci_theory.cli.output import say
from ci_theory.explore import site
from ci_theory.explore.server import Explorer


def serve(name: str | None, port: int, browser: bool) -> None:
    """Serve the pages until Ctrl-C.

    Raises:
        BadInput: no such phenomenon, or the port is taken.
    """
    loaded = dict([modules.named(name)]) if name else {}
    with Explorer(port, loaded, explained) as server:
        address = server.url(next(iter(loaded), ""))
        say(f"{address}  (Ctrl-C ends it)")
        sys.stdout.flush()
        if browser:
            webbrowser.open(address)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            say("")


def write(name: str | None, folder: Path) -> None:
    """Write the page of a phenomenon, or of every one that is registered, to a folder.

    Raises:
        BadInput: no such phenomenon, or the folder cannot be written to.
    """
    shown = [modules.named(name)] if name else []
    for each in [] if name else phenomena.names():
        try:
            shown.append((each, phenomena.load(each)))
        except BadInput as problem:  # a broken plug-in must not take the others with it
            say(problem)
    files = site.write(folder, shown, say)
    pages = len(files) - 1
    say(f"{folder / 'index.html'} and {pages} page{'' if pages == 1 else 's'}")


def explained(problem: BaseException) -> str:
    """Tell an exception in one line, as a command would."""
    return (explain(problem) or bug(problem)).line
