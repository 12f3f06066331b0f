"""The staged copy of the book: outputs put in, what is right left alone, what is gone removed."""

from __future__ import annotations

import nbformat
import pytest

from kbe.book import staging


@pytest.fixture
def book(one_page):
    (one_page.root / "book" / "_static").mkdir()
    one_page.stored.write_text("what is stored")
    (one_page.root / "book" / "two.md").write_text("# No code")
    (one_page.root / "book" / "_static" / "book.css").write_text("p {}")
    (one_page.root / "book" / ".hidden").write_text("")
    return one_page


def staged(book):
    """The names of the copied files, and when they were written."""
    outputs = [nbformat.v4.new_output("stream", name=name, text=name) for name in ("stdout", "stderr")]
    folder = book.root / "stage"
    staging.stage(book.root, folder, [book.executed(*outputs)])
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_copy_has_the_executed_pages_without_progress_and_executes_nothing(book):
    pages = ("one.md", "one.ipynb", "two.md", "_static/book.css")
    assert set(staged(book)) == {"_toc.yml", "_config.yml", *(f"book/{name}" for name in pages)}
    assert "execute_notebooks: off" in (book.root / "stage" / "_config.yml").read_text()
    made = nbformat.read(book.root / "stage" / "book" / "one.ipynb", 4)
    assert [output.text for output in made.cells[-1].outputs] == ["stdout"]
    assert made.metadata.kbe == {"seconds": 14.2, "finished": "2026"}


def test_only_what_changed_is_written_and_what_is_gone_is_removed(book):
    before = staged(book)
    assert staged(book) == before
    book.write("# Title\n\nOther text.\n")
    (book.root / "book" / "two.md").unlink()
    after = staged(book)
    assert set(before) - set(after) == {"book/two.md"}
    assert {name for name in after if after[name] != before[name]} == {"book/one.md", "book/one.ipynb"}
    assert "Other text." in (book.root / "stage" / "book" / "one.ipynb").read_text()


def test_a_page_that_was_not_executed_is_not_staged(book):
    with pytest.raises(ValueError, match="one has not been executed"):
        staging.stage(book.root, book.root / "stage", [book.execution()])
