"""Give memory back between groups of tests, and say what each worker took at most.

Compiled programs of earlier groups would add up to several gigabytes a worker, and a file that asks
something of every phenomenon compiles hundreds that no later test asks for again.
"""

import ctypes
import gc
import os
import resource
from contextlib import suppress
from pathlib import Path

import jax
import pytest

import held

BETWEEN_FILES = 0.8e9
"""Bytes above which a worker forgets what it has compiled, between two files."""

WITHIN = 1.1e9
"""The same between two groups of one file, whose programs the next group may ask for."""

GROWN = 0.2e9  # since the last time: what is not given back is not asked for again and again


class Forgetful:
    """Looks at the memory after the last test of each group."""

    def __init__(self, peaks):
        self.left, self.peaks = 0.0, peaks

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item, nextitem):
        """Forget what was compiled, if it is much."""
        self.peaks.look(item.nodeid)
        if nextitem is None or held.group_of(item.nodeid) == held.group_of(nextitem.nodeid):
            return
        most = WITHIN if nextitem.path == item.path else BETWEEN_FILES
        if resident() > max(most, self.left + GROWN):
            jax.clear_caches()
            gc.collect()
            with suppress(OSError, AttributeError):  # only the GNU library has it
                ctypes.CDLL("libc.so.6").malloc_trim(0)
            self.left = resident()


def resident() -> float:
    """Bytes of memory in use; none where the system does not say."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return float(pages * os.sysconf("SC_PAGE_SIZE"))
    return 0.0


class Peaks:
    """Collects the most that each process took, and tells it with the summary."""

    def __init__(self):
        self.most, self.workers = (0.0, "nothing"), []

    def look(self, test):
        """Take down the test after which it is more than ever."""
        if peak() > self.most[0]:
            self.most = peak(), test

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        """Take down what a worker says at its end; one that crashed says nothing."""
        self.workers += [node.workeroutput["peak"]] if hasattr(node, "workeroutput") else []

    def pytest_sessionfinish(self, session):
        """Say it to the process that leads, where there is one."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["peak"] = self.most

    def pytest_terminal_summary(self, terminalreporter):
        """Print it."""
        for most, test in self.workers or [self.most]:
            terminalreporter.write_line(f"most memory of a process: {most / 1e9:.2f} GB, in {test}")


def peak() -> float:
    """Bytes of memory that this process took at most."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def pytest_configure(config):
    """Look in every process that runs tests."""
    peaks = Peaks()
    config.pluginmanager.register(Forgetful(peaks))
    config.pluginmanager.register(peaks)
