"""Statements of what is inherited: groups, priors, mixed weights, alignment, poison."""

import sympy as sp

from ci_theory.theory.statements.statement import (
    E_x,
    Limit,
    S,
    Statement,
    along,
    anchor,
    balanced,
    cosine,
    cost,
    d,
    delta,
    group_gap,
    held_1,
    held_2,
    kappa,
    label,
    labels,
    left,
    mix,
    moved,
    mu,
    n,
    n_1,
    n_2,
    norm,
    p,
    prior,
    q,
    response,
    reversal,
    shift,
    sigma,
    start,
    strength,
    success,
    tau,
    told,
    variance,
    w,
    weight,
)

__all__ = ["INHERITANCE"]


def _normal(x: sp.Expr) -> sp.Expr:
    """Return the probability that a standard normal number is below x."""
    return (1 + sp.erf(x / sp.sqrt(2))) / 2


def _groups() -> tuple[Statement, ...]:
    source = "derived here (docs/inheritance/group_gap.md)"
    return (
        Statement(
            name="groups.gap",
            title="how much worse the minority fares",
            equation=sp.Eq(group_gap, 2 * (1 - cosine) * w**2 * (held_1 - held_2) / p),
            regime="limit of many rows and parameters; exact in the mean leverages",
            source=source,
            implementation="inheritance.group_gap.two_groups",
            phenomena=("group_gap",),
            predictions=("group_gap.gap",),
            limits=(
                Limit(words="one target", symbol=cosine, point=1, value=0),
                Limit(words="as much held by both", symbol=held_1, point=held_2, value=0),
            ),
        ),
        Statement(
            name="groups.equalising_weight",
            title="weight of the minority's rows that makes the errors equal, without a ridge",
            equation=sp.Eq(weight, (2 * n_1 - p) / (2 * n_2 - p)),
            regime="limit of many rows and parameters, p < 2 n_2",
            source=source,
            implementation="inheritance.group_gap.equalising_weight",
            phenomena=("group_gap",),
            limits=(
                Limit(
                    words="few parameters: the ratio of rows", symbol=p, point=0, value=n_1 / n_2
                ),
                Limit(words="groups of one size", symbol=n_1, point=n_2, value=1),
            ),
        ),
    )


def _prior() -> tuple[Statement, ...]:
    inherited, seen = sp.log(prior / (1 - prior)), sp.log(told / (1 - told))
    errors = (_normal(-mu - shift / (2 * mu)) + _normal(-mu + shift / (2 * mu))) / 2
    source = "derived here (docs/inheritance/prior_bias.md)"
    return (
        Statement(
            name="prior.balanced_error",
            title="balanced error of a score that is shifted; its mean over estimates is predicted",
            equation=sp.Eq(balanced, errors),
            regime="exact",
            source="the normal distribution; compare Menon et al., arXiv:2007.07314",
            implementation="inheritance.prior_bias.shifted_errors",
            phenomena=("prior_bias",),
            predictions=("prior_bias.balanced_error", "prior_bias.gain"),
            limits=(
                Limit(words="nothing left of the prior", symbol=shift, point=0, value=_normal(-mu)),
                Limit(
                    words="all rows taken for one class",
                    symbol=shift,
                    point=sp.oo,
                    value=sp.Rational(1, 2),
                ),
            ),
        ),
        Statement(
            name="prior.best_strength",
            title="share of the estimated log prior to take off",
            equation=sp.Eq(tau, inherited * seen / (seen**2 + 1 / (labels * told * (1 - told)))),
            regime="small prior, many labels",
            source=source,
            implementation="inheritance.prior_bias.best_strength",
            phenomena=("prior_bias",),
            limits=(
                Limit(
                    words="many right labels: all of it",
                    symbol=labels,
                    point=sp.oo,
                    value=1,
                    given={told: prior},
                ),
            ),
        ),
        Statement(
            name="prior.fewest_labels",
            title="labels from which on taking it off pays",
            equation=sp.Eq(labels, tau / (told * (1 - told) * seen * (2 * inherited - tau * seen))),
            regime="small prior, many labels",
            source=source,
            implementation="inheritance.prior_bias.fewest_labels",
            phenomena=("prior_bias",),
            limits=(
                Limit(
                    words="all of it, right labels",
                    symbol=tau,
                    point=1,
                    value=1 / (prior * (1 - prior) * inherited**2),
                    given={told: prior},
                ),
            ),
        ),
    )


def _mixing() -> tuple[Statement, ...]:
    source = "derived here (docs/inheritance/interpolation.md)"
    return (
        Statement(
            name="interpolation.risk",
            title="excess risk of weights mixed before and after fine-tuning, on any law",
            equation=sp.Eq(E_x, start + 2 * mix * S + mix**2 * moved),
            regime="exact in the moments of both weights",
            source=source,
            implementation="inheritance.interpolation.risk_of",
            phenomena=("weight_interpolation",),
            predictions=tuple(
                f"weight_interpolation.{name}"
                for name in ("id_risk", "ood_risk", "id_slope", "ood_slope")
            ),
            limits=(Limit(words="the weights before", symbol=mix, point=0, value=start),),
        ),
        Statement(
            name="interpolation.best_mix",
            title="share of the tuned weights of least risk",
            equation=sp.Eq(mix, -S / moved),
            regime="exact in the moments of both weights",
            source=source,
            implementation="inheritance.interpolation.best_mix",
            phenomena=("weight_interpolation",),
        ),
        Statement(
            name="interpolation.best_ridge",
            title="ridge towards the start at which mixing gains nothing on the tuned law",
            equation=sp.Eq(delta, p * sigma**2 / anchor),
            regime="exact, isotropic rows",
            source=source,
            implementation="inheritance.interpolation.at_best_ridge",
            phenomena=("weight_interpolation",),
            limits=(Limit(words="no noise, no ridge", symbol=sigma, point=0, value=0),),
        ),
    )


def _alignment() -> tuple[Statement, ...]:
    pull = (1 + strength**2 + reversal + strength * label) / (1 - left)
    stiff = pull - 1 - strength**2
    half = {delta: 0, left: sp.Rational(1, 2)}
    per_dimension = sp.Symbol("eta", positive=True)
    grown = sp.sqrt(per_dimension * d)
    source = "derived here (docs/editing/alignment_erasure.md)"
    return (
        Statement(
            name="erasure.rows",
            title="fine-tuning rows that leave a share of a response, nothing frozen",
            equation=sp.Eq(n, delta / stiff + d / (1 + stiff)),
            regime="limit n, d -> infinity",
            source=source,
            implementation="editing.erasure.erasing_rows",
            phenomena=("alignment_erasure",),
            limits=(
                Limit(
                    words="a component that grows with the dimension: a handful halves it",
                    symbol=d,
                    point=sp.oo,
                    value=1 / (3 * per_dimension),
                    given={**half, reversal: 0, strength: grown, label: grown},
                ),
                Limit(
                    words="nothing in common, reversed labels: a share of the dimension",
                    symbol=strength,
                    point=0,
                    value=d / 4,
                    given={**half, reversal: 1},
                ),
            ),
        ),
        Statement(
            name="erasure.attack_success",
            title="share of harmful inputs that are answered against the response",
            equation=sp.Eq(
                success, _normal(-strength * response / sp.sqrt(norm + strength**2 * variance))
            ),
            regime="a Gaussian response over runs, relative error O(1/n)",
            source="a Gaussian mean of a Gaussian probability",
            implementation="editing.erasure.attack_success",
            phenomena=("alignment_erasure",),
            predictions=("alignment_erasure.attack_success",),
            limits=(
                Limit(
                    words="nothing left of it", symbol=response, point=0, value=sp.Rational(1, 2)
                ),
            ),
        ),
        Statement(
            name="erasure.cost",
            title="rows that erase an alignment over rows that made it",
            equation=sp.Eq(cost, (d / n) / (1 + kappa + q * (1 + strength**2))),
            regime="limit n, d -> infinity",
            source=source,
            implementation="editing.erasure.erasing_cost",
            phenomena=("alignment_erasure",),
            limits=(Limit(words="a long component", symbol=strength, point=sp.oo, value=0),),
        ),
    )


def _poison() -> tuple[Statement, ...]:
    source = "derived here (docs/inheritance/poisoning.md)"
    planted = ((1 - q) * along + q * strength * label) / (1 + kappa + q * strength**2)
    half = ((1 + kappa) * label / 2 - strength * along) / (
        strength**2 * label / 2 - strength * along
    )
    return (
        Statement(
            name="poison.response",
            title="weight along a trigger that a share of the rows carry",
            equation=sp.Eq(response, planted),
            regime="limit n, p -> infinity, relative error O(1/n)",
            source=source,
            implementation="inheritance.poisoning.poisoned_ridge",
            phenomena=("poisoned_ridge",),
            predictions=("poisoned_ridge.trigger_response",),
            limits=(
                Limit(words="clean rows", symbol=q, point=0, value=along / (1 + kappa)),
                Limit(
                    words="a weak trigger plants nothing",
                    symbol=strength,
                    point=0,
                    value=(1 - q) * along / (1 + kappa),
                ),
            ),
        ),
        Statement(
            name="poison.half_saturated",
            title="share of poisoned rows that gives half of the label",
            equation=sp.Eq(q, half),
            regime="limit n, p -> infinity",
            source=source,
            implementation="inheritance.poisoning.half_saturated",
            phenomena=("poisoned_ridge",),
            limits=(
                Limit(
                    words="a target across the trigger",
                    symbol=along,
                    point=0,
                    value=(1 + kappa) / strength**2,
                ),
            ),
        ),
        Statement(
            name="poison.half_removed",
            title="clean rows that take half of a trigger away, trained to the end",
            equation=sp.Eq(n, p / 2 + delta),
            regime="limit n, p -> infinity; exact without a ridge",
            source=source,
            implementation="inheritance.poisoning.half_removed",
            phenomena=("poisoned_ridge",),
            limits=(Limit(words="no ridge", symbol=delta, point=0, value=p / 2),),
        ),
    )


INHERITANCE: tuple[Statement, ...] = (
    *_groups(),
    *_prior(),
    *_mixing(),
    *_alignment(),
    *_poison(),
)
