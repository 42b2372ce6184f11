"""Addresses and requests to the server of ``ci-theory explore``: see ``fuzz``.

Whatever is sent, the server answers (or, to what is no request, closes), tells a mistake in one
printable line as strict JSON, and lives. What it draws is what ``ci-theory predict`` says of the
same words; what it declares is read back by ``ci-theory run``.
"""

import contextlib
import http.client
import json
import math
import socket
import threading
import tomllib
from random import Random
from typing import Self
from urllib.parse import quote

import mutation
import toys.mean

from ci_theory.cli.explore import explained
from ci_theory.explore import address, curve
from ci_theory.explore.server import Explorer

NAME = "toys.mean"
GOOD = [
    "n=geom(2,64,6)&noise=0.5&@measure=error&@decoys=halved;root&@log=xy",
    "n=4,9,20&law=uniform&biased=true&shift=2&@dots=3&@replicates=4&@seed=7",
    "noise=lin(0,2,5)&d=4",
    "shift=lin(-1,1,9)&biased=true&@log=no&@decoys=halved",
]
PARTS = [*["curve"] * 6, "sweep", "sweep", "theory", "controls", "dots", "nothing"]
VALUES = [
    "0",
    "1",
    "2",
    "-1",
    "2.5",
    "true",
    "1e300",
    "1e-300",
    "nan",
    "lin(1,9,4)",
    "geom(1,50,7)",
]
VALUES += [
    "log(0,2,3)",
    "1,2,3",
    "9,4",
    "4,4",
    "",
    "lin(-5,5,401)",
    "lin(0,1,5)",
    "uniform",
    "root",
]
VALUES += ["halved;root", "x", "y", "9223372036854775807", "9223372036854775808", "60", "61", "²"]
SENT = [
    b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET /of/toys.mean/curve?n=2,3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    b"GET /page/page.js HTTP/1.0\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n",
    b"HEAD /toys.mean HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: same-origin\r\n\r\n",
]
ANSWERS = {200, 400, 403, 404, 408, 414, 431, 501, 505}


def _as_it_is(text: str, random: Random) -> str:
    return text


def _other_value(text: str, random: Random) -> str:
    """Give one or two of the pairs another value."""
    pairs = [pair.partition("=") for pair in text.split("&")]
    for at in random.sample(range(len(pairs)), random.randint(1, 2)):
        pairs[at] = (pairs[at][0], "=", random.choice(VALUES))
    return "&".join(map("".join, pairs))


class Pages:
    """A server, and what is asked of it."""

    def __init__(self) -> None:
        self.server = Explorer(loaded={NAME: toys.mean.PHENOMENON}, explain=explained)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=30)

    def __call__(self, random: Random, number: int) -> int:
        """Judge a request; return its status, 0 for none."""
        status = self._sent(random) if random.random() < 0.3 else self._asked(random)
        assert self._get("/catalogue")[0] == 200, "the server does not live"
        return status

    def _asked(self, random: Random) -> int:
        text = random.choice(GOOD)
        change = random.choice([_as_it_is, _other_value, _other_value, mutation.mutated])
        text = change(text, random)
        what = random.choice(PARTS)
        if what == "dots" and random.random() < 0.8:  # they compile
            what = "curve"
        if random.random() < 0.1:
            what = mutation.mutated(what, random)
        query = quote(text, safe=random.choice(["@(),.:[]+-=&;", "=&", "%=&"]), errors="replace")
        path = f"/of/{NAME}/{quote(what, errors='replace')}?{query}"
        status, kind, body = self._get(path)
        assert status in ANSWERS, (path, status, body[:300])
        if status != 200:
            self._one_line(path, kind, body)
        elif what in ("curve", "controls", "sweep", "dots"):
            getattr(self, f"_{what}")(path, text, body)
        return status

    def _one_line(self, path: str, kind: str, body: bytes) -> None:
        said = json.loads(body, parse_constant=mutation._no_constant)
        assert set(said) == {"error"}, (path, said)
        assert said["error"].isprintable(), (path, said)
        assert kind.startswith("application/json"), (path, kind)
        assert "internal error" not in said["error"], (path, said)

    def _shown(self, path: str) -> address.Shown:
        shown = address.read(path.partition("?")[2], toys.mean.PHENOMENON)
        again = address.read(shown.text, toys.mean.PHENOMENON)
        assert (dict(again.pairs), again.text) == (dict(shown.pairs), shown.text), path
        return shown

    def _curve(self, path: str, text: str, body: bytes) -> None:
        made = json.loads(body, parse_constant=mutation._no_constant)
        shown = self._shown(path)
        assert set(made["decoys"].get("error", {})) == set(shown.decoys), path
        drawn = [
            made["curve"]["error"],
            made["slack"]["error"],
            *made["decoys"].get("error", {}).values(),
        ]
        assert {len(one) for one in drawn} == {len(made["places"])}, path
        if made["table"] is None:
            assert made["problem"], path
            return
        table = curve.document(toys.mean.PHENOMENON, shown.words)
        assert made["table"] == json.loads(json.dumps(table)), path
        said = table["observables"]["error"]
        for value, status, dot in zip(said["value"], said["status"], drawn[0], strict=True):
            assert (dot is None) == (status != "OK" or value is None), path
            assert dot is None or dot == value, path

    def _controls(self, path: str, text: str, body: bytes) -> None:
        json.loads(body, parse_constant=mutation._no_constant)

    def _sweep(self, path: str, text: str, body: bytes) -> None:
        told = tomllib.loads(body.decode())
        shown = self._shown(path)
        assert (told["seed"], told["replicates"]) == (shown.seed, shown.replicates), path
        words = curve.grid(toys.mean.PHENOMENON, shown.words)
        assert told["fixed"] == words.fixed, path
        ((name, values),) = told["axes"].items()
        assert set(values) <= set(words.ranges[name]), path
        assert len(values) == min(shown.dots, len(words.ranges[name])), path

    def _dots(self, path: str, text: str, body: bytes) -> None:
        assert b"event: failed" not in body, (path, body[-300:])
        events = [line for line in body.decode().split("\n") if line.startswith("data: ")]
        *_, last, end = [json.loads(line[6:]) for line in events]
        assert end == {}, path
        assert all(math.isfinite(v) for v in last["measures"]["error"]["mean"]), path

    def _sent(self, random: Random) -> int:
        """Send bytes that are hardly a request; they may be left without an answer."""
        host = f"127.0.0.1:{self.server.port}".encode()
        raw = random.choice(SENT).replace(b"{host}", host)
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            at, junk = random.randrange(len(raw) + 1), random.choice(mutation.JUNK)
            end = min(at + random.choice([0, 1, 4, 20]), len(raw))
            piece = random.choice([junk.encode("utf-8", "surrogatepass"), b"\r\n", b"\xff", raw])
            raw = raw[:at] + piece + raw[end:]
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as ours:
            ours.sendall(raw)
            with contextlib.suppress(OSError):
                ours.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while piece := ours.recv(65536):
                    answer += piece
        first = answer.split(b"\r\n", 1)[0].split()
        if not first or not first[0].startswith(b"HTTP/"):
            return 0  # nothing, or what HTTP 0.9 was answered with
        status = int(first[1])
        assert status in ANSWERS, (raw, answer[:300])
        return status

    def _get(self, path: str) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        finally:
            connection.close()
