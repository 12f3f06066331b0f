"""The figures of the chapter on the kernel-balanced equation draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import balance as figures

EPOCHS = np.array([0, 1, 10])
ROWS = np.arange(1.0, 13.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_local_step_draws_the_median_error_and_the_law():
    above, below = figures.local_step(EPOCHS, ROWS, EPOCHS[1:], ROWS[0, :2], ROWS[1, :2]).axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), np.median(ROWS, 0))
    np.testing.assert_array_equal(below.lines[1].get_ydata(), ROWS[1, :2])


def test_expansion_draws_profiles_and_misfits():
    profile = xr.DataArray(ROWS[:2], dims=("epoch", "distance"), coords={"epoch": [0, 9], "distance": [0, 1, 2]})
    above, below = figures.expansion(profile, ROWS[:2] + 1, np.arange(3), {"epoch 0": ROWS[0]}).axes
    np.testing.assert_array_equal(above.lines[3].get_ydata(), ROWS[1] + 1)
    np.testing.assert_array_equal(below.lines[0].get_ydata(), ROWS[0])


def test_resting_places_has_one_line_a_name():
    axes = figures.resting_places(EPOCHS, {"one": ROWS, "two": ROWS + 1}).axes[0]
    assert [line.get_label() for line in axes.lines] == ["one", "two"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), np.median(ROWS, 0) + 1)


def test_scale_in_theory_draws_the_scale_and_its_law():
    above, below = figures.scale_in_theory(EPOCHS[1:], ROWS[0, :2], ROWS[1, :2], ROWS[2, :2] / 10).axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), ROWS[0, :2])
    assert below.get_xlabel() == "time $t$"


def test_scale_in_networks_leaves_out_members_without_a_scale():
    alpha = np.vstack([ROWS, np.full((1, 3), np.nan)])
    above, _ = figures.scale_in_networks(EPOCHS, alpha, ROWS / 12, ROWS / 24).axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), np.median(ROWS, 0))
    assert above.get_ylabel() == r"scale $\alpha$ (1 / bit)"
