"""The command line, over a tiny chapter: what it prints, and one sentence for what it refuses."""

from __future__ import annotations

import nbformat
import pytest

from kbe.book import cli


def test_the_command_line_lists_and_runs(chapter, tmp_path, capsys):
    assert cli.main(["parameters", str(chapter)]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["members", "int", "100", "independent", "networks"]
    words = ["rerun", str(chapter), "-p", "members", "6", "-p", "sizes", "3,4", "-o", str(tmp_path / "out.ipynb")]
    assert cli.main(words) == 0
    assert "sizes = [3, 4]" in nbformat.read(tmp_path / "out.ipynb", 4).cells[2].source
    assert nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs[0].text == "3.0\n"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["rerun", "{chapter}", "-p", "membres", "8", "-o", "out.ipynb"], 2),
        (["rerun", "{chapter}", "-p", "members", "many", "-o", "out.ipynb"], 2),
        (["rerun", "nothing", "-o", "out.ipynb"], 2),
        (["rerun", "{chapter}"], 2),
        (["sweep", "{chapter}", "-p", "members", "2,x", "-o", "runs"], 2),
        (["sweep", "{chapter}", "-p", "sizes", "1,2", "-o", "runs"], 2),
        (["sweep", "{chapter}", "-p", "membres", "2", "-o", "runs"], 2),
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


def test_the_command_line_refuses_a_name_given_twice(chapter, capsys):
    assert cli.main(["rerun", str(chapter), "-p", "members", "2", "-p", "members", "3", "-o", "out.ipynb"]) == 2
    assert capsys.readouterr().err == "-p members is given more than once: it must be given once.\n"


def test_an_interrupt_of_the_command_line_says_so(monkeypatch, capsys):
    def interrupted(chapter):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.parameters, "declared", interrupted)
    assert cli.main(["parameters", "any"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1
