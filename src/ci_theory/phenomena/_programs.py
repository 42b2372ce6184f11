"""The programs by which predictions are evaluated: compiled no more than pays, and not twice."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from ci_theory import _cache
from ci_theory._record import build
from ci_theory._types import cpu
from ci_theory.phenomena._base import Estimate, Phenomenon
from ci_theory.phenomena._forecast import told

jax.export.register_namedtuple_serialization(Estimate, serialized_name="ci_theory.Estimate")

Program = Callable[[dict[str, np.ndarray], Any], Any]
"""From numbers, name -> (t,), and a world to name -> (estimate, decoys by name), of arrays (t,)."""

_QUICKLY = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""Options of XLA with which it compiles in a fifth of the time what runs four times slower.

The last bits of the numbers may differ, as they do between batches of different sizes.
"""


@functools.lru_cache(maxsize=64)
def program_of(
    phenomenon: Phenomenon, words: tuple[tuple[str, str], ...], decoys: bool, few: bool
) -> Program:
    """Return the program that evaluates all predictions at once: they share most of their work.

    Args:
        phenomenon: the phenomenon.
        words: the values of its fields that are strings.
        decoys: whether the mistakes are evaluated too.
        few: whether it will be run for a few points only.
    """

    def one(numbers: dict[str, Any], world: Any) -> Any:
        params: Any = build(phenomenon.params, {**numbers, **dict(words)})
        return told(phenomenon, params, world, decoys)

    every = _at_all(one)
    options = _known_options() if few else None
    ours = phenomenon.params.__module__.startswith(f"{__package__}.")
    if ours and _cache.is_open():
        return _as_traced_before(every, [phenomenon.name, f"{words} {decoys}"], options)
    return jax.jit(every, compiler_options=options)


def _at_all(one: Program) -> Program:
    """Return a function of one point as one of all points.

    A single point is asked for by itself: to trace what could as well be many takes twice the time.
    """

    def every(numbers: dict[str, Any], world: Any) -> Any:
        if {len(value) for value in numbers.values()} != {1}:
            return jax.vmap(one, in_axes=(0, None))(numbers, world)
        found = one({name: value[0] for name, value in numbers.items()}, world)
        return jax.tree.map(lambda value: jnp.asarray(value)[None], found)

    return every


def _as_traced_before(
    every: Callable[..., Any], name: list[str], options: dict[str, Any] | None
) -> Callable[..., Any]:
    """Compile a function as an earlier process traced it, if one did: to trace may take seconds."""
    programs: dict[tuple[str, ...], Any] = {}

    def run(*given: Any) -> Any:
        leaves, tree = jax.tree.flatten(given)
        shapes = (str(tree), *(str(jax.typeof(leaf)) for leaf in leaves))
        if shapes not in programs:
            traced = _traced(
                lambda leaves: every(*jax.tree.unflatten(tree, leaves)), leaves, [*name, *shapes]
            )
            programs[shapes] = jax.jit(traced, compiler_options=options)
        return programs[shapes](leaves)

    return run


def _traced(function: Callable[[list], Any], leaves: list, name: list[str]) -> Any:
    """Return a function of these leaves as it was traced, by now or before."""

    def make() -> bytes:
        return bytes(jax.export.export(jax.jit(function), platforms=["cpu"])(leaves).serialize())

    _find_lapack()
    try:
        return jax.export.deserialize(bytearray(_cache.remembered(name, make))).call
    except (ValueError, NotImplementedError):  # it calls Python, or what has no lasting form
        return function


@functools.cache
def _find_lapack() -> None:
    """Let JAX look up LAPACK, as it does where it lowers a factorisation, and only there.

    A program that was lowered in another process calls it too, and would call nothing: a crash.
    """
    jax.jit(jnp.linalg.cholesky).lower(jnp.eye(1))


def quickly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that is run for a few points only, with numbers, not inside another.

    Of a plain function of this package that returns arrays what was traced is kept too.
    """
    name = [str(getattr(function, key, "<")) for key in ("__module__", "__qualname__")]
    plain = inspect.isfunction(function) and not function.__closure__ and "<" not in name[1]
    ours = plain and name[0].startswith("ci_theory.")

    @functools.cache
    def compiled() -> Callable[..., Any]:
        if not (ours and _cache.is_open()):
            return jax.jit(function, compiler_options=_known_options())
        return _as_traced_before(function, name, _known_options())

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        with cpu():
            return compiled()(*jax.tree.map(np.asarray, args))

    return run


@functools.cache
def _known_options() -> dict[str, Any] | None:
    """Return the options, or None if this version of XLA does not know one of them."""
    try:
        jax.jit(lambda: 0, compiler_options=_QUICKLY)()
    except jax.errors.JaxRuntimeError:
        return None
    return _QUICKLY
