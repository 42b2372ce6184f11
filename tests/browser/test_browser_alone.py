"""Pages without a server, and theory that the page works out by itself: the numbers of Python."""

import pytest

from ci_theory.explore import curve, site
from ci_theory.explore.address import read
from ci_theory.phenomena import load

NAME = "zipf_learning"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("site")
    site.write(made, [(NAME, load(NAME))], lambda _: None)
    return made


@pytest.fixture
def alone(visit, folder):
    visit.base = f"{folder.as_uri()}/"
    return visit


def assert_close(found, wanted):
    """Within 1e-11 of the scale of each curve, and silent at the same places."""
    for name, values in wanted.items():
        scale = max((abs(v) for v in values if v is not None), default=0.0)
        for a, b in zip(found[name], values, strict=True):
            assert (a is None) == (b is None)
            assert a is None or abs(a - b) <= 1e-11 * scale


def test_a_page_on_a_disk_moves_and_asks_nobody(alone):
    page = alone.open(f"{NAME}.html")
    assert page.locator("#message").inner_text() == ""
    assert page.locator("#simulate").is_disabled()
    for box in page.locator("#decoys input").all():
        box.check()
    alone.settle()
    for axis in ("noise", "exponent", "repeated_fraction"):
        page.locator(f".knob[data-axis={axis}] input[type=range]").focus()
        page.keyboard.press("PageUp")
        alone.settle()
        assert page.locator("#message").inner_text() == ""
        shown = page.evaluate("explore.page.shown")
        address = read(alone.address, load(NAME))
        assert address.decoys
        wanted = curve.drawn(load(NAME), address)
        assert shown["places"] == wanted["places"]
        assert_close(shown["curve"], wanted["curve"])
        assert_close(shown["slack"], wanted["slack"])
        for name, ones in wanted["decoys"].items():
            assert_close(shown["decoys"][name], ones)
        for name, one in shown["breaks"].items():  # its closed form moves with the knobs
            assert_close({name: one["value"]}, {name: wanted["breaks"][name]["value"]})
        assert shown["breaks"]
        for name, one in wanted["table"]["observables"].items():
            assert shown["table"]["observables"][name]["valid"] == one["valid"]
            assert shown["table"]["observables"][name]["status"] == one["status"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (
            "n=2,3&vocabulary=10000&repeated_fraction=0.5&repeats=5",
            "one row cannot fill more than the 2 rows",
        ),
        ("n=geom(60,16000,9)&exponent=0", "exponent = 0: must be >"),
        ("n=geom(60,16000,9)&noise=x", "noise = x: must be a number"),
        ("n=geom(0,16000,9)", "expected lin(a,b,k), geom(a,b,k) or log(x,y,k)"),
        ("n=1,2&nothing=3", "unknown axis 'nothing'"),
        ("noise=0.1", "none given"),
    ],
)
def test_a_page_on_a_disk_refuses_what_python_refuses(alone, address, says):
    page = alone.page
    page.goto(f"{alone.base}{NAME}.html#{address}")
    page.locator("#message:not(:empty):not(.waiting)").wait_for(timeout=30_000)
    assert says in page.locator("#message").inner_text()
    assert page.locator("#table tr").count() == 0


@pytest.mark.parametrize(
    "text", ["lin(1,9,5)", "geom(1,1000,61)", "log(0,3,31)", "3,1,2", "[4,5]", "7,"]
)
@pytest.mark.parametrize("axis", ["n", "noise"])
def test_a_range_has_the_values_that_python_gives(visit, axis, text):
    if axis == "noise":
        text = text if "(" not in text else text.replace("1000", "2").replace("(0,3", "(-3,0")
    page = visit.open("ridge_peak")
    made = page.evaluate(
        """([name, text]) => {
            const axis = explore.page.about.axes.find((one) => one.name === name);
            return explore.rangeOf(axis, text);
        }""",
        [axis, text],
    )
    asked = curve.grid(load("ridge_peak"), {axis: text})
    assert made == list(asked.ranges[axis])


def test_where_the_server_is_slow_the_page_works_it_out(visit):
    page = visit.open("double_double_descent")
    exact = page.evaluate("explore.page.shown.curve")
    page.evaluate("() => { const p = explore.page; p.server = 1e4; p.source.learn(p.state.text); }")
    page.wait_for_function("() => (window.carriedTheories || []).length === 1", timeout=120_000)
    quick = page.evaluate(
        "() => { const { about, state } = explore.page;"
        " const work = new explore.Work(about, state.text);"
        " work.run(1e6); return work.result(); }"
    )
    assert_close(quick["curve"], exact)
    page.locator(".knob[data-axis='up.noise'] input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.body.dataset.quick === explore.page.state.text")
    visit.settle()
    assert not page.evaluate("Boolean(explore.page.shown.quick)")
