"""What is looked at for each claim: parts, each a statement about kept sweeps.

A claim is taken apart into what it needs; how much of it holds is never written here. Bars that a
claim leaves open ("a few", "much") are chosen here and named in the words of the part.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ci_theory.claimed.break_looks import Moves, Place
from ci_theory.claimed.looks import Change, Level, Look, Middle

__all__ = ["PARTS", "Part"]


class Part(NamedTuple):
    """A part of a claim.

    Attributes:
        says: what is said to be so.
        cases: where it is looked at: sweeps, and how in each. All looks of a sweep must hold in a
            slice; the first one's number is shown.
    """

    says: str
    cases: tuple[tuple[str, tuple[Look, ...]], ...]


def _part(says: str, sweep: str, *looks: Look) -> Part:
    return Part(says, ((sweep, looks),))


PARTS: Mapping[int, tuple[Part, ...]] = {
    1: (
        _part(
            "label noise raises the peak in n above the error at five times the rows",
            "fig_ridge_peak_n",
            Change("test_error", "noise", 0.05, 4.0, "rises", {"n": 100}, less={"n": 500}),
        ),
        Part(
            "label noise moves the peak, in training time or in n, by more than 5 %",
            (
                (
                    "fig_epochwise_noise",
                    (Moves("epoch-wise peak", "noise", 0.16, 1.5, "elsewhere", by=0.05),),
                ),
                (
                    "fig_ridge_peak_n",
                    (Moves("peak in n", "noise", 0.05, 4.0, "elsewhere", by=0.05),),
                ),
            ),
        ),
    ),
    2: (
        _part(
            "a middling number of repeats is worst, by more than 1 %",
            "repeated_data",
            Middle("excess_risk", "repeats"),
        ),
        _part(
            "so it is at the best ridge and at every size",
            "repetition_scaling",
            Middle("excess_risk", "repeats"),
        ),
    ),
    3: (
        _part(
            "facts met four times as often are recalled more than the others",
            "fact_memory",
            Level("copied_recalled", "above", "single_recalled", {"repeats": 4.0}),
        ),
        _part(
            "they push the others out",
            "fact_memory",
            Change("single_recalled", "repeats", 1.0, 4.0, "falls"),
        ),
    ),
    4: (
        _part(
            "leaked rows make the apparent error lower than the true one",
            "contaminated_test",
            Level("gain", "above", 0.0, {"contamination": (0.3, 0.6, 0.9, 1.0)}),
        ),
        _part(
            "leaked sequences bring the half point of exact match nearer",
            "metric_mirage",
            Moves("half of the sequences are right", "contamination", 0.0, 0.3, "earlier"),
        ),
    ),
    5: (
        _part(
            "the rarer class errs more",
            "imbalanced_mixture",
            Level(
                "error_minority",
                "above",
                "error_majority",
                {"minority": (0.05, 0.1, 0.2, 0.3, 0.4)},
            ),
        ),
        _part(
            "below some share the rarer class is lost",
            "imbalanced_mixture",
            Place("minority lost"),
        ),
        _part(
            "a longer tail of rare items leaves more answered wrongly",
            "zipf_learning",
            Change("error", "vocabulary", 300, 10_000, "rises"),
        ),
        _part(
            "of facts stored together the 11th is recalled less than the 2nd",
            "fact_memory_ranks",
            Change("known", "rank", 2, 11, "falls"),
        ),
    ),
    6: (
        _part(
            "2 % of flipped upstream labels lower the in-domain risk",
            "noisy_features",
            Change("id_excess", "up.flips", 0.0, 0.02, "falls"),
        ),
        _part(
            "the same flips raise the out-of-domain risk",
            "noisy_features",
            Change("ood_excess", "up.flips", 0.0, 0.02, "rises"),
        ),
        _part(
            "45 % raise both",
            "noisy_features",
            Change("ood_excess", "up.flips", 0.0, 0.45, "rises"),
            Change("id_excess", "up.flips", 0.0, 0.45, "rises"),
        ),
    ),
    7: (
        _part(
            "half of a trigger outlives clean fine-tuning to the end",
            "poisoned_ridge",
            Level("survival", "above", 0.5, {"up.poison": 0.1, "down.time": 1e9}),
        ),
        _part(
            "half of it outlives fine-tuning that is stopped at time 1",
            "poisoned_ridge",
            Level("survival", "above", 0.5, {"up.poison": 0.1, "down.time": 1.0}),
        ),
        _part(
            "more attacks succeed after fine-tuning than without poison",
            "poisoned_ridge",
            Change("tuned_success", "up.poison", 0.0, 0.1, "rises"),
        ),
    ),
    8: (
        Part(
            "nine rows take half of the alignment",
            (
                ("alignment_erasure", (Level("response", "below", 0.5, {"n": 9}),)),
                ("alignment_erasure_apart", (Level("response", "below", 0.5, {"n": 8}),)),
            ),
        ),
    ),
    9: (
        _part(
            "the downstream error has a peak within a fifth of as many upstream parameters as rows",
            "double_double_descent",
            Place("inherited peak in p", above=0.8, below=1.2, per="up.n"),
        ),
    ),
    10: (
        _part(
            "label noise ends a power law",
            "power_law_break",
            Place("floor in n", where={"noise": (0.03, 0.08)}),
        ),
        _part(
            "so do few parameters",
            "power_law_break_width",
            Place("floor in n"),
        ),
        _part(
            "label noise brings the end nearer",
            "power_law_break",
            Moves("floor in n", "noise", 0.03, 0.08, "earlier"),
        ),
        _part(
            "copies push it away",
            "power_law_break",
            Moves("floor in n", "repeats", 1, 3, "later", {"noise": 0.08}),
        ),
    ),
    11: (
        _part(
            "repeated rows delay generalisation",
            "linear_grokking_repeats",
            Moves("generalises", "repeats", 1, 20, "later"),
        ),
        _part(
            "too little data never generalise",
            "modular_grokking",
            Place("generalises"),
        ),
    ),
    12: (
        _part(
            "attention trained on fewer tasks than inputs errs more on new tasks than on its own",
            "icl_task_diversity",
            Level("gap", "above", 0.0, {"tasks": (7, 12, 16, 20, 24)}),
        ),
        _part(
            "seven times the tasks lower the error on new ones and raise the one on its own",
            "icl_task_diversity",
            Change("fresh_error", "tasks", 7, 48, "falls"),
            Change("trained_error", "tasks", 7, 48, "rises"),
        ),
        _part(
            "where new tasks are learnt can be placed",
            "icl_task_diversity",
            Place("new tasks are learnt"),
        ),
        _part(
            "ridge beats a known pool from some share of new tasks on; larger ones push it away",
            "icl_task_pool",
            Moves("new tasks that ridge is better for", "pool", 12, 48, "later"),
        ),
        _part(
            "of larger inputs than those of the training the context stops to help",
            "icl_input_scale",
            Place("scale at which the context stops to help", above=1.0),
        ),
        _part(
            "a pool of chains learnt from wrong steps becomes worse than counting",
            "markov_icl",
            Place("counting wins", where={"noise": 0.15}),
        ),
        _part(
            "wrong answers in training delay an induction head",
            "induction_onset",
            Moves("onset", "noise", 0.0, 0.2, "later"),
        ),
        _part(
            "questions that the context does not answer delay it too",
            "induction_onset",
            Moves("onset", "asked", 1.0, 0.6, "later"),
        ),
    ),
    13: (
        _part(
            "exact match has its jump where the power law of the tokens does not end",
            "metric_mirage",
            Place("half of the sequences are right"),
            Place("the power law of the tokens ends", absent=True),
        ),
    ),
    15: (
        _part(
            "without the duplicates the excess risk is lower",
            "repeated_data",
            Change(
                "excess_risk", "deduplicated", False, True, "falls", {"repeats": (4, 12, 20, 60)}
            ),
        ),
    ),
    20: (
        _part(
            "rows that count alike leave the minority a larger error",
            "group_gap",
            Level("gap", "above", 0.0, {"weight": 1.0}),
        ),
    ),
    21: (
        _part(
            "upstream noise, which raises the transfer error, raises the entropy of the spectrum",
            "feature_spectrum",
            Change("error", "up.noise", 0.04, 7.5, "rises"),
            Change("entropy", "up.noise", 0.04, 7.5, "rises"),
        ),
        _part(
            "copies, which raise the transfer error too, raise the entropy",
            "feature_spectrum",
            Change("error", "up.repeats", 1, 24, "rises"),
            Change("entropy", "up.repeats", 1, 24, "rises"),
        ),
    ),
    22: (
        _part(
            "taking all of an estimated prior off lowers the balanced error",
            "prior_bias",
            Level("gain", "above", 0.0, {"strength": 1.0}),
        ),
    ),
    23: (
        _part(
            "half of the way back lowers the risk on the other law and raises it on the tuned one",
            "weight_interpolation",
            Change("ood_risk", "mix", 1.0, 0.5, "falls"),
            Change("id_risk", "mix", 1.0, 0.5, "rises"),
        ),
    ),
    24: (
        _part(
            "input noise raises the error on clean inputs, far from the peak, at a small ridge",
            "corrupted_inputs",
            Change("test_error", "input_noise", 0.0, 0.5, "rises", {"n": 630, "ridge": 3.6}),
        ),
    ),
    25: (
        _part(
            "after 60 edits more than half of the base is left",
            "lifelong_editing",
            Level("base_share", "above", 0.5, {"edits": 60}),
        ),
        _part(
            "edits that are small in the inputs' own metric harm the base less than plain ones",
            "metric_editing",
            Change("base_risk", "metric", 0.0, 1.0, "falls", {"distance": 0.0}),
        ),
    ),
}
"""Claim number -> its parts, in the order in which they are told."""
