"""The two variances of section III.B, of one ensemble and over sizes of the data set."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr
from hypothesis import settings

from kbe.data.encoding import random_encoding
from kbe.losses import squared_error
from kbe.measures.variances import variances
from kbe.networks import AverageNetwork, VarianceNetwork
from kbe.training import ensemble

FEW = settings(max_examples=25, deadline=None)
SMALL = functools.partial(VarianceNetwork, bits=4, layers=1)


def run_of(mu, sigma, y) -> xr.Dataset:
    dims = ("member", "epoch", "point")
    return xr.Dataset({"mu": (dims, mu), "sigma": (dims, sigma), "y": (("member", "point"), y)}, attrs={"jump": 0.25})


def test_variances_by_hand():
    found = variances(run_of([[[0.5, 1.0], [0.0, 1.0]]], [[[1.0, 3.0], [0.5, 0.5]]], [[0.0, 1.0]]))
    assert found.squared_error.values.tolist() == [[0.125, 0.0]]
    assert found.predicted.values.tolist() == [[5.0, 0.25]]
    assert found.gap.values.tolist() == [[4.875, 0.25]]
    assert found.attrs["jump"] == 0.25


def test_a_negative_sigma_has_no_gap_and_one_of_zero_has():
    for sigma, without in ((-0.5, [[True, False]]), (0.0, [[False, False]])):
        found = variances(run_of([[[0.5, 1.0], [0.0, 1.0]]], [[[1.0, sigma], [0.5, 0.5]]], [[0.0, 1.0]]))
        assert np.isnan(found.gap.values).tolist() == np.isnan(found.predicted.values).tolist() == without


def test_variances_of_the_best_constant_prediction_are_the_variance_of_the_targets():
    y = np.random.default_rng(0).integers(0, 2, (5, 40)).astype(float)
    mean, deviation = (np.repeat(f(1)[:, None, None], 40, 2) for f in (y.mean, y.std))
    found = variances(run_of(mean, deviation, y))
    np.testing.assert_allclose(found.squared_error[:, 0], y.var(1))
    np.testing.assert_allclose(found.gap, 0, atol=1e-15)


def test_a_value_that_is_not_finite_takes_its_member_and_epoch_out_of_all_three():
    mu, sigma = np.zeros((3, 2, 2)), np.ones((3, 2, 2))
    mu[0, 1, 0], sigma[1, 0, 1] = np.nan, np.inf
    found = variances(run_of(mu, sigma, np.zeros((3, 2))))
    for name in ("squared_error", "predicted", "gap"):
        assert np.isnan(found[name]).values.tolist() == [[False, True], [True, False], [False, False]]


def test_the_onset_goes_with_them_and_a_run_without_deviation_is_refused():
    data = random_encoding(3, 4, 2)
    run = ensemble.train(SMALL, data, epochs=4)
    assert variances(run).onset.equals(run.onset)
    average = ensemble.train(functools.partial(AverageNetwork, bits=4), data, squared_error, epochs=1)
    with pytest.raises(ValueError, match="run lacks sigma"):
        variances(average)


def test_before_training_eq8_minimum_is_not_reached_and_the_gap_closes():
    """Eq. (8) is least where sigma squared is the squared error: training closes the gap."""
    run = ensemble.train(VarianceNetwork, random_encoding(150, 8, 16), epochs=200, record=[0, 200])
    gap = variances(run).gap.median("member").values
    assert gap[1] < 0.1 * gap[0]


@pytest.mark.parametrize("run", [None, 5, "mu sigma y", {}])
def test_a_run_that_is_no_dataset_is_refused(run):
    with pytest.raises(ValueError, match="run lacks"):
        variances(run)
