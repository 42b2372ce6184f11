"""Statements of ridge regression: any spectrum, isotropic inputs, power laws."""

import sympy as sp

from ci_theory.theory.statements.statement import (
    B,
    E_te,
    E_tr,
    E_x,
    Limit,
    Statement,
    alpha,
    delta,
    g,
    gamma,
    gap,
    kappa,
    level,
    n,
    p,
    q,
    r,
    sigma,
    slope,
    t,
    w,
)

__all__ = ["RIDGE"]

_RIDGE = ("ridge_peak",)
_HASTIE = "Hastie, Montanari, Rosset, Tibshirani, arXiv:1903.08560"
_CUI = "Cui, Loureiro, Krzakala, Zdeborova, arXiv:2105.15004"
_MALLINAR = "Mallinar et al., arXiv:2207.06569"


def _general() -> tuple[Statement, ...]:
    i, modes = sp.symbols("i m", integer=True, positive=True)
    eigenvalue, count = sp.IndexedBase("lambda"), sp.IndexedBase("m")
    degrees = sp.Sum(count[i] * eigenvalue[i] / (eigenvalue[i] + kappa), (i, 1, modes))
    return (
        Statement(
            name="ridge.kappa",
            title="effective ridge: the rows are spent on learned modes and on the ridge",
            equation=sp.Eq(n, degrees + delta / kappa),
            regime="limit n, p -> infinity",
            source="Canatar, Bordelon, Pehlevan, arXiv:2006.13198; Simon et al., arXiv:2110.03922",
            implementation="spectra.fixed_point.solve_kappa",
            phenomena=_RIDGE,
            predictions=("ridge_peak.test_error", "ridge_peak.train_error"),
            closed=False,
        ),
        Statement(
            name="ridge.test_error",
            title="test error of ridge regression",
            equation=sp.Eq(E_te, (B + sigma**2) / (1 - gamma)),
            regime="limit n, p -> infinity, relative error O(1/n)",
            source="Canatar, Bordelon, Pehlevan, arXiv:2006.13198; Simon et al., arXiv:2110.03922",
            implementation="ridge.risk.ridge_risk",
            phenomena=_RIDGE,
            predictions=("ridge_peak.test_error",),
            limits=(
                Limit(words="many rows", symbol=gamma, point=0, value=B + sigma**2),
                Limit(
                    words="n -> p without ridge: infinite with noise",
                    symbol=gap,
                    point=0,
                    value=sp.oo,
                    given={gamma: 1 - gap, B: 0},
                ),
            ),
        ),
        Statement(
            name="ridge.train_error",
            title="training error of ridge regression",
            equation=sp.Eq(E_tr, (delta / (n * kappa)) ** 2 * E_te),
            regime="limit n, p -> infinity, relative error O(1/n)",
            source="Canatar, Bordelon, Pehlevan, arXiv:2006.13198; Simon et al., arXiv:2110.03922",
            implementation="ridge.risk.ridge_risk",
            phenomena=_RIDGE,
            predictions=("ridge_peak.train_error",),
        ),
    )


def _isotropic() -> tuple[Statement, ...]:
    middle = n - p - delta
    root = sp.sqrt(middle**2 + 4 * n * delta)
    peak = (level + sp.sqrt(level * (level + 4))) / 2
    height = (w**2 * peak**2 + sigma**2 * (1 + peak) ** 2) / (peak * (2 + peak))
    return (
        Statement(
            name="isotropic.kappa",
            title="effective ridge, isotropic inputs of unit variance",
            equation=sp.Eq(kappa, (root - middle) / (2 * n)),
            regime="limit n, p -> infinity",
            source=_HASTIE,
            implementation="spectra.fixed_point.solve_kappa",
            phenomena=_RIDGE,
            limits=(
                Limit(words="no ridge, p < n", symbol=delta, point=0, value=0, given={n: p + q}),
                Limit(
                    words="no ridge, p > n", symbol=delta, point=0, value=q / n, given={p: n + q}
                ),
            ),
        ),
        Statement(
            name="isotropic.ridgeless_under",
            title="test error of least squares, p < n",
            equation=sp.Eq(E_te, sigma**2 / (1 - g)),
            regime="limit n, p -> infinity, relative error O(1/|n - p|)",
            source=_HASTIE,
            implementation="ridge.isotropic.ridgeless",
            phenomena=_RIDGE,
            limits=(
                Limit(words="many rows: the noise", symbol=g, point=0, value=sigma**2),
                Limit(
                    words="infinite at n = p",
                    symbol=gap,
                    point=0,
                    value=sp.oo,
                    given={g: 1 - gap},
                ),
                Limit(words="no noise, no error", symbol=sigma, point=0, value=0),
            ),
        ),
        Statement(
            name="isotropic.ridgeless_over",
            title="test error of the minimum-norm interpolator, p > n",
            equation=sp.Eq(E_te, w**2 * (1 - 1 / g) + sigma**2 * g / (g - 1)),
            regime="limit n, p -> infinity, relative error O(1/|n - p|)",
            source=_HASTIE,
            implementation="ridge.isotropic.ridgeless",
            phenomena=_RIDGE,
            limits=(
                Limit(
                    words="many parameters: nothing is learned",
                    symbol=g,
                    point=sp.oo,
                    value=w**2 + sigma**2,
                ),
                Limit(words="infinite at n = p", symbol=g, point=1, value=sp.oo),
                Limit(
                    words="no noise, no peak",
                    symbol=g,
                    point=1,
                    value=0,
                    given={sigma: 0},
                ),
            ),
        ),
        Statement(
            name="isotropic.exact_under",
            title="mean test error of least squares on Gaussian rows, n > p + 1",
            equation=sp.Eq(E_te, sigma**2 + sigma**2 * p / (n - p - 1)),
            regime="exact, any covariance",
            source="Belkin, Hsu, Xu, arXiv:1903.07571",
            implementation="ridge.isotropic.exact_ridgeless",
            phenomena=_RIDGE,
            predictions=("ridge_peak.finite_size_excess",),
            limits=(
                Limit(
                    words="large n and p",
                    symbol=t,
                    point=sp.oo,
                    value=sigma**2 / (1 - g),
                    given={n: t, p: g * t},
                ),
            ),
        ),
        Statement(
            name="isotropic.exact_over",
            title="mean test error of the minimum-norm fit on Gaussian rows, p > n + 1",
            equation=sp.Eq(E_te, sigma**2 + w**2 * (1 - n / p) + sigma**2 * n / (p - n - 1)),
            regime="exact, isotropic",
            source="Belkin, Hsu, Xu, arXiv:1903.07571",
            implementation="ridge.isotropic.exact_ridgeless",
            phenomena=_RIDGE,
            predictions=("ridge_peak.finite_size_excess",),
            limits=(
                Limit(
                    words="large n and p",
                    symbol=t,
                    point=sp.oo,
                    value=w**2 * (1 - 1 / g) + sigma**2 * g / (g - 1),
                    given={n: t, p: g * t},
                ),
            ),
        ),
        Statement(
            name="isotropic.peak_height",
            title="test error at n = p with a ridge",
            equation=sp.Eq(E_te, height),
            regime="limit n = p -> infinity",
            source="derived here",
            implementation="ridge.isotropic.peak_height",
            phenomena=_RIDGE,
            limits=(
                Limit(words="grows without a ridge", symbol=level, point=0, value=sp.oo),
                Limit(
                    words="but not without noise", symbol=level, point=0, value=0, given={sigma: 0}
                ),
                Limit(
                    words="nothing is learned under a large ridge",
                    symbol=level,
                    point=sp.oo,
                    value=w**2 + sigma**2,
                ),
            ),
        ),
        Statement(
            name="isotropic.peak_height_small_ridge",
            title="test error at n = p, leading order in the ridge per row",
            equation=sp.Eq(E_te, (sigma**2 + w**2 * level) / (2 * sp.sqrt(level))),
            regime="ridge per row -> 0, relative error O(sqrt(ridge/n))",
            source="derived here",
            implementation="ridge.isotropic.peak_height_small_ridge",
            phenomena=_RIDGE,
        ),
        Statement(
            name="isotropic.local_minimum",
            title="where over-parametrisation helps most, for w > σ",
            equation=sp.Eq(p / n, 1 / (1 - sigma / w)),
            regime="limit n, p -> infinity",
            source=_HASTIE,
            implementation="ridge.isotropic.local_minimum",
            phenomena=_RIDGE,
            limits=(Limit(words="at the threshold without noise", symbol=sigma, point=0, value=1),),
        ),
        Statement(
            name="isotropic.local_minimum_risk",
            title="excess risk at that minimum",
            equation=sp.Eq(E_x, 2 * w * sigma - sigma**2),
            regime="limit n, p -> infinity",
            source=_HASTIE,
            implementation="ridge.isotropic.local_minimum",
            phenomena=_RIDGE,
            limits=(Limit(words="no noise, no error", symbol=sigma, point=0, value=0),),
        ),
        Statement(
            name="isotropic.optimal_ridge",
            title="total ridge of least test error",
            equation=sp.Eq(delta, p * sigma**2 / w**2),
            regime="exact (Bayes)",
            source="Dobriban and Wager, arXiv:1507.03003",
            implementation="ridge.isotropic.optimal_ridge",
            phenomena=_RIDGE,
        ),
    )


def _power_law() -> tuple[Statement, ...]:
    scale = (sp.pi / alpha) / sp.sin(sp.pi / alpha)
    bias = kappa ** (2 * r) * sp.gamma(2 - 2 * r) * sp.gamma(2 * r) / alpha
    return (
        Statement(
            name="power_law.ridgeless_kappa",
            title="effective ridge of the interpolator, eigenvalues k^-α",
            equation=sp.Eq(kappa, (scale / (n + sp.Rational(1, 2))) ** alpha),
            regime="n -> infinity, relative error O(n^-(1 + α))",
            source="derived here; leading order Bordelon et al., arXiv:2002.02561",
            implementation="spectra.power_law.ridgeless_kappa",
            phenomena=("ridge_peak", "power_law_break"),
            predictions=("power_law_break.closed_form",),
            limits=(Limit(words="many rows", symbol=n, point=sp.oo, value=0, given={alpha: 2}),),
        ),
        Statement(
            name="power_law.gamma",
            title="df2/n of the interpolator",
            equation=sp.Eq(gamma, 1 - (n + sp.Rational(1, 2)) / (alpha * n)),
            regime="n -> infinity, relative error O(n^-(1 + α))",
            source=f"{_MALLINAR}; the shift by 1/2 is derived here",
            implementation="spectra.power_law.ridgeless",
            phenomena=("ridge_peak", "power_law_break"),
            predictions=("power_law_break.closed_form",),
            limits=(Limit(words="many rows", symbol=n, point=sp.oo, value=1 - 1 / alpha),),
        ),
        Statement(
            name="power_law.bias",
            title="squared bias of the mean estimator",
            equation=sp.Eq(B, bias + kappa**2 * sp.zeta(1 + 2 * alpha * (r - 1))),
            regime="κ -> 0, absolute error O(κ³)",
            source="derived here (Mellin transform)",
            implementation="spectra.power_law.bias",
            phenomena=("ridge_peak", "power_law_break"),
            predictions=("power_law_break.closed_form",),
        ),
        Statement(
            name="power_law.plateau",
            title="excess risk at which the noisy interpolator's curve ends",
            equation=sp.Eq(E_x, (alpha - 1) * sigma**2),
            regime="n -> infinity, relative error O(1/n)",
            source=_MALLINAR,
            implementation="spectra.power_law.plateau",
            phenomena=("ridge_peak", "power_law_break"),
        ),
        Statement(
            name="power_law.ridge_crossover",
            title="rows from which a fixed ridge per row is felt",
            equation=sp.Eq(n, scale * level ** (-1 / alpha) - sp.Rational(1, 2)),
            regime="a crossover; the factor is a convention",
            source="derived here",
            implementation="spectra.power_law.ridge_crossover",
            phenomena=("ridge_peak", "power_law_break"),
        ),
        Statement(
            name="power_law.tuned_slope",
            title="slope of log excess risk in log n under the best ridge, r <= 1",
            equation=sp.Eq(slope, -2 * alpha * r / (1 + 2 * alpha * r)),
            regime="n -> infinity, with noise",
            source=_CUI,
            implementation="spectra.power_law.tuned",
            phenomena=_RIDGE,
        ),
    )


RIDGE: tuple[Statement, ...] = (*_general(), *_isotropic(), *_power_law())
