"""What an execution depends on: a change of something that it reads changes its key, and nothing else does."""

from __future__ import annotations

import re
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from kbe.book import executions

ROOT = Path(__file__).parents[2]
CHAPTERS = {"scale", "spectrum", "dropout", "cost"}
PAGES = CHAPTERS | {"report", "equations"}


@pytest.fixture
def book(tmp_path):
    """A copy of a part of the book, with the whole package."""
    for folder, pattern in (("kbe", "**/*.py"), ("tests", "**/*.py"), ("book", "*.md")):
        for path in (ROOT / folder).glob(pattern):
            (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / path.relative_to(ROOT))
    lines = [line for line in (ROOT / "_toc.yml").read_text().splitlines()
             if ".ipynb" not in line or Path(line.split()[-1]).stem in PAGES]  # fmt: skip
    (tmp_path / "_toc.yml").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return keys(book.__wrapped__(tmp_path_factory.mktemp("book")))


def keys(root):
    return {one.name: one.key for one in executions.plan(root)}


def changed(before, root):
    after = keys(root)
    assert set(before) == set(after) == PAGES
    return {name for name in PAGES if before[name] != after[name]}


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_copy_of_the_same_sources_has_the_same_keys(before, book):
    assert changed(before, book) == set() and len(set(before.values())) == len(PAGES)


@pytest.mark.parametrize(
    ("module", "pages"),
    [
        ("checks", CHAPTERS | {"report"}),  # everything stands on it
        ("theory/spectra", {"spectrum", "report"}),
        ("measures/scales", {"scale", "report"}),
        ("training/timing", {"cost", "report"}),
        ("figures/dropout", {"dropout", "report"}),
        ("figures/balance", set()),
        ("book/report", PAGES - {"equations"}),
        ("book/cli", set()),
    ],
)
def test_a_change_of_the_package_reaches_the_chapters_that_import_it(before, book, module, pages):
    path = book / "kbe" / f"{module}.py"
    path.write_text(path.read_text() + "\n\nADDED = 1\n")
    assert changed(before, book) == pages


def test_comments_docstrings_and_layout_of_the_package_are_no_code(before, book):
    for path in (book / "kbe").rglob("*.py"):
        path.write_text("# A comment.\n\n\n" + path.read_text())
    replace(book / "kbe" / "measures" / "scales.py", '"""', '"""Another beginning: ')
    assert changed(before, book) == set()


def test_an_equation_that_a_docstring_names_is_read_by_the_index_alone(before, book):
    replace(book / "kbe" / "theory" / "spectra.py", '    """', '    """Eq. (3): ')
    assert changed(before, book) == {"equations"}
    name = "test_" + "eq3_again"  # in one word, the real index would list it
    (book / "tests" / "test_more.py").write_text(f"def {name}(): ...\n")
    assert changed(before, book) == {"equations"}


@pytest.mark.parametrize(
    ("old", "new", "pages"),
    [
        ("# The shrinking scale", "# The scale that shrinks", set()),
        ("Why does the instability take so long", "Why does it take so long", set()),
        ("members: int = 100", "members: int = 99", {"scale", "report"}),
        ("members: int = 100  # independent", "members: int = 100  # separate", {"scale", "report"}),
        (":tags: [hide-cell, nbval-check-output]", ":tags: [nbval-check-output]", set()),
    ],
)
def test_a_chapters_code_is_read_and_its_prose_is_not(before, book, old, new, pages):
    replace(book / "book" / "scale.md", old, new)
    assert changed(before, book) == pages


def test_captions_are_no_code(before, book):
    page = book / "book" / "scale.md"
    captioned = re.sub(r"(caption: .*\n)", r"\1      And more.\n", page.read_text())
    assert captioned != page.read_text()
    page.write_text(captioned)
    assert changed(before, book) == set()


def test_a_parameter_that_is_given_is_an_input_of_the_chapters_that_declare_it(before, book):
    given = {one.name: one.key for one in executions.plan(book, {"repeats": 3})}
    assert {name for name in PAGES if given[name] != before[name]} == {"cost", "report"}


@pytest.mark.parametrize(
    ("library", "pages"),
    [
        ("numba", CHAPTERS),
        ("numpy", CHAPTERS | {"report"}),
        ("pandas", CHAPTERS),  # through xarray
        ("ipykernel", PAGES),
        ("sphinx", set()),
        ("pytest", set()),
    ],
)
def test_a_version_matters_to_what_imports_it(before, book, monkeypatch, library, pages):
    real = metadata.distribution

    class Other:
        version = "999"

        def __init__(self, name):
            self.requires = real(name).requires

    monkeypatch.setattr(metadata, "distribution", lambda name: Other(name) if name == library else real(name))
    # the report reads the other pages' executions, so it runs again with them
    assert changed(before, book) == (pages | {"report"} if pages else set())


@pytest.mark.parametrize(
    ("variable", "matters"),
    [
        ("OMP_NUM_THREADS", True),
        ("ATEN_CPU_CAPABILITY", True),
        ("NUMBA_CPU_NAME", True),
        ("NUMBA_CACHE_DIR", False),
        ("HOME", False),
    ],
)
def test_the_environment_matters_where_it_changes_arithmetic(before, book, monkeypatch, variable, matters):
    monkeypatch.setenv(variable, "7")
    assert changed(before, book) == (PAGES if matters else set())


def test_one_thread_is_what_is_meant_where_none_is_named(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert executions.environment()["OMP_NUM_THREADS"] == "1"


def test_the_order_of_the_chapters_is_read_by_the_report(before, book):
    lines = (book / "_toc.yml").read_text().splitlines()
    first, second = (next(n for n, line in enumerate(lines) if name in line) for name in ("scale.ipynb", "cost.ipynb"))
    lines[first], lines[second] = lines[second], lines[first]
    (book / "_toc.yml").write_text("\n".join(lines))
    assert changed(before, book) == {"report"}


def test_a_tag_by_which_a_cell_is_not_run_is_read(before, book):
    replace(book / "book" / "scale.md", ", nbval-check-output]", ", nbval-check-output, nbval-skip]")
    assert changed(before, book) == {"scale", "report"}


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x = (", "'(' was never closed in line 1 of code cell 2"),
        ("%matplotlib inline", "invalid syntax in line 1 of code cell 2"),
        ("from . import scales", "imports must be absolute"),
        ("from kbe import *", "what is imported must be named"),
        ("from kbe import nothing\nimport kbe.nothing", "kbe.nothing is imported, but"),
        ("import importlib\nimportlib.import_module('kbe.measures.scales')", "made at run time"),
        ("__import__('kbe.measures.scales')", "made at run time"),
        ("import helper", "helper is imported, but no installed library provides it"),
    ],
)
def test_code_of_which_the_imports_cannot_be_read_is_refused(book, code, sentence):
    page = book / "book" / "scale.md"
    replace(page, "from functools", f"{code}\nfrom functools")  # the beginning of its second cell
    with pytest.raises(ValueError, match=re.escape(sentence)) as raised:
        executions.plan(book)
    assert "scale.md: its code cannot be read" in str(raised.value) and "\n" not in str(raised.value)


def test_pages_that_cannot_be_planned_are_named(book):
    page = book / "book" / "scale.md"
    text = page.read_bytes()
    page.write_bytes(text + b"\xff")
    with pytest.raises(ValueError, match=r"scale.md cannot be read: it must be text in UTF-8"):
        executions.plan(book)
    page.write_text("# No code\n")
    with pytest.raises(ValueError, match=r"scale.md runs no code"):
        executions.plan(book)
    (book / "_toc.yml").write_text("parts: [")
    with pytest.raises(ValueError, match=r"_toc.yml must be YAML"):
        executions.plan(book)


def test_a_commented_line_of_the_contents_does_not_count(book):
    replace(book / "_toc.yml", "- file: book/dropout.ipynb", "# - file: book/dropout.ipynb")
    assert "dropout" not in keys(book)


def test_files_of_open_editors_are_not_read(before, book):
    for folder, name in (("book", ".#scale.md"), ("kbe", "measures/.#scales.py"), ("tests", ".#test_x.py")):
        (book / folder / name).symlink_to("user@host.1")
    assert changed(before, book) == set()


def test_pages_are_chosen_by_name_or_path(book):
    planned = executions.plan(book)
    chosen = executions.named(planned, ["scale", "book/cost.md"])
    assert [one.name for one in chosen] == ["scale", "cost"] and executions.named(planned, []) == planned
    with pytest.raises(ValueError, match="page is 'scales': it must be one of"):
        executions.named(planned, ["scales"])


def test_a_page_that_was_not_executed_says_so(book):
    one = next(one for one in executions.plan(book) if one.name == "scale")
    assert not one.is_kept() and one.seconds() == 30 and one.changes() == []
    with pytest.raises(ValueError, match="scale has not been executed"):
        one.executed()
