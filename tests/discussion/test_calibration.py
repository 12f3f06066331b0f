"""Coverage and scores against SciPy, another library, closed forms, integrals and counted cases."""

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


# --- log scores where the density underflows


@pytest.mark.parametrize(
    ("shape", "loss"),
    [(stats.norm(), losses.gaussian_nll), (stats.laplace(), losses.laplace_nll), (stats.t(3), losses.student_t_nll)],
)
def test_the_log_score_does_not_underflow_where_the_density_does(shape, loss):
    y, scale = np.array([0.0, 40.0, 800.0, 1e4, 1e9]), 1e-3 * np.ones(5)
    expected = -loss(torch.tensor(np.stack([0 * y, scale], -1)), torch.tensor(y)).numpy()
    np.testing.assert_allclose(calibration.log_score(y, 0.0, scale, shape), expected, rtol=1e-12)


def test_the_log_score_of_a_laplace_distribution_with_a_scale_of_its_own():
    y = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(
        calibration.log_score(y, 0.0, 1.0, stats.laplace(scale=2)), stats.laplace(0, 2).logpdf(y)
    )


# --- the CRPS


def integrated(y: float, cdf, scale: float) -> float:
    """The integral of (F - [x >= y])^2, in units in which the steepest part is of order one."""
    below = integrate.quad(lambda x: cdf(y - scale * x) ** 2, 0, np.inf, limit=200, epsabs=1e-12)[0]
    above = integrate.quad(lambda x: (1 - cdf(y + scale * x)) ** 2, 0, np.inf, limit=200, epsabs=1e-12)[0]
    return scale * (below + above)


@pytest.mark.parametrize("shape", [*SHAPES, stats.t(1.5), stats.t(df=30)])
@pytest.mark.parametrize(
    ("y", "location", "scale"), [(0.3, 0.3, 0.1), (0.5, 0.3, 0.1), (-2.0, 0.3, 0.7), (4.0, 1.0, 2)]
)
def test_the_crps_is_its_integral(shape, y, location, scale):
    found = calibration.crps(y, location, scale, shape)
    cdf = lambda x: shape.cdf((x - location) / scale)  # noqa: E731
    assert found == pytest.approx(integrated(y, cdf, scale), rel=1e-7)


def test_the_crps_is_that_of_another_library():
    import scoringrules  # compiles for seconds

    y, mean, scale = np.random.default_rng(0).uniform(0.1, 1, (3, 50))
    for shape, others in (
        (stats.norm(), scoringrules.crps_normal(y, mean, scale)),
        (stats.laplace(), scoringrules.crps_laplace(y, mean, scale)),
        (stats.t(2.5), scoringrules.crps_t(y, 2.5, mean, scale)),
    ):
        np.testing.assert_allclose(calibration.crps(y, mean, scale, shape), others, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_crps_is_the_error_where_the_scale_is_small_and_finite_at_ten_thousand_scales(shape):
    for scale in (1e-4, 1e-8, 1e-12, 0.0):
        assert calibration.crps(1.0, 0.0, scale, shape) == pytest.approx(1.0, abs=2 * scale)
    assert calibration.crps(1e4, 0.0, 1.0, stats.norm()) == pytest.approx(1e4 - 1 / np.sqrt(np.pi), rel=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_prediction_has_a_better_crps_than_the_truth(shape):
    y = 0.5 + 0.1 * shape.rvs(40000, random_state=1)
    truth = calibration.crps(y, 0.5, 0.1, shape).mean()
    others = [(0.55, 0.1, shape), (0.5, 0.05, shape), (0.5, 0.2, shape)]
    assert all(calibration.crps(y, *other).mean() > truth for other in others)


# --- mixtures of Gaussians


def ensemble(networks: int = 5) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    generator = np.random.default_rng(3)
    dims, labels = ("member", "network", "point"), {"network": np.arange(networks) + 7}
    mean, scale = (xr.DataArray(v, labels, dims) for v in generator.uniform(0.1, 1, (2, 3, networks, 4)))
    return xr.DataArray(generator.uniform(0, 1, (3, 4)), dims=("member", "point")), mean, scale


def test_the_scores_of_a_mixture_are_those_of_another_library():
    import scoringrules

    y, mean, scale = ensemble()
    given = [mean.transpose(..., "network").values, scale.transpose(..., "network").values]
    found = calibration.mixture_crps(y, mean, scale, "network").transpose("member", "point")
    np.testing.assert_allclose(found, scoringrules.crps_mixnorm(y.values, *given), rtol=1e-12)
    found = calibration.mixture_log_score(y, mean, scale, "network").transpose("member", "point")
    np.testing.assert_allclose(found, -scoringrules.logs_mixnorm(y.values, *given), rtol=1e-12)


def test_the_scores_of_a_mixture_are_their_integral_and_the_log_of_the_mean_density():
    y, mean, scale = (one.isel(member=0, point=0) for one in ensemble(3))
    cdf = lambda x: np.mean(stats.norm(mean.values, scale.values).cdf(x))  # noqa: E731
    found = calibration.mixture_crps(y, mean, scale, "network")
    assert float(found) == pytest.approx(integrated(float(y), cdf, 0.5), rel=1e-7)
    density = stats.norm(mean.values, scale.values).pdf(float(y)).mean()
    assert float(calibration.mixture_log_score(y, mean, scale, "network")) == pytest.approx(np.log(density), rel=1e-12)


def test_a_mixture_of_equals_scores_as_one_of_them_and_of_points_as_the_spread_of_points():
    y, mean, scale = ensemble(1)
    many = [one.isel(network=[0] * 6) for one in (mean, scale)]
    for one, mixed in (
        (calibration.log_score, calibration.mixture_log_score),
        (calibration.crps, calibration.mixture_crps),
    ):
        np.testing.assert_allclose(mixed(y, *many, "network"), one(y, mean, scale).isel(network=0), rtol=1e-12)
    places = xr.DataArray([0.0, 1.0, 5.0], dims="network")
    for scale in (1e-200, 0.0):
        points = calibration.mixture_crps(2.0, places, xr.full_like(places, scale), "network")
        assert float(points) == pytest.approx(6 / 3 - (1 + 5 + 4) / 9)


def test_the_log_score_of_a_mixture_does_not_underflow_and_its_nearest_part_decides():
    means, scales = xr.DataArray([0.0, 1.0], dims="network"), xr.DataArray([1.0, 1.0], dims="network")
    found = float(calibration.mixture_log_score(1e4, means, scales, "network"))
    assert found == pytest.approx(-(9999**2) / 2 - np.log(2 * np.pi) / 2 - np.log(2), rel=1e-15)


def test_a_prediction_that_is_not_finite_has_no_score():
    y, mean, scale = ensemble()
    broken = mean.copy()
    broken[0, 2, 1] = np.nan
    for score in (calibration.mixture_log_score, calibration.mixture_crps):
        found = score(y, broken, scale, "network")
        assert np.isnan(found[0, 1]) and int(np.isnan(found).sum()) == 1
    assert np.isnan(calibration.crps(0.0, np.nan, 1.0))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: calibration.crps(0.0, 0.0, 1.0, stats.t(1)), "distribution has 1 degrees of freedom"),
        (lambda: calibration.crps(0.0, 0.0, 1.0, stats.t(np.nan)), "distribution has nan degrees"),
        (lambda: calibration.crps(0.0, 0.0, 1.0, stats.norm(scale=2)), "distribution is .* it must be norm"),
        (lambda: calibration.crps(0.0, 0.0, 1.0, stats.logistic()), "distribution is .* it must be norm"),
        (lambda: calibration.crps(0.0, 0.0, 1.0, None), "distribution is None"),
        (lambda: calibration.crps("x", 0.0, 1.0), "target is 'x'"),
        (lambda: calibration.mixture_crps(0.0, [1.0], *ensemble()[2:], "network"), "location is .* a DataArray"),
        (lambda: calibration.mixture_crps(*ensemble(), "epoch"), "dim is 'epoch'"),
        (lambda: calibration.mixture_log_score(*ensemble(), None), "dim is None"),
        (lambda: calibration.mixture_log_score(
            ensemble()[0].assign_coords(member=[0, 1, 2]), ensemble()[1].assign_coords(member=[2, 1, 0]), ensemble()[2],
            "network"), "location has other labels along member"),
    ],
)  # fmt: skip
def test_scores_refuse_what_they_cannot_judge(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        call()


# --- coverage of fresh targets


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
