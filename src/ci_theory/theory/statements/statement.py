"""What a statement is: an equation with its symbols, regime, source and limits.

The statements themselves are in ``theory.statements.symbolic``; this module holds their symbols
and how they are rendered, evaluated and checked.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sympy as sp

__all__ = ["Limit", "Statement"]

_COLUMNS = 76  # of a formula: it is printed with an indent of four


def _positive(names: str) -> Any:
    return sp.symbols(names, positive=True)


n, p, f, g, q, level, kappa = _positive("n p f g q ell kappa")
alpha, rho, delta, sigma, w, t = _positive("alpha rho delta sigma w t")
B, gamma, r, gap = _positive("B gamma r epsilon")
slope = sp.Symbol("s", real=True)
E_te, E_tr, E_x = _positive("E_te E_tr E_x")
budget, df1, df_share = _positive("N df_1 df_2/df_1")
# two groups, an inherited prior
n_1, n_2, held_1, held_2 = _positive("n_1 n_2 d_1 d_2")
cosine = sp.Symbol("c", real=True)
prior, told, tau, mu = _positive("pi pi_t tau mu")
# mixed weights, alignment, poison
mix, S, start, moved, anchor = sp.symbols("a S R_0 N_w A_2", real=True)
d, strength, left, reversal = _positive("d s L r_u")
label = sp.Symbol("c", positive=True)
response = sp.Symbol("W", real=True)
variance, norm = _positive("V_W W_2")
along = sp.Symbol("b", real=True)
count, labels, balanced, success, cost, weight = _positive("r_w n_l E_b P C c_2")
group_gap, shift = sp.symbols("G z", real=True)
# learning in context: trained on and tested on
pairs, test_pairs, noise_d, grown, read, inverse = _positive("N_u N_d v_d s_x Gamma M")
sign, error_d = sp.Symbol("b_s", real=True), _positive("E_d")
tasks, seen = _positive("k/d N/d")
spread, prompts = _positive("b_h tau_p")
# facts in a memory
width, weakest, squares, outputs, falls = _positive("d_k q_r Q_2 M_o nu")
chance, answered, mixed, facts = _positive("P_i P_k xi N_f")
zipf, power, rank, beyond = _positive("a_z rho_s x E_z")
bits, patterns, wrong_bits = _positive("n_b P_h E_b1")
# chains of states, a pool of them
states, dirichlet, entropy, steps, overlap = _positive("K a_d H n_s X")
own, square, cost_o, chains, tolerated = _positive("A_o B_o C_o k_p ell_f")
saved_k, harm_k = sp.symbols("G_k H_k", real=True)

# what a symbol of a formula is in the arguments of the numerical functions
_ARGUMENTS = {
    sigma: sp.sqrt(sp.Symbol("noise", positive=True)),
    pairs: sp.Symbol("pairs", positive=True),
    test_pairs: sp.Symbol("test_pairs", positive=True),
    noise_d: sp.Symbol("test_noise", positive=True),
    grown: sp.Symbol("scale", positive=True),
    read: sp.Symbol("weight", positive=True),
    sign: sp.Symbol("sign", real=True),
    tasks: sp.Symbol("diversity", positive=True),
    seen: sp.Symbol("ratio", positive=True),
    inverse: sp.Symbol("inverse", positive=True),
    spread: sp.Symbol("spread", positive=True),
    prompts: sp.Symbol("prompts", positive=True),
    w: sp.sqrt(sp.Symbol("signal", positive=True)),
    delta: sp.Symbol("ridge", positive=True),
    r: sp.Symbol("source", positive=True),
    f: sp.Symbol("fraction", positive=True),
    rho: sp.Symbol("ratio", positive=True),
    level: sp.Symbol("level", positive=True),
    budget: sp.Symbol("budget", positive=True),
    df1: sp.Symbol("df1", positive=True),
    df_share: sp.Symbol("share", positive=True),
    n_1: sp.Symbol("majority", positive=True),
    n_2: sp.Symbol("minority", positive=True),
    cosine: sp.Symbol("cosine", real=True),
    prior: sp.Symbol("prior", positive=True),
    told: sp.Symbol("told", positive=True),
    tau: sp.Symbol("strength", positive=True),
    mu: sp.sqrt(sp.Symbol("separation", positive=True)),
    mix: sp.Symbol("mix", real=True),
    S: sp.Symbol("slope", real=True),
    start: sp.Symbol("start", real=True),
    moved: sp.Symbol("curvature", real=True),
    anchor: sp.Symbol("anchor", real=True),
    strength: sp.Symbol("strength", positive=True),
    label: sp.Symbol("label", positive=True),
    left: sp.Symbol("left", positive=True),
    reversal: sp.Symbol("reversal", positive=True),
    response: sp.Symbol("response", real=True),
    variance: sp.Symbol("variance", positive=True),
    norm: sp.Symbol("norm", positive=True),
    q: sp.Symbol("share", positive=True),
    along: sp.Symbol("along", real=True),
    labels: sp.Symbol("n", positive=True),
    shift: sp.Symbol("shift", real=True),
    width: sp.Symbol("width", positive=True),
    squares: sp.Symbol("squares", positive=True),
    outputs: sp.Symbol("outputs", positive=True),
    chance: sp.Symbol("chance", positive=True),
    mixed: sp.Symbol("share", positive=True),
    facts: sp.Symbol("facts", positive=True),
    zipf: sp.Symbol("exponent", positive=True),
    power: sp.Symbol("power", positive=True),
    rank: sp.Symbol("rank", positive=True),
    bits: sp.Symbol("neurons", positive=True),
    patterns: sp.Symbol("patterns", positive=True),
    states: sp.Symbol("states", positive=True),
    dirichlet: sp.Symbol("a", positive=True),
    steps: sp.Symbol("n", positive=True),
    own: sp.Symbol("own", positive=True),
    square: sp.Symbol("square", positive=True),
    cost_o: sp.Symbol("cost", positive=True),
    chains: sp.Symbol("chains", positive=True),
    tolerated: sp.Symbol("level", positive=True),
}

_MEANINGS = {
    n: "training rows",
    p: "parameters (input dimension)",
    f: "share of the budget on repeated rows",
    g: "parameters per row, p/n",
    level: "ridge per row, δ/n [x²]",
    kappa: "effective ridge [x²]",
    alpha: "capacity exponent: eigenvalues k^-α",
    r: "source exponent: target power k^-(1 + 2αr)",
    rho: "repeats over budget per parameter: repeats p/(rows counted with repeats)",
    delta: "total ridge [x²]",
    sigma: "standard deviation of the label noise, noise = σ²",
    w: "norm of the target, signal = w² [label²/x²]",
    slope: "d log E_x / d log n",
    t: "regularisation per row of the budget that repetition leaves",
    B: "squared bias of the mean estimator [label²]",
    gamma: "df2/n, the share of a unit error that fitting adds again",
    E_te: "test error, label noise included [label²]",
    E_tr: "training error [label²]",
    E_x: "excess risk, test error - noise [label²]",
    budget: "rows of the budget, counted with repeats",
    df1: "effective parameters of plain ridge regression on the budget",
    df_share: "share df2/df1 of the effective parameters that noise sees twice",
    n_1: "rows of the majority, of weight 1",
    n_2: "rows of the minority",
    held_1: "degrees of freedom that the majority's rows hold",
    held_2: "degrees of freedom that the minority's rows hold",
    cosine: "cosine of the angle between the targets of two groups",
    prior: "share of the common class upstream",
    told: "share of the labels that say the common class, wrong ones included",
    tau: "share of the estimated log prior that is taken off",
    mu: "half distance of the classes, in standard deviations; separation = μ²",
    mix: "share of the tuned weights",
    S: "half slope of the risk at the weights before [label²]",
    start: "excess risk of the weights before [label²]",
    moved: "mean squared distance of the weights before and after [label²/x²]",
    anchor: "mean squared distance of the start from the target [label²/x²]",
    d: "dimension of the inputs",
    strength: "length of the component that rows share, or of the trigger [x]",
    label: "label of the rows that carry it; in alignment over the response that they turn",
    left: "share of the response that is left",
    reversal: "slope of the labels along the response, over minus the base's",
    response: "weight along the common component, mean over runs [label/x]",
    variance: "variance of that weight over runs",
    norm: "squared norm of the weights",
    q: "share of the upstream rows that carry the component or the trigger",
    along: "the clean target's part along the trigger [label/x]",
    weight: "weight of a row of the minority",
    count: "repeat count that does most harm",
    labels: "labels that the prior is estimated from",
    balanced: "mean of the errors on both classes",
    success: "share of the attacks that succeed",
    shift: "what is left in the score of the inherited log prior",
    cost: "rows that erase over rows that aligned",
    group_gap: "error of the minority less that of the majority [label²]",
    pairs: "pairs of a context trained on",
    test_pairs: "pairs of a context of the test",
    noise_d: "label noise of the test [label²]",
    grown: "factor on the inputs' covariance in the test",
    read: "weight of attention, of isotropic inputs",
    sign: "mean sign of the labels trained on",
    error_d: "test error of attention, label noise included [label²]",
    inverse: "mean of 1/(eigenvalue + kappa) over the second moment of the tasks",
    tasks: "tasks trained on, over the dimension",
    seen: "pairs of a context, over the dimension",
    spread: "second moment of a context across its task: (1 + noise) d/pairs",
    prompts: "prompts trained on, over the squared dimension",
    width: "width of a memory's keys and values",
    weakest: "storage weight of the weakest fact that is recalled",
    squares: "sum of the squared storage weights",
    outputs: "answers that there are",
    falls: "exponent of the width in the error",
    chance: "chance that the answer stored is recalled",
    answered: "chance of the right answer",
    mixed: "share of the facts stored with each other's answers",
    facts: "facts that are stored",
    zipf: "exponent of Zipf's law: frequencies i^-a",
    power: "storage weight is frequency to this power",
    rank: "rank up to which all facts are known",
    beyond: "share of the questions about facts beyond that rank",
    bits: "neurons, bits of a pattern",
    patterns: "patterns that are stored",
    wrong_bits: "share of wrong bits after one step",
    states: "states of a chain",
    dirichlet: "parameter of the Dirichlet law of its rows",
    entropy: "mean entropy of a row [nat]",
    steps: "steps from a state",
    overlap: "mean square of a chance over the square of its mean, two draws of a row",
    own: "overlap of a chain with what was learnt of it, less 1",
    square: "overlap of two chains as learnt, less 1",
    cost_o: "what noise in the pool costs [nat a sequence]",
    chains: "effective number of chains of a pool, 1 over the sum of squared shares",
    tolerated: "what may be lost on new chains [nat a sequence]",
    saved_k: "nats a sequence saved on the pool's chains, beside who counts",
    harm_k: "nats a sequence lost on new chains, beside who counts",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit that a statement must have: of its right-hand side, with ``given`` put in first."""

    words: str
    symbol: sp.Symbol
    point: Any
    value: Any
    given: Mapping[Any, Any] = dataclasses.field(default_factory=dict)

    def holds(self, expression: sp.Expr) -> bool:
        """Decide it with sympy."""
        prepared = sp.simplify(expression.subs(self.given))
        found = sp.limit(prepared, self.symbol, self.point, "+")
        wanted = sp.sympify(self.value).subs(self.given)
        return found == wanted or sp.simplify(found - wanted) == 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Statement:
    """One closed form, or the defining equation of a fixed point.

    Attributes:
        name: dotted name, unique.
        title: what it is, in words.
        equation: the statement; where ``closed`` its right-hand side is the value.
        regime: "exact", or the limit with its order.
        source: authors and arXiv id, or "derived here".
        implementation: dotted name of the numerical function below ``ci_theory.theory``.
        phenomena: names of the phenomena that rest on it.
        predictions: the predictions that it states, or a step of which it is, as
            "phenomenon.prediction".
        limits: limits that must hold; a test checks each.
        closed: whether the right-hand side can be evaluated as it stands.
    """

    name: str
    title: str
    equation: sp.Eq
    regime: str
    source: str
    implementation: str
    phenomena: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    closed: bool = True

    @property
    def expression(self) -> sp.Expr:
        """The right-hand side."""
        return self.equation.rhs

    @property
    def symbols(self) -> dict[str, str]:
        """Every symbol of the equation with its meaning and unit."""
        used = self.equation.free_symbols
        return {str(s): meaning for s, meaning in _MEANINGS.items() if s in used}

    def latex(self) -> str:
        """Render in LaTeX."""
        return sp.latex(self.equation, order="none")

    def unicode(self) -> str:
        """Render in Unicode, on several lines."""
        return sp.pretty(self.equation, order="none", use_unicode=True, num_columns=_COLUMNS)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of what the right-hand side depends on, as the numerical functions call them."""
        return tuple(sorted(map(str, self.expression.subs(_ARGUMENTS).free_symbols)))

    def evaluate(self, **values: float) -> float:
        """Evaluate the right-hand side to 30 digits; noise = σ², signal = w², ridge = δ.

        Raises:
            TypeError: an argument is missing or not one of ``arguments``.
        """
        if set(values) != set(self.arguments):
            raise TypeError(f"{self.name} takes {self.arguments}, not {tuple(values)}")
        named = {str(s): s for s in self.expression.subs(_ARGUMENTS).free_symbols}
        exact = {named[k]: sp.Float(float(v), 40) for k, v in values.items()}
        return float(self.expression.subs(_ARGUMENTS).evalf(30, subs=exact))
