"""The page of claims: what each comes to in our models, and where that is read off."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from web.words import markdown, table

__all__ = ["page", "summary"]

HEAD = """# Claims

What Chen, Raj, Xie and Wang, "On Catastrophic Inheritance of Large Foundation Models" (2024,
[arXiv:2402.01909](https://arxiv.org/abs/2402.01909)), and the work it cites claim of large models,
in our words, and what each claim comes to in the solvable models of this package. The words are
computed from kept sweeps and their verdicts ([how](verdicts.md)); `ci-theory claims` prints the
same.
"""


def page(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the page as MyST Markdown.

    Args:
        entries: ``cli.claims.table``: a row a claim.
    """
    rows = [
        [f"[{one['number']}](#claim-{one['number']})", markdown(one["claim"]), _word(one)]
        for one in entries
    ]
    overview = table(["#", "claim", "in our models"], rows)
    return "\n\n".join([HEAD, overview, *map(_claim, entries)]) + "\n"


def summary(entries: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> str:
    """Return for the first page how many claims, predictions and breaks came to what."""
    words = Counter(one["answer"]["word"] for one in entries)
    verdicts = Counter(p["verdict"] for one in answers for p in one["predictions"])
    breaks = [b for one in answers for b in one["breaks"]]
    claims = "\n".join(f"- {count} {{verdict}}`{word}`" for word, count in words.most_common())
    judged = ", ".join(f"{n} {{verdict}}`{v}`" for v, n in verdicts.most_common())
    return (
        f"Of {len(entries)} claims about large models, in our models:\n\n{claims}\n\n"
        f"{len(answers)} declared sweeps judge {verdicts.total()} predictions: {judged}. Of "
        f"{sum(b['slices'] for b in breaks)} curves with breaks {sum(b['told'] for b in breaks)} "
        f"tell the place, and {sum(b['disagree'] for b in breaks)} disagree with the predicted one."
    )


def _word(one: Mapping[str, Any]) -> str:
    return f"{{verdict}}`{one['answer']['word']}`"


def _claim(one: Mapping[str, Any]) -> str:
    there = [n for n, p in one["phenomena"].items() if p["implemented"]]
    planned = [n for n, p in one["phenomena"].items() if not p["implemented"]]
    parts = [
        f"(claim-{one['number']})=\n## {one['number']}. {markdown(one['claim'])}",
        f"{_word(one)} Claimed by: {markdown(one['cited'])}."
        + (f" Break point: {markdown(one['break_point'])}." if one["break_point"] else ""),
        "\n".join(map(_part, one["answer"]["parts"])),
        _models(one["phenomena"], there),
        "No phenomenon yet: " + ", ".join(f"`{n}`" for n in planned) + "." if planned else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _part(part: Mapping[str, Any]) -> str:
    why = f" {markdown(part['why'])}" if part["why"] else ""
    numbers = f" ({markdown(part['numbers'])})" if part["numbers"] else ""
    sweeps = ", ".join(f"[{s}](#sweep-{s})" for s in part["sweeps"])
    figures = ", ".join(f"[{f}](images/{f}.png)" for f in part["figures"])
    seen = (f"sweep {sweeps}" if sweeps else "", f"figure {figures}" if figures else "")
    told = "; ".join(filter(None, seen))
    head = f"- {markdown(part['says'])}: **{part['word']}**{why}{numbers}"
    return head + (f". Read off {told}." if told else ".")


def _models(phenomena: Mapping[str, Any], there: Sequence[str]) -> str:
    if not there:
        return ""
    rows = [[f"[{n}](phenomena/{n}.md)", markdown(phenomena[n]["verdict"])] for n in there]
    return table(["phenomenon", "kept verdicts"], rows)
