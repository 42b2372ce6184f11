"""Where the slack audit draws its points: for each phenomenon, the whole scope it states."""

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks._scopes import draw, one_stage, trained, two_stages
from benchmarks._scopes.draw import Random


class Scope(NamedTuple):
    """What to draw for a phenomenon.

    Attributes:
        sizes: static fields and replicates of every program.
        outer: draws the traced and sized fields of one run, given the static ones.
        inner: draws the inner fields of one point.
        designs: runs with fields of their own, per program.
        size: the static field that says how large a program is.
    """

    sizes: list[tuple[dict[str, Any], int]]
    outer: Callable[[Random, dict[str, Any]], dict[str, Any]]
    inner: Callable[[Random, dict[str, Any]], dict[str, float]]
    designs: int
    size: str = "p"


_SPECTRA: list[dict[str, Any]] = [
    {"spectrum": "isotropic"},
    {"spectrum": "two_block"},
    {"spectrum": "power_law", "alpha": 1.5},
]
_SIZES = ((20, 1500), (40, 1000), (80, 400))
_PLAIN: list[tuple[dict[str, Any], int]] = [({"p": p}, count) for p, count in _SIZES]
_LIVES = [({"p": p, "editor": e}, 600) for p in (20, 40) for e in ("sequential", "batch")]
_SPECTRAL = [({"p": p, **s}, count) for p, count in _SIZES for s in _SPECTRA]
_FEATURES: list[tuple[dict[str, Any], int]] = [
    ({"p": p, "d": d, "activation": act}, 1500)
    for p, d in ((40, 6), (60, 30), (120, 10), (150, 16))
    for act in ("relu", "tanh")
]
_MEMBERS = [({**fixed, "members": k}, 1500) for fixed, _ in _FEATURES[:4] for k in (2, 6)]
_SCALES: list[tuple[dict[str, Any], int]] = [
    ({"d": d, "p": p, **s}, count)
    for d, p, count in ((24, 0, 1500), (48, 0, 1000), (32, 20, 1000), (32, 64, 1000))
    for s in (
        {"spectrum": "two_block"},
        {"spectrum": "power_law", "alpha": 1.2, "beta": 1.6},
        {"spectrum": "power_law", "alpha": 2.0, "beta": 1.3},
    )
]
_DRAWN: list[tuple[dict[str, Any], int]] = [
    ({"draw": 0, "width": d, "inputs": 4 * d, "alpha": a, "beta": b}, count)
    for d, count in ((10, 2000), (20, 1500), (40, 600))
    for a, b in ((0.6, 0.3), (1.0, 0.4), (1.2, 0.8), (0.7, 1.2), (0.3, 0.8))
]

_LAWS = [
    ({"modes": modes, "alpha": alpha, "source": source, "width": width, "tail": tail}, 500)
    for alpha, source, modes in ((1.3, 0.6, 100), (2.0, 0.25, 200), (2.8, 0.4, 100))
    for width, tail in ((0, True), (0, False), (40, True), (80, False))
]
_SLOPES = [
    ({"modes": modes, "alpha": alpha, "source": source}, count)
    for modes, count in ((60, 1000), (120, 500))
    for alpha, source in ((1.2, 0.5), (2.0, 0.5), (1.5, 0.2))
]

SCOPES = {
    "ridge_peak": Scope(_SPECTRAL, one_stage.ridge_peak, draw.plain, 7),
    "repeated_data": Scope(_PLAIN, one_stage.repeated_data, draw.plain, 18),
    "repetition_scaling": Scope(
        _SLOPES, one_stage.repetition_scaling, one_stage.falling, 12, "modes"
    ),
    "contaminated_test": Scope(_PLAIN, one_stage.contaminated_test, one_stage.leak, 15),
    "corrupted_inputs": Scope(_SPECTRAL, one_stage.corrupted_inputs, draw.plain, 6),
    "two_stage_ridge": Scope(
        [({"p": p}, 800) for p in (20, 40)], two_stages.two_stage_ridge, two_stages.stages, 24
    ),
    "metric_editing": Scope(_LIVES, two_stages.metric_editing, two_stages.metric_life, 12),
    "lifelong_editing": Scope(_LIVES, two_stages.lifelong_editing, two_stages.life, 12),
    "weight_interpolation": Scope(
        [({"p": p}, 800) for p in (20, 40)], two_stages.weight_interpolation, two_stages.mixed, 24
    ),
    "poisoned_ridge": Scope(
        [({"p": p}, 1200) for p in (20, 40)], two_stages.poisoned_ridge, two_stages.backdoor, 24
    ),
    "noisy_features": Scope(
        [({"p": 24, "up.heads": 16}, 800), ({"p": 20, "up.heads": 50}, 800)],
        two_stages.noisy_features,
        two_stages.flipped,
        24,
    ),
    "feature_spectrum": Scope(
        [({"p": 20}, 2000), ({"p": 45}, 800)], two_stages.feature_spectrum, two_stages.buried, 24
    ),
    "double_double_descent": Scope(
        [({"d": d}, 800) for d in (40, 80)],
        two_stages.double_double_descent,
        two_stages.targets,
        24,
        "d",
    ),
    "alignment_erasure": Scope(
        [({"d": d}, count) for d, count in ((24, 1500), (60, 800))],
        two_stages.alignment_erasure,
        two_stages.erasing,
        18,
        "d",
    ),
    "imbalanced_mixture": Scope(
        _SPECTRAL,
        one_stage.imbalanced_mixture,
        lambda rng, fixed: {"ridge": draw.ridge(rng, fixed["p"])},
        4,
    ),
    "group_gap": Scope(_PLAIN, one_stage.group_gap, one_stage.angle, 18),
    "random_feature_peak": Scope(
        _FEATURES, one_stage.random_feature_peak, one_stage.leaked_copies, 5
    ),
    "feature_ensemble": Scope(_MEMBERS, one_stage.member, one_stage.kernel_ridge, 5),
    "epochwise_descent": Scope(_SCALES, trained.epochwise_descent, trained.moment, 8, "d"),
    "linear_grokking": Scope(
        [({"d": d}, count) for d, count in ((30, 1500), (60, 1000), (120, 400))],
        trained.linear_grokking,
        trained.later,
        18,
        "d",
    ),
    "icl_linear_attention": Scope(
        [({"d": d}, count) for d, count in ((12, 200), (20, 60))],
        trained.icl_linear_attention,
        trained.queries,
        12,
        "d",
    ),
    "icl_zipf_tasks": Scope(
        [
            ({"d": d, "tasks": k}, count)
            for d, k, count in ((12, 8, 400), (12, 50, 400), (20, 50, 150))
        ],
        trained.icl_zipf_tasks,
        trained.watched,
        12,
        "d",
    ),
    "induction_onset": Scope(
        [({"labels": 12}, 300), ({"labels": 40}, 300)],
        trained.induction_onset,
        trained.descended,
        24,
        "labels",
    ),
    "fact_memory": Scope(
        [({"d": d}, count) for d, count in ((8, 3000), (16, 2000), (32, 1000))],
        trained.fact_memory,
        trained.watched_fact,
        18,
        "d",
    ),
    "power_law_break": Scope(_LAWS, one_stage.power_law_break, one_stage.per_row, 4, "modes"),
    "sgd_scaling": Scope(_DRAWN, trained.sgd_scaling, trained.stop, 4, "width"),
}
