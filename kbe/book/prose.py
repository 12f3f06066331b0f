"""The numbers and verdicts in the prose of pages, put in from the executions that measured them.

A page's text says ``{number}`name``` or, with a form of Python's, ``{number}`name .2f```, and ``{claim}`name``` for a
verdict that leads to its claim. A claim's estimate is a number of its name; `name.low`, `name.high` and `name.members`
belong to it; these lead to the claim too. What another page has measured has that page before it, as in
``{claim}`density:onset-grows```. The text with the names is kept in a notebook's cell, so that the next run of the same
notebook puts in its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from kbe.book import chapter, report
from kbe.book.claims import Judged

_NAMED = re.compile(r"\{(number|claim)\}`([^`]+)`")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WRITTEN = "kbe_text"  # where a cell keeps its text as it was written
ADDED = "kbe_added"  # marks a cell that is not the page's own


class Prose:
    """What has been measured, put in the place of its names.

    Parameters
    ----------
    find
        Where the executed notebook of a page lies, by the page's name; a ValueError or KeyError if there is none.

    Attributes
    ----------
    faults : list of str
        The names that stood for nothing that was measured, or whose form does not fit; the text still has them.
    """

    def __init__(self, find: Callable[[str], Path]) -> None:
        self._find = find
        self._known: dict[str, _Measured] = {}
        self.faults: list[str] = []

    def in_text(self, text: str, page: str) -> str:
        """A page's text with what its names stand for."""

        def put(match: re.Match[str]) -> str:
            kind, named = match.groups()
            place, _, rest = named.rpartition(":")
            try:
                known = self._measured(place or page)
                if kind == "claim":
                    return known.badge(rest, place)
                name, *form = rest.split(maxsplit=1)
                return known.leading(name, place, known.number(name, *form))
            except (KeyError, ValueError, OSError) as error:
                self.faults.append(f"{page}: {match.group()} ({type(error).__name__}: {error})")
                return match.group()

        return _NAMED.sub(put, text)

    def in_notebook(self, notebook: nbformat.NotebookNode, page: str) -> nbformat.NotebookNode:
        """An executed notebook with what it has measured itself, in its Markdown and its captions; a copy."""
        made = nbformat.from_dict(notebook)
        made.cells = [cell for cell in made.cells if ADDED not in cell.metadata]
        self._known[page] = _Measured(made.cells)
        for holder, key in _texts(made):
            holder[key] = self.in_text(holder[key], page)
        for output in (output for cell in made.cells for output in cell.get("outputs", [])):
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = _leading_to_report(output.data["text/markdown"], page)
        return made

    def _measured(self, page: str) -> _Measured:
        if page not in self._known:
            self._known[page] = _Measured(json.loads(self._find(page).read_text(encoding="utf-8"))["cells"])
        return self._known[page]


def _texts(notebook: nbformat.NotebookNode) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a notebook holds prose: its Markdown, as it was written, and the captions of its figures."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.metadata.get(WRITTEN, cell.source)
            if _NAMED.search(cell.source):
                cell.metadata[WRITTEN] = cell.source
            yield cell, "source"
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "caption" in figure:
            yield figure, "caption"


def _leading_to_report(text: str, page: str) -> str:
    """A verdict where it is measured leads to its row in the table of all claims, which leads here."""
    return re.sub(
        r'<span (class="kbe-verdict [^>]*id="claim-([\w-]+)")>(.*?)</span>',
        rf'<a \1 href="report.html#{page}:\2">\3</a>',
        text,
    )


class _Measured:
    """What executed cells have measured, by name."""

    def __init__(self, cells: Iterable[Mapping[str, Any]]) -> None:
        self._claims: dict[str, Judged] = {one.claim.name: one for one in report.claims_in(cells)}
        self._numbers = dict(chapter.handed_on(cells))
        for name, one in self._claims.items():
            parts = {"": one.estimate, ".low": one.low, ".high": one.high, ".members": one.members}
            self._numbers |= {name + part: value for part, value in parts.items()}

    def number(self, name: str, form: str = "") -> str:
        """A number in a form of Python's or, with a % at its end, in per cent."""
        value = chapter.finite_or_words(self._numbers[name])
        if isinstance(value, str):
            return value
        form = form or ("d" if isinstance(value, int) else ".3g")
        if form.endswith("%"):
            return f"{100 * value:{form[:-1] or '.0f'}}\N{NO-BREAK SPACE}%"
        digits, _, exponent = f"{value:{form}}".partition("e")
        power = f" · 10{str(int(exponent)).translate(_RAISED)}" if exponent else ""
        return digits.replace("-", "−") + power

    def badge(self, name: str, page: str) -> str:
        """A verdict that leads to its claim, on another page if one is named."""
        return report.badge(self._claims[name].verdict, self._link(name, page), "a")

    def leading(self, name: str, page: str, shown: str) -> str:
        """A number, as it is shown, that leads to its claim, if it is a claim's."""
        claim = name.partition(".")[0]
        return f'<a class="kbe-number" {self._link(claim, page)}>{shown}</a>' if claim in self._claims else shown

    def _link(self, name: str, page: str) -> str:
        one = self._claims[name]
        title = f"{one.claim.statement} {report.result(one)}".replace('"', "&quot;")
        return f'href="{page and f"{page}.html"}#claim-{name}" title="{title}"'
