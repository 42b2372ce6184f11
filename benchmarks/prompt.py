"""What the prompt costs: CPU seconds of short commands, the first time and from then on.

Each runs in a process of its own. Cold: nothing is kept from before. Warm: what the same command
kept is there. Never: nothing may be kept. All three must print the same; most of what is saved is
tracing and compilation, and for the commands that need no numbers the start of JAX.

    python -m benchmarks.prompt [NAME ...]
"""

import os
import resource
import subprocess
import sys
import tempfile

from benchmarks import _table
from ci_theory import names

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


def main() -> int:
    """Print the table; return how many goals are missed."""
    wanted = sys.argv[1:] or names()
    commands = [["list"], ["claims"], ["show", wanted[0]], *(["predict", name] for name in wanted)]
    print(f"{'CPU seconds':32s} {'never':>6s} {'cold':>6s} {'warm':>6s}  misses")
    missed = 0
    for words in commands:
        with tempfile.TemporaryDirectory() as folder:
            runs = [spent(words, kept) for kept in ("off", folder, folder)]
        assert len({printed for _, printed in runs}) == 1, f"{words}: answers differ"
        (never, _), (cold, _), (warm, _) = runs
        _table.tell(" ".join(words), "the same, nothing kept", warm, never, "CPU s")
        first = COLD if words[0] == "predict" else float("inf")
        then = WARM if words[0] == "predict" else SHORT
        late = [what for what, over in (("cold", cold > first), ("warm", warm > then)) if over]
        missed += len(late)
        print(
            f"{' '.join(words):32s} {never:6.2f} {cold:6.2f} {warm:6.2f}  {', '.join(late)}",
            flush=True,
        )
    print(f"{missed} of {2 * len(commands) - 3} goals missed: {COLD} cold, {WARM} warm, {SHORT}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
