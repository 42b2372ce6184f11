"""A phenomenon for pages that needs no Python: its controls, its theory, and what a server says.

error = up.noise p/n with a slack of a tenth; gap = 1 - up.noise. p is built into the theory.
"""

AXES = [
    {"name": "n", "type": "int", "kind": "sized", "unit": "rows", "doc": "rows of `x`",
     "default": 8, "low": 1, "high": None, "above": None, "stops": [1, 2, 4, 8, 16], "log": True,
     "range": "geom(1,16,5)"},
    {"name": "up.noise", "type": "float", "kind": "inner", "unit": "label²", "doc": "variance",
     "default": 1, "low": 0, "high": 9, "above": None, "stops": [0, 0.5, 1, 2], "log": False,
     "range": "lin(0,2,5)"},
    {"name": "p", "type": "int", "kind": "static", "unit": "", "doc": "inputs", "default": 4,
     "low": None, "high": None, "above": 0, "stops": [2, 3, 4], "log": False,
     "range": "lin(2,4,3)"},
    {"name": "kind", "type": "str", "kind": "static", "unit": "", "doc": "a word", "default": "a",
     "low": None, "high": None, "above": None, "choices": ["a", "b"]},
    {"name": "on", "type": "bool", "kind": "traced", "unit": "", "doc": "a switch",
     "default": "false", "low": None, "high": None, "above": None, "choices": ["false", "true"]},
]  # fmt: skip


def _prediction(name, measure, decoys=()):
    about = {"statement": f"{name} = ...", "scope": "n < 12", "order": "1/n", "source": "here"}
    return {"name": name, "measure": measure, "decoys": list(decoys), **about}


def _formula(name, predictions, symbol):
    symbols = [{"mathml": f"<mi>{symbol}</mi>", "meaning": f"what {symbol} means"}]
    return {"name": name, "title": name.upper(), "mathml": f"<mi>{name}</mi>", "regime": "large n",
            "source": "a book", "predictions": predictions, "symbols": symbols}  # fmt: skip


FIRST = "n=1,2,4,8&@seed=3"
SECOND = "n=geom(1,16,5)&up.noise=2&@seed=5"
ABOUT = {
    "name": "toy",
    "title": "A toy",
    "question": "Does it move?",
    "model": "Rows `x` and labels.",
    "axes": AXES,
    "measures": [
        {"name": "error", "unit": "label²", "doc": "squared error"},
        {"name": "gap", "unit": "", "doc": "what is missing"},
        {"name": "size", "unit": "bits", "doc": "measured only"},
    ],
    "predictions": [
        _prediction("error", "error", ["half", "silent"]),
        _prediction("exact", "error"),
        _prediction("gap", "gap"),
    ],
    "decoys": [
        {"name": "half", "why": "noise is halved", "against": ["error"]},
        {"name": "flip", "why": "signs are flipped", "against": ["gap"]},
    ],
    "breaks": [
        {"name": "peak", "axis": "n", "measure": "error", "statement": "n = p"},
        {"name": "turn", "axis": "up.noise", "measure": "gap", "statement": "noise = 1"},
    ],
    "formulas": [
        _formula("law", ["error", "exact"], "k"),
        _formula("other", [], "m"),
    ],
    "presets": [
        {"name": "first", "title": "The first", "address": FIRST},
        {"name": "second", "title": "The second", "address": SECOND},
    ],
    "first": FIRST,
}

# What scripts.of writes for a phenomenon, by hand. The status of "exact" is 1 where n is odd, the
# slack of "gap" below 0 where there is no noise, "error" and its decoy no number at n = 7; a peak
# is at p noise.
THEORY = """
window.carriedTheories = (window.carriedTheories || []).concat([4, 2].map((p) => ({
  fixed: { p, kind: "a" },
  keys: ["prediction:error", "prediction:exact", "prediction:gap", "decoy:error:half",
    "break:peak"],
  status: ["OK", "OUT_OF_SCOPE", "NOT_CONVERGED"],
  rule: (at) => (at.n > 12 ? "n = " + at.n + ": at most 12" : ""),
  make: () => ({
    "prediction:error": (at) => (at.n === 7 ? NaN : at["up.noise"] * p / at.n),
    "slack:error": (at) => at["up.noise"] * p / at.n / 10,
    "valid:error": (at) => Number(at.n < 8),
    "status:error": () => 0,
    "decoy:error:half": (at) => (at.n === 7 ? NaN : at["up.noise"] * p / at.n / 2),
    "prediction:exact": (at) => at["up.noise"] * p / at.n,
    "slack:exact": () => 0,
    "valid:exact": () => 1,
    "status:exact": (at) => at.n % 2,
    "prediction:gap": (at) => 1 - at["up.noise"],
    "slack:gap": (at) => (at["up.noise"] === 0 ? -1 : at["up.noise"] === 2 ? NaN : 0.1),
    "valid:gap": () => 1,
    "status:gap": () => 0,
    "break:peak": (at) => (at["up.noise"] > 0 ? p * at["up.noise"] : NaN),
  }),
})));
"""


def served(places=(1, 2, 4, 8), noise=1.0, problem=""):
    """Return what the server says of a curve along n, as ``curve.drawn`` has it."""
    error = [4 * noise / n for n in places]
    one = {"value": error, "valid": [n < 8 for n in places], "status": ["OK"] * len(places)}
    peak = {"axis": "n", "value": [None, 4.0, 4.0],
            "located": {"value": 3.5, "status": "OK", "prediction": "error"}}  # fmt: skip
    return {
        "axis": "n",
        "places": list(places),
        "problem": problem,
        "curve": {"error": error, "exact": [None, *error[1:]], "gap": [0.0] * len(places)},
        "slack": {"error": [e / 10 for e in error], "exact": [0.0] * len(places),
                  "gap": [None] * len(places)},
        "decoys": {"error": {"half": [e / 2 for e in error]}},
        "breaks": {"peak": peak, "turn": {"axis": "up.noise", "value": [2.0] * len(places)}},
        "table": None if problem else {"axes": ["n"], "params": {}, "observables": {"error": one}},
    }  # fmt: skip
