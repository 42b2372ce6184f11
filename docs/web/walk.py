"""Walk over the built site in a browser: ``python -m web.walk HTML``.

Every page is opened from disk: no request may leave the machine, nothing may be said on the
console, no formula may end in an error, no picture may be missing; a page to play with draws, and
says nothing; and search is asked for every phenomenon and for a public name of every module.
"""

import os
import shutil
import sys
from pathlib import Path

LOOK = """() => {
  const verbatim = 'code, pre, script, style, mjx-container, .math';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const raw = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const left = /\\$|\\\\\\(|\\\\\\[/.test(node.data);
    if (left && !node.parentElement.closest(verbatim)) raw.push(node.data);
  }
  // an unknown command is no error of MathJax: it is set in red
  const wrong = '[data-mjx-error], [data-mml-node="merror"], [fill="red"]';
  const errors = [...document.querySelectorAll(wrong)].filter(e => e.closest('mjx-container'));
  const maths = [...document.querySelectorAll('.math')];
  const bare = maths.filter(e => !e.querySelector('mjx-container'));
  const pictures = [...document.images].filter(i => i.loading !== 'lazy' && !i.naturalWidth);
  return {
    raw,
    errors: errors.map(e => e.dataset.mjxError || e.closest('.math')?.innerHTML.slice(0, 200)),
    bare: bare.map(e => e.textContent),
    missing: pictures.map(i => i.src),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


def main() -> None:
    """Print what is wrong; exit code 1 if anything is."""
    from playwright.sync_api import sync_playwright

    from ci_theory.phenomena import names
    from web import api, commands

    root = Path(sys.argv[1]).resolve()
    known = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, (shutil.which(name) for name in known if name)), None)
    if browser is None:
        print("no Chromium on the path: apt-get install chromium", file=sys.stderr)
        sys.exit(2)
    asked = [
        *names(),
        *commands.titles(),
        *sorted({one.rsplit(".", 1)[0]: one for one in api.described()}.values()),
    ]
    with sync_playwright() as playwright:
        found = walked(playwright, browser, root, asked)
    print(*found or ["every page opens, offline and without an error"], sep="\n")
    sys.exit(bool(found))


def walked(playwright, browser: str, root: Path, asked: list[str]) -> list[str]:
    """Return what is wrong with the pages and with search."""
    found: list[str] = []
    running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
    page = running.new_page(viewport={"width": 1280, "height": 900})
    where = ""
    page.on("console", lambda m: m.type == "error" and found.append(f"{where}: console: {m.text}"))
    page.on("pageerror", lambda e: found.append(f"{where}: {e}"))

    def seen(request) -> None:
        if not request.url.startswith(("file://", "data:", "blob:")):
            found.append(f"{where}: asked for {request.url}")

    page.on("request", seen)
    for file in sorted(root.rglob("*.html")):
        where = str(file.relative_to(root))
        if where.startswith("_static") or where == "explore/index.html":
            continue
        page.goto(file.as_uri())
        if where.startswith("explore/"):
            page.locator("body[data-shown]").wait_for(timeout=120_000)
            said = page.locator("#message").inner_text()
            found += [f"{where}: says {said}"] if said else []
            continue
        page.wait_for_function("!window.MathJax || MathJax.startup?.promise")
        page.evaluate("window.MathJax?.startup.promise.then(() => 0)")
        said = page.evaluate(LOOK)
        found += [f"{where}: {key}: {value}" for key, value in said.items() if value]
    for name in asked:
        where = f"search for {name}"
        page.goto(f"{(root / 'search.html').as_uri()}?q={name}")
        if not _answered(page):
            found.append(f"{where}: nothing found")
    running.close()
    return found


def _answered(page) -> bool:
    page.wait_for_function(
        "document.querySelector('#search-results ul.search li') || "
        "/did not match|found/.test(document.querySelector('#search-results')?.innerText || '')"
    )
    return page.locator("#search-results ul.search li").count() > 0


if __name__ == "__main__":
    main()
