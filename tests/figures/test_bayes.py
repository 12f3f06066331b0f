"""Figures on the Bayesian approach: the given numbers, and floors where they are said to be."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import bayes as figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_the_predicted_variance_has_its_floor_in_its_own_colour():
    names = {"squared_error": ("epoch", [0.25, 0.1, 0.0]), "predicted": ("epoch", [0.25, 0.2, 0.1])}
    group = xr.Dataset(names, coords={"epoch": [0, 1, 2]}).assign(floor=0.09)
    above, below = figures.deviations_to_floor({"a": group.assign(floor=0.0), "b": group}).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), [0.25, 0.1, np.nan])
    line = below.lines[-1]
    assert len(below.lines) == 3 and line.get_ydata()[0] == 0.09 and line.get_color() == below.lines[1].get_color()


def test_bars_add_up_to_all_networks_and_the_first_is_on_top():
    shares = {"one": {"cured": 0.5, "kept": 0.3, "lost": 0.2}, "two": {"cured": 0.0, "kept": 0.0, "lost": 1.0}}
    axes = figures.what_becomes(shares).axes[0]
    widths = np.array([bar.get_width() for bar in axes.patches]).reshape(3, 2)
    np.testing.assert_allclose(widths, [[0.5, 0], [0.3, 0], [0.2, 1]])
    np.testing.assert_allclose([bar.get_x() for bar in axes.patches[::2]], [0, 0.5, 0.8])
    assert axes.yaxis_inverted() and axes.get_xlabel() == "share of networks"


def test_scores_are_drawn_with_the_truth_and_lost_ones_are_not():
    score = xr.DataArray([0.1, 0.4, -np.inf], coords={"epoch": [0, 10, 20]})
    axes = figures.scores_over_epochs({"a": score}, 1.1).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.1, 0.4, np.nan])
    assert axes.lines[1].get_ydata()[0] == 1.1 and "nats" in axes.get_ylabel()
