"""Coverage and log score against SciPy, closed forms and counted cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from kbe import losses
from kbe.discussion import calibration

SHAPES = [stats.norm(), stats.laplace(), stats.t(3)]


def test_half_widths_are_those_of_the_tables():
    assert calibration.half_width() == pytest.approx(1.6448536, abs=1e-7)
    assert calibration.half_width(stats.t(3)) == pytest.approx(2.3533634, abs=1e-7)
    assert calibration.half_width(stats.laplace(), 0.5) == pytest.approx(np.log(2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_a_prediction_of_the_true_distribution_covers_what_it_should(shape, level):
    y = 0.3 + 2 * shape.rvs(40000, random_state=0)
    assert calibration.covered(y, 0.3, 2.0, shape, level).mean() == pytest.approx(level, abs=0.008)


def test_counted_by_hand():
    found = calibration.covered(np.array([0.0, 1.64, 1.65, -1.64, 9.0]), 0.0, np.array([1, 1, 1, 1, np.nan]))
    np.testing.assert_array_equal(found, [1, 1, 0, 1, np.nan])


@pytest.mark.parametrize(
    ("shape", "loss"),
    list(zip(SHAPES, (losses.gaussian_nll, losses.laplace_nll, losses.student_t_nll), strict=True)),
)
def test_the_score_is_the_negative_of_eq8_and_of_the_other_losses(shape, loss):
    y, mean, scale = np.random.default_rng(0).uniform(0.1, 1, (3, 20))
    expected = -loss(torch.tensor(np.stack([mean, scale], -1)), torch.tensor(y)).numpy()
    np.testing.assert_allclose(calibration.log_score(y, mean, scale, shape), expected, rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_prediction_scores_better_than_the_truth(shape):
    y = np.random.default_rng(1).normal(0.5, 0.1, 40000)
    truth = calibration.log_score(y, 0.5, 0.1).mean()
    for location, scale in ((0.5, 0.1), (0.55, 0.1), (0.5, 0.05), (0.5, 0.2)):
        worse = calibration.log_score(y, location, scale, shape).mean()
        assert worse < truth or (shape is SHAPES[0] and location == 0.5 and scale == 0.1)


@pytest.mark.parametrize("shape", SHAPES)
def test_expected_coverage_is_the_integral_of_the_true_density(shape):
    mean, deviation, location, scale = 0.4, 0.2, 0.5, 0.07
    reach = shape.ppf(0.95) * scale
    density = stats.norm(mean, deviation).pdf
    found = calibration.expected_coverage(mean, deviation, location, scale, shape)
    assert found == pytest.approx(integrate.quad(density, location - reach, location + reach)[0], abs=1e-9)


def test_expected_coverage_is_what_many_targets_give():
    y = np.random.default_rng(2).normal(0.4, 0.2, 100000)
    found = calibration.covered(y, 0.5, 0.1).mean()
    assert found == pytest.approx(calibration.expected_coverage(0.4, 0.2, 0.5, 0.1), abs=0.005)


def test_an_array_with_names_keeps_them():
    y = xr.DataArray([[0.1, 0.2]], dims=("member", "point"))
    mu = xr.DataArray(np.zeros((1, 3, 2)), dims=("member", "epoch", "point"))
    for found in (
        calibration.covered(y, mu, mu + 1),
        calibration.log_score(y, mu, mu + 1),
        calibration.expected_coverage(y, y, mu, mu + 1),
    ):
        assert dict(found.sizes) == {"member": 1, "point": 2, "epoch": 3}


@settings(max_examples=25, deadline=None)
@given(
    level=st.sampled_from([0.0, 1.0, 2.0, np.nan, None, "1"]),
    shape=st.sampled_from([None, 1, stats.expon(), stats.norm(1)]),
)
def test_bad_levels_and_shapes_are_refused(level, shape):
    with pytest.raises(ValueError, match=r"^level is "):
        calibration.covered(0.0, 0.0, 1.0, level=level)
    for call in (calibration.half_width, lambda d: calibration.log_score(0.0, 0.0, 1.0, d)):
        with pytest.raises(ValueError, match=r"^distribution "):
            call(shape)


ONE, ZERO = np.array([1.0]), np.array([0.0])


def test_a_scale_of_0_predicts_a_single_value():
    """It covers that value and no other, and its log score is infinite."""
    assert calibration.covered(np.array([0.0, 1.0]), 0.0, ZERO).tolist() == [1, 0]
    assert calibration.log_score(np.array([0.0, 1.0]), 0.0, ZERO).tolist() == [np.inf, -np.inf]
    assert calibration.expected_coverage(ZERO, ONE, ZERO, ZERO).tolist() == [0]
    assert calibration.expected_coverage(np.array([0.0, 1.0]), ZERO, ZERO, ZERO).tolist() == [1, 0]


def test_a_negative_scale_predicts_nothing():
    assert np.isnan(calibration.covered(100 * ONE, ZERO, -ONE)).all()
    assert np.isnan(calibration.log_score(100 * ONE, ZERO, -ONE)).all()
    assert np.isnan(calibration.expected_coverage(ZERO, ONE, ZERO, -ONE)).all()
    assert np.isnan(calibration.expected_coverage(ZERO, -ONE, ZERO, ONE)).all()
