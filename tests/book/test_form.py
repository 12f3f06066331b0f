"""How a chapter reads: the answer first, then code that is science, between sentences, in lines that fit the page."""

from __future__ import annotations

import itertools
import re

import pytest

from kbe.book import contents

PAGES = {page.stem: contents.make_notebook(page).cells for page in contents.chapters()}
CHAPTERS = sorted(name for name, cells in PAGES.items() if any("chapter.Claims(" in one.source for one in cells))
LONGEST = 76  # characters of a line of code on a page of 1280 pixels


def is_visible(cell):
    return cell.cell_type == "code" and not {"hide-input", "hide-cell"} & set(cell.metadata.get("tags", []))


def test_there_are_twenty_chapters():
    assert len(CHAPTERS) == 20


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_answer_comes_first_with_a_picture_and_verdicts(name):
    first = PAGES[name][0].source if PAGES[name][0].cell_type == "markdown" else ""
    answer = first.split("\n## ")[0]
    assert "{glue:figure}" in answer and "{claim}`" in answer.split("{glue:figure}")[0]


@pytest.mark.parametrize("name", CHAPTERS)
def test_visible_code_fits_and_no_two_cells_of_it_touch(name):
    cells = PAGES[name]
    assert not [line for cell in filter(is_visible, cells) for line in cell.source.splitlines() if len(line) > LONGEST]
    for before, after in itertools.pairwise(cells):
        assert not (is_visible(before) and is_visible(after)), after.source


@pytest.mark.parametrize("name", CHAPTERS)
def test_bookkeeping_is_folded_and_nothing_is_hidden(name):
    for cell in PAGES[name]:
        assert not [tag for tag in cell.metadata.get("tags", []) if tag.startswith("remove")]
        if is_visible(cell):
            assert not re.search(r"claims\.|chapter\.|tables\.|parameters\.|^show\(|^from kbe", cell.source, re.M)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_cell_with_a_caption_shows_its_figure_alone(name):
    for cell in PAGES[name]:  # the caption would go to the first of several outputs
        if "figure" in cell.metadata.get("mystnb", {}):
            assert not re.search(r"chapter\.numbers|claims\.measure", cell.source), cell.source
