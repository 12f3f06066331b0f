"""What print makes of a page: pictures are found, its own and those of other pages."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

from docutils import nodes
from docutils.utils import new_document

PRINTING = runpy.run_path(str(Path(__file__).parents[1] / "book" / "_ext" / "printing.py"))


def test_a_picture_of_another_page_lies_beside_the_text_and_an_own_one_is_where_sphinx_knows_it():
    own, other = "../jupyter_execute/own.png", "../../jupyter_execute/other.png"
    page = new_document("page")
    page += [nodes.image(uri=own), nodes.image(uri=other)]
    latex = SimpleNamespace(builder=SimpleNamespace(format="latex"), env=SimpleNamespace(images={own: ()}))
    PRINTING["for_print"](latex, page, "page")
    assert [picture["uri"] for picture in page.findall(nodes.image)] == [own, "other.png"]
