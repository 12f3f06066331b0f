"""A Sphinx extension: what a page offers to download, in Markdown that every Jupyter shows and with its numbers in.

It lies beside the page as a script too, for pages opened from a disk: there a browser lets a page read no other file
and shows a notebook rather than save it, but it runs scripts. `book/_static/downloads.js` saves what the script holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat

from kbe.book.plain import in_plain_markdown

NEEDS = """\
# This notebook runs with the package of the book. The `kbe` of the public index is another one. From a checkout of the
# book install it with `pip install PATH`; or take the wheel that lies in the folder `_static` of the book's pages.
from importlib.util import find_spec

if not find_spec("kbe") or not find_spec("kbe.book"):
    raise ImportError("The book's package is missing: the first lines of this cell say how to install it.")
"""


def write_downloads(app: Any, error: Exception | None) -> None:
    """Write what each page offers, and the call of the function that saves it."""
    for page in app.env.found_docs if error is None and app.builder.format == "html" else ():
        source = Path(app.env.doc2path(page))
        target = Path(app.outdir, "_sources", source.relative_to(app.srcdir))
        text = offered(source) if source.suffix == ".ipynb" else source.read_text(encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        call = f"save({json.dumps(source.name)}, {json.dumps(text)});\n"
        target.with_name(f"{source.name}.js").write_text(call, encoding="utf-8")


def offered(source: Path) -> str:
    """A page's notebook, plain, and with a first cell that says what it needs."""
    notebook = in_plain_markdown(nbformat.read(source, 4), source.stem, source.parent)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(NEEDS.rstrip(), id="needs"))
    return nbformat.writes(notebook)


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("build-finished", write_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
