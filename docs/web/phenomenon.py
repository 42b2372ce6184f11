"""The page of a phenomenon: everything that its file declares, and what its sweeps said."""

from collections.abc import Mapping, Sequence
from typing import Any

from web.typeset import block
from web.words import markdown, table, with_formulas

__all__ = ["EMBEDDED", "index", "page"]

UP = "../"
EMBEDDED = "explore/{name}.html"
"""Where below the root of the site the page to play with is found."""

Document = Mapping[str, Any]


def page(
    entry: Document,
    answers: Sequence[Document],
    *,
    derivations: Sequence[str] = (),
    pictures: Sequence[str] = (),
    code: str = "",
    played: bool = True,
) -> str:
    """Return the page as MyST Markdown.

    Args:
        entry: ``cli.describe.document`` of the phenomenon, with its formulas attached.
        answers: the kept answers of its sweeps.
        derivations: pages of docs/ about it, by name.
        pictures: its published figures, by name.
        code: the text of its file.
        played: whether its page to play with is written beside it.
    """
    name = entry["name"]
    parts = [
        f"(phenomenon-{name})=\n# `{name}`",
        f"**{markdown(entry['title'], UP)}.** {markdown(entry['question'], UP)}",
        _summary(entry, answers),
        _play(name, played),
        *(_picture(one, entry["title"]) for one in pictures),
        f"## Model\n\n{with_formulas(entry['model'], UP)}",
        _formulas(entry["formulas"]),
        _predictions(entry["predictions"]),
        _breaks(entry["breaks"]),
        _verdicts(answers),
        _knobs(entry["axes"]),
        _measures(entry["measures"]),
        _elsewhere(name, answers, derivations),
        _file(name, code),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(entry: Document, answers: Sequence[Document]) -> str:
    """One line: what was judged, and which claims it is about."""
    verdicts = [p["verdict"] for one in answers for p in one["predictions"]]
    counted = ", ".join(
        f"{verdicts.count(v)} {{verdict}}`{v}`" for v in dict.fromkeys(sorted(verdicts))
    )
    claims = ", ".join(f"[{n}](#claim-{n})" for n in entry["claims"]) or "none"
    told = counted or ("not judged: it predicts nothing" if not entry["predictions"] else "not run")
    return f":::{{container}} facts\nClaims: {claims} · kept verdicts: {told}\n:::"


def _play(name: str, embedded: bool) -> str:
    if not embedded:
        return f"## Play\n\nA page to play with, on your machine: `ci-theory explore {name}`."
    source = UP + EMBEDDED.format(name=name)
    return (
        "## Play\n\n```{raw} html\n"
        f'<iframe class="explore" src="{source}" title="{name}, to play with" loading="lazy">'
        f"</iframe>\n```\n\n"
        f"The same with simulated dots, on your machine: `ci-theory explore {name}`."
    )


def _picture(figure: str, title: str) -> str:
    return f"![{markdown(title)}]({UP}images/{figure}.png)"


def _formulas(formulas: Sequence[Document]) -> str:
    """The closed forms with the meaning of every symbol."""
    if not formulas:
        return ""
    parts, symbols = ["## Closed forms"], {}
    for one in formulas:
        told = {"regime": markdown(one["regime"], UP), "source": markdown(one["source"], UP)}
        title = f"*{markdown(one['title'], UP)}* (`{one['name']}`)"
        parts.append(f"{title}\n\n```{{math}}\n{one['latex']}\n```\n\n{_fields(told)}")
        symbols |= one["symbols"]
    rows = [[f"${tex}$", markdown(meaning, UP)] for tex, meaning in _typeset(symbols)]
    return "\n\n".join([*parts, table(["symbol", "meaning"], rows)])


def _fields(told: Mapping[str, str]) -> str:
    """What is said of a formula, a line each."""
    lines = "\n".join(f":{name}: {text}" for name, text in told.items() if text)
    return f":::{{container}} formula\n\n{lines}\n:::"


def _typeset(symbols: Mapping[str, str]) -> list[tuple[str, str]]:
    import sympy as sp

    return [(sp.latex(sp.Symbol(name)), meaning) for name, meaning in sorted(symbols.items())]


def _predictions(predictions: Sequence[Document]) -> str:
    if not predictions:
        return (
            "## Predictions\n\nNone: no closed form is known, and `check` says so. "
            "What it measures is below."
        )
    parts = ["## Predictions"]
    for p in predictions:
        told = {
            "mean of": f"`{p['measure']}`",
            "scope": with_formulas(p["scope"], UP),
            "slack": with_formulas(p["order"], UP),
            "source": markdown(p["source"], UP),
            "stated by": ", ".join(f"`{f}`" for f in p["formulas"]),
        }
        formula = f"```{{raw}} html\n{block([p['statement']])}\n```"
        made = f"### `{p['name']}`\n\n{formula}\n\n{_fields(told)}\n"
        if p["decoys"]:
            told = [
                f"- *{markdown(d['name'], UP)}*: {with_formulas(d['why'], UP)}" for d in p["decoys"]
            ]
            made += "\nDecoys, wrong on purpose, which the same data must reject:\n\n" + "\n".join(
                told
            )
        parts.append(made)
    return "\n\n".join(parts)


def _breaks(breaks: Sequence[Document]) -> str:
    if not breaks:
        return ""
    rows = [
        [
            markdown(b["name"]),
            f"`{b['measure']}`",
            f"`{b['axis']}`",
            with_formulas(b["statement"], UP),
        ]
        for b in breaks
    ]
    return "## Break points\n\n" + table(["break", "of", "along", "closed form"], rows)


def _verdicts(answers: Sequence[Document]) -> str:
    """The kept rows, predictions and then breaks."""
    predictions = [
        [
            _sweep(one["sweep"]),
            f"`{p['name']}`",
            f"{{verdict}}`{p['verdict']}`",
            f"{p['judged']}/{p['cells']} x {p['replicates']}",
            "-" if p["bias"] is None else f"{p['bias']:+.2%} ± {p['error']:.2%}",
            "-" if p["finds"] is None else f"{p['finds']:.2%}",
            f"{p['rejected']} of {p['decoys'] - p['vacuous']}",
        ]
        for one in answers
        for p in one["predictions"]
    ]
    breaks = [
        [
            _sweep(one["sweep"]),
            markdown(b["name"]),
            f"{{verdict}}`{b['verdict']}`",
            f"{b['told']} of {b['slices']}",
            str(b["disagree"]),
            _middle(b["middle"]),
        ]
        for one in answers
        for b in one["breaks"]
    ]
    if not predictions and not breaks:
        return ""
    parts = ["## Verdicts", f"What the columns mean: [verdicts]({UP}verdicts.md)."]
    if predictions:
        head = [
            "sweep",
            "prediction",
            "verdict",
            "cells x runs",
            "bias",
            "finds",
            "decoys rejected",
        ]
        parts.append(table(head, predictions))
    if breaks:
        head = ["sweep", "break", "verdict", "curves that tell", "against", "one of them"]
        parts.append(table(head, breaks))
    return "\n\n".join(parts)


def _sweep(name: str) -> str:
    return f"[{name}](#sweep-{name})"


def _middle(middle: Document | None) -> str:
    if middle is None:
        return "-"
    value, low, high = middle["measured"]
    return f"{value:.4g} [{low:.4g}, {high:.4g}], predicted {middle['predicted'][0]:.4g}"


def _knobs(axes: Mapping[str, Document]) -> str:
    rows = [
        [
            f"`{name}`",
            a["kind"],
            f"`{_value(a['default'])}`",
            markdown(a["bounds"]),
            markdown(a["doc"] + (f" [{a['unit']}]" if a["unit"] else ""), UP),
        ]
        for name, a in axes.items()
    ]
    head = ["axis", "kind", "default", "values", "meaning [unit]"]
    return "## Axes\n\n" + table(head, rows)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or " "


def _measures(measures: Mapping[str, Document]) -> str:
    rows = [
        [f"`{name}`", markdown(m["doc"], UP), markdown(m["unit"])] for name, m in measures.items()
    ]
    return "## Measures\n\n" + table(["measure", "what it is", "unit"], rows)


def _elsewhere(name: str, answers: Sequence[Document], derivations: Sequence[str]) -> str:
    """Commands, and where to read on."""
    sweep = answers[0]["sweep"] if answers else ""
    lines = [f"ci-theory show {name}", f"ci-theory predict {name}"]
    if sweep:
        lines += [f"ci-theory run {sweep} --store results/{sweep}"]
        lines += [f"ci-theory check results/{sweep}", f"ci-theory locate results/{sweep}"]
    parts = ["## Try it", "```\n" + "\n".join(lines) + "\n```"]
    if derivations:
        told = ", ".join(f"[]({UP}{one}.md)" for one in derivations)
        parts.append(f"Derivations, and what was measured: {told}.")
    return "\n\n".join(parts)


def _file(name: str, code: str) -> str:
    """The whole file, folded."""
    if not code:
        return ""
    return (
        "## The file\n\n```{raw} html\n<details><summary>"
        f"src/ci_theory/phenomena/{name}.py</summary>\n```\n\n````python\n{code.rstrip()}\n````\n\n"
        "```{raw} html\n</details>\n```"
    )


def index(entries: Sequence[Document]) -> str:
    """Return the page that lists the phenomena."""
    rows = [
        [
            f"[{one['name']}]({one['name']}.md)",
            markdown(one["title"]),
            ", ".join(map(str, one["claims"])),
            markdown("; ".join(b["name"] for b in one["breaks"])),
        ]
        for one in entries
    ]
    listed = "\n".join(one["name"] for one in entries)
    return (
        "# Phenomena\n\n"
        "A phenomenon is one file: a simulation, predictions with their scope, decoys that the "
        "same data must reject, and break points. The kept verdicts are on top of each page.\n\n"
        + table(["phenomenon", "what it shows", "claims", "break points"], rows)
        + f"\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n\n{listed}\n```\n"
    )
