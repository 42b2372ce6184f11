"""A phenomenon's theory as JavaScript: what Python computes, translated from what JAX traced.

The predictions, their slacks and their decoys are JAX programs of numbers. What JAX traces of them,
a jaxpr, is a list of simple operations; here each is written in JavaScript, in float64, so that a
page computes the same numbers without a server. Where a number does not depend on the knob that
is moved, it is kept from the point before.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from ci_theory._record import build
from ci_theory._types import needs_float64
from ci_theory._views import hiding
from ci_theory.explore import traceable
from ci_theory.explore.control import function
from ci_theory.explore.kept import Kept
from ci_theory.explore.program import Program
from ci_theory.phenomena import Break, Phenomenon
from ci_theory.phenomena._forecast import told

MOST_NUMBERS = 200_000
"""Numbers in the tables of one theory: some megabytes of text."""

RUNTIME = (
    "erf",
    "erfc",
    "lgamma",
    "igamma",
    "igammac",
    "pow",
    "integerPow",
    "nextafter",
    "bits",
    "toWhole",
    "roundEven",
    "roundAway",
    "complexDiv",
    "complexExp",
    "complexExpm1",
    "complexLog",
    "complexSqrt",
    "complexIntegerPow",
    "filled",
    "gather",
    "scatter",
    "sorted",
    "topK",
    "along",
    "lu",
    "triangularSolve",
    "cholesky",
    "eigh",
)
"""The functions of page/runtime.js that translated programs call."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translation:
    """The theory of a phenomenon in JavaScript, at fixed strings and static values.

    Attributes:
        source: the text of a classic script that defines ``var theory``: ``theory[KEY](p)`` is a
            number, where ``p`` maps the dotted name of every number of the parameters to its value.
            Keys are ``prediction:NAME``, ``slack:NAME``, ``valid:NAME``, ``status:NAME`` and
            ``decoy:PREDICTION:NAME``; ``break:NAME`` is where the closed form of a break puts it.
            It needs page/runtime.js. Keys of one kind share their work.
        keys: what ``theory`` can tell.
        left_out: keys that have no translation -> the reason.
        fixed: the fields whose values are built in, words among them; for other values of them
            translate anew. All others, static ones too, may be any number.
    """

    source: str
    keys: tuple[str, ...]
    left_out: Mapping[str, str]
    fixed: Mapping[str, Any]


def translate(jaxpr: core.ClosedJaxpr, name: str) -> str:
    """Write a jaxpr as a JavaScript function of numbers and flat arrays.

    Args:
        jaxpr: what ``jax.make_jaxpr`` returned.
        name: of the function.

    Returns:
        The text of the function and of what it calls; several results come back as a list, a
        complex one as its real and its imaginary part.

    Raises:
        NoTranslationError: a primitive without a rule.

    >>> jaxpr = jax.make_jaxpr(lambda x, y: x / (1 + y))(1.0, 2.0)
    >>> print(translate(jaxpr, "share"))
    function share(a1, a2) {
      const v3 = a1 / (1 + a2);
      return v3;
    }
    """
    program = Program(jaxpr.jaxpr.eqns)
    own = function(program, jaxpr, name)
    return "\n".join([*program.lines, *own])


@needs_float64
def theory(phenomenon: Phenomenon, statics: Mapping[str, Any]) -> Translation:
    """Translate the theory of a phenomenon.

    Args:
        phenomenon: the phenomenon.
        statics: dotted name -> value of static fields; others keep their defaults.

    Raises:
        BadInput: an unknown name or a bad value.
    """
    point = phenomenon.point(dict(statics))
    read: set[str] = set()
    world = phenomenon.world(noticing(build(phenomenon.params, point), "", read))
    words = {k: v for k, v in point.items() if isinstance(v, str)}
    fixed = {k: point[k] for k in point if k in words or k in read}
    numbers = {
        k: v if isinstance(v, bool) else float(v) for k, v in point.items() if k not in words
    }
    built = {k: v for k, v in point.items() if k in fixed}
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(world))
    parts: list[str] = []
    made: list[str] = []
    left_out: dict[str, str] = {}
    for kind, decoys in (("predictions", False), ("decoys", True)):

        def of(numbers: Any, decoys: bool = decoys) -> dict[str, Any]:
            params: Any = build(phenomenon.params, {**numbers, **words})
            return _by_key(told(phenomenon, params, world, decoys), decoys)

        traced, shape = jax.make_jaxpr(of, return_shape=True)(numbers)
        keys = sorted(shape)  # as JAX flattens
        refused = {k: reason for k in keys if (reason := left_out.get(_shadowed(k)))}
        if size > MOST_NUMBERS:
            refused = dict.fromkeys(keys, f"its tables hold {size} numbers")
        program = Kept(traced, kind, sorted(numbers), keys, refused)
        parts.append(program.text)
        left_out.update(program.left_out)
        made += [key for key in keys if key not in program.left_out]
    free = {k: v for k, v in numbers.items() if k not in fixed}
    for number, sought in enumerate(b for b in phenomenon.breaks if b.closed_form is not None):
        key = f"break:{sought.name}"
        try:
            traced = jax.make_jaxpr(_place(phenomenon, sought, built))(free)
        except Exception as problem:  # whatever its code does where it is traced
            left_out[key] = f"not to be traced: {type(problem).__name__}"
            continue
        program = Kept(traced, f"place{number}", sorted(free), [key], {})
        parts.append(program.text)
        left_out.update(program.left_out)
        made += [] if program.left_out else [key]
    source = _script(phenomenon.name, parts)
    return Translation(source=source, keys=tuple(made), left_out=left_out, fixed=fixed)


def _place(
    phenomenon: Phenomenon, sought: Break, built: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], Any]:
    """Return the closed form of a break as a function of the numbers that are not built in."""
    place: Any = sought.closed_form  # of which the program, unlike a call, is no Python number
    form, own = traceable.of(place.form), {sought.axis: f"break {sought.name}: reads its own axis"}

    def at(numbers: Mapping[str, Any]) -> Any:
        params: Any = hiding(build(phenomenon.params, {**numbers, **built}), own)
        return jnp.asarray(form(params), float)

    return at


def _shadowed(key: str) -> str:
    """Return the key of the prediction that a decoy is drawn beside: without it, it is nothing."""
    return f"prediction:{key.split(':')[1]}"


def noticing(params: Any, prefix: str, read: set[str]) -> Any:
    """Return a record that notices which of its fields are read, by dotted name.

    What a world was made without reading cannot matter to it; to try a few values would not tell.
    """

    def noticed(name: str, value: Any) -> property:
        def look(self: Any) -> Any:
            read.add(name)
            return value

        return property(look)

    fields = {}
    for field in dataclasses.fields(params):
        value, name = getattr(params, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            fields[field.name] = noticed(name, noticing(value, name + ".", read))
        else:
            fields[field.name] = noticed(name, value)
    cls: Any = type(params)
    return object.__new__(type(cls.__name__, (cls,), fields))


def _by_key(found: Any, decoys: bool) -> dict[str, Any]:
    """Name every number by its key."""
    made = {}
    for name, (estimate, wrong) in found.items():
        if decoys:
            made.update({f"decoy:{name}:{mistake}": value for mistake, value in wrong.items()})
            continue
        for kind, value in zip(("prediction", "slack", "valid", "status"), estimate, strict=True):
            made[f"{kind}:{name}"] = value
    return made


def _script(name: str, parts: Sequence[str]) -> str:
    head = f"// The theory of {name}, translated from JAX: do not edit."
    lines = [head, "var theory = (() => {", f"const {{ {', '.join(RUNTIME)} }} = runtime;"]
    lines += ["const theory = {};", *parts, "return theory;", "})();", ""]
    return "\n".join(lines)
