"""Run the long walk into a folder with a state kept at every stage: tests kill this process."""

import signal
import sys

import jax

from ci_theory.sweeps import Interrupted, Sweep, run, staged

jax.config.update("jax_enable_x64", True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, last = sys.argv[1], int(sys.argv[2])
    staged.STAGE, staged.KEPT = 0.02, 0.0
    sweep = Sweep(
        phenomenon="sweep_toys.walk",
        axes={"rate": (3.9,), "step": (0, 1, 50, last // 2, last)},
        replicates=2,
        seed=1,
    )
    try:
        run(sweep, folder)
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
