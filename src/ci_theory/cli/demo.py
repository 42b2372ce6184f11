"""`ci-theory demo`: the main job in small, from sweeps to located breaks, verdicts and figures.

It takes every experiment named ``demo`` or ``demo_...``, so a new one needs only its file.
"""

import sys
import time
from collections import Counter
from pathlib import Path

from ci_theory._errors import BadInput
from ci_theory.check import Report, Verdict, check
from ci_theory.check.breaks import locate_breaks
from ci_theory.cli import experiments, verdicts
from ci_theory.cli.output import say
from ci_theory.figures import curves, style, survival
from ci_theory.sweeps import read_sweep, run


def names() -> list[str]:
    """List the experiments of the demonstration."""
    return [name for name in experiments.names() if name == "demo" or name.startswith("demo_")]


def show(out: Path) -> int:
    """Run every demonstration and print what it found.

    Args:
        out: folder for the figures; the stores go to ``stores`` in it.

    Returns:
        Exit code: 1 if a prediction or its break disagrees with the simulation, else 0.

    Raises:
        BadInput: there is no demonstration, or ``out`` cannot be used.
    """
    if not names():
        raise BadInput("no experiment named demo: the package was installed without experiments")
    begun = time.perf_counter()
    seen: list[Verdict] = []
    files: list[Path] = []
    sweeps = {name: read_sweep(experiments.find(name)) for name in names()}
    out.mkdir(parents=True, exist_ok=True)
    for name, sweep in sweeps.items():
        _tell(f"{sweep.title}: {sweep.cells} cells x {sweep.replicates} replicates")
        data = run(sweep, out / "stores" / name).dataset()
        _tell("locating break points and checking predictions")
        found, report = locate_breaks(data), check(data)
        say(f"{sweep.title} ({name})")
        verdicts.print_breaks(found)
        verdicts.print_report(report)
        say()
        seen += [found.verdict, report.verdict]
        _tell("drawing")
        with style.applied():
            picture = survival if survival.speaks(data) else curves
            drawn = picture.draw(data, title=sweep.title, note=_note(report))
            files += style.save(drawn, out, name)
    say("figures")
    for file in files:
        say(f"  {file}")
    _tell(f"done in {time.perf_counter() - begun:.0f} s")
    return 1 if Verdict.DISAGREES in seen else 0


def _note(report: Report) -> str:
    """Say in a line what the check found."""
    if not report.outcomes:
        return "no formula is known: measured, not predicted"
    counts = Counter(outcome.verdict.value for outcome in report.outcomes)
    found = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"check of {len(report.outcomes)} predictions: {found}"


def _tell(text: str) -> None:
    """Say on stderr what is going on."""
    say(text, file=sys.stderr)
