"""Which of several predictions of one measure speaks for a curve: decided here, for everybody."""

from collections.abc import Sequence

import numpy as np

from ci_theory._errors import Status
from ci_theory.phenomena._base import Estimate

FEWEST_PLACES = 3
"""Places at which a prediction must have a value to speak for a curve of that many or more."""


def spoken(estimate: Estimate) -> np.ndarray:
    """Return what a prediction says, of the shape of its arrays: NaN where it has no value."""
    return np.where(np.asarray(estimate.status) == Status.OK, estimate.value, np.nan)


def speaking(curves: Sequence[np.ndarray]) -> int | None:
    """Return the index of the prediction that speaks for a curve; None if none does.

    It is the first in the declared order of the phenomenon, whose author says with it which form
    is to be preferred, that is not silent: it has a value at three places of the curve, and at
    no less than half as many as any other prediction. So a form that ends where another goes on
    does not cut the curve down to the few places that it knows.

    Args:
        curves: what each prediction of the measure says, in declared order, all at the same
            places: arrays (t,), NaN where there is no value, see ``spoken``.

    >>> nan = float("nan")
    >>> silent, short, whole = np.full(6, nan), np.array([1.0] * 3 + [nan] * 3), np.ones(6)
    >>> speaking([silent, short, whole]), speaking([silent, silent])
    (1, None)
    """
    counts = [int(np.isfinite(curve).sum()) for curve in curves]
    needed = [min(FEWEST_PLACES, len(curve)) for curve in curves]
    most = max(counts, default=0)
    said = enumerate(zip(counts, needed, strict=True))
    return next((i for i, (n, least) in said if 0 < n >= least and 2 * n >= most), None)
