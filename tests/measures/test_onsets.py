"""How the onset depends on the data and how sharp it is: planted powers, widths and values before the onset by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import statistics
from kbe.data.encoding import random_encoding
from kbe.measures import onsets
from kbe.networks import VarianceNetwork
from kbe.training import ensemble

FEW = settings(max_examples=25, deadline=None)
POINTS, INPUTS = [5, 10, 20, 40, 20, 20], [256, 256, 256, 256, 64, 1024]


def planted(points, inputs, seed=0, members=101):
    """Onsets that grow with the power 0.8 of the points and -0.3 of the inputs, with lognormal scatter."""
    medians = 7 * np.array(points) ** 0.8 * np.array(inputs) ** -0.3
    return medians * np.exp(0.4 * np.random.default_rng(seed).standard_normal((members, len(medians))))


def onset_of(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, float), dims="member")


def over(epochs, rows) -> xr.DataArray:
    return xr.DataArray(np.array(rows, float), dims=("member", "epoch"), coords={"epoch": epochs})


def test_a_share_of_the_way_is_not_cut_by_rounding():
    """0.29 of 100 epochs are 29, though 0.29 * 100 is 28.999999999999996 in floats."""
    found = onsets.at_fractions(over(np.arange(102), [np.arange(102)]), onset_of(101), np.arange(101) / 100)
    assert found.values.tolist() == [[float(k) for k in range(101)]]


def test_a_limit_may_come_from_an_epoch():
    values = over([0, 1, 2], [[3, 4, 5], [6, 7, 8]])
    limit = values.sel(epoch=1) * 0 + 2
    assert onsets.last_before(values, limit).values.tolist() == [4, 7]


def test_exponents_are_the_planted_ones_and_their_interval_covers_them():
    powers = partial(onsets.scaling_exponents, points=POINTS, inputs=INPUTS)
    exact = 7 * np.array([POINTS]) ** 0.8 * np.array([INPUTS]) ** -0.3
    np.testing.assert_allclose(powers(exact), [0.8, -0.3], atol=1e-12)
    inside = []
    for seed in range(20):
        found = statistics.bootstrap(planted(POINTS, INPUTS, seed), powers, resamples=200, seed=seed)
        inside.append((found.low.values < [0.8, -0.3]) & (found.high.values > [0.8, -0.3]))
    assert np.mean(inside) > 0.8 and (found.high - found.low).max() < 0.5


def test_exponents_do_not_tell_where_half_the_members_have_no_onset_or_factors_go_together():
    onset = planted(POINTS, INPUTS)
    assert np.isnan(onsets.scaling_exponents(onset, points=POINTS, twice=np.square(POINTS))).all()
    assert np.isnan(onsets.scaling_exponents(onset[:, :1], points=POINTS[:1])).all()
    onset[:40, 2] = np.inf
    assert np.isfinite(onsets.scaling_exponents(onset, points=POINTS)).all()
    onset[:60, 2] = np.inf
    assert np.isnan(onsets.scaling_exponents(onset, points=POINTS)).all()
    found = statistics.bootstrap(onset, partial(onsets.scaling_exponents, points=POINTS))
    assert np.isnan([found.estimate, found.low, found.high]).all()


def test_width_in_epochs_by_hand_and_unknown_if_training_ended_before():
    onset = np.arange(1.0, 101)
    assert onsets.width_in_epochs(onset) == 90 / 10
    assert onsets.width_in_epochs(onset * 7) == 90 / 10
    assert np.isnan(onsets.width_in_epochs(np.where(onset > 80, np.inf, onset)))


def test_width_in_sizes_by_hand():
    unstable = np.arange(100)[:, None] < [100, 100, 50, 0]
    # by interpolation over log N: 0.9 a fifth of the way from 10 to 100, 0.1 four fifths from 100 to 1000
    assert onsets.width_in_sizes(unstable, [1, 10, 100, 1000]) == pytest.approx(10**1.6)
    assert np.isnan(onsets.width_in_sizes(unstable[:, :3], [1, 10, 100]))
    assert np.isnan(onsets.width_in_sizes(unstable[:, 3:], [1000]))


def test_last_before_takes_each_member_at_its_own_limit():
    values, limit = over([0, 10, 20], [[1, 2, 3]] * 5), onset_of(0.5, 10, 21, 22, np.inf)
    np.testing.assert_array_equal(onsets.last_before(values, limit), [1, 1, 3, np.nan, np.nan])
    assert np.isnan(onsets.last_before(values, limit * 0)[:4]).all()


def test_further_dimensions_stay_where_they_are():
    values = xr.DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("member", "epoch", "parameter"))
    found = onsets.last_before(values.assign_coords(epoch=[0, 1, 2]), onset_of(1, 3))
    assert found.dims == ("member", "parameter")
    np.testing.assert_array_equal(found, [values[0, 0], values[1, 2]])


def test_a_fraction_of_the_onset_takes_the_last_epoch_recorded_by_then_and_never_the_onset_itself():
    epochs = [0, 10, 20, 40]
    found = onsets.at_fractions(over(epochs, [epochs] * 3), onset_of(40, 41, np.inf), [0, 0.5, 1])
    assert found.dims == ("member", "fraction")
    np.testing.assert_array_equal(found, [[0, 10, 20], [0, 20, 40], [np.nan] * 3])


def test_members_with_other_labels_are_not_matched_in_silence():
    values, onset = (one.assign_coords(member=[0, 1]) for one in (over([0, 1], np.eye(2)), onset_of(1, 1)))
    onsets.at_fractions(values, onset, [0.5])
    with pytest.raises(ValueError, match="member"):
        onsets.at_fractions(values, onset[::-1], [0.5])


def run_of(epochs, rows, onset) -> xr.Dataset:
    return xr.Dataset({"mu": over(epochs, rows), "onset": onset_of(*onset), "y": ("member", np.zeros(len(rows)))})


def test_lags_count_back_from_each_members_onset():
    back = onsets.at_lags(run_of(np.arange(6), [np.arange(6), np.arange(6) + 10], [3, 5]), [2, 0, -1])
    np.testing.assert_array_equal(back.mu.transpose("member", "lag"), [[1, 3, 4], [13, 15, np.nan]])
    assert back.onset.dims == back.y.dims == ("member",) and "epoch" not in back.coords


def test_lags_are_nan_without_onset_or_record():
    assert np.isnan(onsets.at_lags(run_of([0, 1, 2], np.zeros((2, 3)), [np.inf, 9]), [1]).mu).all()
    assert np.isnan(onsets.at_lags(run_of([0, 1, 2], np.zeros((1, 3)), [1]), [2]).mu).all()
    assert np.isnan(onsets.at_lags(run_of([0, 10], np.zeros((1, 2)), [10]), [5]).mu).all()


def test_unstable_from_the_onset_on():
    share = onsets.share_unstable(onset_of(3, 7, np.inf, np.inf), [0, 2, 3, 6.5, 7, 1e9])
    assert share.dims == ("epoch",) and share.values.tolist() == [0, 0, 0.25, 0.25, 0.5, 0.5]


@FEW
@given(st.lists(st.one_of(st.integers(1, 50), st.just(np.inf)), min_size=1, max_size=30))
def test_the_share_never_falls_and_is_half_at_the_median(values):
    share = onsets.share_unstable(onset_of(*values), range(60))
    assert (share.diff("epoch") >= 0).all()
    middle = statistics.median_onset(values)
    if np.isfinite(middle):
        assert share.sel(epoch=middle) >= 0.5 > share.sel(epoch=middle - 1)


def test_further_dimensions_stay():
    onset = xr.DataArray([[1.0, np.inf, 2.0], [np.inf, np.inf, 4.0]], dims=("points", "member"))
    assert onsets.share_unstable(onset, [3, 4]).values.tolist() == [[2 / 3, 2 / 3], [0, 1 / 3]]


def test_one_point_alone_is_unstable_and_early():
    run = ensemble.train(VarianceNetwork, random_encoding(1, 8, 24), epochs=60, record=[60])
    assert np.isfinite(run.onset).mean() > 0.8
    assert 5 < statistics.median_onset(run.onset) < 40


VALUES, ONSET = over([0, 1], [[1, 2]]), onset_of(1)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: onsets.scaling_exponents(np.ones((3, 2)), points=[1, 2, 3]), "points"),
        (lambda: onsets.scaling_exponents(np.ones((3, 2))), "factors"),
        (lambda: onsets.scaling_exponents(np.ones((3, 2)), points=[0, 1]), "points"),
        (lambda: onsets.scaling_exponents(np.ones(3), points=[1]), "onset"),
        (lambda: onsets.width_in_epochs([1.0], 0.9, 0.1), "low"),
        (lambda: onsets.width_in_epochs([1.0], 0.9, 1.1), "high"),
        (lambda: onsets.width_in_sizes(np.ones((3, 2)), [2, 1]), "sizes"),
        (lambda: onsets.width_in_sizes(np.ones((3, 2)), [0, 1]), "sizes"),
        (lambda: onsets.width_in_sizes(np.ones((3, 2)), [1, 2, 3]), "sizes"),
        (lambda: onsets.last_before(VALUES[0], ONSET), "values lacks member"),
        (lambda: onsets.last_before(VALUES, ONSET[0]), "limit lacks member"),
        (lambda: onsets.at_fractions(None, None, [0.5]), "values lacks member, epoch"),
        (lambda: onsets.at_fractions(VALUES, ONSET[0], [0.5]), "onset lacks member"),
        (lambda: onsets.at_fractions(VALUES, ONSET, [1.5]), "fractions"),
        (lambda: onsets.at_fractions(VALUES, ONSET, [-0.5]), "fractions"),
        (lambda: onsets.at_lags(xr.Dataset({"mu": VALUES}), [1]), "run lacks onset"),
        (lambda: onsets.at_lags(xr.Dataset({"onset": ONSET}), [1]), "run lacks epoch"),
        (lambda: onsets.at_lags(run_of([0], [[1]], [1]), [[1]]), "lags"),
        *((lambda bad=bad: onsets.share_unstable(ONSET, bad), "epochs") for bad in ("a", [[1]], [np.nan], [])),
        *((lambda bad=bad: onsets.share_unstable(bad, [1]), "onset lacks") for bad in (3.0, np.ones(3), ONSET[0])),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, word):
    with pytest.raises(ValueError, match=word):
        call()
