"""The profile of a response kernel over distance and its drift in training, equations 5 and 16."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.data.encoding import all_inputs, hamming_distance
from kbe.response.drift import kernel_drift
from kbe.response.profiles import fit_profile, gram_matrix, response_profile
from kbe.response.tangent_kernel import neural_tangent_kernel

FEW = settings(max_examples=25, deadline=None)


def profile_of(mean: np.ndarray, distance: np.ndarray, pairs: np.ndarray | None = None) -> xr.Dataset:
    dims = ("member", "epoch")[: mean.ndim - 1]
    pairs = np.ones(len(distance)) if pairs is None else pairs
    return xr.Dataset(
        {"mean": ((*dims, "distance"), mean), "pairs": ("distance", pairs)}, coords={"distance": distance}
    )


def test_eq12_gram_matrix_hand_computed():
    theta = np.arange(8).reshape(1, 2, 2, 2)  # input 0 against inputs 0 and 1, two heads
    np.testing.assert_array_equal(gram_matrix(theta), [[0, 1, 4, 5], [2, 3, 6, 7]])
    np.testing.assert_array_equal(gram_matrix(np.stack([theta, -theta]))[1], -gram_matrix(theta))


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


def test_eq5_a_factor_changes_the_size_and_not_the_shape():
    kernel = np.exp(-hamming_distance(all_inputs(3), all_inputs(3)))
    ages = np.array([1.0, 2.0, 10.0]) ** -0.7
    drift = kernel_drift(kernel, ages[:, None, None] * kernel)
    np.testing.assert_allclose(drift["size"], ages)
    np.testing.assert_allclose(drift["shape"], 0, atol=1e-15)


def test_drift_of_orthogonal_and_opposite_kernels():
    first, second = np.diag([1.0, 0]), np.diag([0, 2.0])
    drift = kernel_drift(first, np.stack([second, -first, first + second]))
    np.testing.assert_allclose(drift["shape"], [1, 2, 1 - 1 / np.sqrt(5)])
    np.testing.assert_allclose(drift["size"], [2, 1, np.sqrt(5)])


def test_eq12_a_linear_model_does_not_drift_and_a_deep_one_does():
    x = torch.as_tensor(all_inputs(3))
    for module, moves in [
        (torch.nn.Linear(3, 1), False),
        (torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)), True),
    ]:
        module.double()
        before = neural_tangent_kernel(module, x)[..., 0, 0]
        with torch.no_grad():
            for p in module.parameters():
                p += torch.linspace(-1, 1, p.numel(), dtype=torch.float64).view_as(p)
        drift = kernel_drift(before, neural_tangent_kernel(module, x)[..., 0, 0])
        assert (abs(drift["size"] - 1) > 1e-3) == moves
        assert (drift["shape"] > 1e-3) == moves


def test_drift_of_a_kernel_that_is_not_finite_or_zero_is_nan():
    drift = kernel_drift(np.eye(2), np.stack([np.eye(2), np.full((2, 2), np.nan)]))
    np.testing.assert_array_equal(np.isnan(drift["shape"]), [False, True])
    assert np.isnan(kernel_drift(np.zeros((2, 2)), np.eye(2))["size"])


@FEW
@given(shape=st.lists(st.integers(1, 4), max_size=5))
def test_bad_kernel_shapes(shape):
    kernel = np.ones(shape)
    if len(shape) < 4:
        with pytest.raises(ValueError, match="kernel has shape"):
            gram_matrix(kernel)
    with pytest.raises(ValueError, match="kernel has shape"):
        response_profile(kernel, np.ones((5, 5)))
    with pytest.raises(ValueError, match="shape"):
        kernel_drift(np.ones((5, 5)), kernel)


@FEW
@given(distance=st.sampled_from([[], 1.0, [[np.nan]], [[np.inf]], [["near"]], None]))
def test_bad_distance(distance):
    with pytest.raises(ValueError, match="distance"):
        response_profile([[1.0]], distance)


def test_bad_profile():
    good = profile_of(np.ones(3), np.arange(3.0))
    for bad in (None, np.ones(3), good[["mean"]], good.drop_vars("distance")):
        with pytest.raises(ValueError, match="profile must be"):
            fit_profile(bad)
    with pytest.raises(ValueError, match="at least 3"):
        fit_profile(good.isel(distance=[0, 1]))
    with pytest.raises(ValueError, match="weighting is 'size'"):
        fit_profile(good, "size")
    with pytest.raises(ValueError, match="decimals is -1"):
        response_profile([[1.0]], [[0.0]], -1)
