"""Where a page stands, in numbers, and whether the phenomenon's rules forbid it."""

from ci_theory._errors import BadInput
from ci_theory.explore.address import read


def single(phenomenon, address):
    """Return the fields that an address gives one value each."""
    words = read(address, phenomenon).words
    return {
        name: value(phenomenon.axes[name], word)
        for name, word in words.items()
        if not set("(,") & set(word)
    }


def value(axis, text):
    return text == "true" if axis.type is bool else axis.type(text)


def refused(phenomenon, fields):
    """Say whether a rule forbids a place."""
    try:
        phenomenon.point(fields)
    except BadInput:
        return True
    return False
