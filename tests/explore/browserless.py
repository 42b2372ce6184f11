"""The pages in this process: their scripts on elements that nobody draws (``dom.js``).

What a browser adds, layout and the keys of its own controls, is for ``tests/browser``.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from py_mini_racer import MiniRacer

from ci_theory.explore.server import PAGE

DOM = Path(__file__).with_name("dom.js").read_text()
VOID = {"input", "link", "meta"}


class _Tree(HTMLParser):
    """Reads a page as nested lists [tag, attributes, *inside]."""

    def __init__(self):
        super().__init__()
        self.open = [["root", {}]]

    def handle_starttag(self, tag, attrs):
        made = [tag, {name: value or "" for name, value in attrs}]
        self.open[-1].append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.open[-1].append(data)


def page_of(file):
    """Return the body of a page as nested lists, and the names of its scripts."""
    text = (PAGE / file).read_text()
    tree = _Tree()
    tree.feed(text)
    html = next(one for one in tree.open[0][2:] if one[0] == "html")
    body = next(one for one in html[2:] if one[0] == "body")
    return body, re.findall(r'src="page/([\w.]+)"', text)


class Browserless:
    """A page that is open. ``carried`` is what a page without a server carries."""

    def __init__(self, file="page.html", *, carried=None, answers=None, before="", address=""):
        body, scripts = page_of(file)
        if carried is not None:
            body = [*body, ["script", {"id": "carried"}, json.dumps(carried)]]
        self.engine = MiniRacer()
        self.engine.eval(DOM)
        self.engine.eval(
            f"document.body = grown({json.dumps(body)}); answers = {json.dumps(answers or {})};"
            f"location.hash = {json.dumps(address)}; {before}; 0"
        )
        for name in scripts:
            self.engine.eval((PAGE / name).read_text() + "\n;0")

    def do(self, statements):
        """Run statements, and then what waited for them."""
        self.engine.eval(f"{statements}; 0")

    def get(self, expression):
        """Return the value of an expression, as JSON has it."""
        text = self.engine.eval(f"JSON.stringify({expression})")
        return None if text in (None, "undefined") else json.loads(text)

    def refusal(self, expression):
        """Return what an expression throws; None if it has a value."""
        return self.get(
            f"(() => {{ try {{ {expression}; return null; }} "
            "catch (problem) { return problem.message; } })()"
        )

    def text(self, selector):
        """Return the text of the first element that fits."""
        return self.get(f"$({json.dumps(selector)}).textContent")
