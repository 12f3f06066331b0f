"""What needs an address appears once one is configured, and nothing breaks without: built by Sphinx as the book is."""

from __future__ import annotations

import re

import nbformat

CELLS = [nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell("1")]
SITE, SOURCE = "https://book.example/kbe/", "https://github.com/someone/kbe"
CANONICAL = '<link rel="canonical" href="([^"]*)"'


def test_without_addresses_a_page_leads_nowhere_else(small_book):
    made = small_book(CELLS, {})
    page = (made / "book" / "one.html").read_text()
    assert not re.search(CANONICAL, page) and "og:url" not in page and not (made / "sitemap.xml").exists()
    assert "/v2/" not in page and "launch" not in page.partition("<article")[2].lower()
    assert 'href="/_static/book.css' in (made / "404.html").read_text()


def test_with_addresses_a_page_says_where_it_is_and_can_be_launched(small_book):
    made = small_book(CELLS, {'baseurl: ""': f"baseurl: {SITE}", 'source_address: ""': f"source_address: {SOURCE}"})
    page = (made / "book" / "one.html").read_text()
    assert re.findall(CANONICAL, page) == [f"{SITE}book/one.html"]
    assert f'content="{SITE}_static/map.png"' in page and f"{SITE}book/one.html" in (made / "sitemap.xml").read_text()
    launched = re.findall(r'href="(https://mybinder.org/[^"]*)"', page)
    assert set(launched) == {"https://mybinder.org/v2/gh/someone/kbe/main?urlpath=lab/tree/book/one.ipynb"}
    assert 'href="/kbe/_static/book.css' in (made / "404.html").read_text()
