"""A page's notebook in the Markdown that every Jupyter shows: without MyST's roles and directives, with its captions.

What was written is kept in each cell, so that the notebook can be run and made again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import nbformat
from pybtex.database import parse_file

from kbe.book import contents
from kbe.book.chapter import GLUED
from kbe.book.prose import ADDED, WRITTEN, Prose

_PICTURE = "image/png"
_BLOCK = re.compile(r"^( *)(`{3,})\{([a-z:-]+)\} *(.*)\n((?:.*\n)*?) *\2 *$", re.MULTILINE)
_GLUE = re.compile(r"^```\{glue:figure\} *(\S+)", re.MULTILINE)
_NAME = re.compile(r"^:name: *(\S+)", re.MULTILINE)
_OPTIONS = re.compile(r"(?:^:[a-z-]+:.*\n|^---\n(?:.*\n)*?---\n)+", re.MULTILINE)
_ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
_TARGET = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
_BADGE = re.compile(r'<a class="kbe-verdict[^>]*>(.*?)</a>')
_NUMBER = re.compile(r'<a class="kbe-number[^>]*>(.*?)</a>')
_LINK = re.compile(r"\[([^\]]+)\]\(#[\w-]+\)")


def in_plain_markdown(notebook: nbformat.NotebookNode, page: str, folder: Path) -> nbformat.NotebookNode:
    """An executed notebook with its numbers, verdicts, captions and pictures in plain Markdown; a copy.

    Parameters
    ----------
    notebook
        As it is written, or as an earlier call has made it and somebody has run it again.
    page
        The page's name.
    folder
        Where the pages of the book and their executed notebooks lie; what is not there is named.
    """
    made = Prose(lambda name: folder / f"{name}.ipynb").in_notebook(notebook, page)
    say = _Plain({name: number for number, name in enumerate(_figures(made), 1)}, folder)
    pictures = _glued(made)
    cells = []
    for cell in made.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.metadata.setdefault(WRITTEN, cell.source)
            cell["attachments"] = {f"{key}.png": pictures[key] for key in _GLUE.findall(cell.source) if key in pictures}
            cell.source = say.text(cell.source)
        elif "caption" in (figure := cell.metadata.get("mystnb", {}).get("figure", {})):
            caption = say.caption(figure.get("name", ""), figure["caption"])
            cells.append(nbformat.v4.new_markdown_cell(caption, id=f"{cell.id}-caption", metadata={ADDED: True}))
    made.cells = cells
    return made


class _Plain:
    """MyST's roles and directives as plain Markdown."""

    def __init__(self, figures: dict[str, int], folder: Path) -> None:
        self._figures, self._folder = figures, folder

    def text(self, text: str) -> str:
        """Some Markdown, with blocks inside blocks."""
        text = _BLOCK.sub(lambda m: indent(self._block(m[3], m[4], dedent(m[5])), m[1]), _TARGET.sub("", text))
        text = _NUMBER.sub(r"\1", _BADGE.sub(r"**\1**", _ROLE.sub(self._role, text)))
        return _LINK.sub(r"\1", text)

    def caption(self, name: str, text: str) -> str:
        """A figure's caption, with its number."""
        return f"**Figure {self._figures[name]}.** {self.text(text.strip())}"

    def _block(self, kind: str, argument: str, body: str) -> str:
        options = _OPTIONS.match(body)
        inner = body[options.end() :].strip("\n") if options else body.strip("\n")
        if kind == "math":
            return f"$$\n{inner}\n$$"
        if kind == "glue:figure":
            name = _NAME.search(body)
            return f"![](attachment:{argument}.png)\n\n{self.caption(name[1] if name else argument, inner)}"
        if kind == "list-table":
            return _table(inner)
        if options and "dropdown" in options[0]:
            return f"<details><summary>{argument}</summary>\n\n{self.text(inner)}\n\n</details>"
        quoted = f"**{argument}**\n\n{self.text(inner)}"
        return "\n".join(f"> {line}".rstrip() for line in quoted.splitlines())

    def _role(self, match: re.Match[str]) -> str:
        kind, content = match.groups()
        shown = re.fullmatch(r"(.*?) *<(.*)>", content, re.DOTALL)
        if kind == "math":
            return f"${content}$"
        if kind == "numref":
            return f"Figure {self._figures[content]}" if content in self._figures else "the figure there"
        if kind.startswith("cite"):
            works = " and ".join(_work(self._folder, key.strip()) for key in content.split(","))
            return works if kind == "cite:t" else f"({works})"
        if kind == "doc":
            return f"*{shown[1] if shown else _title(self._folder, content)}*"
        if kind in ("number", "claim"):  # of a page that is not there
            return f"(see *{_title(self._folder, content.partition(':')[0])}*)"
        return shown[1] if shown else content


def _figures(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """The names of a notebook's figures, in order."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from (name for _, name in _shown_elsewhere(cell.source))
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            yield figure.get("name", "")


def glued_figures(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    """The figures that stand elsewhere than their cell: what the cell has glued them as, and their names."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from _shown_elsewhere(cell.source)


def _shown_elsewhere(text: str) -> Iterator[tuple[str, str]]:
    for _, _, kind, key, body in _BLOCK.findall(text):
        if kind == "glue:figure":
            yield key, name[1] if (name := _NAME.search(body)) else key


def _glued(notebook: nbformat.NotebookNode) -> dict[str, dict[str, Any]]:
    """The pictures that cells have glued, by name, as attachments hold them."""
    outputs = [output for cell in contents.code(notebook) for output in cell.outputs if "metadata" in output]
    found = {one.metadata.scrapbook.name: one.data for one in outputs if "scrapbook" in one.metadata}
    return {name: {_PICTURE: data[GLUED + _PICTURE]} for name, data in found.items() if GLUED + _PICTURE in data}


@cache
def _title(folder: Path, page: str) -> str:
    """The title of a page or, where it does not lie, its name."""
    path = folder / f"{page}.md"
    heading = re.search(r"^# (.*)$", contents.text(path), re.MULTILINE) if path.is_file() else None
    return heading[1] if heading else page


@cache
def _work(folder: Path, key: str) -> str:
    """Authors and year of a work or, where the references do not lie, its key."""
    path = folder / "references.bib"
    entries = parse_file(str(path)).entries if path.is_file() else {}
    if key not in entries:
        return key
    names = [" ".join(person.last_names) for person in entries[key].persons["author"]]
    authors = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
    return f"{authors} {entries[key].fields['year']}"


def _table(body: str) -> str:
    """A list of lists as a Markdown table with a head."""
    rows = re.split(r"^\* - ", body, flags=re.MULTILINE)[1:]
    lines = [[" ".join(cell.split()) for cell in re.split(r"^  - ", row, flags=re.MULTILINE)] for row in rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
