"""Training the small decoder on tasks in context: config-steps per CPU second, against PyTorch.

Chains: two layers of softmax attention, d = 32, positions and LayerNorms, 32 tokens of three kinds,
the next one asked for at every position. Prompts: one such layer, d = 20, four heads, ten pairs of
a regression in five dimensions, squared error of one answer; only the last token is asked, which
ours computes alone and the loop as it comes, for all. Both are the networks of
docs/attention/in_context.md. AdamW, float32; batches are drawn beforehand and are the same on
either side. Ours is one compiled call for all steps; the loop is PyTorch's, with fused attention
and the fused optimiser.

The limit is the rate of a large float32 product in the same run, over the products of a step, all
tokens counted; matrices of 20 to 32 columns reach little of it.
"""

import time
from typing import NamedTuple

from benchmarks import _clock, _table

_clock.one_core()

import jax  # noqa: E402 - after pinning
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from ci_theory.systems import sequence_decoder  # noqa: E402
from ci_theory.systems.sequence_decoder import Shape  # noqa: E402
from ci_theory.training import optimiser  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

RATE, BETAS, DECAY = 1e-3, (0.9, 0.98), 0.1
STEPS, CHECKED = 200, 5


class Task(NamedTuple):
    """A network, and batches (steps, batch, ...) of what it reads and what is right."""

    name: str
    shape: Shape
    given: np.ndarray
    right: np.ndarray


def tasks() -> list[Task]:
    """Draw what both sides train on."""
    rng = np.random.default_rng(0)
    walks = rng.integers(0, 3, (STEPS, 32, 33))  # speed does not depend on the law of the steps
    chains = Shape(reads="tokens", inputs=3, outputs=3, d=32, layers=2, norm=True, length=32)
    x = rng.standard_normal((STEPS, 128, 11, 5)).astype(np.float32)
    y = np.einsum("sbti,sbi->sbt", x, rng.standard_normal((STEPS, 128, 5)).astype(np.float32))
    told = y.copy()
    told[:, :, -1] = 0
    pairs = np.concatenate([x, told[..., None]], axis=3)
    prompts = Shape(reads="vectors", inputs=6, outputs=1, d=20, heads=4)
    return [
        Task("chains", chains, walks[:, :, :-1], walks[:, :, 1:]),
        Task("prompts", prompts, pairs, y[:, :, -1]),
    ]


# --- ours ---------------------------------------------------------------------------------------


def our_loss(shape: Shape, weights, given, right):
    """Mean loss of a batch."""
    if shape.reads == "vectors":
        return jnp.mean((sequence_decoder.last(weights, shape, given)[:, 0] - right) ** 2)
    logits = sequence_decoder.apply(weights, shape, given)
    flat = logits.reshape(-1, shape.outputs), right.reshape(-1)
    return optimiser.cross_entropy(*flat, jnp.ones(right.size, logits.dtype))


def start(task: Task):
    """Draw weights."""
    draw = jax.jit(sequence_decoder.init, static_argnums=(1, 3))
    return draw(jax.random.key(0), task.shape, 1.0, jnp.float32)


def trainer(task: Task, steps: int):
    """Return the compiled training."""
    given, right = jnp.asarray(task.given), jnp.asarray(task.right)

    def run(weights):
        rule = optimiser.AdamW(rate=RATE, decay=DECAY, warm_up=1.0, first=BETAS[0], second=BETAS[1])
        return optimiser.train(
            lambda w, batch: our_loss(task.shape, w, *batch),
            weights,
            rule,
            jnp.array([steps]),
            lambda w: jnp.zeros(()),
            lambda step: (given[step], right[step]),
        ).weights

    return jax.jit(run)


# --- the obvious loop ---------------------------------------------------------------------------


def torch_answers(weights, shape: Shape, given):
    """Return the answers at every token, layer by layer."""
    functional = torch.nn.functional

    def normed(x, own):
        if not shape.norm:
            return x
        return functional.layer_norm(x, x.shape[-1:], own["scale"], own["bias"], 1e-6)

    if shape.reads == "tokens":
        x = weights["embed"]["embedding"][given]
    else:
        x = given @ weights["read"]["kernel"]
    if shape.length:
        x = x + weights["place"][: given.shape[1]]
    batch, length, d = x.shape
    for layer in range(shape.layers):
        block = weights[f"block_{layer}"]
        seen = normed(x, block.get("norm_attention"))
        q, k, v = (
            (seen @ block["attention"][name]["kernel"].reshape(d, d))
            .view(batch, length, shape.heads, -1)
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out = block["attention"]["out"]["kernel"].reshape(d, d)
        x = x + mixed.transpose(1, 2).reshape(batch, length, d) @ out
    return normed(x, weights.get("norm_last")) @ weights["answer"]["kernel"]


def torch_loss(weights, shape: Shape, given, right):
    """Mean loss of a batch."""
    answers = torch_answers(weights, shape, given)
    if shape.reads == "vectors":
        return torch.mean((answers[:, -1, 0] - right) ** 2)
    return torch.nn.functional.cross_entropy(answers.reshape(-1, shape.outputs), right.reshape(-1))


def torch_train(task: Task, weights, steps: int) -> float:
    """Train in place; return CPU seconds."""
    given, right = torch.tensor(task.given), torch.tensor(task.right)
    leaves = jax.tree.leaves(weights)
    rule = torch.optim.AdamW(leaves, RATE, BETAS, weight_decay=DECAY, fused=True)
    begin = time.process_time()
    for step in range(steps):
        rule.zero_grad()
        torch_loss(weights, task.shape, given[step], right[step]).backward()
        rule.step()
    return time.process_time() - begin


def torch_weights(weights):
    """Copy weights into leaves of PyTorch."""
    return jax.tree.map(lambda w: torch.tensor(np.asarray(w), requires_grad=True), weights)


# --- equality, times ----------------------------------------------------------------------------


def product_rate() -> float:
    """Floating-point operations a CPU second in a large float32 product."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    return 2.0 * 1024**3 / _clock.seconds(lambda: a @ a, 9)


def products(task: Task) -> float:
    """Floating-point operations of a step in products, forwards and backwards."""
    shape, (_, batch, length) = task.shape, task.given.shape[:3]
    read = shape.inputs * shape.d if shape.reads == "vectors" else 0
    token = read + shape.layers * (4 * shape.d**2 + 2 * length * shape.d) + shape.d * shape.outputs
    return 6.0 * batch * length * token


def assert_equal(task: Task) -> None:
    """The same loss from the same weights, and after some steps."""
    weights = start(task)
    theirs, last = torch_weights(weights), (task.given[CHECKED], task.right[CHECKED])
    for steps in (0, CHECKED):
        after = trainer(task, steps)(weights) if steps else weights
        torch_train(task, theirs, steps)
        wanted = torch_loss(theirs, task.shape, *(torch.tensor(v) for v in last)).item()
        found = float(our_loss(task.shape, after, *(jnp.asarray(v) for v in last)))
        assert abs(found - wanted) < 1e-4 * wanted, f"{task.name}: {found:.6f} and {wanted:.6f}"


def main() -> None:
    """Assert equality, time, and print the table."""
    if torch is None:
        print("needs PyTorch: pip install --group bench")
        return
    torch.set_num_threads(1)
    print(f"{'':10}{'ours, steps/s':>15}{'PyTorch':>10}{'ratio':>8}{'share':>8}")
    for task in tasks():
        assert_equal(task)
        weights, run = start(task), trainer(task, STEPS)
        jax.block_until_ready(run(weights))
        spent = _clock.seconds(lambda run=run, weights=weights: jax.block_until_ready(run(weights)))
        loops = [torch_train(task, torch_weights(weights), STEPS) for _ in range(3)]
        ours, theirs = STEPS / spent, STEPS / min(loops)
        share = ours * products(task) / product_rate()
        what = f"training a decoder in context, {task.name}"
        _table.tell(what, "PyTorch, fused", ours, theirs, "steps/s", share=share)
        print(
            f"{task.name:10}{ours:15.1f}{theirs:10.1f}{ours / theirs:8.2f}{share:8.1%}", flush=True
        )


if __name__ == "__main__":
    main()
