"""The book's guard: text and notebook agree, what is stored is really compared, parameters are declared."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import nbformat
import pytest

from kbe.book import contents, parameters, report, sources
from kbe.book.chapter import GLUED
from kbe.book.prose import Prose

ROOT = Path(__file__).parents[1]
PAGES = contents.pages(ROOT)
CHAPTERS = contents.chapters(ROOT)
LONGEST_CELL = 15
STORED = re.compile(rf"({GLUED})?text/(plain|markdown|latex)|application/vnd\.kbe\..*")  # no picture, no HTML


def stored(page: Path) -> nbformat.NotebookNode:
    return nbformat.read(page.with_suffix(".ipynb"), 4)


def made(page: Path) -> list[nbformat.NotebookNode]:
    return contents.code(contents.make_notebook(page))


def tagged(cells: list[nbformat.NotebookNode], tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def named(page: Path) -> str:
    return page.stem


def test_the_book_has_chapters_and_no_page_of_code_is_left_out():
    running = {page for page in (ROOT / "book").glob("*.md") if "\nkernelspec:" in page.read_text()}
    assert running == set(PAGES) and {page.with_suffix(".md") for page in (ROOT / "book").glob("*.ipynb")} == running
    assert CHAPTERS and set(CHAPTERS) <= set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_text_and_notebook_have_the_same_cells(page):
    made, kept = (
        [(c.cell_type, c.source, dict(c.metadata)) for c in n.cells]
        for n in (contents.make_notebook(page), stored(page))
    )
    assert made == kept, "run `make notebooks`"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_cell_has_run_in_order_and_some_outputs_are_compared(page):
    cells = contents.code(stored(page))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    compared = tagged(cells, "nbval-check-output")
    assert compared and all(any(text(output).strip() for output in cell.outputs) for cell in compared)


def text(output: nbformat.NotebookNode) -> str:
    return output.get("text", "") or output.get("data", {}).get("text/plain", "")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_only_text_is_stored(page):
    for output in (output for cell in contents.code(stored(page)) for output in cell.outputs):
        assert output.output_type != "error" and output.get("name") != "stderr"
        assert all(STORED.fullmatch(mime) for mime in output.get("data", {}))


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.md")), ids=named)
def test_every_number_and_verdict_that_a_text_names_is_stored(page):
    prose = Prose(lambda name: ROOT / "book" / f"{name}.ipynb")
    prose.in_text(page.read_text(encoding="utf-8"), page.stem)
    assert not prose.faults


@pytest.mark.parametrize("page", CHAPTERS, ids=named)
def test_a_chapters_claims_have_names_of_their_own(page):
    names = [one.claim.name for one in report.stored(page.with_suffix(".ipynb"))]
    assert names and len(set(names)) == len(names)  # over all its tables; one table alone is checked when it is made


@pytest.mark.parametrize("page", CHAPTERS, ids=named)
def test_parameters_are_declared_with_type_and_meaning_and_checked_next(page):
    cells = made(page)
    (cell,) = tagged(cells, "parameters")
    lines = [line for line in cell.source.splitlines() if line.strip()]
    assert all(re.match(r"\w+: [\w\[\] |]+ = .+  # \w", line) for line in lines)
    assert len(parameters.declared_in(cell.source)) == len(lines)
    assert re.search(r"^parameters\.check\(\s*globals\(\)", cells[cells.index(cell) + 1].source, re.MULTILINE)


@pytest.mark.parametrize("page", CHAPTERS, ids=named)
def test_only_parameters_are_annotated_and_every_one_is_used(page):
    cells = made(page)
    (declaring,) = tagged(cells, "parameters")
    others = [ast.parse(cell.source) for cell in cells if cell is not declaring]
    assert not any(isinstance(node, ast.AnnAssign) for tree in others for node in tree.body)
    used = {node.id for tree in others for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {one.name for one in parameters.declared_in(declaring.source)} <= used


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_cells_are_short(page):
    """Imports are not counted: of them there is one cell, as long as the chapter needs; nor is what the page folds."""
    for cell in made(page):
        if {"hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])):
            continue
        lines = [line for line in cell.source.splitlines() if line and not line.startswith(("import ", "from "))]
        assert len(lines) <= LONGEST_CELL


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_names_only_what_the_package_has(page):
    """Told in a second, where an execution would tell it after minutes."""
    tree = ast.parse("\n".join(cell.source for cell in made(page)))
    modules = {}
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)):
        for alias in node.names if f"{node.module}.".startswith(f"{sources.PACKAGE}.") else ():
            if sources.Sources(ROOT).file(f"{node.module}.{alias.name}"):
                modules[alias.asname or alias.name] = importlib.import_module(f"{node.module}.{alias.name}")
            else:
                assert hasattr(importlib.import_module(str(node.module)), alias.name), alias.name
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Attribute)):
        module = modules.get(node.value.id) if isinstance(node.value, ast.Name) else None
        assert module is None or hasattr(module, node.attr), f"{module.__name__}.{node.attr}"
