"""What is asked of every page takes long: with CI_THEORY_BROWSER_ALL only."""

import os
import statistics

import pytest
from places import refused, single, value

from ci_theory._record import Kind
from ci_theory.explore import controls
from ci_theory.phenomena import load, names

LIGHT = ["ridge_peak", "repeated_data", "imbalanced_mixture", "prior_bias", "two_stage_ridge"]
SLOW = {"digits_ridge"}
"""Phenomena whose knobs are followed in more than 0.3 s: this list may only become shorter."""
EVERY = bool(os.environ.get("CI_THEORY_BROWSER_ALL"))
KNOBS = """() => [...document.querySelectorAll('.knob[data-axis]')].filter(
    knob => knob.querySelector('input[type=range]')?.offsetParent).map(knob => knob.dataset.axis)"""
MOVES = """async ([knob, moves]) => {
    const slider = document.querySelector(`.knob[data-axis='${knob}'] input[type=range]`);
    const taken = [];
    const { dataset } = document.body;
    for (let i = 0; i < moves; i++) {
        const begun = performance.now();
        slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
        slider.dispatchEvent(new Event("input"));
        const wanted = explore.page.state.text;
        while (dataset.quick !== wanted && dataset.shown !== wanted)
            await new Promise((done) => setTimeout(done, 1));
        taken.push(performance.now() - begun);
        await new Promise((done) => setTimeout(done, 30));
    }
    return taken;
}"""


@pytest.mark.parametrize("name", names() if EVERY else [])
def test_a_slider_of_any_page_is_followed(visit, name):
    """A knob that compiles nothing; pages whose own server is slow compute beside it."""
    phenomenon = load(name)
    about = controls.document(phenomenon, name)
    fields = single(phenomenon, about["first"])
    free = [
        axis["name"]
        for axis in about["axes"]
        if "stops" in axis and phenomenon.axes[axis["name"]].kind is not Kind.STATIC
        if not any(
            refused(
                phenomenon, {**fields, axis["name"]: value(phenomenon.axes[axis["name"]], stop)}
            )
            for stop in axis["stops"]
        )
    ]
    page = visit.open(name)
    knobs = page.evaluate(KNOBS)
    knob = next(one for one in free if one in knobs)
    taken = page.evaluate(MOVES, [knob, 15])
    print(f"{name}, {knob}: median {statistics.median(taken):.0f} ms, longest {max(taken):.0f} ms")
    assert statistics.median(taken) < (100 if name in LIGHT else 300) or name in SLOW


@pytest.mark.parametrize("name", names() if EVERY else [])
def test_the_accessibility_checker_finds_nothing_on_any_page(visit, name):
    from axe_playwright_python.sync_playwright import Axe

    page = visit.open(name)
    page.locator("#table-part summary").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == [], scheme
