"""An executed notebook as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from typing import Any

import nbformat
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_CODE = HtmlFormatter()
_ATTACHED = re.compile(r"\(attachment:([^)]+)\)")
_COLOURED = re.compile(r"\x1b\[[0-9;]*m")
_STYLE = """body { max-width: 60em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; }
img, svg { max-width: 100%; height: auto; } table { border-collapse: collapse; } td, th { padding: .2em .6em; }
tr { border-bottom: 1px solid #ddd; } pre { overflow-x: auto; } .highlight { background: #f6f6f6; padding: .1em 1em; }
"""


def page(title: str, body: str) -> str:
    """A whole page around some HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{_CODE.get_style_defs()}</style></head>'
        f"<body>\n{body}\n</body></html>\n"
    )


def as_html(notebook: nbformat.NotebookNode, title: str, first: str = "") -> str:
    """A notebook's text, code and outputs as a page; some Markdown may stand first."""
    cells = [_MARKDOWN.render(first), *map(_cell, notebook.cells)]
    return page(title, "\n".join(cells))


def _cell(cell: nbformat.NotebookNode) -> str:
    if cell.cell_type != "code":
        pictures = cell.get("attachments", {})
        return _MARKDOWN.render(_ATTACHED.sub(lambda m: f"({_address(pictures.get(m[1], {}))})", cell.source))
    shown = highlight(cell.source, PythonLexer(), _CODE)
    return f"<details><summary>Code</summary>{shown}</details>" + "".join(map(_output, cell.outputs))


def _output(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>"
    if output.output_type == "error":
        return f"<pre>{html.escape(_COLOURED.sub('', chr(10).join(output.traceback)))}</pre>"
    data = output.data
    if address := _address(data):
        return f'<p><img src="{address}" alt="{html.escape(data.get("text/plain", ""))}"></p>'
    if "text/markdown" in data:
        return _MARKDOWN.render(data["text/markdown"])
    return str(data.get("text/html", "")) or f"<pre>{html.escape(data.get('text/plain', ''))}</pre>"


def _address(data: Mapping[str, Any]) -> str:
    """A picture as an address that holds it; empty if there is none."""
    if "image/png" in data:
        return f"data:image/png;base64,{''.join(data['image/png'].split())}"
    if "image/svg+xml" in data:
        return f"data:image/svg+xml;base64,{base64.b64encode(data['image/svg+xml'].encode()).decode()}"
    return ""
