"""What a page offers to download is saved: built by Sphinx as the book is, from a page of one cell."""

from __future__ import annotations

import json
import re

import nbformat
import pytest


def test_the_buttons_of_a_page_save_its_notebook(small_book):
    cells = [nbformat.v4.new_markdown_cell("# One, {math}`x`"), nbformat.v4.new_code_cell("'</script> ä'")]
    made = small_book(cells, {})
    for page, source in (("index.html", "_sources/index.md"), ("book/one.html", "../_sources/book/one.ipynb")):
        text = (made / page).read_text()
        links = re.findall(r"<a [^>]*href=\"[^\"]*_sources/[^>]*>", text)
        assert links and all(f' download href="{source}"' in link for link in links)
        assert "_static/downloads.js" in text
    offered = (made / "_sources" / "book" / "one.ipynb").read_text()
    first, text, code = nbformat.reads(offered, 4).cells
    exec(first.source, {})  # says nothing where the package is
    missing = first.source.replace('"kbe.book"', '"kbe.nowhere"')
    with pytest.raises(ImportError, match="first lines of this cell"):
        exec(missing, {})
    assert (text.source, code.source) == ("# One, $x$", "'</script> ä'")
    script = (made / "_sources" / "book" / "one.ipynb.js").read_text()
    assert json.loads(re.fullmatch(r"save\((.*)\);\n", script).expand(r"[\1]")) == ["one.ipynb", offered]
