"""Where something holds, in words: the axes that decide it, and no more than was looked at."""

import itertools

import numpy as np
import pytest

from ci_theory.claimed.region import region

AXES = {"n": (10, 100, 1000), "ridge": (0.0, 1.0), "copies": (False, True)}
PLACES = [dict(zip(AXES, values, strict=True)) for values in itertools.product(*AXES.values())]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda at: at["n"] >= 100, "n ≥ 100"),
        (lambda at: at["n"] <= 100, "n ≤ 100"),
        (lambda at: at["n"] == 100, "n = 100"),
        (lambda at: at["n"] != 100, "n = 10, 1000"),
        (lambda at: at["copies"], "copies = true"),
        (lambda at: at["copies"] and at["n"] > 10, "n ≥ 100 where copies = true"),
        (lambda at: at["copies"] or at["n"] > 10, "copies = true where n = 10; n = 100, 1000"),
        (
            lambda at: at["copies"] or at["n"] > 10 or at["ridge"] > 0,
            "n ≥ 100 or ridge = 1 or copies = true",
        ),
        (
            lambda at: at["copies"] and at["n"] > 10 and at["ridge"] > 0,
            "everywhere but where n = 10 or ridge = 0 or copies = false",
        ),
        (
            lambda at: (at["copies"] or at["ridge"] > 0) if at["n"] == 100 else at["n"] > 100,
            "n = 1000, or in 3 of 4 other curves, never where n = 10",
        ),
        (
            lambda at: at["n"] > 10 and (at["copies"] == (at["ridge"] > 0)) == (at["n"] == 100),
            "in 4 of 8 curves, never where n = 10",
        ),
        (
            lambda at: (at["copies"] == (at["ridge"] > 0)) == (at["n"] == 100),
            "in 6 of 12 curves",
        ),
    ],
)
def test_a_rule_is_found_again(rule, words):
    assert region([(at, rule(at)) for at in PLACES]) == words


def test_axes_that_are_not_told_apart_are_all_named():
    seen = [({"n": n, "d": 2 * n, "e": 1}, n > 1) for n in (1, 2, 3)]
    assert region(seen) == "n ≥ 2 (not told apart from d ≥ 4)"
    seen = [({"n": n, "d": 2 * (n % 3)}, n > 1) for n in (1, 2, 3)]
    assert region([({"d": a["d"], "n": a["n"]}, h) for a, h in seen]) == (
        "n ≥ 2 (not told apart from d = 0, 4)"
    )


def test_a_rule_of_one_or_two_axes_is_true_of_every_place():
    """Rules are read back and tried at every place that was looked at, whatever they came from."""

    def holds(words, at):
        def one(text):
            axis, sign, values = text.split(" ", 2)
            numbers = [
                float(v in ("true", "1")) if axis == "copies" else float(v)
                for v in values.split(", ")
            ]
            value = float(at[axis])
            return {"=": value in numbers, "≤": value <= numbers[0], "≥": value >= numbers[0]}[sign]

        return any(all(one(t) for t in rule.split(" where ")) for rule in words.split("; "))

    random = np.random.default_rng(0)
    places = [at for at in PLACES if at["ridge"] == 0.0]
    tried = 0
    for _ in range(60):
        truth = random.integers(0, 2, len(places)).astype(bool)
        if truth.all() or not truth.any():
            continue
        words = region(list(zip(places, truth.tolist(), strict=True)))
        if "told apart" not in words:
            assert [holds(words, at) for at in places] == truth.tolist(), words
            tried += 1
    assert tried > 20


def test_of_pairs_that_are_not_told_apart_the_shorter_rule_is_said():
    """Whatever comes first: e is another name of the values of n, in another order."""
    seen = [
        ({"e": (6, 5, 7)[n - 1], "copies": copies, "n": n}, copies and n > 1)
        for n in (1, 2, 3)
        for copies in (False, True)
    ]
    for axes in itertools.permutations(seen[0][0]):
        words = region([({a: at[a] for a in axes}, holds) for at, holds in seen])
        assert words == "n ≥ 2 where copies = true"
