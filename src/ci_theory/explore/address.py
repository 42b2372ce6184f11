"""The address of a page: everything that it shows, in words that ``ci-theory predict`` takes too.

Behind the ``#`` stand ``key=value`` pairs, joined by ``&``. A pair whose key is a parameter is the
word of ``ci-theory predict``; what concerns the page alone begins with ``@``:

``@measure``: the measure that is drawn. ``@decoys``: the mistakes that are drawn beside it.
``@log``: axes with a logarithmic scale, ``x``, ``y``, ``xy`` or ``no``. ``@dots``: places at which
is simulated; ``@replicates`` and ``@seed`` of that.

>>> from ci_theory.phenomena import load
>>> shown = read("n=geom(20,500,9)&noise=0.5&@dots=4&@seed=3", load("ridge_peak"))
>>> dict(shown.words), shown.dots, shown.seed
({'n': 'geom(20,500,9)', 'noise': '0.5'}, 4, 3)
>>> print(shown.text)
n=geom(20,500,9)&noise=0.5&@dots=4&@seed=3
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from ci_theory._errors import BadInput, unknown
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps.grid import LAST_SEED
from ci_theory.sweeps.values import split

MOST_TEXT = 20_000
"""Characters of an address."""

MOST_DOTS, MOST_REPLICATES = 60, 2000

_PLAIN = "@(),.:[]+-"  # written as they are


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """What a page shows.

    Attributes:
        pairs: the keys and values of the address, in its order.
        words: parameter -> its value or range, as text.
        measure: the measure drawn, "" for the first.
        decoys: names of the mistakes drawn.
        log: "x", "y", "xy", "no", or "" if the page may choose.
        dots: places at which is simulated, at most; 0 for none.
        replicates: runs at each of them; ``seed`` of the sweep.
    """

    pairs: Mapping[str, str]
    words: Mapping[str, str]
    measure: str = ""
    decoys: tuple[str, ...] = ()
    log: str = ""
    dots: int = 0
    replicates: int = 40
    seed: int = 0

    @property
    def text(self) -> str:
        """The address; ``read`` of it is this again."""
        return "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in self.pairs.items())


def read(text: str, phenomenon: Phenomenon) -> Shown:
    """Read an address.

    Values of parameters are left as they are: who evaluates them checks them.

    Raises:
        BadInput: it is too long, a pair is none, or a key or a value of the page's own is unknown.
    """
    if len(text) > MOST_TEXT:
        raise BadInput(f"the address has {len(text)} characters: at most {MOST_TEXT}")
    pairs = split(unquote(part, errors="replace") for part in text.split("&") if part)
    own = {key: value for key, value in pairs.items() if key.startswith("@")}
    words = {key: value for key, value in pairs.items() if key not in own}
    made: dict[str, Any] = {}
    readers: dict[str, Callable[[str], Any]] = {
        "@measure": lambda value: _among("measure", [value], phenomenon.measure_info)[0],
        "@decoys": lambda value: _among(
            "decoy", value.split(";"), [m.name for m in phenomenon.mistakes]
        ),
        "@log": lambda value: _among("@log", [value], ("x", "y", "xy", "no"))[0],
        "@dots": lambda value: _whole("@dots", value, 0, MOST_DOTS),
        "@replicates": lambda value: _whole("@replicates", value, 2, MOST_REPLICATES),
        "@seed": lambda value: _whole("@seed", value, 0, LAST_SEED),
    }
    for key, value in own.items():
        if key not in readers:
            raise unknown("key", key, readers, where="the address")
        made[key[1:]] = readers[key](value)
    return Shown(pairs=MappingProxyType(pairs), words=MappingProxyType(words), **made)


def _among(kind: str, values: list[str], known: Any) -> tuple[str, ...]:
    for value in values:
        if value not in known:
            raise unknown(kind, value, known)
    return tuple(values)


def _whole(key: str, value: str, low: int, high: int) -> int:
    if not (value.isascii() and value.isdigit() and low <= int(value[:12]) <= high):
        raise BadInput(f"{key} = {value}: must be a whole number in {low}..{high}")
    return int(value)


def _quoted(text: str) -> str:
    return quote(text, safe=_PLAIN)
