"""Statistics over members: intervals that cover what they should, medians with onsets that never came, ranks."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbe import statistics

FEW = settings(max_examples=25, deadline=None)


def test_the_bootstrap_is_the_statistic_of_members_drawn_again_and_its_quantiles():
    samples = np.random.default_rng(0).exponential(size=(30, 2))
    found = statistics.bootstrap(samples, lambda s: s.mean(0), resamples=200, confidence=0.9, seed=5)
    again = np.random.default_rng(5).integers(30, size=(200, 30))
    assert (statistics.draws(30, 200, 5) == again).all()
    np.testing.assert_array_equal(found.estimate, samples.mean(0))
    np.testing.assert_array_equal(
        [found.low, found.high], np.quantile([samples[one].mean(0) for one in again], [0.5 - 0.45, 0.5 + 0.45], axis=0)
    )


@pytest.mark.parametrize(("count", "members"), [(0, 10), (3, 10), (10, 10), (37, 100), (1, 1)])
def test_the_ends_of_wilsons_interval_are_the_shares_at_that_distance(count, members):
    low, high = statistics.share_interval(count, members)
    z = stats.norm.ppf(0.975)  # the shares p with (k / n - p)^2 = z^2 p (1 - p) / n
    for end in (low, high):
        assert (count / members - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / members)
    assert 0 <= low < high <= 1 and (low == 0) == (count == 0) and (high == 1) == (count == members)
    wider = statistics.share_interval(count, members, 0.999)
    assert wider[1] - wider[0] > high - low


def test_an_interval_ends_at_infinity_where_enough_members_have_no_onset():
    found = statistics.bootstrap([1, 2, 3, 4, 5, *[np.inf] * 5], statistics.median_onset)
    assert float(found.estimate) == 5 and float(found.low) < 5 and float(found.high) == np.inf
    assert np.isnan(statistics.bootstrap([1.0, np.nan], np.mean).high)


@FEW
@given(st.lists(st.one_of(st.integers(1, 50), st.just(np.inf)), min_size=1, max_size=30))
def test_the_median_onset_is_the_first_epoch_by_which_half_have_theirs(values):
    onset, middle = np.array(values, float), statistics.median_onset(values)
    assert np.mean(onset <= middle) >= 0.5
    assert np.mean(onset < middle) < 0.5
    found = statistics.median_interval(xr.DataArray(onset, dims="member"))
    assert found["median"] == middle and found.low <= middle <= found.high


def test_the_interval_of_the_median_covers_the_true_one_and_keeps_coordinates():
    draws = np.random.default_rng(3).exponential(size=(400, 41))
    onset = xr.DataArray(draws, dims=("points", "member"), coords={"points": np.arange(400)})
    found = statistics.median_interval(onset)
    covered = float(((found.low <= np.log(2)) & (found.high >= np.log(2))).mean())
    assert 0.92 < covered < 0.995 and "points" in found.coords
    np.testing.assert_allclose(found["median"], np.median(draws, 1))
    np.testing.assert_array_equal(statistics.median_onset(onset, axis=1), found["median"])


def test_the_interval_of_one_member_is_that_member():
    found = statistics.median_interval(xr.DataArray([5.0], dims="member"))
    assert found["median"] == found.low == found.high == 5


def test_rank_correlation_of_growth_fall_standstill_and_blow_up():
    values = xr.DataArray([[1, 2, 30], [3, 2, 1], [5, 5, 5], [1, 2, np.nan]], dims=("member", "epoch"))
    np.testing.assert_array_equal(statistics.rank_correlation(values), [1, -1, 0, 1])
    for labelled in (values, values.T):
        found = labelled.reduce(statistics.rank_correlation, "epoch")
        assert found.dims == ("member",) and found.values.tolist() == [1, -1, 0, 1]
    assert np.isnan(statistics.rank_correlation(values[:, :2])).all()


def test_rank_correlation_is_spearmans_with_the_place():
    values = np.random.default_rng(1).integers(0, 9, 40)
    expected = stats.spearmanr(np.arange(40), values).statistic
    assert statistics.rank_correlation(values) == pytest.approx(expected)


def test_without_a_control_the_partial_correlation_is_spearmans():
    first, second = np.random.default_rng(1).random((2, 40))
    second += first
    expected = stats.spearmanr(first, second).statistic
    assert statistics.partial_rank_correlation(first, second) == pytest.approx(expected)


def test_a_common_cause_is_taken_off_and_a_direct_one_stays():
    generator = np.random.default_rng(2)
    cause, noise, other = generator.standard_normal((3, 2000))
    first = cause + noise
    assert statistics.partial_rank_correlation(first, cause + other) > 0.4
    assert abs(statistics.partial_rank_correlation(first, cause + other, cause)) < 0.06
    assert statistics.partial_rank_correlation(first, noise + other, cause) > 0.5


def test_the_partial_correlation_follows_the_formula_for_one_control():
    a, b, c = np.random.default_rng(3).random((3, 25))
    b, c = b + a, c + a
    ab, ac, bc = (stats.spearmanr(*pair).statistic for pair in ((a, b), (a, c), (b, c)))
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert statistics.partial_rank_correlation(a, b, c) == pytest.approx(expected)


@FEW
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan, np.inf]), min_size=1, max_size=8))
def test_any_members_give_a_correlation_or_nan(values):
    found = statistics.partial_rank_correlation(values, values)
    assert np.isnan(found) or found == pytest.approx(1)


ONE = xr.DataArray([1.0], dims="member")


@FEW
@given(st.floats(allow_nan=True).filter(lambda c: not 0 < c < 1))
def test_a_confidence_outside_0_and_1_is_refused(confidence):
    for call in (
        lambda: statistics.bootstrap(np.ones(3), np.mean, confidence=confidence),
        lambda: statistics.median_interval(ONE, confidence),
        lambda: statistics.share_interval(1, 2, confidence),
    ):
        with pytest.raises(ValueError, match="confidence"):
            call()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: statistics.bootstrap([], np.mean), "samples"),
        (lambda: statistics.bootstrap([1.0], "mean"), "statistic"),
        (lambda: statistics.bootstrap([1.0], np.mean, resamples=0), "resamples"),
        (lambda: statistics.bootstrap([1.0], np.mean, seed=-1), "seed"),
        (lambda: statistics.share_interval(3, 2), "successes"),
        (lambda: statistics.share_interval(0, 0), "total"),
        (lambda: statistics.median_interval(xr.DataArray([1.0], dims="points")), "onset lacks member"),
        (lambda: statistics.median_interval(3.0), "onset lacks member"),
        (lambda: statistics.rank_correlation(None), "values"),
        (lambda: statistics.rank_correlation(ONE, "member"), "axis"),
        (lambda: statistics.partial_rank_correlation([1.0, 2], [1.0, 2, 3]), "second"),
        (lambda: statistics.partial_rank_correlation([1.0, 2], [1.0, 2], [1.0]), "argument 1 of controls"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, word):
    with pytest.raises(ValueError, match=word):
        call()
