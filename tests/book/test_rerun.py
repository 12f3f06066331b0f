"""Reruns and sweeps by papermill on a tiny chapter, and the command line over them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from kbe.book import claims, cli
from kbe.book.rerun import rerun, sweep

SOURCES = [
    ("from kbe.book import parameters", []),
    ("members: int = 100  # independent networks\nrate: float = 0.5  # step", ["parameters"]),
    ("parameters.check(globals(), members=(1, None))", []),
    ("if rate == 13:\n    raise OverflowError('too much')\nprint(members * rate)", []),
]


@pytest.fixture
def chapter(tmp_path):
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in SOURCES]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "tiny.ipynb")
    return tmp_path / "tiny.ipynb"


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


def test_the_command_line_lists_runs_and_sweeps(chapter, tmp_path, capsys):
    assert cli.main(["parameters", str(chapter)]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["members", "int", "100", "independent", "networks"]
    assert cli.main(["rerun", str(chapter), "-p", "members", "6", "-o", str(tmp_path / "out.ipynb")]) == 0
    assert printed(tmp_path / "out.ipynb") == "3.0"
    assert cli.main(["sweep", str(chapter), "-p", "members", "2,", "-o", str(tmp_path / "runs")]) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tiny-members=2.ipynb"]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["rerun", "{chapter}", "-p", "membres", "8", "-o", "out.ipynb"], 2),
        (["rerun", "{chapter}", "-p", "members", "many", "-o", "out.ipynb"], 2),
        (["rerun", "nothing", "-o", "out.ipynb"], 2),
        (["rerun", "{chapter}"], 2),
        (["sweep", "{chapter}", "-p", "members", "2,x", "-o", "runs"], 2),
        (["rewind"], 2),
        ([], 2),
        (["rerun", "{chapter}", "-p", "rate", "13", "-o", "{folder}/out.ipynb"], 1),
    ],
)
def test_the_command_line_answers_bad_input_with_one_sentence(chapter, tmp_path, capsys, words, status):
    words = [word.format(chapter=chapter, folder=tmp_path) for word in words]
    try:
        assert cli.main(words) == status
    except SystemExit as stopped:  # argparse's own way out
        assert stopped.code == status
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.strip().splitlines()) == 1


def test_a_rerun_too_small_to_decide_says_undecided():
    assert claims.Claim("so", "So.", "II", "x", above=0).judge(range(1, 9)).verdict == claims.UNDECIDED


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


def test_the_command_line_refuses_a_name_given_twice(chapter, capsys):
    assert cli.main(["rerun", str(chapter), "-p", "members", "2", "-p", "members", "3", "-o", "out.ipynb"]) == 2
    assert capsys.readouterr().err == "-p members is given more than once: it must be given once.\n"


def test_an_interrupt_of_the_command_line_says_so(monkeypatch, capsys):
    def interrupted(chapter):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.parameters, "declared", interrupted)
    assert cli.main(["parameters", "any"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1
