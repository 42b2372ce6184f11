r"""Formulas in plain text, as HTML: raised exponents, lowered indices, letters in italics, Greek.

The text stays what it is, sign by sign; names of the package (``test_error``) and words stay
upright.

>>> typeset("E_k = noise kappa^(2r) (1 - gamma)^-1")
'<i>E</i><sub><i>k</i></sub> = noise κ<sup>2<i>r</i></sup> (1 − γ)<sup>−1</sup>'
>>> block(["test_error = B", "  + noise"])
'<div class="plain-formula">test_error = <i>B</i>\n  + noise</div>'
"""

import html
import re
import textwrap
from collections.abc import Sequence

__all__ = ["LETTERS", "block", "prose", "typeset"]

LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Sigma": "Σ", "Phi": "Φ", "Omega": "Ω",
    "sum": "∑", "sqrt": "√",
}  # fmt: skip
"""Words that stand for a letter or a sign."""

_ACCENTS = {"hat": "\u0302", "bar": "\u0304"}
_SIGNS = {"<=": "≤", ">=": "≥", "->": "→", "!=": "≠", " . ": " · ", "-": "−"}
_ARTICLE = re.compile(
    r"(?<![\w^.])(?<![)+*/=-] )([aA]) (?!(?:and|or|is|are|as|if|in|at|of)\b)"
    r"(?=([A-Z]?[a-z]{2,})\b(?!\())"
)
_TOKEN = re.compile(
    r"\^(?:\((?P<power>(?:[^()]|\([^()]*\))*)\)|(?P<short>-?\w+))"
    rf"|(?P<field>(?<=\w)'s\b|\b(?!(?:{'|'.join(LETTERS)})\.)[a-z]{{2,}}\.[a-z_]\w*)"
    r"|(?P<base>[A-Za-z]+)(?P<number>\d*)(?:_(?P<index>\{[^}]*\}|\w+))?"
    r"|(?P<sign><=|>=|->|!=| \. |(?<![A-Za-z])-|-(?![A-Za-z]))"
    r"|(?P<escaped>[&<>])"
)


def block(lines: Sequence[str]) -> str:
    """Return lines of formulas as one block of HTML, their layout kept."""
    return f'<div class="plain-formula">{typeset(textwrap.dedent(chr(10).join(lines)))}</div>'


def prose(text: str) -> str:
    """Return a sentence with formulas in it as HTML: its article is no letter of them.

    >>> prose("a share of n -> 0, a k")
    'a share of <i>n</i> → 0, <i>a</i> <i>k</i>'
    """
    parts, end = [], 0
    for found in _ARTICLE.finditer(text):
        if found[2] not in LETTERS:
            parts += [typeset(text[end : found.start()]), found[1]]
            end = found.end(1)
    return "".join([*parts, typeset(text[end:])])


def typeset(text: str) -> str:
    """Return plain text with its formulas as HTML."""
    return _TOKEN.sub(_token, text)


def _token(found: re.Match[str]) -> str:
    if found["power"] is not None or found["short"]:
        return f"<sup>{typeset(found['power'] or found['short'])}</sup>"
    if found["field"]:  # up.n, a row's
        return found["field"]
    if found["base"]:
        return _name(found["base"], found["number"], found["index"])
    return _SIGNS[found["sign"]] if found["sign"] else html.escape(found["escaped"])


def _name(base: str, number: str, index: str | None) -> str:
    """Write a symbol; a name of several letters that is no Greek one is a word."""
    if len(base) > 1 and base not in LETTERS:
        return base + number + (f"_{index}" if index else "")
    letter = LETTERS.get(base) or f"<i>{base}</i>"
    if index in _ACCENTS:
        return f"<i>{base}{_ACCENTS[index]}</i>"
    below = typeset((number + (index or "")).strip("{}"))
    return f"{letter}<sub>{below}</sub>" if below else letter
