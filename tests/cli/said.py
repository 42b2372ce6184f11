"""What commands print for people, word by word, as it was last read and found right.

CI_THEORY_RECORD=1 with a single process writes ``said.txt`` anew (``pytest tests/cli``): read the
difference.
"""

import os
from pathlib import Path

from ci_theory.cli import main

FILE = Path(__file__).with_suffix(".txt")
MARK = "$ ci-theory "


def _known():
    blocks = FILE.read_text().split(MARK)[1:] if FILE.exists() else []
    return dict(block.split("\n", 1) for block in blocks)


def hold(capsys, monkeypatch, *words, code=0):
    """Run a command in 80 columns and compare what it prints with what is recorded."""
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()
    assert main(list(words)) == code
    out, err = capsys.readouterr()
    assert err == ""
    known, title = _known(), " ".join(words)
    if os.environ.get("CI_THEORY_RECORD"):
        known[title] = f"{out.rstrip()}\n\n"
        FILE.write_text("".join(f"{MARK}{k}\n{v}" for k, v in sorted(known.items())))
    assert out.rstrip() == known[title].rstrip()
