"""What one run costs, read off its traced program before anything compiles.

The figures steer the layout of a sweep (chunk sizes, buckets, shards), never its results, so
rough is good enough; memory that matters is read from the compiled program (``program``).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax

# Operations per n^3 of a dense factorisation with vectors.
_FACTORISATIONS = {
    "eigh": 9.0,
    "svd": 20.0,
    "eig": 25.0,
    "schur": 25.0,
    "cholesky": 0.34,
    "lu": 0.67,
    "geqrf": 1.4,
    "qr": 1.4,
    "householder_product": 1.4,
    "triangular_solve": 1.0,
}
_ELEMENTWISE = {"random_bits": 30.0, "threefry2x32": 30.0, "erf_inv": 20.0, "exp": 8.0, "log": 8.0}


class Cost(NamedTuple):
    """Cost of one run.

    Attributes:
        work: arithmetic operations, roughly.
        held: bytes of all intermediate arrays, as if none were reused.
        largest: bytes of the largest array.
    """

    work: float
    held: float
    largest: float


def cost_of(function: Callable[..., Any], *args: Any) -> Cost:
    """Trace a function (arguments may be ``jax.ShapeDtypeStruct``) and add up its operations.

    >>> import jax.numpy as jnp
    >>> matrix = jax.ShapeDtypeStruct((50, 20), "float32")
    >>> cost_of(lambda a: a.T @ a, matrix)
    Cost(work=41000.0, held=5600.0, largest=4000.0)
    """
    return _add(jax.make_jaxpr(function)(*args).jaxpr)


def _add(jaxpr: Any) -> Cost:
    work = held = largest = 0.0
    for equation in jaxpr.eqns:
        out = [math.prod(v.aval.shape) for v in equation.outvars]
        size = [
            n * getattr(v.aval.dtype, "itemsize", 8)
            for n, v in zip(out, equation.outvars, strict=True)
        ]
        inside = [_add(part) for part in _parts(equation.params)]
        name = equation.primitive.name
        if inside:
            # of the branches of a cond one runs; a while loop runs an unknown number of times
            times = equation.params.get("length", 1) if name == "scan" else 1
            most = max(c.work for c in inside) if name == "cond" else sum(c.work for c in inside)
            work += times * most
            held += sum(c.held for c in inside)
            largest = max(largest, *(c.largest for c in inside))
        else:
            work += _operations(name, equation, sum(out))
        held += sum(size)
        largest = max(largest, *map(float, size)) if size else largest
    return Cost(work, held, largest)


def _parts(params: dict[str, Any]) -> Iterator[Any]:
    """Yield the programs inside an operation: bodies of loops, branches, called functions."""
    for value in params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            inner = getattr(item, "jaxpr", item)
            if hasattr(inner, "eqns"):
                yield inner


def _operations(name: str, equation: Any, out: int) -> float:
    shapes = [getattr(v.aval, "shape", ()) for v in equation.invars]
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2.0 * out * math.prod(shapes[0][i] for i in contracted)
    if name in _FACTORISATIONS and shapes and len(shapes[0]) >= 2:
        small, large = sorted(shapes[0][-2:])
        return _FACTORISATIONS[name] * math.prod(shapes[0][:-2]) * small**2 * large
    return _ELEMENTWISE.get(name, 1.0) * out
