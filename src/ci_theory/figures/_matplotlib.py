"""Import matplotlib whatever backend a variable names: no picture here ever needs one.

``MPLBACKEND`` is inherited from notebooks, where it names a module that need not be installed
where this runs; matplotlib refuses to be imported then. Of a home that cannot be written to it
would tell at length on stderr.
"""

import logging
import os
import sys
from contextlib import suppress

from ci_theory._errors import BadInput

_VARIABLE = "MPLBACKEND"


def _import_without_backend() -> None:
    backend, log = os.environ.pop(_VARIABLE, None), logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        import matplotlib.figure
    except UnicodeDecodeError:  # of the one file that it reads from here as it is imported
        raise BadInput("matplotlibrc: is not UTF-8 text, so matplotlib cannot start") from None
    finally:
        log.setLevel(level)
        if backend is not None:
            os.environ[_VARIABLE] = backend
    if backend:
        with suppress(ValueError):  # as the import does it: pictures of the user's may want it
            matplotlib.rcParams["backend"] = backend


if "matplotlib" not in sys.modules:
    _import_without_backend()
