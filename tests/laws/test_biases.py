"""The laws of every bias: how much of the data it befalls, and that strength 0 is no bias."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput
from ci_theory._keys import key_for, stream
from ci_theory._record import axes_of, record, sized
from ci_theory.biases import (
    class_noise,
    contamination,
    imbalance,
    input_noise,
    label_flips,
    leaks,
    noise,
    oversampling,
    poison,
    repetition,
    subset,
    whole,
)
from ci_theory.tasks import sphere

KEY = key_for(0, 1, 2, 3)
DRAWS = 20_000


@record
class Mixed(contamination.Contamination, input_noise.InputNoise, imbalance.Imbalance):
    """Parameters made of three biases, whose rows have a name of their own."""

    ROWS = "m"

    m: int = sized(10, low=1, doc="rows")


def test_biases_are_mixed_into_one_record():
    assert next(iter(axes_of(Mixed))) == "m"
    leak = {"contamination", "leaked", "repeats", "fresh_labels"}
    assert set(axes_of(Mixed)) == {"m", *leak, "input_noise", "minority"}
    made = Mixed(leaked=0.26, repeats=4, input_noise=0.25).leak()
    assert [float(v) for v in made] == [10.0, 3.0, 4.0]
    assert [float(v) for v in Mixed(minority=0.26).sizes()] == [7.0, 3.0]
    x = jnp.ones((10, 2))
    np.testing.assert_array_equal(Mixed().seen(KEY, x), x)
    wanted = input_noise.noisy(KEY, x, 0.25)
    np.testing.assert_array_equal(Mixed(input_noise=0.25).seen(KEY, x), wanted)


@pytest.mark.parametrize(
    ("rows", "share", "leaked"), [(10, 0.0, 1), (10, 0.04, 1), (10, 0.26, 3), (10, 1.0, 10)]
)
def test_a_whole_number_of_rows_leaks_and_at_least_one(rows, share, leaked):
    made = contamination.leak(jnp.array(float(rows)), share, jnp.array(4.0))
    weights = np.asarray(contamination.weights(made, rows + 2))
    assert float(made.leaked) == leaked
    assert weights.tolist() == [4.0] * leaked + [1.0] * (rows - leaked) + [0.0, 0.0]
    assert int(contamination.leaked(made, rows + 2).sum()) == leaked
    assert float(contamination.mixed(*map(jnp.asarray, (1.0, 3.0, 0.25)))) == 1.5


@pytest.mark.parametrize(("share", "few"), [(0.01, 1), (0.26, 3), (0.5, 5), (0.99, 9)])
def test_both_classes_have_a_whole_number_of_rows_and_at_least_one(share, few):
    assert [float(v) for v in imbalance.sizes(10, share)] == [10 - few, few]


@pytest.mark.parametrize(
    ("budget", "share", "repeats", "distinct"),
    [(100, 0.0, 7, 0), (100, 0.01, 7, 1), (100, 0.55, 7, 8), (100, 1.0, 7, 14), (10, 0.5, 10, 1)],
)
def test_the_repeated_share_is_the_nearest_whole_number_of_rows(budget, share, repeats, distinct):
    made = repetition.counts(*(jnp.asarray(v, float) for v in (budget, share, repeats)))
    assert float(made.repeated) == distinct
    assert float(made.fresh) == budget - distinct * repeats


@record
class Copied(repetition.Repetition):
    """Parameters made of repetition."""

    n: int = sized(10, doc="rows")


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("repeats", [1, 2, 5])
def test_rows_are_seen_once_where_none_has_a_copy(share, repeats):
    """A share of rows that are there once, and copies of no row, are no repetition."""
    made = Copied(repeated_fraction=share, repeats=repeats)
    once = np.asarray(repetition.weights(made.split(), 10)).max() == 1
    assert bool(repetition.seen_once(made)) == once == (made.copied() == 0)


def test_copies_share_their_error_or_average_it():
    weights = jnp.array([4.0, 1.0, 0.0, 9.0])
    assert noise.row_noise(weights, True).tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(noise.row_noise(weights, False), [1 / 4, 1, 0, 1 / 9])
    drawn = noise.draw(KEY, DRAWS, jnp.dtype("float64"))
    np.testing.assert_array_equal(drawn, jax.random.normal(stream(KEY, "noise"), (DRAWS,)))
    assert float(drawn.std()) == pytest.approx(1, abs=5 / (2 * DRAWS) ** 0.5)


def test_noise_of_the_inputs_has_its_variance():
    x = jnp.ones((DRAWS, 1))
    np.testing.assert_array_equal(input_noise.noisy(KEY, x, 0.0), x)
    added = np.asarray(input_noise.noisy(KEY, x, 0.25) - x)
    assert added.var() == pytest.approx(0.25, rel=5 * (2 / DRAWS) ** 0.5)


@pytest.mark.parametrize("tangent", [0.0, 0.5, 4.0])
def test_inputs_on_a_sphere_are_turned_by_one_angle_any_way(tangent):
    x = sphere.rows(KEY, DRAWS, 5)
    seen = np.asarray(input_noise.turned(KEY, x, tangent))
    np.testing.assert_allclose(np.sum(seen**2, axis=1), 5.0, rtol=1e-12)
    cosine = np.sum(seen * np.asarray(x), axis=1) / 5.0
    np.testing.assert_allclose(cosine, 1 / np.sqrt(1 + tangent), rtol=1e-12)
    moved = np.mean(seen - cosine[:, None] * np.asarray(x), axis=0)
    assert np.all(np.abs(moved) < 5 / np.sqrt(DRAWS))
    given = Mixed(input_noise=tangent).seen_on_sphere(KEY, x)
    np.testing.assert_array_equal(given, seen)


@pytest.mark.parametrize(
    "flips", [0.3, jnp.float32(0.3), jnp.asarray(0.3)], ids=lambda v: str(type(v))
)
def test_flips_are_drawn_in_the_precision_of_their_probability(flips):
    """As jax.random.bernoulli draws them: stores of earlier versions are continued, not mixed."""
    labels = jnp.ones(997)
    wrong = jax.random.bernoulli(stream(KEY, "flips"), flips, labels.shape)
    np.testing.assert_array_equal(label_flips.flipped(KEY, labels, flips) < 0, wrong)


def test_labels_are_flipped_at_their_rate():
    labels = jnp.where(jnp.arange(DRAWS) % 3 == 0, -1.0, 1.0)
    np.testing.assert_array_equal(label_flips.flipped(KEY, labels, 0.0), labels)
    wrong = np.asarray(label_flips.flipped(KEY, labels, 0.2) != labels)
    assert wrong.mean() == pytest.approx(0.2, abs=5 * (0.16 / DRAWS) ** 0.5)


def test_exactly_a_share_of_what_is_there_and_nested():
    there = jnp.arange(50) % 2 == 0
    chosen = [np.asarray(subset.subset(KEY, there, share)) for share in (0.0, 0.1, 0.5, 1.0)]
    assert [int(c.sum()) for c in chosen] == [0, 2, 12, 25]
    assert all(
        np.all(a <= b) for a, b in zip(chosen, [*chosen[1:], np.asarray(there)], strict=True)
    )


def test_wrong_answers_are_wrong_and_any_of_the_others():
    labels, there = jnp.arange(DRAWS) % 5, jnp.ones(DRAWS, bool)
    taught = class_noise.corrupted(KEY, labels, 5, there, 0.5)
    wrong = np.asarray(taught.wrong)
    assert wrong.sum() == DRAWS / 2
    np.testing.assert_array_equal(np.asarray(taught.labels != labels), wrong)
    shift = np.asarray((taught.labels - labels) % 5)[wrong]
    counts = np.bincount(shift, minlength=5)
    assert counts[0] == 0
    assert np.all(np.abs(counts[1:] - DRAWS / 8) < 5 * (DRAWS / 8) ** 0.5)


def test_poison_befalls_whole_rows_that_are_there():
    there = jnp.arange(12) < 10
    for share, count in [(0.0, 0), (0.26, 3), (1.0, 10)]:
        struck = np.asarray(poison.struck(KEY, there, share))
        assert struck.sum() == count
        assert not struck[10:].any()
        moved = np.asarray(poison.triggered(jnp.zeros((12, 3)), jnp.asarray(struck), 2.5))
        np.testing.assert_array_equal(moved, np.outer(struck, [2.5, 0.0, 0.0]))

    @record
    class Some(poison.Poison):
        n: int = sized(10, low=1, doc="rows")

    assert float(Some(poison=0.26).poisoned()) == 3.0


def test_biases_of_one_field_are_refused_together():
    """Copies of leaked rows and of any rows have one name: whichever came first would count."""

    @record
    class Both(repetition.Repetition, contamination.Contamination):
        n: int = sized(10, doc="rows")

    with pytest.raises(BadInput, match="field repeats is of both Repetition and Contamination"):
        axes_of(Both)


def test_parameters_made_of_class_noise_teach_their_share():
    labels, there = jnp.arange(100) % 5, jnp.arange(100) < 60
    taught = class_noise.ClassNoise(corrupted=0.3).taught(KEY, labels, 5, there)
    wanted = class_noise.corrupted(KEY, labels, 5, there, 0.3)
    assert int(taught.wrong.sum()) == 18
    np.testing.assert_array_equal(taught.labels, wanted.labels)


@pytest.mark.parametrize(("share", "repeated"), [(0.0, 0), (0.24, 12), (0.5, 25), (1.0, 50)])
def test_oversampled_rows_are_a_share_of_those_there_and_none_is_lost(share, repeated):
    given = oversampling.Oversampling(repeated=share, repeats=3)
    assert [float(v) for v in given.split(50)] == [50 - repeated, repeated, 3]
    there = jnp.arange(100) % 2 == 0
    copies = np.asarray(given.copies(KEY, there))
    assert np.bincount(copies, minlength=4).tolist() == [50, 50 - repeated, 0, repeated]
    assert np.all(copies[1::2] == 0)


@pytest.mark.parametrize(
    ("share", "rate", "draws", "kept"),
    [(0.0, 0.0, 9.0, 1.0), (0.3, 0.0, 9.0, 0.7), (0.0, 0.1, 5.0, 0.9**5), (0.3, 0.1, 5.0, 0.4133)],
)
def test_tests_leak_in_either_way_at_their_rates(share, rate, draws, kept):
    luck = jax.random.uniform(KEY, (2, DRAWS))
    left = np.asarray(leaks.unleaked(luck, share, rate, draws))
    assert left.mean() == pytest.approx(kept, abs=5 * (0.25 / DRAWS) ** 0.5)
    more = np.asarray(leaks.unleaked(luck, share + 0.1, rate, draws + 1))
    assert not np.any(more & ~left)


def test_counts_are_whole_again_whatever_happened():
    with whole.unrounded():
        with whole.unrounded():
            pass
        assert float(whole.whole(2.6)) == 2.6
        assert float(whole.whole_below(2.6)) == 2.6
    with pytest.raises(RuntimeError, match="lost"), whole.unrounded():
        raise RuntimeError("lost")
    assert float(whole.whole(2.6)) == 3
    assert float(whole.whole_below(2.6)) == 2


def test_of_a_budget_below_the_repeats_nothing_is_repeated():
    made = repetition.counts(5.0, 0.5, jnp.array(7.0))
    assert [float(v) for v in made] == [5.0, 0.0, 7.0]
