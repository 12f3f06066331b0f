"""What the book consists of: its pages, and the notebook that the text of a page makes.

A page is edited as MyST Markdown; its notebook is made from it, in this direction only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from papermill.translators import translate_parameters

from kbe.book.parameters import INJECTED, TAG


def pages(root: str | Path = ".") -> list[Path]:
    """The `.md` of every page that runs code, in the order of the table of contents, `_toc.yml` in the root.

    Raises
    ------
    ValueError
        If there is no table of contents, or it is no YAML.
    """
    listing = Path(root) / "_toc.yml"
    if not listing.is_file():
        raise ValueError(f"root is {str(root)!r}: it must be the folder that holds _toc.yml.")
    try:
        files = list(_files(yaml.safe_load(listing.read_text(encoding="utf-8"))))
    except yaml.YAMLError as error:
        raise ValueError(f"{listing} must be YAML: {' '.join(str(error).split())}.") from error
    return [Path(root) / Path(file).with_suffix(".md") for file in files if file.endswith(".ipynb")]


def _files(part: Any) -> Iterator[str]:
    """Every `file:` in a part of the table of contents, in order."""
    if isinstance(part, dict):
        yield from ([part["file"]] if isinstance(part.get("file"), str) else [])
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _files(inner)


def chapters(root: str | Path = ".") -> list[Path]:
    """The pages that measure something: those with a cell of parameters."""
    return [page for page in pages(root) if re.search(r"^:?tags: *\[.*\bparameters\b", text(page), re.M)]


def text(page: str | Path) -> str:
    """A page as it is edited, its `.md`, which must be in UTF-8."""
    try:
        return Path(page).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{page} cannot be read: it must be text in UTF-8.") from error


def make_notebook(page: str | Path, parameters: Mapping[str, Any] | None = None) -> nbformat.NotebookNode:
    """The notebook that a page's text makes, without outputs.

    Its cells are numbered, so that the same text makes the same file. Parameters that differ from the page's own get
    a cell of their own, as papermill gives them.
    """
    made = jupytext.reads(text(page), fmt="md:myst")
    if parameters:
        declaring = next(n for n, cell in enumerate(made.cells) if TAG in cell.metadata.get("tags", []))
        given = translate_parameters("python3", "python", dict(parameters), INJECTED.removeprefix("# "))
        made.cells.insert(declaring + 1, nbformat.v4.new_code_cell(given, metadata={"tags": [f"injected-{TAG}"]}))
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number:02}"
    return made


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells of a notebook that run, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_progress(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook, without what its cells wrote to stderr: progress bars."""
    for cell in code(notebook):
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook
