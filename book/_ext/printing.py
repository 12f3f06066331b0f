"""A Sphinx extension for the PDF: long tables run over several pages, and code that the web page folds is left out."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from docutils import nodes

FEW_ROWS = 4


def for_print(app: Any, doctree: nodes.document, page: str) -> None:
    """Make a page fit for LaTeX."""
    if app.builder.format == "latex":
        _leave_out_folded(doctree)
        _let_tables_break(doctree)
        _find_pictures_of_other_pages(doctree, app.env.images)


def _leave_out_folded(doctree: nodes.document) -> None:
    """Take away the code of cells whose code the web page folds, and cells that it folds whole."""
    for cell in list(doctree.findall(nodes.container)):
        if "tag_hide-cell" in cell["classes"]:
            cell.parent.remove(cell)
        elif "tag_hide-input" in cell["classes"]:
            for part in [part for part in cell.children if "cell_input" in part.get("classes", [])]:
                cell.remove(part)


def _find_pictures_of_other_pages(doctree: nodes.document, known: Container[str]) -> None:
    """All pictures lie beside the printed text; MyST-NB names those of another page as seen from the page.

    Sphinx puts there what it knows, by the name that it knows.
    """
    for picture in doctree.findall(nodes.image):
        if picture["uri"].startswith("../") and picture["uri"] not in known:
            picture["uri"] = picture["uri"].rpartition("/")[2]


def _let_tables_break(doctree: nodes.document) -> None:
    """Let tables of more than a few rows break across pages: they would else run off the page."""
    for table in doctree.findall(nodes.table):
        _let_code_break(table)
        rows = [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
        if len(rows) > FEW_ROWS:
            # Without given widths LaTeX sets each cell of a long table in one line.
            table["classes"] += ["longtable", "colwidths-given"]
            lengths = [max(min(sum(map(len, column)) / len(rows), 60), _longest_word(column)) + 6
                       for column in zip(*rows, strict=True)]  # fmt: skip
            for column, length in zip(table.findall(nodes.colspec), lengths, strict=True):
                column["colwidth"] = round(1000 * length / sum(lengths))


def _let_code_break(table: nodes.table) -> None:
    """Set names of claims as text with a space where they may break: LaTeX breaks no code."""
    for code in list(table.findall(nodes.literal)):
        if ":" in code.astext():
            code.replace_self(nodes.inline("", code.astext().replace(":", ": ")))


def _longest_word(column: tuple[str, ...]) -> int:
    return max(len(word) for cell in column for word in re.split(r"[\s-]", cell))


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("doctree-resolved", for_print)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
