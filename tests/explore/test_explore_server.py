"""The server: what it answers and to whom, which phenomena it loads, and who leaves stops it."""

import dataclasses
import http.client
import json
import socket
import sys
import threading
import time

import pytest

from ci_theory import BadInput, phenomena
from ci_theory.cli import main
from ci_theory.cli.explore import explained
from ci_theory.explore import scripts
from ci_theory.explore.server import HEADERS, PAGE, Explorer
from ci_theory.explore.server import explained as plainly
from ci_theory.phenomena import load

WORDS = "n=lin(8,64,9)&p=20&ridge=2&noise=0.5"


@pytest.fixture(scope="module")
def server():
    with Explorer(explain=explained) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield made
        made.shutdown()


def ask(server, path, headers=None, method="GET"):
    """Return status, headers and text of an answer; headers of None are left out."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    given = {"Host": f"127.0.0.1:{server.port}", **(headers or {})}
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def told(server, path, **more):
    status, _, text = ask(server, path, **more)
    return status, json.loads(text)


def test_it_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url("ridge_peak") == f"http://127.0.0.1:{server.port}/ridge_peak"


def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(BadInput, match=f"--port {server.port}: cannot listen there: "):
        Explorer(server.port)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.org"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": None},
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/of/ridge_peak/controls", "/page/page.js"])
def test_who_comes_from_elsewhere_is_refused(server, headers, path):
    status, answer = told(server, path, headers=headers)
    assert status == 403
    assert set(answer) == {"error"}


def test_a_request_that_names_two_hosts_is_refused(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("GET", "/", skip_host=True)
    for host in (f"127.0.0.1:{server.port}", "example.org"):
        connection.putheader("Host", host)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_its_own_pages_and_a_link_are_let_in(server):
    for headers in (
        {"Host": f"localhost:{server.port}"},
        {"Origin": f"http://127.0.0.1:{server.port}", "Sec-Fetch-Site": "same-origin"},
        {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        },
    ):
        assert ask(server, "/ridge_peak", headers=headers)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent_to_it(server, method):
    assert ask(server, "/", method=method)[0] == 501


def test_every_answer_forbids_what_a_page_does_not_need(server):
    for path in ("/", "/ridge_peak", "/page/page.js", "/of/none/controls", "/nothing"):
        _, headers, _ = ask(server, path)
        for name, value in HEADERS.items():
            assert headers[name] == value
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")


def test_pages_hold_nothing_that_the_policy_forbids():
    for file in PAGE.glob("*.html"):
        text = file.read_text()
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick" not in text
        assert text.count("<script") == text.count('<script src="page/')
        assert "http" not in text
        for name in [part.split('"')[0] for part in text.split('"page/')[1:]]:
            assert (PAGE / name).is_file()


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page/..%2fserver.py",
        "/page//etc/passwd",
        "//etc/passwd",
        "/page/",
        "/page/nothing.js",
        "/ridge_peak/",
        "/of/ridge_peak",
        "/of/ridge_peak/nothing",
        "/os",
    ],
)
def test_there_is_nothing_else(server, path):
    status, answer = told(server, path)
    assert status == 404
    assert set(answer) == {"error"}


@pytest.mark.parametrize(
    "name", ["antigravity", "os", "toys.mean", "..", "ridge_peak.py", "_slack"]
)
@pytest.mark.parametrize("what", ["controls", "curve?n=1,2", "dots?n=1,2&@dots=2"])
def test_no_name_outside_the_registry_is_imported(server, name, what):
    sys.modules.pop("antigravity", None)
    status, answer = told(server, f"/of/{name}/{what}")
    assert status == 400
    assert answer["error"].endswith("is not registered: see the list of phenomena")
    assert "antigravity" not in sys.modules


def test_the_table_is_what_predict_prints(server, capsys):
    status, made = told(server, f"/of/ridge_peak/curve?{WORDS}&@decoys=classical&@seed=4")
    assert status == 200
    assert main(["predict", "ridge_peak", *WORDS.split("&"), "--json"]) == 0
    assert made["table"] == json.loads(capsys.readouterr().out)


def test_few_places_can_be_asked_for(server):
    whole = told(server, f"/of/ridge_peak/curve?{WORDS.replace(',9)', ',15)')}")[1]
    status, made = told(server, f"/of/ridge_peak/few?{WORDS.replace(',9)', ',15)')}")
    assert (status, made["table"]) == (200, None)
    assert made["places"] == whole["places"][::2]


def test_the_theory_comes_as_a_script(server):
    status, headers, text = ask(server, f"/of/ridge_peak/theory?{WORDS}")
    assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    statics = {"p": 20, "spectrum": "isotropic", "alpha": 1.5}
    assert text == scripts.of(load("ridge_peak"), statics).text
    assert ask(server, "/of/modular_grokking/theory?step=0,5")[2] == ""
    assert told(server, "/of/ridge_peak/theory?p=0&n=1,2")[0] == 400


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("n=1,2&p=0", "p = 0: must be >= 1"),
        ("n=1,2&rige=1", "did you mean 'ridge'?"),
        ("n=1,2&@decoys=x", "unknown decoy 'x'"),
        ("n=%ff,2", "must be a whole number"),
        ("", "(none given)"),
    ],
)
def test_a_bad_address_is_a_line(server, query, says):
    status, answer = told(server, f"/of/ridge_peak/curve?{query}")
    assert status == 400
    assert says in answer["error"]
    assert "\n" not in answer["error"]
    assert "internal error" not in answer["error"]


def test_a_broken_plug_in_leaves_the_others_in_peace(server, monkeypatch):
    monkeypatch.setattr(phenomena, "_outside", lambda: {"broken": "this_module_is_not_there"})
    status, found = told(server, "/catalogue")
    assert status == 200
    by_name = {one["name"]: one for one in found}
    assert "there is no module this_module_is_not_there" in by_name["broken"]["error"]
    assert by_name["ridge_peak"]["title"] == load("ridge_peak").title
    status, answer = told(server, "/of/broken/controls")
    assert (status, answer["error"]) == (400, by_name["broken"]["error"])


def test_what_goes_wrong_inside_is_one_line(server, monkeypatch):
    from ci_theory.explore import curve

    for problem in (ZeroDivisionError("one\ntwo"), SystemExit(3)):

        def fail(*_, problem=problem):
            raise problem

        monkeypatch.setattr(curve, "drawn", fail)
        status, answer = told(server, "/of/ridge_peak/curve?n=1,2")
        assert status == 500
        assert "\n" not in answer["error"]
        assert ("internal error" in answer["error"]) == isinstance(problem, ZeroDivisionError)
        assert answer["error"]


def events(server, query):
    """Read a stream of events to its end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/of/ridge_peak/dots?{query}")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    text = answer.read().decode()
    connection.close()
    found = []
    for block in text.strip().split("\n\n"):
        kind, data = block.split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_dots_come_as_events(server):
    found = events(server, f"{WORDS}&@dots=4&@replicates=6")
    assert [kind for kind, _ in found[:-1]] == ["dots"] * (len(found) - 1)
    assert found[-1] == ("end", {})
    assert found[-2][1]["done"]
    assert found[-2][1]["places"] == [8, 29, 43, 64]


def test_a_simulation_that_fails_says_so(server, monkeypatch):
    from ci_theory.explore import dots

    monkeypatch.setattr(dots, "summary", lambda data: 1 / 0)
    (found,) = events(server, f"{WORDS}&@dots=4&@replicates=6")
    assert found[0] == "failed"
    assert "ZeroDivisionError" in found[1]["error"]
    assert not server.simulating.locked()


def test_a_client_that_leaves_stops_its_simulation(server):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        query = f"{WORDS}&@dots=9&@replicates=2000".replace("p=20", "p=80")
        head = f"GET /of/ridge_peak/dots?{query} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(12) == b"HTTP/1.0 200"
        deadline = time.monotonic() + 30
        while not server.simulating.locked() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.simulating.locked()
    deadline = time.monotonic() + 30
    while server.simulating.locked() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.simulating.locked()
    assert not any(t.name == "dots" for t in threading.enumerate())


def test_the_phenomenon_of_the_command_line_is_served_beside_the_registered():
    mine = dataclasses.replace(load("ridge_peak"), name="mine")
    with Explorer(loaded={"mine": mine}) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        assert ask(server, "/mine")[0] == 200
        status, about = told(server, "/of/mine/controls")
        assert (status, about["name"], about["presets"]) == (200, "mine", [])
        status, made = told(server, f"/of/mine/curve?{about['first'].replace('#', '')}")
        assert status == 200
        assert made["places"] == made["table"]["params"][made["axis"]]
        assert told(server, "/of/os/controls")[0] == 400
        server.shutdown()


def test_what_a_browser_is_told_of_every_answer():
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
        "img-src": "'self' blob: data:", "connect-src": "'self'", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    others = {name: value for name, value in HEADERS.items() if name[:7] != "Content"}
    assert others == {
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }  # fmt: skip


def test_a_server_that_is_closed_ends_its_simulations():
    with Explorer() as server:
        assert not server.closing.is_set()
    assert server.closing.is_set()


def test_a_registered_phenomenon_that_is_named_is_listed_once():
    with Explorer(loaded={"ridge_peak": load("ridge_peak")}) as server:
        assert [one["name"] for one in server.catalogue()] == phenomena.names()


def test_few_places_do_not_wait_for_a_whole_curve(server, monkeypatch):
    from ci_theory.explore import curve

    def held(*_):
        return [what for what, lock in server.evaluating.items() if lock.locked()]

    for what, name in (("few", "few"), ("curve", "drawn")):
        monkeypatch.setattr(curve, name, held)
        assert told(server, f"/of/ridge_peak/{what}?{WORDS}") == (200, [what])


@pytest.mark.parametrize("what", ["curve", "dots"])
def test_for_a_client_that_left_while_it_waited_nothing_is_begun(what, server, monkeypatch):
    from ci_theory.explore import curve, dots

    begun = []
    monkeypatch.setattr(curve, "drawn", lambda *_: begun.append("curve"))
    monkeypatch.setattr(dots, "stream", lambda *_: begun.append("dots") or iter(()))
    before = threading.active_count()
    with server.simulating if what == "dots" else server.evaluating["curve"]:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            path = f"/of/ridge_peak/{what}?{WORDS}&@dots=4"
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
            client.sendall(head.encode())
            time.sleep(0.3)
        time.sleep(0.3)
    deadline = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert begun == []


def test_what_goes_wrong_is_a_line_without_the_command_line_too():
    assert plainly(BadInput("n = 0: \x1b must be >= 1")) == "n = 0: \\x1b must be >= 1"
    assert plainly(ZeroDivisionError("one\n  two")) == "ZeroDivisionError: one two"
    assert plainly(ValueError("x" * 999)) == f"ValueError: {'x' * 300}"
