"""`ci-theory claims`: the 25 claims, and what the sweeps of their phenomena say of each.

The answer in words (``ci_theory.claimed``) and the verdicts (``ci_theory.answers``) are those kept
with the package, which need no run; of a phenomenon that the user has stores of, the verdicts are
theirs.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ci_theory import answers, phenomena
from ci_theory._errors import BadInput
from ci_theory.check.answer import answer
from ci_theory.check.verdict import signed
from ci_theory.claimed import answered, words
from ci_theory.claims import CLAIMS, Claim
from ci_theory.cli.output import number, print_lines, say
from ci_theory.figures import paper

PLANNED, NOT_RUN, MEASURED = "planned", "not run", "measured, nothing predicted"
YOURS, KEPT = "yours", "kept"
STALE = "the kept answer is of another version of the simulation"


def table(
    results: Path | None, numbers: Collection[int] = range(1, len(CLAIMS) + 1)
) -> list[dict[str, Any]]:
    """Return one entry a claim, with the answers of every phenomenon that tests it.

    Args:
        results: a folder that holds stores, at any depth: of their phenomena they say more than
            what is kept.
        numbers: of the claims.
    """
    mine = {} if results is None else stored_answers(results)
    registered = sorted({*phenomena.names(), *mine})
    declared = {name: _declared(name) for name in registered}
    models = {c: _models(c, declared) for c in CLAIMS if c.number in numbers}
    needed = {name for names in models.values() for name in names}
    about = {name: _of(name, mine) for name in registered if name in needed}
    figures = paper.shown()
    return [
        {
            "number": claim.number,
            "claim": claim.text,
            "cited": claim.cited,
            "break_point": claim.breaks or None,
            "answer": _answer(claim, figures),
            "phenomena": {
                name: about.get(name, {"implemented": False, "verdict": PLANNED, "verdicts": {}})
                for name in names
            },
        }
        for claim, names in models.items()
    ]


def _answer(claim: Claim, figures: Mapping[str, str]) -> dict[str, Any]:
    """Return what the claim comes to in our models, of what is kept with the package."""
    found = answered(claim.number)
    return {
        "word": found.word.value,
        "text": found.text,
        "parts": [
            {
                "says": one.part.says,
                "word": one.word.value,
                "why": one.why or None,
                "numbers": one.numbers or None,
                "sweeps": list(one.sweeps),
                "figures": sorted({figures[s] for s in one.sweeps if s in figures}),
                "predictions": list(one.behind),
                "old": list(one.old),
            }
            for one in found.parts
        ],
    }


def _declared(name: str) -> Sequence[int]:
    """Return the numbers of the claims that a phenomenon says it tests."""
    try:
        return phenomena.load(name, trusted=False).claims
    except BadInput:  # `ci-theory list` says what is wrong with it
        return ()


def _models(claim: Claim, declared: Mapping[str, Sequence[int]]) -> list[str]:
    """Names in the claim's row, then others (of third parties) that declare its number."""
    named = claim.phenomena
    others = [k for k, numbers in declared.items() if k not in named and claim.number in numbers]
    return [*named, *others]


def _of(name: str, mine: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return what there is to say of one phenomenon."""
    found: Sequence[Mapping[str, Any]] = mine[name] if name in mine else answers.kept(name)
    made: dict[str, Any] = {"implemented": True, "verdict": NOT_RUN, "verdicts": {}}
    try:
        phenomenon = phenomena.load(name, trusted=False)
    except BadInput:
        return made
    made["title"] = phenomenon.title
    if not phenomenon.predictions:
        made["verdict"] = MEASURED if found else f"{NOT_RUN}; it predicts nothing to judge"
    if found:
        counts = Counter(p["verdict"] for one in found for p in one["predictions"])
        told = ", ".join(f"{word} {count}" for word, count in sorted(counts.items()))
        made |= {"verdict": told or MEASURED, "verdicts": dict(counts)}
        made["source"] = YOURS if name in mine else KEPT
        made["answers"] = [dict(one) for one in found]
        if name not in mine and any(o["formula"] != words.today(name) for o in found):
            made["note"] = STALE
    return made


def stored_answers(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Check every store below a folder: phenomenon -> what its stores answer."""
    from ci_theory.cli.verdicts import complete_dataset, readable, stores_below

    if not results.is_dir():
        raise BadInput(f"{results}: no such folder of results")
    found: dict[str, list[dict[str, Any]]] = {}
    # One that cannot be read is told before anything of the others is.
    stores = [readable(folder) for folder in stores_below(results)]
    for store in stores:
        said = {**answer(complete_dataset(store)), "store": str(store.folder)}
        found.setdefault(store.sweep.phenomenon, []).append(said)
    return found


def print_claims(entries: list[dict[str, Any]]) -> None:
    """Print claims, each with the answers of its phenomena; below several, how many have one."""
    for entry in entries:
        say(f"{entry['number']}. {entry['claim']} ({entry['cited']})")
        _print_words(entry["answer"])
        if entry["break_point"]:
            print_lines([("looked for:", entry["break_point"])], indent=3)
        answered = {n: p for n, p in entry["phenomena"].items() if "answers" in p}
        for name, told in answered.items():
            head = f"{told['verdict']} ({told['source']})"
            print_lines([(f"{name}:", head)], indent=3)
            if "note" in told:
                print_lines([("note:", told["note"])], indent=5)
            for one in told["answers"]:
                _print_answer(one)
        _print_rest({n: p for n, p in entry["phenomena"].items() if n not in answered})
        say()
    if len(entries) > 1:
        _print_counts(entries)


def _print_counts(entries: Sequence[Mapping[str, Any]]) -> None:
    """Print how many claims have an answer, which have none, and what the answers are."""
    done = [e for e in entries if any("answers" in p for p in e["phenomena"].values())]
    open_ = [str(e["number"]) for e in entries if e not in done]
    left = f"; not yet: {', '.join(open_)}" if open_ else ""
    say(f"{len(done)} of {len(entries)} claims have an answer{left}")
    counts = Counter(entry["answer"]["word"] for entry in entries)
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    say(f"in our models, as kept with the package: {told}")


def _print_words(said: Mapping[str, Any]) -> None:
    """Print the answer in words, and where each part of it is read off."""
    print_lines([("in our models:", said["text"])], indent=3)
    for part in said["parts"]:
        from_ = f"{part['word']}, by {', '.join(part['predictions']) or 'nothing'}"
        shown = f"; figure {', '.join(part['figures'])}" if part["figures"] else ""
        old = f"; {', '.join(part['old'])}: {STALE}" if part["old"] else ""
        print_lines([("-", f"{part['says']}: {from_}{shown}{old}")], indent=5, width=0)


def _print_rest(silent: Mapping[str, Any]) -> None:
    """Print which phenomena of a claim say nothing, and why."""
    rest = [f"{n} ({p['verdict']})" for n, p in silent.items() if p["implemented"]]
    planned = [n for n, p in silent.items() if not p["implemented"]]
    if rest:
        print_lines([("no answer:", ", ".join(rest))], indent=3)
    if planned:
        why = f"no phenomenon tests it yet (planned: {', '.join(planned)})"
        print_lines([("not answered:", why)], indent=3)


def _print_answer(one: Mapping[str, Any]) -> None:
    """Print what one sweep says: its finding, its verdicts, and a break of the middle."""
    made = f"ci_theory {one['version']}, simulation {one['formula']}, {one['date']}"
    where = one.get("store", f"experiments/{one['sweep']}.toml")
    print_lines([("finding:", one["title"]), ("from:", f"{where}; {made}")], indent=5, width=15)
    lines = []
    for verdict in dict.fromkeys(p["verdict"] for p in one["predictions"]):
        same = [_deviation(p) for p in one["predictions"] if p["verdict"] == verdict]
        lines.append((verdict, ", ".join(same)))
    lines += [(b["verdict"], _break(b)) for b in one["breaks"]]
    print_lines(lines, indent=7, width=13)


def _deviation(p: Mapping[str, Any]) -> str:
    """Return a prediction with its worst deviation: pooled, and the furthest cell."""
    parts = [] if p["bias"] is None else [f"bias {p['bias']:+.2%} ± {p['error']:.2%}"]
    parts += [] if p["z"] is None else [f"worst z {signed(p['z'])}"]
    return f"{p['name']} ({', '.join(parts)})" if parts else str(p["name"])


def _break(b: Mapping[str, Any]) -> str:
    """Return a kind of break: one slice in numbers, and how many tell, agree and do not."""
    counts = f"{b['told']} of {b['slices']} curves tell, {b['disagree']} against"
    middle = b["middle"]
    if middle is None:
        return f"{b['name']}: {counts}"
    value, low, high = (number(v, 4) for v in middle["measured"])
    at = ", ".join(f"{k} = {number(v, 4)}" for k, v in middle["at"].items())
    place = f"located {value} [{low}, {high}], predicted {number(middle['predicted'][0], 4)}"
    return f"{b['name']}: {place}{f' at {at}' if at else ''}; {counts}"
