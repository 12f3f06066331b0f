"""What lies in a sweep's folder, and what is taken for a point that is done."""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path

import pytest

from kbe.book.stores import DONE, FAILED, NOTEBOOK, Store


@pytest.fixture(params=["[a] {b}*", "memory://"])
def store(request, tmp_path):
    """A folder whose name is a pattern, and one that is no folder."""
    where = f"memory://{tmp_path}" if "memory" in request.param else str(tmp_path / request.param)
    made = Store(where)
    made.check()
    return made


def test_a_point_that_is_kept_is_done_and_failed_no_more(store):
    assert list(store.records()) == [] and store.done("k") == store.failed("k") == {}
    store.keep_failed({"key": "k", "error": "too much"}, b"half")
    assert [one["error"] for one in store.records()] == ["too much"]
    store.keep({"key": "k"}, b"notebook")
    assert [store.done("k")] == list(store.records()) == [{"key": "k", "bytes": 8}]
    assert store.failed("k") == {} and not store.has("k/failed.ipynb")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (DONE, b""),
        (DONE, b'{"key": "k", "by'),
        (DONE, b"[]"),
        (DONE, b'{"key": "k"}'),
        (NOTEBOOK, b""),
        (NOTEBOOK, b"no"),
    ],
)
def test_part_of_a_point_is_none(store, name, data):
    store.keep({"key": "k"}, b"notebook")
    store.write(f"k/{name}", data)
    assert store.done("k") == {} and list(store.records()) == []


def test_a_record_of_another_point_is_none(store):
    """Such as of a folder that somebody has copied."""
    store.keep({"key": "k"}, b"notebook")
    for name in (DONE, NOTEBOOK):
        store.write(f"l/{name}", store.read(f"k/{name}"))
    store.write(f"m/{FAILED}", json.dumps({"key": "k"}).encode())
    assert [one["key"] for one in store.records()] == ["k"] and store.failed("m") == {}


def test_what_cannot_be_read_is_not_taken_for_missing(tmp_path):
    (tmp_path / "k" / DONE).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        Store(str(tmp_path)).done("k")


def test_parts_of_the_killed_go_and_those_of_the_living_stay(tmp_path):
    store = Store(str(tmp_path))
    for key in ("killed", "living"):
        store.write(f"{key}/.1-2-point.json.part", b"")
    with store.held("living"):
        store.check()
    assert [path.parent.name for path in tmp_path.glob("*/.*.part")] == ["living"]
    assert not list(tmp_path.glob(".mark*"))


def test_a_mark_is_there_meanwhile(store):
    with store.marked() as name:
        assert store.has(name)
    assert not store.has(name)


@pytest.mark.skipif(sys.platform == "win32", reason="limits files as Unix does")
def test_what_cannot_be_written_whole_is_not_written(tmp_path):
    """As where a disk is full."""
    store, before = Store(str(tmp_path)), resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**10, before[1]))
    try:
        with pytest.raises(OSError):
            store.keep({"key": "k"}, bytes(2**12))
        with pytest.raises(ValueError, match=r"must be a folder to write in \(File too large\)"):
            store.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert store.done("k") == {} and not list(Path(tmp_path).glob("*/*"))
