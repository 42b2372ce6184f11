"""Arguments that a function on the host refuses: a step outside each bound, and on it.

Every case is a call, what it lets in, and what it refuses in a line that names it. What refuses
something and has neither a case nor a test of its own elsewhere is told.
"""

import ast
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ci_theory
from ci_theory import BadInput
from ci_theory.systems import sequence_decoder, transformer
from ci_theory.tasks import digits, gaussian, modular, scales
from ci_theory.theory.discrete import modular_addition, zipf
from ci_theory.theory.dynamics import averaged_sgd, one_pass_sgd
from ci_theory.theory.scaling import compute_optimal, metrics, sgd_phases
from ci_theory.theory.sequences import kinds
from ci_theory.theory.spectra import power_law, spectrum, sphere
from ci_theory.theory.statements import symbolic
from ci_theory.training import prompt_decoder

SHAPE = sequence_decoder.Shape(reads="tokens", inputs=5, outputs=4, d=4, heads=2, length=3)
LINEAR = {"reads": "vectors", "inputs": 3, "outputs": 1, "d": 4, "attention": "linear"}
EYE, ONES = np.eye(3), np.ones(3)


def _read(tokens):
    weights = sequence_decoder.init(jax.random.key(0), SHAPE)
    return sequence_decoder.last(weights, SHAPE, jnp.zeros((1, tokens), int))


def _learned(**changed):
    shape = sequence_decoder.Shape(**LINEAR | changed)
    return prompt_decoder.learned(sequence_decoder.init(jax.random.key(0), shape), shape, 2)


# call; keywords that are let in; keywords that are refused, and a word of the line
CASES = {
    "averaged_sgd.inputs": (
        lambda v=9.0, alpha=1.0, beta=0.5: averaged_sgd.inputs(v, alpha, beta),
        [{}, {"v": 1.0}, {"beta": -0.49}, {"alpha": 0.1}],
        [({"v": 0.9}, "v = 0.9"), ({"alpha": 0.0}, "alpha = 0"), ({"beta": -0.5}, "beta = -0.5")],
    ),
    "sgd_phases.terms": (
        lambda alpha=1.0, beta=0.5: sgd_phases.terms(alpha, beta),
        [{}, {"beta": 0.0}, {"alpha": 0.01}],
        [
            ({"alpha": 0.0, "beta": 1.0}, "alpha = 0"),
            ({"beta": -1e-9}, "beta = -1e-09"),
            ({"alpha": 0.25, "beta": 0.25}, "> 1/2"),
        ],
    ),
    "sgd_phases.phase": (
        lambda alpha=1.0, beta=0.5: sgd_phases.phase(alpha, beta),
        [{}, {"beta": 0.0}],
        [({"alpha": 0.25, "beta": 0.25}, "> 1/2")],
    ),
    "power_law.endless": (
        lambda alpha=1.5, modes=np.inf: power_law.endless(alpha, modes=modes),
        [{}, {"alpha": 1.01}, {"alpha": 0.9, "modes": 300_000}],
        [({"alpha": 1.0}, "alpha = 1.0")],
    ),
    "spectrum.power_law": (
        lambda p=4, alpha=1.5, source=0.7, **more: spectrum.power_law(p, alpha, source, **more),
        [
            {},
            {"p": 1},
            {"alpha": 0.1},
            {"alpha": 1.01, "tail": True},
            {"source": 0.01},
            {"source": 0.5, "signal": 1.0},
            {"source": 0.51, "signal": 1.0, "tail": True},
        ],
        [
            ({"p": 0}, "p = 0"),
            ({"alpha": 0.0}, "must be > 0 for"),
            ({"alpha": 1.0, "tail": True}, "must be > 1 for"),
            ({"source": 0.0}, "source = 0"),
            ({"source": 0.5, "signal": 1.0, "tail": True}, "diverges"),
        ],
    ),
    "spectrum.explicit": (
        lambda values=(2.0, 0.0), squares=(0.0, 1.0): spectrum.explicit(values, squares),
        [{}],
        [
            ({"values": (1.0,)}, "one length"),
            ({"values": EYE, "squares": EYE}, "one length"),
            ({"values": (1.0, -1e-9)}, "finite and >= 0"),
            ({"values": (1.0, np.inf)}, "finite and >= 0"),
            ({"values": (1.0, np.nan)}, "finite and >= 0"),
            ({"squares": (1.0, -1e-9)}, "finite and >= 0"),
            ({"squares": (1.0, np.nan)}, "finite and >= 0"),
        ],
    ),
    "spectrum.from_covariance": (
        lambda covariance=EYE: spectrum.from_covariance(covariance),
        [{}, {"covariance": np.diag([1.0, -1e-15])}],
        [
            ({"covariance": ONES}, "square"),
            ({"covariance": EYE[:2]}, "square"),
            ({"covariance": np.diag([1.0, -1e-13])}, "negative eigenvalue"),
        ],
    ),
    "spectrum.from_features": (
        lambda features=EYE, targets=ONES: spectrum.from_features(features, targets),
        [{}, {"targets": EYE}, {"targets": None}],
        [
            ({"features": ONES}, "rows, features"),
            ({"features": np.zeros((3, 0))}, "rows, features"),
            ({"targets": np.ones(2)}, "3 rows"),
        ],
    ),
    "one_pass_sgd.given_features": (
        lambda features=EYE[:, :2], variances=(1.0, 0.5, 0.0), target=ONES: (
            one_pass_sgd.given_features(features, variances, target)
        ),
        [{}],
        [
            ({"features": ONES}, "expected"),
            ({"variances": (1.0, 1.0)}, "expected"),
            ({"target": (1.0, 1.0)}, "expected"),
            ({"variances": (1.0, 1.0, -1e-9)}, ">= 0"),
        ],
    ),
    "compute_optimal.budget_risks": (
        lambda kernel=0.1: compute_optimal.budget_risks(1.2, 0.8, [1e6], [50.0], kernel=kernel),
        [],
        [({"kernel": 0.0}, "kernel = 0"), ({"kernel": 1.0}, "kernel = 1")],
    ),
    "compute_optimal._padded": (
        lambda nodes: compute_optimal._padded(spectrum.explicit(np.ones(nodes), np.ones(nodes))),
        [{"nodes": compute_optimal.ROOM}],
        [({"nodes": compute_optimal.ROOM + 1}, "nodes")],
    ),
    "compute_optimal.frontier": (
        lambda flops: compute_optimal.frontier(1.2, 0.8, flops),
        [],
        [({"flops": v}, "two ascending") for v in ([1e6], [1e6, 1e6], [1e7, 1e6], [[1e6, 1e7]])],
    ),
    "metrics.exact_match_mixed": (
        lambda length: metrics.exact_match_mixed(1.0, 19.0, length),
        [{"length": 0}, {"length": metrics.LONGEST}],
        [({"length": v}, f"length = {v}") for v in (-1, metrics.LONGEST + 1)],
    ),
    "zipf.frequencies": (
        lambda vocabulary: zipf.frequencies(vocabulary, 1.0),
        [{"vocabulary": 2}],
        [({"vocabulary": 1}, "vocabulary = 1")],
    ),
    "zipf.endless_unseen_mass": (
        lambda n=3, exponent=1.5: zipf.endless_unseen_mass(n, exponent),
        [{}, {"n": 0}, {"exponent": 1.1}],
        [({"n": -1}, "n = -1"), ({"exponent": 1.0}, "exponent = 1")],
    ),
    "modular_addition.margin": (
        lambda frequencies, p=7: modular_addition.margin(p, frequencies),
        [{"frequencies": (1, 3)}, {"frequencies": (4,), "p": 8}],
        [({"frequencies": v}, "1..3") for v in ((), (0,), (4,), (1.5,), (-1,), (1, 4))],
    ),
    "modular_addition.pair_error": (
        lambda p=3, width=24: modular_addition.pair_error(p, width),
        [{}, {"p": 5}],
        [*(({"p": v}, f"p = {v}") for v in (2, 1, 4, 9, 15, 25)), ({"width": 23}, "width = 23")],
    ),
    "kinds.kinds": (
        lambda states=3, length=1: kinds.kinds(states, length),
        [{}, {"states": min(kinds.MOST)}],
        [
            ({"length": 0}, "length = 0"),
            ({"length": kinds.MOST[3] + 1}, "counted up to"),
            ({"states": min(kinds.MOST) - 1}, "states ="),
            ({"states": max(kinds.MOST) + 1}, "states ="),
        ],
    ),
    "sphere.coefficients": (
        lambda d: sphere.coefficients(np.tanh, d),
        [{"d": 3}],
        [({"d": 2}, "d = 2")],
    ),
    "symbolic.find": (
        lambda name: symbolic.find(name),
        [{"name": "groups.gap"}],
        [({"name": "groups.gaps"}, "groups.gap")],
    ),
    "sequence_decoder.Shape": (
        lambda **of: sequence_decoder.Shape(
            **{"reads": "tokens", "inputs": 3, "outputs": 3, "d": 4} | of
        ),
        [
            {},
            {"inputs": 1},
            {"outputs": 1},
            {"d": 1},
            {"heads": 4},
            {"length": 0},
            {"tied": True},
            {"reads": "vectors"},
            {"attention": "linear"},
        ],
        [
            *(({k: 0}, "the other sizes >= 1") for k in ("inputs", "outputs", "d", "heads")),
            ({"layers": 0}, "the other sizes >= 1"),
            ({"length": -1}, "length >= 0"),
            ({"reads": "words"}, "words"),
            ({"attention": "hard"}, "hard"),
            ({"heads": 3}, "multiple of heads = 3"),
            ({"tied": True, "outputs": 2}, "tied"),
            ({"tied": True, "reads": "vectors"}, "tied"),
        ],
    ),
    "sequence_decoder.last": (
        _read,
        [{"tokens": 3}, {"tokens": 1}],
        [({"tokens": 4}, "a sequence of 4 tokens")],
    ),
    "prompt_decoder.learned": (
        _learned,
        [{}, {"heads": 2}],
        [
            ({k: v}, "is not one layer")
            for k, v in {
                "attention": "softmax",
                "layers": 2,
                "mlp": True,
                "norm": True,
                "length": 3,
                "reads": "tokens",
            }.items()
        ],
    ),
    "transformer.Shape": (
        lambda p=5, d=4, heads=2, **more: transformer.Shape(p=p, d=d, heads=heads, **more),
        [{}, {"p": 2}, {"d": 1, "heads": 1}],
        [
            ({"p": 1}, "p >= 2"),
            ({"d": 0}, ">= 1"),
            ({"heads": 0}, ">= 1"),
            ({"layers": 0}, ">= 1"),
            ({"heads": 3}, "multiple of heads = 3"),
        ],
    ),
    "modular.table": (
        lambda operation="add", p=4: modular.table(operation, p),
        [{}, {"p": 2}, {"operation": "divide", "p": 2}, {"operation": "divide", "p": 5}],
        [
            ({"p": 1}, "p = 1"),
            ({"operation": "ad"}, "add"),
            ({"operation": "divide"}, "prime"),
            ({"operation": "divide", "p": 9}, "prime"),
        ],
    ),
    "gaussian.variances": (
        lambda spectrum: gaussian.variances(spectrum, 4),
        [{"spectrum": name} for name in gaussian.SPECTRA],
        [({"spectrum": "power"}, "power_law")],
    ),
    "scales.variances": (
        lambda spectrum: scales.variances(spectrum, 4),
        [{"spectrum": name} for name in scales.SPECTRA],
        [({"spectrum": "isotropic"}, "two_block")],
    ),
    "scales.powers": (
        lambda spectrum: scales.powers(spectrum, 4),
        [{"spectrum": name} for name in scales.SPECTRA],
        [({"spectrum": "isotropic"}, "two_block")],
    ),
    "digits.kernel": (
        lambda features: digits.kernel(features, np.ones((1, 64)), np.ones((1, 64))),
        [{"features": name} for name in digits.FEATURES],
        [({"features": "pixel"}, "pixels")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_outside_is_refused_and_the_bound_is_not(name):
    call, fine, refused = CASES[name]
    for given in fine:
        call(**given)
    for given, words in refused:
        with pytest.raises(BadInput) as told:
            call(**given)
        assert words in str(told.value), given
        assert "\n" not in str(told.value)


ROOMS = ("theory", "inherit", "systems", "training", "tasks", "biases", "measure")
ASKED_THROUGH = {  # refuse for those that call them
    "sgd_phases._checked": "sgd_phases.phase",
    "kinds._counts": "kinds.kinds",
    "sequence_decoder._answers": "sequence_decoder.last",
}
ELSEWHERE = {
    "chain._hold_together": "tests/stats/test_chained_stages.py",
    "chain.chain": "tests/theory/inheritance/test_chain.py",
    "chain._trained": "tests/theory/inheritance/test_chain.py",
    "chain._padded": "tests/theory/inheritance/test_chain.py",
    "row_leverages._smoother": "tests/theory/rows/test_row_leverages.py",
    "statement.Statement": "tests/theory/statements/test_symbolic.py",
    "digits._data": "tests/stats/test_digits.py",
    "digits.labels": "tests/stats/test_digits.py",
}


def test_nothing_refuses_without_a_case():
    found = set()
    for room in ROOMS:
        for file in (Path(ci_theory.__file__).parent / room).rglob("*.py"):
            for made in ast.parse(file.read_text()).body:
                if any(isinstance(node, ast.Raise) for node in ast.walk(made)):
                    found.add(f"{file.stem}.{getattr(made, 'name', '')}")
    assert set(ASKED_THROUGH.values()) <= set(CASES)
    assert found - set(CASES) == set(ASKED_THROUGH) | set(ELSEWHERE)
