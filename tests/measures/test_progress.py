"""Stages of training, the law of a response in each, equal losses, and rank correlations with controls."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbe import statistics
from kbe.measures import progress
from kbe.response import laws

EPOCHS = np.unique(np.geomspace(1, 1000, 30).astype(int))


def sizes(curve: np.ndarray, spread: float = 0.05, members: int = 30) -> xr.DataArray:
    scale = 1 + spread * np.random.default_rng(0).standard_normal((members, len(curve)))
    return xr.DataArray(curve * scale, dims=("member", "epoch"), coords={"epoch": EPOCHS})


def test_stages_by_hand():
    found = list(progress.stages([1.0, 0.95, 0.875, 0.5, 0.6, 0.05, 0.0]))
    assert found == ["start"] * 2 + ["fall"] * 3 + ["plateau"] * 2
    assert list(progress.stages([1.0, 1.0, 1.0])) == ["start"] * 3
    assert list(progress.stages([1.0, np.nan, np.inf, 0.0])) == ["start"] * 3 + ["plateau"]
    assert list(progress.stages([1.0, 0.75, 0.0], 0.25, 0.5)) == ["start", "fall", "plateau"]
    assert list(progress.stages([1.0, 1.5, 0.0], 0.25, 0.5)) == ["start", "start", "plateau"]


@pytest.mark.parametrize("arguments", [([np.nan],), ([1.0], 0.9, 0.1), ([1.0], -0.1), ([1.0], 0.1, 1.5)])
def test_bad_stages_are_refused(arguments):
    with pytest.raises(ValueError):
        progress.stages(*arguments)


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


def test_a_quantity_at_equal_loss_by_hand():
    loss = np.array([[1.0, 0.5, 0.125], [1.0, 0.9, 0.8]])
    values = np.array([[0.0, 10, 20], [1.0, 2, 3]])
    found = progress.at_losses(loss, values, [0.5, 0.25, 0.125, 0.01])
    np.testing.assert_allclose(found[0], [10, 15, 20, np.nan])  # a quarter is half way on the logarithm
    assert np.isnan(found[1]).all()
    assert np.isnan(progress.at_losses(loss, values, [2.0])).all()  # reached from the start: no way there was seen
    with pytest.raises(ValueError, match="level"):
        progress.at_losses(loss, values, [0.0])
    with pytest.raises(ValueError, match="loss"):
        progress.at_losses(loss, values[:1], [0.5])


def test_without_a_control_it_is_spearmans():
    first, second = np.random.default_rng(1).random((2, 40))
    second += first
    expected = stats.spearmanr(first, second).statistic
    assert statistics.partial_rank_correlation(first, second) == pytest.approx(expected)


def test_a_common_cause_is_taken_off_and_a_direct_one_stays():
    generator = np.random.default_rng(2)
    cause, noise, other = generator.standard_normal((3, 2000))
    first = cause + noise
    assert statistics.partial_rank_correlation(first, cause + other) > 0.4
    assert abs(statistics.partial_rank_correlation(first, cause + other, cause)) < 0.06
    assert statistics.partial_rank_correlation(first, noise + other, cause) > 0.5


def test_the_partial_correlation_follows_the_formula_for_one_control():
    a, b, c = np.random.default_rng(3).random((3, 25))
    b, c = b + a, c + a
    ab, ac, bc = (stats.spearmanr(*pair).statistic for pair in ((a, b), (a, c), (b, c)))
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert statistics.partial_rank_correlation(a, b, c) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan, np.inf]), min_size=1, max_size=8))
def test_any_members_give_a_correlation_or_nan(values):
    found = statistics.partial_rank_correlation(values, values)
    assert np.isnan(found) or found == pytest.approx(1)


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="same"):
        statistics.partial_rank_correlation([1.0, 2], [1.0, 2, 3])
