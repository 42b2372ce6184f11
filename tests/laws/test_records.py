"""Records, axes and keys: round trips, one-line errors, addressed randomness."""

import dataclasses

import jax
import numpy as np
import pytest

from ci_theory._errors import BadInput
from ci_theory._keys import key_for, point_hash, stream
from ci_theory._record import (
    Kind,
    asked,
    axes_of,
    build,
    flatten,
    inner,
    part,
    problem,
    record,
    sized,
    static,
    traced,
)
from ci_theory._views import hiding, is_parameters, outlined, rebuilt
from ci_theory.phenomena._programs import quickly


@record
class Stage:
    """A nested part."""

    noise: float = inner(0.5, low=0, doc="label-noise variance")


@record
class Whole:
    """A record with every kind of field."""

    p: int = static(3, low=1, doc="parameters")
    kind: str = static("a", choices=("a", "b"), doc="a word")
    n: int = sized(7, low=1, doc="rows")
    up: Stage = part(Stage)


def test_flatten_and_build_are_inverse():
    values = {"p": 5, "kind": "b", "n": 9, "up.noise": 0.25}
    assert flatten(build(Whole, values)) == values
    assert build(Whole, {}) == Whole()


def test_axes_carry_dotted_names_and_kinds():
    axes = axes_of(Whole)
    assert list(axes) == ["p", "kind", "n", "up.noise"]
    assert axes["up.noise"].kind is Kind.INNER
    assert axes["up.noise"].name == "up.noise"


def test_static_fields_are_not_leaves():
    leaves, structure = jax.tree.flatten(Whole())
    assert leaves == [7, 0.5]
    assert jax.tree.unflatten(structure, leaves) == Whole()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("p", 0, "p = 0: must be >= 1"),
        ("p", 1.5, "p = 1.5: must be a whole number"),
        ("p", True, "p = True: must be a whole number"),
        ("n", "many", "n = 'many': must be a whole number"),
        ("kind", "c", "unknown value of kind 'c'"),
        ("up.noise", -1.0, "up.noise = -1.0: must be >= 0"),
        ("up.noise", float("nan"), "up.noise = nan: must be finite"),
        ("up.noise", float("inf"), "up.noise = inf: must be finite"),
        ("up.noise", "0.5", "up.noise = '0.5': must be a number"),
        ("up.noise", True, "up.noise = True: must be a number"),
        ("kind", True, "kind = True: must be a string"),
        ("n", float("inf"), "n = inf: must be"),
    ],
)
def test_bad_values_are_told_in_one_line(name, value, says):
    with pytest.raises(BadInput) as caught:
        axes_of(Whole)[name].convert(value)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bounds", "good", "bad"),
    [
        ({"low": 1}, (1, 2), (0.999,)),
        ({"high": 3}, (3, -5), (3.001,)),
        ({"above": 0}, (1e-300,), (0, -1)),
        ({"low": 1, "high": 3}, (1, 3), (0.5, 3.5)),
    ],
)
def test_low_and_high_are_values_and_above_is_none(bounds, good, bad):
    declared = {"low": None, "default": good[0], **bounds}
    axis = dataclasses.replace(axes_of(Whole)["up.noise"], **declared)
    assert [axis.problem(value) for value in good] == [None] * len(good)
    assert all("must be" in axis.problem(value) for value in bad)


@record
class Odd:
    """A record with a word of its own."""

    n: int = sized(9, doc="rows")

    def problem(self):
        return f"n = {self.n}: must be odd" if self.n % 2 == 0 else None


@record
class Small:
    """Another, of another field."""

    p: int = sized(2, doc="columns")

    def problem(self):
        return f"p = {self.p}: must be small" if self.p > 3 else None


@record
class Made(Odd, Small):
    """Made of both, with a word of its own and a part that has one."""

    down: Small = part(Small)

    def problem(self):
        return "n and p must differ" if self.n == self.p else None


def test_all_that_a_record_is_made_of_is_asked():
    wrong = [{"n": 3, "p": 3}, {"n": 4}, {"p": 8}, {"down": Small(p=9)}]
    words = ["n and p must", "n = 4: must be odd", "p = 8: must be small", "down.p = 9: must be"]
    for values, word in zip(wrong, words, strict=True):
        assert problem(Made(**values)).startswith(word)
    assert problem(Made()) is None
    assert len(asked(Made)) == 4


def test_point_hash_sees_values_not_order_or_spelling():
    base = point_hash({"n": 10, "noise": 0.5})
    assert base == point_hash({"noise": 0.5, "n": 10.0})
    assert base != point_hash({"n": 11, "noise": 0.5})
    assert all(0 <= half < 2**32 for half in base)


def test_keys_are_a_function_of_their_address():
    def key(*address):
        return jax.random.key_data(key_for(*address)).tolist()

    addresses = [(s, h, lo, r) for s in (0, 1) for h in (5, 6) for lo in (7, 8) for r in (0, 1)]
    assert len({tuple(key(*a)) for a in addresses}) == len(addresses)
    assert key(0, 5, 7, 1) == key(np.uint32(0), np.uint32(5), np.uint32(7), np.uint32(1))
    streams = {
        tuple(jax.random.key_data(stream(key_for(0, 1, 2, 3), s)).tolist())
        for s in ("design", "noise", "features")
    }
    assert len(streams) == 3


@pytest.mark.parametrize(
    ("name", "value", "made"),
    [("n", 3.0, 3), ("up.noise", 2, 2.0), ("n", np.float64(4), 4), ("kind", "b", "b")],
)
def test_a_value_gets_the_type_of_its_field(name, value, made):
    found = axes_of(Whole)[name].convert(value)
    assert (found, type(found)) == (made, type(made))


def test_what_is_taken_apart_is_put_together_again():
    given = Whole(p=5, kind="b", n=9, up=Stage(noise=0.25))
    numbers, outline = outlined(given)
    assert numbers == {"p": 5, "n": 9, "up.noise": 0.25}
    assert rebuilt(numbers, outline) == given


@pytest.mark.parametrize("hidden", ["n", "p", "up.noise"])
def test_what_was_hidden_is_hidden_in_what_is_put_together(hidden):
    numbers, outline = outlined(hiding(Whole(kind="b"), {hidden: "not known here"}))
    again = rebuilt(numbers, outline)
    seen = {"p": lambda: again.p, "n": lambda: again.n, "up.noise": lambda: again.up.noise}
    with pytest.raises(BadInput, match="not known here"):
        seen.pop(hidden)()
    assert hidden not in numbers
    assert [read() for read in seen.values()] == list(numbers.values())
    assert again.kind == "b"
    assert type(again).__mro__[1] is Whole


def test_outlines_tell_records_of_other_words_or_hidden_fields_apart():
    made = [Whole(), Whole(kind="b"), hiding(Whole(), {"n": "a"}), hiding(Whole(), {"p": "a"})]
    outlines = [outlined(one)[1] for one in made]
    assert len(set(outlines)) == len({str(one) for one in outlines}) == 4
    other = outlined(hiding(Whole(), {"n": "told otherwise"}))[1]  # makes no other program
    assert (other, str(other)) == (outlines[2], str(outlines[2]))
    assert dict(other.told) == {"n": "told otherwise"}


def test_a_program_takes_a_record_of_any_numbers_and_is_compiled_once_for_each_word():
    traced = []

    @quickly
    def scaled(params, factor):
        traced.append(params.kind)
        return factor * params.p + params.up.noise * (100 if params.kind == "b" else 1)

    points = [(3, "a", 0.5), (4, "a", 0.25), (3, "b", 0.5), (7, "b", 2.0)]
    with jax.enable_x64(True):
        for p, kind, noise in points:
            told = hiding(Whole(p=p, kind=kind, up=Stage(noise=noise)), {"n": "not known here"})
            assert scaled(told, 10) == 10 * p + noise * (100 if kind == "b" else 1)
    assert traced == ["a", "b"]


def test_a_truth_value_is_one_in_a_program():
    @record
    class Switch:
        on: bool = traced(True, doc="a switch")

    turned = quickly(lambda params: ~params.on)
    assert [bool(turned(Switch(on=on))) for on in (True, False)] == [False, True]


def test_other_records_of_arrays_are_not_taken_for_parameters():
    @dataclasses.dataclass
    class Numbers:
        x: float = 1.0

    assert is_parameters(Whole())
    assert is_parameters(hiding(Whole(), {"n": "", "p": ""}))
    assert not any(is_parameters(one) for one in (Numbers(), Whole, 3.0, "a", None))


def test_a_range_may_be_one_value_and_no_less():
    axis = dataclasses.replace(axes_of(Whole)["up.noise"], default=2.0)
    assert dataclasses.replace(axis, low=2, high=2).problem(2.0) is None
    for low, high, above in ((3, 1, None), (None, 2, 2), (None, 1, 2)):
        with pytest.raises(BadInput, match=r"is beyond high|nothing lies above"):
            dataclasses.replace(axis, low=low, high=high, above=above)


def test_every_rule_of_a_part_is_asked_and_parts_of_parts_are_parameters():
    @record
    class Holder:
        up: Made = part(Made)

    @record
    class Outer:
        inside: Holder = part(Holder)

    assert len(asked(Outer)) == len(asked(Holder)) == len(asked(Made)) > 1
    for values in ({}, {"n": 4}, {"n": 100}, {"n": 101}):
        alone = problem(build(Made, values))
        whole = problem(build(Outer, {f"inside.up.{k}": v for k, v in values.items()}))
        assert whole == (alone and f"inside.up.{alone}")
    assert is_parameters(Outer())
