"""The address of a page: read, written and read again; what is wrong with one is a line."""

import random

import pytest

from ci_theory import BadInput
from ci_theory.explore import controls
from ci_theory.explore.address import MOST_TEXT, read
from ci_theory.explore.curve import grid, line
from ci_theory.phenomena import load

PEAK = load("ridge_peak")


def some_address(about, seed):
    """Make an address as the page does: any stop of any slider, any word, any of its own keys."""
    chance = random.Random(f"{about['name']} {seed}")
    along = chance.choice([axis for axis in about["axes"] if "stops" in axis])
    pairs = {along["name"]: along["range"]}
    for axis in about["axes"]:
        if axis is not along and chance.random() < 0.5:
            pairs[axis["name"]] = str(chance.choice(axis.get("stops") or axis["choices"]))
    if about["decoys"] and chance.random() < 0.5:
        few = chance.sample(about["decoys"], 1 + chance.randrange(len(about["decoys"])))
        pairs["@decoys"] = ";".join(decoy["name"] for decoy in few)
    own = {
        "@measure": chance.choice(about["measures"])["name"],
        "@log": chance.choice(["x", "y", "xy", "no"]),
        "@dots": str(chance.randrange(61)),
        "@replicates": str(chance.randrange(2, 2001)),
        "@seed": str(chance.randrange(2**32)),
    }
    pairs |= {key: value for key, value in own.items() if chance.random() < 0.5}
    order = list(pairs.items())
    chance.shuffle(order)
    return dict(order)


@pytest.mark.parametrize("name", ["ridge_peak", "double_double_descent", "network_inheritance"])
def test_an_address_that_is_read_and_written_is_the_same(name):
    about = controls.document(load(name), name)
    for seed in range(40):
        pairs = some_address(about, seed)
        wide = "&".join(f"{key}={value}".replace(" ", "%20") for key, value in pairs.items())
        shown = read(wide, load(name))
        assert dict(shown.pairs) == pairs
        assert list(shown.pairs) == list(pairs)
        again = read(shown.text, load(name))
        assert (again.text, again) == (shown.text, shown)
        assert line(load(name), shown)[0] in shown.words


def test_what_an_address_says_is_what_is_shown():
    shown = read("@decoys=classical;ridge%20per%20row&n=1,2,3&@log=xy&@measure=train_error", PEAK)
    assert shown.decoys == ("classical", "ridge per row")
    assert (shown.log, shown.measure, shown.dots) == ("xy", "train_error", 0)
    assert dict(shown.words) == {"n": "1,2,3"}
    assert grid(PEAK, shown.words).ranges == {"n": (1, 2, 3)}


def test_bytes_that_are_no_text_are_replaced():
    assert dict(read("n=%ff5&@dots=4", PEAK).words) == {"n": "\ufffd5"}


def test_what_joins_the_pairs_may_stand_in_a_value():
    shown = read("n=1%262&@decoys=classical", PEAK)
    assert shown.words == {"n": "1&2"}
    assert read(shown.text, PEAK) == shown
    assert shown.text == "n=1%262&@decoys=classical"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n", "'n': expected key=value"),
        ("n=", "'n=': expected key=value"),
        ("n=1,2&n=3", "n is given twice"),
        ("@dot=3", "unknown key '@dot' in the address: did you mean '@dots'?"),
        ("@measure=test_eror", "did you mean 'test_error'?"),
        ("@decoys=classical;none", "unknown decoy 'none'"),
        ("@log=z", "unknown @log 'z'"),
        ("@dots=61", "@dots = 61: must be a whole number in 0..60"),
        ("@dots=-1", "@dots = -1: must be a whole number"),
        ("@replicates=1", "@replicates = 1: must be a whole number in 2..2000"),
        ("@replicates=1e3", "@replicates = 1e3: must be a whole number"),
        ("@seed=²", "@seed = ²: must be a whole number"),
        ("@seed=4294967296", "must be a whole number in 0..4294967295"),
        ("@seed=" + "9" * 5000, "must be a whole number"),
        ("n=" + "1" * MOST_TEXT, f"at most {MOST_TEXT}"),
    ],
)
def test_a_bad_address_is_told_in_a_line(text, says):
    with pytest.raises(BadInput) as told:
        read(text, PEAK)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("noise=1", "(none given): expected one range, such as n=1,2,3"),
        ("n=1,2&noise=1,2", "(n and noise given)"),
        ("spectrum=isotropic,two_block", "spectrum is no number"),
        ("ridge=lin(0,1,401)", "ridge has 401 values: the page draws at most 400"),
        ("rige=1", "did you mean 'ridge'?"),
        ("n=geom(0,1,3)", "both ends must be > 0"),
        ("n=1,2&p=x", "p = 'x': must be a whole number"),
    ],
)
def test_one_axis_has_a_range(text, says):
    with pytest.raises(BadInput) as told:
        line(PEAK, read(text, PEAK))
    assert says in str(told.value)
