"""Laws of time found again in data made with them (equation 5): what a response does, and which law foretells it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe.response import laws

EPOCHS = np.unique(np.geomspace(1, 1000, 30).astype(int))
TIMES = np.unique(np.round(np.geomspace(10, 1000, 24)))


def sizes(curve: np.ndarray, spread: float = 0.05, members: int = 30, seed: int = 0) -> xr.DataArray:
    """Members around a curve over `EPOCHS`, or over `TIMES` if it is as long as these."""
    epochs = EPOCHS if len(curve) == len(EPOCHS) else TIMES
    scale = 1 + spread * np.random.default_rng(seed).standard_normal((members, len(curve)))
    return xr.DataArray(curve * scale, dims=("member", "epoch"), coords={"epoch": epochs})


def foretold(curve: np.ndarray, members: int = 20, **settings) -> xr.Dataset:
    return laws.compare_extrapolations(sizes(curve, members=members, seed=1), (10, 1000), **settings)


def test_eq5_each_law_is_recognised():
    assert laws.classify(sizes(np.full(len(EPOCHS), 3.0), 0.01))[::3] == ("constant", True)
    power = laws.classify(sizes(EPOCHS**-0.7))
    assert power.name == "power law" and power.certain
    assert power.exponent == pytest.approx(0.7, abs=0.02)
    other = laws.classify(sizes(np.exp(-EPOCHS / 100.0)))
    assert other.name == "other decay" and not other.certain and not other.possible
    growth = laws.classify(sizes(EPOCHS**0.5))
    assert growth.name == "growth" and not growth.possible and growth.change > 20
    assert laws.classify(sizes(EPOCHS**-0.7).isel(epoch=slice(2))).name == "too short"


def test_eq5_a_curve_that_first_grows_and_then_falls_is_no_power_law():
    found = laws.classify(sizes(np.where(EPOCHS < 100, EPOCHS**0.3, 100**1.5 * EPOCHS**-1.2)))
    assert found.name == "other decay" and not found.possible


def test_eq5_a_curve_that_a_power_law_explains_in_part_only_is_none():
    wiggle = EPOCHS**-0.3 * np.exp(0.5 * np.sin(4 * np.log(EPOCHS)))
    assert laws.classify(sizes(wiggle)).name == "other decay"
    assert laws.classify(sizes(wiggle), explained=0.5).name == "power law"


def test_a_member_without_a_positive_size_is_left_out():
    curve = sizes(EPOCHS**-0.7)
    curve[0], curve[1, 5] = 0.0, np.nan
    assert laws.classify(curve).name == "power law"
    assert laws.classify(curve[:2]).name == "too short"


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
    found = foretold(curve, 400, resamples=40)
    assert found.missed.idxmin("law").item() == law
    assert found.preferred.sel(law=law) > 0.5
    np.testing.assert_allclose(found.preferred.sum(), 1)


def test_eq5_the_exponent_and_its_interval():
    found = foretold(3 * TIMES**-0.7, 200, resamples=100).sel(law="power")
    assert found.low < 0.7 < found.high and found.high - found.low < 0.02
    np.testing.assert_allclose(found.predicted, found["median"], rtol=0.05)
    assert found.attrs["left_out"] == 0 and np.isnan(found.exponents).sum() == 0


def test_eq5_one_member_far_off_changes_no_exponent():
    size = sizes(TIMES**-0.7, members=41)
    size[0] = 1e4 * TIMES
    found = laws.compare_extrapolations(size, (10, 1000), resamples=5).sel(law="power")
    np.testing.assert_allclose(found.exponent, 0.7, atol=0.02)


def test_members_that_are_not_positive_are_left_out_and_counted():
    size = sizes(TIMES**-0.7)
    size[0, 3], size[1, 5] = np.nan, 0
    assert laws.compare_extrapolations(size, (10, 1000), resamples=5).attrs["left_out"] == 2


GOOD = sizes(TIMES)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        *[(lambda bad=bad: laws.classify(bad), "size is .*: it must be a DataArray over member and epoch")
          for bad in (np.ones((3, 3)), GOOD[0], GOOD.expand_dims("head"), GOOD.to_dataset(name="size"))],
        (lambda: laws.classify(GOOD, tolerance=0), "tolerance is 0"),
        (lambda: laws.classify(GOOD, explained=2), "explained is 2"),
        (lambda: laws.classify(GOOD, level=0.4), "level is 0.4"),
        (lambda: laws.classify(GOOD, resamples=0), "resamples is 0"),
        *[(lambda window=window: laws.compare_extrapolations(GOOD, window), "window")
          for window in ((0, 10), (10, 5), (10, 20), (1, 2, 3), (1, np.inf), "all", None)],
        (lambda: laws.compare_extrapolations(GOOD.to_numpy(), (10, 1000)), "size is"),
        (lambda: laws.compare_extrapolations(0 * GOOD, (10, 1000)), "size has no member"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
