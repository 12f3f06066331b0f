"""Members have diverged, or are stable and trained, by their two variances."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe.measures import divergence


def made(mean: list[float], sigma: list[float], target: float = 1.0) -> xr.Dataset:
    """One member with one point, an epoch for each value."""
    dims = ("member", "epoch", "point")
    shape = (1, len(mean), 1)
    return xr.Dataset(
        {
            "mu": (dims, np.reshape(mean, shape)),
            "sigma": (dims, np.reshape(sigma, shape)),
            "y": (("member", "point"), [[target]]),
        }
    )


def test_a_member_diverges_by_its_error_by_its_deviation_or_by_nan_and_may_come_back():
    run = made([0.9, -0.1, 0.9, np.nan, 0.9, 0.1], [0.2, 0.2, 0.9, 0.2, np.inf, 0.3])
    assert divergence.diverged(run).values[0].tolist() == [False, True, True, True, True, False]
    assert divergence.diverged(run, limit=0.9).values[0].tolist() == [False, False, False, True, True, False]


def test_a_remedy_leaves_a_member_stable_and_lets_it_learn():
    run = made([0.5, 0.9, 0.9, np.nan], [0.5, 0.1, 0.9, 0.1])
    assert divergence.stable_and_trained(run).values[0].tolist() == [False, True, False, False]
    assert divergence.stable_and_trained(run, learned=0.3).values[0].tolist() == [True, True, False, False]


def test_the_least_deviation_is_taken_where_the_member_is_stable():
    run = made([0.9, 0.9, np.nan, 0.9], [0.3, 0.2, 0.1, 0.25])
    assert divergence.least_deviation_reached(run).values.tolist() == [0.2]
    assert np.isnan(divergence.least_deviation_reached(made([np.nan, np.nan], [0.3, 0.2])).values[0])


def test_before_it_diverges_each_member_stands_at_an_epoch_of_its_own():
    first, second = made([0.9, 0.8, np.nan, -0.9], [0.3, 0.2, 0.1, 0.4]), made([0.9, np.nan, 0.7, 0.6], [0.3] * 4)
    at = divergence.before_divergence(xr.concat([first, second], "member"))
    assert at.mu.dims == ("member", "epoch", "point") and at.mu.values[:, 0, 0].tolist() == [0.8, 0.6]
    assert at.sigma.values[:, 0, 0].tolist() == [0.2, 0.3] and at.y.shape == (2, 1)
    assert divergence.before_divergence(made([np.nan, np.nan], [0.3, 0.2])).sigma.item() == 0.3


@pytest.mark.parametrize(
    "function",
    [
        divergence.diverged,
        divergence.stable_and_trained,
        divergence.least_deviation_reached,
        divergence.before_divergence,
    ],
)
def test_bad_input_is_refused(function):
    with pytest.raises(ValueError, match=r"^limit is 0"):
        function(made([0.5], [0.5]), limit=0)
    with pytest.raises(ValueError, match=r"^run lacks sigma"):
        function(made([0.5], [0.5]).drop_vars("sigma"))


def test_a_bad_threshold_is_refused():
    with pytest.raises(ValueError, match=r"^learned is -1"):
        divergence.stable_and_trained(made([0.5], [0.5]), learned=-1)
