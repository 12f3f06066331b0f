"""What all tests share: the same draws in every run, and arrays that meet with exact labels or fail and say where."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
import torch
import xarray as xr
from browsers import PROGRAM
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from xarray.structure import alignment

ROOT = Path(__file__).parents[1]
XARRAY = str(Path(xr.__file__).parent)

# A test is red because something moved, never because of what it drew: `make fuzz` is where chance looks for faults.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


def pytest_collectstart() -> None:
    """What a file of tests draws while it is imported does not hang on the files before it."""
    torch.manual_seed(0)


def pytest_runtest_setup() -> None:
    """Nor does a test on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def realigned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The places where xarray re-indexed or cut an array by its labels, unasked; there must be none in the end.

    xarray brings labels together before it computes, assigns, merges or concatenates: what was reordered on purpose is
    put back, and what one array lacks is cut from the other. Only `reindex` asks for that.
    """
    found: list[str] = []
    align = alignment.Aligner.align_indexes

    def watched(aligner: alignment.Aligner) -> None:
        align(aligner)
        if changed := [str(name) for (names, _), moves in aligner.reindex.items() if moves for name, _ in names]:
            frame, asked = sys._getframe(1), False
            while frame.f_back and frame.f_code.co_filename.startswith(XARRAY):
                asked |= frame.f_code is alignment.reindex.__code__
                frame = frame.f_back
            if not asked:
                found.append(f"{', '.join(changed)} in {frame.f_code.co_filename}:{frame.f_lineno}")

    monkeypatch.setattr(alignment.Aligner, "align_indexes", watched)
    yield found
    assert not found, "Arrays met with other labels along " + "; ".join(sorted(set(found)))


@pytest.fixture
def small_book(tmp_path: Path) -> Callable[..., Path]:
    """A function that builds a page of given cells as the book is built, with lines of its configuration replaced."""

    def build(cells: list[nbformat.NotebookNode], replaced: dict[str, str]) -> Path:
        for folder in ("_ext", "_static", "_templates"):
            shutil.copytree(ROOT / "book" / folder, tmp_path / "book" / folder)
        (tmp_path / "book" / "references.bib").touch()
        config = (ROOT / "_config.yml").read_text()
        for old, new in {"execute_notebooks: force": "execute_notebooks: off", **replaced}.items():
            assert old in config
            config = config.replace(old, new)
        (tmp_path / "_config.yml").write_text(config)
        (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: book/one.ipynb\n")
        (tmp_path / "index.md").write_text("# First\n")
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        (tmp_path / "book" / "one.ipynb").write_text(nbformat.writes(notebook))
        program = Path(sys.executable).with_name("jupyter-book")
        command = [program, "build", tmp_path, "--path-output", tmp_path, "--quiet"]
        subprocess.run(command, capture_output=True, check=True)
        return tmp_path / "_build" / "html"

    return build


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        started = player.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield started
        started.close()
