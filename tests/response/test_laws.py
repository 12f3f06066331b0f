"""The response law: kinds of pairs by hand, and laws and shapes found again in data made with them (equation 5)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe import losses, networks
from kbe.data import encoding
from kbe.response import drift, laws, profiles, tangent_kernel
from kbe.training import ensemble, weights

TIMES = np.unique(np.round(np.geomspace(10, 1000, 24)))


def noisy(curve: np.ndarray, members: int = 20) -> np.ndarray:
    return curve * np.exp(0.05 * np.random.default_rng(1).standard_normal((members, len(curve))))


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    data = encoding.random_encoding(3, 4, 2, seed=5)
    options = {"epochs": 2, "record": [0, 2], "keep_parameters": True}
    return ensemble.train(lambda: networks.AverageNetwork(bits=4), data, losses.squared_error, **options)


def test_eq5_kinds_of_pairs_by_hand(run):
    unseen = encoding.random_encoding(5, 4, 2, seed=5).x[:, 3:].to_numpy()
    found = drift.pair_responses(networks.AverageNetwork(bits=4), run, unseen)
    module = weights.with_parameters(networks.AverageNetwork(bits=4), run.parameters[1, 1].to_numpy())
    x, far = run.x[1].to_numpy(), unseen[1]
    for kind, (left, right) in enumerate(((x, x), (far, x), (far, far))):
        kernel = tangent_kernel.neural_tangent_kernel(module, left, right)[..., 0, 0]
        np.testing.assert_allclose(found["size"][kind, 1, 1], np.sqrt(np.mean(kernel**2)))
        distance = encoding.hamming_distance(left, right)
        for d in range(5):
            at = kernel[distance == d]
            np.testing.assert_allclose(found["mean"][kind, 1, 1, d], at.mean() if at.size else np.nan)


@pytest.mark.parametrize(
    ("law", "curve"),
    [
        ("power", TIMES**-0.7),
        ("power", TIMES**0.4),
        ("exponential", np.exp(-TIMES / 150)),
        ("constant", np.ones_like(TIMES)),
        ("stretched exponential", np.exp(-4 * (TIMES / 1000) ** 0.5)),
    ],
)
def test_eq5_the_law_that_made_the_data_predicts_them_best(law, curve):
    found = laws.compare_laws(noisy(curve, 400), TIMES, (10, 1000), resamples=40)
    assert found.missed.idxmin("law").item() == law
    assert found.preferred.sel(law=law) > 0.5
    np.testing.assert_allclose(found.preferred.sum(), 1)


def test_eq5_the_exponent_and_its_interval():
    found = laws.compare_laws(noisy(3 * TIMES**-0.7, 200), TIMES, (10, 1000), resamples=100).sel(law="power")
    assert found.low < 0.7 < found.high and found.high - found.low < 0.02
    np.testing.assert_allclose(found.predicted, found["median"], rtol=0.05)
    assert found.attrs["left_out"] == 0 and np.isnan(found.exponents).sum() == 0


def test_eq5_one_member_far_off_changes_no_exponent():
    sizes = noisy(TIMES**-0.7, 41)
    sizes[0] = 1e4 * TIMES
    found = laws.compare_laws(sizes, TIMES, (10, 1000), resamples=5).sel(law="power")
    np.testing.assert_allclose(found.exponent, 0.7, atol=0.02)


def test_members_that_are_not_positive_are_left_out():
    sizes = noisy(TIMES**-0.7)
    sizes[0, 3], sizes[1, 5] = np.nan, 0
    assert laws.compare_laws(sizes, TIMES, (10, 1000), resamples=5).attrs["left_out"] == 2


@pytest.mark.parametrize("window", [(0, 10), (10, 5), (10, 20)])
def test_a_bad_window_is_refused(window):
    with pytest.raises(ValueError, match="window"):
        laws.compare_laws(noisy(TIMES), TIMES, window)


def test_unseen_inputs_that_do_not_fit_are_refused(run):
    with pytest.raises(ValueError, match="unseen"):
        drift.pair_responses(networks.AverageNetwork(bits=4), run, np.zeros((1, 2, 4)))
    with pytest.raises(ValueError, match="parameters"):
        drift.pair_responses(networks.AverageNetwork(bits=4), run.drop_vars("parameters"), np.zeros((2, 2, 4)))


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
    found = profiles.compare_shapes(curve(distance), distance)
    assert found.missed.idxmin("shape").item() == shape
    np.testing.assert_allclose(found.missed.sel(shape="constant"), (9 / 8) ** 2)  # the mean of the eight others
    rates = {"exponential": 0.43, "Gaussian": 0.13, "power": 1.57}
    if shape in rates:
        np.testing.assert_allclose(found.rate.sel(shape=shape), rates[shape], rtol=1e-3)
        np.testing.assert_allclose(found.amplitude.sel(shape=shape), 2, rtol=1e-3)


def test_eq5_a_product_is_separable_whatever_its_factor_and_a_change_of_shape_is_not():
    time, distance = np.geomspace(1, 1e3, 7)[:, None], np.arange(5.0)
    assert profiles.inseparable(time**-1.1 * np.exp(-distance)) < 1e-12
    turned = profiles.inseparable(np.array([[1.0, 0], [0, 5]]))
    np.testing.assert_allclose(turned, 0.5)  # two orthogonal shapes share equally, whatever their sizes
    np.testing.assert_allclose(profiles.inseparable(np.array([[1.0, 0], [3, 0], [0, 5]])), 1 / 3)
    with pytest.raises(ValueError, match="zeros"):
        profiles.inseparable(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="at least 5"):
        profiles.compare_shapes(np.ones(4), np.arange(4))


EPOCHS = np.unique(np.geomspace(1, 1000, 30).astype(int))


def sizes(curve: np.ndarray, spread: float = 0.05, members: int = 30) -> xr.DataArray:
    scale = 1 + spread * np.random.default_rng(0).standard_normal((members, len(curve)))
    return xr.DataArray(curve * scale, dims=("member", "epoch"), coords={"epoch": EPOCHS})


def test_eq5_each_law_is_recognised():
    assert laws.law(sizes(np.full(len(EPOCHS), 3.0), 0.01))[::3] == ("constant", True)
    power = laws.law(sizes(EPOCHS**-0.7))
    assert power.name == "power law" and power.certain
    assert power.exponent == pytest.approx(0.7, abs=0.02)
    other = laws.law(sizes(np.exp(-EPOCHS / 100.0)))
    assert other.name == "other decay" and not other.certain and not other.possible
    growth = laws.law(sizes(EPOCHS**0.5))
    assert growth.name == "growth" and not growth.possible and growth.change > 20
    assert laws.law(sizes(EPOCHS**-0.7).isel(epoch=slice(2))).name == "too short"


def test_eq5_a_curve_that_first_grows_and_then_falls_is_no_power_law():
    found = laws.law(sizes(np.where(EPOCHS < 100, EPOCHS**0.3, 100**1.5 * EPOCHS**-1.2)))
    assert found.name == "other decay" and not found.possible


def test_eq5_a_curve_that_a_power_law_explains_in_part_only_is_none():
    wiggle = EPOCHS**-0.3 * np.exp(0.5 * np.sin(4 * np.log(EPOCHS)))
    assert laws.law(sizes(wiggle)).name == "other decay"
    assert laws.law(sizes(wiggle), explained=0.5).name == "power law"


def test_a_member_without_a_positive_size_is_left_out():
    curve = sizes(EPOCHS**-0.7)
    curve[0], curve[1, 5] = 0.0, np.nan
    assert laws.law(curve).name == "power law"
    assert laws.law(curve[:2]).name == "too short"


def test_law_refuses_bad_input():
    with pytest.raises(ValueError, match="size"):
        laws.law(np.ones((3, 3)))
    with pytest.raises(ValueError, match="tolerance"):
        laws.law(sizes(EPOCHS * 1.0), tolerance=0)
