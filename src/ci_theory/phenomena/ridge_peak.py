"""Double descent of ridge regression on Gaussian inputs, and how label noise raises its peak."""

from collections.abc import Mapping

import jax.numpy as jnp

from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import (
    noise_halved,
    optimism_ignored,
    proportional_limit,
    ridge_per_row,
)
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.tasks import gaussian
from ci_theory.theory.ridge.risk import RidgeRisk, ridge_risk
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, isotropic, scale_target
from ci_theory.training import closed_form

NODES = 256  # a power law is compressed to this many nodes: one compiled shape for every p


@record
class Params:
    """Ridge regression of a linear teacher."""

    n: int = sized(200, low=1, unit="rows", doc="training rows")
    p: int = static(100, low=1, high=10**7, unit="parameters", doc="input dimension = parameters")
    spectrum: str = static(
        "isotropic", choices=gaussian.SPECTRA, doc="covariance of the inputs, see `model`"
    )
    alpha: float = static(1.5, above=0, high=20, doc="decay exponent of the power-law spectrum")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance")
    signal: float = traced(1.0, low=0, unit="(label/input)²", doc="squared norm of the target")


@record
class Measures:
    """Averaged over the label noise given the inputs."""

    test_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels"
    )
    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )
    train_error: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the training labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and fit every ridge and noise level to it."""
    variances = jnp.asarray(gaussian.variances(params.spectrum, params.p, alpha=params.alpha))
    x = gaussian.rows(key, capacity["n"], variances)
    present = (jnp.arange(capacity["n"]) < params.n).astype(x.dtype)
    w = jnp.sqrt(params.signal) * gaussian.target(params.p)
    errors = closed_form.path_errors(
        closed_form.decompose(x, present),
        metric=jnp.sqrt(variances),
        test_target=jnp.sqrt(variances) * w,
        signal_labels=x @ w,
        row_noise=present,
        ridge=jnp.asarray(params.ridge),
        noise=jnp.asarray(params.noise),
        equal_weights=True,
    )
    return Measures(
        test_error=errors.excess + params.noise,
        excess_risk=errors.excess,
        train_error=errors.train,
    )


def world(params: Params) -> Spectrum:
    """Build the spectrum of the task, with a target of unit norm."""
    if params.spectrum == "isotropic":
        return isotropic(float(params.p))
    variances = gaussian.variances(params.spectrum, params.p, alpha=params.alpha)
    return compress(explicit(variances, gaussian.target(params.p) ** 2), pad_to=NODES)


def _ridgeless(params: Params) -> Array:
    apart = jnp.abs(params.n - params.p) >= 20
    return (params.ridge == 0) & (params.spectrum == "isotropic") & apart


@record
class Forecast:
    """The deterministic equivalent of a point, and the exact ridgeless mean."""

    test_error: Scalar = predicted(
        statement="E = (B + noise) / (1 - df2/n),  n = df1 + ridge/kappa,  "
        "B = kappa^2 sum v / (lambda + kappa)^2",
        order="1 / (n - df2) of the excess risk: docs/finite_size.md",
        source="Hastie, Montanari, Rosset, Tibshirani 2019 (arXiv:1903.08560); "
        "Simon et al. 2021 (arXiv:2110.03922)",
    )
    finite_size_excess: Scalar = predicted(
        "excess_risk",
        statement="noise p/(n-p-1) if n > p+1; signal (1-n/p) + noise n/(p-n-1) if p > n+1",
        scope="exact at every size: isotropic, ridge = 0, |n - p| >= 20",
        order="exact",
        source="inverse Wishart mean; Belkin, Hsu, Xu 2019 (arXiv:1903.07571)",
        where=_ridgeless,
        closed=True,
    )
    train_error: Scalar = predicted(
        statement="E_train = (ridge / (n kappa))^2 E",
        scope="as test_error; zero for an interpolator",
        order="1 / (n - df2): docs/finite_size.md",
        source="Hastie et al. 2019 (arXiv:1903.08560); Craven, Wahba 1979 (GCV)",
    )
    risk: RidgeRisk
    status: Array


def forecast(params: Params, unit: Spectrum) -> Forecast:
    """Evaluate the deterministic equivalent, and the inverse Wishart mean."""
    n, p, noise = params.n, params.p, params.noise
    risk = ridge_risk(scale_target(unit, params.signal), n, params.ridge, noise)
    under = noise * p / (n - p - 1)
    over = params.signal * (1 - n / p) + noise * n / (p - n - 1)
    exact = jnp.where(n > p, under, over)
    return Forecast(
        test_error=risk.test_error,
        finite_size_excess=exact,
        train_error=risk.train_error,
        risk=risk,
        status=risk.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach a slack of order 1 / free; scope is where enough rows are left to average over."""
    risk, free = made.risk, params.n * (1 - made.risk.gamma)
    learned = risk.gamma / jnp.maximum(1 - risk.fit, 1e-300)  # df2 / df1
    signal = risk.excess_risk - risk.noise_variance
    kept = risk.fit**2 * (params.noise + risk.noise_variance)
    test = _slack.excess(risk.noise_variance, signal, learned, free)
    train = _slack.residual(kept, risk.train_error - kept, risk.gamma, free)
    valid = free >= _slack.FEWEST_FREE
    return {"test_error": Bound(test, valid), "train_error": Bound(train, valid)}


PHENOMENON = Phenomenon(
    name="ridge_peak",
    title="Double descent of ridge regression, raised by label noise",
    claims=(1,),
    question="Does label noise strengthen double descent, and does it move the critical point?",
    model=(
        "Rows x ~ N(0, S), labels x.w + noise; minimise sum (y - x.w)^2 + ridge |w|^2. "
        "S is the identity, two blocks (half the variances 1, the others 1/10) or k^-alpha; "
        "all coordinates of w are equal and |w|^2 = signal."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(Forecast, scope="n, p -> infinity at fixed p/n; here n - df2 >= 10"),
    mistakes=(
        noise_halved("test_error", "finite_size_excess", "train_error"),
        ridge_per_row("test_error"),
        Mistake(
            name="classical",
            why="noise (1 + p/n), the large-n rule that knows no peak",
            against=("test_error",),
            forecast=lambda params, made: {"test_error": params.noise * (1 + params.p / params.n)},
        ),
        proportional_limit("finite_size_excess", lambda made: made.risk.excess_risk),
        optimism_ignored(),
    ),
    breaks=(
        Break(
            name="peak in n",
            axis="n",
            measure="test_error",
            locator=Peak(),
            statement="n = p as ridge -> 0",
            closed_form=lambda params: float(params.p),
        ),
        Break(
            name="peak in p",
            axis="p",
            measure="test_error",
            locator=Peak(),
            statement="p = n as ridge -> 0",
            closed_form=lambda params: float(params.n),
        ),
    ),
)
