"""The width that makes the best of a compute budget, located on the averaged curve of one-pass SGD.

A budget of f = d r is spent on d features and r steps of one row. Risks come from
``averaged_sgd`` at any size; the optimum is read off a fine grid of widths, and slopes between
neighbouring budgets are the measured exponents that ``sgd_phases`` predicts in the limit.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from ci_theory._errors import BadInput, Status
from ci_theory._types import Float, Int, needs_float64
from ci_theory.theory.dynamics.averaged_sgd import AveragedRisk, averaged_risk, inputs
from ci_theory.theory.dynamics.one_pass_sgd import Descent
from ci_theory.theory.spectra.spectrum import Spectrum, trace

__all__ = ["BudgetRisks", "Frontier", "budget_risks", "frontier"]

PER_DECADE = 8
"""Widths in a decade; the quartic through five of them places the optimum to 0.1 %."""

ROOM = 512
"""Length to which spectra are padded, so that all decays and widths share one program."""


class BudgetRisks(NamedTuple):
    """Risks of widths (k,) at budgets (t,).

    Attributes:
        risk: on clean labels [label^2].
        flow: without the sampling noise of SGD [label^2].
        status: of the curve, see ``AveragedRisk``.
    """

    risk: Float[np.ndarray, "t k"]
    flow: Float[np.ndarray, "t k"]
    status: Int[np.ndarray, "t k"]


class Frontier(NamedTuple):
    """The best that budgets (t,) can buy.

    Attributes:
        flops: budgets f.
        width: best width; NaN where the grid of widths does not hold it.
        risk: risk there [label^2].
        width_slope: d log width / d log f, by differences.
        risk_slope: d log risk / d log f, by differences; negative.
        status: OK, AT_EDGE of the grid of widths, or the worst status of the curve.
    """

    flops: Float[np.ndarray, " t"]
    width: Float[np.ndarray, " t"]
    risk: Float[np.ndarray, " t"]
    width_slope: Float[np.ndarray, " t"]
    risk_slope: Float[np.ndarray, " t"]
    status: Int[np.ndarray, " t"]


@partial(jax.jit, static_argnames="shared")
def _map(spectra: Spectrum, widths: Any, rates: Any, noise: Any, steps: Any, shared: bool) -> Any:
    """Evaluate risks (k, t) of every width at its steps (k, t)."""

    def one(spectrum: Spectrum, width: Any, rate: Any, steps: Any) -> AveragedRisk:
        at = Descent(rate, 1.0, 1.0)
        return jax.vmap(lambda r: averaged_risk(spectrum, width, at, noise, r))(steps)

    if shared:
        return jax.lax.map(lambda row: one(spectra, *row), (widths, rates, steps))
    return jax.lax.map(lambda row: one(*row), (spectra, widths, rates, steps))


@needs_float64
def budget_risks(
    alpha: float,
    beta: float,
    flops: Any,
    widths: Any,
    *,
    kernel: float = 0.1,
    ratio: float = np.inf,
    noise: float = 0.0,
) -> BudgetRisks:
    """Risks of every width (k,) at every budget (t,), arrays (t, k).

    Args:
        alpha: decay of the inputs' standard deviations.
        beta: decay of the target.
        flops: budgets f = d r.
        widths: widths d.
        kernel: |K|_1, what sampling noise keeps alive: the rate is 2 kernel/tr C.
        ratio: inputs per feature, v = ratio d; infinite (alpha > 1/2) for an endless spectrum.
        noise: label-noise variance [label^2].

    Returns:
        ``BudgetRisks``. Fewer than one step is OUT_OF_SCOPE and NaN.

    >>> found = budget_risks(1.2, 0.8, [1e6, 1e7], np.geomspace(50, 2000, 14))
    >>> print(f"{found.risk[0, 4]:.4e} {found.risk[0, 8]:.4e}")
    1.8179e-04 2.2147e-04
    """
    budgets, widths = (np.atleast_1d(np.asarray(v, float)) for v in (flops, widths))
    if not (0 < kernel < 1):
        raise BadInput(f"kernel = {kernel}: expected a share between 0 and 1")
    shared = bool(np.isinf(ratio))
    if shared:
        spectra = _padded(inputs(np.inf, alpha, beta))
        rates = np.full(len(widths), 2 * kernel / float(trace(spectra)))
    else:
        each = [_padded(inputs(max(1.0, ratio * d), alpha, beta)) for d in widths]
        rates = np.array([2 * kernel / float(trace(s)) for s in each])
        spectra = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    steps = budgets[None, :] / widths[:, None]
    made = _map(spectra, widths, rates, noise, np.maximum(steps, 1.0), shared)
    early = steps < 1
    risk, flow, status = (np.asarray(leaf) for leaf in made[:3])
    status = np.where(early, int(Status.OUT_OF_SCOPE), status)
    risk, flow = (np.where(early, np.nan, leaf) for leaf in (risk, flow))
    return BudgetRisks(risk.T, flow.T, status.T)


def _padded(spectrum: Spectrum) -> Spectrum:
    """Pad with empty nodes to a common length."""
    short = ROOM - len(spectrum.eigenvalues)
    if short < 0:
        raise BadInput(f"{len(spectrum.eigenvalues)} nodes: a spectrum of at most {ROOM} fits")
    return Spectrum(
        eigenvalues=np.pad(spectrum.eigenvalues, (0, short), constant_values=1.0),
        multiplicity=np.pad(spectrum.multiplicity, (0, short)),
        power=np.pad(spectrum.power, (0, short)),
        tail_trace=spectrum.tail_trace,
        tail_power=spectrum.tail_power,
    )


@needs_float64
def frontier(
    alpha: float,
    beta: float,
    flops: Any,
    *,
    low: float = 8.0,
    high: float | None = None,
    kernel: float = 0.1,
    ratio: float = np.inf,
    noise: float = 0.0,
) -> Frontier:
    """Best width and risk at budgets (t,), ascending, and the slopes along them.

    Args:
        alpha: decay of the inputs' standard deviations.
        beta: decay of the target.
        flops: budgets f = d r, at least 2.
        low: smallest width looked at.
        high: largest one; by default f^0.62 of the largest budget.
        kernel: see ``budget_risks``, like ``ratio`` and ``noise``.

    >>> found = frontier(1.2, 0.8, [1e6, 1e7], low=50.0, high=2000.0)
    >>> print(f"{found.width_slope[0]:.3f} {-found.risk_slope[0]:.4f}", int(found.status[0]))
    0.382 0.7536 0
    """
    budgets = np.asarray(flops, float)
    if budgets.ndim != 1 or len(budgets) < 2 or np.any(np.diff(budgets) <= 0):
        raise BadInput("flops: expected at least two ascending budgets")
    top = high or float(budgets[-1]) ** 0.62
    count = int(np.ceil(PER_DECADE * np.log10(top / low))) + 1
    widths = np.geomspace(low, top, max(count, 3))
    made = budget_risks(alpha, beta, budgets, widths, kernel=kernel, ratio=ratio, noise=noise)
    u, y = np.log(widths), np.log(np.asarray(made.risk))
    lowest = np.argmin(np.where(np.isnan(y), np.inf, y), axis=1)
    edge = (lowest < 2) | (lowest > len(u) - 3)
    at, rows = np.clip(lowest, 2, len(u) - 3), np.arange(len(budgets))
    near = np.stack([y[rows, at + i] for i in range(-2, 3)])
    shift, level = _stationary(near)
    edge |= ~(np.abs(shift) <= 1)
    width = np.where(edge, np.nan, np.exp(u[at] + (u[1] - u[0]) * shift))
    risk = np.where(edge, np.nan, np.exp(level))
    worst = np.max(np.stack([made.status[rows, at + i] for i in range(-2, 3)]), axis=0)
    status = np.where(worst > 0, worst, np.where(edge, int(Status.AT_EDGE), int(Status.OK)))
    width_slope, risk_slope = (np.gradient(np.log(v), np.log(budgets)) for v in (width, risk))
    return Frontier(budgets, width, risk, width_slope, risk_slope, status)


def _stationary(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the quartic through values y (5, t) at -2 .. 2 is least, and that value."""
    first = (y[0] - 8 * y[1] + 8 * y[3] - y[4]) / 12
    second = (-y[0] + 16 * y[1] - 30 * y[2] + 16 * y[3] - y[4]) / 12
    third = (-y[0] + 2 * y[1] - 2 * y[3] + y[4]) / 2
    fourth = y[0] - 4 * y[1] + 6 * y[2] - 4 * y[3] + y[4]
    x = np.zeros_like(first)
    for _ in range(8):
        slope = first + x * (second + x * (third / 2 + x * fourth / 6))
        x = x - slope / (second + x * (third + x * fourth / 2))
    return x, y[2] + x * (first + x * (second / 2 + x * (third / 6 + x * fourth / 24)))
