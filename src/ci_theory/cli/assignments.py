"""The ``key=value`` words of a command.

>>> split(["n=geom(10,1000,50)", "noise=0.5"])
{'n': 'geom(10,1000,50)', 'noise': '0.5'}
"""

from collections.abc import Iterable

from ci_theory._errors import BadInput


def split(words: Iterable[str] | None) -> dict[str, str]:
    """Split ``key=value`` words at the first equals sign.

    Raises:
        BadInput: a word without a key or a value, or a key given twice.
    """
    found: dict[str, str] = {}
    for word in words or ():
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals and value):
            raise BadInput(f"'{word}': expected key=value, for example noise=0.5")
        if key in found:
            raise BadInput(f"{key} is given twice: {key}={found[key]} and {word}")
        found[key] = value
    return found
