"""The functions that drew the figures, by hand and for every figure of the book."""

from __future__ import annotations

from importlib import import_module

import nbformat
import pytest

from kbe.book import contents, drawings, plain

IMPORTS = "from kbe.figures import density as figures\nfrom kbe.figures.bands import band as drawn\n"


def cell(code, name=None):
    metadata = {"mystnb": {"figure": {"name": name, "caption": ""}}} if name else {}
    return nbformat.v4.new_code_cell(code, metadata=metadata)


def test_each_figure_is_drawn_by_what_its_cell_shows():
    above = "```{glue:figure} early\n:name: fig-early\nCaption.\n```"
    cells = [
        nbformat.v4.new_markdown_cell(above), cell(IMPORTS),
        cell("show(figures.one, run)", "fig-one"), cell("table(x)\nshow(drawn, run)", "fig-band"),
        cell("shown = show(figures.two)\nglue('early', shown)"), cell("glue('unused', show(figures.three, run))"),
        cell("table(x)", "fig-table"), cell("figures.with_slider(run)", "fig-slider"),
    ]  # fmt: skip
    expected = {"fig-one": "density.one", "fig-band": "bands.band", "fig-early": "density.two"}
    expected["fig-slider"] = "density.with_slider"
    assert drawings.drawn_by(nbformat.v4.new_notebook(cells=cells)) == expected


@pytest.mark.parametrize("page", contents.pages(), ids=lambda page: page.stem)
def test_every_figure_of_the_book_is_drawn_by_a_function_that_there_is(page):
    notebook = contents.make_notebook(page)
    drawn = drawings.drawn_by(notebook)
    figures = [one.metadata.get("mystnb", {}).get("figure", {}) for one in contents.code(notebook)]
    shown = {one["name"] for one in figures if "name" in one}
    assert {name for _, name in plain.glued_figures(notebook)} | shown <= set(drawn)
    for module, function in (name.split(".") for name in drawn.values()):
        assert callable(getattr(import_module(f"kbe.figures.{module}"), function))
