"""One core, process CPU seconds, the median of a few repeats."""

import os
import statistics
import time
from collections.abc import Callable


def one_core() -> None:
    """Pin this process to one core; call it before JAX starts its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the median CPU seconds of a call that ends with its result computed."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)
