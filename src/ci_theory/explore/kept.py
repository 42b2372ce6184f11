"""A program of numbers by name, in JavaScript, that computes anew only what has changed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jax.extend import core

from ci_theory.explore.control import write
from ci_theory.explore.elementwise import NoTranslationError
from ci_theory.explore.frame import Array, Block, Frame, Scalar, needed, strides_of
from ci_theory.explore.program import Program


class Kept:
    """A program of numbers by name that computes anew only what depends on what has changed.

    Args:
        jaxpr: of numbers, one a name; its results are numbers, one a key.
        kind: name of the function that computes all results.
        names: of the numbers.
        keys: of the results.
        refused: key -> why it is to be left out.
    """

    def __init__(
        self,
        jaxpr: core.ClosedJaxpr,
        kind: str,
        names: Sequence[str],
        keys: Sequence[str],
        refused: Mapping[str, str],
    ) -> None:
        self.kind, self.names, self.keys = kind, names, keys
        self.jaxpr = jaxpr
        self.left_out: dict[str, str] = {}
        problems: dict[int, str] = {}  # number of an equation -> why it has no translation
        while True:
            self.left_out = {**self._without(problems), **refused}
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
                    Scalar(name) if math.prod(shape) == 1 else Array(name, strides_of(shape))
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
