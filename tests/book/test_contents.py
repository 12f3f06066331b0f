"""The pages in the table of contents, and the notebook that a page's text makes."""

from __future__ import annotations

import pytest

from kbe.book import contents


def test_pages_that_run_code_come_in_the_order_of_the_table_of_contents(one_page):
    parts = "root: book/intro\nparts:\n  - chapters:\n      - file: book/two.ipynb\n      - file: book/one.ipynb\n"
    (one_page.root / "_toc.yml").write_text(parts)
    (one_page.root / "book" / "two.md").write_text("# It measures nothing\n")
    assert [page.name for page in contents.pages(one_page.root)] == ["two.md", "one.md"]
    assert contents.chapters(one_page.root) == [one_page.page]


def test_a_folder_without_contents_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"_toc\.yml"):
        contents.pages(tmp_path)


def test_the_same_text_makes_the_same_notebook_and_given_parameters_a_cell_after_their_own(one_page):
    plain, given = contents.make_notebook(one_page.page), contents.make_notebook(one_page.page, {"n": 5})
    assert plain == contents.make_notebook(one_page.page)
    assert [cell.source for cell in contents.code(given)][:2] == ["n: int = 3  # how many", "# Parameters\nn = 5\n"]
    assert [cell.id for cell in given.cells] == [f"cell-{number:02}" for number in range(len(plain.cells) + 1)]
