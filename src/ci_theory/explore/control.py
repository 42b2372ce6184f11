"""Equations that hold other jaxprs: loops, branches and calls; and the writing of a whole jaxpr."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from jax.extend import core

from ci_theory.explore.calls import Results
from ci_theory.explore.elementwise import NoTranslationError, is_elementwise
from ci_theory.explore.frame import Array, Block, Frame, Scalar, Value, needed, strides_of
from ci_theory.explore.program import Program
from ci_theory.explore.structure import RULES

_SHORT = 12  # equations of a function that is written where it is called

_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr"}
_CALLS |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr", "remat": "jaxpr"}
_CALLS |= {"checkpoint": "jaxpr", "remat2": "jaxpr", "custom_vjp_call_jaxpr": "fun_jaxpr"}


def write(frame: Frame, equations: Sequence[Any]) -> None:
    """Write equations, in order.

    Raises:
        NoTranslationError: a primitive for which there is no rule.
    """
    for equation in equations:
        name = equation.primitive.name
        if name in _CALLS:
            _call(frame, equation, equation.params[_CALLS[name]])
            continue
        if name == "custom_linear_solve":
            lengths, jaxprs = equation.params["const_lengths"], equation.params["jaxprs"]
            before = lengths.matvec + lengths.vecmat
            count = sum((lengths.matvec, lengths.vecmat, lengths.solve, lengths.transpose_solve))
            own = equation.invars[before : before + lengths.solve]
            unused = [*equation.invars[:before], *equation.invars[before + lengths.solve : count]]
            frame.used(unused)
            _call(frame, equation, jaxprs.solve, [*own, *equation.invars[count:]])
            continue
        if name in ("while", "scan", "cond"):
            results = {"while": _while, "scan": _scan, "cond": _cond}[name](frame, equation)
        elif name in RULES:
            results = RULES[name](frame, equation)
        elif is_elementwise(name):
            results = [frame.elementwise(equation)]
        else:
            raise NoTranslationError(f"primitive {name}")
        for variable, parts in zip(equation.outvars, results, strict=True):
            frame.bind(variable, parts)
        frame.used(equation.invars)


def _opened(block: Block, jaxpr: Any, inputs: Sequence[tuple[Value, ...]]) -> Frame:
    """Start a frame of a jaxpr with the values of its arguments."""
    closed = isinstance(jaxpr, core.ClosedJaxpr)
    bare = jaxpr.jaxpr if closed else jaxpr
    frame = Frame(block, bare.eqns, bare.outvars)
    for variable, value in zip(bare.constvars, jaxpr.consts if closed else (), strict=True):
        frame.bind(variable, block.program.constant(value))
    for variable, parts in zip(bare.invars, inputs, strict=True):
        frame.bind(variable, parts)
    return frame


def _values(names: Sequence[str], atom: Any) -> tuple[Value, ...]:
    """Return the value of a variable whose parts are numbers or contiguous arrays by name."""
    shape = atom.aval.shape
    single = math.prod(shape) == 1
    return tuple(Scalar(n) if single else Array(n, strides_of(shape)) for n in names)


def _parts_of(atom: Any) -> int:
    return 2 if atom.aval.dtype.kind == "c" else 1


def _call(frame: Frame, equation: Any, jaxpr: Any, atoms: Any = None) -> None:
    """Write a call: the function itself if it is short or called once, else its name."""
    atoms = equation.invars if atoms is None else atoms
    bare = jaxpr.jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else jaxpr
    program = frame.block.program
    if program.calls[id(bare)] > 1 and len(bare.eqns) > _SHORT:
        name = _function(program, jaxpr, str(equation.params.get("name", "part")))
        given = [text for atom in atoms for text in frame.passed(atom)]
        results = [[program.new() for _ in range(_parts_of(v))] for v in equation.outvars]
        flat = [n for names in results for n in names]
        to = flat[0] if len(flat) == 1 else f"[{', '.join(flat)}]"
        frame.block.say(f"const {to} = {name}({', '.join(given)});")
        for variable, names in zip(equation.outvars, results, strict=True):
            frame.bind(variable, _values(names, variable))
        frame.used(atoms)
        return
    inputs = [frame.parts(atom) for atom in atoms]
    for atom, parts in zip(atoms, inputs, strict=True):
        for part in parts:
            if isinstance(part, Scalar) and (
                isinstance(atom, core.Literal) or frame.uses[atom] > 1
            ):
                frame.named(part)
    inner = _opened(frame.block, jaxpr, inputs)
    frame.used(atoms)
    write(inner, needed(bare.eqns, bare.outvars))
    for variable, out in zip(equation.outvars, bare.outvars, strict=True):
        frame.bind(variable, inner.parts(out))
    inner.used(bare.outvars)


def _function(program: Program, jaxpr: Any, name: str) -> str:
    """Write a function beside the others, once, and return its name."""
    bare = jaxpr.jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else jaxpr
    if id(bare) not in program.functions:
        word = "".join(c if c.isalnum() else "_" for c in name)
        given = program.functions[id(bare)] = program.new(f"{word}_")
        program.living.append(jaxpr)
        program.lines.extend(function(program, jaxpr, given))
    return program.functions[id(bare)]


def function(program: Program, jaxpr: Any, name: str) -> list[str]:
    """Write a jaxpr as a function of numbers and flat arrays; several results are a list."""
    bare = jaxpr.jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else jaxpr
    block = Block(program, 1)
    names = [[program.new("a") for _ in range(_parts_of(v))] for v in bare.invars]
    inputs = [_values(given, v) for given, v in zip(names, bare.invars, strict=True)]
    frame = _opened(block, jaxpr, inputs)
    write(frame, needed(bare.eqns, bare.outvars))
    results = [text for atom in bare.outvars for text in frame.passed(atom)]
    frame.used(bare.outvars)
    made = results[0] if len(results) == 1 else f"[{', '.join(results)}]"
    head = ", ".join(n for given in names for n in given)
    return [f"function {name}({head}) {{", *block.lines, f"  return {made};", "}"]


def _apart(jaxpr: core.Jaxpr, changing: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Divide the equations of a loop into those that stay the same all the time, and the others."""
    moved, still, moving = set(changing), [], []
    for equation in needed(jaxpr.eqns, jaxpr.outvars):
        if any(v in moved for v in equation.invars if not isinstance(v, core.Literal)):
            moved.update(equation.outvars)
            moving.append(equation)
        else:
            still.append(equation)
    return still, moving


def _before_loop(frame: Frame, jaxpr: Any, inputs: Any, changing: Any) -> tuple[Frame, list[Any]]:
    """Write what does not change in a loop before it, and return the frame with what is left."""
    bare = jaxpr.jaxpr
    inner = _opened(frame.block, jaxpr, inputs)
    still, moving = _apart(bare, changing)
    write(inner, still)
    for equation in still:
        for variable in equation.outvars:
            if inner.uses[variable] > 0:
                for part in range(len(inner.parts(variable))):
                    inner.ready(variable, part)
    return inner, moving


def _within(inner: Frame, block: Block) -> None:
    """Go on with a frame inside a loop."""
    inner.block = block


def _carry(frame: Frame, atoms: Any, variables: Any) -> list[list[str]]:
    """Declare the variables of a loop with what they are at first."""
    names = []
    for atom, _ in zip(atoms, variables, strict=True):
        own = [frame.block.program.new("x") for _ in range(_parts_of(atom))]
        for name, text in zip(own, frame.passed(atom), strict=True):
            frame.block.say(f"let {name} = {text};")
        names.append(own)
    return names


def _step(block: Block, following: Sequence[Sequence[str]], names: list[list[str]]) -> None:
    """Give the variables of a loop their next values, all at the same time."""
    mine = {n for own in names for n in own}
    pairs = [
        (name, text)
        for new, own in zip(following, names, strict=True)
        for name, text in zip(own, new, strict=True)
        if name != text
    ]
    safe = [
        (name, block.define(text) if text in mine or "[" in text else text) for name, text in pairs
    ]
    for name, text in safe:
        block.say(f"{name} = {text};")


def _hold_back(block: Block, going: str, lanes: int, atom: Any, new: str, old: str) -> str:
    """Let the lanes of a loop that have ended keep their values, as JAX does.

    The lanes are the first axes of whatever the loop carries.
    """
    size = math.prod(atom.aval.shape)
    name = block.define(f"new Float64Array({size})")
    lane = "i" if size == lanes else f"(i / {size // lanes} | 0)"
    chosen = f"{going}[{lane}] ? {new}[i] : {old}[i]"
    block.say(f"for (let i = 0; i < {size}; i++) {name}[i] = {chosen};")
    return name


def _while(frame: Frame, equation: Any) -> Results:
    params, block = equation.params, frame.block
    tests, bodies = params["cond_nconsts"], params["body_nconsts"]
    test, body = params["cond_jaxpr"], params["body_jaxpr"]
    atoms = equation.invars
    start = atoms[tests + bodies :]
    given = [_values(frame.passed(atom), atom) for atom in atoms[: tests + bodies]]
    names = _carry(frame, start, start)
    carried = [_values(own, atom) for own, atom in zip(names, start, strict=True)]
    asked, asking = _before_loop(frame, test, [*given[:tests], *carried], test.jaxpr.invars[tests:])
    inner, moving = _before_loop(
        frame, body, [*given[tests:], *carried], body.jaxpr.invars[bodies:]
    )
    inside = Block(block.program, block.depth + 1)
    block.say("for (;;) {")
    _within(asked, inside)
    write(asked, asking)
    (answer,) = test.jaxpr.outvars
    many = math.prod(answer.aval.shape) > 1  # one answer a lane: those with a no stay as they are
    going = asked.flat(answer) if many else asked.one(answer)
    inside.say(f"if (!{going}.some(Boolean)) break;" if many else f"if (!{going}) break;")
    asked.used([answer])
    _within(inner, inside)
    write(inner, moving)
    following = [inner.passed(atom) for atom in body.jaxpr.outvars]
    if many:
        lanes = math.prod(answer.aval.shape)
        following = [
            tuple(
                _hold_back(inside, going, lanes, atom, *pair) for pair in zip(new, old, strict=True)
            )
            for atom, new, old in zip(start, following, names, strict=True)
        ]
    _step(inside, following, names)
    block.lines.extend(inside.lines)
    block.say("}")
    return carried


def _scan(frame: Frame, equation: Any) -> Results:
    params, block = equation.params, frame.block
    body, length = params["jaxpr"], int(params["length"])
    constants, count = params["num_consts"], params["num_carry"]
    atoms = equation.invars
    start, rows = atoms[constants : constants + count], atoms[constants + count :]
    given = [_values(frame.passed(atom), atom) for atom in atoms[:constants]]
    sources = [[frame.flat(atom, k) for k in range(_parts_of(atom))] for atom in rows]
    names = _carry(frame, start, start)
    carried = [_values(own, atom) for own, atom in zip(names, start, strict=True)]
    counter = block.program.new("k")
    each = []
    for own, variable in zip(sources, body.jaxpr.invars[constants + count :], strict=True):
        shape = variable.aval.shape
        size = math.prod(shape)
        at = counter if size == 1 else f"{counter} * {size}"
        each.append(
            tuple(
                Scalar(f"{n}[{at}]") if size == 1 else Array(n, strides_of(shape), at) for n in own
            )
        )
    stacked = equation.outvars[count:]
    made = [[block.program.new() for _ in range(_parts_of(v))] for v in stacked]
    for own, variable in zip(made, stacked, strict=True):
        for name in own:
            block.say(f"const {name} = new Float64Array({math.prod(variable.aval.shape)});")
    inner, moving = _before_loop(
        frame, body, [*given, *carried, *each], body.jaxpr.invars[constants:]
    )
    inside = Block(block.program, block.depth + 1)
    if params["reverse"]:
        block.say(f"for (let {counter} = {length - 1}; {counter} >= 0; {counter}--) {{")
    else:
        block.say(f"for (let {counter} = 0; {counter} < {length}; {counter}++) {{")
    _within(inner, inside)
    write(inner, moving)
    outputs = body.jaxpr.outvars
    for own, atom in zip(made, outputs[count:], strict=True):
        size = math.prod(atom.aval.shape)
        for name, text in zip(own, inner.passed(atom), strict=True):
            if size == 1:
                inside.say(f"{name}[{counter}] = {text};")
            else:
                inside.say(f"{name}.set({text}, {counter} * {size});")
    _step(inside, [inner.passed(atom) for atom in outputs[:count]], names)
    block.lines.extend(inside.lines)
    block.say("}")
    collected = [
        tuple(_values(own, variable))
        if math.prod(variable.aval.shape) != 1
        else tuple(Scalar(f"{n}[0]") for n in own)
        for own, variable in zip(made, stacked, strict=True)
    ]
    return [*carried, *collected]


def _cond(frame: Frame, equation: Any) -> Results:
    block, (which, *atoms) = frame.block, equation.invars
    branches = equation.params["branches"]
    number = frame.one(which)
    given = [_values(frame.passed(atom), atom) for atom in atoms]
    names = [[block.program.new("x") for _ in range(_parts_of(v))] for v in equation.outvars]
    every = [n for own in names for n in own]
    if every:
        block.say(f"let {', '.join(every)};")
    for k, branch in enumerate(branches):
        last = k == len(branches) - 1
        word = "if" if k == 0 else "} else if"
        block.say("} else {" if last and k else f"{word} ({number} <= {k}) {{")
        inside = Block(block.program, block.depth + 1)
        inner = _opened(inside, branch, given)
        write(inner, needed(branch.jaxpr.eqns, branch.jaxpr.outvars))
        _step(inside, [inner.passed(atom) for atom in branch.jaxpr.outvars], names)
        block.lines.extend(inside.lines)
    block.say("}")
    return [_values(own, v) for own, v in zip(names, equation.outvars, strict=True)]
