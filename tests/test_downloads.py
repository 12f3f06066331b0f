"""What a page offers to download is saved: built by Sphinx as the book is, from a page of one cell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
CONTENTS = "format: jb-book\nroot: index\nchapters:\n  - file: book/one.ipynb\n"


def test_the_buttons_of_a_page_save_its_notebook(tmp_path):
    for folder in ("_ext", "_static", "_templates"):
        shutil.copytree(ROOT / "book" / folder, tmp_path / "book" / folder)
    (tmp_path / "book" / "references.bib").touch()
    config = (ROOT / "_config.yml").read_text()
    (tmp_path / "_config.yml").write_text(config.replace("execute_notebooks: force", "execute_notebooks: off"))
    (tmp_path / "_toc.yml").write_text(CONTENTS)
    (tmp_path / "index.md").write_text("# First\n")
    cells = [nbformat.v4.new_markdown_cell("# One, {math}`x`"), nbformat.v4.new_code_cell("'</script> ä'")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
    (tmp_path / "book" / "one.ipynb").write_text(notebook)
    program = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([program, "build", tmp_path, "--path-output", tmp_path, "--quiet"], capture_output=True, check=True)

    made = tmp_path / "_build" / "html"
    for page, source in (("index.html", "_sources/index.md"), ("book/one.html", "../_sources/book/one.ipynb")):
        text = (made / page).read_text()
        links = re.findall(r"<a [^>]*href=\"[^\"]*_sources/[^>]*>", text)
        assert links and all(f' download href="{source}"' in link for link in links)
        assert "_static/downloads.js" in text
    offered = (made / "_sources" / "book" / "one.ipynb").read_text()
    first, text, code = nbformat.reads(offered, 4).cells
    exec(first.source, {})  # says nothing where the package is
    missing = first.source.replace('"kbe.book"', '"kbe.nowhere"')
    with pytest.raises(ImportError, match="first lines of this cell"):
        exec(missing, {})
    assert (text.source, code.source) == ("# One, $x$", "'</script> ä'")
    script = (made / "_sources" / "book" / "one.ipynb.js").read_text()
    assert json.loads(re.fullmatch(r"save\((.*)\);\n", script).expand(r"[\1]")) == ["one.ipynb", offered]
