"""Claims: verdicts against hand-made intervals, the bootstrap against theory, the report against a stored notebook."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbe import statistics
from kbe.book import claims, report
from kbe.book.claims import FAILS, HOLDS, UNDECIDED, Claim

MIME = "application/vnd.kbe.claims+json"


def claim(name="so", **criterion) -> Claim:
    return Claim(name, "It is so.", "III.A", "the median", **({"members": 10} | criterion))


def storing(notebook, judged):
    """A notebook file with a table of claims, a cell that shows nothing, and a cell without outputs."""
    shown = {"output_type": "execute_result", "data": report.claim_table(judged)._repr_mimebundle_()}
    cells = [{"outputs": [shown]}, {"outputs": []}, {}]
    notebook.write_text(json.dumps({"cells": cells}, allow_nan=False))
    return notebook


@pytest.mark.parametrize(
    ("criterion", "interval", "verdict"),
    [
        ({"above": 1}, (1.1, 2), HOLDS),
        ({"above": 1}, (0.1, 0.9), FAILS),
        ({"above": 1}, (0.9, 1.1), UNDECIDED),
        ({"above": 1}, (1, 1), FAILS),  # "above" does not allow the bound itself
        ({"below": 1}, (-5, 0.9), HOLDS),
        ({"below": 1}, (1.1, math.inf), FAILS),
        ({"above": 0, "below": 1}, (0.1, 0.9), HOLDS),
        ({"above": 0, "below": 1}, (-0.1, 0.9), UNDECIDED),
        ({"above": 0, "below": 1}, (-2, -1), FAILS),
        ({"above": 0, "below": 1}, (-2, 2), UNDECIDED),
        ({"above": 1}, (math.nan, math.nan), UNDECIDED),
    ],
)
def test_verdict_follows_from_interval_and_criterion(criterion, interval, verdict):
    assert claim(**criterion).judge_value(sum(interval) / 2, interval, members=10).verdict == verdict


@pytest.mark.parametrize("interval", [(2, 3), (-3, -2)])
def test_too_few_members_never_decide(interval):
    assert claim(above=0).judge_value(0, interval, members=9).verdict == UNDECIDED


def test_bootstrap_interval_of_a_mean_has_the_width_of_theory():
    samples = np.random.default_rng(1).normal(5, 2, 400)
    judged = claim(above=0).judge(samples, np.mean, resamples=4000)
    half = stats.norm.ppf(0.975) * samples.std() / 20
    assert judged.estimate == pytest.approx(samples.mean())
    assert judged.high - judged.low == pytest.approx(2 * half, rel=0.05)


def test_bootstrap_of_a_median_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(2)
    judged = [claim(above=-9).judge(generator.exponential(size=60), resamples=300) for _ in range(150)]
    covered = sum(one.low <= math.log(2) <= one.high for one in judged)
    low, high = statistics.share_interval(covered, len(judged), 0.999)
    assert low < 0.95 < high


def test_members_without_a_finite_value_are_left_out_and_counted():
    clean = np.arange(20.0)
    spoilt = np.concatenate([clean, [np.nan, np.inf, -np.inf]])
    with_them, without = claim(above=0).judge(spoilt), claim(above=0).judge(clean)
    assert (with_them.members, with_them.left_out) == (20, 3)
    assert (with_them.estimate, with_them.low, with_them.high) == (without.estimate, without.low, without.high)
    assert claim(above=0).judge([np.nan] * 30).verdict == UNDECIDED


def test_rows_of_a_member_stay_together_in_the_bootstrap():
    x = np.random.default_rng(3).normal(size=50)
    slope = claim(above=0).judge(np.stack([x, 3 * x + 1], 1), lambda rows: np.polyfit(*rows.T, 1)[0])
    assert slope.low == pytest.approx(3) and slope.high == pytest.approx(3)


def test_same_seed_same_interval():
    samples = np.random.default_rng(4).normal(size=30)
    one, two, other = (claim(above=0).judge(samples, seed=seed) for seed in (5, 5, 6))
    assert one == two and one != other


def test_share_of_none_and_of_all_has_an_interval_of_some_width():
    assert statistics.share_interval(0, 100)[0] == 0 and 0.01 < statistics.share_interval(0, 100)[1] < 0.1
    low, high = statistics.share_interval(30, 100)
    z = stats.norm.ppf(0.975)  # Wilson's interval are the shares p with (0.3 - p)^2 = z^2 p (1 - p) / n
    for end in (low, high):
        assert (0.3 - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / 100)


def test_a_share_of_members_is_judged_by_wilsons_interval():
    judged = claim(above=0.1, members=50).judge_share(np.arange(100) < 30)
    assert (judged.estimate, judged.members, judged.verdict) == (0.3, 100, claims.HOLDS)
    assert (judged.low, judged.high) == statistics.share_interval(30, 100)
    assert claim(below=1.1).judge_share(np.zeros(0, bool)).verdict == claims.UNDECIDED
    wider = claim(above=0.1).judge_share([True, False] * 50, confidence=0.999)
    assert wider.low < claim(above=0.1).judge_share([True, False] * 50).low


@pytest.mark.parametrize("members", [[0.3, 0.4], [[True]], True])
def test_a_share_needs_one_bit_a_member(members):
    with pytest.raises(ValueError, match=r"^members has shape .* must be one bool a member"):
        claim(above=0).judge_share(members)


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
    notebook = storing(tmp_path / "chapter.ipynb", judged)
    assert report.stored(notebook) == judged
    assert report.tally(judged) == "holds: 1, does not hold: 1, undecided: 0"
    text = repr(report.report([notebook]))
    assert text.startswith("| Name | Verdict |")
    assert "| `chapter:grows` | **holds** |" in text and "| `chapter:onset-20` | **does not hold** |" in text
    assert "12 members (3 left out)" in text


def test_claims_stored_without_names_ask_for_a_regeneration(tmp_path):
    notebook = storing(tmp_path / "chapter.ipynb", [claim(above=1).judge_value(2, (1.5, 2.5), 12)])
    stored = json.loads(notebook.read_text())
    del stored["cells"][0]["outputs"][0]["data"][MIME]["claims"][0]["claim"]["name"]
    notebook.write_text(json.dumps(stored))
    for read in (report.stored, lambda path: report.report([path])):
        with pytest.raises(ValueError, match=r"^notebook is .*chapter\.ipynb'.* run `make notebooks`\.$"):
            read(notebook)


@pytest.mark.parametrize("name", ["grows", "onset-20", "32-bit", "a", "one-two-three", "a" * 40])
def test_a_name_of_up_to_three_words_is_taken_and_stored(name):
    bundle = report.claim_table([claim(name, above=1).judge_value(2, (2, 2), 12)])._repr_mimebundle_()
    assert bundle[MIME]["claims"][0]["claim"]["name"] == name


UNNAMED = ["", " ", "Grows", "it grows", "it_grows", "-grows", "grows-", "it--grows", "grows\n", "größer", "a:b"]


@pytest.mark.parametrize("name", [*UNNAMED, "one-two-three-four", "a" * 41, None, 3, ["grows"], b"grows"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ValueError, match=r"^name is .*: it must be one to three words .* 40 characters\.$"):
        claim(name, above=1)


def test_two_claims_of_one_name_make_no_table():
    one, two, other = (claim(name, above=1).judge_value(2, (2, 2), 12) for name in ("grows", "grows", "falls"))
    with pytest.raises(ValueError, match=r"^judged has more than one claim named 'grows': each must .*\.$"):
        report.claim_table([one, other, two])
    assert len(report.claim_table([one, other]).rows) == 2


def test_table_keeps_bars_inside_their_cell():
    rows = repr(
        report.claim_table([Claim("grows", "|V-V*| grows.", "III.B", "|V-V*|", above=0).judge_value(1, (1, 1), 50)])
    )
    assert r"\|V-V*\| grows." in rows
    assert len({line.replace(r"\|", "").count("|") for line in rows.splitlines()}) == 1


UNSOUND = [
    {},
    {"above": math.nan},
    {"above": "a"},
    {"above": 2, "below": 1},
    {"above": 1, "members": 0},
    {"above": 1, "members": True},
    {"above": 1, "digits": 0},
    {"above": 1, "source": "me"},
]


@pytest.mark.parametrize("criterion", UNSOUND)
def test_a_claim_without_a_sound_criterion_is_refused(criterion):
    with pytest.raises(ValueError, match=r"must|needs"):
        claim(**criterion)


@given(
    interval=st.one_of(st.just((2, 1)), st.just((1,)), st.just((1, 2, 3))),
    total=st.integers(-3, 5),
    members=st.integers(-5, -1),
)
@settings(max_examples=25, deadline=None)
def test_bad_measurements_are_refused(interval, total, members):
    with pytest.raises(ValueError, match="must"):
        claim(above=1).judge_value(1, interval, 5)
    with pytest.raises(ValueError, match="must"):
        claim(above=1).judge_value(1, (1, 1), members)
    with pytest.raises(ValueError, match="must"):
        statistics.share_interval(total + 1, total)
    for samples in (["a"], [[1], [1, 2]]):
        with pytest.raises(ValueError, match="must"):
            claim(above=1).judge(samples)
    for nothing in (report.claim_table, report.verdicts):
        with pytest.raises(ValueError, match="must"):
            nothing([])


def test_what_was_not_measured_is_stored_as_json_can_hold_it(tmp_path):
    judged = claim(above=0).judge([np.nan])
    (again,) = report.stored(storing(tmp_path / "x.ipynb", [judged]))
    assert again.verdict == "undecided" and np.isnan(again.estimate) and again.left_out == 1


@pytest.mark.parametrize("bad", [None, [], 5, ["x"]])
def test_a_table_of_what_is_no_claim_is_refused(bad):
    for make in (report.claim_table, report.verdicts):
        with pytest.raises(ValueError, match="judged is"):
            make(bad)


def test_an_estimate_that_is_no_number_decides_nothing(tmp_path):
    assert claim(above=0).judge([]).verdict == claims.UNDECIDED
    assert claim(above=0).judge_value(float("nan"), (1, 2), 99).verdict == claims.UNDECIDED
    with pytest.raises(ValueError, match="estimate is"):
        claim(above=0).judge_value("x", (1, 2), 99)
    (tmp_path / "bad.ipynb").write_text("no")
    with pytest.raises(ValueError, match="JSON"):
        report.stored(tmp_path / "bad.ipynb")
