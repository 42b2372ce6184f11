"""Run the reproductions: ``python -m reproductions [NAME ...]``; all of them without a name.

Writes kept.json beside this file and docs/reproductions.md; exit code 1 if a claim DISAGREES that
was not seen to disagree before, 2 for a name that is not there.
"""

import json
import os
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only wait

from ci_theory import enable_float64
from reproductions import _page

HERE = Path(__file__).parent
KEPT, PAGE = HERE / "kept.json", HERE.parent / "docs" / "reproductions.md"


def names() -> list[str]:
    """List the reproductions."""
    return sorted(f.stem for f in HERE.glob("*.py") if not f.stem.startswith("_"))


def made(name: str, *args: int) -> dict:
    """Run one and return what is kept of it; ``args``: the number of runs, if not its own."""
    script = import_module(f"reproductions.{name}")
    start = time.process_time()
    findings = [one._asdict() for one in script.measure(*args)]
    seconds = round(time.process_time() - start, 1)
    return {"seconds": seconds, "findings": findings}


def papers() -> dict:
    """Return what is said of each paper."""
    return tomllib.loads((HERE / "papers.toml").read_text(encoding="utf-8"))


def main() -> int:
    """Run what is asked for, keep it and write the page."""
    enable_float64()
    asked = sys.argv[1:] or names()
    if unknown := sorted(set(asked) - set(names())):
        print(f"reproductions: no {', '.join(unknown)}: there are {', '.join(names())}")
        return 2
    before = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    kept, surprises = dict(before), 0
    for name in asked:
        kept[name] = made(name)
        held = {f["claim"]: f["verdict"] for f in before.get(name, {"findings": []})["findings"]}
        for one in kept[name]["findings"]:
            new = one["verdict"] == "DISAGREES" and held.get(one["claim"]) != "DISAGREES"
            surprises += new
            print(
                f"{name}: {one['verdict']}{' (new)' if new else ''}: {one['claim']}: {one['found']}"
            )
    kept = {name: kept[name] for name in names() if name in kept}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(_page.page(kept, papers()), encoding="utf-8")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
