"""The plans of a store are one chain, each of them whole; else it is not opened, in one line."""

import json

import damage
import pytest

from ci_theory import BadInput
from ci_theory.sweeps import Plan, Store, Sweep, make_plan, run
from ci_theory.sweeps.plan import FORMAT
from ci_theory.sweeps.plans import add_plan, read_plans

SWEEP = {
    "phenomenon": "sweep_toys.line",
    "axes": {"n": (5, 9), "slope": (0.5, 2.0), "ridge": (0.0, 1.0)},
    "seed": 3,
}
OTHERS = {
    "version": "9",
    "formula": "0123456789abcdef",
    "dtype": "float32",
    "generator": "key<rbg>",
    "partitionable": False,
}
PLANS = ["plan-000.json", "plan-001.json", "plan-002.json"]


@pytest.fixture(scope="module")
def chain():
    """Three plans: their files, made without running anything."""
    plans, previous, start = [], "", 0
    for stop in (2, 3, 5):
        sweep = Sweep(**SWEEP, replicates=stop, name=f"to {stop}")
        plans.append(make_plan(sweep, start=start, previous=previous))
        previous, start = plans[-1].hash, stop
    return plans


@pytest.fixture
def folder(chain, tmp_path):
    for index, plan in enumerate(chain):
        assert add_plan(tmp_path, index, plan)
    (tmp_path / "parts").mkdir()
    return tmp_path


def told(folder):
    """What opening and running say: the same line, and nothing is written."""
    before = damage.read(folder)
    with pytest.raises(BadInput) as opening:
        Store.open(folder)
    with pytest.raises(BadInput) as running:
        run(Sweep(**SWEEP, replicates=50), folder)
    assert str(opening.value) == str(running.value)
    assert "\n" not in str(opening.value)
    assert damage.read(folder) == before
    return str(opening.value).replace(f"{folder}/", "")


def test_a_chain_opens(folder, chain):
    store = Store.open(folder)
    assert [plan.hash for plan in store.plans] == [plan.hash for plan in chain]
    assert store.sweep.replicates == 5
    assert add_plan(folder, 2, chain[0]) is False
    assert [plan.hash for plan in Store.open(folder).plans] == [plan.hash for plan in chain]


@pytest.mark.parametrize("name", PLANS)
def test_a_changed_digit_is_noticed(name, folder):
    text = (folder / name).read_text()
    assert "0.5" in text
    (folder / name).write_text(text.replace("0.5", "0.6", 1))
    assert told(folder) == f"{name} is damaged: its content is not what was written"


def test_wording_counts_as_content_of_the_file_and_not_of_the_results(folder, chain):
    data = json.loads((folder / PLANS[1]).read_text())
    about = {**data["about"], "title": "another title"}
    (folder / PLANS[1]).write_text(json.dumps({**data, "about": about}))
    assert "is damaged" in told(folder)
    (folder / PLANS[1]).write_bytes(damage.signed({**data, "about": about}))
    assert Store.open(folder).plans[1].hash == chain[1].hash


def test_kinds_and_types_count_as_content_of_the_results(chain):
    plan = chain[0]
    for change in ({"kind": "static"}, {"type": "bool"}, {"unit": "m"}):
        axes = {**plan.about["axes"], "slope": {**plan.about["axes"]["slope"], **change}}
        data = {**plan.to_json(), "about": {**plan.about, "axes": axes}}
        other = Plan(**{**vars_of(plan), "about": data["about"]})
        assert (other.hash == plan.hash) == ("unit" in change)
    fewer = {**plan.about, "measures": {"mean": plan.about["measures"]["mean"]}}
    assert Plan(**{**vars_of(plan), "about": fewer}).hash != plan.hash


def vars_of(plan):
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (PLANS[:1], "plan-000.json is missing: put it back"),
        (PLANS[1:2], "plan-001.json is missing: put it back"),
        (PLANS[:2], "plan-000.json is missing: put it back"),
    ],
)
def test_a_missing_plan_is_told(names, message, folder):
    for name in names:
        (folder / name).unlink()
    assert told(folder) == message


def test_a_store_may_have_more_than_a_thousand_plans(folder):
    (folder / "plan-1000.json").write_bytes((folder / PLANS[2]).read_bytes())
    assert "plan-003.json is missing" in told(folder)


def test_a_missing_last_plan_shows_in_its_parts(folder, chain):
    (folder / PLANS[2]).unlink()
    assert Store.open(folder).sweep.replicates == 3
    part = f"002-000000-{chain[2].hash}.npz"
    (folder / "parts" / part).write_bytes(b"")
    assert told(folder) == (
        f"plan-002.json is missing, of which there is the part parts/{part}: put the plan back, or "
        "move its parts away"
    )
    for name in PLANS[:2]:
        (folder / name).unlink()
    assert told(folder).startswith("plan-002.json is missing, of which there is the part")


@pytest.mark.parametrize(
    ("plan", "chunk", "hashed"),
    [(1, 0, "0123456789abcdef"), (1, 10**6, None), (1, None, None), (0, 0, 1), (1, 0, 0)],
)
def test_a_part_of_another_plan_is_told(plan, chunk, hashed, folder, chain):
    """Merged from another store, or renamed: it would count as nothing, silently."""
    chunk = chain[plan].chunks if chunk is None else chunk  # the first that the plan has not
    if hashed is None or isinstance(hashed, int):
        hashed = chain[plan if hashed is None else hashed].hash
    name = f"{plan:03d}-{chunk:06d}-{hashed}.npz"
    (folder / "parts" / name).write_bytes(b"")
    assert told(folder) == (
        f"parts/{name} is not a part of plan-00{plan}.json here, but of another store's: move it "
        "away"
    )


@pytest.mark.parametrize(
    "name",
    ["plan-old.json", "plan-000 (copy).json", "plan-1.json", "plan-0000.json", "plan-٠٠٠.json"],
)
def test_a_file_named_like_a_plan_is_told(name, folder):
    """Where such a file was taken for the last plan, `run` wrote new ones for ever."""
    (folder / name).write_bytes((folder / PLANS[0]).read_bytes())
    assert told(folder).startswith(f"{name} is not a plan of this store")


def test_a_plan_of_another_place_is_told(folder):
    files = damage.read(folder)
    for name, other, message in [
        (PLANS[1], PLANS[0], "it extends another plan than the one before it"),
        (PLANS[1], PLANS[2], "it extends another plan than the one before it"),
        ("plan-003.json", PLANS[0], "it extends another plan than the one before it"),
        (PLANS[0], PLANS[1], "it extends another plan than the one before it"),
    ]:
        (folder / name).write_bytes(files[other])
        assert told(folder) == f"{name} does not belong to this store: {message}"
        (folder / "plan-003.json").unlink(missing_ok=True)
        damage.write(files, folder)


def test_a_plan_of_another_sweep_is_told_even_if_it_says_that_it_extends(folder, chain):
    data = json.loads((folder / PLANS[2]).read_text())
    assert OTHERS.keys() == data["identity"].keys()
    sweep = {**data["sweep"], "axes": [["n", [5, 9]], ["slope", [0.5, 3.0]], ["ridge", [0.0, 1.0]]]}
    for changes, message in [
        ({"sweep": sweep}, "it is of another sweep"),
        ({"sweep": {**data["sweep"], "seed": 4}}, "it is of another sweep"),
        ({"replicates": [2, 5]}, "its replicates begin at 2, not at 3"),
        ({"replicates": [4, 5]}, "its replicates begin at 4, not at 3"),
        *(
            ({"identity": {**data["identity"], name: value}}, "it was made by another version")
            for name, value in OTHERS.items()
        ),
        ({"previous": chain[0].hash}, "it extends another plan"),
    ]:
        (folder / PLANS[2]).write_bytes(damage.signed({**data, **changes}))
        assert told(folder).startswith(f"plan-002.json does not belong to this store: {message}")
    measures = {**data["about"]["measures"], "more": {"unit": "", "doc": ""}}
    about = {**data["about"], "measures": measures}
    (folder / PLANS[2]).write_bytes(damage.signed({**data, "about": about}))
    assert "its parameters or measures are others" in told(folder)


def put(data, place, value):
    """Return the data with another value at a place such as 'bundles.0.chunk'."""
    *way, last = [int(k) if k.isdigit() else k for k in place.split("/")]
    inside = data
    for key in way:
        inside = inside[key]
    if value is KeyError:
        del inside[last]
    else:
        inside[last] = value
    return data


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("groups/0/chunk", None, "groups[0].chunk = null: expected a whole number"),
        ("groups/0/chunk", True, "groups[0].chunk = True: expected a whole number"),
        ("groups/0/chunk", 0, "groups[0]: batch and chunk must be"),
        ("groups/0/chunk", 10**12, "groups[0]: batch and chunk must be"),
        ("groups/0/batch", 10**6, "groups[0]: batch and chunk must be"),
        ("groups/0/batch", 0, "groups[0]: batch and chunk must be"),
        ("groups/0/work", float("inf"), "groups[0].work = inf: must be finite"),
        ("groups/0/cells", "4", "groups[0].cells = '4': expected a whole number"),
        ("groups", {}, "groups = {}: expected a list"),
        ("replicates", [0, 10**9], "replicates = [0, 1000000000]: more than 1e+08 results"),
        ("replicates", [0, 2, 4], "replicates = [0, 2, 4]: expected a list of 2"),
        ("replicates", [2, 2], "replicates = [2, 2]: must rise"),
        ("replicates", [-1, 2], "replicates = [-1, 2]: must rise"),
        ("identity", None, "identity = null: expected an object"),
        ("identity/formula", [], "identity.formula = []: expected true or false or"),
        ("previous", 7, "previous = 7: expected a text"),
        ("previous", KeyError, "previous is missing"),
        ("spread", "2", "spread = '2': expected a whole number or a number or null"),
        ("checksum", KeyError, "checksum is missing"),
        ("more", 1, "more is not known"),
        ("sweep/seed", -1, "sweep.seed = -1: must be in 0.."),
        ("sweep/seed", 1.5, "sweep.seed = 1.5: expected a whole number"),
        ("sweep/paired", ["x"], "sweep.paired: names a parameter that is not"),
        ("sweep/axes/0/1", [], "sweep: the values of n are none, or not distinct"),
        ("sweep/axes/0/1", [5, 5], "sweep: the values of n are none, or not distinct"),
        ("sweep/axes/0/1/0", 5.0, "sweep: a value of n is not of type int"),
        ("sweep/axes/0/1/0", 2**60, "sweep: a value of n is not of type int"),
        ("sweep/axes/0/1/0", [5], "sweep.axes[0][1][0] = [5]: expected true or false or"),
        ("sweep/axes/1/1/0", float("nan"), "sweep: a value of slope is not of type float, or not"),
        ("sweep/axes/0/0", "m", "sweep: its axes and fixed values are not the parameters"),
        ("sweep/axes/1/0", "n", "sweep: its axes and fixed values are not the parameters"),
        ("sweep/fixed/p", "3", "sweep: a value of p is not of type int"),
        ("about/axes/n/kind", "new", "about.axes.n: unknown kind or type"),
        ("about/axes/n/type", "float", "about.axes.n: a sized field cannot be float"),
        ("about/axes/slope/type", "str", "about.axes.slope: a traced field cannot be str"),
        ("about/measures", {}, "about.measures: none, or one with a name that is taken"),
        ("about/measures/status", {"unit": "", "doc": ""}, "about.measures: none, or one with a"),
        ("about/measures/mean", "mean", "about.measures.mean = 'mean': expected an object"),
    ],
)
def test_every_value_is_checked_and_named(place, value, message, folder):
    """Of a plan that is signed, so that nothing but the check of its values can notice."""
    for name in PLANS[1:]:
        (folder / name).unlink()
    data = put(json.loads((folder / PLANS[0]).read_text()), place, value)
    text = damage.signed(data)
    if place == "checksum":
        text = json.dumps(data).encode()
    (folder / PLANS[0]).write_bytes(text)
    assert told(folder).startswith(f"plan-000.json is damaged: {message}")


def test_a_plan_that_is_no_file_or_too_large_is_told(folder, monkeypatch):
    (folder / PLANS[2]).unlink()
    (folder / PLANS[2]).mkdir()
    assert told(folder) == "plan-002.json: is not a file"
    (folder / PLANS[2]).rmdir()
    monkeypatch.setattr("ci_theory.sweeps.plans._MOST_BYTES", 100)
    size = (folder / PLANS[0]).stat().st_size
    assert told(folder) == f"plan-000.json: has {size} bytes, where at most 100 can be right"


def test_an_older_format_is_told(folder):
    data = json.loads((folder / PLANS[0]).read_text())
    (folder / PLANS[0]).write_text(json.dumps({**data, "format": 1}))
    assert told(folder) == (
        f"plan-000.json: store of format 1, this version reads format {FORMAT}: run the sweep into "
        "another folder"
    )


def test_a_plan_that_cannot_be_found_after_writing_ends_the_run(tmp_path, monkeypatch):
    """Whatever a file system says: no plan is written twice."""
    written = []
    monkeypatch.setattr(
        "ci_theory.sweeps.runner.add_plan", lambda *given: written.append(given) or True
    )
    with pytest.raises(BadInput, match=r"plan-000\.json was written and is not there"):
        run(Sweep(**SWEEP, replicates=2), tmp_path / "s")
    assert len(written) == 1


def test_names_are_read_as_numbers(folder, chain):
    names = ["lock", *reversed(PLANS)]
    assert [plan.hash for plan in read_plans(folder, names)] == [plan.hash for plan in chain]
