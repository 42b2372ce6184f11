"""What the prompt costs: CPU seconds of short commands, the first time and from then on.

Each runs in a process of its own. Never: nothing may be kept. Cold: nothing is kept from before.
Warm: the same words again, whose answer is kept. Other: other words for the same prediction, which
loads its program but starts JAX. All must print the same; there is no goal for the last.

    python -m benchmarks.prompt [NAME ...]
"""

import os
import resource
import subprocess
import sys
import tempfile

from benchmarks import _table
from ci_theory import load, names
from ci_theory._record import Kind

COLD, WARM, SHORT = 4.0, 1.2, 0.6
"""Goals: of a prediction the first time and then, and of a command without numbers."""

PROGRAM = "import sys; from ci_theory.cli import main; sys.exit(main())"


def spent(words: list[str], kept: str) -> tuple[float, str]:
    """Run a command; return its CPU seconds and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CI_THEORY_CACHE": kept},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used, done.stdout


def otherwise(words: list[str]) -> list[str]:
    """Return other words for the same answer: a default that is spelled out."""
    if words[0] != "predict":
        return words
    free = [a for a in load(words[1]).axes.values() if a.kind is not Kind.STATIC]
    default = free[0].default
    said = str(default).lower() if isinstance(default, bool) else default
    return [*words, f"{free[0].name}={said}"]


def main() -> int:
    """Print the table; return how many goals are missed."""
    wanted = sys.argv[1:] or names()
    short = [["--help"], ["list"], ["claims"], ["show", wanted[0]]]
    commands = [*short, *(["predict", name] for name in wanted)]
    print(f"{'CPU seconds':32s} {'never':>6s} {'cold':>6s} {'warm':>6s} {'other':>6s}  misses")
    missed = 0
    for words in commands:
        with tempfile.TemporaryDirectory() as folder:
            runs = [spent(words, kept) for kept in ("off", folder, folder)]
            runs.append(spent(otherwise(words), folder))
        assert len({printed for _, printed in runs}) == 1, f"{words}: answers differ"
        never, cold, warm, other = (seconds for seconds, _ in runs)
        _table.tell(" ".join(words), "the same, nothing kept", warm, never, "CPU s")
        first = COLD if words[0] == "predict" else float("inf")
        then = WARM if words[0] == "predict" else SHORT
        late = [what for what, over in (("cold", cold > first), ("warm", warm > then)) if over]
        missed += len(late)
        print(
            f"{' '.join(words):32s} {never:6.2f} {cold:6.2f} {warm:6.2f} {other:6.2f}  "
            f"{', '.join(late)}",
            flush=True,
        )
    goals = 2 * len(commands) - len(short)
    print(f"{missed} of {goals} goals missed: {COLD} cold, {WARM} warm, {SHORT}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
