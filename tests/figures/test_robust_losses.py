"""The figures of the chapter on losses draw what they are given."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe.figures import robust_losses


def test_curvature_and_rule_are_drawn_over_a_deviation_that_falls_to_the_right():
    sigma = np.array([0.01, 0.1, 1])
    figure = robust_losses.at_zero_error({"a": sigma**-2}, {"a": sigma, "b": sigma**2}, sigma)
    above, below = figure.axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), sigma**-2)
    assert above.get_yscale() == above.get_xscale() == "log" and below.xaxis_inverted()
    assert above.lines[0].get_linestyle() == below.lines[0].get_linestyle() != below.lines[1].get_linestyle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_onsets_are_bars_with_a_dot_and_arrows_where_training_ended_first():
    onsets = {"N = 5": {"a": np.arange(1.0, 12), "b": np.full(11, np.inf)}, "N = 20": {"a": np.full(11, 3.0)}}
    ends = {"N = 5": {"a": 100, "b": 50}, "N = 20": {"a": 100}}
    first, second = robust_losses.onset_ranges(onsets, ends).axes
    assert list(first.lines[0].get_xdata()) == [2, 10] and list(first.lines[1].get_xdata()) == [6]
    assert [line.get_marker() for line in first.lines] == ["None", "o", "None", ">"]
    assert list(first.lines[3].get_xdata()) == [50] and first.lines[3].get_ydata()[0] == 1
    assert second.get_title() == "N = 20" and second.get_xlabel() == "epochs"


def test_learning_draws_each_variance_and_the_share_without_the_start():
    curve = xr.Dataset(
        {
            name: ("epoch", [0.3, 0.2 + k / 10, 0.1])
            for k, name in enumerate(("squared_error", "predicted", "unstable"))
        },
        coords={"epoch": [0, 10, 100]},
    )
    axes = robust_losses.learning_of_losses({"a": curve, "b": curve}).axes
    for k, axis in enumerate(axes):
        assert list(axis.lines[1].get_xdata()) == [10, 100] and axis.lines[0].get_ydata()[0] == 0.2 + k / 10
    assert axes[1].get_yscale() == "log" and axes[2].get_xlabel() == "epochs"
