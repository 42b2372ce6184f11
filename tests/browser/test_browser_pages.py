"""Every page in a real browser: no error, nothing asked elsewhere, the numbers of predict."""

import http.client
import json
import os
import statistics

import pytest
from places import refused, single

from ci_theory.explore import controls, curve
from ci_theory.explore.address import read
from ci_theory.phenomena import load, names

LIGHT = ["ridge_peak", "repeated_data", "imbalanced_mixture", "prior_bias", "two_stage_ridge"]
EVERY = bool(os.environ.get("CI_THEORY_BROWSER_ALL"))
MOVED = names() if EVERY else LIGHT
"""Phenomena whose controls are all moved: all would take a quarter of an hour more."""
PAGE = 3600 if EVERY else 300
"""Seconds for all controls of one page: each static value is compiled anew."""

TABLE = """() => [...document.querySelectorAll('#table tbody tr')].map(row => [...row.children].map(
    cell => [cell.dataset.name || '', cell.dataset.value, cell.dataset.status || '']))"""


def shown(page):
    """Return the table of a page: places, and for every prediction values and statuses."""
    rows = page.evaluate(TABLE)
    found = {}
    for row in rows:
        for name, value, status in row[1:]:
            one = found.setdefault(name, {"value": [], "status": []})
            one["value"].append(float(value) if value else None)
            one["status"].append(status)
    return [float(row[0][1]) for row in rows], found


def served_table(base, name, address):
    host = base.removeprefix("http://").strip("/")
    connection = http.client.HTTPConnection(host, timeout=120)
    connection.request("GET", f"/of/{name}/curve?{address}", headers={"Host": host})
    return json.loads(connection.getresponse().read())


def assert_same(page, table):
    places, found = shown(page)
    (axis,) = table["axes"]
    assert places == table["params"][axis]
    assert set(found) == set(table["observables"])
    for name, one in table["observables"].items():
        assert found[name] == {"value": one["value"], "status": one["status"]}


@pytest.mark.parametrize("name", names())
def test_every_page_opens_and_shows_the_table_of_its_address(visit, name):
    page = visit.open(name)
    assert page.locator("h1").inner_text() == load(name).title
    assert page.locator("#message").inner_text() == ""
    assert page.locator("#plot svg .line, #formulas p").count() >= 1
    answer = served_table(visit.base, name, visit.address)
    assert visit.address == controls.document(load(name), name)["first"]
    assert_same(page, answer["table"])


@pytest.mark.timeout(PAGE)
@pytest.mark.parametrize("name", MOVED)
def test_after_every_control_the_table_is_what_predict_says(visit, name):
    phenomenon = load(name)
    page = visit.open(name)
    for control in controls.document(phenomenon, name)["axes"]:
        row, passed = page.locator(f".knob[data-axis='{control['name']}']"), False
        if "stops" not in control:
            row.locator("select").select_option(control["choices"][-1])
        elif row.locator("input[type=range]").is_visible():
            row.locator("input[type=range]").focus()
            first, last = (control["default"] == control["stops"][end] for end in (0, -1))
            ways = "ArrowRight" if first else "ArrowLeft", "ArrowLeft" if last else "ArrowRight"
            for key in (*ways, "PageDown"):
                page.keyboard.press(key)
                passed |= refused(phenomenon, single(phenomenon, visit.address))
        else:
            continue
        visit.settle()
        address = read(visit.address, phenomenon)
        message = page.locator("#message").inner_text()
        if passed or message:  # a rule forbids a place that the hand passed, or where it is
            visit.troubles = [t for t in visit.troubles if "400" not in t]
        if message:  # then it is told
            assert not page.evaluate(TABLE)
            page.locator("#reset").click()
            visit.settle()
            continue
        assert_same(page, curve.document(phenomenon, address.words))


def test_another_axis_is_drawn_along(visit):
    page = visit.open("ridge_peak")
    page.locator(".knob[data-axis=ridge] button[aria-label^='draw along']").click()
    visit.settle()
    words = read(visit.address, load("ridge_peak")).words
    assert "ridge" in words
    assert "n" not in words
    assert_same(page, curve.document(load("ridge_peak"), words))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_slider_is_followed_at_once(visit, streaming):
    """The median of the time from a move to the table of its address, while dots stream too."""
    page = visit.open("ridge_peak")
    if streaming:
        page.locator("#replicates").fill("2000")
        page.locator("#simulate").click()
    taken = page.evaluate(
        """async (moves) => {
            const slider = document.querySelector(".knob[data-axis=noise] input[type=range]");
            const taken = [];
            for (let i = 0; i < moves; i++) {
                const begun = performance.now();
                slider.value = 10 + i;
                slider.dispatchEvent(new Event("input"));
                const wanted = explore.page.state.text;
                while (document.body.dataset.shown !== wanted)
                    await new Promise((done) => setTimeout(done, 1));
                taken.push(performance.now() - begun);
                await new Promise((done) => setTimeout(done, 30));
            }
            return taken;
        }""",
        40,
    )
    print(f"median {statistics.median(taken):.0f} ms, longest {max(taken):.0f} ms")
    assert statistics.median(taken) < 100


def test_where_the_server_is_slow_a_slider_is_followed_too(visit):
    """By the theory that runs in the page; the server's numbers follow when the hand rests."""
    name, knob = "double_double_descent", "up.noise"
    page = visit.open(name)
    page.evaluate("() => { const p = explore.page; p.server = 1e4; p.source.learn(p.state.text); }")
    page.wait_for_function("() => (window.carriedTheories || []).length === 1", timeout=120_000)
    taken = page.evaluate(
        """async (knob) => {
            const slider = document.querySelector(`.knob[data-axis='${knob}'] input[type=range]`);
            const taken = [];
            for (let i = 0; i < 15; i++) {
                const begun = performance.now();
                slider.value = 10 + i;
                slider.dispatchEvent(new Event("input"));
                const wanted = explore.page.state.text;
                const { dataset } = document.body;
                while (dataset.quick !== wanted && dataset.shown !== wanted)
                    await new Promise((done) => setTimeout(done, 1));
                taken.push(performance.now() - begun);
                explore.page.server = 1e4;
                await new Promise((done) => setTimeout(done, 30));
            }
            return taken;
        }""",
        knob,
    )
    print(f"{name}: median {statistics.median(taken):.0f} ms, longest {max(taken):.0f} ms")
    assert statistics.median(taken) < 300
