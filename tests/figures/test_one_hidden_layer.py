"""Figures on one hidden layer and its feature space: the given data on the right axes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import one_hidden_layer as figures
from kbe.figures.feature_space import dimension_in_training, fragility_over_dimension, ratios_at_equal_loss

EPOCH = [0, 1, 10, 100]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def curves(dim: str, places: list, *names: str) -> xr.Dataset:
    return xr.Dataset({n: (dim, 0.5 + k + np.arange(len(places))) for k, n in enumerate(names)}, coords={dim: places})


def test_sizes_are_drawn_from_the_first_epoch_with_a_guide_of_the_slope():
    given = curves("epoch", EPOCH, "elu", "relu")
    top, bottom = figures.response_sizes({"a": given, "b": given}, 2.0).axes
    np.testing.assert_allclose(top.lines[1].get_ydata(), given.relu[1:])
    assert top.get_xscale() == top.get_yscale() == "log" and bottom.get_xlabel() == "training epochs"
    x, y = top.lines[2].get_data()
    assert np.log(y[1] / y[0]) / np.log(x[1] / x[0]) == pytest.approx(-2)
    assert len(bottom.lines) == 2 and (top.get_title(), bottom.get_title()) == ("a", "b")


def test_factors_are_relative_to_their_start_and_the_stages_begin_where_they_do():
    given = curves("epoch", EPOCH, "size", "head", "features", "readout", "slope")
    given["stage"] = "epoch", ["start", "start", "fall", "plateau"]
    (axes,) = figures.factors_in_training({"a": given}).axes
    np.testing.assert_allclose(axes.lines[1].get_ydata(), given["head"][1:] / given["head"][0])
    assert [line.get_xdata()[0] for line in axes.lines[5:]] == [1, 10, 100]
    assert [text.get_text() for text in axes.texts] == ["start", "fall", "plateau"]


def test_a_negative_factor_leaves_a_gap_and_levels_are_marked():
    factors = xr.Dataset(
        {"factor": (("way", "epoch"), [[1.0, -1, 2]]), "cosine": (("way", "epoch"), [[1.0, -0.5, 1]])},
        coords={"way": ["momentum"], "epoch": [0, 1, 2]},
    )
    top, bottom = figures.method_factors(factors, {"N": 16.0}).axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), [1, np.nan, 2])
    np.testing.assert_array_equal(top.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(bottom.lines[0].get_ydata(), [1, -0.5, 1])
    assert top.lines[1].get_ydata()[0] == 16 and bottom.get_ylim()[0] < -0.5


def test_the_dimension_has_three_clocks():
    run = curves("epoch", EPOCH, "dimension", "loss", "step")
    by_epoch, by_step, by_loss = dimension_in_training({"a": run}).axes
    np.testing.assert_allclose(by_epoch.lines[0].get_xdata(), EPOCH[1:])
    np.testing.assert_allclose(by_step.lines[0].get_xdata(), run.step[1:])
    np.testing.assert_allclose(by_loss.lines[0].get_xdata(), run.loss)
    assert by_loss.xaxis_inverted() and by_loss.get_xscale() == "log"


def test_each_member_is_a_point():
    group = curves("member", [0, 1, 2], "dimension", "distance", "flip_response")
    top, bottom = fragility_over_dimension({"a": group}).axes
    np.testing.assert_allclose(top.lines[0].get_data(), [group.dimension, group.distance])
    np.testing.assert_allclose(bottom.lines[0].get_data(), [group.dimension, group.flip_response])
    assert top.lines[0].get_linestyle() == "None"


def test_ratios_have_intervals_and_a_line_at_one():
    names = ["dimension", "distance", "flip_response"]
    values = np.arange(6.0).reshape(3, 2) + 1
    group = xr.Dataset({"estimate": (("quantity", "level"), values), "low": (("quantity", "level"), values - 0.5),
                        "high": (("quantity", "level"), values + 1)},
                       coords={"quantity": names, "level": [0.1, 0.01]})  # fmt: skip
    axes = ratios_at_equal_loss({"a": group}).axes
    for k, axis in enumerate(axes):
        assert axis.lines[0].get_ydata()[0] == 1
        np.testing.assert_allclose(np.asarray(axis.lines[1].get_ydata()), values[k])
        segment = axis.collections[0].get_segments()[0]
        np.testing.assert_allclose(segment[:, 1], [values[k, 0] - 0.5, values[k, 0] + 1])
    assert axes[2].xaxis_inverted() and [t.get_text() for t in axes[2].get_xticklabels()] == ["0.01", "0.1"]
