"""A real browser on pages that the real command serves; see `make test-browser`.

Only where ``CI_THEORY_BROWSER`` names a Chromium: `make test` leaves these tests out.
"""

import os
import subprocess
import sys

import pytest

BROWSER = os.environ.get("CI_THEORY_BROWSER", "")
PATIENCE = 900_000 if os.environ.get("CI_THEORY_BROWSER_ALL") else 120_000
"""Milliseconds for a page to show what its address says: heavy ones compile at every control."""

collect_ignore_glob = [] if BROWSER else ["test_*.py"]


class Visit:
    """A page, and whatever it did that it should not have done."""

    def __init__(self, context, base):
        self.base = base
        self.page = context.new_page()
        self.troubles = []
        self.page.on("console", lambda m: m.type == "error" and self.troubles.append(m.text))
        self.page.on("pageerror", lambda problem: self.troubles.append(str(problem)))
        self.page.on("request", self._look)

    def _look(self, request):
        if not request.url.startswith((self.base, "blob:", "data:")):
            self.troubles.append(f"asks {request.url}")

    def open(self, path):
        """Open a page and wait until its first curve, or the reason why there is none, is shown."""
        self.page.goto("about:blank")
        self.page.goto(self.base + path)
        self.settle()
        return self.page

    def settle(self):
        """Wait until what is shown is what the address says."""
        self.page.locator("body[data-shown]").wait_for(timeout=PATIENCE)
        self.page.wait_for_function(
            "() => explore.page && !explore.page.asking && !explore.page.again"
            " && document.body.dataset.shown === explore.page.state.text"
            " && location.hash === '#' + explore.page.state.text",
            timeout=PATIENCE,
        )

    @property
    def address(self):
        return self.page.evaluate("explore.page.state.text")


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The address of the running command, with a cache of its own."""
    environment = {**os.environ, "CI_THEORY_CACHE": str(tmp_path_factory.mktemp("cache"))}
    environment = {k: v for k, v in environment.items() if k not in ("XLA_FLAGS",)}
    command = [sys.executable, "-m", "ci_theory", "explore", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process.stdout.readline().split()[0]
        process.terminate()


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, served):
    """Visit pages; at the end nothing has gone wrong that a test did not expect."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    made = Visit(context, served)
    yield made
    context.close()
    assert made.troubles == []
