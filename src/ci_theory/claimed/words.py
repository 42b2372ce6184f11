"""What the parts of a claim come to: supported, supported only when, contradicted, or not yet.

Everything is read off kept sweeps and their verdicts when it is asked for. A part is told only
where a prediction of what is looked at AGREES with the same sweep: a simulation that no theory
stands behind supports nothing.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from math import isnan
from typing import NamedTuple

from ci_theory import answers
from ci_theory.check import reading
from ci_theory.check.verdict import Verdict
from ci_theory.claimed.looks import Evidence, Slice
from ci_theory.claimed.parts import PARTS, Part
from ci_theory.claimed.region import region
from ci_theory.figures import condensed, kept, paper
from ci_theory.phenomena import load
from ci_theory.sweeps.provenance import formula_hash

__all__ = ["Answered", "Said", "Word", "answered", "kept_evidence", "said", "today"]


class Word(Enum):
    """What a claim, or a part of it, comes to in our models."""

    SUPPORTED = "supported"
    ONLY_WHEN = "supported only when"
    CONTRADICTED = "contradicted"
    NOT_YET = "not yet"


class Said(NamedTuple):
    """A part of a claim, answered.

    Attributes:
        part: what was looked at.
        word: what it comes to.
        why: where it holds, of ``ONLY_WHEN``; what is missing, of ``NOT_YET``.
        slices: what was seen.
        behind: "sweep: prediction" of the predictions that AGREE and speak for it.
        old: sweeps that are kept of another version of the simulation.
    """

    part: Part
    word: Word
    why: str
    slices: tuple[Slice, ...] = ()
    behind: tuple[str, ...] = ()
    old: tuple[str, ...] = ()

    @property
    def sweeps(self) -> tuple[str, ...]:
        """The sweeps that were looked at."""
        return tuple(sweep for sweep, _ in self.part.cases)

    @property
    def numbers(self) -> str:
        """How many slices hold of those that tell, and what is seen in the middle one."""
        told = [one for one in self.slices if one.holds is not None]
        if not told:
            return ""
        holding = [one for one in told if one.holds]
        count = f"{len(holding)} of {len(told)}"
        middle = sorted(holding or told, key=lambda one: one.seen.value)[len(holding or told) // 2]
        if isnan(middle.seen.value):  # a break that is not there has no place
            return count
        value, low, high = middle.seen
        times = "× " if middle.ratio else ""
        what = self.part.cases[0][1][0].quantity
        return f"{count}; {what}: {times}{value:.3g} [{low:.3g}, {high:.3g}]"

    @property
    def short(self) -> str:
        """The part in a few words."""
        head = {
            Word.SUPPORTED: "",
            Word.ONLY_WHEN: f" only when {self.why}",
            Word.CONTRADICTED: ": not so",
            Word.NOT_YET: f": not yet, {self.why}",
        }[self.word]
        return f"{self.part.says}{head}"

    @property
    def text(self) -> str:
        """The part in a line, with its numbers."""
        return self.short + (f" ({self.numbers})" if self.numbers else "")


class Answered(NamedTuple):
    """A claim, answered: its word, and its parts."""

    word: Word
    parts: tuple[Said, ...]

    @property
    def text(self) -> str:
        """The answer in a line: the word, then the parts with their numbers."""
        return self._listed([one.text for one in self.parts])

    @property
    def short(self) -> str:
        """The word, then the parts that are not simply supported; all where all are."""
        rest = [one for one in self.parts if one.word is not Word.SUPPORTED]
        if self.word is Word.ONLY_WHEN:
            return f"{self.word.value} {'; '.join(f'{one.why} ({one.part.says})' for one in rest)}"
        return self._listed([one.short for one in rest or self.parts])

    def _listed(self, parts: Sequence[str]) -> str:
        told = "; ".join(parts) if parts else "no kept sweep is looked at"
        return f"{self.word.value}: {told}"


Source = Callable[[str], Evidence | None]


_read = cache(kept.read)  # a sweep is looked at by several parts


@cache
def today(phenomenon: str) -> str:
    """Return the hash of a phenomenon's simulation, as it is now."""
    return formula_hash(load(phenomenon, trusted=False))


def kept_evidence(sweep: str) -> Evidence | None:
    """Return what is kept of a declared sweep; None if nothing is."""
    file = paper.kept_file(sweep)
    if file is None:
        return None
    answer = next((one for one in answers.every() if one["sweep"] == sweep), None)
    return Evidence(_read(file), answer)


def said(part: Part, source: Source = kept_evidence) -> Said:
    """Look at a part of a claim in its sweeps, and say what that comes to.

    Args:
        part: what to look at.
        source: where evidence on a sweep comes from: what is kept with the package by default.
    """
    seen: list[Slice] = []
    behind: list[str] = []
    old: list[str] = []
    held: set[str] = set()  # axes on which the looks name one value
    models: list[tuple[str, str]] = []
    for sweep, looks in part.cases:
        evidence = source(sweep)
        if evidence is None:
            return Said(part, Word.NOT_YET, f"nothing is kept of {sweep}")
        phenomenon = load(evidence.data.attrs["phenomenon"], trusted=False)
        if not phenomenon.predictions:
            return Said(
                part, Word.NOT_YET, f"{phenomenon.name} measures it, and nothing predicts it"
            )
        if evidence.data.attrs["formula"] != today(evidence.data.attrs["phenomenon"]):
            old.append(sweep)
        for measure in dict.fromkeys(m for look in looks for m in look.measures(evidence)):
            agree, problem = _behind(evidence, measure)
            if problem:
                return Said(part, Word.NOT_YET, f"{sweep}: {problem}")
            behind += [f"{sweep}: {name}" for name in agree]
        fixed = reading.fixed_values(evidence.data, phenomenon) if len(part.cases) > 1 else {}
        held |= {a for look in looks for a, v in look.where.items() if not isinstance(v, tuple)}
        for one in _together([look.slices(evidence) for look in looks]):
            seen.append(one._replace(at={**fixed, **one.at}))
            models.append((phenomenon.name, sweep))
    if len({name for name, _ in models}) > 1:  # their parameters are not the same
        seen = [one._replace(at={"sweep": s}) for one, (_, s) in zip(seen, models, strict=True)]
    common = [name for name in seen[0].at if all(name in one.at for one in seen)]
    kept_axes = [name for name in common if name not in held]
    seen = [one._replace(at={name: one.at[name] for name in kept_axes}) for one in seen]
    return _weigh(part, seen)._replace(behind=tuple(dict.fromkeys(behind)), old=tuple(old))


def _behind(evidence: Evidence, measure: str) -> tuple[list[str], str]:
    """Return the predictions of a measure that AGREE, and why they do not stand behind it.

    The verdict is that of the kept answer, which may be newer; of a sweep without one, that which
    the sweep is kept with.
    """
    newer = (
        {p["name"]: p["verdict"] for p in evidence.answer["predictions"]} if evidence.answer else {}
    )
    told = [one for one in condensed.told(evidence.data) if one.measure == measure]
    verdicts = {one.prediction: newer.get(one.prediction, one.verdict) for one in told}
    agree = [name for name, word in verdicts.items() if word == Verdict.AGREES.value]
    wrong = [name for name, word in verdicts.items() if word == Verdict.DISAGREES.value]
    if wrong:
        return agree, f"the prediction {wrong[0]} DISAGREES"
    return agree, "" if agree else f"no prediction of {measure} AGREES"


def _together(looked: Sequence[Sequence[Slice]]) -> list[Slice]:
    """Join several looks at the same slices: all must hold, one that fails is enough to fail."""
    found = []
    for first in looked[0]:
        same = [next(o for o in look if o.at == first.at) for look in looked]
        holds = {one.holds for one in same}
        joint = False if False in holds else None if None in holds else True
        found.append(first._replace(holds=joint))
    return found


def _weigh(part: Part, seen: Sequence[Slice]) -> Said:
    told = [(one.at, one.holds) for one in seen if one.holds is not None]
    word, why = Word.ONLY_WHEN, ""
    if 2 * len(told) < len(seen) or not told:
        word, why = Word.NOT_YET, f"{len(told)} of {len(seen)} curves tell"
    elif all(holds for _, holds in told):
        word = Word.SUPPORTED
    elif not any(holds for _, holds in told):
        word = Word.CONTRADICTED
    else:
        why = region(told)
    return Said(part, word, why, tuple(seen))


def answered(number: int, source: Source = kept_evidence) -> Answered:
    """Answer a claim: by its worst part, contradicted, then not yet, then only when.

    Args:
        number: of the claim, from 1.
        source: as for ``said``.
    """
    parts = tuple(said(part, source) for part in PARTS.get(number, ()))
    words = [one.word for one in parts] or [Word.NOT_YET]
    worst = (Word.CONTRADICTED, Word.NOT_YET, Word.ONLY_WHEN, Word.SUPPORTED)
    return Answered(next(word for word in worst if word in words), parts)
