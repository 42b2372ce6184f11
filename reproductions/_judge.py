"""A published claim against numbers: AGREES only if it could have come out otherwise.

Every test is at a level of 1e-3 for the finding as a whole. A claim of numbers AGREES if no
deviation beyond its finite-size slack is seen, one of 3 % would have been, and the same numbers
reject every decoy; a claim of signs, if all are seen and a control, where it must fail, does.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

from ci_theory._errors import BadInput
from ci_theory.check import Verdict

LEVEL, EFFECT, KEPT = 1e-3, 0.03, 2
NOT_TESTABLE = "NOT TESTABLE HERE"


class Finding(NamedTuple):
    """What became of one claim.

    Attributes:
        claim: in our words.
        basis: where it was read.
        verdict: AGREES, DISAGREES, UNDERPOWERED or NOT TESTABLE HERE.
        found: the numbers that decide.
        why: what decided, or what would have to be known.
        first: numbers of the first runs, which a test computes again.
        said: numbers that are claimed, likewise.
    """

    claim: str
    basis: str
    verdict: str
    found: str
    why: str
    first: tuple[float, ...] = ()
    said: tuple[float, ...] = ()


def draws(name: str, runs: int, one: Callable[[np.random.Generator], Any]) -> np.ndarray:
    """Return what ``one`` measures on so many draws, (runs, ...); a run's numbers are its own."""
    seed = zlib.crc32(name.encode())
    return np.array([one(np.random.default_rng([seed, run])) for run in range(runs)])


def _columns(values: Any) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if not np.all(np.isfinite(values)):
        raise BadInput("reproductions: a measured number is not finite: nothing is to be judged")
    return values[:, None] if values.ndim == 1 else values


def _few(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in np.ravel(values)[:12])


def _first(values: np.ndarray) -> tuple[float, ...]:
    return _few(values[:KEPT])


def _limits(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each column and the half width of its interval."""
    runs = len(values)
    wide = student.isf(level / 2, runs - 1)
    return values.mean(0), wide * values.std(0, ddof=1) / np.sqrt(runs)


def numbers(
    claim: str,
    basis: str,
    values: Any,
    said: Any,
    *,
    slack: Any = 0.0,
    decoys: Mapping[str, Any],
    effect: float = EFFECT,
) -> Finding:
    """Judge a claim that means have certain values.

    Args:
        claim: in our words.
        basis: where it was read.
        values: measured, (runs, cells) or (runs,).
        said: what is claimed of each cell.
        slack: relative finite-size error that the claim does not speak of, of each cell.
        decoys: wrong values that the same numbers must reject.
        effect: relative deviation of all cells together that must be seen if it is there.
    """
    values = _columns(values)
    cells = values.shape[1]
    said, slack = (np.broadcast_to(np.asarray(v, float), cells) for v in (said, slack))

    def apart(from_: np.ndarray) -> tuple[bool, float, float, float]:
        """Return whether it is seen to be wrong, what would be found, and the pooled deviation."""
        ratios = values / from_ - 1
        mean, half = _limits(ratios, LEVEL / (2 * cells))
        wrong = bool(np.any(abs(mean) > slack + half))
        bias, wide = _limits(ratios.mean(1, keepdims=True), LEVEL / 2)
        wrong = wrong or abs(bias[0]) > slack.mean() + wide[0]
        return wrong, float(slack.mean() + 2 * wide[0]), float(bias[0]), float(wide[0])

    wrong, finds, bias, wide = apart(said)
    kept = {
        n: not apart(np.broadcast_to(np.asarray(v, float), cells))[0] for n, v in decoys.items()
    }
    alive = [name for name, survives in kept.items() if survives]
    found = (
        f"bias {bias:+.2%} ± {wide:.2%} in {cells} cells x {len(values)} runs, finds {finds:.2%}"
    )
    names = ", ".join(decoys)
    if wrong:
        verdict, why = Verdict.DISAGREES, "deviates beyond error and slack"
    elif finds > effect:
        verdict, why = Verdict.UNDERPOWERED, f"a deviation of {effect:.0%} might be missed"
    elif alive:
        verdict, why = Verdict.UNDERPOWERED, f"not told from: {', '.join(alive)}"
    else:
        verdict, why = Verdict.AGREES, f"rejected by the same numbers: {names}"
        if effect != EFFECT:
            why += f"; {effect:.0%} would have been seen"
    return Finding(claim, basis, verdict.value, found, why, _first(values), _few(said))


def signs(claim: str, basis: str, values: Any, *, control: Any, where: str) -> Finding:
    """Judge a claim that means are positive.

    Args:
        claim: in our words.
        basis: where it was read.
        values: measured, (runs, cells) or (runs,); claimed to be positive on the mean.
        control: the same measured where the claim must fail.
        where: what the control is.
    """
    values, control = _columns(values), _columns(control)
    mean, half = _limits(values, LEVEL / values.shape[1])
    other, wide = _limits(control, LEVEL / control.shape[1])
    passes = bool(np.all(other > wide))
    worst = int(np.argmin(mean / np.where(half > 0, half, 1e-300)))
    found = f"{mean[worst]:.4g} ± {half[worst]:.2g}, the least sure of {len(mean)}; "
    found += f"control {other.min():.4g} ± {wide[int(np.argmin(other))]:.2g}"
    if np.any(mean < -half):
        verdict, why = Verdict.DISAGREES, "the opposite is seen"
    elif not np.all(mean > half):
        verdict, why = Verdict.UNDERPOWERED, "not all are told from zero"
    elif passes:
        verdict, why = Verdict.UNDERPOWERED, f"the control passes too: {where}"
    else:
        verdict, why = Verdict.AGREES, f"fails, as it must, for: {where}"
    return Finding(claim, basis, verdict.value, found, why, _first(values))


def exactly(
    claim: str, basis: str, value: Any, said: Any, *, within: float, decoys: Mapping[str, Any]
) -> Finding:
    """Judge a claim about computed numbers, without chance: relative to the largest of them."""
    value, said = np.atleast_1d(np.asarray(value, float)), np.asarray(said, float)

    def off(other: Any) -> float:
        return float(np.max(abs(value - np.asarray(other, float))) / np.max(abs(value)))

    alive = [name for name, other in decoys.items() if not off(other) > within]
    found = f"largest difference {off(said):.2g} of {value.size} values, allowed {within:.2g}"
    if not off(said) <= within:
        verdict, why = Verdict.DISAGREES, "differs"
    elif alive:
        verdict, why = Verdict.UNDERPOWERED, f"not told from: {', '.join(alive)}"
    else:
        verdict, why = Verdict.AGREES, f"rejected by the same numbers: {', '.join(decoys)}"
    return Finding(claim, basis, verdict.value, found, why, _few(value), _few(said))


def not_testable(claim: str, basis: str, why: str) -> Finding:
    """Record a claim that nothing here can decide."""
    return Finding(claim, basis, NOT_TESTABLE, "-", why)
