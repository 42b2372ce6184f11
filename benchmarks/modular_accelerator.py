"""Many transformers at once on an accelerator: config-steps per second, and what binds them.

    python -m benchmarks.modular_accelerator [CONFIGS ...]

One block, p = 97, d = 128, all 3763 training questions at every step, AdamW; configurations
(weights, decay) side by side under ``vmap``, all steps in one compiled call. "plain" computes all
tokens, "rows" what differs among the training questions, "table" the whole table by broadcasting
(docs/discrete/modular_arithmetic.md). In bfloat16 the weights and the optimiser stay in float32.
"again" keeps nothing for the gradients and computes it again.

The limits are measured in the same run: floats moved per second by adding 1 to a long array, and
operations per second in a large product. "moved" counts what XLA's operations read and write,
fusions as one. Wall time; the same losses are asserted first. Not part of ``make bench``.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._modular import RULE, TRAINED, products, questions
from ci_theory.systems import transformer
from ci_theory.training import optimiser

SHAPE = transformer.Shape(p=97, d=128, heads=4, layers=1)
KEY = jax.random.key(0)
PAIRS, ANSWERS = (jnp.asarray(v) for v in questions(SHAPE.p))
WAYS = [(name, kind) for name in ("plain", "rows", "table") for kind in ("float32", "bfloat16")]
WAYS += [(f"{name}, again", kind) for name, kind in WAYS if name != "plain"]


def answered(name: str, weights) -> jax.Array:
    """Return the logits of the training questions (3763, p)."""
    if name == "table":
        return transformer.table(weights, SHAPE)[PAIRS[:, 0], PAIRS[:, 1]]
    form = {"plain": transformer.plain, "rows": transformer.apply}[name]
    return form(weights, SHAPE, PAIRS)


def loss_of(way: str, kind: str):
    """Return the loss of float32 weights, computed in another precision."""
    name, _, again = way.partition(", ")

    def logits(weights):
        return answered(name, jax.tree.map(lambda w: w.astype(kind), weights)).astype(jnp.float32)

    logits = jax.checkpoint(logits) if again else logits
    return lambda weights: optimiser.cross_entropy(logits(weights), ANSWERS, jnp.ones(TRAINED))


def trainer(way: str, kind: str):
    """Return the compiled training: losses after given steps, of configurations side by side."""
    loss = loss_of(way, kind)

    def one(weights, decay, steps):
        rule = optimiser.AdamW(decay=decay, **RULE)
        return optimiser.train(loss, weights, rule, steps, loss).measures

    return jax.jit(jax.vmap(one, (0, 0, None)))


def start(configs: int):
    """Weights and decays of some configurations, in float32."""
    keys = jax.random.split(KEY, configs)
    draw = jax.vmap(lambda key: transformer.init(key, SHAPE, dtype=jnp.float32))
    return jax.jit(draw)(keys), jnp.linspace(0.5, 1.5, configs, dtype=jnp.float32)


def seconds(work, repeats: int = 3) -> float:
    """Return the shortest wall time of a call, the first one left out."""
    jax.block_until_ready(work())
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(work())
        times.append(time.perf_counter() - begin)
    return min(times)


def moved_per_second() -> float:
    """Bytes read and written per second by an operation that does nothing else."""
    size = 2**24 if jax.default_backend() == "cpu" else 2**29
    x = jnp.ones(size, jnp.float32)
    add = jax.jit(lambda x: x + 1)
    return 8.0 * size / seconds(lambda: add(x))


def multiplied_per_second(kind: str) -> float:
    """Floating-point operations per second in a large product."""
    n = 512 if jax.default_backend() == "cpu" else 8192
    a = jax.random.normal(KEY, (n, n)).astype(kind)
    product = jax.jit(lambda a: a @ a)
    return 2.0 * n**3 / seconds(lambda: product(a))


def moved(way: str, kind: str, configs: int) -> float:
    """Bytes that a step of one configuration reads and writes, as XLA counts them."""
    step = jax.jit(jax.vmap(jax.grad(loss_of(way, kind))))
    counted = step.lower(start(configs)[0]).compile().cost_analysis()
    return float(counted["bytes accessed"]) / configs


def assert_equal() -> None:
    """The same losses along the way in float32; in bfloat16 they differ by its rounding."""
    weights, decays = start(2)
    steps = jnp.array([0, 5, 20])
    curves = {(w, k): np.asarray(trainer(w, k)(weights, decays, steps)) for w, k in WAYS}
    wanted = curves["plain", "float32"]
    for (way, kind), losses in curves.items():
        worst = float(np.max(np.abs(losses - wanted)))
        assert worst < (1e-3 if kind == "float32" else 0.1), f"{way}, {kind}: off by {worst:.1e}"
    print(f"same losses in float32 to 1e-3, in bfloat16 to 0.1; after 20 steps {wanted[:, -1]}")


def main() -> None:
    """Assert equality, measure the limits, time every way, and print the table."""
    device = jax.devices()[0]
    small = device.platform == "cpu"
    crowds = [int(word) for word in sys.argv[1:]] or ([1] if small else [64, 128])
    print(f"{device.device_kind}; matrix products at JAX's default precision")
    assert_equal()
    wide = moved_per_second()
    rates = {kind: multiplied_per_second(kind) for kind in ("float32", "bfloat16")}
    print(f"limits: {wide / 1e9:.0f} GB/s moved; " + ", ".join(
        f"{rate / 1e12:.3g} TFLOP/s in {kind}" for kind, rate in rates.items()
    ))  # fmt: skip
    print(f"{'':24}{'C':>5}{'config-steps/s':>16}{'MB':>7}{'moved':>8}{'products':>10}")
    for way, kind in WAYS:
        rows = not way.startswith("plain")
        count = SHAPE.p**2 if way.startswith("table") else TRAINED
        work = products(SHAPE, count, rows)
        for configs in crowds:
            run, (weights, decays) = trainer(way, kind), start(configs)
            steps = jnp.array([2 if small else 200])
            taken = seconds(lambda r=run, w=weights, d=decays, s=steps: r(w, d, s))
            found = configs * int(steps[0]) / taken
            bytes_ = moved(way, kind, configs)
            print(
                f"{way + ', ' + kind:24}{configs:5}{found:16.1f}{bytes_ / 1e6:7.0f}"
                f"{found * bytes_ / wide:8.0%}{found * work / rates[kind]:10.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
