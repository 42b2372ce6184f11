"""`ci-theory demo`: the main job in small, from sweeps to located breaks, verdicts and figures.

It takes every experiment named ``demo`` or ``demo_...``, so a new one needs only its file.
"""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ci_theory._errors import BadInput
from ci_theory.check import Report, Verdict, check
from ci_theory.check.answer import middle
from ci_theory.check.breaks import Breaks, locate_breaks
from ci_theory.cli import experiments, verdicts
from ci_theory.cli.output import number, print_lines, print_table, say
from ci_theory.figures import curves, style, survival
from ci_theory.sweeps import read_sweep, run


def names() -> list[str]:
    """List the experiments of the demonstration."""
    return [name for name in experiments.names() if name == "demo" or name.startswith("demo_")]


def show(out: Path) -> int:
    """Run every demonstration and print what it found, and a summary at the end.

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
    seen: list[tuple[str, Breaks, Report]] = []
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
        seen.append((name, found, report))
        _tell("drawing")
        with style.applied():
            picture = survival if survival.speaks(data) else curves
            drawn = picture.draw(data, title=sweep.title, note=_note(report))
            files += style.save(drawn, out, name)
    _summarise(seen, files, out)
    _tell(f"done in {time.perf_counter() - begun:.0f} s")
    wrong = any(Verdict.DISAGREES in (found.verdict, report.verdict) for _, found, report in seen)
    return 1 if wrong else 0


def _summarise(seen: Sequence[tuple[str, Breaks, Report]], files: list[Path], out: Path) -> None:
    """Print what was found in a few lines: breaks, verdicts, pictures, and what to do next."""
    say("summary")
    rows = []
    for name, found, _ in seen:
        for kind in found.kinds:
            one = middle(kind)
            if one is None:
                continue
            m, p = one.measured, one.predicted.value
            place = f"{number(m.value, 4)} [{number(m.low, 4)}, {number(m.high, 4)}]"
            at = ", ".join(f"{k} = {number(v, 4)}" for k, v in one.at.items())
            judged = any(each.prediction for each in kind.found)
            words = f"{kind.verdict.value}: {kind.count(True)} of {len(kind.found)} curves"
            words = words if judged else "no formula is known"
            rows.append([name, kind.kind.name, at, place, number(p, 4), words])
    print_table(["sweep", "break", "at", "located [95 %]", "predicted", "verdict"], rows)
    counts = Counter(o.verdict.value for *_, report in seen for o in report.outcomes)
    counts.pop(Verdict.OUT_OF_SCOPE.value, None)
    lines = [
        ("predictions", ", ".join(f"{n} {word}" for word, n in counts.most_common()) or "none"),
        ("pictures", ", ".join(str(file) for file in files if file.suffix == ".png")),
        *([("command", f"`. {_activate()}` puts `ci-theory` on the path")] if _hidden() else []),
        ("next", "`ci-theory claims`: what is known of 25 claims, kept with the package"),
        ("", f"`ci-theory check {out / 'stores' / seen[0][0]}`: the numbers behind a verdict"),
        ("", "`ci-theory show repeated_data`: model, formulas, scope, axes"),
        ("", "`ci-theory figure --all`: the pictures of docs/gallery.md"),
    ]
    print_lines(lines)


def _hidden() -> bool:
    """Say whether the shell would not find the command: `make` calls it inside its environment."""
    return shutil.which("ci-theory") is None and _activate().is_file()


def _activate() -> Path:
    """Return the script of this environment that puts its commands on the path."""
    script = Path(sys.prefix, "bin", "activate")
    return script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script


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
