"""docs/reproductions.md, from the kept findings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ci_theory.check import Verdict
from reproductions._judge import NOT_TESTABLE

HEAD = """# Published results, recomputed

Written by `make reproductions` from `reproductions/kept.json`; each row is a short script in
[reproductions](../reproductions). All of them took {seconds:.0f} CPU seconds.

Claims are in our words. *Basis* says where a claim was read: papers whose text was not at hand are
judged by their abstract, or by what is remembered of them, and that is said. AGREES: no deviation
beyond the finite-size slack is seen; one of 3 %, all cells together, would have been (or the few
per cent that a row says); and the same numbers reject every decoy. A claim of signs has a control,
where it must fail. Every test is at a level of 1e-3 for its row; ± is half an interval at that
level. Simulations are numpy alone and share no code with the formulas of ci_theory that they are
held against. A DISAGREES says that a claim fails *in the setting computed here*.

| paper | claims | what comes out |
|---|---|---|
"""
TABLE = "\n| claim | basis | verdict | found | why |\n|---|---|---|---|---|\n"
ORDER = [Verdict.AGREES.value, Verdict.DISAGREES.value, Verdict.UNDERPOWERED.value, NOT_TESTABLE]


def outcome(findings: Sequence[Mapping[str, Any]]) -> str:
    """Count the verdicts of a paper's claims."""
    counts = Counter(one["verdict"] for one in findings)
    return ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(kept: Mapping[str, Any], papers: Mapping[str, Any]) -> str:
    """Return the text of the page."""
    rows, parts = [], []
    for name, one in kept.items():
        paper, findings = papers[name], one["findings"]
        link = f"[{paper['authors']} {paper['year']}](#{name.replace('_', '-')})"
        rows.append(f"| {link}: {paper['title']} | {len(findings)} | {outcome(findings)} |")
        cells = ("claim", "basis", "verdict", "found", "why")
        table = "\n".join("| " + " | ".join(_cell(f[c]) for c in cells) + " |" for f in findings)
        cited = f"{paper['authors']}, *{paper['title']}*, {paper['year']}, arXiv:{paper['arxiv']}"
        script = f"[reproductions/{name}.py](../reproductions/{name}.py)"
        text = (
            f"\n## {name.replace('_', ' ')}\n\n{cited}. Read: {paper['read']}. Script: {script}.\n"
        )
        parts.append(f"{text}\n{paper['computed']}{TABLE}{table}\n")
    seconds = sum(one["seconds"] for one in kept.values())
    return HEAD.format(seconds=seconds) + "\n".join(rows) + "\n" + "".join(parts)
