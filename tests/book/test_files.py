"""A file is written whole or not at all."""

from __future__ import annotations

import pytest

from kbe.book import files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file"
    files.write("old", path)
    with pytest.raises(UnicodeEncodeError):
        files.write("new \ud800", path)
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]
