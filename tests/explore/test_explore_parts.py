"""The parts of a page, one by one: state.js, alone.js, scale.js, chart.js and told.js."""

import json
import math
import sys

import numpy as np
import pytest
from browserless import Browserless
from toy_page import ABOUT, FIRST, THEORY, served

from ci_theory import BadInput
from ci_theory._record import Axis, Kind
from ci_theory.cli import output
from ci_theory.explore.address import read
from ci_theory.phenomena import load
from ci_theory.sweeps.values import parse_value, values_for

PEAK = load("ridge_peak")


@pytest.fixture(scope="module")
def page():
    return Browserless(carried={"controls": ABOUT, "curves": {"n=1,2,4,8": served()}})


def call(page, name, *arguments):
    return page.get(f"explore.{name}({', '.join(map(json.dumps, arguments))})")


# ---- state.js: the address -----------------------------------------------------------------------

ODD = "@(),.:[]+-;!*'é µ~_/?#%&=\"<>"


def test_an_address_is_written_as_python_writes_it(page):
    text = read(f"n=1,2&@decoys=classical&@seed=3&p={'%26'.join('12')}", PEAK).text
    assert page.get(f"explore.written(explore.read({json.dumps(text)}))") == text
    for letter in ODD:
        from urllib.parse import quote

        word = f"a{letter}b"
        theirs = page.get(f"explore.written(new Map([['x', {json.dumps(word)}]]))")
        assert theirs == f"x={quote(word, safe='@(),.:[]+-')}"
        assert page.get(f"[...explore.read({json.dumps(theirs)})]") == [["x", word]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n", "'n': expected key=value"),
        ("n=", "'n=': expected key=value"),
        ("=3", "'=3': expected key=value"),
        ("n=1&n=2", "n is given twice in the address"),
        ("n=%zz", "'n=%zz' in the address is not well written (%)"),
    ],
)
def test_a_bad_address_is_refused(page, text, says):
    assert page.refusal(f"explore.read({json.dumps(text)})").startswith(says)


def test_what_an_address_says(page):
    assert page.get("[...explore.read('#n=1,2&&x = a=b ')]") == [["n", "1,2"], ["x", "a=b"]]
    for text in ("1,2", "lin(1,2,3)", "[4]", " [1,2] ", "7,"):
        assert call(page, "isRange", text)
    for text in ("3", "word", "-1e-3", "true"):
        assert not call(page, "isRange", text)
    made = "new explore.State('@decoys=a,b&p=3&n=1,2&noise=2')"
    assert page.get(f"{made}.along()") == "n"
    assert page.get(f"{made}.words()") == [["p", "3"], ["n", "1,2"], ["noise", "2"]]
    assert page.get("new explore.State('p=3').along()") == ""
    assert page.get(f"[{made}.get('q', 'x'), {made}.get('q'), {made}.get('p', 'x')]") == [
        "x",
        "",
        "3",
    ]
    page.do(
        "var s = new explore.State('p=3&n=4'); s.set('p', null); s.set('n', 5); s.set('q', 'x')"
    )
    assert page.get("s.text") == "n=5&q=x"


def test_the_browser_is_told_the_address_a_few_times_a_second(page):
    page.do("var s = new explore.State('p=1'); went.length = 0; s.remember(false); s.set('p', 2)")
    page.do("s.remember(false); pass(149)")
    assert page.get("went") == []
    page.do("pass(1)")
    assert page.get("went") == [["replace", "#p=2"]]
    page.do("s.remember(true); pass(500)")  # it is there already
    assert page.get("went.length") == 1
    page.do("s.set('p', 3); s.remember(true, true)")
    assert page.get("went")[1] == ["push", "#p=3"]


# ---- alone.js: values as Python takes them -------------------------------------------------------

WHOLE = {"type": int, "default": 8, "low": 1, "high": 300}
OPEN = {"type": float, "default": 1.0, "above": 0, "high": 9}


@pytest.mark.parametrize("bounds", [WHOLE, OPEN, {"type": float, "default": 0.0, "low": -1}])
@pytest.mark.parametrize(
    "text",
    ["1", "0", "-1", "2.5", "9", "9.5", "300", "301", "x", "1e2", "", " 3 ", "inf", "nan",
     "1,2,3", "3,1,2", "[4,5]", "7,", "1,1", "1,x", "lin(1,9,5)", "geom(1,100,7)", "log(0,2,9)",
     "linspace(1,2,3)", "geomspace(1,8,4)", "logspace(0,1,3)", "lin(1,4,7)", "geom(1,9,61)",
     "geom(0,3,4)", "geom(-1,3,4)", "lin(0,3,1)", "lin(3,3,4)", "lin(1,2,2.5)", "cube(1,2,3)",
     "lin(9,1,5)", "geom(8,1,4)", "log(2,0,3)", "lin(1,x,3)", "lin(-0.2,0.4,4)"],
)  # fmt: skip
def test_a_word_has_the_values_that_python_gives_it(page, bounds, text):
    """And is refused where Python refuses it."""
    axis = Axis(name="k", kind=Kind.TRACED, unit="", doc="k", **bounds)
    ends = {end: getattr(axis, end) for end in ("low", "high", "above")}
    about = json.dumps({"name": "k", "type": axis.type.__name__, **ends})
    theirs = "rangeOf" if call(page, "isRange", text) else "held"
    try:
        value = parse_value(text, axis)
        known = values_for(axis, value if isinstance(value, tuple) else (value,))
    except BadInput:
        assert page.refusal(f"explore.{theirs}({about}, {json.dumps(text)})").startswith(
            ("k", "axis k")
        )
        return
    made = page.get(f"explore.{theirs}({about}, {json.dumps(text)})")
    assert (made if isinstance(made, list) else [made]) == list(known)


def test_refusals_say_what_would_be_right(page):
    axis = {"name": "k", "type": "float", "low": None, "high": 9, "above": 0}
    for value, says in (("0", "> 0"), ("10", "<= 9"), ("x", "a number")):
        told = page.refusal(f"explore.held({json.dumps(axis)}, '{value}')")
        assert told == f"k = {value}: must be {says}"
    whole = {**axis, "type": "int", "low": 1, "above": None}
    for value, says in (("0", ">= 1"), ("1.5", "a whole number"), ("x", "a whole number")):
        told = page.refusal(f"explore.held({json.dumps(whole)}, '{value}')")
        assert told == f"k = {value}: must be {says}"
    assert "at most 400" in page.refusal(f"explore.rangeOf({json.dumps(axis)}, 'lin(1,2,401)')")
    word = {"name": "w", "type": "str", "choices": ["a", "b"]}
    assert "(known: a, b)" in page.refusal(f"explore.held({json.dumps(word)}, 'c')")
    assert "is no number" in page.refusal(f"explore.rangeOf({json.dumps(word)}, 'a,b')")
    switch = {"name": "w", "type": "bool", "choices": ["false", "true"]}
    assert page.get(f"['true', 'false'].map((v) => explore.held({json.dumps(switch)}, v))") == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([], "the page draws along one axis (none given)"),
        ([["n", "1,2"], ["up.noise", "0,1"]], "along one axis (n and up.noise given)"),
        ([["n", "1,2"], ["q", "3"]], "unknown axis 'q' in toy (known: n, up.noise, p, kind, on)"),
    ],
)
def test_an_address_asks_for_one_axis_and_for_known_ones(page, pairs, says):
    asked = f"explore.asked({json.dumps(ABOUT)}, {json.dumps(pairs)})"
    assert says in page.refusal(asked)


def test_a_page_draws_at_four_hundred_places(page):
    axis = {"name": "k", "type": "float", "low": None, "high": None, "above": None}
    assert len(call(page, "rangeOf", axis, "lin(1,2,400)")) == 400


def test_halves_go_to_the_even_neighbour_as_in_python(page):
    values = [k / 4 for k in range(-12, 13)]
    assert [call(page, "roundEven", v) for v in values] == [round(v) for v in values]


# ---- scale.js ------------------------------------------------------------------------------------


HARD = [
    *(0.0, 1.0, 0.1, 0.3, 1 / 3, 2 / 3, 1e-4, 9.9999995e-5, 9.9e-5, 1e-5, 1e5, 999999.0, 999999.5),
    *(1e6, 1234567.0, 1e15, 1e16, 1e17, 1e21, 1e22, 1.5e7, 2.5e-9, 123456789012345678.0, 1e23),
    *(5e-324, 2.2250738585072014e-308, sys.float_info.max, math.nextafter(1.0, 2.0), 2.0**53),
    *(0.5, 1.5, 2.5, 3.5, 12.5, 1234565.0, 1234575.0, 0.125, 0.375, 2.0**-40, 8.5e15, 1e300),
    *(math.inf, math.nan),
]  # ties among them, which go to the even digit
DIGITS = (1, 2, 5, 6, 12, 17)


def _any_doubles(count):
    """Draw so many from all bit patterns, and as many of few digits: of these some are ties."""
    rng = np.random.default_rng(23)
    bits = rng.integers(0, 2**64, count, dtype=np.uint64).view(float)
    ties = rng.integers(0, 2**20, count) / 2.0 ** rng.integers(0, 12, count)
    return [float(v) for v in (*bits, *ties)]


def test_numbers_are_written_as_python_writes_them(page):
    values = [*HARD, *(-v for v in HARD), *_any_doubles(400)]
    words = np.array(values).view(np.uint64)
    given = json.dumps([str(word) for word in words])
    double = "(word) => new Float64Array(BigUint64Array.of(BigInt(word)).buffer)[0]"
    calls = [f"general(x, {digits})" for digits in DIGITS] + ["repr(x)", "number(x)"]
    made = ", ".join(f"explore.{call}" for call in calls)
    found = page.get(f"{given}.map({double}).map((x) => [{made}])")
    for value, texts in zip(values, found, strict=True):
        assert texts[:-1] == [*(f"{value:.{digits}g}" for digits in DIGITS), repr(value)]
        assert texts[-1] == (output.number(value) if value == value else "nan")


def test_no_number_is_none(page):
    assert page.get("[explore.number(null), explore.number(undefined)]") == ["none", "none"]


def test_a_scale_goes_from_end_to_end(page):
    line = "new explore.Scale(2, 6, false, 100, 300)"
    assert page.get(f"[2, 4, 6].map((v) => {line}.at(v))") == [100, 200, 300]
    decades = "new explore.Scale(0.1, 1000, true, 300, 100)"
    assert page.get(f"[0.1, 10, 1000].map((v) => {decades}.at(v))") == pytest.approx(
        [300, 200, 100]
    )
    assert page.get(f"[0, -1].map((v) => Number.isNaN({decades}.at(v)))") == [True, True]
    for value in (5, 0, -5):
        flat = f"new explore.Scale({value}, {value}, false, 0, 10)"
        assert page.get(f"{flat}.at({value})") == pytest.approx(5)
    assert page.get("new explore.Scale(3, 3, true, 0, 10).at(3)") == pytest.approx(5)


@pytest.mark.parametrize("about", [1, 2, 4, 7, 12])
def test_ticks_are_round_and_about_as_many_as_asked_for(page, about):
    for low, high in np.random.default_rng(about).uniform(-50, 50, (40, 2)).tolist():
        low, high = min(low, high), max(low, high)
        ticks = page.get(f"new explore.Scale({low}, {high}, false, 0, 1).ticks({about})")
        labelled = np.array(ticks["labelled"])
        assert ticks["others"] == []
        assert np.all((labelled >= low - 1e-9) & (labelled <= high + 1e-9))
        assert about / 2.6 - 1 <= len(labelled) <= about + 1
        if len(labelled) > 1:
            step = labelled[1] - labelled[0]
            np.testing.assert_allclose(np.diff(labelled), step, rtol=1e-9)
            first = step / 10 ** math.floor(math.log10(step) + 1e-9)
            assert min(abs(first - k) for k in (1, 2, 5)) < 1e-6
            assert labelled[0] - step < low
            assert labelled[-1] + step > high


def test_ticks_of_decades(page):
    def ticks(low, high, about):
        return page.get(f"new explore.Scale({low}, {high}, true, 0, 1).ticks({about})")

    wide = ticks(0.09, 1100, 6)
    assert wide["labelled"] == [0.1, 1, 10, 100, 1000]
    assert [v for v in wide["others"] if 1 < v < 10] == [2, 3, 4, 5, 6, 7, 8, 9]
    narrow = ticks(1, 100, 9)  # with halves and fifths, as there is room
    assert narrow["labelled"] == [1, 2, 5, 10, 20, 50, 100]
    assert narrow["others"] == [3, 4, 6, 7, 8, 9, 30, 40, 60, 70, 80, 90]
    far = ticks(1e-9, 1e9, 6)
    assert far["others"] == []
    assert far["labelled"] == pytest.approx([10.0**k for k in range(-9, 10, 3)])
    assert ticks(20, 30, 5)["labelled"] == [20, 22, 24, 26, 28, 30]  # less than a decade


def test_places_spread_by_factors(page):
    assert call(page, "byFactors", [1, 3, 10, 30, 100])
    assert not call(page, "byFactors", [1, 25, 50, 75, 100])
    assert not call(page, "byFactors", [0, 3, 10, 30, 100])
    assert not call(page, "byFactors", [10, 20, 30, 40, 60])
    assert not call(page, "byFactors", [100, 10, 1])
    assert not call(page, "byFactors", [1, 2, 8])
    assert call(page, "byFactors", [1, 2, 9])


# ---- chart.js ------------------------------------------------------------------------------------


def model(lines, log=False, dots=None, **more):
    return {"places": [1, 2, 4, 8], "x": {"name": "n", "unit": "rows", "log": True},
            "y": {"name": "e", "unit": "", "log": log}, "lines": lines, "breaks": [], "dots": dots,
            **more}  # fmt: skip


def drawn(values, **more):
    return {"name": "e", "values": values, "style": "t0", **more}


def test_limits_show_the_predictions_and_what_is_near_them(page):
    def limits(*lines, log=False, dots=None):
        return call(page, "limits", model(list(lines), log, dots))

    assert limits(drawn([1, 2, None, 4])) == pytest.approx([0, 4.24])
    assert limits(drawn([10, 12, 11, 10])) == pytest.approx([9.88, 12.12])
    assert limits(drawn([-2, 2, 0, 0])) == pytest.approx([-2.24, 2.24])
    assert limits(drawn([3, 3, 3, 3])) == pytest.approx([2.7, 3.3])
    assert limits(drawn([0, 0, 0, 0])) == [-1, 1]
    assert limits(drawn([None] * 4)) == pytest.approx([0, 1.06])
    far, near = drawn([99, 99, 99, 99], decoy=True), drawn([13, 13, 13, 13], decoy=True)
    assert limits(drawn([10, 12, 11, 10]), far, near) == pytest.approx([9.82, 13.18])
    dots = {"places": [1], "mean": [13], "low": [8], "high": [15]}
    assert limits(drawn([10, 12, 11, 10]), dots=dots) == pytest.approx([7.58, 15.42])
    assert limits(near) == pytest.approx([11.7, 14.3])  # nothing is predicted
    low, high = limits(drawn([0.1, 10, 0, -3]), log=True)  # without what has no logarithm
    assert (low, high) == pytest.approx((0.1 / 100**0.05, 10 * 100**0.05))
    assert limits(drawn([0, 0, 0, 0]), log=True)[0] > 0


def test_of_decoys_on_a_logarithmic_scale_those_are_near_that_half_its_length_away(page):
    def limits(*lines):
        return call(page, "limits", model(list(lines), log=True))

    own, near, far = [1, 2, 4, 100], [[v] * 4 for v in (900, 0.11)], [[v] * 4 for v in (1100, 0.09)]
    seen = [drawn(own), *(drawn(v, decoy=True) for v in (*near, *far))]
    rim = (900 / 0.11) ** 0.05
    assert limits(*seen) == pytest.approx([0.11 / rim, 900 * rim])
    flat = limits(drawn([1] * 4), drawn([1.7] * 4, decoy=True), drawn([1.8] * 4, decoy=True))
    assert flat == pytest.approx([1.7**-0.05, 1.7**1.05])  # as if it were three times as high


def test_logarithms_are_wanted_for_factors_of_more_than_thirty(page):
    assert call(page, "wantsLog", model([drawn([0.1, 4, None, 1])]))
    assert not call(page, "wantsLog", model([drawn([0.1, 2.9, 1, 1])]))
    assert not call(page, "wantsLog", model([drawn([0, 4, 1, 1])]))
    assert not call(
        page, "wantsLog", model([drawn([1, 2, 1, 1]), drawn([1, 99, 1, 1], decoy=True)])
    )
    assert not call(page, "wantsLog", model([]))


@pytest.fixture
def chart(page):
    page.do("var place = new Element('div'), chart = new explore.Chart(place)")

    def draw(*lines, **more):
        page.do(f"chart.draw({json.dumps(model(list(lines), **more))})")

    return draw


def test_a_line_has_a_gap_where_there_is_no_value(page, chart):
    chart(drawn([1, 2, None, 4]))
    path = page.get("place.querySelector('.line').attributes.d")
    assert path.count("M") == 2
    assert path.count("L") == 1
    assert page.get("place.querySelectorAll('.knot').length") == 3  # few places have their knots
    chart(drawn([1, 2, 3, 0]), log=True)
    assert page.get("place.querySelector('.line').attributes.d").count("L") == 2
    x = [float(v) for v in page.get("place.querySelectorAll('.knot').map((k) => k.attributes.cx)")]
    assert np.diff(x) == pytest.approx([x[1] - x[0]] * 2)  # the axis is logarithmic
    y = [float(v) for v in page.get("place.querySelectorAll('.knot').map((k) => k.attributes.cy)")]
    assert y[0] > y[1] > y[2]  # larger is higher up


def test_a_band_is_the_slack_on_both_sides(page, chart):
    chart(drawn([1, 2, 3, 4], slack=[0.1, 0.5, None, 1]))
    path = page.get("place.querySelector('.band').attributes.d")
    points = [tuple(map(float, p.split())) for p in path.strip("MZ").split("L")]
    assert len(points) == 6
    at = page.get("[0.9, 1.5, 3, 5, 2.5, 1.1].map((v) => chart.y.at(v))")
    assert [v for _, v in points] == pytest.approx(at, abs=0.006)
    assert [u for u, _ in points] == [u for u, _ in points][::-1]


def test_places_of_breaks_and_their_intervals(page, chart):
    breaks = [
        {"name": "peak", "kind": "closed", "at": 2, "text": ""},
        {"name": "far", "kind": "closed", "at": 99, "text": ""},
        {"name": "before", "kind": "closed", "at": 0.5, "text": ""},
        {"name": "seen", "kind": "measured", "at": 4, "low": 2, "high": None, "text": ""},
    ]
    chart(drawn([1, 2, 3, 4]), breaks=breaks)
    assert page.get("place.querySelectorAll('.break').length") == 1  # those outside are not there
    at = page.get("chart.x.at(2)")
    assert float(page.get("place.querySelector('.break').attributes.x1")) == pytest.approx(at)
    assert page.get("place.querySelector('.break-label').textContent") == "peak 2"
    box = page.get("place.querySelector('.measured').attributes")
    assert float(box["x"]) == pytest.approx(at)
    assert float(box["x"]) + float(box["width"]) == pytest.approx(page.get("chart.x.to"))


def test_dots_have_intervals_where_they_are_known(page, chart):
    dots = {
        "places": [1, 2, 4],
        "mean": [1, None, 3],
        "low": [0.5, None, None],
        "high": [1.5, None, None],
    }
    chart(drawn([1, 2, 3, 4]), dots=dots)
    assert page.get("place.querySelectorAll('.dot').length") == 2
    (one,) = page.get("place.querySelectorAll('.interval').map((one) => one.attributes)")
    ends = page.get("[0.5, 1.5].map((v) => chart.y.at(v))")
    assert [float(one["y1"]), float(one["y2"])] == pytest.approx(ends)


def test_what_reaches_below_a_logarithm_goes_down_to_the_frame(page, chart):
    dots = {"places": [2], "mean": [2], "low": [-1], "high": [3]}
    chart(drawn([1, 2, 3, 4], slack=[2, 0.5, 0.5, 0.5]), log=True, dots=dots)
    bottom, top = page.get("[chart.y.from, chart.y.to]")
    assert bottom > top
    assert float(page.get("place.querySelector('.interval').attributes.y1")) == bottom
    band = page.get("place.querySelector('.band').attributes.d")
    assert float(band.strip("MZ").split("L")[0].split()[1]) == bottom


def test_a_band_needs_two_places(page, chart):
    chart(drawn([1, 2, None, 4], slack=[0.1, None, 1, 1]))
    assert page.get("place.querySelectorAll('.band').length") == 1
    chart(drawn([1, 2, None, 4], slack=[0.1, None, 1, None]))
    assert page.get("place.querySelectorAll('.band').length") == 0


def test_knots_are_of_predictions_at_few_places(page, chart):
    for count, knots in ((20, 20), (21, 0)):
        values = list(range(1, count + 1))
        chart(drawn(values), drawn(values, decoy=True), places=values)
        assert page.get("place.querySelectorAll('.knot').length") == knots


def test_labels_of_breaks_turn_inwards_and_stand_in_two_rows(page, chart):
    places = (1, 2, 4, 8)
    closed = [{"name": f"b{k}", "kind": "closed", "at": k, "text": ""} for k in places]
    chart(drawn([1, 2, 3, 4]), breaks=closed)
    labels = page.get("place.querySelectorAll('.break-label').map((one) => one.attributes)")
    assert [one["text-anchor"] for one in labels] == ["start", "start", "end", "end"]
    assert [one["y"] for one in labels] == ["12", "25", "12", "25"]
    at = page.get(f"{list(places)}.map((v) => chart.x.at(v))")
    wanted = [at[0] + 3, at[1] + 3, at[2] - 3, at[3] - 3]
    assert [float(one["x"]) for one in labels] == pytest.approx(wanted)


def test_an_interval_without_an_end_goes_to_the_end_of_the_picture(page, chart):
    ends = [(None, 4), (2, None), (None, None), (3, 3.0001)]
    breaks = [
        {"name": "seen", "kind": "measured", "at": 3, "low": low, "high": high, "text": ""}
        for low, high in ends
    ]
    chart(drawn([1, 2, 3, 4]), breaks=breaks)
    boxes = page.get("place.querySelectorAll('.measured').map((one) => one.attributes)")
    shown = [(float(b["x"]), float(b["x"]) + float(b["width"])) for b in boxes]
    first, two, four, last = page.get("[chart.x.from, chart.x.at(2), chart.x.at(4), chart.x.to]")
    three = page.get("chart.x.at(3)")
    right = [(first, four), (two, last), (first, last), (three, three + 1.5)]  # none is unseen
    for pair, wanted in zip(shown, right, strict=True):
        assert pair == pytest.approx(wanted)


def test_what_is_read_stays_while_the_picture_has_the_keyboard(page, chart):
    chart(drawn([1, 2, 3, 4]), drawn([99] * 4, decoy=True))
    page.do("chart.read(1); document.activeElement = place; place.fire('pointerleave')")
    assert page.get("chart.cursor") == 1
    assert page.get("place.querySelectorAll('.mark').length") == 1  # the decoy is far above
    page.do("document.activeElement = null; place.fire('pointerleave')")
    assert page.get("chart.cursor") == -1


def test_the_pointer_reads_the_nearest_place(page, chart):
    chart(drawn([1, 2, None, 4]))
    page.do("var told = []; chart.onread = (index) => told.push(index)")
    for value, index in ((0.5, 0), (2.2, 1), (3.5, 2), (90, 3)):
        page.do(f"place.fire('pointermove', {{ clientX: chart.x.at({value}) }})")
        assert page.get("told.at(-1)") == index
    assert page.get("place.querySelectorAll('.mark').length") == 1
    page.do("place.fire('pointerleave')")
    assert page.get("told.at(-1)") == -1
    page.do("chart.step(-1)")  # from nowhere back to the last
    assert page.get("chart.cursor") == 3
    page.do("chart.read(-1); chart.step(1)")
    assert page.get("chart.cursor") == 0
    page.do("chart.read(3)")
    page.do(f"chart.draw({json.dumps({**model([drawn([1, 2])]), 'places': [1, 2]})})")
    assert page.get("chart.cursor") == -1  # of a picture with fewer places


def test_axes_have_names_units_and_labels(page, chart):
    chart(drawn([1, 2, 3, 4]))
    names = page.get("place.querySelectorAll('.name').map((one) => one.textContent)")
    assert names == ["n [rows]", "e"]
    labels = page.get("place.querySelectorAll('.label').map((one) => one.textContent)")
    assert {"1", "2", "5"} <= set(labels)
    assert page.get("place.querySelector('title').textContent") == "e against n"
    assert page.get("place.attributes['aria-valuemax']") == "3"


# ---- told.js -------------------------------------------------------------------------------------


def test_formulas_are_told_of_a_measure_once_with_their_symbols(page):
    page.do(
        f"var place = new Element('div'); explore.tellFormulas(place, {json.dumps(ABOUT)}, 'error')"
    )
    assert page.get("place.querySelectorAll('h3').map((one) => one.textContent)") == [
        "error",
        "exact",
    ]
    captions = page.get("place.querySelectorAll('figcaption').map((one) => one.textContent)")
    assert captions == ["LAW. large n; a book", "OTHER. large n; a book"]  # not once more for exact
    assert page.get("place.querySelectorAll('dd').map((one) => one.textContent)") == [
        "what k means", "what m means",
    ]  # fmt: skip
    assert "Holds: n < 12. Slack: 1/n. Source: here." in page.get("place.textContent")
    assert page.get("place.querySelectorAll('math').map((one) => one.attributes.display)") == [
        "block", "inline", "block", "inline",
    ]  # fmt: skip
    assert page.get("place.querySelector('details math').textContent") == "<mi>other</mi>"


@pytest.mark.parametrize(
    ("value", "interval", "predicted", "says"),
    [
        (3.0, [2.0, 5.0], 4.0, "located at 3 [2, 5]; predicted 4; few"),
        (3.0, [None, None], 4.0, "located at 3 [-∞, ∞]; predicted 4; few"),
        (None, [None, None], 4.0, "predicted 4; few"),
        (3.0, [2.0, None], None, "located at 3 [2, ∞]; few"),
    ],
)
def test_of_a_break_what_is_known_is_told(page, value, interval, predicted, says):
    one = {"break": "peak", "verdict": "OUT_OF_SCOPE", "why": "few", "value": value,
           "interval": interval, "predicted": predicted}  # fmt: skip
    told = json.dumps({"verdicts": [], "breaks": [one], "done": True})
    page.do(f"var place = new Element('div'); explore.tellVerdicts(place, {told})")
    (row,) = page.get("place.querySelectorAll('li').map((one) => one.textContent)")
    assert row == f"OUT OF SCOPE peak: {says}"


def test_a_tick_of_a_decoy_leaves_the_others_as_they_are(page):
    about = {**ABOUT, "decoys": [{"name": k, "why": "", "against": ["error"]} for k in "abc"]}
    page.do(
        f"var place = new Element('ul'), state = new explore.State('@decoys=a;b'), told = 0;"
        f"explore.tellDecoys(place, {json.dumps(about)}, state, 'error', () => told++);"
        "var boxes = place.querySelectorAll('input')"
    )
    assert page.get("boxes.map((one) => one.checked)") == [True, True, False]
    seen = []
    for k in (2, 0, 1, 2):
        page.do(f"boxes[{k}].click()")
        seen.append(page.get("state.get('@decoys')"))
    assert seen == ["a;b;c", "b;c", "c", ""]
    assert page.get("[told, state.pairs.size]") == [4, 0]


def test_a_table_marks_what_is_not_judged(page):
    cells = {
        "value": [1.0, None, 2.0, 3.0],
        "valid": [True, False, False, True],
        "status": ["OK", "OUT_OF_SCOPE", "OK", "NOT_CONVERGED"],
    }
    shown = {"axis": "n", "places": [1, 2, 4, 8], "table": {"observables": {"e": cells}}}
    page.do(f"var table = new Element('table'); explore.tellTable(table, {json.dumps(shown)})")
    assert page.get("table.querySelectorAll('tbody td').map((one) => one.textContent)") == [
        "1", "none*", "2*", "3*",
    ]  # fmt: skip
    assert (
        page.get("table.querySelectorAll('tbody td').map((one) => one.dataset.status)")
        == cells["status"]
    )
    assert page.get("table.querySelectorAll('tbody td').map((one) => one.dataset.value)") == [
        "1",
        "",
        "2",
        "3",
    ]
    assert page.get("table.querySelectorAll('tbody th').map((one) => one.textContent)") == [
        "1",
        "2",
        "4",
        "8",
    ]


def test_a_legend_names_what_is_drawn(page):
    def legend(lines, dots="null"):
        given = f"place, {json.dumps(lines)}, [], {dots}"
        page.do(f"var place = new Element('ul'); explore.tellLegend({given})")
        return page.get("place.children.map((one) => one.textContent)")

    slack = "slack of the formula at finite size"
    assert legend([drawn([1], slack=[0.5])]) == ["theory: e", slack]
    assert legend([drawn([1], slack=[0]), drawn([2], decoy=True)]) == ["theory: e", "decoy: e"]
    assert legend([drawn([1])], "{}")[-1] == "simulated: mean and 95 % interval"


def test_the_theory_of_a_page_is_made_once():
    page = Browserless(
        carried={"controls": ABOUT, "curves": {}}, before=THEORY, address=f"#{FIRST}"
    )
    page.do(
        "var made = 0; carriedTheories.forEach((one) => { const { make } = one; one.made = null;"
        "one.make = () => { made++; return make(); }; })"
    )
    for noise in (1, 2, 3):
        page.do(f"new explore.Work(explore.page.about, 'n=1,2&up.noise={noise}').run(9)")
    assert page.get("made") == 1
