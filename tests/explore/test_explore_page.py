"""What the pages do, without a browser: page.js and all that it moves, alone and with a server."""

import csv
import io
import json

import pytest
from browserless import Browserless
from toy_page import ABOUT, FIRST, SECOND, THEORY, served

PLAIN = "n=1,2,4,8"


@pytest.fixture
def alone():
    """The toy without a server, with its theory, and the curve of its first preset."""
    return Browserless(carried={"controls": ABOUT, "curves": {PLAIN: served()}}, before=THEORY)


def answered(**more):
    """What a server says of the toy; ``more`` paths by the address of a curve."""
    curves = {FIRST: served(), **more}
    told = {f"of/toy/curve?{text}": [200, json.dumps(one)] for text, one in curves.items()}
    few = {
        path.replace("curve?", "few?"): [200, json.dumps({**served((1, 8)), "table": None})]
        for path in told
    }
    return {"of/toy/controls": [200, json.dumps(ABOUT)], **told, **few}


@pytest.fixture
def live():
    return Browserless(answers=answered())


def lines(page):
    return page.get("explore.page.chart.model.lines.map((one) => [one.name, one.style])")


def knob(page, axis, stop):
    """Move a slider to one of its stops, and let go."""
    page.do(
        f"{{ const {{ slider }} = explore.page.knobs.rows.get('{axis}'); slider.value = '{stop}';"
        "slider.fire('input'); slider.fire('change'); pass(200); }"
    )


def go(page, address):
    """Follow a link to another address of the page."""
    page.do(f"location.hash = {json.dumps(address)}; heard.hashchange.forEach((call) => call())")


# ---- a page without a server ---------------------------------------------------------------------


def test_it_opens_with_its_first_preset_and_asks_nobody(alone):
    assert alone.text("#title") == "A toy"
    assert alone.get("document.title") == "toy: ci-theory explore"
    assert alone.text("#question") == "Does it move?"
    assert alone.get("$$('#model code').map((one) => one.textContent)") == ["x"]
    assert alone.text("#message") == ""
    assert alone.get("asked") == []
    assert alone.get("document.body.dataset.shown") == FIRST
    assert alone.get("explore.page.shown.curve.error") == [4.0, 2.0, 1.0, 0.5]
    assert alone.get("[$('#preset').value, $('#measure').value]") == [FIRST, "error"]
    assert alone.get("$$('#preset option').map((o) => o.value)") == [FIRST, SECOND]
    assert alone.get("$$('#measure option').map((o) => o.value)") == ["error", "gap", "size"]
    for name in ("simulate", "dots", "replicates", "seed", "save-toml"):
        assert alone.get(f"$('#{name}').disabled")
    assert "needs ci-theory explore" in alone.text("#progress-text")
    assert alone.get("[$('#log-x').checked, $('#log-y').checked]") == [False, False]


def test_a_knob_moves_the_curve_and_the_address(alone):
    knob(alone, "up.noise", 3)
    assert alone.get("location.hash") == "#n=1,2,4,8&@seed=3&up.noise=2"
    assert alone.get("explore.page.shown.curve.error") == [8.0, 4.0, 2.0, 1.0]
    assert alone.get("explore.page.shown.slack.error") == [0.8, 0.4, 0.2, 0.1]
    assert alone.get("explore.page.shown.decoys.error") == {}  # none is ticked: none is worked out
    knob(alone, "up.noise", 2)  # the default is not written
    assert alone.get("location.hash") == f"#{FIRST}"
    assert alone.get("$('.knob[data-axis=up.noise] input[type=text]').value") == "1"


def test_what_it_does_not_carry_is_said_and_nothing_old_is_left(alone):
    knob(alone, "p", 0)  # there are theories of two
    assert alone.get("explore.page.shown.curve.error") == [2.0, 1.0, 0.5, 0.25]
    go(alone, "n=1,2,4,8&p=3")
    assert "no server behind it and does not carry the theory of this point" in alone.text(
        "#message"
    )
    assert alone.get("$('#plot').classList.contains('stale')")
    assert alone.get("[explore.page.shown, $$('#table tr').length]") == [None, 0]
    assert "run ci-theory explore toy" in alone.text("#message")
    go(alone, FIRST)
    assert not alone.get("$('#plot').classList.contains('stale')")
    held = Browserless(carried={"controls": ABOUT, "curves": {PLAIN: served()}})
    assert held.text("#message") == ""  # the seed of its address is none of the words of a curve
    assert held.get("explore.page.shown.curve.exact") == [None, 2.0, 1.0, 0.5]
    assert held.get("$$('#knobs input').every((one) => one.disabled)")
    assert held.get("$('#knobs select').disabled")
    assert held.get("$$('#knobs button').every((one) => one.disabled)")
    go(held, "n=1,2")
    assert "shows the presets only" in held.text("#message")


def test_a_number_that_is_built_in_has_the_stops_that_it_was_made_for(alone):
    stops = "explore.page.about.axes.map((one) => [one.name, one.stops || null, Boolean(one.held)])"
    assert alone.get(stops) == [
        ["n", [1, 2, 4, 8, 16], False],
        ["up.noise", [0, 0.5, 1, 2], False],
        ["p", [2, 4], True],
        ["kind", None, False],
        ["on", None, False],
    ]
    along = "$$('.knob button').filter((b) => b.attributes['aria-label'].startsWith('draw'))"
    assert alone.get(f"{along}.map((b) => b.disabled)") == [False, False, True]
    go(alone, "p=2,4")
    assert "does not carry the theory of this point" in alone.text("#message")


def test_stops_of_what_is_built_in_are_in_order_and_only_of_what_is_in_every_theory():
    stops = "explore.page.about.axes.map((one) => one.held ? one.stops : null)"
    page = Browserless(
        carried={"controls": ABOUT, "curves": {}}, before=THEORY.replace("[4, 2]", "[10, 4, 2]")
    )
    assert page.get(stops) == [None, None, [2, 4, 10], None, None]
    some = f"{THEORY}; carriedTheories[0].fixed = {{ kind: 'a' }}"
    page = Browserless(carried={"controls": ABOUT, "curves": {}}, before=some)
    assert page.get(stops) == [None] * 5


def test_a_place_that_a_rule_forbids_is_empty_and_all_of_them_are_an_error(alone):
    go(alone, "n=4,8,16&@decoys=half;silent")
    assert alone.text("#message") == "n = 16: at most 12"
    assert alone.get("explore.page.shown.curve.error") == [1.0, 0.5, None]
    assert alone.get("explore.page.shown.slack.error") == [0.1, 0.05, None]
    assert alone.get("explore.page.shown.decoys.error") == {"half": [0.5, 0.25, None]}
    assert alone.get("explore.page.shown.table") is None
    go(alone, "n=13,16")
    assert alone.text("#message") == "n = 13: at most 12"
    assert alone.get("explore.page.shown") is None


def test_a_value_counts_with_a_status_a_number_and_an_honest_slack(alone):
    go(alone, "n=6,7,8&@decoys=half")
    assert alone.get("explore.page.shown.decoys.error.half.map((v) => v === null)") == [
        False, True, False,
    ]  # fmt: skip
    told = {"n": [6, 7, 8], "up.noise": 1, "p": 4, "kind": "a", "on": False}
    assert alone.get("explore.page.shown.table.params") == told
    one = alone.get("explore.page.shown.table.observables")
    assert one["error"]["status"] == ["OK", "NOT_FINITE", "OK"]
    assert one["error"]["valid"] == [True, False, False]
    assert one["exact"]["status"] == ["OK", "OUT_OF_SCOPE", "OK"]
    assert alone.get("explore.page.shown.curve.exact") == [4 / 6, None, 0.5]
    assert one["exact"]["value"] == pytest.approx([4 / 6, 4 / 7, 0.5])
    assert one["exact"]["valid"] == [True, False, True]
    go(alone, "up.noise=0,1,2")
    one = alone.get("explore.page.shown.table.observables")
    assert one["gap"]["valid"] == [False, True, False]  # a slack below 0, one, and no number


SLOWLY = (  # 30 ms a place
    "carriedTheories.forEach((one) => { const { rule } = one;"
    "one.rule = (at) => { clock.now += 30; return rule(at); }; })"
)


def test_both_ends_come_first_and_then_what_is_between():
    page = Browserless(carried={"controls": ABOUT, "curves": {}}, before=THEORY)
    assert page.get("explore.coarseFirst(2)") == [0, 1]
    for count in (1, 3, 7, 13, 61, 400):
        order = page.get(f"explore.coarseFirst({count})")
        assert sorted(order) == list(range(count))
        assert order[:2] == [0, count - 1][:count]
    first = sorted(page.get("explore.coarseFirst(61)")[:9])
    assert first == [0, 8, 16, 24, 32, 40, 48, 56, 60]


def test_what_takes_long_is_drawn_coarsely_first_and_then_exactly(alone):
    alone.do(SLOWLY)
    alone.do(
        "var drawn = []; const draw = explore.page._draw;"
        "explore.page._draw = new Proxy(draw, { apply(f, page, args) {"
        "const { places, quick } = page.shown; drawn.push([places.length, quick]);"
        "return f.apply(page, args); } })"
    )
    go(alone, "n=1,2,3,4,5,6,8,9&up.noise=2")
    assert alone.get("drawn") == []  # three places are no curve yet
    alone.do("pass(1)")
    assert alone.get("document.body.dataset.quick") == "n=1,2,3,4,5,6,8,9&up.noise=2"
    assert alone.get("document.body.dataset.shown") != "n=1,2,3,4,5,6,8,9&up.noise=2"
    assert alone.get("explore.page.shown.places") == [1, 2, 3, 4, 5, 9]
    assert alone.get("explore.page.shown.curve.error") == [8, 4, 8 / 3, 2, 8 / 5, 8 / 9]
    alone.do("pass(1)")
    assert alone.get("document.body.dataset.shown") == "n=1,2,3,4,5,6,8,9&up.noise=2"
    assert alone.get("drawn") == [[6, True], [8, False]]
    assert alone.get("explore.page.shown.curve.error") == [8 / n for n in (1, 2, 3, 4, 5, 6, 8, 9)]


def test_work_ends_where_the_page_moves_on(alone):
    alone.do(SLOWLY)
    go(alone, "n=1,2,3,4,5,6,8,9&up.noise=2")
    begun = alone.get("clock.now")
    alone.do("explore.page.state.set('up.noise', '0.5'); explore.page.changed(true); pass(1)")
    alone.do("pass(1)")
    alone.do("pass(1)")
    assert alone.get("explore.page.shown.curve.error[0]") == 2
    assert alone.get("document.body.dataset.shown") == "n=1,2,3,4,5,6,8,9&up.noise=0.5"
    assert alone.get("clock.now") - begun < 12 * 30 + 20  # four places of the first, not eight


def test_a_closed_form_marks_its_break_wherever_the_knobs_are(alone):
    go(alone, "n=4,6,8&up.noise=2")
    assert alone.get("explore.page.shown.breaks") == {"peak": {"axis": "n", "value": [8, 8, 8]}}
    assert alone.get("explore.page.chart.model.breaks.map((b) => [b.kind, b.at])") == [
        ["closed", 8],
    ]  # fmt: skip
    go(alone, "n=4,6,8&up.noise=0")
    assert alone.get("explore.page.shown.breaks.peak.value") == [None] * 3
    assert alone.get("explore.page.chart.model.breaks") == []
    go(alone, "up.noise=0,1,2")  # the closed form of the break there is not carried
    assert alone.get("explore.page.shown.breaks") == {}


# ---- knobs ---------------------------------------------------------------------------------------


def test_another_axis_is_drawn_along_with_the_measure_of_its_break(alone):
    alone.do("explore.page.state.set('@log', 'y')")
    alone.do("explore.page.knobs.rows.get('up.noise').along.click(); pass(200)")
    assert alone.get("location.hash") == "#@seed=3&up.noise=lin(0,2,5)&@measure=gap"
    assert alone.get("explore.page.shown.places") == [0, 0.5, 1, 1.5, 2]
    rows = "[...explore.page.knobs.rows.values()].filter((one) => one.slider)"
    for part in ("slider", "play"):
        assert alone.get(f"{rows}.map((one) => one.{part}.hidden)") == [False, True, False]
    seen = "one.row.classList.contains('along')"
    assert alone.get(f"{rows}.map((one) => {seen})") == [False, True, False]
    assert alone.get(f"{rows}.map((one) => one.along.getAttribute('aria-pressed'))") == [
        "false", "true", "false",
    ]  # fmt: skip
    alone.do("explore.page.knobs.rows.get('up.noise').along.click(); pass(200)")  # there already
    assert alone.get("location.hash") == "#@seed=3&up.noise=lin(0,2,5)&@measure=gap"


def test_a_field_takes_any_number_or_range_and_nothing_is_the_default(alone):
    def type_in(axis, text):
        field = f"explore.page.knobs.rows.get('{axis}').field"
        alone.do(f"{field}.value = {json.dumps(text)}; {field}.fire('change'); pass(200)")

    type_in("up.noise", " 1.25 ")
    assert alone.get("location.hash") == f"#{FIRST}&up.noise=1.25"
    slider = "explore.page.knobs.rows.get('up.noise').slider"
    assert alone.get(f"{slider}.value") == 2  # the nearest stop
    assert alone.get(f"{slider}.getAttribute('aria-valuetext')") == "1.25 label²"
    type_in("up.noise", "")
    assert alone.get("location.hash") == f"#{FIRST}"
    type_in("n", "6")  # no axis is left to draw along: it keeps its range
    assert alone.get("explore.page.state.along()") == "n"
    assert alone.get("location.hash") == "#n=geom(1,16,5)&@seed=3"


def test_what_is_being_typed_is_left_alone_while_it_says_the_same(alone):
    field = "explore.page.knobs.rows.get('up.noise').field"
    for typed, shown in ((" 1 ", " 1 "), ("2 ", "1")):
        alone.do(f"document.activeElement = {field}; {field}.value = '{typed}'")
        alone.do("explore.page.knobs.show()")
        assert alone.get(f"{field}.value") == shown
    alone.do(f"{field}.value = ' 1 '; document.activeElement = null; explore.page.knobs.show()")
    assert alone.get(f"{field}.value") == "1"


@pytest.mark.parametrize("how", ["slider", "along"])
def test_a_hand_ends_a_play_and_the_address_is_written(how, live):
    row = "explore.page.knobs.rows.get('up.noise')"
    live.do(f"fetch = () => new Promise(() => {{}}); {row}.play.click()")
    assert live.get("explore.page.knobs.playing") == "up.noise"
    assert live.get("location.hash") == f"#{FIRST}"  # not yet: a few times a second
    if how == "slider":
        live.do(f"{row}.slider.value = '0'; {row}.slider.fire('input')")
        assert live.get("location.hash") == f"#{FIRST}&up.noise=2"
    else:
        live.do(f"{row}.along.click()")
        assert live.get("location.hash") == "#@seed=3&up.noise=lin(0,2,5)&@measure=gap"
    assert live.get("explore.page.knobs.playing") is None
    assert live.get(f"{row}.play.textContent") == "▶"


def test_words_and_parts_have_their_own_knobs(alone):
    assert alone.get("$$('#knobs legend').map((one) => one.textContent)") == ["upstream (up)"]
    assert alone.text(".knob[data-axis=up.noise] label") == "noise"
    sides = [{**axis, "name": axis["name"].replace("up.", "side.")} for axis in ABOUT["axes"]]
    page = Browserless(carried={"controls": {**ABOUT, "axes": sides}, "curves": {}})
    assert page.get("$$('#knobs legend').map((one) => one.textContent)") == ["side"]
    assert alone.text(".knob[data-axis=up.noise] .unit") == "label²"
    assert alone.get("$$('.knob[data-axis=n] .doc code').map((one) => one.textContent)") == ["x"]
    choose = "explore.page.knobs.rows.get('kind').field"
    alone.do(f"{choose}.value = 'b'; {choose}.fire('change'); pass(200)")
    assert alone.get("location.hash") == f"#{FIRST}&kind=b"
    assert "does not carry" in alone.text("#message")
    alone.do(f"{choose}.value = 'a'; {choose}.fire('change'); pass(200)")
    assert alone.get("location.hash") == f"#{FIRST}"
    assert alone.text("#message") == ""


def test_a_play_goes_round_and_ends_where_it_is_stopped(live):
    told = [f"n=1,2,4,8&@seed=3&up.noise={v}" for v in (2, 0, 0.5)]
    live.do(f"Object.assign(answers, {json.dumps(answered(**{t: served() for t in told}))})")
    live.do("$('.knob[data-axis=up.noise]').querySelectorAll('button')[1].click()")
    seen = [live.get("explore.page.state.get('up.noise')")]
    for _ in range(3):
        live.do("pass(60)")
        seen.append(live.get("explore.page.state.get('up.noise')"))
    assert seen == ["2", "0", "0.5", ""]  # past the last stop it begins anew; 1 is the default
    play = "explore.page.knobs.rows.get('up.noise').play"
    assert live.get(f"[{play}.textContent, {play}.getAttribute('aria-pressed')]") == ["■", "true"]
    live.do(f"{play}.click(); pass(1000)")
    assert live.get("explore.page.state.get('up.noise')") == ""
    assert live.get(f"[{play}.textContent, {play}.getAttribute('aria-pressed')]") == ["▶", "false"]
    live.do(f"reduced = true; {play}.click(); pass(1000)")  # each press is one step
    assert live.get("[explore.page.state.get('up.noise'), explore.page.knobs.playing]") == [
        "2",
        None,
    ]


# ---- the page ------------------------------------------------------------------------------------


def test_a_preset_is_taken_and_given_back(alone):
    alone.do(f"$('#preset').value = {json.dumps(SECOND)}; $('#preset').fire('change'); pass(200)")
    assert alone.get("location.hash") == f"#{SECOND}"
    assert alone.get("[$('#log-x').checked, $('#preset').value]") == [True, SECOND]
    knob(alone, "up.noise", 0)
    assert alone.get("location.hash") != f"#{SECOND}"
    alone.do("$('#reset').click(); pass(200)")
    assert alone.get("location.hash") == f"#{SECOND}"
    assert alone.get("went.map(([how]) => how)")[-1] == "push"  # one goes back to it


def test_scales_are_set_by_hand(alone):
    alone.do("$('#log-x').click(); pass(200)")
    assert alone.get("location.hash") == f"#{FIRST}&@log=x"
    assert alone.get("[explore.page.chart.x.log, explore.page.chart.y.log]") == [True, False]
    alone.do("$('#log-y').click(); pass(200)")
    assert alone.get("location.hash") == f"#{FIRST}&@log=xy"
    alone.do("$('#log-x').click(); $('#log-y').click(); pass(200)")
    assert alone.get("location.hash") == f"#{FIRST}&@log=no"


def test_a_measure_has_its_own_lines_breaks_decoys_and_formulas(live):
    assert lines(live) == [["error", "t0"], ["exact", "t1"]]
    breaks = "explore.page.chart.model.breaks.map((one) => [one.name, one.kind, one.at])"
    assert live.get(breaks) == [["peak", "closed", 4], ["peak, in the curve", "located", 3.5]]
    assert live.get("$$('#decoys input').map((one) => one.dataset.decoy)") == ["half"]
    live.do("$('#measure').value = 'gap'; $('#measure').fire('change')")
    text = f"{FIRST}&@measure=gap"
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served()}))})")
    live.do("explore.page.changed(true)")
    assert lines(live) == [["gap", "t0"]]
    assert live.get(breaks) == []
    assert live.get("$$('#decoys input').map((one) => one.dataset.decoy)") == ["flip"]
    assert live.get("explore.page.chart.model.y") == {"name": "gap", "unit": "", "log": False}
    live.do("explore.page.state.set('@measure', 'size'); explore.page._draw()")
    assert "simulated only" in live.text("#formulas")
    assert live.get("$('#decoys-part').hidden")


def test_a_decoy_is_drawn_where_it_is_ticked(live):
    text = f"{FIRST}&@decoys=half"
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served()}))})")
    live.do("$('#decoys input').click(); pass(200)")
    assert live.get("location.hash") == f"#{text}"
    assert lines(live) == [["error", "t0"], ["exact", "t1"], ["half (error)", "d0"]]
    legend = "$$('#legend li').map((one) => one.textContent)"
    assert "decoy: half (error)" in live.get(legend)
    assert live.get("$('#decoys input').checked")
    live.do("$('#decoys input').click(); pass(200)")
    assert live.get("location.hash") == f"#{FIRST}"
    assert lines(live) == [["error", "t0"], ["exact", "t1"]]


def test_the_keyboard_reads_the_curves(live):
    def press(key, **more):
        return live.get(f"$('#plot').fire('keydown', {json.dumps({'key': key, **more})})")

    live.do("$('#skip').click()")
    assert live.get("document.activeElement === $('#plot')")
    assert press("End")
    assert live.text("#reading") == "n 8 · error 0.5 ± 0.05 · exact 0.5"
    assert live.get("$('#plot').getAttribute('aria-valuenow')") == "3"
    assert press("ArrowRight")
    assert live.get("explore.page.chart.cursor") == 3
    assert press("ArrowLeft")
    assert live.get("explore.page.chart.cursor") == 2
    assert press("Home")
    assert live.text("#reading") == "n 1 · error 4 ± 0.4 · exact none"
    assert press("ArrowDown")
    assert live.get("explore.page.chart.cursor") == 0
    assert press("ArrowUp")
    assert live.get("explore.page.chart.cursor") == 1
    assert not press("ArrowUp", ctrlKey=True)
    assert not press("q")
    assert live.get("explore.page.chart.cursor") == 1
    assert press("L")
    assert live.get("explore.page.state.get('@log')") == "y"


def test_keys_simulate_and_play_and_none_is_taken_from_the_browser(live, alone):
    def press(page, key, **more):
        return page.get(f"$('#plot').fire('keydown', {json.dumps({'key': key, **more})})")

    told = answered(**{f"{FIRST}&up.noise=2": served()})
    live.do(f"Object.assign(answers, {json.dumps(told)})")
    for modifier in ("ctrlKey", "altKey", "metaKey"):
        assert not press(live, "s", **{modifier: True})
        assert not press(live, "p", **{modifier: True})
    assert live.get("[streams.length, explore.page.knobs.playing]") == [0, None]
    assert press(live, "p")
    assert live.get("explore.page.knobs.playing") == "up.noise"  # not what is drawn along
    assert press(live, "P")
    assert live.get("explore.page.knobs.playing") is None
    assert press(live, "s")
    assert "@dots=12" in live.get("location.hash")
    live.do("explore.page.shown = null")
    assert not press(live, "s")
    press(alone, "p")  # what has no server does not play
    assert alone.get("explore.page.knobs.playing") is None


def test_the_command_says_what_the_page_shows(alone):
    go(alone, "n=geom(1,8,4)&up.noise=2")
    assert alone.text("#command") == "ci-theory predict toy 'n=geom(1,8,4)' up.noise=2"


def test_an_axis_from_zero_has_no_logarithm_and_a_steep_curve_has_one(alone, live):
    go(alone, "up.noise=0,1,2&@log=x")
    assert alone.get("[explore.page.chart.x.log, $('#log-x').checked]") == [False, False]
    steep = served()
    steep["curve"] = {**steep["curve"], "error": [100.0, 10.0, 4.0, 3.0]}
    live.do(f"Object.assign(answers, {json.dumps(answered(**{FIRST: steep}))})")
    live.do("explore.page.changed(true)")
    assert live.get("[$('#log-x').checked, $('#log-y').checked]") == [False, True]
    assert live.get("explore.page.chart.y.log")


def test_a_prediction_that_says_nothing_has_no_line_and_one_alone_needs_no_name(live):
    text = f"{FIRST}&@measure=gap&@decoys=flip"
    silent, wrong = served(), served()
    silent["curve"] = {**silent["curve"], "exact": [None] * 4}
    wrong["decoys"] = {"gap": {"flip": [1.0] * 4}}
    live.do(f"Object.assign(answers, {json.dumps(answered(**{FIRST: silent, text: wrong}))})")
    live.do("explore.page.changed(true)")
    assert lines(live) == [["error", "t0"]]
    go(live, text)
    assert lines(live) == [["gap", "t0"], ["flip", "d0"]]


def test_a_page_that_is_opened_replaces_its_address_and_one_that_says_the_same_is_no_change(live):
    assert live.get("went") == [["replace", f"#{FIRST}"]]
    live.do("asked.length = 0")
    go(live, FIRST)
    assert live.get("asked") == []
    bare = {**ABOUT, "presets": []}
    page = Browserless(carried={"controls": bare, "curves": {PLAIN: served()}})
    assert page.get("$('#preset').parentElement.hidden")
    assert not live.get("$('#preset').parentElement.hidden")


def test_a_play_ends_where_the_address_is_another_or_nothing_can_be_drawn(live):
    play = "explore.page.knobs.rows.get('up.noise').play"
    live.do("fetch = () => new Promise(() => {})")
    live.do(f"{play}.click()")
    assert live.get("explore.page.knobs.playing") == "up.noise"
    go(live, "n=2,4")
    assert live.get("explore.page.knobs.playing") is None
    other = Browserless(answers=answered())
    other.do("explore.page.chart.read(1)")
    assert other.text("#reading") != ""
    other.do(f"{play}.click()")  # of that point the server says nothing
    assert "still running" in other.text("#message")
    assert other.get("explore.page.knobs.playing") is None
    assert other.text("#reading") == ""


def test_the_tick_that_has_the_keyboard_keeps_it(live):
    live.do("document.activeElement = $('#decoys input'); explore.page._draw()")
    assert live.get("document.activeElement === $('#decoys input')")


def test_back_and_forward_are_followed_and_a_bad_address_is_told(alone):
    go(alone, "n=2,4")
    assert alone.get("explore.page.shown.places") == [2, 4]
    go(alone, "n")
    assert "'n': expected key=value" in alone.text("#message")
    page = Browserless(
        carried={"controls": ABOUT, "curves": {PLAIN: served()}}, before=THEORY, address="#n=2,8"
    )
    assert page.get("explore.page.shown.places") == [2, 8]


# ---- a page with a server ------------------------------------------------------------------------


def test_it_asks_the_server_that_sent_it(live):
    assert live.get("asked") == ["of/toy/controls", f"of/toy/curve?{FIRST}"]
    assert live.get("document.body.dataset.shown") == FIRST
    cells = "$$('#table tbody td').map((one) => [one.textContent, one.dataset.valid])"
    assert live.get(cells) == [["4", "true"], ["2", "true"], ["1", "true"], ["0.5*", "false"]]
    assert live.get("$$('#table thead th').map((one) => one.textContent)") == ["n", "error"]


def test_what_the_server_refuses_is_told_in_its_words(live):
    text = f"{FIRST}&up.noise=2"
    live.do(f"answers['of/toy/curve?{text}'] = [400, JSON.stringify({{ error: 'no such thing' }})]")
    knob(live, "up.noise", 3)
    assert live.text("#message") == "no such thing"
    assert live.get("explore.page.shown") is None
    live.do(f"answers['of/toy/curve?{text}'] = [500, '<html>']; explore.page.changed(true)")
    assert live.text("#message") == "the server answers 500"
    live.do(f"delete answers['of/toy/curve?{text}']; explore.page.changed(true)")
    assert "is ci-theory explore still running?" in live.text("#message")


def test_an_answer_that_comes_late_is_not_drawn(live):
    """While one is asked for the state moves on: the last one is asked for when it is there."""
    texts = [f"{FIRST}&up.noise={noise}" for noise in (0, 0.5, 2)]
    live.do(
        f"Object.assign(answers, {json.dumps(answered(**{t: served() for t in texts}))});"
        "var held = []; const quick = fetch; fetch = (path) => new Promise((done) => "
        "held.push(() => done(quick(path))));"
    )
    for stop in (0, 1, 3):
        knob(live, "up.noise", stop)
    assert live.get("held.length") == 1  # one at a time
    live.do("held.shift()()")
    assert live.get("document.body.dataset.shown") == FIRST
    live.do("held.shift()()")  # the server took 600 ms: few places first
    assert live.get("document.body.dataset.quick") == texts[2]
    live.do("held.shift()()")
    assert live.get("document.body.dataset.shown") == texts[2]
    assert live.get("asked.slice(2, 5)") == [
        f"of/toy/curve?{texts[0]}", f"of/toy/few?{texts[2]}", f"of/toy/curve?{texts[2]}",
    ]  # fmt: skip


def test_who_waits_is_told(live):
    live.do("fetch = () => new Promise(() => {}); explore.page.changed(true); pass(701)")
    assert live.get("$('#plot').getAttribute('aria-busy')") == "true"
    assert "working" in live.text("#message")
    assert live.get("$('#message').classList.contains('waiting')")


def test_who_has_waited_is_told_no_longer(live):
    live.do("explore.page.changed(true)")
    live.do("pass(701)")
    assert live.text("#message") == ""  # the answer was there at once
    live.do(
        "var held = []; const quick = fetch; fetch = (path) => new Promise((done) => "
        "held.push(() => done(quick(path)))); explore.page.changed(true); pass(701)"
    )
    assert live.get("$('#plot').getAttribute('aria-busy')") == "true"
    live.do("held.shift()()")
    assert live.get("$('#plot').getAttribute('aria-busy')") is None
    assert live.text("#message") == ""
    assert not live.get("$('#message').classList.contains('waiting')")


def test_a_quick_server_is_waited_for_and_a_slow_one_is_not(live):
    """Up to 60 ms the page works out nothing itself, up to 300 ms it breaks nothing off."""
    live.do(f"{THEORY} var left = 0; explore.page.source.leave = () => left++")
    live.do("fetch = () => new Promise(() => {})")
    for noise, server, quick, broken in ((0, 60, False, 0), (0.5, 61, True, 0), (2, 300, True, 0),
                                         (1.5, 301, True, 1)):  # fmt: skip
        live.do(f"explore.page.server = {server}; delete document.body.dataset.quick")
        live.do(f"explore.page.state.set('up.noise', {noise}); explore.page.changed(false)")
        assert live.get("'quick' in document.body.dataset") is quick
        assert live.get("left") == broken


def test_what_takes_long_is_made_ready_only_when_the_hand_has_let_go(live):
    live.do(
        "const plain = fetch; fetch = async (path) => { clock.now += 400; return plain(path); };"
        "asked.length = 0; explore.page.server = 0; explore.page.changed(false)"
    )
    assert live.get("asked") == [f"of/toy/curve?{FIRST}"]


def event(runs, mean, **more):
    places = [1, 2, 4, 8]
    one = {"mean": mean, "low": [v - 0.1 for v in mean], "high": [v + 0.1 for v in mean],
           "count": [runs // 4] * 4}  # fmt: skip
    return {"axis": "n", "places": places, "measures": {"error": one}, "done": runs == 40,
            "runs": runs, "of": 40, **more}  # fmt: skip


JUDGED = {
    "verdicts": [{"prediction": "error", "verdict": "AGREES", "reason": "all well"}],
    "breaks": [
        {"break": "peak", "verdict": "OUT_OF_SCOPE", "why": "few", "measure": "error", "value": 3.0,
         "interval": [2.0, None], "status": "OK", "predicted": 4.0, "closed_form": 4.0},
    ],
}  # fmt: skip


def test_dots_come_as_they_are_simulated_and_go_when_a_knob_moves(live):
    text = f"{FIRST}&@replicates=10&@dots=4"
    moved = f"{text}&up.noise=2"
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served(), moved: served()}))})")
    live.do("$('#dots').value = '4'; $('#replicates').value = '10'; $('#seed').value = '3'")
    live.do("$('#simulate').click(); pass(1)")
    assert live.get("streams.map((one) => one.path)") == [f"of/toy/dots?{text}"]
    assert live.get("[$('#simulate').textContent, $('#progress').hidden]") == ["Stop", False]
    assert live.get("$('#simulate').getAttribute('aria-pressed')") == "true"
    assert live.text("#progress-text") == "compiling"
    assert live.get("$('#progress').getAttribute('value')") is None  # how much is not known yet
    live.do(f"streams[0].send('dots', {json.dumps(event(8, [4, 2, 1, 0.5]))})")
    assert live.get("explore.page.chart.model.dots.mean") == [4, 2, 1, 0.5]
    assert live.text("#progress-text") == "8 of 40 runs"
    assert live.get("$('#progress').value") == 0.2
    assert live.get("$$('#plot .dot').length") == live.get("$$('#plot .interval').length") == 4
    assert live.text("#verdicts") == ""
    live.do(f"streams[0].send('dots', {json.dumps(event(24, [4.1, 2, 1, 0.5], **JUDGED))})")
    assert "Verdict so far" in live.text("#verdicts")
    assert "OUT OF SCOPE" in live.text("#verdicts")
    assert "located at 3 [2, ∞]; predicted 4; few" in live.text("#verdicts")
    live.do(f"streams[0].send('dots', {json.dumps(event(36, [4.2, 2, 1, 0.5]))})")  # keeps them
    assert "AGREES error: all well" in live.text("#verdicts")
    assert live.get("$$('#plot .measured').length") == 1
    measured = "explore.page.chart.model.breaks.find((one) => one.kind === 'measured')"
    assert live.get(f"[{measured}.at, {measured}.low, {measured}.high]") == [3, 2, None]
    assert "simulated: mean and 95 % interval" in live.text("#legend")
    live.do(f"streams[0].send('dots', {json.dumps(event(40, [4.2, 2, 1, 0.5], **JUDGED))})")
    assert "Verdict of this simulation" in live.text("#verdicts")
    live.do("streams[0].send('end', {})")
    assert live.get("document.body.dataset.simulated") == text
    assert not live.get("streams[0].open")  # else the browser would begin anew
    knob(live, "up.noise", 3)
    assert live.get("explore.page.dots") is None or live.get("streams.length") == 2
    assert live.get("$$('#plot .dot').length") == 0
    assert live.text("#verdicts") == ""
    live.do("pass(1)")
    assert live.get("streams[1].path") == f"of/toy/dots?{moved}"
    live.do("$('#simulate').click(); pass(1)")
    assert not live.get("streams[1].open")
    assert live.get("location.hash") == f"#{FIRST}&@replicates=10&up.noise=2"
    assert live.get("[$('#simulate').textContent, $('#progress').hidden]") == ["Simulate", True]
    assert live.get("$('#simulate').getAttribute('aria-pressed')") == "false"
    assert live.text("#progress-text") == ""
    go(live, f"{FIRST}&@dots=5")
    assert live.get("$('#dots').value") == "5"


def test_the_fields_of_a_simulation_are_those_of_the_address(live):
    field = "(id) => $(`#${id}`).value"
    assert live.get(f"['replicates', 'seed'].map({field})") == ["40", "3"]
    live.do("$('#dots').value = '7'; $('#dots').fire('change')")
    assert live.get("location.hash") == f"#{FIRST}"  # nothing is simulated: it is for later
    live.do("$('#replicates').value = '10'; $('#replicates').fire('change')")
    assert live.get("location.hash") == f"#{FIRST}&@replicates=10"
    live.do("$('#seed').value = '5'; $('#simulate').click(); pass(1)")
    text = "n=1,2,4,8&@seed=5&@replicates=10&@dots=7"
    assert live.get("[location.hash, streams[0].path]") == [f"#{text}", f"of/toy/dots?{text}"]
    live.do("asked.length = 0; $('#save-toml').click()")
    live.do("explore.page.shown = {}; $('#save-toml').click()")
    assert live.get("asked") == [f"of/toy/sweep?{text}"]
    live.do("$('#dots').value = '9'; $('#dots').fire('change')")
    assert live.get("location.hash") == "#n=1,2,4,8&@seed=5&@replicates=10&@dots=9"
    live.do(f"$('#preset').value = {json.dumps(SECOND)}; $('#preset').fire('change')")
    assert live.get("location.hash") == f"#{SECOND}&@dots=9"  # another picture, still simulated
    go(live, "n=1,2,4,8")
    assert live.get(f"['replicates', 'seed'].map({field})") == ["40", "0"]


def test_dots_wait_for_a_hand_that_rests_and_end_with_the_page(live, alone):
    live.do("explore.page.state.set('@dots', '4'); explore.page.changed(false); pass(300)")
    live.do("explore.page.changed(false); pass(399)")
    assert live.get("streams.length") == 0
    live.do("pass(1)")
    assert live.get("streams.map((one) => one.open)") == [True]
    live.do("heard.pagehide.forEach((call) => call())")
    assert live.get("streams.map((one) => one.open)") == [False]
    go(alone, f"{FIRST}&@dots=4")
    alone.do("pass(500)")
    assert alone.get("[streams.length, $('#progress').hidden]") == [0, True]


def test_a_break_that_is_not_found_is_not_drawn(live):
    (lost,) = [{**one, "value": None, "interval": [None, None]} for one in JUDGED["breaks"]]
    some = event(40, [4, 2, 1, 0.5], verdicts=JUDGED["verdicts"], breaks=[lost])
    live.do("$('#simulate').click()")
    text = live.get("location.hash")[1:]
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served()}))})")
    live.do("explore.page.changed(true); pass(1)")
    live.do(f"streams.at(-1).send('dots', {json.dumps(some)})")
    kinds = "explore.page.chart.model.breaks.map((one) => one.kind)"
    assert live.get(kinds) == ["closed", "located"]
    assert "peak: predicted 4; few" in live.text("#verdicts")


def test_a_simulation_that_fails_says_why(live):
    text = f"{FIRST}&@replicates=40&@dots=12"
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served()}))})")
    live.do("$('#seed').value = '3'; $('#simulate').click(); pass(1)")
    live.do("streams[0].send('failed', { error: 'out of luck' })")
    assert live.text("#message") == "out of luck"
    assert live.get("[$('#progress').hidden, streams[0].open]") == [True, False]
    assert live.text("#progress-text") == ""
    live.do("explore.page.changed(true); pass(1)")
    live.do(f"answers['of/toy/sweep?{text}'] = [400, JSON.stringify({{ error: 'refused' }})];")
    live.do("streams[1].onerror()")
    assert live.text("#message") == "refused"
    live.do("explore.page.changed(true); pass(1)")
    live.do(f"answers['of/toy/sweep?{text}'] = [200, 'seed = 3']; streams[2].onerror()")
    assert live.text("#message") == "the simulation was cut off"


def test_where_the_server_is_slow_its_theory_is_loaded_once_and_used(live):
    live.do("explore.page.server = 100; explore.page.source.learn(explore.page.state.text)")
    live.do("explore.page.source.learn(explore.page.state.text)")  # is being loaded
    scripts = "document.head.children.map((one) => one.src)"
    assert live.get(scripts) == ["page/runtime.js", f"of/toy/theory?{FIRST}"]
    live.do(f"{THEORY} document.head.children[1].fire('load')")
    live.do("explore.page.source.learn(explore.page.state.text)")  # is there
    assert len(live.get(scripts)) == 2
    text = f"{FIRST}&up.noise=2"
    live.do("fetch = () => new Promise(() => {}); explore.page.server = 100")
    knob(live, "up.noise", 3)
    assert live.get("document.body.dataset.quick") == text
    assert live.get("[explore.page.shown.quick, explore.page.shown.curve.error]") == [
        True, [8, 4, 2, 1],
    ]  # fmt: skip
    assert live.get("document.head.children.every((one) => one.async === false)")  # in order
    live.do("var runtime = {}; explore.page.source.learn('p=2,4')")
    assert live.get(f"{scripts}.slice(2)") == ["of/toy/theory?p=2,4"]  # its runtime is there
    live.do("document.head.children.at(-1).fire('load')")
    before = len(live.get(scripts))
    live.do("explore.page.source.learn('p=2,4')")  # of no use along what is built in
    assert len(live.get(scripts)) == before
    assert live.get("explore.page.source.quick('n=1,2&nothing=3')") is None


# ---- taking things along -------------------------------------------------------------------------


def test_a_slow_server_is_asked_for_few_places_while_a_hand_moves(live):
    text = f"{FIRST}&up.noise=2"
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served()}))})")
    live.do("explore.page.server = 301; explore.page.changed(false)")
    assert live.get("asked.at(-1)") == f"of/toy/few?{FIRST}"
    live.do("pass(201)")
    live.do("explore.page.server = 300; explore.page.changed(false)")
    assert live.get("asked.slice(-2)") == [f"of/toy/curve?{FIRST}"] * 2
    # what it took for few is compiled while nothing moves, once
    live.do(
        "const plain = fetch; fetch = async (path) => { clock.now += 400; return plain(path); };"
        "explore.page.changed(true)"
    )
    assert live.get("asked.slice(-2)") == [f"of/toy/curve?{FIRST}", f"of/toy/few?{FIRST}"]
    knob(live, "up.noise", 3)
    assert live.get("asked.slice(-2)") == [f"of/toy/few?{text}", f"of/toy/curve?{text}"]


def moved(page, stop):
    """Move a slider to one of its stops, and hold it."""
    page.do(
        "{ const { slider } = explore.page.knobs.rows.get('up.noise');"
        f"slider.value = '{stop}'; slider.fire('input'); }}"
    )


def test_a_slow_server_is_asked_for_a_whole_curve_when_the_hand_rests(live):
    """And not while it moves on: the server would work at two curves at once."""
    texts = [f"{FIRST}&up.noise={noise}" for noise in (0, 0.5, 2)]
    live.do(f"Object.assign(answers, {json.dumps(answered(**{t: served() for t in texts}))})")
    live.do("asked.length = 0; explore.page.server = 301")
    for text, stop in zip(texts, (0, 1, 3), strict=True):
        moved(live, stop)
        assert live.get("document.body.dataset.quick") == text
        live.do("pass(150)")
    assert live.get("asked") == [f"of/toy/few?{text}" for text in texts]
    live.do("pass(60)")
    assert live.get("asked.slice(3)") == [f"of/toy/curve?{texts[2]}"]
    assert live.get("document.body.dataset.shown") == texts[2]


def test_who_lets_go_of_a_slider_need_not_wait_for_a_rest(live):
    text = f"{FIRST}&up.noise=0"
    live.do(f"Object.assign(answers, {json.dumps(answered(**{text: served()}))})")
    live.do("asked.length = 0; explore.page.server = 301")
    moved(live, 0)
    assert live.get("asked") == [f"of/toy/few?{text}"]
    live.do("explore.page.knobs.rows.get('up.noise').slider.fire('change')")
    assert live.get("asked.slice(1)") == [f"of/toy/curve?{text}"]
    assert live.get("document.body.dataset.shown") == text


def test_a_play_has_whole_curves_of_a_slow_server_and_no_rests(live):
    texts = {f"of/toy/{what}?{FIRST}&up.noise=2" for what in ("few", "curve")}
    live.do(f"Object.assign(answers, {json.dumps(answered(**{f'{FIRST}&up.noise=2': served()}))})")
    live.do(
        "asked.length = 0; explore.page.server = 301; explore.page.knobs.togglePlay('up.noise')"
    )
    assert set(live.get("asked")) == texts


def test_a_curve_that_nobody_waits_for_is_none_and_no_failure(live):
    live.do(
        "fetch = (path, { signal } = {}) => new Promise((_, no) => { signal.heard = () => no(); });"
        "var got = 'nothing yet'; explore.page.source.curve('n=1,2').then((v) => { got = v; },"
        "(problem) => { got = problem.message; })"
    )
    assert live.get("got") == "nothing yet"
    live.do("explore.page.source.leave()")
    assert live.get("got") is None


def test_any_name_in_the_address_of_the_page_is_asked_for(live):
    live.do("location.pathname = '/my%20toy%2F'")
    assert live.get("explore.source().base") == "of/my%20toy%2F"


def test_a_slow_curve_is_not_waited_for_once_the_hand_moves_on(live):
    texts = [f"{FIRST}&up.noise={noise}" for noise in (0, 0.5)]
    live.do(
        f"Object.assign(answers, {json.dumps(answered(**{t: served() for t in texts}))});"
        "const plain = fetch; fetch = (path, { signal } = {}) => path.includes('curve?') &&"
        "path.endsWith('=0') ? new Promise((_, no) => { asked.push(path);"
        "signal.heard = () => no('left'); }) : plain(path);"
        "asked.length = 0; explore.page.server = 301;"
    )
    knob(live, "up.noise", 0)
    assert live.get("asked") == [f"of/toy/few?{texts[0]}", f"of/toy/curve?{texts[0]}"]
    assert live.get("document.body.dataset.quick") == texts[0]
    knob(live, "up.noise", 1)
    assert live.get("asked.slice(2, 4)") == [f"of/toy/few?{texts[1]}", f"of/toy/curve?{texts[1]}"]
    assert live.get("document.body.dataset.shown") == texts[1]
    assert live.text("#message") == ""


def test_a_theory_that_takes_too_long_is_not_tried_for_ever(live):
    live.do(f"{THEORY} {SLOWLY.replace('30', '100')}")
    tried = (
        "(() => { const before = clock.now; const found ="
        "explore.page.source.quick('n=1,2,3,4,5,6,8,9'); return [found, clock.now - before]; })()"
    )
    assert [live.get(tried) for _ in range(5)] == [[None, 200]] * 3 + [[None, 0]] * 2
    found = live.get("explore.page.source.quick('up.noise=0,1')")  # along another it may not
    assert found["quick"]


def test_a_theory_that_was_slow_once_or_twice_is_tried_again(live):
    """The first time that code is run a browser is slow."""
    live.do(f"{THEORY} {SLOWLY.replace('+= 30', '+= slow')}; var slow = 100")
    quick = "explore.page.source.quick('n=1,2,3,4,5,6,8,9')"
    for slow in (100, 100, 1, 100, 100, 1):
        live.do(f"slow = {slow}")
        assert (live.get(quick) is None) == (slow == 100)


def test_the_server_is_not_asked_for_few_places_that_the_page_works_out(live):
    live.do(f"{THEORY} explore.page.server = 301; explore.page.changed(false)")
    live.do("asked.length = 0; explore.page.server = 301; explore.page.changed(false)")
    assert live.get("asked") == [f"of/toy/curve?{FIRST}"]


@pytest.mark.parametrize(("slow", "what"), [(20, "curve"), (30, "few")])
def test_a_page_that_is_barely_quick_enough_has_few_places_asked_for_too(live, slow, what):
    """Next time it may not be: then a whole curve would be waited for."""
    live.do(f"{THEORY} {SLOWLY.replace('30', str(slow))}")
    live.do("explore.page.server = 301; explore.page.changed(false)")
    live.do("pass(201)")
    live.do("asked.length = 0; explore.page.server = 301; explore.page.changed(false)")
    assert live.get("explore.page.quickly") == (what == "curve")
    assert live.get("asked") == [f"of/toy/{what}?{FIRST}"]


def test_what_is_saved(live):
    live.do(f"explore.page.dots = {json.dumps(event(8, [4, 2, 1, 0.5]))}")
    live.do("explore.page.dots.places = [1, 4]; $('#save-csv').click()")
    (name, text), *_ = live.get("downloads")
    assert name == "toy.csv"
    head, *rows = text.splitlines()
    assert head == f"# {FIRST}"
    rows = list(csv.DictReader(io.StringIO("\n".join(rows))))
    assert [row["n"] for row in rows] == ["1", "2", "4", "8"]
    assert [row["error"] for row in rows] == ["4", "2", "1", "0.5"]
    assert [row["error slack"] for row in rows] == ["0.4", "0.2", "0.1", "0.05"]
    assert [row["error decoy half"] for row in rows] == ["2", "1", "0.5", "0.25"]
    assert [row["exact"] for row in rows] == ["", "2", "1", "0.5"]
    assert [row["error simulated mean"] for row in rows] == ["4", "", "2", ""]
    assert [row["error simulated low"] for row in rows] == ["3.9", "", "1.9", ""]
    assert [row["error simulated count"] for row in rows] == ["2", "", "2", ""]
    live.do("explore.page.chart.read(1); $('#save-svg').click()")
    name, text = live.get("downloads")[1]
    reading = live.get("$$('#plot .cursor *').length")
    assert reading > 1
    assert text.count('display="none"') == reading + 1  # where one reads is no part of the picture
    assert name == "toy.svg"
    assert "class=" not in text.replace("<svg viewBox", "")
    assert 'stroke="stroke of path"' in text
    assert text.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    live.do(f"answers['of/toy/sweep?{FIRST}&@dots=7'] = [200, 'seed = 3']; $('#dots').value = '7'")
    live.do("$('#save-toml').click()")
    assert live.get("downloads")[2] == ["toy.toml", "seed = 3"]
    assert live.text("#saved") == "toy.toml"
    live.do("location.hash = '#here'; $('#copy').click()")
    assert live.get("copied") == ["http://here/toy#here"]
    live.do("explore.page.shown = null; $('#save-csv').click()")
    assert live.text("#message") == "there is nothing to save yet"


@pytest.mark.parametrize("text", ['a "b"', "a,b", "a\nb", "plain", 'say "x, y"'])
def test_any_name_is_one_cell(live, text):
    shown = {**served(), "curve": {text: [1, 2, 3, 4]}, "slack": {text: [0] * 4}, "decoys": {}}
    made = live.get(f"explore.csv({json.dumps(shown)}, null, 'x')")
    rows = list(csv.DictReader(io.StringIO(made.partition("\n")[2])))
    assert [row[text] for row in rows] == ["1", "2", "3", "4"]


# ---- the list ------------------------------------------------------------------------------------


def test_the_list_leads_to_every_page_and_says_what_is_broken():
    found = [{"name": "toy", "title": "A toy", "question": "Does it?"},
             {"name": "bad", "error": "cannot be imported"}]  # fmt: skip
    page = Browserless("index.html", answers={"catalogue": [200, json.dumps(found)]})
    assert page.get("$$('#list a').map((one) => [one.href, one.textContent])") == [["toy", "A toy"]]
    assert page.text("#list p") == "Does it?toy"
    assert page.text("#list .broken") == "bad: cannot be imported"
    page = Browserless("index.html", before=f"var catalogue = {json.dumps(found[:1])}")
    assert page.get("$$('#list a').map((one) => one.href)") == ["toy.html"]
    assert page.get("asked") == []
    assert "the list cannot be had" in Browserless("index.html").text("#message")


def test_a_page_whose_server_is_gone_says_so():
    page = Browserless()
    assert page.text("#title") == "This page cannot be shown"
    assert "is ci-theory explore still running?" in page.text("#message")
