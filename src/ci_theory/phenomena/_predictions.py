"""Predictions as the record of a forecast declares them: each entry is told where it is declared.

>>> from ci_theory._record import record
>>> @record
... class Forecast:
...     error: float = predicted(statement="noise / n")
...     rough_error: float = predicted("error", statement="noise", order="1/n")
...     status: int
>>> for told in predictions(Forecast, scope="everywhere", order="exact", source="derived here"):
...     print(f"{told.name} of {told.measure}: {told.statement}, {told.order}, {told.scope}")
error of error: noise / n, exact, everywhere
rough_error of error: noise, 1/n, everywhere
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from ci_theory._errors import BadInput
from ci_theory.phenomena._base import Prediction

_TOLD = "told"  # key of a field's metadata


def predicted(
    measure: str = "",
    *,
    statement: str,
    scope: str = "",
    order: str = "",
    source: str = "",
    where: Callable[[Any], Any] | None = None,
    closed: bool | None = None,
    status: str = "status",
) -> Any:
    """Declare an entry of a forecast's record that predicts the mean of a measure.

    The entry has no default: a forecast that leaves it out is refused.

    Args:
        measure: whose mean it is; that of the entry's own name if none is given.
        statement: the formula in a line.
        scope: where it holds; this, ``order``, ``source`` and ``closed`` may be told of all
            entries together, by ``predictions``.
        order: of the finite-size error; "exact" for a prediction without one.
        source: of the formula.
        where: as in a ``Prediction``; likewise ``closed`` and ``status``.
    """
    may = {"measure": measure, "scope": scope, "order": order, "source": source, "where": where}
    told: dict[str, Any] = {name: said for name, said in may.items() if said}
    told |= {"statement": statement, "status": status}
    told |= {} if closed is None else {"closed": closed}
    return dataclasses.field(metadata={_TOLD: told})


def predictions(
    forecast: type, *, scope: str = "", order: str = "", source: str = "", closed: bool = False
) -> tuple[Prediction, ...]:
    """Return the predictions that a forecast's record declares, in declared order.

    Args:
        forecast: the record.
        scope: of all entries that do not say their own; likewise ``order``, ``source`` and
            ``closed``.

    Raises:
        BadInput: no record, or none of its entries is predicted.
    """
    if not dataclasses.is_dataclass(forecast):
        raise BadInput(f"predictions({forecast.__name__}): it is not a record, see @record")
    shared = {"scope": scope, "order": order, "source": source, "closed": closed}
    fields = [f for f in dataclasses.fields(forecast) if _TOLD in f.metadata]
    if not fields:
        raise BadInput(f"predictions({forecast.__name__}): no entry of it is predicted(...)")
    return tuple(
        Prediction(name=f.name, **{"measure": f.name, **shared, **f.metadata[_TOLD]})
        for f in fields
    )
