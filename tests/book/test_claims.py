"""Claims: verdicts against hand-made intervals, the bootstrap against theory, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from kbe import statistics
from kbe.book.claims import FAILS, HOLDS, UNDECIDED, Claim


def claim(name="so", **criterion) -> Claim:
    words = {"statement": "It is so.", "place": "III.A", "measure": "the median"}
    return Claim(name, **words | {"members": 10} | criterion)


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


def test_members_left_out_before_are_counted_too():
    assert claim(above=0).judge([1.0, np.nan, 2.0], left_out=4).left_out == 5
    assert claim(above=0).judge([np.nan], left_out=4).left_out == 5


ZEROS, ALL_BUT_ONE = np.zeros(10), np.r_[np.zeros(9), 1]


def test_a_control_that_equals_what_it_controls_in_every_member_is_refused():
    gain = claim(above=0, no_effect=0)
    for found in (ZEROS, [*ZEROS, np.nan], np.zeros((10, 3))):
        with pytest.raises(ValueError, match=r"^samples are 0 in every member: the control of 'so' must differ\.$"):
            gain.judge(found, np.mean)
    with pytest.raises(ValueError, match=r"^estimate is 1 without width: the control of 'so' must differ\.$"):
        claim(below=1, no_effect=1).judge_value(np.float64(1), (1, 1), 10)


def test_a_control_that_differs_somewhere_or_of_too_few_members_is_judged():
    gain = claim(above=0, no_effect=0)
    assert gain.judge(ALL_BUT_ONE).verdict == FAILS  # the median and its interval are 0 all the same
    assert gain.judge(ZEROS[1:]).verdict == gain.judge([np.nan] * 10).verdict == UNDECIDED
    assert gain.judge_value(0, (0, 1), 10).verdict == UNDECIDED and gain.judge_value(2, (2, 2), 10).verdict == HOLDS
    assert claim(above=0).judge(ZEROS).verdict == FAILS


@pytest.mark.parametrize(
    ("samples", "statistic", "alike", "share"),
    [
        (np.arange(10.0), np.median, 0, False),
        (ALL_BUT_ONE, np.median, 9, False),
        (ZEROS + 0.5, np.median, 10, False),
        (ZEROS + 1, np.median, 10, False),  # as of rank correlations
        (ZEROS, np.mean, 10, True),
        (ZEROS > -1, np.mean, 10, True),
        (np.ones((10, 3)), lambda rows: rows.mean(0).min(), 10, True),
        (np.tile([1.0, 0.0], (10, 1)), lambda rows: np.subtract(*rows.mean(0)), 10, False),
        (np.arange(10.0), lambda rows: np.nan, 0, False),
    ],
)
def test_where_an_interval_has_no_width_it_is_known_how_many_members_agree(samples, statistic, alike, share):
    judged = claim(above=0.1).judge(samples, statistic)
    assert (judged.alike, judged.share) == (alike, share)


def test_rows_of_a_member_stay_together_in_the_bootstrap():
    x = np.random.default_rng(3).normal(size=50)
    slope = claim(above=0).judge(np.stack([x, 3 * x + 1], 1), lambda rows: np.polyfit(*rows.T, 1)[0])
    assert slope.low == pytest.approx(3) and slope.high == pytest.approx(3)


def test_same_seed_same_interval():
    samples = np.random.default_rng(4).normal(size=30)
    one, two, other = (claim(above=0).judge(samples, seed=seed) for seed in (5, 5, 6))
    assert one == two and one != other


def test_a_share_of_members_is_judged_by_wilsons_interval():
    judged = claim(above=0.1, members=50).judge_share(np.arange(100) < 30)
    assert (judged.estimate, judged.members, judged.verdict) == (0.3, 100, HOLDS)
    assert (judged.low, judged.high) == statistics.share_interval(30, 100)
    assert claim(below=1.1).judge_share(np.zeros(0, bool)).verdict == UNDECIDED
    wider = claim(above=0.1).judge_share([True, False] * 50, confidence=0.999)
    assert wider.low < claim(above=0.1).judge_share([True, False] * 50).low


def test_an_estimate_that_is_no_number_decides_nothing():
    assert claim(above=0).judge([]).verdict == UNDECIDED
    assert claim(above=0).judge_value(float("nan"), (1, 2), 99).verdict == UNDECIDED


def test_what_a_claim_holds_can_be_stored_as_it_was_written():
    made = claim(above=0, below=np.float64(0.5), members=np.int64(7), timing=1)
    assert json.dumps([made.above, made.below, made.members, made.timing]) == "[0, 0.5, 7, true]"
    assert claim(above=Fraction(1, 3)).criterion == "above 0.333333" and Claim(**asdict(made)) == made


@pytest.mark.parametrize("name", ["grows", "onset-20", "32-bit", "a", "one-two-three", "a" * 40])
def test_a_name_of_up_to_three_words_is_taken(name):
    assert claim(name, above=1).name == name


UNNAMED = ["", " ", "Grows", "it grows", "it_grows", "-grows", "grows-", "it--grows", "grows\n", "größer", "a:b"]


@pytest.mark.parametrize("name", [*UNNAMED, "one-two-three-four", "a" * 41, None, 3, ["grows"], b"grows"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ValueError, match=r"^name is .*: it must be one to three words .* 40 characters\.$"):
        claim(name, above=1)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: claim(), "above and below"),
        (lambda: claim(above=math.nan), "above"),
        (lambda: claim(above="a"), "above"),
        (lambda: claim(above=2, below=1), "above"),
        (lambda: claim(above=1, members=0), "members"),
        (lambda: claim(above=1, members=True), "members"),
        (lambda: claim(above=1, no_effect="none"), "no_effect"),
        (lambda: claim(above=1).judge([1], left_out=-1), "left_out"),
        (lambda: claim(above=1).judge([1, 2], lambda rows: rows), "estimate"),
        (lambda: claim(above=1, digits=0), "digits"),
        (lambda: claim(above=1, digits=16), "digits"),
        (lambda: claim(above=1, source="me"), "source"),
        (lambda: claim(above=1, timing="no"), "timing"),
        (lambda: claim(above=1, statement=" "), "statement"),
        (lambda: claim(above=1, place=None), "place"),
        (lambda: claim(above=1).judge(["a"]), "samples"),
        (lambda: claim(above=1).judge([[1], [1, 2]]), "samples"),
        (lambda: claim(above=1).judge([1], statistic="mean"), "statistic"),
        (lambda: claim(above=1).judge([1], seed=-1), "seed"),
        (lambda: claim(above=1).judge([1], resamples=0), "resamples"),
        (lambda: claim(above=1).judge([1], confidence=1), "confidence"),
        (lambda: claim(above=1).judge_share([0.3, 0.4]), "members"),
        (lambda: claim(above=1).judge_share([[True]]), "members"),
        (lambda: claim(above=1).judge_share(True), "members"),
        (lambda: claim(above=1).judge_value("x", (1, 2), 99), "estimate"),
        (lambda: claim(above=1).judge_value(1, (2, 1), 5), "interval"),
        (lambda: claim(above=1).judge_value(1, (1,), 5), "interval"),
        (lambda: claim(above=1).judge_value(1, (1, 2, 3), 5), "interval"),
        (lambda: claim(above=1).judge_value(1, (1, 1), -1), "members"),
        (lambda: claim(above=1).judge_value(1, (1, 1), left_out=0.5), "left_out"),
    ],
)
def test_what_is_not_sound_is_refused_in_one_sentence(make, word):
    with pytest.raises(ValueError, match=rf"^{word} .*(must|needs).*\.$"):
        make()
