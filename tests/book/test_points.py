"""The name of a point of a sweep."""

from __future__ import annotations

from dataclasses import replace

from kbe.book import points


def point(values, inputs=None):
    return points.Point("a.ipynb", values, inputs or {"code": "1"}, "folder")


def test_a_key_is_of_the_values_alone_whatever_their_order_and_type():
    first = point({"a": 1, "b": [2.0]})
    assert first.key == point({"b": [2], "a": 1.0}).key == replace(first, folder="elsewhere", threads=2, again=True).key
    others = [{"a": "1"}, {"a": True}, {"a": 1.5}, {"b": 1}, {"a": [1]}, {"a": None}, {"a": "a/b"}, {"a": "ab"}]
    assert len({point(values).key for values in [{"a": 1}, *others]}) == len(others) + 1
    assert point({"a": 1}).key != point({"a": 1}, {"code": "2"}).key


def test_a_chapter_whose_code_changes_is_another(make_chapter):
    path = make_chapter("print(members)")
    before = points.Point(str(path), {}, points.inputs(path), "folder")
    assert points.differing(before) == ""
    make_chapter("print(members + 1)")
    assert points.differing(before) == "code is not here as it was where the sweep started"
    path.unlink()
    assert points.differing(before).endswith("cannot be read here (No such file or directory)")
