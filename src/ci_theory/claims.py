"""What the seed paper claims of large models, and the phenomena that put each claim to a test.

The claims are those of Chen, Raj, Xie and Wang, "On Catastrophic Inheritance of Large Foundation
Models" (2024, arXiv:2402.01909), and of the work it cites, in our words. A phenomenon that is
named here and has no file yet is planned; which are which is read off the registry, never
written down.

>>> CLAIMS[1].phenomena
('repeated_data',)
>>> sorted(planned({"repeated_data"}, CLAIMS[1])), sorted(planned(set(), CLAIMS[1]))
([], ['repeated_data'])
"""

from collections.abc import Collection
from typing import NamedTuple

from ci_theory._errors import BadInput


class Claim(NamedTuple):
    """One claim of the seed paper.

    Attributes:
        number: its number, from 1.
        text: the claim in a line.
        cited: the work that it rests on.
        phenomena: registry names of the models that test it.
        breaks: the break point that a model would locate; empty if it has none.
    """

    number: int
    text: str
    cited: str
    phenomena: tuple[str, ...]
    breaks: str


def planned(registered: Collection[str], claim: Claim) -> list[str]:
    """Return the phenomena of a claim that no file or entry point provides yet."""
    return [name for name in claim.phenomena if name not in registered]


def _claims(*rows: tuple[str, str, str, str]) -> tuple[Claim, ...]:
    return tuple(
        Claim(number, text, cited, tuple(phenomena.split()), breaks)
        for number, (text, cited, phenomena, breaks) in enumerate(rows, start=1)
    )


CLAIMS = _claims(
    (
        "Noisy labels make double descent stronger and shift where it happens",
        "Nakkiran 2019; Belkin; Opper",
        "ridge_peak random_feature_peak feature_ensemble epochwise_descent",
        "peak of the error in n, in p and in time; height and place against noise",
    ),
    (
        "A repeated part of the data does most harm at a middling number of repeats",
        "Hernandez 2022",
        "repeated_data",
        "the worst repeat count, N/p",
    ),
    (
        "Duplicates get memorised",
        "Carlini 2022; Lee 2022; Kandpal 2022",
        "memorised_duplicates fact_memory",
        "repeat count from which an item is memorised",
    ),
    (
        "Leaked test data falsify evaluation and bend scaling curves",
        "Schaeffer 2023; Roberts; Jiang",
        "contaminated_test random_feature_peak",
        "the break one sees against the true one",
    ),
    (
        "Imbalance and long tails cost the rare concepts",
        "Parashar 2024; Zhu 2023; Kandpal 2023; Feldman 2020",
        "imbalanced_mixture zipf_learning fact_memory",
        "minority size below which a class is lost",
    ),
    (
        "Slight upstream noise may help in-domain yet harms out-of-domain; strong noise harms both",
        "Chen 2024",
        "noisy_features",
        "noise at the in-domain minimum; where the two domains change sign",
    ),
    (
        "A backdoor outlives fine-tuning",
        "Wang 2018; Zhang 2022",
        "poisoned_ridge",
        "poison rate that saturates; clean fine-tuning size that removes it",
    ),
    (
        "A few fine-tuning examples erase an alignment",
        "Qi 2023",
        "alignment_erasure",
        "number of examples that erase it",
    ),
    (
        "Double descent upstream is inherited downstream",
        "Dar 2021",
        "double_double_descent two_stage_ridge",
        "second peak where features equal rows; the negative-transfer boundary",
    ),
    (
        "Scaling laws break, and biased data move the break",
        "Caballero 2022; Kaplan; Cherti",
        "power_law_break sgd_scaling",
        "crossovers to the noise floor and to the bottleneck",
    ),
    (
        "Grokking needs a critical amount of data and depends on their quality",
        "Power; Varma; Kumar; Davies; Zhu 2024",
        "linear_grokking modular_grokking",
        "grokking time; critical fraction; phases in noise and decay",
    ),
    (
        "Learning in context depends on the pre-training distribution",
        "Olsson; Reddy 2023",
        "icl_linear_attention icl_population icl_zipf_tasks icl_task_pool markov_icl "
        "induction_onset",
        "task-diversity transition; shift that reading survives; onset time",
    ),
    (
        "A sudden ability can be the metric's doing",
        "Schaeffer 2023",
        "metric_mirage",
        "size at half of the metric's range",
    ),
    (
        "Pruned data can beat the power law",
        "Sorscher 2022",
        "data_pruning",
        "crossover from keeping easy to keeping hard examples",
    ),
    ("Removing duplicates pays", "Lee 2022; Abbas 2023", "repeated_data", ""),
    (
        "Synthetic data can ruin a model or mend it",
        "Zhao 2023; Fan 2023",
        "model_collapse repair_law",
        "clean data needed for a given residual bias",
    ),
    (
        "Unlearning can take out an inherited bias without training anew",
        "Bourtoule 2021; Jang 2022; Chen & Yang 2023",
        "unlearning",
        "stability edge of gradient ascent",
    ),
    (
        "Light black-box tuning of frozen features can undo the harm",
        "Chen 2024 (NMTune)",
        "spectral_tuning",
        "",
    ),
    (
        "Membership and private data leak, the more so with more parameters",
        "Carlini; Nasr; Duan",
        "membership_inference",
        "",
    ),
    (
        "The upstream mix makes a model treat groups unequally",
        "Gallegos; Nanda; Du",
        "group_gap",
        "group weight that makes the errors equal",
    ),
    (
        "The singular values of the features foretell transfer",
        "Chen 2019, 2024; Xue 2022; Oymak 2019",
        "feature_spectrum",
        "transition at which a spike leaves the bulk",
    ),
    (
        "An inherited label prior can be corrected afterwards",
        "Zhu 2023 (GLA)",
        "prior_bias",
        "labels from which on correcting pays; best strength",
    ),
    (
        "Averaging pre-trained and tuned weights trades the domains against each other",
        "Wortsman 2022 and successors",
        "weight_interpolation",
        "best mixing weight",
    ),
    (
        "Corrupted inputs spoil what is learnt",
        "Elazar; Luccioni",
        "corrupted_inputs random_feature_peak",
        "",
    ),
    (
        "A model should stay editable for life",
        "section 4.3 of the seed paper",
        "lifelong_editing",
        "number of edits until the base is lost",
    ),
)
"""The 25 claims, in the order of their numbers."""


def numbered(words: Collection[str]) -> list[int]:
    """Return the numbers of the claims that words name, in their order; of all if none does.

    Raises:
        BadInput: a word that is not the number of a claim.

    >>> numbered(["3", "2", "3"]), len(numbered([])) == len(CLAIMS)
    ([2, 3], True)
    """
    known = {str(claim.number): claim.number for claim in CLAIMS}
    for word in words:
        if word not in known:
            raise BadInput(f"claim {word}: expected a number in 1..{len(CLAIMS)}")
    return [number for word, number in known.items() if word in words or not words]
