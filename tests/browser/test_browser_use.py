"""What one does with a page: simulate, read by keyboard, play, go back, save, without a mouse."""

import csv
import io

import pytest

from ci_theory.cli import main
from ci_theory.explore import controls
from ci_theory.phenomena import load
from ci_theory.sweeps import Store

WORDS = "n=lin(8,56,25)&p=20&ridge=1&noise=1"


def test_the_dots_are_those_of_the_command(visit, tmp_path):
    page = visit.open(f"ridge_peak#{WORDS}&@seed=7")
    page.locator("#dots").fill("9")
    page.locator("#replicates").fill("20")
    page.locator("#replicates").press("Enter")
    page.locator("#simulate").click()
    page.locator("body[data-simulated]").wait_for(timeout=60_000)
    visit.settle()
    assert page.locator("#plot .dot").count() == 9
    assert page.locator("#plot .interval").count() == 9
    assert page.locator("#progress-text").inner_text() == "180 of 180 runs"
    assert "AGREES" in page.locator("#verdicts").inner_text()
    assert "peak in n: located at" in page.locator("#verdicts").inner_text()
    assert page.locator("#plot .measured").count() == 1
    with page.expect_download() as waiting:
        page.locator("#save-toml").click()
    file = tmp_path / "explored.toml"
    waiting.value.save_as(file)
    assert main(["run", str(file), "--store", str(tmp_path / "store")]) == 0
    data = Store.open(tmp_path / "store").dataset()
    dots = page.evaluate("explore.page.dots")
    assert dots["places"] == data["n"].values.tolist()
    for name, one in dots["measures"].items():
        assert one["mean"] == (data[name].sum("replicate") / 20).values.tolist()


def test_a_move_takes_the_old_dots_away_and_begins_anew(visit):
    page = visit.open(f"ridge_peak#{WORDS}&@dots=5&@replicates=4")
    page.locator("body[data-simulated]").wait_for(timeout=60_000)
    before = page.evaluate("explore.page.dots.measures.test_error.mean")
    page.locator(".knob[data-axis=noise] input[type=range]").focus()
    page.keyboard.press("PageUp")
    assert page.evaluate("explore.page.dots") is None
    page.wait_for_function("() => document.body.dataset.simulated === explore.page.state.text")
    assert page.evaluate("explore.page.dots.measures.test_error.mean") != before
    page.locator("#simulate").click()
    visit.settle()
    assert "@dots" not in visit.address
    assert page.locator("#plot .dot").count() == 0


def test_an_address_is_shown_and_kept(visit):
    """Address, page, address: the same, for seeded states of every key."""
    from test_explore_address import some_address

    about = controls.document(load("ridge_peak"), "ridge_peak")
    page = visit.open("ridge_peak")
    for seed in range(25):
        pairs = {k: v for k, v in some_address(about, seed).items() if k not in ("@dots",)}
        wanted = page.evaluate("pairs => explore.written(new Map(pairs))", list(pairs.items()))
        page.evaluate("wanted => { location.hash = wanted; }", wanted)
        page.wait_for_function(f"() => explore.page.state.text === {wanted!r}")
        visit.settle()
        assert page.evaluate("decodeURIComponent(location.hash)") == "#" + "&".join(
            f"{key}={value}" for key, value in pairs.items()
        )
        for key, value in pairs.items():
            if not key.startswith("@"):
                field = page.locator(f".knob[data-axis='{key}'] :is(select, input[type=text])")
                assert field.input_value() == value
    visit.troubles = [t for t in visit.troubles if "400" not in t]  # rules may forbid some points


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("n=1,2&p=0", "p = 0: must be >= 1"),
        ("n=1,2&rige=1", "did you mean 'ridge'?"),
        ("n=1,2&@measure=none", "unknown measure 'none'"),
        ("n=1,2&n=3", "n is given twice"),
        ("n", "expected key=value"),
        ("n=%zz", "not well written"),
        ("noise=1", "expected one range"),
    ],
)
def test_a_bad_address_is_told_in_the_page(visit, address, says):
    page = visit.page
    page.goto(f"{visit.base}ridge_peak#{address}")
    page.locator("#message:not(:empty):not(.waiting)").wait_for(timeout=30_000)
    assert says in page.locator("#message").inner_text()
    assert page.locator("#table tr").count() == 0
    visit.troubles = [t for t in visit.troubles if "400" not in t]


def test_the_keyboard_reads_simulates_and_switches(visit):
    page = visit.open(f"ridge_peak#{WORDS}")
    page.locator("#plot").focus()
    page.keyboard.press("Home")
    assert page.locator("#reading").inner_text().startswith("n 8 · test_error")
    page.keyboard.press("ArrowRight")
    assert page.locator("#plot").get_attribute("aria-valuenow") == "1"
    assert page.locator("#plot").get_attribute("aria-valuetext").startswith("n 10 · test_error")
    page.keyboard.press("l")
    visit.settle()
    assert "@log=y" in visit.address
    page.locator("#plot").focus()
    page.keyboard.press("s")
    page.locator("body[data-simulated]").wait_for(timeout=60_000)
    assert page.locator("#plot .dot").count() > 3


def test_play_moves_one_knob_until_it_is_stopped(visit):
    page = visit.open(f"ridge_peak#{WORDS}")
    play = page.locator(".knob[data-axis=noise] button[aria-label^=play]")
    play.click()
    page.wait_for_function("() => Number(explore.page.state.get('noise')) > 1.2")
    play.click()
    visit.settle()
    stopped = visit.address
    page.wait_for_timeout(400)
    assert visit.address == stopped


def test_with_reduced_motion_nothing_moves_by_itself(visit):
    visit.page.emulate_media(reduced_motion="reduce")
    page = visit.open(f"ridge_peak#{WORDS}")
    page.locator(".knob[data-axis=noise] button[aria-label^=play]").click()
    visit.settle()
    once = visit.address
    page.wait_for_timeout(500)
    assert visit.address == once != WORDS


def test_the_back_button_goes_back(visit):
    page = visit.open("ridge_peak")
    first = visit.address
    page.locator("#preset").select_option(index=1)
    visit.settle()
    assert visit.address != first
    page.go_back()
    page.wait_for_function(f"() => explore.page.state.text === {first!r}")
    visit.settle()


def test_numbers_and_pictures_are_saved(visit, tmp_path):
    page = visit.open(f"ridge_peak#{WORDS}&@decoys=classical")
    saved = {}
    for kind in ("csv", "svg", "png"):
        with page.expect_download() as waiting:
            page.locator(f"#save-{kind}").click()
        waiting.value.save_as(tmp_path / kind)
        assert waiting.value.suggested_filename == f"ridge_peak.{kind}"
        saved[kind] = (tmp_path / kind).read_bytes()
    assert saved["png"].startswith(b"\x89PNG")
    assert len(saved["png"]) > 5000
    drawing = saved["svg"].decode()
    assert "class=" not in drawing
    assert drawing.count("<path") >= 3
    assert "stroke-dasharray" in drawing
    lines = saved["csv"].decode().splitlines()
    assert lines[0] == f"# {visit.address}"
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[1:]))))
    assert [float(row["n"]) for row in rows] == list(range(8, 57, 2))
    curve = page.evaluate("explore.page.shown.curve.test_error")
    assert [float(row["test_error"]) for row in rows] == curve
    assert float(rows[0]["test_error decoy classical"]) == pytest.approx(1 + 20 / 8)


@pytest.mark.parametrize("width", [340, 700])
def test_small_screens_need_no_sideways_scrolling(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 700})
    for name in ("network_inheritance", "ridge_peak"):
        page = visit.open(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator(".knob").last.scroll_into_view_if_needed()
        box = page.locator("#plot").bounding_box()  # still in sight while one moves the last knob
        assert 0 <= box["y"] < 350
        assert box["y"] + box["height"] < 600


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    ["", f"ridge_peak#{WORDS}", "two_stage_ridge#alignment=lin(0,1,9)&up.n=60&down.n=30&p=9"],
)
def test_the_accessibility_checker_finds_nothing(visit, scheme, path):
    from axe_playwright_python.sync_playwright import Axe

    visit.page.emulate_media(color_scheme=scheme)
    if path:
        page = visit.open(path)
        page.locator("#table-part summary").click()
        page.locator("#simulate").click()
        page.locator("#verdicts .chip").first.wait_for(timeout=60_000)
        page.locator("#plot").focus()
        page.keyboard.press("Home")
    else:
        page = visit.page
        page.goto(visit.base)
        page.locator("#list li").nth(3).wait_for()
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []


def test_what_moves_has_a_name_and_a_value_for_who_hears_it(visit):
    page = visit.open("ridge_peak")
    noise = page.get_by_role("slider", name="noise")
    assert noise.get_attribute("aria-valuetext") == "0.3 label²"
    assert page.get_by_role("button", name="play along noise").is_visible()
    assert page.get_by_role("slider", name="Read the curves along the axis").is_visible()
