"""The common decoder against numpy loops, against the transformer it contains, and what it sees."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.systems import sequence_decoder, transformer
from ci_theory.systems.sequence_decoder import Shape

KEY = jax.random.key(5)
TOKENS = np.random.default_rng(1).integers(0, 4, (3, 5))
VECTORS = np.random.default_rng(2).normal(size=(3, 5, 2))
SHAPES = {
    "tokens": Shape(
        reads="tokens", inputs=4, outputs=4, d=6, heads=2, layers=2, tied=True, norm=True, length=5
    ),
    "vectors": Shape(
        reads="vectors", inputs=2, outputs=3, d=6, heads=3, attention="linear", mlp=True
    ),
}


@functools.cache
def case(name):
    """Weights of which none is 0 or 1, what is given, and all answers in one compiled program."""
    shape, rng = SHAPES[name], np.random.default_rng(3)
    given = jnp.asarray(TOKENS if name == "tokens" else VECTORS)

    @jax.jit
    def both(weights, given):
        ways = (sequence_decoder.apply, sequence_decoder.last)
        return [way(weights, shape, given) for way in ways]

    weights = jax.tree.map(
        lambda w: w + 0.1 * rng.normal(size=w.shape),
        jax.jit(sequence_decoder.init, static_argnums=1)(KEY, shape),
    )
    return shape, weights, given, both


def normed_by_hand(weights, name, x):
    if name not in weights:
        return x
    return (x - x.mean()) / np.sqrt(x.var() + 1e-6) * weights[name]["scale"] + weights[name]["bias"]


def answers_by_hand(shape, weights, given):
    """One sequence: one token, one head and one earlier token at a time."""
    if shape.reads == "tokens":
        x = [weights["embed"]["embedding"][t] for t in given]
    else:
        x = [v @ weights["read"]["kernel"] for v in given]
    if shape.length:
        x = [v + weights["place"][i] for i, v in enumerate(x)]
    for layer in range(shape.layers):
        block = weights[f"block_{layer}"]
        attention = {k: v["kernel"] for k, v in block["attention"].items()}
        seen, after = [normed_by_hand(block, "norm_attention", v) for v in x], []
        for j in range(len(x)):
            now = x[j].copy()
            for h in range(shape.heads):
                query = seen[j] @ attention["query"][:, h] / np.sqrt(shape.d // shape.heads)
                scores = [query @ (seen[i] @ attention["key"][:, h]) for i in range(j + 1)]
                if shape.attention == "softmax":
                    scores = np.exp(scores) / np.sum(np.exp(scores))
                else:
                    scores = np.array(scores) / (j + 1)
                for i in range(j + 1):
                    value = seen[i] @ attention["value"][:, h]
                    now += scores[i] * value @ attention["out"][h]
            if shape.mlp:
                hidden = normed_by_hand(block, "norm_mlp", now) @ block["into"]["kernel"]
                hidden = np.maximum(hidden + block["into"]["bias"], 0.0)
                now = now + block["back"]["kernel"] @ hidden + block["back"]["bias"]
            after.append(now)
        x = after
    out = weights["embed"]["embedding"].T if shape.tied else weights["answer"]["kernel"]
    return np.array([normed_by_hand(weights, "norm_last", v) @ out for v in x])


@pytest.mark.parametrize("name", SHAPES)
def test_answers_are_those_of_the_definition(name):
    shape, weights, given, both = case(name)
    by_hand = jax.tree.map(np.asarray, weights)
    wanted = np.array([answers_by_hand(shape, by_hand, one) for one in np.asarray(given)])
    every, last = both(weights, given)
    np.testing.assert_allclose(every, wanted, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(last, wanted[:, -1], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_sees_itself_and_what_came_before(name):
    _, weights, given, both = case(name)
    before = both(weights, given)[0]
    for place in range(5):
        other = given.at[:, place].set((given[:, place] + 1) % 4)
        changed = np.abs(both(weights, other)[0] - before).max(axis=(0, 2)) > 1e-9
        np.testing.assert_array_equal(changed, np.arange(5) >= place)


def test_the_transformer_is_this_decoder_with_three_tokens():
    """Weights to the last bit, answers to rounding."""
    small = transformer.Shape(p=5, d=12, heads=3, norm=True)
    shape = Shape(reads="tokens", inputs=6, outputs=5, d=12, heads=3, mlp=True, norm=True, length=3)
    pairs = jnp.stack(jnp.divmod(jnp.arange(25), 5), axis=1)
    tokens = jnp.concatenate([pairs, jnp.full((25, 1), 5)], axis=1)

    @jax.jit
    def both(key):
        theirs, ours = transformer.init(key, small, 1.5), sequence_decoder.init(key, shape, 1.5)
        answers = transformer.plain(theirs, small, pairs)
        return theirs, answers, ours, sequence_decoder.last(ours, shape, tokens)

    wanted, answers, weights, found = both(KEY)
    jax.tree.map(np.testing.assert_array_equal, weights, wanted)
    np.testing.assert_allclose(found, answers, rtol=1e-12, atol=1e-13)


def test_initial_weights_have_the_variance_of_the_docstring():
    """One over the numbers that a product adds, one over d of positions; in the precision asked."""
    shape = Shape(reads="vectors", inputs=10, outputs=20, d=40, heads=2, norm=True, length=30)
    made = jax.jit(sequence_decoder.init, static_argnums=(1, 3))(KEY, shape, 3.0, jnp.float32)
    assert {w.dtype for w in jax.tree.leaves(made)} == {jnp.dtype("float32")}
    kernels = (made["read"]["kernel"], 10), (made["answer"]["kernel"], 40), (made["place"], 40)
    for kernel, count in kernels:
        spread = 5 * (2 / kernel.size) ** 0.5
        assert float(jnp.mean(kernel**2)) == pytest.approx(9 / count, rel=spread)
    np.testing.assert_array_equal(made["norm_last"]["scale"], 1.0)
    plain = jax.jit(sequence_decoder.init, static_argnums=1)(KEY, shape)
    assert {w.dtype for w in jax.tree.leaves(plain)} == {jnp.dtype(float)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads": 4}, "multiple of heads"),
        ({"d": 0}, ">= 1"),
        ({"length": -1}, "length >= 0"),
        ({"reads": "words"}, "one of tokens, vectors"),
        ({"attention": "hard"}, "one of softmax, linear"),
        ({"outputs": 3}, "as many outputs"),
        ({"reads": "vectors"}, "must read tokens"),
    ],
)
def test_bad_shapes_are_refused(change, words):
    with pytest.raises(BadInput, match=words):
        Shape(**{"reads": "tokens", "inputs": 4, "outputs": 4, "d": 6, "tied": True, **change})


def test_a_sequence_longer_than_its_positions_is_refused():
    shape, weights, given, _ = case("tokens")
    with pytest.raises(BadInput, match="6 tokens: expected at most length = 5"):
        sequence_decoder.apply(weights, shape, jnp.concatenate([given, given[:, :1]], axis=1))


def test_whatever_bends_or_is_added_is_not_bilinear():
    plain = {"reads": "vectors", "inputs": 4, "outputs": 2, "d": 6, "attention": "linear"}
    assert Shape(**plain, heads=3).bilinear
    more = {
        "reads": "tokens",
        "attention": "softmax",
        "layers": 2,
        "mlp": True,
        "norm": True,
        "length": 5,
    }
    for name, value in more.items():
        assert not Shape(**{**plain, name: value}).bilinear, name
