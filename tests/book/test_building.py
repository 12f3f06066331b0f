"""What Sphinx is asked to build anew; Sphinx itself is left out."""

from __future__ import annotations

import subprocess

import pytest

from kbe.book import building


@pytest.fixture
def build(one_page, monkeypatch):
    """Build the book, and say whether all pages are built anew; `build.fails` makes Sphinx find a fault."""
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, int(build.fails))

    def build():
        building.build(one_page.root, [one_page.executed()], one_page.root)
        return "--all" in commands[-1]

    monkeypatch.setattr(subprocess, "run", run)
    build.fails = False
    return build


def test_all_pages_are_built_anew_when_what_they_share_changes(one_page, build):
    assert build() and not build()
    one_page.write("# Title\n\nOther text.\n")
    assert not build()
    one_page.write("# Other title\n\nOther text.\n")
    assert build() and not build()
    one_page.write("# Other title\n\n(label)=\nOther text.\n")
    assert build() and not build()
    (one_page.root / "book" / "book.css").write_text("p { color: red }")
    assert build() and not build()


def test_pages_with_a_fault_are_built_anew_until_it_is_gone(build):
    build()
    build.fails = True
    with pytest.raises(RuntimeError, match="could not be built"):
        build()
    build.fails = False
    assert build() and not build()


def test_what_is_built_is_the_first_page_or_the_pdf(one_page, build):
    made = [building.build(one_page.root, [one_page.executed()], one_page.root, name) for name in ("html", "pdflatex")]
    assert [str(path.relative_to(one_page.root)) for path in made] == [
        "_build/html/index.html",
        "_build/latex/book.pdf",
    ]
