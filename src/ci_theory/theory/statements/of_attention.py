"""Statements of learning in context: attention trained on endless prompts, tasks, ridge."""

import sympy as sp

from ci_theory.theory.statements.statement import (
    Limit,
    Statement,
    d,
    error_d,
    grown,
    inverse,
    kappa,
    noise_d,
    pairs,
    prompts,
    read,
    seen,
    sigma,
    sign,
    spread,
    tasks,
    test_pairs,
)

__all__ = ["ATTENTION"]

_POPULATION = ("icl_population",)
_ISOTROPIC = "exact, isotropic inputs and tasks"
_COMMON = sign**2 * (1 - 1 / pairs) + 2 / pairs


def _endless() -> tuple[Statement, ...]:
    source = "Zhang, Frei, Bartlett, arXiv:2306.09927; noise and wrong signs derived here"
    wanted = (1 + 1 / test_pairs) * grown + (d * grown + noise_d) / test_pairs
    gained = 2 * grown * read - grown * read**2 * wanted
    every = tuple(f"icl_population.{name}" for name in ("error", "gain", "regret"))
    return (
        Statement(
            name="attention.weight",
            title="weight that endless prompts lead to",
            equation=sp.Eq(read, sign**2 / (_COMMON + (d + sigma**2) / pairs)),
            regime=_ISOTROPIC,
            source=source,
            implementation="attention.population.best_attention",
            phenomena=_POPULATION,
            predictions=every,
            limits=(
                Limit(
                    words="long contexts: the inverse variance",
                    symbol=pairs,
                    point=sp.oo,
                    value=1,
                ),
                Limit(words="signs tell nothing", symbol=sign, point=0, value=0),
            ),
        ),
        Statement(
            name="attention.error",
            title="test error of a weight on scaled inputs",
            equation=sp.Eq(error_d, noise_d + d * grown - d * gained * grown),
            regime=_ISOTROPIC,
            source=source,
            implementation="attention.population.prompt_error",
            phenomena=_POPULATION,
            predictions=every,
            limits=(
                Limit(words="nothing read", symbol=read, point=0, value=noise_d + d * grown),
                Limit(
                    words="long contexts, the right weight: the noise",
                    symbol=test_pairs,
                    point=sp.oo,
                    value=noise_d,
                    given={read: 1 / grown},
                ),
            ),
        ),
        Statement(
            name="attention.largest_scale",
            title="scale of the inputs up to which a context helps",
            equation=sp.Eq(grown, (2 / read - noise_d / test_pairs) / (1 + (1 + d) / test_pairs)),
            regime=_ISOTROPIC,
            source="derived here (docs/attention/icl_population.md)",
            implementation="attention.population.largest_scale",
            phenomena=_POPULATION,
            limits=(Limit(words="long contexts", symbol=test_pairs, point=sp.oo, value=2 / read),),
        ),
        Statement(
            name="attention.best_noise",
            title="label noise trained on that is best for a test",
            equation=sp.Eq(sigma**2, pairs * (sign**2 * wanted - _COMMON) - d),
            regime=_ISOTROPIC,
            source="derived here (docs/attention/icl_population.md)",
            implementation="attention.population.best_noise",
            phenomena=_POPULATION,
            limits=(
                Limit(
                    words="a test like the training: its own",
                    symbol=grown,
                    point=1,
                    value=noise_d,
                    given={test_pairs: pairs, sign: 1},
                ),
            ),
        ),
    )


def _tasks() -> tuple[Statement, ...]:
    middle = kappa + 1 - 1 / tasks
    trained = tuple(f"icl_linear_attention.{name}" for name in ("trained_error", "fresh_error"))
    gap = 1 - sigma**2 - seen
    return (
        Statement(
            name="attention.task_inverse",
            title="resolvent of the second moment of k tasks in d dimensions",
            equation=sp.Eq(inverse, 2 / (middle + sp.sqrt(middle**2 + 4 * kappa / tasks))),
            regime="limit d -> infinity at fixed k/d",
            source="Marchenko and Pastur; Lu, Letey, Zavatone-Veth, Maiti, Pehlevan, "
            "arXiv:2405.11751",
            implementation="attention.task_spectrum.task_traces",
            phenomena=("icl_linear_attention",),
            predictions=trained,
            limits=(
                Limit(
                    words="endless tasks: all directions alike",
                    symbol=tasks,
                    point=sp.oo,
                    value=1 / (1 + kappa),
                ),
            ),
        ),
        Statement(
            name="attention.ridge_error",
            title="error of Bayes that knows only the law of the tasks",
            equation=sp.Eq(error_d, sigma**2 + (gap + sp.sqrt(gap**2 + 4 * sigma**2)) / 2),
            regime="limit d -> infinity at fixed pairs/d",
            source="Raventos, Paul, Chen, Ganguli, arXiv:2306.15063; isotropic ridge",
            implementation="attention.population.ridge_error",
            limits=(
                Limit(
                    words="no context, noise 1/4",
                    symbol=seen,
                    point=0,
                    value=1 + sigma**2,
                    given={sigma: sp.Rational(1, 2)},
                ),
                Limit(words="a long context: the noise", symbol=seen, point=sp.oo, value=sigma**2),
            ),
        ),
    )


def _ridgeless() -> tuple[Statement, ...]:
    """One kind of prompts, more than there are weights, and no ridge: kappa is the spread."""
    lost = spread * inverse
    inverse2 = inverse**3 / (lost * inverse + (1 - lost) ** 2)
    excess = (sigma**2 + spread * (1 - lost)) / (prompts - 1)  # error over prompts
    fresh = sigma**2 - 1 + 2 * lost + (1 + spread) * (1 - 2 * lost + spread**2 * inverse2)
    unlimited = {inverse: 1 / (1 + spread)}  # endless tasks
    limits = (
        Limit(
            words="endless prompts of endless tasks: what one weight for all leaves",
            symbol=prompts,
            point=sp.oo,
            value=sigma**2 + spread / (1 + spread),
            given=unlimited,
        ),
        Limit(
            words="as many prompts as weights, of endless tasks",
            symbol=prompts,
            point=1,
            value=sp.oo,
            given=unlimited,
        ),
    )
    errors = (
        ("trained", "the tasks trained on", prompts * excess),
        ("fresh", "new tasks", fresh + (1 + spread) * excess * inverse),
    )
    return tuple(
        Statement(
            name=f"attention.{name}_error",
            title=f"error of ridgeless linear attention on {tested}",
            equation=sp.Eq(error_d, error),
            regime="limit d -> infinity at fixed pairs/d, k/d, prompts/d^2 > 1, no ridge: "
            "kappa is b_h",
            source="Lu, Letey, Zavatone-Veth, Maiti, Pehlevan, arXiv:2405.11751",
            implementation="attention.linear_attention.linear_attention",
            phenomena=("icl_linear_attention",),
            limits=limits,
        )
        for name, tested, error in errors
    )


ATTENTION: tuple[Statement, ...] = (*_endless(), *_tasks(), *_ridgeless())
