"""Keep the results of sweeps as small files: python paper_figs/_keep.py [SWEEP ...].

They are those that a figure shows and those that the answers to the claims look at. What is missing
is run first: about a quarter of an hour, and an hour for the two maps of modular phases.
Measures that nobody looks at are left out of the large ones.
"""

import sys
from pathlib import Path

from ci_theory import enable_float64
from ci_theory._errors import BadInput
from ci_theory.claimed.parts import PARTS
from ci_theory.figures import condensed, kept, paper

HERE = Path(__file__).parent
MEASURES = {
    "corrupted_inputs": ("test_error", "noisy_test_error"),
    "modular_grokking": ("train_accuracy", "test_accuracy"),
    "modular_decay": ("test_accuracy",),
    "modular_repeats": ("test_accuracy",),
    "modular_phases": ("train_accuracy", "test_accuracy", "inverted"),
    "modular_transformer_phases": ("train_accuracy", "test_accuracy", "inverted"),
    "prior_bias": ("balanced_error", "gain"),
    "induction_onset": ("left",),
    "induction_onset_noise": ("left",),
    "icl_population": ("error", "gain"),
    "icl_input_scale": ("gain",),
    "contaminated_test": ("gain",),
    "imbalanced_mixture": ("error_majority", "error_minority"),
    "metric_mirage": ("token_error", "exact_match"),
    "repeated_data": ("excess_risk",),
    "zipf_learning": ("error",),
    "fig_networks_noise": ("harm", "ood_harm", "moved"),
    "fig_networks_rows": ("harm",),
    "fig_networks_repeats": ("harm",),
    "fig_networks_transfer": ("gain",),
    "fig_networks_poison": ("planted", "harm"),
    "fig_networks_cleaning": ("planted", "response"),
    "fig_networks_erasing": ("planted", "response"),
    "fig_networks_erasing_wide": ("response",),
}
RUNS = (
    "modular_grokking",
    "modular_decay",
    "modular_repeats",
    "modular_phases",
    "modular_transformer_phases",
    *(name for name in MEASURES if name.startswith("fig_networks_")),
)
"""Sweeps of networks, whose runs are kept one by one."""
LAST = {"modular_phases": "step", "modular_transformer_phases": "step"}
"""Axes of which only the last value is kept."""


def sweeps() -> list[str]:
    """List the sweeps that the figures show and the parts of the claims look at."""
    looked_at = {name for parts in PARTS.values() for part in parts for name, _ in part.cases}
    return sorted({*paper.shown(), *looked_at})


def keep(name: str, folder: Path, stores: Path = paper.STORES) -> None:
    """Run what is missing of a sweep, and keep its result in a folder."""
    data = paper.dataset(name, paper.Results(stores, fresh=True))
    wanted = list(MEASURES.get(name, ())) or None
    if name in RUNS:
        data = data[wanted].isel({LAST[name]: -1} if name in LAST else {})
    else:
        data = condensed.condense(data, wanted)
    kept.write(data, folder / f"{name}.csv")


def main() -> None:
    """Keep the sweeps named, or all."""
    enable_float64()
    for name in sys.argv[1:] or sweeps():
        if name not in sweeps():
            sys.exit(f"{name}: in no figure and no claim; known: {', '.join(sweeps())}")
        print(name, file=sys.stderr, flush=True)
        try:
            keep(name, HERE / "data")
        except BadInput as problem:
            print(problem, file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main()
