"""Write parts, killing the writer with SIGKILL at random moments: no JAX, so that forking is safe.

Usage: kill_writer.py FOLDER KILLS SEED. Prints what it saw as JSON.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ci_theory.sweeps.parts import Parts

PARTS = 400


def content(index):
    return {"x": np.random.default_rng(index).normal(size=(40, 25)), "k": np.arange(index % 7)}


def write_missing(folder):
    """What a resumed run does: sweep leftovers, check what is there, write the rest."""
    parts = Parts(folder)
    parts.sweep_leftovers()
    there = set(parts.names())
    for name in there:
        parts.read(name)
    for index in range(PARTS):
        if f"{index:04d}" not in there:
            parts.write(f"{index:04d}", content(index), {"index": index})


def seconds_per_part():
    """How long a write takes on this machine: on a quick one a fixed wait would see them all."""
    with tempfile.TemporaryDirectory() as folder:
        parts, begun = Parts(Path(folder)), time.monotonic()
        for index in range(20):
            parts.write(f"{index:04d}", content(index), {"index": index})
        return (time.monotonic() - begun) / 20


if __name__ == "__main__":
    above, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments, wait = random.Random(seed), 2 * seconds_per_part()
    killed, halves, folder = 0, 0, above / "0"
    folder.mkdir(parents=True)
    while killed < kills:
        child = os.fork()
        if child == 0:
            try:
                write_missing(folder)
            finally:
                os._exit(0)
        # Wait for the next parts to begin, then for a moment that may be anywhere in a write.
        aim, begun = len(list(folder.glob("*.npz"))) + moments.randrange(3), time.monotonic()
        while len(os.listdir(folder)) < aim and time.monotonic() - begun < 5:
            time.sleep(0.0002)
        time.sleep(moments.uniform(0, wait))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        parts = Parts(folder)
        for name in parts.names():
            parts.read(name)  # raises if a kill left something torn under a final name
        if os.WIFSIGNALED(status):
            killed += 1
            halves += len(list(folder.glob("*.tmp")))
        else:  # it was done before its kill, as on a busy machine: the next one begins anew
            folder = above / str(int(folder.name) + 1)
            folder.mkdir()
    write_missing(folder)
    print(json.dumps({"killed": killed, "halves": halves}))
