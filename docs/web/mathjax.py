"""MathJax for pages that are read offline: one file of a wheel, known by its hash.

The wheel only carries the files of MathJax 3.2.2 (Apache-2.0); nothing of Django is used. So
nothing but a package index is needed to build, and nothing at all to read.
"""

import hashlib
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["FILE", "script"]

FILE = "tex-svg-full.js"
_HASH = "214c3da890b16db3d1319684cc04f3fd4e72ea59d5eb3863f256146015fb1783"


def script() -> bytes:
    """Return the script.

    Raises:
        ValueError: the wheel's file is not the one that was looked at.
    """
    wheel = distribution("django-static-mathjax")
    path = Path(str(wheel.locate_file(f"mathjax/static/mathjax/es5/{FILE}")))
    text = path.read_bytes()
    found = hashlib.sha256(text).hexdigest()
    if found != _HASH:
        raise ValueError(f"{path}: sha256 {found}, expected {_HASH}")
    return text
