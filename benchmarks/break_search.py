"""Whether the search of a broken power law ends where a slow one from many starts does.

Curves are of the kinds in which a local optimum is easily taken for the fit: a plateau with an
early drop to a long floor, a late drop, a drop within the first or the last decade, a steep one,
two drops, a bump. The slow search is ``scipy.optimize.least_squares`` with exact derivatives from
STARTS random places, widths and floors, linear parameters solved for. Told is, for every form, the
ratio of the sums of squares less one: above 1e-3 the search missed the optimum.

    python -m benchmarks.break_search [STARTS] [CURVES]
"""

import sys
from collections.abc import Iterator

import numpy as np
from scipy.optimize import least_squares

from ci_theory.locate.broken import Form
from ci_theory.locate.chain import Chain
from ci_theory.locate.ladder import Rungs
from ci_theory.locate.observed import observed
from ci_theory.locate.search import Search

STARTS, CURVES = 60, 2
POINTS, DECADES = 40, 4.0
FORMS = (Form(0, True), Form(1, False), Form(1, True), Form(2, False))

KINDS = {
    "early drop to a floor": (0.0, 0.0, ((10.0, 0.1, 0.2),), 0.01, 0.15),
    "late drop to a floor": (0.0, 0.0, ((8.0, 0.8, 0.2),), 0.01, 0.15),
    "drop in the first decade": (0.0, 0.05, ((6.0, 0.04, 0.1),), 0.02, 0.1),
    "drop in the last decade": (0.0, 0.1, ((6.0, 0.93, 0.1),), 0.0, 0.1),
    "very steep drop": (0.0, 0.02, ((40.0, 0.5, 0.05),), 1e-3, 0.05),
    "grokking": (0.0, 0.01, ((7.0, 0.6, 0.05), (-5.0, 0.75, 0.3)), 1e-3, 0.2),
    "two drops": (0.0, 0.1, ((4.0, 0.25, 0.1), (-3.5, 0.4, 0.1)), 0.0, 0.05),
    "bump": (0.0, -0.3, ((1.2, 0.4, 0.2),), 0.1, 0.05),
    "floor only": (3.0, 1.2, (), 0.05, 0.1),
}
"""Level, slope, breaks (change, place as a share of the axis, width), floor, scatter."""


def curve(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log x (m,) and log y (m,) of one of the kinds."""
    level, slope, breaks, floor, scatter = KINDS[kind]
    u = np.linspace(0, DECADES * np.log(10), POINTS)
    line = level - slope * u
    for change, place, width in breaks:
        line -= change * width * np.logaddexp(0, (u - place * u[-1]) / width)
    y = np.logaddexp(line, np.log(floor)) if floor else line
    return u, y + scatter * np.random.default_rng(seed).standard_normal(POINTS)


def slow(form: Form, search: Search, y: np.ndarray, starts: int, seed: int) -> float:
    """Return the lowest sum of squares that scipy finds from random starts."""
    low, high = search.box(form)
    u, rng, best = search.u, np.random.default_rng(seed), np.inf
    for _ in range(starts):
        columns, theta = [np.ones_like(u), -u], np.zeros(form.size)
        for i in range(form.breaks):
            part = slice(form.place(i), form.place(i) + 2)
            theta[part] = rng.uniform(low[part], high[part])
            f = np.exp(theta[part][1])
            columns.append(-f * np.logaddexp(0, (u - theta[part][0]) / f))
        left = np.ones_like(u)
        if form.floor:
            theta[-1] = rng.uniform(y.min() - 2, np.quantile(y, 0.7))
            left = np.maximum(-np.expm1(theta[-1] - y), 1e-3)
        linear = [0, 1, *range(2, 2 + 3 * form.breaks, 3)]
        across = np.stack(columns, axis=1) * left[:, None]
        theta[linear] = np.linalg.lstsq(across, left * (y + np.log(left)), rcond=None)[0]
        with np.errstate(all="ignore"):
            ended = least_squares(
                lambda t: form.value(t, u) - y,
                np.clip(theta, low + 1e-9, high - 1e-9),
                lambda t: form.jacobian(t[None], u)[1][0],
                (low, high),
                x_scale="jac",
                max_nfev=400,
            )
        best = min(best, 2 * ended.cost)
    return float(best)


def compared(starts: int, curves: int) -> Iterator[tuple[str, Form, float, float, bool]]:
    """Yield kind, form, our sum of squares, the slow search's, and whether ours converged."""
    for kind in KINDS:
        for seed in range(curves):
            u, y = curve(kind, seed)
            chain = Chain(observed(np.exp(u), np.exp(y)))
            search = Search(chain.data.u, chain.root, (float(y.min()), float(y.max())))
            rungs = Rungs(search, chain)
            for form in FORMS:
                with np.errstate(over="ignore", under="ignore"):
                    rung = rungs[form]
                    rungs.finish(form)
                    rung = rungs[form]
                yield kind, form, rung.loss, slow(form, search, y, starts, seed), rung.converged


def main() -> None:
    """Print one line for every kind and form."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else STARTS
    curves = int(sys.argv[2]) if len(sys.argv) > 2 else CURVES
    worst: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for kind, form, mine, theirs, converged in compared(starts, curves):
        worst.setdefault((kind, str(form)), []).append((mine / theirs - 1, converged))
    for (kind, form), ends in worst.items():
        ratio = max(ratio for ratio, _ in ends)
        lower = min(ratio for ratio, _ in ends)
        unsure = sum(not sure for _, sure in ends)
        print(f"{kind:26}{form:22}{ratio:+10.1e} {lower:+10.1e}   not converged {unsure}")


if __name__ == "__main__":
    main()
