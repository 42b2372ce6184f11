"""How results show themselves in a notebook, and what of them goes into JSON and a pickle.

>>> print(table("a < b", ["x"], [["1"]]))
<p>a &lt; b</p>
<table><thead><tr><th>x</th></tr></thead>
<tbody>
<tr><td>1</td></tr>
</tbody></table>
"""

import dataclasses
import html
import math
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from ci_theory._errors import BadInput, printable


def table(
    head: str, columns: Sequence[str], rows: Iterable[Sequence[object]], below: Sequence[str] = ()
) -> str:
    """Return a table as HTML, of which no word is markup, between a line and some more."""
    cells = [[_word(cell) for cell in row] for row in rows]
    lines = [f"<p>{_word(head)}</p>"]
    lines += ["<table><thead><tr>" + "".join(f"<th>{_word(c)}</th>" for c in columns)]
    lines[-1] += "</tr></thead>"
    lines += ["<tbody>", *(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in cells)]
    lines += ["</tbody></table>", *(f"<p>{_word(line)}</p>" for line in below)]
    return "\n".join(lines)


def _word(text: object) -> str:
    return html.escape(printable(text))


def plain(value: Any) -> Any:
    """Turn arrays, records, enums and numbers that are not finite into what JSON has."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy and jax arrays and scalars
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(v) for v in value]
    return str(value)


@dataclasses.dataclass(frozen=True)
class Forgotten:
    """Stands in a pickle for a function that has no name by which it could be found again."""

    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise BadInput(
            f"{self.name}: this result was pickled, which keeps its numbers and not the functions "
            "of its phenomenon: ask the phenomenon itself"
        )


def kept(value: Any) -> Any:
    """Return a value of which everything can be pickled: declarations without their functions.

    >>> pickle.loads(pickle.dumps(kept(len))) is len
    True
    >>> kept(lambda: 0).name
    '<lambda>'
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        copy = object.__new__(type(value))
        for field in dataclasses.fields(value):
            object.__setattr__(copy, field.name, kept(getattr(value, field.name)))
        return copy
    if type(value) is tuple:
        return tuple(map(kept, value))
    return _found_again(value) if callable(value) else value


def _found_again(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        pickle.dumps(function)
    except Exception:  # pickle promises no kind
        return Forgotten(getattr(function, "__qualname__", type(function).__name__))
    return function
