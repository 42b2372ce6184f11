"""Part of the rows repeated: a middling number of repeats does most harm."""

import numpy as np

from ci_theory.theory.rows.repeat_peak import data_rich_excess, two_group_excess, worst_repeats
from reproductions._judge import draws, exactly, not_testable, numbers, signs

P, BUDGET, REPEATS = 40, 800, np.array([1, 2, 4, 8, 16, 20, 40, 80])
SHARES = (0.1, 0.6)


def one(rng: np.random.Generator) -> list[list[list[float]]]:
    """Return excess risks, of each share and repeat count: copies of a label, and labelled anew."""
    found = []
    for share in SHARES:
        again = round(share * BUDGET)
        x = rng.normal(size=(BUDGET, P))
        row = []
        for r in REPEATS:
            rows = np.r_[x[: BUDGET - again], x[BUDGET - again :][: again // r]]
            weights = np.r_[np.ones(BUDGET - again), np.full(again // r, float(r))]
            inverse = np.linalg.inv(rows.T @ (weights[:, None] * rows))
            back = inverse @ rows.T
            row.append([np.sum(back**2 * weights**2), np.trace(inverse)])
        found.append(row)
    return found


def measure(runs: int = 300):
    """Compare the whole curve and its worst place; what the language models lost is not ours."""
    made = draws("hernandez", runs, one)
    shared, anew = made[..., 0], made[..., 1]
    said = np.array([[float(two_group_excess(BUDGET, f, r, P)) for r in REPEATS] for f in SHARES])
    worst = [worst_repeats(float(BUDGET), f, float(P)) for f in SHARES]
    rich = [[float(data_rich_excess(f, r * P / BUDGET)) for r in REPEATS] for f in SHARES]
    top = float(worst[0].excess)
    equal = P + P / top  # fresh rows with that risk, p/(n - p)
    large = [float(worst_repeats(1e3 * 40 * k, 0.3, 40.0).repeats) for k in (1.0, 4.0)]
    height, ends = shared[..., [5]], shared[..., [0, -1]]
    fresh = anew[..., [5]] - anew[..., [0, -1]]
    return [
        signs(
            "A middling number of repeats is worst: at r = N/p the risk is above both ends",
            "abstract",
            (height - ends).reshape(len(made), -1),
            control=fresh.reshape(len(made), -1),
            where="copies that are labelled anew",
        ),
        numbers(
            "The whole curve is ci_theory's (`two_group_excess`)",
            "formula ours",
            shared.reshape(len(made), -1),
            said.ravel(),
            slack=1 / (BUDGET - P),
            decoys={
                "copies are fresh": P / (BUDGET - P),
                "the limit of a large budget": np.ravel(rich) + P / BUDGET,
            },
        ),
        exactly(
            "The worst repeat count is N/p + 3 as N/p grows",
            "formula ours (`worst_repeats`)",
            large,
            [1003.0, 4003.0],
            within=2e-4,
            decoys={"N/p": [1000.0, 4000.0]},
        ),
        not_testable(
            "0.1 % of the data repeated 100 times makes a model of 800M parameters as good as one "
            "of 400M",
            "abstract",
            "a language model is no least squares; here a tenth of the budget, at its worst, costs "
            f"{1 - equal / BUDGET:.0%} of the rows",
        ),
        not_testable(
            "The worst repeat count grows as a power of the model's size, faster than compute",
            "public summary of the second paper",
            "theirs follows language models along one path of sizes and budgets; here it is "
            "N/p + 3, and repetition_scaling has the law of a misspecified model",
        ),
    ]
