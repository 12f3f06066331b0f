"""A table that a notebook, a web page and a printed page each show in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Table:
    """Rows under headings, displayed as a Markdown table; `data` is stored beside it, by its MIME type.

    Raises
    ------
    ValueError
        If a row has not as many cells as there are headings.
    """

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[Any]], data: dict[str, Any] | None = None) -> None:
        self.head, self.rows, self.data = list(head), [list(row) for row in rows], data or {}
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"A row has {len(row)} cells: it must have {len(self.head)}, one for each heading.")

    def __repr__(self) -> str:
        """The table as Markdown, which is plain enough to read."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/markdown": repr(self), "text/plain": repr(self), **self.data}


def _cell(value: Any) -> str:
    return str(value).replace("|", r"\|").replace("\n", " ")
