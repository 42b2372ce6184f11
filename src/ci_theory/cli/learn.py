"""`ci-theory learn`: the learning curve of one's own rows, as a table, a picture and a verdict."""

import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ci_theory._errors import BadInput
from ci_theory.cli.examples_file import read
from ci_theory.cli.output import print_lines, print_table, say
from ci_theory.own_data import LearningCurve, learning_curve

_COLUMNS = ("n", "ridge", "predicted", "slack", "refitted", "error", "from", "to")


def analyse(
    file: Path,
    *,
    label: str | None,
    features: str | None,
    drop: Sequence[str],
    positive: str | None,
    out: Path | None,
    **options: Any,
) -> tuple[dict[str, Any], LearningCurve]:
    """Read rows, find their learning curve, draw it; return the document for JSON, and the curve.

    Args:
        file: .npz or text; ``label``, ``features``, ``drop``, ``positive``: see ``read``.
        out: folder of the picture; None draws none. A picture that cannot be drawn or written is
            a warning.
        options: of ``learning_curve``.

    Raises:
        BadInput: whatever is wrong with the file or the options.
    """
    data, labels = read(file, label, features, drop, positive)
    if sys.stderr.isatty():
        say(f"ci-theory: refitting {len(labels)} rows ...", file=sys.stderr)
    try:
        found = learning_curve(data.features, labels, names=data.names, **options)
    except BadInput as problem:
        raise BadInput(f"{file}: {problem}") from None
    document = {"file": str(file), "label": data.label, **found.to_json()}
    document |= {"warnings": list(data.warnings), "figure": []}
    if out is not None:
        drawn, told = _picture(found, file, out)
        document["figure"] = [str(one) for one in drawn]
        document["warnings"] += told
    return document, found


def _picture(found: LearningCurve, file: Path, out: Path) -> tuple[list[Path], list[str]]:
    from ci_theory.figures import style  # here: without a picture no matplotlib is needed
    from ci_theory.figures.learning_curve import draw

    stem = re.sub(r"[^\w.+-]+", "_", "stdin" if str(file) == "-" else file.stem)[:80]
    try:
        with warnings.catch_warnings(), style.applied():
            warnings.simplefilter("ignore")  # letters that the font lacks
            made = draw(found, f"{file.name}: {found.verdict.value}")
            return style.save(made, out, f"{stem}-learning-curve", formats=("png",)), []
    except (BadInput, OSError) as problem:
        return [], [f"no picture: {problem}"]


def print_curve(document: dict[str, Any], found: LearningCurve) -> None:
    """Print the verdict, what was found, and the curve."""
    say(f"{document['file']}: {found.head.removeprefix('own data: ')}")
    print_lines(found.facts())
    for copies in ("kept", "removed"):
        rows = [[row[c] for c in _COLUMNS] for row in found.table() if row["copies"] == copies]
        if rows:
            say("" if found.kept.all() else f"  copies {copies}:")
            print_table(_COLUMNS, rows, right=_COLUMNS)
    say(
        "  error: of the refits; from, to: the curve of fresh rows, 95 %, as far as these rows tell"
    )
    for name, one in found.report.remedies.items():
        print_lines([("would do", f"{name.removeprefix('test_error at ')}: {one.line}")])
    print_lines([("warning", line) for line in document["warnings"]])
    print_lines([("figure", one) for one in document["figure"]])
