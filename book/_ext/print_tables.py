"""A Sphinx extension: in the PDF a table may run over several pages, with columns as wide as their text needs."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

FEW_ROWS = 4


def may_break(app: Any, doctree: nodes.document, page: str) -> None:
    """Let tables of more than a few rows break across pages in LaTeX, which would else run off the page."""
    if app.builder.format != "latex":
        return
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
    app.connect("doctree-resolved", may_break)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
