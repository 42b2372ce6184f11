"""The transformer against an oracle in numpy loops; what tokens see; rows shared = all rows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.systems import transformer
from ci_theory.systems.decoder import Decoder
from ci_theory.systems.transformer import Shape

KEY = jax.random.key(5)
P = 5
MANY = np.stack(np.divmod(np.random.default_rng(1).integers(0, P * P, 40), P), axis=1)  # repeats
CASES = [(1, False), (2, True)]


def shape_of(layers, norm):
    return Shape(p=P, d=12, heads=3, layers=layers, norm=norm)


@functools.cache
def weights_of(layers, norm, dtype=float):
    """Initial weights, moved so that no bias is 0 and no scale of a LayerNorm 1."""
    rng = np.random.default_rng(layers)
    start = jax.jit(lambda: transformer.init(KEY, shape_of(layers, norm), dtype=dtype))()
    return jax.tree.map(lambda w: w + jnp.asarray(0.1 * rng.normal(size=w.shape), w.dtype), start)


# --- by hand ------------------------------------------------------------------------------------


def normed_by_hand(weights, name, x):
    if name not in weights:
        return x
    return (x - x.mean()) / np.sqrt(x.var() + 1e-6) * weights[name]["scale"] + weights[name]["bias"]


def answer_by_hand(weights, n, m):
    """One question, one token and one head at a time."""
    tokens = [weights["embed"]["embedding"][t] for t in (n, m, P)]
    x = [token + place for token, place in zip(tokens, weights["place"], strict=True)]
    for block in (v for k, v in sorted(weights.items()) if k.startswith("block")):
        attention = {k: v["kernel"] for k, v in block["attention"].items()}
        seen, after = [normed_by_hand(block, "norm_attention", v) for v in x], []
        for j in range(3):
            now = x[j].copy()
            for h in range(attention["query"].shape[1]):
                query = seen[j] @ attention["query"][:, h]
                scores = [query @ (seen[i] @ attention["key"][:, h]) for i in range(j + 1)]
                share = np.exp(np.array(scores) / np.sqrt(len(query)))
                for i in range(j + 1):
                    value = seen[i] @ attention["value"][:, h]
                    now += share[i] / share.sum() * value @ attention["out"][h]
            hidden = normed_by_hand(block, "norm_mlp", now) @ block["into"]["kernel"]
            hidden = np.maximum(hidden + block["into"]["bias"], 0.0)
            after.append(now + block["back"]["kernel"] @ hidden + block["back"]["bias"])
        x = after
    return normed_by_hand(weights, "norm_last", x[2]) @ weights["answer"]["kernel"]


@functools.cache
def forms(layers, norm):
    """One program: logits of each form, and gradients of a function of them."""
    shape, mixed = shape_of(layers, norm), jnp.sin(jnp.arange(40.0 * P)).reshape(40, P)

    def both(weights, pairs):
        def apply(w):
            cut = 4 if norm else 0  # p questions or fewer keep rows of their own
            parts = [transformer.apply(w, shape, v) for v in (pairs[:cut], pairs[cut:]) if len(v)]
            return jnp.concatenate(parts)

        ways = {"plain": lambda w: transformer.plain(w, shape, pairs), "apply": apply}
        if not norm:  # each only once: compilations are what these tests take
            ways["table"] = lambda w: transformer.table(w, shape)[pairs[:, 0], pairs[:, 1]]
        found = {}
        for name, form in ways.items():

            def loss(w, form=form):
                logits = form(w)
                return jnp.mean(jnp.sin(logits) * mixed.astype(logits.dtype)), logits

            found[name] = jax.grad(loss, has_aux=True)(weights)
        return found

    return jax.jit(both)


@pytest.mark.parametrize(("layers", "norm"), CASES)
def test_logits_are_those_of_the_definition(layers, norm):
    weights = weights_of(layers, norm)
    by_hand = jax.tree.map(np.asarray, weights)
    wanted = np.array([answer_by_hand(by_hand, n, m) for n, m in MANY])
    for _, logits in forms(layers, norm)(weights, jnp.asarray(MANY)).values():
        np.testing.assert_allclose(logits, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("layers", "norm"), CASES)
def test_shared_rows_change_neither_values_nor_gradients(layers, norm):
    found = forms(layers, norm)(weights_of(layers, norm), jnp.asarray(MANY))
    sizes = [float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(found["plain"][0])]
    assert min(sizes) > 1e-5  # no weight is left out
    wanted = found.pop("plain")
    for made in found.values():
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), made, wanted
        )


def test_in_single_precision_forms_agree_to_rounding():
    found = forms(2, False)(weights_of(2, False, jnp.float32), jnp.asarray(MANY))
    for name in ("apply", "table"):
        for a, b in zip(*(jax.tree.leaves(found[k]) for k in (name, "plain")), strict=True):
            assert a.dtype == b.dtype == jnp.float32
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_order_of_a_batch_is_kept():
    weights, order = weights_of(1, False), np.random.default_rng(2).permutation(40)
    run = forms(1, False)
    straight, mixed = run(weights, jnp.asarray(MANY)), run(weights, jnp.asarray(MANY[order]))
    for name in straight:
        np.testing.assert_allclose(mixed[name][1], straight[name][1][order], rtol=1e-12)


# --- what tokens see ----------------------------------------------------------------------------


def test_tokens_see_themselves_and_what_came_before():
    shape = shape_of(2, True)
    weights = weights_of(2, True)

    @jax.jit
    def states(weights, pairs):
        """What leaves every block, (layers, b, 3, d)."""
        _, kept = Decoder(shape, float).apply(
            {"params": weights}, pairs, capture_intermediates=True
        )
        blocks = kept["intermediates"]
        return jnp.stack([blocks[f"block_{layer}"]["__call__"][0] for layer in (0, 1)])

    def changed(weights, pairs):
        after = np.asarray(states(weights, jnp.array([pairs])))[:, 0]
        return np.abs(after - before).max(axis=2) > 1e-6  # (layers, 3)

    before = np.asarray(states(weights, jnp.array([[1, 2]])))[:, 0]
    np.testing.assert_array_equal(changed(weights, [3, 2]), [[True, True, True]] * 2)
    np.testing.assert_array_equal(changed(weights, [1, 4]), [[False, True, True]] * 2)
    table = weights["embed"]["embedding"]
    other = {**weights, "embed": {"embedding": table.at[P].add(1.0)}}
    np.testing.assert_array_equal(changed(other, [1, 2]), [[False, False, True]] * 2)


def test_looking_up_by_a_product_is_looking_up(monkeypatch):
    shape, weights, pairs = shape_of(1, False), weights_of(1, False), jnp.asarray(MANY)

    def run():
        def loss(w):
            return jnp.sum(jnp.sin(transformer.apply(w, shape, pairs)))

        return jax.jit(jax.value_and_grad(loss))(weights)

    here = run()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    there = run()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), here, there)


# --- weights ------------------------------------------------------------------------------------


def test_initial_weights_have_the_variance_of_the_docstring():
    shape = Shape(p=31, d=64, heads=4, layers=1, norm=True)
    run = jax.jit(lambda key, scale: transformer.init(key, shape, scale, jnp.float32))
    weights = run(KEY, 3.0)
    block, unit = weights["block_0"], 3.0 / np.sqrt(64)
    sizes = {
        "embed": (weights["embed"]["embedding"], unit),
        "answer": (weights["answer"]["kernel"], unit),
        "place": (weights["place"], unit),
        "into": (block["into"]["kernel"], unit),
        "back": (block["back"]["kernel"], unit / 2),
        **{k: (v["kernel"], unit) for k, v in block["attention"].items()},
    }
    for w, size in sizes.values():
        assert w.dtype == jnp.float32
        error = size / np.sqrt(2 * w.size)
        assert abs(float(jnp.sqrt(jnp.mean(w**2))) - size) < 4 * error
        assert abs(float(jnp.mean(w))) < 4 * size / np.sqrt(w.size)
    for biases in (block["into"]["bias"], block["back"]["bias"], weights["norm_last"]["bias"]):
        np.testing.assert_array_equal(biases, 0.0)
    np.testing.assert_array_equal(weights["norm_last"]["scale"], 1.0)
    other = run(jax.random.key(6), 3.0)
    assert not jnp.any(other["place"] == weights["place"])


@pytest.mark.parametrize(("layers", "norm"), CASES)
def test_weights_are_counted(layers, norm):
    d = 12
    count = (P + 1) * d + 3 * d + layers * (4 * d**2 + 8 * d**2 + 5 * d) + d * P
    count += (layers * 4 * d + 2 * d) if norm else 0
    assert transformer.parameters(shape_of(layers, norm)) == count


@pytest.mark.parametrize(
    ("sizes", "words"),
    [({"heads": 5}, "multiple of heads"), ({"p": 1}, "p >= 2"), ({"layers": 0}, ">= 1")],
)
def test_bad_shapes_are_refused(sizes, words):
    with pytest.raises(BadInput, match=words):
        Shape(**{"p": P, "d": 12, "heads": 3, **sizes})
