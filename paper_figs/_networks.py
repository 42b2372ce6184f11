"""The table of docs/inheritance/networks.md: what of the linear chain survives in three learners.

``python paper_figs/_networks.py`` computes it from the kept runs (paper_figs/data/fig_networks_*)
and the closed form of the linear learner, and writes it between the marks of the page.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from ci_theory import enable_float64
from ci_theory.figures.conclusion import LEARNERS, Conclusion, located, matched, table
from ci_theory.figures.jackknife import jackknifed, less, quotient
from ci_theory.figures.paper import Results, dataset
from ci_theory.locate import Crossing, Peak
from ci_theory.locate.profile import Interval
from ci_theory.phenomena import load, predict

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "inheritance" / "networks.md"
BEGIN, END = "<!-- table: written by `paper_figs/_networks.py` -->\n", "<!-- end of table -->\n"
NAMES = ("noise", "rows", "repeats", "transfer", "poison", "cleaning", "erasing", "erasing_wide")


class Sweep:
    """The runs of one sweep, and the closed form of the linear learner on its grid."""

    def __init__(self, data: xarray.Dataset) -> None:
        """Evaluate the predictions at every point."""
        self.data, phenomenon = data, load("network_inheritance")
        self.axes = [str(d) for d in data.dims if d not in ("system", "replicate")]
        points = np.meshgrid(*(data[a].to_numpy() for a in self.axes), indexing="ij")
        shape, count = points[0].shape, points[0].size
        fixed = json.loads(data.attrs["fixed"]) if "fixed" in data.attrs else {}
        given = {**fixed, "system": "linear"}
        columns = {a: p.ravel().tolist() for a, p in zip(self.axes, points, strict=True)}
        columns |= {k: [v] * count for k, v in given.items() if k not in columns}
        self.told = {
            name: (self.axes, np.asarray(one.estimate.value).reshape(shape))
            for name, one in predict(phenomenon, columns).items()
        }

    def runs(self, measure: str, system: str, **at: Any) -> np.ndarray:
        """Return the runs of a learner, (replicate, axes that are left)."""
        chosen = {k.replace("__", "."): v for k, v in at.items()}
        one = self.data[measure].sel(system=system, **chosen)
        return one.transpose("replicate", ...).to_numpy()

    def theory(self, measure: str, **at: Any) -> np.ndarray:
        """Return the closed form likewise."""
        chosen = {k.replace("__", "."): v for k, v in at.items()}
        axes, values = self.told[measure]
        coords = {a: self.data[a].to_numpy() for a in axes}
        return xarray.DataArray(values, coords, axes).sel(**chosen).to_numpy()

    def x(self, axis: str) -> np.ndarray:
        """Return the places on an axis."""
        return self.data[axis].to_numpy().astype(float)


def conclusions(results: Results) -> list[Conclusion]:
    """Compute every row of the table."""
    s = {name: Sweep(dataset(f"fig_networks_{name}", results)) for name in NAMES}
    return [*_noise(s), *_repeats(s), *_transfer(s), *_poison(s), *_erasing(s), *_order(s)]


def _each(found: Callable[[str], Interval]) -> dict[str, Interval]:
    return {system: found(system) for system in LEARNERS}


def _value(x: Any) -> float:
    return float(np.asarray(x))


def _noise(s: Mapping[str, Sweep]) -> list[Conclusion]:
    noise, rows = s["noise"], s["rows"]
    level = {"up__noise": [1.0, 2.0]}

    def law(mean: np.ndarray) -> float:
        return float(mean[1] / mean[0])

    def beyond(system: str) -> Interval:
        at = {"system": system, "up__noise": 1.0}
        return jackknifed(noise.runs("ood_harm", **at) - noise.runs("harm", **at), _value)

    def most(system: str) -> Interval:
        return located(Peak(), rows.x("up.n"), rows.runs("harm", system))

    return [
        Conclusion(
            "label noise",
            "upstream noise (variance 1) adds to the downstream error",
            "sign",
            _value(noise.theory("harm", up__noise=1.0)),
            _each(lambda k: jackknifed(noise.runs("harm", k, up__noise=1.0), _value)),
        ),
        Conclusion(
            "label noise",
            "twice the noise does twice the harm: ratio of the harms",
            "law",
            law(noise.theory("harm", **level)),
            _each(lambda k: jackknifed(noise.runs("harm", k, **level), law)),
            room=0.5,
        ),
        Conclusion(
            "label noise",
            "it costs more on inputs stretched along the upstream target than on others",
            "sign",
            1.0,
            _each(beyond),
        ),
        Conclusion(
            "label noise",
            "it harms most at so many upstream rows, close to the number of inputs, 12",
            "place",
            matched(rows.x("up.n"), rows.runs("harm", "linear"), rows.theory("harm")),
            _each(most),
        ),
    ]


def _repeats(s: Mapping[str, Sweep]) -> list[Conclusion]:
    repeats, rows = s["repeats"], s["rows"]

    def more(system: str) -> Interval:
        runs = [repeats.runs("harm", system, up__repeats=r) for r in (2, 1)]
        return jackknifed(runs[0] - runs[1], _value)

    def worst(system: str) -> Interval:
        return located(Peak(), repeats.x("up.repeats"), repeats.runs("harm", system))

    def own(system: str) -> Interval:
        most = located(Peak(), rows.x("up.n"), rows.runs("harm", system))
        made = quotient(worst(system), Interval(1 / most.value, 1 / most.high, 1 / most.low))
        return Interval(*(value / 240 for value in made))

    told = [
        matched(sweep.x(axis), sweep.runs("harm", "linear"), sweep.theory("harm"))
        for sweep, axis in ((repeats, "up.repeats"), (rows, "up.n"))
    ]
    return [
        Conclusion(
            "repetition",
            "seeing half of the rows twice, so fewer of them, does more harm",
            "sign",
            _value(repeats.theory("harm", up__repeats=2) - repeats.theory("harm", up__repeats=1)),
            _each(more),
        ),
        Conclusion(
            "repetition",
            "the harm is largest at a middling number of copies (240 rows)",
            "place",
            told[0],
            _each(worst),
        ),
        Conclusion(
            "repetition",
            "in units of the learner: copies at the worst, times the rows at which its noise harms "
            "most, over the rows",
            "place",
            told[0] * told[1] / 240,
            _each(own),
        ),
    ]


def _transfer(s: Mapping[str, Sweep]) -> list[Conclusion]:
    transfer = s["transfer"]
    x, locator = transfer.x("alignment"), Crossing(level=0.0, direction="up")

    def place(curve: np.ndarray) -> float:
        return locator.locate(x, curve).value

    def cosine(system: str) -> Interval:
        return located(locator, x, transfer.runs("gain", system, up__noise=0.25, down__n=12))

    def apart(axis: str, ends: Sequence[float], **held: float) -> Callable[[str | None], Interval]:
        def of(system: str | None) -> Interval:
            def difference(mean: np.ndarray) -> float:
                return place(mean[..., 1]) - place(mean[..., 0])

            if system is None:
                both = [transfer.theory("gain", **{axis: end}, **held) for end in ends]
                return Interval(difference(np.stack(both, axis=-1)), np.nan, np.nan)
            both = [transfer.runs("gain", system, **{axis: end}, **held) for end in ends]
            return jackknifed(np.stack(both, axis=-1), difference)

        return of

    rows = apart("down__n", (12, 48), up__noise=0.25)
    noise = apart("up__noise", (0.25, 1.0), down__n=12)
    return [
        Conclusion(
            "negative transfer",
            "inheriting pays from this cosine of the tasks on (noise 0.25)",
            "place",
            place(transfer.theory("gain", up__noise=0.25, down__n=12)),
            _each(cosine),
        ),
        Conclusion(
            "negative transfer",
            "four times the downstream rows leave this cosine where it is: difference",
            "law",
            rows(None).value,
            _each(rows),
            room=0.1,
        ),
        Conclusion(
            "negative transfer",
            "four times the upstream noise moves it up: difference",
            "sign",
            noise(None).value,
            _each(noise),
        ),
    ]


def _poison(s: Mapping[str, Sweep]) -> list[Conclusion]:
    poison, cleaning = s["poison"], s["cleaning"]
    half, gone = Crossing(level=0.5, direction="up"), Crossing(level=0.5, direction="down")

    def share(system: str, strength: float) -> Interval:
        runs = poison.runs("planted", system, up__strength=strength)
        return located(half, poison.x("up.poison"), runs)

    def told(strength: float) -> float:
        return half.locate(
            poison.x("up.poison"), poison.theory("planted", up__strength=strength)
        ).value

    def kept(mean: np.ndarray) -> np.ndarray:
        return mean[..., 0] / mean[..., 1]

    def both(system: str, **at: float) -> np.ndarray:
        runs = [cleaning.runs(m, system, **at) for m in ("response", "planted")]
        return np.stack(runs, axis=-1)

    def removed(system: str) -> Interval:
        runs, x = both(system, up__poison=0.2), cleaning.x("down.n")
        return jackknifed(runs, lambda mean: gone.locate(x, kept(mean)).value)

    def sparing(system: str) -> Interval:
        runs = np.stack([both(system, up__poison=q, down__n=12) for q in (0.05, 0.2)], axis=1)
        return jackknifed(runs, lambda mean: float(kept(mean)[0] - kept(mean)[1]))

    theory = [cleaning.theory(m, up__poison=0.2) for m in ("response", "planted")]
    at = [
        [cleaning.theory(m, up__poison=q, down__n=12) for m in ("response", "planted")]
        for q in (0.05, 0.2)
    ]

    def cost(system: str | None, strength: float) -> Any:
        at = [{"up__poison": q, "up__strength": strength} for q in (0.2667, 0.0)]
        if system is None:
            return poison.theory("harm", **at[0]) - poison.theory("harm", **at[1])
        return poison.runs("harm", system, **at[0]) - poison.runs("harm", system, **at[1])

    return [
        Conclusion(
            "poison",
            "this share of poisoned rows plants half of their label (strength 4)",
            "place",
            told(4.0),
            _each(lambda k: share(k, 4.0)),
        ),
        Conclusion(
            "poison",
            "half the strength needs four times the share: ratio",
            "law",
            told(2.0) / told(4.0),
            _each(lambda k: quotient(share(k, 2.0), share(k, 4.0))),
            room=2.0,
        ),
        Conclusion(
            "poison",
            "a share of 0.27 costs error on clean inputs, downstream (strength 4)",
            "sign",
            _value(cost(None, 4.0)),
            _each(lambda k: jackknifed(cost(k, 4.0), _value)),
        ),
        Conclusion(
            "poison",
            "a weaker trigger (2), which is not learnt as well, costs more than a strong one",
            "sign",
            _value(cost(None, 2.0) - cost(None, 4.0)),
            _each(lambda k: jackknifed(cost(k, 2.0) - cost(k, 4.0), _value)),
        ),
        Conclusion(
            "poison",
            "so many clean rows take half of the planted response away",
            "place",
            gone.locate(cleaning.x("down.n"), theory[0] / theory[1]).value,
            _each(removed),
        ),
        Conclusion(
            "poison",
            "what 12 clean rows leave of it does not depend on how much poison planted it: "
            "difference of what a share of 0.05 and of 0.2 leave",
            "law",
            _value(at[0][0] / at[0][1] - at[1][0] / at[1][1]),
            _each(sparing),
            room=0.15,
        ),
    ]


def _erasing(s: Mapping[str, Sweep]) -> list[Conclusion]:
    near, wide = s["erasing"], s["erasing_wide"]
    locator = Crossing(level=0.0, direction="down")

    def turned(sweep: Sweep, system: str) -> Interval:
        runs = sweep.runs("response", system, down__shared=1.0)
        return located(locator, sweep.x("down.harmful"), runs)

    def told(sweep: Sweep) -> float:
        curve = sweep.theory("response", down__shared=1.0)
        return locator.locate(sweep.x("down.harmful"), curve).value

    def apart(system: str) -> Interval:
        at = {"system": system, "down__harmful": 8}
        runs = [near.runs("response", **at, down__shared=v) for v in (0.0, 1.0)]
        return jackknifed(runs[0] - runs[1], _value)

    return [
        Conclusion(
            "alignment",
            "so many rows that share its component turn a planted response",
            "place",
            told(near),
            _each(lambda k: turned(near, k)),
        ),
        Conclusion(
            "alignment",
            "twice the inputs, the rows upstream and the squared component need hardly more: ratio",
            "law",
            told(wide) / told(near),
            _each(lambda k: quotient(turned(wide, k), turned(near, k))),
            room=0.5,
        ),
        Conclusion(
            "alignment",
            "eight rows of the same labels without that component leave more of it",
            "sign",
            _value(
                near.theory("response", down__harmful=8, down__shared=0.0)
                - near.theory("response", down__harmful=8, down__shared=1.0)
            ),
            _each(apart),
        ),
    ]


def _order(s: Mapping[str, Sweep]) -> list[Conclusion]:
    noise, poison = s["noise"], s["poison"]
    held = {"up__strength": 2.0}  # where the closed forms lie well apart

    def added(system: str | None, sweep: Sweep, ends: Sequence[dict[str, float]]) -> Any:
        if system is None:
            high, low = (sweep.theory("harm", **end) for end in ends)
            return _value(high - low)
        high, low = (sweep.runs("harm", system, **end) for end in ends)
        return jackknifed(high - low, _value)

    louder = noise, [{"up__noise": 2.0}, {"up__noise": 1.0}]
    struck = poison, [{"up__poison": q, **held} for q in (0.2667, 0.0)]
    return [
        Conclusion(
            "order",
            "poisoning a share of 0.27 (strength 2) costs more than a second unit of noise",
            "sign",
            added(None, *struck) - added(None, *louder),
            _each(lambda k: less(added(k, *struck), added(k, *louder))),
        )
    ]


def main() -> None:
    """Write the table into the page."""
    enable_float64()
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    text = table(conclusions(Results()))
    PAGE.write_text(f"{head}{BEGIN}{text}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
