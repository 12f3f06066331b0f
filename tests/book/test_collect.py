"""The table and the page of a sweep."""

from __future__ import annotations

import re

import nbformat
import pandas as pd
import pytest

from kbe.book.collect import collect
from kbe.book.stores import Store

CLAIM = {"claim": "grows", "verdict": "holds", "estimate": 0.5, "low": 0.25, "high": 0.75, "members": 60, "left_out": 1}


def keep(store, key, claims=(CLAIM,), error="", **parameters):
    record = {"key": key, "chapter": "tiny", "parameters": parameters, "inputs": {"code": "1", "numpy": "2"},
              "seconds": 1.5, "host": "here"}  # fmt: skip
    printed = nbformat.v4.new_output("stream", text="<b>")
    cells = [nbformat.v4.new_markdown_cell("A **word** & more"), nbformat.v4.new_code_cell("x", outputs=[printed])]
    made = nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()
    if error:
        store.keep_failed(record | {"error": error}, None)
    else:
        store.keep(record | {"claims": list(claims)}, made)


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "runs"))


def test_a_row_is_a_claim_of_a_point_and_no_parameter_is_lost(store):
    """`members` is a parameter and what a claim rests on."""
    keep(store, "a", members=8, error_=0)
    keep(
        store, "b", members=4, claims=[CLAIM, CLAIM | {"claim": "falls", "estimate": None, "low": None, "high": "inf"}]
    )
    keep(store, "c", members=6, error="too\nmuch")
    keep(store, "d", members=7, claims=[])
    csv, parquet, _ = collect(store.root)
    for table in (pd.read_csv(csv), pd.read_parquet(parquet)):
        assert list(table.members) == [4, 4, 6, 7, 8] and list(table.key) == ["b", "b", "c", "d", "a"]
        assert list(table.claim[:2]) == ["grows", "falls"] and list(table.claim_members[:2]) == [60, 60]
        assert table.estimate[0] == 0.5 and pd.isna(table.estimate[1]) and table.high[1] == float("inf")
        assert table.error[2] == "too\nmuch" and table.versions[0] == "numpy 2"


def test_a_parameter_may_have_any_name_and_several_types(store):
    for key, value in {"a": 1, "b": "one", "c": [1], "d": None}.items():
        keep(store, key, claim=value, rate=0.5)
    table = pd.read_parquet(collect(store.root)[1])
    assert sorted(table.parameter_claim) == ['"[1]"', '"one"', "1", "null"] and list(table.claim) == ["grows"] * 4


def test_the_page_shows_verdicts_by_sign_and_leads_to_each_notebook(store, tmp_path):
    for key, members, verdict in (("a", 1, "holds"), ("b", 2, "does not hold"), ("c", 3, "undecided")):
        keep(store, key, claims=[CLAIM | {"verdict": verdict}], members=members, rate="x&y")
    keep(store, "d", error="too <much>", members=4, rate="x&y")
    shown = (tmp_path / "runs" / "index.html").read_text() if collect(store.root) else ""
    rows = dict(zip("abcd", re.findall(r"<tr><td>.*?</tr>", shown), strict=True))
    assert [re.search("[✓✗?]", rows[key])[0] for key in "abc"] == ["✓", "✗", "?"] and "too &lt;much&gt;" in rows["d"]
    for key in "abc":
        assert shown.count(f'"{key}/notebook.html"') == 2, "in the plot and in the table"
        page = (tmp_path / "runs" / key / "notebook.html").read_text()
        assert "<strong>word</strong> &amp; more" in page and "<pre>&lt;b&gt;</pre>" in page


@pytest.mark.parametrize("values", [{}, {"rate": 1}, {"rate": 1, "head": "relu"}, {"rate": 1, "head": "x", "seed": 2}])
def test_the_page_has_plots_over_what_differs(store, tmp_path, values):
    others = {"rate": 0.5, "head": "tanh", "seed": 0}
    keep(store, "a", **others)
    if values:
        keep(store, "b", **(others | values))
    collect(store.root)
    shown = (tmp_path / "runs" / "index.html").read_text()
    assert ("<svg" in shown) == bool(values) and ("differs too" in shown) == (len(values) == 3)


def test_a_folder_without_points_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be one that holds a sweep's points"):
        collect(tmp_path)
