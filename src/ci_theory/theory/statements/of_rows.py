"""Statements of repeated rows: their harm, the worst count, and how it grows."""

import sympy as sp

from ci_theory.theory.statements.statement import (
    E_x,
    Limit,
    Statement,
    alpha,
    budget,
    count,
    df1,
    df_share,
    f,
    r,
    rho,
    sigma,
    slope,
    t,
)

__all__ = ["ROWS"]


def _repetition() -> tuple[Statement, ...]:
    share = 4 * rho * f / (1 + rho) ** 2
    worst = (1 / sp.sqrt(1 - f) - 1) / 2
    source = "derived here (docs/rows/repetition.md)"
    return (
        Statement(
            name="repetition.pressure",
            title="regularisation left per row when a share f is repeated",
            equation=sp.Eq(t**2 + (rho - 1) * t, (1 - f) * rho),
            regime="N/p -> infinity, no ridge, shared label noise",
            source=source,
            implementation="rows.repeat_peak.data_rich_excess",
            phenomena=("repeated_data",),
            closed=False,
        ),
        Statement(
            name="repetition.excess",
            title="excess risk of repetition in units of the noise",
            equation=sp.Eq(E_x / sigma**2, (1 / sp.sqrt(1 - share) - 1) / 2),
            regime="N/p -> infinity, no ridge, shared label noise",
            source=source,
            implementation="rows.repeat_peak.data_rich_excess",
            phenomena=("repeated_data",),
            limits=(
                Limit(words="few repeats do no harm", symbol=rho, point=0, value=0),
                Limit(
                    words="nor do very many, but for the rows lost",
                    symbol=rho,
                    point=sp.oo,
                    value=0,
                    given={f: sp.Rational(3, 10)},
                ),
                Limit(words="at the worst count r = N/p", symbol=rho, point=1, value=worst),
            ),
        ),
        Statement(
            name="repetition.worst_excess",
            title="excess risk at the worst repeat count r = N/p, in units of the noise",
            equation=sp.Eq(E_x / sigma**2, worst),
            regime="N/p -> infinity, no ridge, shared label noise",
            source=source,
            implementation="rows.repeat_peak.data_rich_excess",
            phenomena=("repeated_data",),
            limits=(Limit(words="nothing repeated", symbol=f, point=0, value=0),),
        ),
    )


def _scaling() -> tuple[Statement, ...]:
    beta, left = 1 / alpha, sp.sqrt(1 - f)
    second = 3 - 3 * beta + beta**2 + beta * (2 - beta) / left
    spread = df_share * (1 - left) / (1 + left)
    source = "derived here (docs/rows/repetition.md)"
    return (
        Statement(
            name="repetition.worst_count",
            title="repeat count that does most harm, on any spectrum",
            equation=sp.Eq(count, budget / df1 * left**-beta + second),
            regime="df1 << N, shared labels, relative error O((df1/N)²)",
            source=source,
            implementation="rows.repeat_scaling.worst_repeats_law",
            phenomena=("repetition_scaling",),
            predictions=("repetition_scaling.excess_risk",),
            limits=(
                Limit(
                    words="without a ridge N/p, and three copies more",
                    symbol=alpha,
                    point=sp.oo,
                    value=budget / df1 + 3,
                ),
                Limit(
                    words="a small share",
                    symbol=f,
                    point=0,
                    value=budget / df1 + 3 - 1 / alpha,
                ),
            ),
        ),
        Statement(
            name="repetition.peak_noise",
            title="harm at the worst repeat count, in units of the noise",
            equation=sp.Eq(E_x / sigma**2, spread / (1 - spread)),
            regime="df1 << N, shared labels",
            source=source,
            implementation="rows.repeat_scaling.peak_noise",
            phenomena=("repetition_scaling",),
            predictions=("repetition_scaling.excess_risk",),
            limits=(
                Limit(words="nothing repeated", symbol=f, point=0, value=0),
                Limit(
                    words="without a ridge that of the data-rich limit",
                    symbol=df_share,
                    point=1,
                    value=(1 / left - 1) / 2,
                ),
            ),
        ),
        Statement(
            name="repetition.size_exponent",
            title="slope of log worst repeat count in log N at the best ridge, r <= 1",
            equation=sp.Eq(slope, 2 * alpha * r / (1 + 2 * alpha * r)),
            regime="N -> infinity, with label noise",
            source="derived here, from the rates of Cui et al., arXiv:2105.15004",
            implementation="rows.repeat_scaling.size_exponent",
            phenomena=("repetition_scaling",),
            predictions=("repetition_scaling.excess_risk",),
            limits=(
                Limit(words="an easy target: as N itself", symbol=alpha, point=sp.oo, value=1),
            ),
        ),
    )


ROWS: tuple[Statement, ...] = (*_repetition(), *_scaling())
