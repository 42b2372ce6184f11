"""Numerical outcomes as data, and the one exception for a user's mistake.

>>> worst([Status.OK, Status.NOT_CONVERGED])
<Status.NOT_CONVERGED: 2>
"""

import difflib
from collections.abc import Iterable
from enum import IntEnum


class Status(IntEnum):
    """Outcome of one point: stored beside every value, ordered from good to bad."""

    OK = 0
    OUT_OF_SCOPE = 1  # the formula makes no claim here (see the prediction's scope)
    NOT_CONVERGED = 2  # a solver stopped before its residual was small
    NOT_FINITE = 3  # the arithmetic left the real line: overflow, 0/0, a diverged run
    NO_BREAK = 4  # a locator looked and the curve has no break
    AT_EDGE = 5  # the break lies at or beyond the end of the axis: the interval is open
    CENSORED = 6  # a run ended before its break


MESSAGES = {
    Status.OK: "ok",
    Status.OUT_OF_SCOPE: "outside the regime in which the formula holds",
    Status.NOT_CONVERGED: "the solver did not converge",
    Status.NOT_FINITE: "not a finite number",
    Status.NO_BREAK: "the curve has no break",
    Status.AT_EDGE: "the break is at the edge of the axis",
    Status.CENSORED: "the run ended before the break",
}


class BadInput(ValueError):  # noqa: N818 - the user reads it, not a traceback
    """A user's mistake, told in one line: what, where, and what would be right.

    The command line prints the message and exits with code 2; nothing has been written.
    """


def printable(text: object) -> str:
    r"""Return a text as a terminal may be given it: a line, with nothing that acts on it.

    Names and titles come from files of other people: control characters, escape sequences, line
    breaks and marks that reverse the direction of writing are shown, not sent.

    >>> print(printable("a\x1b[31m\nAGREES"))
    a\x1b[31m\nAGREES
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def worst(statuses: Iterable[int]) -> Status:
    """Return the worst status of a collection; an empty one is OK."""
    return Status(max((int(s) for s in statuses), default=0))


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> BadInput:
    """Build the error for a name that does not exist, with the nearest one that does.

    >>> print(unknown("axis", "rige", ["n", "p", "ridge"]))
    unknown axis 'rige': did you mean 'ridge'? (known: n, p, ridge)
    >>> print(unknown("axis", "N", ["n", "p"], "a sweep"))
    unknown axis 'N' in a sweep: did you mean 'n'? (known: n, p)
    >>> print(unknown("engine", "dask", ["Dask", "local"]))
    unknown engine 'dask': did you mean 'Dask'? (known: Dask, local)
    >>> print(unknown("axis", "repeated", ["repeats", "repeated_fraction"]))
    unknown axis 'repeated': did you mean 'repeated_fraction'? (known: repeated_fraction, repeats)
    >>> print(unknown("axis", "xyz", ["n"]))
    unknown axis 'xyz' (known: n)
    """
    names = sorted(known)
    meant = {one.lower(): one for one in names}  # N for n is a matter of case
    begun = [one for one in meant if len(name) > 2 and one.startswith(name.lower())]
    near = begun or difflib.get_close_matches(name.lower(), meant, n=1, cutoff=0.5)
    hint = f": did you mean '{meant[near[0]]}'?" if near else ""
    place = f" in {where}" if where else ""
    return BadInput(f"unknown {kind} '{name}'{place}{hint} (known: {', '.join(names)})")
