"""Give memory back within a file of tests, as ``conftest.py`` does between two files.

A file that asks something of every phenomenon compiles hundreds of programs that no later test
asks for again: they would add up to several gigabytes a worker.
"""

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path

import jax
import pytest

import held

MOST = 1.4e9
"""Bytes above which a worker forgets what it has compiled, between two groups of one file."""

GROWN = 0.2e9  # since the last time: what is not given back is not asked for again and again


class Forgetful:
    """Looks at the memory after the last test of each group."""

    def __init__(self):
        self.left = 0.0

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item, nextitem):
        """Forget what was compiled, if it is much."""
        if nextitem is None or held.group_of(item.nodeid) == held.group_of(nextitem.nodeid):
            return
        if resident() > max(MOST, self.left + GROWN):
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


def pytest_configure(config):
    """Look in every process that runs tests."""
    config.pluginmanager.register(Forgetful())
