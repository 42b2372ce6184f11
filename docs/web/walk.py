"""Walk over the built site in a browser: ``python -m web.walk HTML``.

Every page is opened from disk: no request may leave the machine, nothing may be said on the
console, no formula may end in an error, no picture may be missing; a page to play with draws, and
says nothing; and search is asked for every phenomenon, every command and every public name.
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

SEARCH = """async words => {
  const found = {};
  for (const word of words) {
    const box = document.querySelector('#search-results');
    box.replaceChildren();
    Search.performSearch(word);
    const deadline = performance.now() + 10000;
    while (!/did not match|found/.test(box.innerText) && performance.now() < deadline)
      await new Promise(done => setTimeout(done, 2));
    found[word] = [...box.querySelectorAll('li a')].map(link => link.getAttribute('href'));
  }
  return found;
}"""
AT_ONCE = 50  # words that one call searches for


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
    pages = [*names(), *commands.titles()]
    with sync_playwright() as playwright:
        found = walked(playwright, browser, root, pages, list(api.described()))
    print(*found or ["every page opens, offline and without an error"], sep="\n")
    sys.exit(bool(found))


def walked(
    playwright, browser: str, root: Path, titles: list[str], described: list[str]
) -> list[str]:
    """Return what is wrong with the pages and with search, for titles and for names of the code."""
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
    where = "search"
    page.goto(f"{(root / 'search.html').as_uri()}?q=ridge")
    page.wait_for_function("document.querySelector('#search-results ul.search li')")
    words = [*titles, *described]
    for start in range(0, len(words), AT_ONCE):
        for word, links in page.evaluate(SEARCH, words[start : start + AT_ONCE]).items():
            # beside a sibling of the same letters search shows one of the two
            last = word.rpartition(".")[2].lower()
            there = links if word in titles else [k for k in links if k.lower().endswith(last)]
            found += [] if there else [f"search for {word}: not found"]
    running.close()
    return found


if __name__ == "__main__":
    main()
