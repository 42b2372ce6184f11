"""Pages of the files that other pages point to: declared sweeps and the scripts of figures."""

import re
from collections.abc import Mapping

from web.words import markdown

__all__ = ["adapted", "scripts", "sweeps"]


def sweeps(files: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Return the page of declared sweeps: name -> text, and name -> title."""
    parts = [
        "# Declared sweeps",
        "A sweep is a TOML file that names a phenomenon and its axes; `ci-theory run NAME` finds "
        "these.",
    ]
    for name, text in sorted(files.items()):
        parts.append(
            f"(sweep-{name})=\n## {markdown(name)}\n\n{markdown(titles[name])}\n\n"
            f"```toml\n{text.rstrip()}\n```"
        )
    return "\n\n".join(parts) + "\n"


def scripts(figures: Mapping[str, str], reproductions: Mapping[str, str]) -> str:
    """Return the page of scripts, name -> text: of the figures, and of reproductions if any."""
    parts = [
        "# Scripts",
        "## Figures",
        "Each draws one picture of the [gallery](gallery.md) from kept results: "
        "`ci-theory figure NAME`.",
        *(_script("script", name, text) for name, text in sorted(figures.items())),
    ]
    if reproductions:
        parts.append("## Reproductions")
        parts += (_script("reproduction", *one) for one in sorted(reproductions.items()))
    return "\n\n".join(parts) + "\n"


def _script(kind: str, name: str, text: str) -> str:
    return f"({kind}-{name})=\n### {markdown(name)}\n\n````python\n{text.rstrip()}\n````"


def adapted(text: str) -> str:
    """Return a page of docs/ with its links to files outside docs/ turned to pages of the site.

    >>> adapted("[a](../experiments/demo.toml) [b](../paper_figs/digits.py) [c](ridge.md)")
    '[a](#sweep-demo) [b](#script-digits) [c](ridge.md)'
    >>> adapted("[all](../reproductions) [one](../reproductions/hastie.py)")
    '[all](scripts.md) [one](#reproduction-hastie)'

    So are those of a page in a room, one folder deeper; its links within docs/ stay.

    >>> adapted("[a](../../experiments/demo.toml) [b](../../paper_figs/digits.py) [c](../ridge.md)")
    '[a](#sweep-demo) [b](#script-digits) [c](../ridge.md)'
    >>> adapted("[all](../../reproductions) [one](../../reproductions/hastie.py)")
    '[all](../scripts.md) [one](#reproduction-hastie)'
    """
    up = r"\]\(((?:\.\./)?)\.\./"
    text = re.sub(rf"{up}experiments/(\w+)\.toml\)", r"](#sweep-\2)", text)
    text = re.sub(rf"{up}reproductions/(\w+)\.py\)", r"](#reproduction-\2)", text)
    text = re.sub(rf"{up}(?:reproductions|paper_figs)/?\)", r"](\1scripts.md)", text)
    return re.sub(rf"{up}paper_figs/(\w+)\.py\)", r"](#script-\2)", text)
