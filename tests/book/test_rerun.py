"""Reruns and sweeps by papermill on a tiny chapter."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from kbe.book.rerun import rerun, sweep


def printed(path):
    return nbformat.read(path, 4).cells[-1].outputs[0].text.strip()


def test_a_rerun_computes_with_the_new_values_and_leaves_the_chapter_alone(chapter, tmp_path):
    before = chapter.read_bytes()
    assert printed(rerun(chapter, {"members": 8}, tmp_path / "out.ipynb")) == "4.0"
    assert chapter.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.ipynb", "tiny.ipynb"]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"membres": 8}, ValueError, "no parameter 'membres'"),
        ({"members": 8.5}, ValueError, "members is 8.5: it must be of type int"),
        ({"members": -3}, ValueError, "members is -3: it must be a finite number of at least 1"),
        ({"rate": 13}, RuntimeError, "OverflowError: too much"),
    ],
)
def test_a_failed_rerun_says_so_in_one_sentence_and_keeps_the_old_output(chapter, tmp_path, values, error, message):
    output = tmp_path / "out.ipynb"
    output.write_text("kept")
    with pytest.raises(error, match=message) as raised:
        rerun(chapter, values, output)
    assert "\n" not in str(raised.value)
    assert output.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.ipynb", "tiny.ipynb"]


def test_an_output_of_no_use_is_refused(chapter, tmp_path):
    for output in (chapter, tmp_path / "out.txt", tmp_path / "missing" / "out.ipynb"):
        with pytest.raises(ValueError, match="output is"):
            rerun(chapter, {}, output)


def test_papermill_itself_stops_at_an_unknown_name(chapter, tmp_path):
    command = [sys.executable, "-m", "papermill", chapter, tmp_path / "out.ipynb", "-p", "membres", "8"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode != 0 and "The chapter has no parameter 'membres'" in run.stderr


def test_a_sweep_runs_every_point_once_and_goes_on_where_it_stopped(chapter, tmp_path):
    folder = tmp_path / "runs"
    with pytest.raises(RuntimeError, match="too much"):
        sweep(chapter, {"members": [2], "rate": [0.5, 13]}, folder)
    done = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert [path.name for path in done] == ["tiny-members=2,rate=0.5.ipynb"]
    paths = sweep(chapter, {"members": [2], "rate": [0.5, 2.0]}, folder)
    assert [printed(path) for path in paths] == ["1.0", "4.0"]
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())


def test_a_sweep_can_be_handed_to_any_executor(chapter, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        paths = sweep(chapter, {"members": [2, 4]}, tmp_path, executor)
    assert [printed(path) for path in paths] == ["1.0", "2.0"]


@pytest.mark.parametrize("grid", [{"members": []}, {"members": [2, 2.5]}, {"membres": [1]}, {"members": [2, 2]}])
def test_a_bad_grid_is_refused_before_anything_runs(chapter, tmp_path, grid):
    with pytest.raises(ValueError, match=r"must be|would have|no parameter"):
        sweep(chapter, grid, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(chapter, tmp_path, place):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match=r"(folder|output) is .* it must be"):
        sweep(chapter, {"members": [2]}, tmp_path / place)
    with pytest.raises(ValueError, match="output is"):
        rerun(chapter, {}, tmp_path / place / "out.ipynb")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("grid", [None, [], {"members": 5}, {"members": "12"}, {"members": [2, True]}])
def test_a_grid_that_is_no_mapping_of_lists_is_refused(chapter, tmp_path, grid):
    with pytest.raises(ValueError, match="it must be"):
        sweep(chapter, grid, tmp_path / "runs")
