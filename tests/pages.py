"""The built pages in a browser, as `make pages` opens them: axe-core finds nothing, nothing leaves the page.

With EVERY_LOOK=1 each page in every look; else in one of them, one after the other, and the first page in all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import needs_browser, served
from playwright.sync_api import Browser, Page

PAGES = Path(__file__).parents[1] / "_build" / "html"
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "narrow": ("light", 390)}
# Where there is no page, an address leads to 404.html, which knows its place only when it is served.
# The theme leaves templates of its own in _static.
NAMES = sorted(name for name in (str(path.relative_to(PAGES)) for path in PAGES.rglob("*.html"))
               if name != "404.html" and not name.startswith("_static"))  # fmt: skip
FEW = [name for name in NAMES if not name.startswith("_modules") or "density" in name]  # code looks like code
EVERY = bool(os.environ.get("EVERY_LOOK"))
TAKEN = [(name, look) for number, name in enumerate(NAMES if EVERY else FEW) for place, look in enumerate(LOOKS)
         if EVERY or name == "index.html" or number % len(LOOKS) == place]  # fmt: skip
pytestmark = needs_browser


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[str, str], Page]]:
    """A function that opens an address in a look; no script may fail, nothing else be requested."""
    asked: list[str] = []
    faults: list[str] = []

    def open_page(address: str, look: str) -> Page:
        scheme, width = LOOKS[look]
        page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        page.set_default_timeout(300_000)  # a busy machine is no fault of the page
        page.on("request", lambda request: asked.append(request.url))
        page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if not answer.ok else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address, wait_until="networkidle")
        page.evaluate("window.MathJax?.startup.promise.then(() => true)")
        own.add(urlparse(address)[:2])
        return page

    own: set[tuple[str, str]] = set()
    yield open_page
    for context in browser.contexts:
        context.close()
    assert not faults
    assert not [url for url in asked if urlparse(url).scheme not in ("data", "blob") and urlparse(url)[:2] not in own]


def faults_of_access(page: Page) -> list[tuple[str, str, list[str]]]:
    """What axe-core finds, without the sheets of style that a page from a disk may not read."""
    found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    return [(fault["id"], fault["help"], [node["html"][:120] for node in fault["nodes"][:3]]) for fault in found]


@pytest.mark.parametrize("name, look", TAKEN)
def test_a_page_opened_from_the_disk(opened, name, look):
    page = opened((PAGES / name).as_uri(), look)
    assert not faults_of_access(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served(PAGES) as address:
        yield address


@pytest.mark.parametrize("name", ["index.html", "404.html", "search.html"])
@pytest.mark.parametrize("look", LOOKS)
def test_a_page_that_is_served(opened, server, name, look):
    page = opened(f"{server}/{name}", look)
    assert not faults_of_access(page)
    assert all(text.strip() for text in page.locator("h1").all_text_contents())


PLACE = re.compile(r'\b(?:id|name)="([^"]+)"')
FIGURE = re.compile(r'<figure [^>]*id="fig-.*?</figure>', re.DOTALL)
LINK = re.compile(r'<a [^>]*href="([^"#:]*)#([^"]+)"')


def test_links_lead_to_places_that_there_are():
    """Numbers and verdicts to their claims, figures to their functions, and all others within the book."""
    pages = {PAGES / name: (PAGES / name).read_text(encoding="utf-8") for name in NAMES}
    places = {page: set(PLACE.findall(text)) for page, text in pages.items()}
    leads = {(page, page.parent / other if other else page, unquote(place)) for page, text in pages.items()
             for other, place in LINK.findall(text)}  # fmt: skip
    lost = [(page.stem, other.stem, place) for page, other, place in leads
            if place not in places[other.resolve()]]  # fmt: skip
    assert leads and not lost


def test_figures_lead_to_the_functions_that_drew_them():
    figures = [figure for name in NAMES for figure in FIGURE.findall((PAGES / name).read_text(encoding="utf-8"))]
    assert figures and all('class="kbe-drawn"' in figure for figure in figures)
