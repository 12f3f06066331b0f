"""The staged copy of the book: outputs put in, what is right left alone, what is gone removed."""

from __future__ import annotations

import nbformat
import pytest

from kbe.book import building, contents, executions, files, staging

PAGE = """---
kernelspec:
  name: python3
  display_name: Python 3
  language: python
---
# Title

Text.

```{code-cell}
1 + 1
```
"""


@pytest.fixture
def book(tmp_path):
    (tmp_path / "book" / "_static").mkdir(parents=True)
    (tmp_path / "kbe").mkdir()
    (tmp_path / "_toc.yml").write_text("- file: book/one.ipynb\n")
    (tmp_path / "_config.yml").write_text("execute_notebooks: force # why\n")
    (tmp_path / "book" / "one.md").write_text(PAGE)
    (tmp_path / "book" / "one.ipynb").write_text("what is stored")
    (tmp_path / "book" / "two.md").write_text("# No code")
    (tmp_path / "book" / "_static" / "book.css").write_text("p {}")
    (tmp_path / "book" / ".hidden").write_text("")
    return tmp_path


def executed(book):
    (one,) = executions.plan(book)
    made = nbformat.from_dict(one.notebook)
    streams = [nbformat.v4.new_output("stream", name=name, text=name) for name in ("stdout", "stderr")]
    contents.code(made)[0].outputs = streams
    made.metadata |= {"language_info": {"name": "python"}, "kbe": {"seconds": 1.0, "finished": "2026", "inputs": {}}}
    files.write(nbformat.writes(made), one.path)
    return executions.plan(book)


def staged(book):
    staging.stage(book, book / "stage", executed(book))
    return {str(path.relative_to(book / "stage")): path.stat().st_mtime_ns
            for path in (book / "stage").rglob("*") if path.is_file()}  # fmt: skip


def test_the_copy_has_the_executed_pages_without_progress_and_executes_nothing(book):
    assert set(staged(book)) == {"_toc.yml", "_config.yml", *(
        f"book/{name}" for name in ("one.md", "one.ipynb", "two.md", "_static/book.css"))}  # fmt: skip
    assert "execute_notebooks: off" in (book / "stage" / "_config.yml").read_text()
    made = nbformat.read(book / "stage" / "book" / "one.ipynb", 4)
    assert [output.text for output in contents.code(made)[0].outputs] == ["stdout"]
    assert made.metadata.kbe == {"seconds": 1.0, "finished": "2026"}


def test_only_what_changed_is_written_and_what_is_gone_is_removed(book):
    before = staged(book)
    assert staged(book) == before
    (book / "book" / "one.md").write_text(PAGE.replace("Text.", "Other text."))
    (book / "book" / "two.md").unlink()
    after = staged(book)
    assert set(before) - set(after) == {"book/two.md"}
    assert {name for name in after if after[name] != before[name]} == {"book/one.md", "book/one.ipynb"}
    assert "Other text." in (book / "stage" / "book" / "one.ipynb").read_text()


@pytest.mark.parametrize(
    ("old", "new", "others"),
    [("Text.", "Other text.", False), ("# Title", "# Other title", True), ("Text.", "(label)=\nText.", True)],
)
def test_other_pages_are_built_anew_when_a_title_or_a_label_changes(book, old, new, others):
    staged(book)
    before = building._shared(book / "stage")
    (book / "book" / "one.md").write_text(PAGE.replace(old, new))
    staged(book)
    assert (building._shared(book / "stage") != before) == others
    before = building._shared(book / "stage")
    (book / "book" / "_static" / "book.css").write_text("p { color: red }")
    staged(book)
    assert building._shared(book / "stage") != before


def test_a_page_that_was_not_executed_is_not_staged(book):
    with pytest.raises(ValueError, match="one has not been executed"):
        staging.stage(book, book / "stage", executions.plan(book))


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file"
    files.write("old", path)
    with pytest.raises(UnicodeEncodeError):
        files.write("new \ud800", path)
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]
