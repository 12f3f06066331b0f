"""Losses at zero error against what is known of them in closed form."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import losses
from kbe.discussion import zero_error

SIGMA = np.array([1e-6, 1e-3, 0.1, 1.0])
T = losses.student_t_nll


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.gaussian_nll, SIGMA**-2),
        (partial(T, degrees=3), 4 / 3 * SIGMA**-2),
        (partial(T, degrees=1), 2 * SIGMA**-2),
        (losses.beta_nll, SIGMA**-1),
        (partial(losses.beta_nll, beta=1), SIGMA**0),
        (losses.faithful_nll, SIGMA**0),
        (partial(losses.clamped_gaussian_nll, floor=0.01), np.minimum(SIGMA**-2, 100)),
    ],
)
def test_eq8_and_others_have_their_curvature_at_zero_error(loss, expected):
    np.testing.assert_allclose(zero_error.curvature_in_mean(loss, SIGMA), expected, rtol=1e-5)


def test_laplace_has_a_kink_instead():
    near, nearer = (zero_error.curvature_in_mean(losses.laplace_nll, SIGMA, z) for z in (1e-2, 1e-4))
    np.testing.assert_allclose(nearer, 100 * near)


@pytest.mark.parametrize("loss", [losses.gaussian_nll, losses.laplace_nll, T, partial(T, degrees=0.5)])
def test_scale_families_share_one_rule(loss):
    np.testing.assert_allclose(zero_error.scale_rule(loss, [[0.0], [0.01], [3.0]], SIGMA[1:]), 1, atol=1e-9)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_a_weight_takes_its_power_of_the_rule(beta):
    rule = zero_error.scale_rule(partial(losses.beta_nll, beta=beta), 0.2, SIGMA[2:])
    np.testing.assert_allclose(rule, SIGMA[2:] ** (2 * beta))


def log_slope(loss, ratio: float, deviation: float = 1.0) -> float:
    """The slope of a loss in the logarithm of the error, at an error of so many deviations."""
    return float(zero_error.curvature_in_mean(loss, deviation, ratio) * (ratio * deviation) ** 2)


def test_the_slope_in_the_log_error_of_student_t_is_bounded_and_those_of_the_others_are_not():
    far = np.array([1.0, 1e3, 1e6])
    np.testing.assert_allclose([log_slope(losses.gaussian_nll, z) for z in far], far**2)
    np.testing.assert_allclose([log_slope(losses.laplace_nll, z, 1e-3) for z in far], far)
    assert [log_slope(partial(T, degrees=3), z, 1e-3) for z in far] == pytest.approx([1, 4, 4], abs=1e-4)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_step_limits_are_those_of_the_closed_forms(share):
    assert zero_error.step_limit(losses.gaussian_nll, share) == pytest.approx(1, abs=1e-6)
    assert zero_error.step_limit(losses.laplace_nll, share) == pytest.approx(2, abs=1e-6)
    for degrees in (1, 3, 30):
        squared = share * degrees / (degrees + 1 - share)
        expected = (degrees + squared) / degrees
        assert zero_error.step_limit(partial(T, degrees=degrees), share) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("factor", "settles"), [(0.97, True), (1.03, False)])
@pytest.mark.parametrize("loss", [losses.gaussian_nll, losses.laplace_nll, T])
def test_the_map_of_one_point_settles_below_the_limit_alone(loss, factor, settles):
    """The two equations of the docstring, iterated as they stand, with k_m = k_s."""
    step = factor * zero_error.step_limit(loss)
    start = {losses.gaussian_nll: 0.5**0.5, losses.laplace_nll: 0.5, T: (3 / 7) ** 0.5}[loss]
    log_ratio = np.log(start) + 1e-3
    for _ in range(300):
        log_ratio += step * (1 - 2 * log_slope(loss, np.exp(log_ratio)))
    assert (abs(log_ratio - np.log(start)) < 5e-4) == settles


@settings(max_examples=25, deadline=None)
@given(bad=st.sampled_from([np.nan, None, "1", 0.0, -1.0]))
def test_bad_numbers_are_refused(bad):
    for call in (
        lambda: zero_error.scale_rule(losses.gaussian_nll, 0.1, bad),
        lambda: zero_error.curvature_in_mean(losses.gaussian_nll, 1.0, bad),
        lambda: zero_error.step_limit(losses.gaussian_nll, bad),
    ):
        with pytest.raises(ValueError, match=r"^(deviation|ratio|share) "):
            call()


def test_a_loss_whose_slopes_never_take_the_share_is_refused():
    with pytest.raises(ValueError, match=r"^share is 0.5: r times"):
        zero_error.step_limit(lambda output, target: 0.1 * losses.laplace_nll(output, target).clamp(max=0))
