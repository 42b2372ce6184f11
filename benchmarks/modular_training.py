"""Training a transformer on addition modulo 97: config-steps per CPU second, against PyTorch.

Two layers, d = 128, 4 heads, AdamW, float32, C configurations (weights, decay). "Plain" computes
every layer at every token, in PyTorch as in JAX (``transformer.plain``); "rows" only what differs
(``transformer.apply``, docs/discrete/modular_arithmetic.md). In JAX all steps of all configurations
are one compiled call, one configuration after the other (``lax.map``) or side by side (``vmap``).
Ratios are to the faster PyTorch loop: fused attention and the fused optimiser. "As written" is
attention in products and softmax, and the optimiser as it comes.

The limit is the machine's rate of float32 matrix products, measured in the same run, over the
products that a step needs, forwards and backwards; "share" is how much of it is reached.
"""

import time

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks._modular import RULE, TRAINED, products, questions  # noqa: E402
from ci_theory.systems import transformer  # noqa: E402
from ci_theory.training import batches, optimiser  # noqa: E402

try:
    import torch  # before other libraries start their threads
except ImportError:
    torch = None

SHAPE = transformer.Shape(p=97, d=128, heads=4, layers=2)
KEY = jax.random.key(0)
FORMS = {"plain": transformer.plain, "rows": transformer.apply}


PAIRS, ANSWERS = questions(SHAPE.p)


# --- ours ---------------------------------------------------------------------------------------


def start(configs: int):
    """Weights and decays of some configurations."""
    keys = jax.random.split(KEY, configs)
    weights = jax.jit(jax.vmap(lambda k: transformer.init(k, SHAPE, dtype=jnp.float32)))(keys)
    return weights, jnp.linspace(0.5, 1.5, configs, dtype=jnp.float32)


def trainer(form, size: int, steps: int, side_by_side: int):
    """Return the compiled training of all configurations: weights after, and losses before."""
    pairs, answers = jnp.asarray(PAIRS), jnp.asarray(ANSWERS)
    draw = batches.drawn(KEY, jnp.ones(TRAINED, bool), size)

    def loss(weights, batch):
        logits = form(weights, SHAPE, pairs[batch.rows])
        return optimiser.cross_entropy(logits, answers[batch.rows], batch.weights)

    def one(config):
        weights, decay = config
        rule = optimiser.AdamW(decay=decay, **RULE)
        ends = jnp.array([steps])
        return optimiser.train(loss, weights, rule, ends, lambda w: w["place"], draw).weights

    def run(weights, decays):
        many = (weights, decays)
        return jax.lax.map(one, many, batch_size=side_by_side if side_by_side > 1 else None)

    return jax.jit(run)


# --- the obvious loop ---------------------------------------------------------------------------


def torch_weights(weights):
    """Copy the weights of one configuration into leaves of PyTorch."""
    return jax.tree.map(lambda w: torch.tensor(np.asarray(w), requires_grad=True), weights)


def torch_attention(q, k, v):
    """Causal attention in products and softmax."""
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    later = torch.ones(3, 3, dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1) @ v


def torch_logits(weights, pairs, fused=True):
    """Return the logits: every layer at every token, the answer read at the last."""
    b, d, heads = len(pairs), SHAPE.d, SHAPE.heads
    tokens = torch.cat([pairs, torch.full((b, 1), SHAPE.p)], dim=1)
    x = weights["embed"]["embedding"][tokens] + weights["place"]
    for layer in range(SHAPE.layers):
        block = weights[f"block_{layer}"]
        attention = {k: w["kernel"] for k, w in block["attention"].items()}
        q, k, v = (
            (x @ attention[name].reshape(d, d)).view(b, 3, heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        if fused:
            mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mixed = torch_attention(q, k, v)
        x = x + mixed.transpose(1, 2).reshape(b, 3, d) @ attention["out"].reshape(d, d)
        hidden = torch.relu(x @ block["into"]["kernel"] + block["into"]["bias"])
        x = x + hidden @ block["back"]["kernel"].T + block["back"]["bias"]
    return x[:, -1] @ weights["answer"]["kernel"]


def torch_train(weights, decay: float, size: int, steps: int, fused=True):
    """Train one configuration in place; return CPU seconds, without the drawing of batches."""
    how = {"fused": True} if fused else {}
    rule = torch.optim.AdamW(
        jax.tree.leaves(weights), RULE["rate"], (0.9, 0.98), weight_decay=decay, **how
    )
    pairs, answers = torch.tensor(PAIRS), torch.tensor(ANSWERS)
    draw = jax.jit(batches.drawn(KEY, jnp.ones(TRAINED, bool), size))
    rows = [torch.tensor(np.asarray(draw(step).rows)) for step in range(steps)]
    begin = time.process_time()
    for step in range(steps):
        for group in rule.param_groups:
            group["lr"] = RULE["rate"] * min((step + 1) / RULE["warm_up"], 1.0)
        rule.zero_grad()
        logits = torch_logits(weights, pairs[rows[step]], fused)
        torch.nn.functional.cross_entropy(logits, answers[rows[step]]).backward()
        rule.step()
    return time.process_time() - begin


# --- counts, equality, times ----------------------------------------------------------------------


def product_rate() -> float:
    """Floating-point operations a CPU second in a large float32 product, numpy's or ours."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    ours, on_device = jax.jit(lambda x: x @ x), jnp.asarray(a)
    ways = [lambda: a @ a, lambda: ours(on_device).block_until_ready()]
    if torch is not None:
        other = torch.tensor(a)
        ways.append(lambda: other @ other)
    for way in ways:
        way()
    return 2.0 * 1024**3 / min(_clock.seconds(way, 9) for way in ways)


def assert_equal() -> None:
    """The same logits from the same weights, and the same weights after some steps."""
    weights, decays = start(1)
    first = jax.tree.map(lambda w: w[0], weights)
    pairs = jnp.asarray(PAIRS[:512])
    ours = {
        "plain": transformer.plain(first, SHAPE, pairs),
        "rows": transformer.apply(first, SHAPE, pairs),
        "few": jnp.concatenate(
            [transformer.apply(first, SHAPE, pairs[i : i + 32]) for i in (0, 32)]
        ),
    }
    theirs = torch_weights(first)
    wanted = torch_logits(theirs, torch.tensor(PAIRS[:512])).detach().numpy()
    for name, logits in ours.items():
        worst = np.max(np.abs(np.asarray(logits) - wanted[: len(logits)]))
        assert worst < 1e-5, f"logits of {name} differ by {worst:.1e}"
    torch_train(theirs, float(decays[0]), 512, 5)
    left = torch.nn.functional.cross_entropy(
        torch_logits(theirs, torch.tensor(PAIRS)), torch.tensor(ANSWERS)
    ).item()
    for form in FORMS.values():
        after = jax.tree.map(lambda w: w[0], trainer(form, 512, 5, 1)(weights, decays))
        logits = transformer.plain(after, SHAPE, jnp.asarray(PAIRS))
        loss = float(optimiser.cross_entropy(logits, jnp.asarray(ANSWERS), jnp.ones(TRAINED)))
        assert abs(loss - left) < 1e-4, f"loss after 5 steps: {loss:.6f} and {left:.6f}"
    print(f"same logits to 1e-5, same loss after 5 steps: {left:.4f}")


def torch_per_second(size: int, steps: int, fused: bool) -> float:
    """Return steps per CPU second, median of 3 after some steps to warm up."""
    weights = torch_weights(jax.tree.map(lambda w: w[0], start(1)[0]))
    torch_train(weights, 1.0, size, 2, fused)
    return steps / sorted(torch_train(weights, 1.0, size, steps, fused) for _ in range(3))[1]


def ours_per_second(form, size: int, steps: int, configs: int, side_by_side: int):
    """Return config-steps per CPU second, and the CPU seconds of the first call."""
    run, (weights, decays) = trainer(form, size, steps, side_by_side), start(configs)

    def work():
        jax.block_until_ready(run(weights, decays))

    begin = time.process_time()
    work()
    first = time.process_time() - begin
    return configs * steps / _clock.seconds(work, 3), first


def main() -> None:
    """Assert equality, time, and print the table."""
    if torch is None:
        print("needs PyTorch: pip install --group bench")
        return
    torch.set_num_threads(1)
    assert_equal()
    print("config-steps per CPU second; ratio to PyTorch; share of the limit of the same products")
    print(f"{'':30}{'C':>4}{'steps/s':>9}{'ratio':>7}{'share':>7}{'first s':>9}")
    for size, steps, crowds in ((512, 48, (1, 8)), (32, 640, (1, 32)), (TRAINED, 2, (1,))):
        rate = product_rate()
        limits = {form: rate / products(SHAPE, size, form == "rows") for form in FORMS}
        print(f"batch {size}; {rate / 1e9:.0f} GF/s in products")
        loops = [torch_per_second(size, min(steps, 80), fused) for fused in (False, True)]
        best, rates = max(loops), []
        line("PyTorch, as written", 1, loops[0], best, limits["plain"])
        line("PyTorch, fused", 1, loops[1], best, limits["plain"])
        for configs in crowds:
            for name, form in FORMS.items():
                for together in {1, configs}:
                    each = steps // configs
                    found, first = ours_per_second(form, size, each, configs, together)
                    rates.append((found, found / limits[name]))
                    way = "vmap" if together > 1 else "lax.map" if configs > 1 else "alone"
                    line(f"JAX, {name}, {way}", configs, found, best, limits[name], first)
        quickest, share = max(rates)
        what = f"training the modular transformer, batch {size}"
        _table.tell(what, "PyTorch, fused", quickest, best, "config-steps/s", share=share)


def line(name: str, configs: int, found: float, best: float, limit: float, first: float = 0.0):
    """Print a rate, its ratio to PyTorch and its share of the limit."""
    began = f"{first:9.1f}" if first else ""
    print(
        f"  {name:28}{configs:4}{found:9.1f}{found / best:7.2f}{found / limit:7.0%}{began}",
        flush=True,
    )


if __name__ == "__main__":
    main()
