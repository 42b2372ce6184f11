"""The programs by which predictions are evaluated: compiled no more than pays, and not twice."""

import functools
import inspect
import os
import pickle
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import serialize_executable

from ci_theory import _cache
from ci_theory._record import build
from ci_theory._types import cpu
from ci_theory._views import Outline, is_parameters, outlined, rebuilt
from ci_theory.phenomena._base import Phenomenon
from ci_theory.phenomena._forecast import told

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

_FULLY = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_use_fusion_emitters": True,
}
"""XLA's own values of these, for many points in a process that compiles the rest quickly."""


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
    options = _known_options() if few else _options_of_many()
    ours = phenomenon.params.__module__.startswith(f"{__package__}.")
    if ours and _cache.keeps_programs():
        return _as_compiled_before(every, [phenomenon.name, f"{words} {decoys}"], options)
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


def _as_compiled_before(
    every: Callable[..., Any], name: list[str], options: dict[str, Any] | None
) -> Callable[..., Any]:
    """Run a function as an earlier process compiled it, if one did: neither traced nor lowered."""
    programs: dict[tuple[str, ...], Any] = {}

    def run(*given: Any) -> Any:
        leaves, tree = jax.tree.flatten(given)
        shapes = (str(tree), *(str(jax.typeof(leaf)) for leaf in leaves))
        if shapes in programs:
            return programs[shapes](leaves)
        programs[shapes], first = _compiled(
            lambda leaves: every(*jax.tree.unflatten(tree, leaves)),
            leaves,
            options,
            [*name, *shapes],
        )
        return first

    return run


def _compiled(
    function: Callable[[list], Any], leaves: list, options: dict[str, Any] | None, name: list[str]
) -> tuple[Any, Any]:
    """Return a function of these leaves as it was compiled, by now or before, and its value."""
    anew: list[Any] = []

    def make() -> bytes:
        lowered = jax.jit(function).lower(leaves)
        with _cache.compiled_here():
            anew.append(lowered.compile(compiler_options=options))
        text = lowered.as_text()
        if "callback" in text:  # it calls Python in this process, which no other one has
            return b""
        try:
            lasting = serialize_executable.serialize(anew[0])
        except (AttributeError, NotImplementedError, TypeError, ValueError, pickle.PickleError):
            return b""
        return zlib.compress(pickle.dumps(("lapack" in text, lasting)), level=1)

    kept = _cache.remembered(["program", str(options), *_cache.around(), *name], make)
    if not anew:
        with suppress(Exception):  # whatever JAX and XLA say of what they do not understand
            calls_lapack, (lasting, inputs, outputs) = pickle.loads(zlib.decompress(kept))
            if calls_lapack:
                _find_lapack()
            one = jax.devices("cpu")[:1]
            loaded = serialize_executable.deserialize_and_load(
                lasting, inputs, outputs, backend="cpu", execution_devices=one
            )
            return loaded, loaded(leaves)
        make()
    return anew[0], anew[0](leaves)


@functools.cache
def _find_lapack() -> None:
    """Let JAX look up LAPACK, as it does where it lowers a factorisation, and only there.

    A program that was lowered in another process calls it too, and would call nothing: a crash.
    """
    jax.jit(jnp.linalg.cholesky).lower(np.eye(1))


class _Apart(NamedTuple):
    numbers: dict[str, Any]
    outline: Outline


jax.tree_util.register_pytree_node(
    _Apart, lambda apart: ((apart.numbers,), apart.outline), lambda rest, of: _Apart(*of, rest)
)


def quickly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that is run for a few points only, with numbers, not inside another.

    It takes numbers, arrays and parameter records, of which it traces every number and sees the
    strings; it returns arrays of numpy. Of a plain function of this package what was compiled is
    kept.
    """
    name = [str(getattr(function, key, "<")) for key in ("__module__", "__qualname__")]
    plain = inspect.isfunction(function) and not function.__closure__ and "<" not in name[1]
    ours = plain and name[0].startswith("ci_theory.")

    def whole(*given: Any) -> Any:
        return function(*jax.tree.map(_together, given, is_leaf=lambda at: type(at) is _Apart))

    @functools.cache
    def compiled() -> Callable[..., Any]:
        if not (ours and _cache.keeps_programs()):
            return jax.jit(whole, compiler_options=_known_options())
        return _as_compiled_before(whole, name, _known_options())

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        given = jax.tree.map(_apart, args, is_leaf=is_parameters)
        with cpu():
            return jax.tree.map(np.asarray, compiled()(*jax.tree.map(np.asarray, given)))

    return run


def _apart(given: Any) -> Any:
    if not is_parameters(given):
        return given
    numbers, outline = outlined(given)
    whole = {k: v if isinstance(v, bool) else float(v) for k, v in numbers.items()}
    return _Apart(whole, outline)


def _together(given: Any) -> Any:
    return rebuilt(*given) if type(given) is _Apart else given


def _options_of_many() -> dict[str, Any] | None:
    quick: bool = jax.config.read("jax_disable_most_optimizations")
    wanted = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS")  # by the user, not by a command
    return _FULLY if quick and not wanted and _known_options() else None


@functools.cache
def _known_options() -> dict[str, Any] | None:
    """Return the options, or None if this version of XLA does not know one of them."""
    try:
        jax.jit(lambda: 0, compiler_options=_QUICKLY)()
    except jax.errors.JaxRuntimeError:
        return None
    return _QUICKLY
