"""How the onset depends on the data and how sharp it is: planted powers, widths by hand, the interval's coverage."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import statistics
from kbe.measures import onsets

RNG = np.random.default_rng


def planted(points, inputs, seed=0, members=101):
    """Onsets that grow with the power 0.8 of the points and -0.3 of the inputs, with lognormal scatter."""
    medians = 7 * np.array(points) ** 0.8 * np.array(inputs) ** -0.3
    return medians * np.exp(0.4 * RNG(seed).standard_normal((members, len(medians))))


POINTS, INPUTS = [5, 10, 20, 40, 20, 20], [256, 256, 256, 256, 64, 1024]


def test_exponents_are_the_planted_ones_and_their_interval_covers_them():
    powers = partial(onsets.exponents, points=POINTS, inputs=INPUTS)
    exact = 7 * np.array([POINTS]) ** 0.8 * np.array([INPUTS]) ** -0.3
    np.testing.assert_allclose(powers(exact), [0.8, -0.3], atol=1e-12)
    inside = []
    for seed in range(20):
        found = statistics.bootstrap(planted(POINTS, INPUTS, seed), powers, resamples=200, seed=seed)
        inside.append((found.low.values < [0.8, -0.3]) & (found.high.values > [0.8, -0.3]))
    assert np.mean(inside) > 0.8 and (found.high - found.low).max() < 0.5


def test_exponents_do_not_tell_where_half_the_members_have_no_onset_or_factors_go_together():
    onset = planted(POINTS, INPUTS)
    assert np.isnan(onsets.exponents(onset, points=POINTS, twice=np.square(POINTS))).all()
    onset[:40, 2] = np.inf
    assert np.isfinite(onsets.exponents(onset, points=POINTS)).all()
    onset[:60, 2] = np.inf
    assert np.isnan(onsets.exponents(onset, points=POINTS)).all()
    found = statistics.bootstrap(onset, partial(onsets.exponents, points=POINTS))
    assert np.isnan([found.estimate, found.low, found.high]).all()


def test_width_in_epochs_by_hand_and_unknown_if_training_ended_before():
    onset = np.arange(1.0, 101)
    assert onsets.width_in_epochs(onset) == 90 / 10
    assert onsets.width_in_epochs(onset * 7) == 90 / 10
    assert np.isnan(onsets.width_in_epochs(np.where(onset > 80, np.inf, onset)))


def test_width_in_sizes_by_hand():
    fallen = np.arange(100)[:, None] < [100, 100, 50, 0]
    # by interpolation over log N: 0.9 a fifth of the way from 10 to 100, 0.1 four fifths from 100 to 1000
    assert onsets.width_in_sizes(fallen, [1, 10, 100, 1000]) == pytest.approx(10**1.6)
    assert np.isnan(onsets.width_in_sizes(fallen[:, :3], [1, 10, 100]))
    assert np.isnan(onsets.width_in_sizes(fallen[:, 3:], [1000]))


def test_rank_correlation_of_growth_fall_and_blow_up():
    values = xr.DataArray([[1, 2, 30], [3, 2, 1], [5, 5, 5], [1, 2, np.nan]], dims=("member", "epoch"))
    np.testing.assert_allclose(statistics.rank_correlation_along(values, "epoch"), [1, -1, 0, 1])
    swapped = statistics.rank_correlation_along(values.T, "epoch")
    np.testing.assert_allclose(swapped, [1, -1, 0, 1])


def test_before_onset_takes_the_last_epoch_kept_and_never_the_onset_itself():
    epochs = [0, 10, 20, 40]
    values = xr.DataArray(np.tile(epochs, (3, 1)) * 1.0, dims=("member", "epoch"), coords={"epoch": epochs})
    found = onsets.before_onset(values, xr.DataArray([40.0, 41.0, np.inf], dims="member"), np.array([0, 0.5, 1]))
    np.testing.assert_allclose(found, [[0, 10, 20], [0, 20, 40], [np.nan] * 3])


def test_onset_interval_covers_the_true_median_and_keeps_coordinates():
    draws = RNG(3).exponential(size=(400, 41))
    onset = xr.DataArray(draws, dims=("points", "member"), coords={"points": np.arange(400)})
    found = statistics.median_interval(onset)
    covered = float(((found.low <= np.log(2)) & (found.high >= np.log(2))).mean())
    assert 0.92 < covered < 0.995 and "points" in found.coords
    np.testing.assert_allclose(found["median"], np.median(draws, 1))


def test_onset_interval_of_one_member_is_that_member():
    found = statistics.median_interval(xr.DataArray([5.0], dims="member"))
    assert found["median"] == found.low == found.high == 5


@settings(max_examples=25, deadline=None)
@given(st.floats(allow_nan=True).filter(lambda c: not 0 < c < 1))
def test_confidence_outside_0_and_1_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        statistics.bootstrap(np.ones(3), np.mean, confidence=confidence)
    with pytest.raises(ValueError, match="confidence"):
        statistics.median_interval(xr.DataArray([1.0], dims="member"), confidence)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: onsets.exponents(np.ones((3, 2)), points=[1, 2, 3]), "factors"),
        (lambda: onsets.exponents(np.ones((3, 2))), "factors"),
        (lambda: onsets.exponents(np.ones((3, 2)), points=[0, 1]), "factors"),
        (lambda: onsets.exponents(np.ones(3), points=[1]), "onset"),
        (lambda: onsets.width_in_epochs([1.0], 0.9, 0.1), "low"),
        (lambda: onsets.width_in_sizes(np.ones((3, 2)), [2, 1]), "sizes"),
        (lambda: statistics.rank_correlation_along(np.ones(3), "epoch"), "epoch"),
        (lambda: statistics.median_interval(xr.DataArray([1.0], dims="points")), "member"),
        (lambda: statistics.bootstrap([], np.mean), "samples"),
        (lambda: onsets.before_onset(xr.DataArray([1.0], dims="epoch"), xr.DataArray(1.0), [0.5]), "dimensions"),
        (lambda: onsets.before_onset(xr.DataArray([1.0]), xr.DataArray([1.0]), [1.5]), "fractions"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_values_and_onsets_without_dimensions_are_refused():
    with pytest.raises(ValueError, match="values has dimensions"):
        onsets.before_onset(None, None, [0.5])
    with pytest.raises(ValueError, match="values has no dimension"):
        statistics.rank_correlation_along(None, np.ones(2))
