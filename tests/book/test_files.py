"""A file is written whole or not at all."""

from __future__ import annotations

import os

import pytest

from kbe.book import files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file"
    files.write("old", path)
    with pytest.raises(UnicodeEncodeError):
        files.write("new \ud800", path)
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_leaves_is_not_taken_for_the_file(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(os, "replace", lambda partial, path: written.append(partial))
    files.write("text", tmp_path / "run.ipynb")
    assert [(path.parent, path.suffix, path.name[0]) for path in written] == [(tmp_path, ".part", ".")]
