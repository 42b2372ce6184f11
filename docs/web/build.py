"""Assemble the site's sources and build it: ``python -m web.build OUT`` with docs/ on the path.

``--play NAME`` once or more: only these phenomena get a page to play with, which takes most of the
time. All else that is given goes to Sphinx.

Everything is written below OUT: ``source`` (copies of docs/*.md and docs/ROOM/*.md, the pages of
``web/pages``, and what is generated), ``explore`` (the pages to play with, by a process of their
own beside Sphinx, which leaves a core idle), then ``html``. The checkout stays clean.
"""

import argparse
import functools
import gc
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ci_theory import answers, enable_float64
from ci_theory.cli import claims as told
from ci_theory.cli import formulas as listed
from ci_theory.cli.describe import document
from ci_theory.figures import paper
from ci_theory.phenomena import load, names
from ci_theory.sweeps import read_sweep
from ci_theory.theory.statements.catalogue import catalogue
from web import api, claims, commands, formulas, mathjax, phenomenon, sources
from web.words import LISTS

HERE = Path(__file__).resolve().parent
DOCS, ROOT = HERE.parent, HERE.parents[1]


def assemble(out: Path, played: Collection[str]) -> None:
    """Write the sources of the site to a folder, embedding the pages that are played with."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(HERE / "pages", out)
    texts = {page: page.read_text(encoding="utf-8") for page in out.rglob("*.md")}
    placed = unplaced(texts.values(), ours())
    first, second = texts[out / "index.md"], texts[out / "derivations.md"]
    entries = told.table(None)
    found = claims.summary(entries, answers.every())
    _write(out / "index.md", first.replace("{{findings}}", found))
    _write(out / "derivations.md", second.replace("{{rest}}", "\n".join(placed)))
    shutil.copytree(DOCS / "images", out / "images")
    shutil.copytree(HERE / "static", out / "_static")
    (out / "_static" / mathjax.FILE).write_bytes(mathjax.script())
    for name, text in ours().items():
        _write(out / f"{name}.md", sources.adapted(text))
    _phenomena(out / "phenomena", played)
    _formulas(out / "formulas")
    _write(out / "claims.md", claims.page(entries))
    _write(out / "commands.md", commands.page())
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _write(out / "changes.md", sources.adapted(changes.replace("](docs/", "](")))
    for name, text in api.write().items():
        _write(out / "api" / f"{name}.rst", text)
    _write(out / "api" / "index.rst", api.index())
    _files(out)


@functools.cache
def ours() -> Mapping[str, str]:
    """Return the pages of docs/ and of the rooms in it: path without its ending -> text."""
    found = sorted([*DOCS.glob("*.md"), *DOCS.glob("*/*.md")])
    return {
        file.relative_to(DOCS).with_suffix("").as_posix(): file.read_text(encoding="utf-8")
        for file in found
    }


def unplaced(texts: Iterable[str], pages: Iterable[str]) -> list[str]:
    """Return the pages of docs/ that no contents of a written page names."""
    blocks = (re.findall(r"```\{toctree\}(.*?)```", text, re.DOTALL) for text in texts)
    named = {line for found in blocks for block in found for line in block.split()}
    return [page for page in pages if page not in named]


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _phenomena(out: Path, played: Collection[str]) -> None:
    entries = []
    for name in names():
        entry = document(load(name))
        listed.attach(entry)
        entries.append(entry)
        code = ROOT / "src" / "ci_theory" / "phenomena" / f"{name}.py"
        text = phenomenon.page(
            entry,
            answers.kept(name),
            derivations=derivations(name, ours()),
            pictures=pictures(name),
            code=code.read_text(encoding="utf-8") if code.is_file() else "",
            played=name in played,
        )
        _write(out / f"{name}.md", text)
    _write(out / "index.md", phenomenon.index(entries))


def derivations(name: str, pages: Mapping[str, str]) -> list[str]:
    """Return the pages about a phenomenon: those that name it, but for lists of all."""
    return sorted(p for p, text in pages.items() if p not in LISTS and f"`{name}`" in text)


def pictures(name: str) -> list[str]:
    """Return the figures that show a sweep of a phenomenon."""
    found: dict[str, Any] = {}
    for sweep, figure in _shown().items():
        if _phenomenon(sweep) == name and (DOCS / "images" / f"{figure}.png").is_file():
            found.setdefault(figure)
    return sorted(found)


@functools.cache
def _shown() -> Mapping[str, str]:
    return paper.shown()


@functools.cache
def _phenomenon(sweep: str) -> str:
    file = ROOT / "experiments" / f"{sweep}.toml"
    return read_sweep(file).phenomenon if file.is_file() else ""


def _formulas(out: Path) -> None:
    rooms = formulas.rooms(catalogue())
    for room, forms in rooms.items():
        _write(out / f"{room}.rst", formulas.page(room, forms, listed.users()))
    _write(out / "index.rst", formulas.index(rooms))


def _files(out: Path) -> None:
    declared = {f.stem: f for f in (ROOT / "experiments").glob("*.toml")}
    titles = {name: read_sweep(file).title or "" for name, file in declared.items()}
    texts = {name: file.read_text(encoding="utf-8") for name, file in declared.items()}
    _write(out / "sweeps.md", sources.sweeps(texts, titles))
    drawn, redone = (
        {f.stem: f.read_text(encoding="utf-8") for f in (ROOT / folder).glob("[!_]*.py")}
        for folder in ("paper_figs", "reproductions")
    )
    _write(out / "scripts.md", sources.scripts(drawn, redone))


def main() -> None:
    """Assemble and build; exit code of Sphinx, or of what writes the pages to play with."""
    from sphinx.cmd.build import main as sphinx

    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--play", action="append", choices=names(), metavar="NAME")
    given, rest = parser.parse_known_args()
    out, played = given.out, given.play or names()
    # Notebooks call the command beside this Python, and leave nothing in anybody's home.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ["CI_THEORY_CACHE"] = str(out.resolve() / "cache")
    enable_float64()
    gc.set_threshold(100_000, 20, 100)  # documents are made of millions of nodes that stay
    shutil.rmtree(out / "html", ignore_errors=True)
    play = [sys.executable, "-m", "web.play", str(out / "explore"), *played]
    with subprocess.Popen(play) as playing:
        assemble(out / "source", played)
        how = ["-E", "-W", "--keep-going", "-q", "-c", str(HERE), "-d", str(out / "doctrees")]
        code = sphinx([*how, *rest, str(out / "source"), str(out / "html")])
    if code == 0 and playing.returncode == 0:
        pages = shutil.ignore_patterns("*.txt")
        shutil.copytree(out / "explore", out / "html" / "explore", ignore=pages)
    sys.exit(code or playing.returncode)


if __name__ == "__main__":
    main()
