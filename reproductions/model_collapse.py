"""Models trained on the labels of the models before: linear growth, and what stops it."""

import numpy as np

from ci_theory import Status
from ci_theory.theory.inheritance.chain import Training, chain
from ci_theory.theory.inheritance.combination import Joint
from ci_theory.theory.inheritance.operator import RidgeStage
from ci_theory.theory.spectra.groups import plain_rows
from reproductions._judge import draws, exactly, numbers

P, N, AGES = 20, 60, np.arange(1, 9)
MANY, LINES = 100, 20


def replaced(rng: np.random.Generator) -> list[float]:
    """Return the errors of a line of models of which each sees only its parent's labels."""
    covariance, found = np.zeros((P, P)), []
    for _ in AGES:
        x = rng.normal(size=(N, P))
        covariance = covariance + np.linalg.inv(x.T @ x)
        found.append(np.trace(covariance))
    return found


def kept(rng: np.random.Generator) -> list[float]:
    """Return the errors of lines of models that see all rows so far: a line a column of labels."""
    inputs, labels, w, found = np.zeros((0, P)), np.zeros((0, LINES)), np.zeros((P, LINES)), []
    for _ in AGES:
        x = rng.normal(size=(N, P))
        inputs, labels = (
            np.vstack([inputs, x]),
            np.vstack([labels, x @ w + rng.normal(size=(N, LINES))]),
        )
        w = np.linalg.lstsq(inputs, labels, rcond=None)[0]
        found.append(np.sum(w**2) / LINES)
    return found


def noiseless(rng: np.random.Generator) -> list[float]:
    """Return the errors of a line without noise, more inputs than rows."""
    target = np.eye(MANY)[0]
    w, found = target, []
    for _ in AGES:
        x = rng.normal(size=(N, MANY))
        w = x.T @ np.linalg.solve(x @ x.T, x @ w)
        found.append(np.sum((w - target) ** 2))
    return found


def ours() -> list[float]:
    """Return the spread of each generation of the chain of ci_theory."""

    def stage(target):
        rows = plain_rows(N, 1.0)
        return RidgeStage(covariance=np.eye(P), target=target, groups=rows, ridge=0.0)

    made, found = chain(None, [Training(stage=stage(np.ones(P)))]), []
    again = Training(stage=stage(np.zeros(P)), labels=(1.0,))
    for _ in AGES:
        assert int(made.status) == Status.OK
        found.append(float(np.trace(made.model(-1).spread)))
        last = Joint(means=made.joint.means[-1:], covariance=made.joint.covariance[-1:, -1:])
        made = chain(last, [again])
    return found


def measure(runs: int = 3000):
    """Compare with n p/(n - p - 1), powers of n/p, and the sum of 1/i²."""
    one, share = P / (N - P - 1), N / MANY
    accumulated = one * np.cumsum((N - P - 1) / (AGES * (AGES * N - P - 1)))
    return [
        numbers(
            "If data are replaced, the error grows linearly with the generation: k σ²p/(n − p − 1)",
            "abstract; the constant derived here",
            draws("collapse", runs // 3 + 2, replaced),
            AGES * one,
            decoys={"no growth": one, "geometric growth": (1 + one) ** AGES - 1},
        ),
        exactly(
            "The chain of ci_theory grows by the same amount every generation, σ²p/(n − p)",
            "derived here",
            ours(),
            AGES * P / (N - P),
            within=1e-9,
            decoys={"finite-size form": AGES * one},
        ),
        numbers(
            "Beyond interpolation a line without any noise collapses exponentially fast: "
            "what is left of the signal falls as (n/p)^k, to ‖w‖² of error",
            "abstract; the rate derived here",
            draws("collapse noiseless", runs, noiseless),
            1 - share**AGES,
            decoys={
                "only the first step loses": 1 - share,
                "linear": np.minimum(AGES * (1 - share), 1),
            },
        ),
        numbers(
            "If data accumulate, the error stays below σ²p/(n − p − 1) π²/6: "
            "it is σ²p Σ 1/(i(in − p − 1))",
            "abstract of the second paper; the exact sum derived here",
            draws("collapse kept", runs, kept),
            accumulated,
            decoys={"linear growth": AGES * one, "as good as fresh labels": P / (AGES * N - P - 1)},
        ),
    ]
