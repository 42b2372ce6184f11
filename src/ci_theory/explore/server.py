"""The server behind a page: the standard library's, on this machine only.

It answers GET to whoever calls it by its own address and comes from its own pages; of phenomena
it loads what is registered and the one that the command line named. What goes wrong is one line.

=========================== ============================================================
``/``                        the list of phenomena
``/NAME``                    the page of one; all that it shows stands behind its ``#``
``/page/FILE``               what pages are made of
``/of/NAME/controls``        what can be moved, as JSON
``/of/NAME/curve?ADDRESS``   the theory, as JSON: see ``curve.drawn``
``/of/NAME/few?ADDRESS``     the same at few places, for a hand that moves
``/of/NAME/theory?ADDRESS`` the theory as a script: see ``scripts.of``
``/of/NAME/sweep?ADDRESS``   the declaration of what is simulated, for ``ci-theory run``
``/of/NAME/dots?ADDRESS``    the simulation, as server-sent events: see ``dots.stream``
=========================== ============================================================
"""

import json
import select
import socket
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ci_theory import phenomena
from ci_theory._errors import BadInput, printable
from ci_theory.explore import controls, curve, dots, scripts
from ci_theory.explore.address import read
from ci_theory.phenomena import Phenomenon, statics

HOST = "127.0.0.1"

PAGE = Path(__file__).parent / "page"
"""The folder of what pages are made of."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may do: run and fetch what this server sends, and draw a picture of itself."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_WAIT = 0.2  # seconds between two tries to begin a simulation while another ends


class Answer(NamedTuple):
    """What is sent: a status, a type of content, and the content."""

    status: int
    kind: str
    body: bytes


def explained(problem: BaseException) -> str:
    """Say in one line what went wrong."""
    if isinstance(problem, BadInput):
        return printable(problem)
    return printable(f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}")


class Explorer(ThreadingHTTPServer):
    """Serves the pages of some phenomena until it is shut down.

    ``loaded`` are those that the user named and thereby trusts, by name; any other is loaded by
    its registered name only. ``explain`` tells an exception in one line.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(
        self,
        port: int = 0,
        loaded: Mapping[str, Phenomenon] | None = None,
        explain: Callable[[BaseException], str] = explained,
    ) -> None:
        """Listen on a port, a free one by default.

        Raises:
            BadInput: somebody else listens there, or the system does not allow it.
        """
        self.loaded = dict(loaded or {})
        self.explain = explain
        self.simulating = threading.Lock()
        self.evaluating = {what: threading.Lock() for what in ("curve", "few")}
        self.closing = threading.Event()
        try:
            super().__init__((HOST, port), Handler)
        except OSError as problem:
            reason = problem.strerror or problem
            raise BadInput(f"--port {port}: cannot listen there: {reason}") from None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.server_address[1])

    @cached_property
    def hosts(self) -> frozenset[str]:
        """What a request may call its host."""
        return frozenset({f"{HOST}:{self.port}", f"localhost:{self.port}"})

    def url(self, name: str = "") -> str:
        """Return the address of a page."""
        return f"http://{HOST}:{self.port}/{name}"

    def phenomenon(self, name: str) -> Phenomenon:
        """Return a phenomenon that may be shown.

        Raises:
            BadInput: it may not, or it cannot be loaded.
        """
        if name in self.loaded:
            return self.loaded[name]
        if name not in phenomena.names():
            raise BadInput(f"'{name}' is not registered: see the list of phenomena")
        return phenomena.load(name)

    def catalogue(self) -> list[dict[str, str]]:
        """List every phenomenon; of one that cannot be loaded, why."""
        found = []
        for name in [*(n for n in self.loaded if n not in phenomena.names()), *phenomena.names()]:
            try:
                one = self.phenomenon(name)
                found.append({"name": name, "title": one.title, "question": one.question})
            except BadInput as problem:
                found.append({"name": name, "error": printable(problem)})
        return found

    def server_close(self) -> None:
        """Stop simulations and close."""
        self.closing.set()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away in the middle."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Explorer
    server_version, sys_version = "ci-theory", ""
    timeout = 30.0  # seconds for a request to arrive

    def do_GET(self) -> None:
        """Answer, or say in one line why not."""
        refusal = self._refusal()
        if refusal:
            self._send(self._failed(HTTPStatus.FORBIDDEN, refusal))
            return
        try:
            answer = self._answer()
        except BadInput as problem:
            answer = self._failed(HTTPStatus.BAD_REQUEST, self.server.explain(problem))
        except (Exception, SystemExit) as problem:  # code of other people, too
            answer = self._failed(HTTPStatus.INTERNAL_SERVER_ERROR, self.server.explain(problem))
        if answer is not None:
            self._send(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: a page asks many times a second."""

    def _refusal(self) -> str:
        """Say why a request is refused; empty if it is not.

        A name that somebody else's page has made to mean this machine comes with its own Host;
        a request of another page comes with its Origin.
        """
        if self.headers.get_all("Host") is None or len(self.headers.get_all("Host", [])) != 1:
            return "a request must name one host"
        if self.headers["Host"] not in self.server.hosts:
            return "this server answers to its own address only"
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts}:
            return "this server answers to its own pages only"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            mode, where = self.headers.get("Sec-Fetch-Mode"), self.headers.get("Sec-Fetch-Dest")
            if (mode, where) != ("navigate", "document"):  # a link may lead here, a frame may not
                return "this server answers to its own pages only"
        return ""

    def _answer(self) -> Answer | None:
        parts = urlsplit(self.path)
        match parts.path.split("/")[1:]:
            case [""]:
                return self._file("index.html")
            case ["catalogue"]:
                return _json(self.server.catalogue())
            case ["page", name]:
                return self._file(name)
            case ["of", name, what]:
                return self._of(name, what, parts.query)
            case [name] if name in self.server.loaded or name in phenomena.names():
                return self._file("page.html")
        return self._failed(HTTPStatus.NOT_FOUND, "there is nothing here: see the list")

    def _file(self, name: str) -> Answer:
        known = {file.name: file for file in PAGE.iterdir() if file.suffix in TYPES}
        if name not in known:
            return self._failed(HTTPStatus.NOT_FOUND, "there is no such file")
        return Answer(HTTPStatus.OK, TYPES[known[name].suffix], known[name].read_bytes())

    def _of(self, name: str, what: str, query: str) -> Answer | None:
        one = self.server.phenomenon(name)
        if what == "controls":
            return _json(controls.document(one, name))
        shown = read(query, one)
        if what in ("curve", "few"):
            evaluate = curve.drawn if what == "curve" else curve.few
            with self.server.evaluating[what]:  # one core is left to the dots while nothing moves
                return None if self._gone() else _json(evaluate(one, shown))
        if what == "theory":
            script = scripts.of(one, statics(one, one.point(curve.line(one, shown)[1].first)))
            return Answer(HTTPStatus.OK, TYPES[".js"], script.text.encode())
        if what == "sweep":
            text = dots.toml(dots.declared(one, name, shown))
            return Answer(HTTPStatus.OK, "text/plain; charset=utf-8", text.encode())
        if what == "dots":
            self._stream(dots.declared(one, name, shown), one)
            return None
        return self._failed(HTTPStatus.NOT_FOUND, "there is nothing here: see the list")

    def _stream(self, sweep: Any, one: Phenomenon) -> None:
        """Send the events of a simulation; one at a time, and none that nobody reads."""
        self._head(HTTPStatus.OK, "text/event-stream; charset=utf-8")
        while not self.server.simulating.acquire(timeout=_WAIT):
            if self._gone():
                return
        try:
            for event in dots.stream(sweep, one, self._gone):
                self._event("dots", event)
            self._event("end", {})
        except OSError:
            return  # nobody reads any more
        except (Exception, SystemExit) as problem:
            self._event("failed", {"error": self.server.explain(problem)})
        finally:
            self.server.simulating.release()

    def _event(self, name: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode())
        self.wfile.flush()

    def _gone(self) -> bool:
        """Say whether the client has closed its end, or the server is being closed."""
        if self.server.closing.is_set():
            return True
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def _failed(self, status: int, line: str) -> Answer:
        return _json({"error": line}, status)

    def _send(self, answer: Answer) -> None:
        try:
            self._head(answer.status, answer.kind, len(answer.body))
            self.wfile.write(answer.body)
        except OSError:
            self.close_connection = True

    def _head(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()


def _json(document: Any, status: int = HTTPStatus.OK) -> Answer:
    body = json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    return Answer(status, "application/json; charset=utf-8", body)
