"""The profile of a response kernel over distance, and which function of it that is, equations 5 and 16."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import xarray as xr

from kbe.data.encoding import all_inputs, hamming_distance
from kbe.response.profiles import (
    compare_shapes,
    explained_by_distance,
    fit_profile,
    inseparable,
    response_profile,
)

INPUTS = all_inputs(4)
DISTANCE = hamming_distance(INPUTS, INPUTS)


def profile_of(mean: np.ndarray, distance: np.ndarray, pairs: np.ndarray | None = None) -> xr.Dataset:
    dims = ("member", "epoch")[: mean.ndim - 1]
    pairs = np.ones(len(distance)) if pairs is None else pairs
    return xr.Dataset(
        {"mean": ((*dims, "distance"), mean), "pairs": ("distance", pairs)}, coords={"distance": distance}
    )


def test_eq5_profile_of_a_function_of_the_distance_is_that_function():
    distance = hamming_distance(all_inputs(5), all_inputs(5))
    profile = response_profile(np.exp(-distance) - 0.1, distance)
    np.testing.assert_array_equal(profile["distance"], np.arange(6))
    np.testing.assert_allclose(profile["mean"], np.exp(-np.arange(6)) - 0.1)
    np.testing.assert_allclose(profile["spread"], 0, atol=1e-15)
    np.testing.assert_array_equal(profile["pairs"], [32 * comb(5, d) for d in range(6)])


@pytest.mark.parametrize("square_root", [False, True])
def test_eq5_profile_is_the_mean_over_pairs(square_root):
    x = all_inputs(4)
    bits = hamming_distance(x[:5], x)
    kernel = np.random.default_rng(0).normal(size=(2, 3, 5, 16))
    profile = response_profile(kernel, np.sqrt(bits) if square_root else bits)
    assert profile["mean"].dims == ("member", "epoch", "distance")
    for d in range(5):
        chosen = kernel[1, 2][bits == d]
        np.testing.assert_allclose(profile["mean"][1, 2, d], chosen.mean())
        np.testing.assert_allclose(profile["spread"][1, 2, d], chosen.std())


def test_profile_keeps_names_and_coordinates_and_members_apart():
    kernel = xr.DataArray(
        np.ones((2, 3, 3)), dims=("epoch", "first", "second"), coords={"epoch": [0, 100], "first": [5, 6, 7]}
    ).copy()
    kernel[0, 1, 2] = np.nan
    profile = response_profile(kernel, np.abs(np.subtract.outer(np.arange(3), np.arange(3))))
    assert profile["mean"].dims == ("epoch", "distance")
    np.testing.assert_array_equal(profile["epoch"], [0, 100])
    np.testing.assert_array_equal(profile["mean"], [[1, np.nan, 1], [1, 1, 1]])


@pytest.mark.parametrize("weighting", ["distances", "pairs"])
def test_eq16_fit_finds_an_exponential_exactly(weighting):
    distance, rates = np.arange(9.0), np.array([[0.1, 0.5], [1.0, 3.0]])
    mean = 1e-3 * np.exp(-rates[..., None] * distance)
    fit = fit_profile(profile_of(mean, distance, np.array([comb(8, d) for d in range(9)])), weighting)
    np.testing.assert_allclose(fit["rate"], rates, rtol=1e-5)
    np.testing.assert_allclose(fit["amplitude"], 1e-3, rtol=1e-5)
    np.testing.assert_allclose(fit["r_squared"], 1, atol=1e-8)
    assert fit["positive"].all()
    assert fit["decreasing"].all()


def test_eq16_standard_error_of_the_rate_covers_the_truth():
    generator, distance = np.random.default_rng(0), np.arange(9.0)
    noisy = np.exp(-0.4 * distance) + 0.02 * generator.normal(size=(400, 9))
    fit = fit_profile(profile_of(noisy, distance))
    covered = float((np.abs(fit["rate"] - 0.4) < 2.365 * fit["rate_error"]).mean())  # Student t, 7 degrees of freedom
    assert abs(covered - 0.95) < 0.04  # 3.7 standard deviations of a share of 400


def test_eq5_fit_says_when_a_profile_is_not_positive_or_not_decreasing():
    distance = np.arange(4.0)
    fit = fit_profile(profile_of(np.array([[4, 2, 1, -0.1], [4, 1, 2, 0.5], [4, 2, 1, 0.5], [0, 0, 0, 0]]), distance))
    np.testing.assert_array_equal(fit["positive"], [False, True, True, False])
    np.testing.assert_array_equal(fit["decreasing"], [True, False, True, False])
    assert np.isnan(fit["rate"][3])


def test_eq16_weights_decide_where_the_fit_is_good():
    distance = np.arange(9.0)
    mean = np.exp(-distance) + 0.2  # not an exponential
    pairs = np.array([256 * comb(8, d) for d in range(9)])
    residual = {}
    for weighting in ("distances", "pairs"):
        fit = fit_profile(profile_of(mean, distance, pairs), weighting)
        residual[weighting] = np.abs(fit["amplitude"].item() * np.exp(-fit["rate"].item() * distance) - mean)
    assert residual["pairs"][4] < residual["distances"][4]
    assert residual["pairs"][0] > residual["distances"][0]


def test_a_member_that_blew_up_has_no_fit_and_stops_no_other():
    distance = np.arange(4.0)
    mean = np.stack([np.exp(-distance), np.full(4, np.nan), np.full(4, np.inf)])
    fit = fit_profile(profile_of(mean, distance))
    np.testing.assert_array_equal(np.isnan(fit["rate"]), [False, True, True])
    np.testing.assert_array_equal(fit["decreasing"], [True, False, False])


def test_eq5_distance_explains_all_of_an_exponential_kernel_and_none_of_one_that_ignores_it():
    exact = response_profile(np.exp(-DISTANCE), DISTANCE)
    assert float(explained_by_distance(exact)) == pytest.approx(1)
    striped = response_profile(DISTANCE * 0 + np.arange(16)[:, None], DISTANCE)
    assert float(explained_by_distance(striped)) == pytest.approx(0)
    half = response_profile(np.array([[0.0, 2.0], [4.0, 2.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert float(explained_by_distance(half)) == pytest.approx(1 / 2)  # by hand: means 1, 3; spreads 1


@pytest.mark.parametrize(
    ("shape", "curve"),
    [
        ("constant", lambda d: 2 + 1e-3 * (-1) ** d),
        ("exponential", lambda d: 2 * np.exp(-0.43 * d)),
        ("Gaussian", lambda d: 2 * np.exp(-0.13 * d**2)),
        ("power", lambda d: 2 * (1 + d) ** -1.57),
    ],
)
def test_eq16_the_shape_that_made_a_profile_predicts_it_best(shape, curve):
    distance = np.arange(9.0)
    found = compare_shapes(curve(distance), distance)
    assert found.missed.idxmin("shape").item() == shape
    np.testing.assert_allclose(found.missed.sel(shape="constant"), (9 / 8) ** 2)  # the mean of the eight others
    rates = {"exponential": 0.43, "Gaussian": 0.13, "power": 1.57}
    if shape in rates:
        np.testing.assert_allclose(found.rate.sel(shape=shape), rates[shape], rtol=1e-3)
        np.testing.assert_allclose(found.amplitude.sel(shape=shape), 2, rtol=1e-3)


def test_eq5_a_product_is_separable_whatever_its_factor_and_a_change_of_shape_is_not():
    time, distance = np.geomspace(1, 1e3, 7)[:, None], np.arange(5.0)
    assert inseparable(time**-1.1 * np.exp(-distance)) < 1e-12
    turned = inseparable(np.array([[1.0, 0], [0, 5]]))
    np.testing.assert_allclose(turned, 0.5)  # two orthogonal shapes share equally, whatever their sizes
    np.testing.assert_allclose(inseparable(np.array([[1.0, 0], [3, 0], [0, 5]])), 1 / 3)


GOOD = profile_of(np.ones(3), np.arange(3.0))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        *[(lambda shape=shape: response_profile(np.ones(shape), np.ones((5, 5))), "has shape")
          for shape in ((), (3,), (3, 5), (5, 4), (2, 5, 3), (1, 2, 5, 5, 1), (2, 2, 2, 5, 5))],
        *[(lambda far=far: response_profile([[1.0]], far), "distance")
          for far in ([], 1.0, [[np.nan]], [[np.inf]], [["near"]], None)],
        (lambda: response_profile([[1.0]], [[0.0]], -1), "decimals is -1"),
        *[(lambda bad=bad: fit_profile(bad), "profile lacks .* it must be what response_profile returns")
          for bad in (None, np.ones(3), GOOD[["mean"]], GOOD.drop_vars("distance"))],
        (lambda: fit_profile(GOOD.isel(distance=[0, 1])), "profile has 2 distances: a fit needs at least 3"),
        (lambda: fit_profile(GOOD, "size"), "weighting is 'size'"),
        *[(lambda bad=bad: explained_by_distance(bad), "profile lacks .*spread") for bad in (None, 1.0, xr.Dataset())],
        (lambda: compare_shapes(np.ones(4), np.arange(4)), "profile has 4 distances: a comparison needs at least 5"),
        (lambda: compare_shapes(np.ones(6), np.arange(5)), "distance has shape .* as in profile"),
        (lambda: inseparable(np.zeros((2, 2))), "response has a row of zeros"),
        (lambda: inseparable(np.ones(2)), "response has shape"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
