"""One table of all ratios: each benchmark tells its rows, ``python -m benchmarks`` lays them out.

A row is a thing that is computed two ways, with equal results asserted before it is told.
"""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

ROWS = "CI_THEORY_BENCHMARK_ROWS"
"""Environment variable: the file that rows are appended to; without it they are only printed."""

LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "scikit-learn", "torch")
PAGE = """# What is how much faster than what

Written by `make bench`, which prints the same. Equal results are asserted before anything is timed.
A ratio above 1 says that ci_theory is faster. *Share* is how much of what the machine's plain
products of matrices or LAPACK allow is reached, where the benchmark measures that. Seconds are CPU
seconds of one core where the unit says so. Where a speed comes from is told at the head of each
`benchmarks/*.py`; compilation is left out unless a row says otherwise.
"""


class Row(NamedTuple):
    """A comparison.

    Attributes:
        what: what both sides compute.
        against: the peer or the obvious loop.
        ours, theirs: in ``unit``; a unit with "/s" counts what is done, others what is spent.
        share: ours as a share of what is possible; None if that is not measured.
    """

    what: str
    against: str
    ours: float
    theirs: float
    unit: str
    share: float | None = None

    @property
    def ratio(self) -> float:
        """How many times faster ours is.

        >>> Row("fits", "loop", 2.0, 6.0, "s").ratio, Row("fits", "loop", 2.0, 6.0, "fits/s").ratio
        (3.0, 0.3333333333333333)
        """
        return self.ours / self.theirs if "/s" in self.unit else self.theirs / self.ours


def tell(*row, share: float | None = None) -> None:
    """Add a row, the fields of ``Row`` in their order, to the table being made, if one is."""
    made = Row(*row, share=share)
    if os.environ.get(ROWS):
        with Path(os.environ[ROWS]).open("a") as file:
            file.write(json.dumps(made) + "\n")


def read(file: Path) -> list[Row]:
    """Return the rows that were told."""
    return [Row(*json.loads(line)) for line in file.read_text().splitlines()]


def lines(rows: list[Row]) -> list[str]:
    """Lay rows out as a Markdown table, readable as it stands.

    >>> for line in lines([Row("fits", "a loop", 2.0, 6.0, "CPU s", 0.5)]): print(line)
    | what | against | ours | theirs | unit | ratio | share |
    | ---- | ------- | ---- | ------ | ----- | ----- | ----- |
    | fits | a loop  | 2    | 6      | CPU s | 3     | 50 %  |
    """
    head = ("what", "against", "ours", "theirs", "unit", "ratio", "share")
    cells = [
        (
            *(r.what, r.against, f"{r.ours:.3g}", f"{r.theirs:.3g}", r.unit, f"{r.ratio:.3g}"),
            "" if r.share is None else f"{100 * r.share:.0f} %",
        )
        for r in rows
    ]
    widths = [max(len(row[i]) for row in (head, *cells)) for i in range(len(head))]
    table = [head, tuple("-" * w for w in widths), *cells]
    return [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in table
    ]


def machine() -> str:
    """Name the processor, its cores and the libraries."""
    cpu = Path("/proc/cpuinfo")
    known = cpu.read_text().splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in known if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, " + ", ".join(
        f"{name} {found}" for name in LIBRARIES if (found := _version(name))
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def page(rows: list[Row]) -> str:
    """Return the page of the docs."""
    return "\n".join([PAGE, f"Measured on {machine()}.", "", *lines(rows), ""])
