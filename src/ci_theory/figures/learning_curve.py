"""The learning curve of somebody's own rows: prediction with its band, and refits."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import style
from ci_theory.own_data import LearningCurve

_HIGHEST = 30.0  # no more than this factor above the lowest error is drawn


def draw(found: LearningCurve, title: str) -> Figure:
    """Draw a panel for the rows with their copies and, if there are copies, one without.

    Curves are predictions; the band is where the curve of fresh rows lies, as far as these rows
    tell; dots are refits with two standard errors; open ones outside what is claimed.

    Args:
        found: the curve.
        title: above it, taken as text.
    """
    variants = np.unique(found.kept)[::-1]
    made, axes = style.figure(
        1, len(variants), width=style.COLUMN * len(variants), height=2.7, sharey=True
    )
    low, high = found.interval()
    lowest = min(found.predicted.min(), found.mean.min())
    top = min(max(found.predicted.max(), found.mean.max()) * 1.3, lowest * _HIGHEST)
    for panel, kept in zip(axes[0], variants, strict=True):
        for i, ridge in enumerate(np.unique(found.ridge)):
            here = (found.kept == kept) & (found.ridge == ridge)
            colour, marker = style.PALETTE[i % len(style.PALETTE)], style.MARKERS[i % 7]
            n = found.n[here]
            panel.plot(n, found.predicted[here], color=colour, label=f"ridge {ridge:.3g}")
            panel.fill_between(n, low[here], high[here], color=colour, alpha=0.13, lw=0)
            for claimed in (True, False):
                dots = here & (found.valid == claimed)
                panel.errorbar(
                    found.n[dots],
                    found.mean[dots],
                    2 * found.error[dots],
                    fmt=marker,
                    ms=3,
                    mfc=colour if claimed else "white",
                    color=colour,
                    lw=0.8,
                )
        style.scale(panel, "x", found.n.min(), found.n.max(), "log")
        style.scale(panel, "y", lowest / 1.2, top, style.range_scale(lowest / 1.2, top))
        panel.set(xlabel="distinct training rows", ylim=(lowest / 1.2, top))
        if len(variants) > 1:
            panel.set_title("with their copies" if kept else "copies taken out")
        panel.axhline(found.noise.value, color="0.4", lw=0.8, ls=":", label="noise")
    axes[0, 0].set(ylabel="error on rows left out [label²]")
    axes[0, 0].legend(loc="best")
    made.suptitle(style.words(title), fontsize=8)
    return made
