"""The table of claims, the lines that regression compares, and the report read back from a stored notebook."""

from __future__ import annotations

import json

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from kbe.book import report
from kbe.book.claims import UNDECIDED, Claim

MIME = "application/vnd.kbe.claims+json"


def claim(name="so", **criterion) -> Claim:
    return Claim(name, "It is so.", "III.A", "the median", **({"members": 10} | criterion))


def write(notebook, judged):
    """A notebook file with a table of claims, a cell that shows nothing, and a cell without outputs."""
    shown = {"output_type": "execute_result", "data": DisplayFormatter().format(report.claim_table(judged))[0]}
    cells = [{"outputs": [shown]}, {"outputs": []}, {}]
    notebook.write_text(json.dumps({"cells": cells}, allow_nan=False))
    return notebook


def test_printed_figure_is_rounded_and_withheld_when_undecided(capsys):
    clear = claim(above=1, digits=1).judge_value(2345.6, (2000, 3000), 10)
    open_ = claim(above=1, digits=1).judge_value(1, (0, 3), 10)
    report.verdicts([clear, open_])
    assert capsys.readouterr().out == "holds: It is so. [about 2000]\nundecided: It is so.\n"


def test_report_reads_back_what_a_notebook_stores(tmp_path):
    judged = [
        claim("grows", above=1).judge_value(2, (1.5, 2.5), 12, left_out=3),
        claim("onset-20", below=1).judge_value(2, (1.5, 2.5), 12),
    ]
    notebook = write(tmp_path / "chapter.ipynb", judged)
    assert report.stored(notebook) == judged


def test_the_report_counts_by_chapter_source_and_verdict_and_leads_to_each_claim():
    held = claim("grows", above=1).judge_value(2, (1.5, 2.5), 12, left_out=3)
    failed = claim("onset-20", below=1).judge_value(2, (1.5, 2.5), 12)
    own = claim("own", below=1, source="book").judge_value(2, (0.5, 2.5), 12)
    chapters = {"scale": [held, failed], "density": [failed, own, own]}
    counts = report.counts(chapters)
    assert counts.dims == ("chapter", "source", "verdict")
    assert counts.verdict.values.tolist() == ["holds", "does not hold", "undecided"]
    assert counts.sel(source="paper").values.tolist() == [[1, 1, 0], [0, 1, 0]]
    assert counts.sel(source="book").values.tolist() == [[0, 0, 0], [0, 0, 2]]
    rows = report.report(chapters).rows
    names = ["scale:grows", "scale:onset-20", "density:onset-20"]
    assert [row[-1] for row in rows] == [
        *(f"III.A `{name}`" for name in names), *2 * ["III.A (this book) `density:own`"]
    ]  # fmt: skip
    link = '<a class="kbe-verdict kbe-does-not-hold" href="density.html#claim-onset-20" id="density:onset-20">'
    assert rows[2][:3] == [f"{link}does not hold</a>", "It is so.", "2 (1.5 to 2.5), 12 members"]
    assert rows[0][2].endswith("12 members (3 left out)")


NARROW = [
    (lambda one: one.judge(np.arange(20.0)), "9.5 (5.5 to 13.5), 20 members"),
    (lambda one: one.judge(np.full(20, 0.5)), "0.5, all 20 members agree"),
    (lambda one: one.judge([*np.full(19, 0.5), 3, np.nan]), "0.5, 19 of 20 members agree (1 left out)"),
    (lambda one: one.judge(np.ones(20, bool), np.mean), "1, all 20 members agree (Wilson's interval: 0.839 to 1)"),
    (lambda one: one.judge(np.zeros(20, bool), np.mean), "0, all 20 members agree (Wilson's interval: 0 to 0.161)"),
    (lambda one: one.judge_share(np.ones(20, bool)), "1 (0.839 to 1), 20 members"),
    (lambda one: one.judge_value(0.5, (0.5, 0.5), 1), "0.5 (no width), 1 member"),
    (lambda one: one.judge([np.nan]), "nan (nan to nan), 0 members (1 left out)"),
]


@pytest.mark.parametrize(("judge", "result"), NARROW)
def test_an_interval_of_no_width_says_how_many_members_agree(judge, result, tmp_path):
    judged = judge(claim(above=-1))
    (row,) = report.claim_table([judged]).rows
    assert row[-1] == result
    (again,) = report.stored(write(tmp_path / "x.ipynb", [judged]))
    assert report.result(again) == result


def test_claims_stored_without_names_ask_for_a_regeneration(tmp_path):
    notebook = write(tmp_path / "chapter.ipynb", [claim(above=1).judge_value(2, (1.5, 2.5), 12)])
    stored = json.loads(notebook.read_text())
    del stored["cells"][0]["outputs"][0]["data"][MIME]["claims"][0]["claim"]["name"]
    notebook.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"^notebook is .*chapter\.ipynb'.* run `make notebooks`\.$"):
        report.stored(notebook)


def test_two_claims_of_one_name_make_no_table():
    one, two, other = (claim(name, above=1).judge_value(2, (2, 2), 12) for name in ("grows", "grows", "falls"))
    with pytest.raises(ValueError, match=r"^judged has more than one claim named 'grows': each must .*\.$"):
        report.claim_table([one, other, two])
    assert len(report.claim_table([one, other]).rows) == 2


def test_what_was_not_measured_is_stored_as_json_can_hold_it(tmp_path):
    judged = claim(above=0).judge([np.nan])
    (again,) = report.stored(write(tmp_path / "x.ipynb", [judged]))
    assert again.verdict == UNDECIDED and np.isnan(again.estimate) and again.left_out == 1


@pytest.mark.parametrize("bad", [None, [], 5, ["x"]])
def test_a_table_of_what_is_no_claim_is_refused(bad):
    for make in (report.claim_table, report.verdicts):
        with pytest.raises(ValueError, match="judged is"):
            make(bad)


def test_what_is_no_notebook_is_refused_by_name(tmp_path):
    (tmp_path / "bad.ipynb").write_text("no")
    with pytest.raises(ValueError, match=r"notebook is .*bad\.ipynb'.*JSON"):
        report.stored(tmp_path / "bad.ipynb")
    for missing in (tmp_path / "none.ipynb", 3):
        with pytest.raises(ValueError, match=r"notebook is .*there is no such file"):
            report.stored(missing)
