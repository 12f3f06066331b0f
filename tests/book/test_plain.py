"""Notebooks in plain Markdown: no role or directive is left, captions and pictures are there, all can go round."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from kbe.book import contents
from kbe.book.chapter import GLUED, NUMBERS_MIME
from kbe.book.plain import in_plain_markdown

PAGES = contents.pages()
PICTURE = "iVBORw0KGgo="
LEFT = re.compile(r"\{[a-z:]+\}`|`{3}\{|^\([\w-]+\)=$|\]\(#|class=\"kbe-(?:verdict|number)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_of_the_book_become_plain_and_can_be_made_again(page):
    notebook = nbformat.read(page.with_suffix(".ipynb"), 4)
    made = in_plain_markdown(notebook, page.stem, page.parent)
    nbformat.validate(made)
    for cell in made.cells:
        assert cell.cell_type == "code" or not LEFT.search(cell.source), cell.source
    assert [cell.source for cell in contents.code(made)] == [cell.source for cell in contents.code(notebook)]
    assert in_plain_markdown(made, page.stem, page.parent) == made


def one(text, folder, **figure):
    """A cell of Markdown made plain, in a notebook with a figure below it, a glued picture and a number."""
    data = {f"{GLUED}image/png": PICTURE}
    glued = nbformat.v4.new_output("display_data", data, metadata={"scrapbook": {"name": "lead", "mime_prefix": GLUED}})
    number = nbformat.v4.new_output("display_data", {NUMBERS_MIME: {"n": 20}})
    code = nbformat.v4.new_code_cell(
        "1", outputs=[glued, number], metadata={"mystnb": {"figure": figure}} if figure else {}
    )
    cells = [nbformat.v4.new_markdown_cell(text), code]
    return in_plain_markdown(nbformat.v4.new_notebook(cells=cells), "one", folder).cells


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a {math}`x_i` b", "a $x_i$ b"),
        ("```{math}\n:label: a\nx\n```", "$$\nx\n$$"),
        ("1. so\n\n   ```{math}\n   x\n   ```", "1. so\n\n   $$\n   x\n   $$"),
        ("{term}`scale` {term}`modes <mode>`", "scale modes"),
        ("{doc}`other` {doc}`there <other>` {doc}`none`", "*The other* *there* *none*"),
        ("{cite:t}`b` {cite}`a,b` {cite:t}`c`", "Roe and Poe 2001 (Doe et al. 2000 and Roe and Poe 2001) c"),
        ("(eq-1)=\n[Eq. (1)](#eq-1)", "Eq. (1)"),
        ("{number}`n` and {number}`n .1f`", "20 and 20.0"),
        ("{number}`other:n` {claim}`other:so`", "(see *The other*) (see *The other*)"),
        ("```{admonition} Why\n:class: tip\nIs {math}`x`?\n\nSo.\n```", "> **Why**\n>\n> Is $x$?\n>\n> So."),
        ("```{admonition} A\n:class: dropdown\nSo.\n```", "<details><summary>A</summary>\n\nSo.\n\n</details>"),
        ("````{admonition} A\n```{math}\nx\n```\n````", "> **A**\n>\n> $$\n> x\n> $$"),
        ("```{list-table} T\n:header-rows: 1\n\n* - a\n  - b {math}`x`\n* - c\n  - d\n    e\n```",
         "| a | b $x$ |\n| --- | --- |\n| c | d e |"),
        ("```python\nx\n```", "```python\nx\n```"),
    ],
)  # fmt: skip
def test_what_myst_writes_is_said_plainly(written, shown, tmp_path):
    (tmp_path / "other.md").write_text("---\na: b\n---\n\n# The other\n")
    people = {"a": ("Doe, A and Roe, B and Poe, C", 2000), "b": ("Roe, B and Poe, C", 2001)}
    works = [
        f"@article{{{key}, author={{{who}}}, year={{{year}}}, title={{T}}}}" for key, (who, year) in people.items()
    ]
    (tmp_path / "references.bib").write_text("\n".join(works))
    assert one(written, tmp_path)[0].source == shown


def test_figures_are_numbered_and_what_stands_above_its_cell_is_attached(tmp_path):
    figure = "```{glue:figure} lead\n:name: fig-lead\n\nOf {number}`n`.\n```"
    text = f"# T\n\n{figure}\n\nSee {{numref}}`fig-two`, {{numref}}`fig-x`."
    first, code, caption = one(text, tmp_path, name="fig-two", caption="After {numref}`fig-lead`.")
    said = "# T\n\n![](attachment:lead.png)\n\n**Figure 1.** Of 20.\n\nSee Figure 2, the figure there."
    assert first.source == said and first.attachments == {"lead.png": {"image/png": PICTURE}}
    assert (code.source, caption.source) == ("1", "**Figure 2.** After Figure 1.")


def test_a_page_elsewhere_is_read_for_its_numbers(tmp_path):
    there = nbformat.v4.new_notebook(cells=one("", tmp_path)[1:])
    nbformat.write(there, Path(tmp_path, "other.ipynb"))
    assert one("{number}`other:n`", tmp_path)[0].source == "20"
