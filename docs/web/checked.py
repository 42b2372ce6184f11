"""Read the built site: ``python -m web.checked HTML`` says what is wrong, a line each.

No browser: no resource from outside, every inside link and anchor resolves, no raw dollar sign in
the text, and every phenomenon, command and public name is found by search. What MathJax makes of
the maths is seen by ``web.walk``.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["Page", "broken_links", "index", "outside", "raw_maths", "unfound"]

_VOID = {"meta", "link", "img", "br", "hr", "input", "source", "col", "wbr"}
_VERBATIM = {"code", "pre", "script", "style", "svg", "title", "option"}
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page refers to: identifiers, links, what it loads, and its running text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag refers to."""
        given = {name: value or "" for name, value in attrs}
        self.ids.update(filter(None, (given.get("id"), given.get("name"))))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and {"stylesheet", "icon", "preload"} & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))
        if tag in _LOADED and given.get(_LOADED[tag]):
            self.loaded.append(given[_LOADED[tag]])
        if tag not in _VOID:
            maths = "math" in given.get("class", "").split()
            self._open.append((tag, maths or tag in _VERBATIM))

    def handle_endtag(self, tag: str) -> None:
        """Close a tag and what was left open in it."""
        if tag in (name for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Keep what is neither code nor maths."""
        if not any(verbatim for _, verbatim in self._open):
            self.text.append(data)


def outside(page: Page) -> list[str]:
    """Return what a page would load from elsewhere."""
    apart = ((one, urlsplit(one)) for one in page.loaded)
    return [one for one, parts in apart if parts.netloc or parts.scheme not in ("", "data")]


def raw_maths(page: Page) -> list[str]:
    r"""Return words that were to be maths: they have a dollar sign or a command of TeX.

    >>> raw_maths(Page("<p>$x$ and <code>$y</code> <span class='math'>\\(x\\)</span></p>"))
    ['$x$ and ']
    """
    return [one.strip("\n") for one in page.text if re.search(r"\$|\\[a-zA-Z(\[]|(?<!:)``", one)]


def broken_links(pages: dict[str, Page], files: set[str]) -> Iterator[str]:
    """Say which links within the site lead nowhere, and what a page would load that is not there.

    Args:
        pages: path below the root -> page.
        files: every file of the site, by its path.
    """
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            base = Path(path).parent
            aim = _normal(base / unquote(parts.path)) if parts.path else path
            if aim not in files:
                yield f"{path}: {link}: no such page"
            elif parts.fragment and aim in pages and unquote(parts.fragment) not in pages[aim].ids:
                yield f"{path}: {link}: no such place in {aim}"


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1] if parts else [".."]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def index(text: str) -> dict[str, Any]:
    """Read Sphinx's search index."""
    return json.loads(text[text.index("(") + 1 : text.rindex(")")])


def unfound(found: dict[str, Any], titled: Iterable[str], public: Iterable[str]) -> list[str]:
    """Return the names that search would not find.

    A phenomenon and a command must be titles, a public name (its full path) among the
    objects.

    >>> index_ = {"alltitles": {"ridge_peak": []}, "objects": {"m": [[0, 0, 1, "", "f"]]}}
    >>> unfound(index_, ["ridge_peak", "other"], ["m.f", "m.g"])
    ['other', 'm.g']
    """
    titles = set(found["alltitles"])
    objects = {
        f"{prefix}.{one[4]}" if prefix else one[4]
        for prefix, listed in found["objects"].items()
        for one in listed
    }
    return [n for n in titled if n not in titles] + [n for n in public if n not in objects]


def faults(root: Path, titled: Iterable[str], public: Iterable[str]) -> list[str]:
    """Return all that is wrong with a built site."""
    files = {str(f.relative_to(root)) for f in root.rglob("*") if f.is_file()}
    pages = {
        name: Page((root / name).read_text(encoding="utf-8"))
        for name in sorted(files)
        if name.endswith(".html") and not name.startswith(("_static/", "explore/"))
    }
    found = [f"{name}: loads {one}" for name, page in pages.items() for one in outside(page)]
    found += [f"{name}: raw maths: {one}" for name, p in pages.items() for one in raw_maths(p)]
    found += broken_links(pages, files)
    made = index((root / "searchindex.js").read_text(encoding="utf-8"))
    return found + [f"search does not find {name}" for name in unfound(made, titled, public)]


def main() -> None:
    """Print the faults; exit code 1 if there are any."""
    from ci_theory.phenomena import names
    from web import api, commands

    titled = [*names(), *commands.titles()]
    found = faults(Path(sys.argv[1]), titled, api.described())
    print(*found or ["the site holds together"], sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
