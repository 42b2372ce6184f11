"""A JavaScript engine in this process, with the runtime of translated theory loaded."""

import json
import math
from importlib.resources import files

import numpy as np
from py_mini_racer import MiniRacer

from ci_theory.explore.javascript import RUNTIME

_TEXT = files("ci_theory.explore").joinpath("page/runtime.js").read_text()

# JSON has no infinity and no NaN: they travel as texts.
_SENT = """
const sent = (x) => Array.from(x instanceof Float64Array ? x : [Number(x)],
  (one) => Number.isFinite(one) ? one : String(one));
"""


def engine(*sources):
    """Start an engine that has read the runtime and these scripts."""
    made = MiniRacer()
    names = ", ".join(RUNTIME)
    for text in (_TEXT, f"const {{ {names} }} = runtime;", _SENT, *sources):
        made.eval(text)
    return made


def written(value):
    """Write a number or an array as the argument of a translated function, one text a part."""
    array = np.asarray(value)
    parts = (array.real, array.imag) if array.dtype.kind == "c" else (array,)
    texts = [[_number(x) for x in part.ravel().tolist()] for part in parts]
    return [t[0] if array.size == 1 else f"Float64Array.of({', '.join(t)})" for t in texts]


def _number(x):
    x = float(x)
    if math.isfinite(x):
        return repr(x)
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def results(made, expression):
    """Evaluate an expression that is a list of numbers and arrays: one array of floats each."""
    text = made.eval(f"JSON.stringify(({expression}).map(sent))")
    return [np.array([float(x) for x in one]) for one in json.loads(text)]
