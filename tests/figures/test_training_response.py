"""The figures of the first two chapters draw what they are given, on the axes that they name."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import training_response as figures
from kbe.figures.model import bit_encoding, prediction, prediction_errors, starts

EPOCHS = np.array([0, 1, 10, 100])
BAND = xr.DataArray(
    np.array([[1.0], [2.0], [3.0]]) + np.arange(4) / 10,
    dims=("quantile", "epoch"),
    coords={"quantile": [0.25, 0.5, 0.75], "epoch": EPOCHS},
)
PROFILE = xr.DataArray([3.0, 2.0, 1.0], dims="distance", coords={"distance": [0, 1, 2]})


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(figure):
    return all(axis.get_xlabel() or axis.get_ylabel() for axis in figure.axes)


def lines(axis):
    return {line.get_label(): line.get_xydata() for line in axis.get_lines()}


def test_eq3_step_errors_have_logarithmic_axes_and_a_guide_of_the_given_slope():
    rates = np.array([0.01, 0.1])
    figure = figures.step_errors(rates, {"name": np.array([[1e-4, 1e-3]])}, {"name": 2})
    (axis,) = figure.axes
    assert axis.get_xscale() == axis.get_yscale() == "log" and labelled(figure)
    np.testing.assert_allclose(lines(axis)["slope 2"][:, 1], [1e-4, 1e-2])


def test_eq5_profiles_and_kernels_are_the_given_ones():
    figure = figures.responses_in_training({"network": {"start": PROFILE}})
    np.testing.assert_array_equal(lines(figure.axes[0])["start"][:, 1], PROFILE)
    assert labelled(figure) and "bits" in figure.axes[0].get_xlabel()
    members = xr.concat([PROFILE, 3 * PROFILE], "member").expand_dims("head")
    figure = figures.response_over_distance(members, PROFILE.expand_dims("head"), ("mean",))
    np.testing.assert_array_equal(lines(figure.axes[0])["median"][:, 1], 2 * PROFILE)
    figure = figures.kernel_matrices(np.eye(3), np.full((3, 3), 2.0))
    assert [axis.images[0].get_clim() for axis in figure.axes[:2]] == [(0, 2), (0, 2)] and labelled(figure)


def test_eq5_changes_start_after_epoch_zero_which_a_logarithm_cannot_show():
    drift = xr.Dataset({"size": BAND, "shape": BAND})
    figure = figures.kernel_changes({"average": drift}, 0.05)
    for axis in figure.axes:
        np.testing.assert_array_equal(lines(axis)["average"], np.stack([EPOCHS[1:], BAND[1, 1:]], 1))
    assert figure.axes[0].get_yscale() == figure.axes[1].get_xscale() == "log"
    figure = figures.shapes_by_width({3: BAND}, {3: (10.0, 2.0)})
    assert any((data == [[10, 2]]).all() for data in lines(figure.axes[0]).values() if data.shape == (1, 2))
    figure = figures.aging({"size": BAND}, (np.array([1.0, 10.0]), np.array([1.0, 0.1])), 1.0)
    assert "$t^{-a}$, $a=1.00$" in lines(figure.axes[0]) and labelled(figure)


def test_eq8_loss_has_a_marker_at_its_inner_minimum_only():
    deviation = np.geomspace(0.01, 1, 201)
    values = {error: np.log(deviation) + 0.5 * (error / deviation) ** 2 for error in (0.1, 0.0)}
    drawn = lines(figures.loss_over_deviation(deviation, values).axes[0])
    markers = [data for data in drawn.values() if len(data) == 1]
    assert len(markers) == 1 and markers[0][0, 0] == pytest.approx(0.1, rel=0.03)


def test_model_figures_draw_their_data():
    figure = bit_encoding(np.array([[0, 1], [1, 1]]), np.array([1, 0]))
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_offsets(), [[2, 1], [1, 2], [2, 2]])
    figure = starts({"sigmoid": np.array([[0.4, 0.6]])})
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_offsets(), [[0.4, 0.6]])
    run = BAND.rename(quantile="point")
    figure = prediction(run, run, 10.0)
    assert figure.axes[1].get_xscale() == "log" and labelled(figure) and len(figure.axes[0].get_lines()) == 4
    figure = prediction_errors({3: BAND}, {3: 10.0}, 0.1)
    assert any(np.allclose(data, [[10, 2.2]]) for data in lines(figure.axes[0]).values() if data.shape == (1, 2))
