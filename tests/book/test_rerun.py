"""Reruns by papermill on a tiny chapter."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from kbe.book.rerun import rerun


def printed(path):
    return nbformat.read(path, 4).cells[-1].outputs[0].text.strip()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_rerun_computes_with_the_new_values_and_leaves_the_chapter_alone(chapter, tmp_path):
    before = chapter.read_bytes()
    assert printed(rerun(chapter, {"members": 8}, tmp_path / "out.ipynb")) == "4.0"
    assert chapter.read_bytes() == before
    assert names(tmp_path) == ["out.ipynb", "tiny.ipynb"]


def test_a_rerun_of_a_rerun_keeps_what_it_does_not_name(chapter, tmp_path):
    first = rerun(chapter, {"members": 8}, tmp_path / "first.ipynb")
    second = rerun(first, {"rate": 0.25}, tmp_path / "second.ipynb")
    assert [printed(second), printed(rerun(second, {}, tmp_path / "third.ipynb"))] == ["2.0", "2.0"]
    assert printed(rerun(second, {"members": 4}, tmp_path / "fourth.ipynb")) == "1.0"


def test_a_rerun_takes_values_names_and_kernels_as_they_come(make_chapter, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "only_here.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "mine")
    broken = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"argv": ["false"], "display_name": "of another Python", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    computed = "import os, only_here\nprint(members, rate, sizes, os.path.basename(os.getcwd()))"
    chapter = make_chapter(computed, "{x} $y/{members}.ipynb", kernel="of_somebody_else")
    before = os.getcwd()
    output = rerun(chapter, {"members": np.int64(8), "rate": np.float32(2), "sizes": (3, 4)}, tmp_path / "{0}.ipynb")
    assert printed(output) == "8 2.0 [3, 4] {x} $y" and os.getcwd() == before
    told = nbformat.read(output, 4).metadata.papermill
    assert [told.input_path, told.output_path] == [chapter.name, output.name]
    assert str(tmp_path) not in output.read_text()


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"membres": 8}, ValueError, "no parameter 'membres'"),
        ({"members": 8.5}, ValueError, "members is 8.5: it must be of type int"),
        ({"members": -3}, ValueError, "members is -3: it must be a finite number of at least 1"),
        ({"rate": 13}, RuntimeError, r"^tiny\.ipynb, cell 5: OverflowError: too much$"),
    ],
)
def test_a_failed_rerun_says_so_in_one_sentence_and_keeps_the_old_output(chapter, tmp_path, values, error, message):
    output = tmp_path / "out.ipynb"
    output.write_text("kept")
    with pytest.raises(error, match=message) as raised:
        rerun(chapter, values, output)
    assert "\n" not in str(raised.value)
    assert output.read_text() == "kept"
    assert names(tmp_path) == ["out.ipynb", "tiny.ipynb"]


def test_a_kernel_that_dies_is_told(make_chapter, tmp_path):
    with pytest.raises(RuntimeError, match=r"^tiny\.ipynb: Kernel died"):
        rerun(make_chapter("import os\nos.kill(os.getpid(), 9)", kernel=None), {"members": 2}, tmp_path / "out.ipynb")


def test_an_output_of_no_use_is_refused(chapter, tmp_path):
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("tiny.ipynb", "out.txt", "missing/out.ipynb", "folder.ipynb", "x" * 300 + ".ipynb", "a\0.ipynb"):
        with pytest.raises(ValueError, match=r"^output (is|gets).*: it(s name)? must"):
            rerun(chapter, {}, tmp_path / name)


def test_a_chapter_that_is_no_whole_notebook_is_refused(tmp_path):
    for text in ('{"cells": []}', '{"cells": [{"source": "1", "metadata": {}}], "nbformat": 4, "metadata": {}}'):
        (tmp_path / "bad.ipynb").write_text(text)
        with pytest.raises(ValueError, match=r"^bad\.ipynb is no notebook"):
            rerun(tmp_path / "bad.ipynb", {}, tmp_path / "out.ipynb")


def test_papermill_itself_stops_at_an_unknown_name(chapter, tmp_path):
    command = [sys.executable, "-m", "papermill", chapter, tmp_path / "out.ipynb", "-p", "membres", "8"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode != 0 and "The chapter has no parameter 'membres'" in run.stderr


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(chapter, tmp_path, place):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match="output is"):
        rerun(chapter, {}, tmp_path / place / "out.ipynb")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_cell_that_never_ends_is_named(make_chapter, tmp_path):
    path, told = make_chapter("import time\ntime.sleep(600)", bare=True), []
    with pytest.raises(RuntimeError, match=r"^tiny\.ipynb, cell 2 \(import time\): it took more than 2 s\.$"):
        rerun(path, {}, tmp_path / "out.ipynb", timeout=2, tell=lambda *what: told.append(what))
    assert told == [(1, 2, "members: int = 100  # independent networks"), (2, 2, "import time")]


def test_a_failed_notebook_is_kept_when_asked(chapter, tmp_path):
    with pytest.raises(RuntimeError, match=r"cell 5: OverflowError: too much; .*out\.failed\.ipynb shows it\.$"):
        rerun(chapter, {"rate": 13}, tmp_path / "out.ipynb", keep_failed=True)
    assert nbformat.read(tmp_path / "out.failed.ipynb", 4).cells[-1].outputs[-1].ename == "OverflowError"
    assert not (tmp_path / "out.ipynb").exists()
