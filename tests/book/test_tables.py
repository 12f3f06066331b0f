"""Tables as Markdown."""

from __future__ import annotations

import pytest
from IPython.core.formatters import DisplayFormatter

from kbe.book.tables import Table


def test_a_table_keeps_bars_and_lines_inside_their_cell():
    made = Table(("claim", "measure"), [("|V-V*| grows.", "two\nlines"), (1, None)], {"data/one": 3})
    assert repr(made).splitlines() == [
        "| claim | measure |", "| --- | --- |", r"| \|V-V*\| grows. | two lines |", "| 1 | None |"
    ]  # fmt: skip
    shown, _ = DisplayFormatter().format(made)  # as a notebook does
    assert shown == {"text/markdown": repr(made), "text/plain": repr(made), "data/one": 3}


def test_a_row_has_a_cell_for_each_heading():
    with pytest.raises(ValueError, match="A row has 1 cells: it must have 2"):
        Table(("a", "b"), [("x", "y"), ("z",)])
