"""A Sphinx extension: under each figure a link to the function that drew it, on a page that shows its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes

import kbe.figures
from kbe.book.drawings import drawn_by

FOLDER = "_modules/kbe/figures"


def lead_to_functions(app: Any, doctree: nodes.document, page: str) -> None:
    """Put the link at the end of each caption."""
    source = Path(app.env.doc2path(page))
    if app.builder.format == "html" and source.suffix == ".ipynb":
        drawn = drawn_by(nbformat.read(source, 4))
        for caption in doctree.findall(nodes.caption):
            for name in set(caption.parent["ids"]) & set(drawn):
                module, _, function = drawn[name].partition(".")
                address = f"{app.builder.get_relative_uri(page, f'{FOLDER}/{module}')}#{function}"
                link = nodes.reference("", f"Drawn by {drawn[name]}", refuri=address, internal=True)
                caption += [nodes.Text(" "), nodes.inline("", "", link, classes=["kbe-drawn"])]


def show_modules(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each module of figures, with a place to lead to at each function."""
    for path in sorted(Path(kbe.figures.__path__[0]).glob("[!_]*.py")) if app.builder.format == "html" else ():
        code = path.read_text(encoding="utf-8")
        lines = (
            app.builder.highlighter.highlight_block(code, "python").replace("<pre>", '<pre tabindex="0">').split("\n")
        )
        for node in ast.parse(code).body:
            if isinstance(node, ast.FunctionDef):
                lines[node.lineno - 1] = f'<span id="{node.name}"></span>{lines[node.lineno - 1]}'
        title = f"kbe.figures.{path.stem}"
        body = f"<h1>{escape(title)}</h1>\n" + "\n".join(lines)
        yield f"{FOLDER}/{path.stem}", {"title": title, "pagetitle": title, "body": body}, "page.html"


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("doctree-resolved", lead_to_functions)
    app.connect("html-collect-pages", show_modules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
