"""A phenomenon's theory as JavaScript: what Python computes, translated from what JAX traced.

The predictions, their slacks and their decoys are JAX programs of numbers. What JAX traces of them,
a jaxpr, is a list of simple operations; here each is written in JavaScript, in float64, so that a
page computes the same numbers without a server. Where a number does not depend on the knob that
is moved, it is kept from the point before.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from ci_theory._record import build
from ci_theory._types import needs_float64
from ci_theory.explore.control import Program, function, write
from ci_theory.explore.elementwise import NoTranslationError
from ci_theory.explore.frame import Array, Block, Frame, Scalar, needed, strides_of
from ci_theory.phenomena import Phenomenon
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
            ``decoy:PREDICTION:NAME``. It needs page/runtime.js. Keys of one kind share their work.
        left_out: what has no translation -> the reason.
        fixed: the fields whose values are built in; for other values of them translate anew. All
            others, static ones too, may be any number.
    """

    source: str
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
      return (a1 / (1 + a2));
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
    world = phenomenon.world(_noticing(build(phenomenon.params, point), "", read))
    words = {k: v for k, v in point.items() if isinstance(v, str)}
    fixed = {k: point[k] for k in point if k in words or k in read}
    numbers = {
        k: v if isinstance(v, bool) else float(v) for k, v in point.items() if k not in words
    }
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(world))
    parts, left_out = [], {}
    for kind, decoys in (("predictions", False), ("decoys", True)):

        def of(numbers: Any, decoys: bool = decoys) -> dict[str, Any]:
            params: Any = build(phenomenon.params, {**numbers, **words})
            return _by_key(told(phenomenon, params, world, decoys), decoys)

        traced, shape = jax.make_jaxpr(of, return_shape=True)(numbers)
        keys = list(shape)  # sorted, as JAX flattens
        if size > MOST_NUMBERS:
            left_out.update(dict.fromkeys(keys, f"its tables hold {size} numbers"))
            continue
        program = _Kept(traced, kind, sorted(numbers), sorted(keys))
        parts.append(program.text)
        left_out.update(program.left_out)
    return Translation(source=_script(phenomenon.name, parts), left_out=left_out, fixed=fixed)


def _noticing(params: Any, prefix: str, read: set[str]) -> Any:
    """Return a record that notices which of its fields are read, by dotted name."""

    def noticed(name: str, value: Any) -> property:
        def look(self: Any) -> Any:
            read.add(name)
            return value

        return property(look)

    fields = {}
    for field in dataclasses.fields(params):
        value, name = getattr(params, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            inside = _noticing(value, name + ".", read)
            fields[field.name] = property(lambda self, inside=inside: inside)
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


class _Kept:
    """A program of numbers by name that computes anew only what depends on what has changed."""

    def __init__(
        self, jaxpr: core.ClosedJaxpr, kind: str, names: Sequence[str], keys: Sequence[str]
    ) -> None:
        self.kind, self.names, self.keys = kind, names, keys
        self.jaxpr = jaxpr
        self.left_out: dict[str, str] = {}
        problems: dict[int, str] = {}  # number of an equation -> why it has no translation
        while True:
            self.left_out = self._without(problems)
            try:
                self.text = self._text()
                return
            except _StoppedError as stopped:
                problems[stopped.equation] = stopped.reason

    def _without(self, problems: Mapping[int, str]) -> dict[str, str]:
        """Say of every key that depends on an equation with a problem what the problem is."""
        equations = self.jaxpr.jaxpr.eqns
        numbers = {id(equation): k for k, equation in enumerate(equations)}
        found = {}
        for key, out in zip(self.keys, self.jaxpr.jaxpr.outvars, strict=True):
            own = [numbers[id(e)] for e in needed(equations, [out])] if problems else []
            reasons = [problems[k] for k in own if k in problems]
            if reasons:
                found[key] = reasons[0]
        return found

    def _text(self) -> str:
        bare = self.jaxpr.jaxpr
        outputs = {
            key: out
            for key, out in zip(self.keys, bare.outvars, strict=True)
            if key not in self.left_out
        }
        kept = list(outputs.values())
        equations = needed(bare.eqns, kept)
        program = Program(equations)
        stages = self._stages(equations)
        frame = Frame(Block(program, 2), equations, kept)
        for variable, value in zip(bare.constvars, self.jaxpr.consts, strict=True):
            frame.bind(variable, program.constant(value))
        inputs = [program.new("p") for _ in self.names]
        for variable, name in zip(bare.invars, inputs, strict=True):
            frame.bind(variable, (Scalar(name),))
        body, outer = [], []
        for mask, equations in stages:
            block = frame.block = Block(program, 3)
            for equation in equations:
                try:
                    write(frame, [equation])
                except NoTranslationError as problem:
                    raise _StoppedError(_number(bare.eqns, equation), str(problem)) from None
            for equation in equations:
                outer += self._keep(frame, equation.outvars)
            test = f"changed & {mask}" if mask else "first"
            body += [f"    if ({test}) {{", *block.lines, "    }"]
        frame.block = Block(program, 2)
        results = [f"Number({frame.one(out)})" for out in outputs.values()]
        return "\n".join(self._around(program.lines, inputs, outer, body, results, outputs))

    def _stages(self, equations: Sequence[Any]) -> list[tuple[int, list[Any]]]:
        """Order equations by the numbers that they depend on: whatever depends on more comes later.

        This keeps what is needed before what needs it, since that depends on more or on the same.
        """
        masks: dict[Any, int] = {v: 1 << k for k, v in enumerate(self.jaxpr.jaxpr.invars)}
        stages: dict[int, list[Any]] = {}
        for equation in equations:
            mask = 0
            for v in equation.invars:
                mask |= 0 if isinstance(v, core.Literal) else masks.get(v, 0)
            masks.update(dict.fromkeys(equation.outvars, mask))
            stages.setdefault(mask, []).append(equation)
        return sorted(stages.items(), key=lambda item: (item[0].bit_count(), item[0]))

    def _keep(self, frame: Frame, variables: Sequence[Any]) -> list[str]:
        """Write what later stages need into variables that stay from call to call."""
        names = []
        for variable in variables:
            if frame.uses[variable] <= 0:
                continue
            made: list[Any] = []
            for text in frame.passed(variable):
                name = frame.block.program.new("k")
                frame.block.say(f"{name} = {text};")
                names.append(name)
                shape = variable.aval.shape
                made.append(
                    Scalar(name) if int(np.prod(shape)) == 1 else Array(name, strides_of(shape))
                )
            frame.values[variable] = tuple(made)
        return names

    def _around(
        self,
        beside: Sequence[str],
        inputs: Sequence[str],
        outer: Sequence[str],
        body: Sequence[str],
        results: Sequence[str],
        outputs: Mapping[str, Any],
    ) -> list[str]:
        """Write the function that looks which numbers have changed, and the keys that read it."""
        names = ", ".join(_quoted(n) for n in self.names)
        keys = ", ".join(_quoted(k) for k in outputs)
        return [
            f"const {self.kind} = (() => {{",
            *beside,
            f"  const names = [{names}];",
            "  const before = new Array(names.length);",
            "  let ready = false, results = [];",
            *([f"  let {', '.join(outer)};"] if outer else []),
            "  return (p) => {",
            "    const first = !ready;",
            "    let changed = 0;",
            "    names.forEach((name, k) => {",
            "      if (first || p[name] !== before[k]) changed |= 1 << k;",
            "      before[k] = p[name];",
            "    });",
            "    if (!first && changed === 0) return results;",
            "    ready = false;",
            f"    const [{', '.join(inputs)}] = before;",
            *body,
            f"    results = [{', '.join(results)}];",
            "    ready = true;",
            "    return results;",
            "  };",
            "})();",
            f"[{keys}].forEach((key, k) => {{ theory[key] = (p) => {self.kind}(p)[k]; }});",
        ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number(equations: Sequence[Any], sought: Any) -> int:
    return next(k for k, equation in enumerate(equations) if equation is sought)


class _StoppedError(Exception):
    """An equation of the whole program that has no translation."""

    def __init__(self, equation: int, reason: str) -> None:
        super().__init__(reason)
        self.equation, self.reason = equation, reason
