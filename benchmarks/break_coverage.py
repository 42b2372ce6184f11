"""How often the 95 % intervals of a fitted broken power law hold the truth, on synthetic curves.

Curves scatter independently in log y. Counted are the place of the break (profile likelihood with
bootstrapped level; an open side holds everything), the slopes beside it, its width, the floor, and
the band four times beyond the last point. "open" is the share of intervals with an open side: where
it is large, the data do not say where the break is, and the fit says so. With the number of
breaks chosen by the fit, coverage is that of the fits of the true form, and the last columns tell
how often it chose the true form, more or fewer breaks, and a floor where there is none or none
where one is.

    python -m benchmarks.break_coverage [CURVES] [SEED]
"""

import sys
from typing import NamedTuple

import numpy as np

from ci_theory._errors import Status
from ci_theory.locate.breaks import fit
from ci_theory.locate.broken import Form, Plateau

CURVES = 500
POINTS, DECADES = 24, 3.0


class Setting(NamedTuple):
    """A true curve (parameters of its form) and the scatter of log y."""

    name: str
    form: Form
    theta: tuple[float, ...]
    scatter: float
    identifiable: bool = True


def one_break(width: float, bend: float) -> tuple[float, ...]:
    """A break in the middle of the axis, slope -0.4 before it."""
    return (0.3, 0.4, bend, np.log(30.0), np.log(width))


ONE, FLOOR, NONE, TWO = Form(1, False), Form(0, True), Form(0, False), Form(2, False)
SETTINGS = (
    Setting("sharp, clear", ONE, one_break(0.3, 0.5), 0.02),
    Setting("sharp, noisy", ONE, one_break(0.3, 0.5), 0.05),
    Setting("flattening", ONE, one_break(0.3, -0.3), 0.02),
    Setting("wide, clear", ONE, one_break(1.0, 0.5), 0.02),
    Setting("wide, noisy", ONE, one_break(1.0, 0.5), 0.05, identifiable=False),
    Setting("faint", ONE, one_break(0.3, 0.1), 0.02, identifiable=False),
    Setting("floor", FLOOR, (0.7, 0.8, np.log(0.05)), 0.02),
    Setting("floor, noisy", FLOOR, (0.7, 0.8, np.log(0.05)), 0.05),
    Setting("two", TWO, (0.7, 0.2, 0.6, 2.0, -2.0, -0.5, 5.0, -2.0), 0.02),
)


def study(setting: Setting, curves: int, seed: list[int], auto: bool) -> None:
    """Print one line of coverage."""
    rng = np.random.default_rng(seed)
    u = np.linspace(0, DECADES * np.log(10), POINTS)
    form, theta = setting.form, np.array(setting.theta)
    mean, beyond = form.value(theta, u), u[-1] + np.log(4)
    held: dict[str, list[bool]] = {}
    opened, forms = [], []
    for _ in range(curves):
        y = np.exp(mean + setting.scatter * rng.standard_normal(POINTS))
        law = fit(np.exp(u), y, "auto" if auto else form.breaks, resamples=200)
        forms.append(law.form)
        if law.form != form and auto:
            continue

        def note(name: str, interval, truth: float) -> None:
            held.setdefault(name, []).append(interval.low <= truth <= interval.high)

        slopes = -theta[1] - np.concatenate([[0.0], np.cumsum(theta[2 : 2 + 3 * form.breaks : 3])])
        for i, found in enumerate(law.breaks[: form.breaks]):
            note("place", found.place, np.exp(theta[form.place(i)]))
            note("width", found.width, np.exp(theta[form.place(i) + 1]))
            note("before", found.before, slopes[i])
            note("after", found.after, slopes[i + 1])
            opened.append(found.status != Status.OK)
        if form.floor and law.breaks:
            note("place", law.breaks[0].place, np.exp(Plateau.of(theta)[2]))
            note("before", law.breaks[0].before, -theta[1])
            note("floor", law.floor, np.exp(theta[-1]))
            opened.append(law.breaks[0].status != Status.OK)
        low, high = law.band(np.exp([beyond]))
        held.setdefault("band", []).append(low[0] <= np.exp(form.value(theta, beyond)) <= high[0])
    told = [
        f"{np.mean(held[k]):8.3f}" if held.get(k) else f"{'-':>8}"
        for k in ("place", "before", "after", "width", "floor", "band")
    ]
    choice = (
        [one == form for one in forms],
        [one.breaks > form.breaks for one in forms],
        [one.breaks < form.breaks for one in forms],
        [one.floor != form.floor for one in forms],
    )
    told += [f"{np.mean(opened or [0]):8.2f}", *(f"{np.mean(one):8.3f}" for one in choice)]
    mark = "" if setting.identifiable else "  (not identifiable)"
    print(f"  {setting.name:14}{''.join(told)}{mark}", flush=True)


def main() -> None:
    """Study given and chosen numbers of breaks; the latter on a fifth of the curves."""
    curves = int(sys.argv[1]) if len(sys.argv) > 1 else CURVES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    heads = ("place", "before", "after", "width", "floor", "band", "open")
    heads += ("form", "more", "fewer", "floor?")
    print(f"Coverage of 95 % intervals; {curves} curves of {POINTS} points over {DECADES} decades")
    none = Setting("no break", NONE, (0.3, 0.4), 0.02)
    for auto in (False, True):
        print("number of breaks " + ("chosen" if auto else "given"))
        print(f"  {'':14}" + "".join(f"{head:>8}" for head in heads))
        for index, setting in enumerate((none, *SETTINGS)):
            study(setting, curves // 5 if auto else curves, [seed, auto, index], auto)


if __name__ == "__main__":
    main()
