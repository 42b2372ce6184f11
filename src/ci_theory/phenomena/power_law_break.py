"""Where a learning curve's power law ends: noise floor, ridge, or width, and what moves the end."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.locate.floor import Floor
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian
from ci_theory.theory import power_law
from ci_theory.theory.compression import compress
from ci_theory.theory.random_features import balance, random_feature_risk
from ci_theory.theory.ridge import ridge_risk
from ci_theory.theory.spectrum import Spectrum, df2
from ci_theory.theory.spectrum import power_law as finite_law
from ci_theory.training import closed_form

NODES = 256  # the modes are compressed to this many nodes: one compiled shape
FEWEST_ROWS = 10  # distinct rows below which no power law is claimed
MOST_TRUNCATED = 0.02  # modes that the end of the spectrum takes from df1, per row


@record
class Params:
    """Ridge regression on a power-law spectrum."""

    n: int = sized(200, low=1, unit="rows", doc="training rows, copies counted")
    modes: int = static(1000, low=10, high=10**5, unit="modes", doc="modes of the inputs")
    tail: bool = static(True, doc="whether the power law goes on beyond the modes, see `model`")
    alpha: float = static(2.0, above=1, high=6, doc="capacity: variances fall as k^-alpha")
    source: float = static(
        0.25, above=0, high=3, doc="source r: target power per mode falls as k^-(1 + 2 alpha r)"
    )
    width: int = static(0, low=0, unit="features", doc="random features; 0 trains on the inputs")
    repeats: int = traced(1, low=1, unit="copies", doc="times each distinct row is there")
    ridge: float = inner(0.0, low=0, unit="input²", doc="ridge per row")
    noise: float = inner(0.01, low=0, unit="label²", doc="label-noise variance")


@record
class Measures:
    """Averaged over the label noise given inputs and features."""

    excess_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh clean labels"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design and fit every ridge and noise level to it.

    Copies share inputs and label, so they weigh their row ``repeats`` times. The tail is exact in
    the limit of infinitely many infinitesimal modes: in the kernel of the rows it is a ridge, in
    features independent noise of their inputs, and its part of the target is label noise.
    """
    size = capacity["n"]
    law = _law(params)
    variances, scale = jnp.asarray(law.eigenvalues), jnp.sqrt(law.eigenvalues)
    on_modes = jnp.sqrt(law.power)
    x = gaussian.rows(key, size, variances)
    signal = x @ (on_modes / scale)
    phi, metric, beyond = x, scale, law.tail_trace * params.repeats
    if params.width:
        features = gaussian_features.init(key, params.width, params.modes)
        noise = jnp.sqrt(law.tail_trace / params.width)
        fresh = jax.random.normal(stream(key, "tail"), (size, params.width), x.dtype)
        phi, beyond = x @ features.T + noise * fresh, 0.0
        metric = jnp.concatenate([scale[:, None] * features.T, noise * jnp.eye(params.width)])
        on_modes = jnp.concatenate([on_modes, jnp.zeros(params.width)])
    there = (jnp.arange(size) < params.n // params.repeats).astype(x.dtype)
    errors = closed_form.path_errors(
        closed_form.decompose(phi, there * params.repeats),
        metric=metric,
        test_target=on_modes,
        signal_labels=signal,
        row_noise=there,
        ridge=jnp.asarray(params.ridge) * params.n + beyond,
        noise=jnp.asarray(params.noise) + law.tail_power,
        equal_weights=True,
    )
    return Measures(excess_risk=errors.excess + law.tail_power)


def _law(params: Params) -> Spectrum:
    return finite_law(params.modes, params.alpha, params.source, tail=params.tail)


class World(NamedTuple):
    """The spectrum of the task, v_1^2 = 1, and the width where there are features."""

    spectrum: Spectrum
    width: np.ndarray | None


def world(params: Params) -> World:
    """Build the spectrum, compressed."""
    width = np.asarray(float(params.width)) if params.width else None
    return World(compress(_law(params), pad_to=NODES), width)


class _Parts(NamedTuple):
    """An excess risk, its parts, and what is left over."""

    excess: Scalar
    noise: Scalar
    learned: Scalar
    rows: Scalar
    features: Scalar
    status: Int[Array, ""]


def _distinct(params: Params) -> Array:
    return jnp.floor(jnp.asarray(params.n, float) / params.repeats)


def _parts(
    params: Params,
    world: World,
    *,
    copies: bool = True,
    wide: bool = False,
    ridge: Scalar | None = None,
) -> _Parts:
    """Evaluate the deterministic equivalent; copies of a row leave only its ridge smaller."""
    n = _distinct(params) if copies else jnp.asarray(params.n, float)
    total = jnp.asarray(params.ridge if ridge is None else ridge, float)
    total = total * (params.n / params.repeats if copies else params.n)
    spectrum, width = world
    if width is None or wide:
        risk = ridge_risk(spectrum, n, total, params.noise)
        learned = risk.gamma / jnp.maximum(1 - risk.fit, 1e-300)
        rows, endless = n * (1 - risk.gamma), jnp.asarray(jnp.inf)
        return _Parts(risk.excess_risk, risk.noise_variance, learned, rows, endless, risk.status)
    found = random_feature_risk(spectrum, n, width, total, params.noise)
    left = balance(spectrum, n, width, total)
    per_row = left.d12 / jnp.maximum(left.rows_left + left.d12, 1e-300)
    features = left.features_left + left.rows_left * per_row
    learned = df2(spectrum, left.gamma) / jnp.maximum(left.df1, 1e-300)
    return _Parts(
        found.excess_risk, found.noise_error, learned, found.dof_left, features, found.status
    )


def excess_risk(params: Params, world: World) -> Estimate:
    """Predict the excess risk on this spectrum, bounded as ridge regression by rows."""
    made = _parts(params, world)
    room = _slack.per(made.rows) + jnp.where(
        jnp.isinf(made.features), 0.0, _slack.per(made.features)
    )
    signal = made.excess - made.noise
    slack = room * (made.noise + _slack.signal_factor(made.learned) * signal)
    enough = jnp.minimum(made.rows, made.features) >= _slack.FEWEST_FREE
    return Estimate(made.excess, slack, enough, made.status)


def closed_form_excess(params: Params, world: World) -> Estimate:
    """Predict the interpolator's excess risk by the endless power law.

    The end of the modes takes T n of them from df1 and the power beyond from the target, or, with
    a tail, replaces both up to lambda/kappa there; the slack holds the first order of that, the
    order that the closed form leaves out, and the finite size.
    """
    alpha, source = (jnp.asarray(v, float) for v in (params.alpha, params.source))
    n = jnp.maximum(_distinct(params), 1.0)
    law = power_law.ridgeless(n, alpha, source, params.noise)
    value = law.test_error - params.noise
    noise = params.noise * law.gamma / (1 - law.gamma)
    modes = jnp.asarray(params.modes, float)
    replaced = jnp.where(params.tail, modes**-alpha / law.kappa, 1.0)
    lost = replaced * modes ** (1 - alpha) / ((alpha - 1) * law.kappa * n)
    unseen = 2 * replaced * modes ** (-2 * alpha * source) / (2 * source)
    order = 2 * alpha * n ** -(1.0 + alpha)
    steep = 1 + 2 * alpha * jnp.clip(source, 0.5, 1.0)
    ended = value * (steep * lost / (1 - alpha * jnp.minimum(lost, 0.5 / alpha)) + order) + unseen
    free = n * (1 - law.gamma)
    finite = _slack.excess(noise, value - noise, law.gamma, free)
    scope = (jnp.asarray(params.ridge) == 0) & (world.width is None) & (jnp.abs(source - 1) > 0.02)
    status = jnp.where(scope, int(Status.OK), int(Status.OUT_OF_SCOPE))
    valid = scope & (lost < MOST_TRUNCATED) & (n >= FEWEST_ROWS) & (free >= _slack.FEWEST_FREE)
    return Estimate(value, ended + finite, valid, status)


def _clean(params: Params, world: World) -> Scalar:
    made = _parts(params, world)
    return made.excess - made.noise


def _classical(params: Params, world: World) -> Scalar:
    n = jnp.maximum(_distinct(params), 1.0)
    law = power_law.ridgeless(n, params.alpha, params.source, 0.0)
    return law.bias / (1 - law.gamma)


def _unrepeated(params: Params, world: World) -> Scalar:
    law = power_law.ridgeless(params.n, params.alpha, params.source, params.noise)
    return law.test_error - params.noise


def _ends_in_n(params: Params) -> float:
    """Rows at which the first crossover comes, by the power laws: noise, ridge, or width."""
    alpha, source = float(params.alpha), float(params.source)
    decay = 2 * alpha * min(source, 1.0)
    places = []
    if params.noise > 0 and params.ridge == 0 and not params.width:
        places.append(float(power_law.noise_crossover(params.noise, alpha, source)))
    if params.ridge > 0 and params.noise == 0:
        places.append(float(power_law.ridge_crossover(params.ridge, alpha)))
    if params.width and params.noise == 0 and source < 0.5:
        places.append(float(params.width) * (alpha - decay) ** (1 / decay))
    return params.repeats * min(places) if places else float("nan")


def _rule(params: Params) -> str | None:
    if params.repeats > params.n:
        return f"repeats = {params.repeats}: one row cannot be there more often than n"
    return None


_COPIES = Decoy(
    name="copies are fresh rows",
    why="n counts every copy as a new row",
    evaluate=lambda params, world: _parts(params, world, copies=False).excess,
)

PHENOMENON = Phenomenon(
    name="power_law_break",
    title="The end of a learning curve's power law",
    claims=(10,),
    question="Where does a scaling law break, and do noise, repetition and width move the break?",
    model=(
        "Rows x of `modes` independent Gaussian coordinates with variances k^-alpha, a target with "
        "power k^-(1 + 2 alpha source) on them, noisy labels; with a tail the modes beyond are "
        "there too, as infinitely many infinitesimal ones. Every distinct row and its label is "
        "there `repeats` times. Ridge regression on the inputs, or on `width` Gaussian random "
        "features of them; the ridge is per row."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    rule=_rule,
    predictions=(
        Prediction(
            name="excess_risk",
            measure="excess_risk",
            evaluate=excess_risk,
            statement="n (noise + A)/L - noise on n/repeats rows, A and L of the eigenframework",
            scope="n - df2 >= 10, and likewise for the features",
            order="1/(n - df2), with features also 1/(width - df2): docs/finite_size.md",
            source="Simon et al. 2021, 2023 (arXiv:2110.03922, arXiv:2311.14646)",
            decoys=(
                _COPIES,
                Decoy(
                    name="no label noise",
                    why="the noise is thought to average out",
                    evaluate=_clean,
                ),
                Decoy(
                    name="ridge in all",
                    why="the ridge per row is taken for the total",
                    evaluate=lambda params, world: (
                        _parts(params, world, ridge=params.ridge / params.n).excess
                    ),
                ),
                Decoy(
                    name="infinite width",
                    why="the features are taken for infinitely many",
                    evaluate=lambda params, world: _parts(params, world, wide=True).excess,
                ),
            ),
        ),
        Prediction(
            name="closed_form",
            measure="excess_risk",
            evaluate=closed_form_excess,
            statement="alpha n/(n + 1/2) (B(kappa) + noise) - noise, "
            "kappa = [(pi/alpha)/((n + 1/2) sin(pi/alpha))]^alpha",
            scope="ridge 0, trained on the inputs, n far below the number of modes",
            order="1/n, and the modes beyond the end of the spectrum",
            source="docs/ridge.md, docs/scaling_breaks.md; Mallinar et al. (arXiv:2207.06569)",
            decoys=(
                Decoy(
                    name="noise averages out",
                    why="no floor: the power law goes on",
                    evaluate=_classical,
                ),
                Decoy(
                    name="copies are fresh rows",
                    why="n counts every copy as a new row",
                    evaluate=_unrepeated,
                ),
            ),
        ),
    ),
    breaks=(
        Break(
            name="floor in n",
            axis="n",
            measure="excess_risk",
            locator=Floor(),
            statement="repeats times the first of: noise_crossover, ridge_crossover, "
            "width (alpha - 2 alpha source)^(1/(2 alpha source))",
            closed_form=_ends_in_n,
        ),
        Break(
            name="floor in width",
            axis="width",
            measure="excess_risk",
            locator=Floor(),
            statement="where rows, not features, limit",
        ),
    ),
)
