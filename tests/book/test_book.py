"""The book's guard: text and notebook agree, what is stored is really compared, parameters are declared."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from kbe.book import contents, parameters, report, storing

ROOT = Path(__file__).parents[2]
PAGES = contents.pages(ROOT)
CHAPTERS = contents.chapters(ROOT)
LONGEST_CELL = 15


def stored(page: Path) -> nbformat.NotebookNode:
    return nbformat.read(page.with_suffix(".ipynb"), 4)


def code(notebook: nbformat.NotebookNode, tag: str | None = None) -> list[nbformat.NotebookNode]:
    cells = contents.code(notebook)
    return [cell for cell in cells if tag is None or tag in cell.metadata.get("tags", [])]


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
    notebook = stored(page)
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    compared = code(notebook, "nbval-check-output")
    assert compared and all(any(text(output).strip() for output in cell.outputs) for cell in compared)


def text(output: nbformat.NotebookNode) -> str:
    return output.get("text", "") or output.get("data", {}).get("text/plain", "")


def test_number_of_compared_cells_is_that_of_the_pages_or_more():
    assert sum(len(code(stored(page), "nbval-check-output")) for page in PAGES) >= len(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_only_text_is_stored(page):
    for cell in code(stored(page)):
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr"
            assert all(storing.KEPT.fullmatch(mime) for mime in output.get("data", {}))


@pytest.mark.parametrize("page", CHAPTERS, ids=named)
def test_parameters_are_declared_with_type_and_meaning_and_checked_next(page):
    cells = code(stored(page))
    (cell,) = code(stored(page), "parameters")
    lines = [line for line in cell.source.splitlines() if line.strip()]
    assert all(re.match(r"\w+: [\w\[\] |]+ = .+  # \w", line) for line in lines)
    assert len(parameters.declared(page.with_suffix(".ipynb"))) == len(lines)
    assert cells[cells.index(cell) + 1].source.startswith("parameters.check(")
    assert "globals()" in cells[cells.index(cell) + 1].source


@pytest.mark.parametrize("page", CHAPTERS, ids=named)
def test_only_parameters_are_annotated_and_every_one_is_used(page):
    (declaring,) = code(stored(page), "parameters")
    others = [ast.parse(cell.source) for cell in code(stored(page)) if cell.source != declaring.source]
    assert not any(isinstance(node, ast.AnnAssign) for tree in others for node in tree.body)
    used = {node.id for tree in others for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {one.name for one in parameters.declared(page.with_suffix(".ipynb"))} <= used


@pytest.mark.parametrize("page", CHAPTERS, ids=named)
def test_a_chapters_claims_have_names_of_their_own(page):
    names = [one.claim.name for one in report.stored(page.with_suffix(".ipynb"))]
    assert names and len(set(names)) == len(names)  # over all its tables; one table alone is checked when it is made


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_cells_are_short(page):
    assert max(len(cell.source.splitlines()) for cell in code(stored(page))) <= LONGEST_CELL


def test_storing_keeps_text_and_claims_and_drops_pictures_and_traces_of_the_run():
    data = {"text/plain": "t", "text/html": "<b>", "image/png": "x", "application/vnd.kbe.claims+json": {}}
    output = nbformat.v4.new_output("display_data", data, metadata={"image/png": {"width": 3}})
    cell = nbformat.v4.new_code_cell("1", outputs=[output], metadata={"execution": {"iopub.status.busy": "now"}})
    loud = nbformat.v4.new_output("stream", name="stderr", text="50 %")
    cell.outputs.append(loud)
    language = {"name": "python", "version": "3.11.0"}
    kept = storing.storable(nbformat.v4.new_notebook(cells=[cell], metadata={"language_info": language}))
    assert set(kept.cells[0].outputs[0].data) == {"text/plain", "application/vnd.kbe.claims+json"}
    assert len(kept.cells[0].outputs) == 1 and not kept.cells[0].outputs[0].metadata
    assert not kept.cells[0].metadata and kept.metadata.language_info == {"name": "python"}


def test_a_folder_without_contents_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"_toc\.yml"):
        contents.pages(tmp_path)
