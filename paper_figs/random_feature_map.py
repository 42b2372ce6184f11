"""Test error of random features over features and rows: the peak follows p = n."""

from matplotlib.figure import Figure

from ci_theory.figures import phase
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_feature_map",)


def draw(results: Results) -> Figure:
    """Simulated and predicted maps, without and with label noise, with located peaks."""
    return phase.draw(
        dataset(*EXPERIMENTS, results),
        measure="test_error",
        x="p",
        y="n",
        panel="noise",
        title="Random features err most where features meet rows, even without label noise",
        note="relu features of inputs on a sphere in 20 dimensions, linear target",
    )


if __name__ == "__main__":
    main(__file__)
