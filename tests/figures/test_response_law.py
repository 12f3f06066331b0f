"""Figures on the response law, the mean-field model and plasticity: the given data, where they belong."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import response_law as figures
from kbe.figures.mean_field import maps_of_inputs, models_over_epochs, splits_over_epochs
from kbe.figures.plasticity import learning_anew, second_curves, what_ages
from kbe.response import laws

EPOCHS = np.array([0, 1, 10, 100])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def three(first: float = 1.0, dim: str = "epoch", places: np.ndarray = EPOCHS) -> xr.DataArray:
    values = first * np.arange(1, 3 * len(places) + 1).reshape(3, -1)
    return xr.DataArray(np.sort(values, 0), dims=("quantile", dim), coords={dim: places, "quantile": [0.25, 0.5, 0.75]})


def test_eq5_sizes_are_drawn_without_the_start_beside_their_power():
    sizes = xr.concat([three(), three(2)], xr.DataArray(["a", "b"], dims="pairs", name="pairs"))
    axes = figures.sizes_of_pairs(sizes, [0.5, -1], 10).axes[0]
    np.testing.assert_allclose(axes.lines[2].get_ydata(), sizes.sel(pairs="b", quantile=0.5)[1:])
    guide = axes.lines[1].get_ydata()
    np.testing.assert_allclose(guide[0] / guide[-1], 10**0.5)
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_eq5_laws_and_data_are_drawn():
    times = np.unique(np.round(np.geomspace(1, 100, 20)))
    size = xr.DataArray(np.tile(times**-0.5, (4, 1)), dims=("member", "epoch"), coords={"epoch": times})
    found = laws.compare_extrapolations(size, (1, 100), resamples=3)
    axes = figures.predictions_of_laws({"all": found}).axes[0]
    np.testing.assert_allclose(axes.lines[len(found.law)].get_ydata(), times**-0.5)
    assert axes.lines[-1].get_xdata()[0] == 10 and axes.get_title() == "all"


def test_eq5_exponents_have_their_intervals_and_the_predicted_ones():
    value = xr.DataArray([[1.0, 0.5], [1.2, 0.4]], dims=("setting", "pairs"))
    table = xr.Dataset({"exponent": value, "low": value - 0.1, "high": value + 0.2})
    axes = figures.exponents_of_settings(table.assign_coords(setting=["x", "y"], pairs=["a", "b"]), (1, 0.5)).axes[0]
    assert [bar.lines[0].get_xdata().tolist() for bar in axes.containers] == [[1.0, 1.2], [0.5, 0.4]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"] and "$a$" in axes.get_xlabel()


def test_eq5_shapes_leave_out_what_a_logarithm_cannot_show():
    profile = xr.DataArray([1.0, 0.5, -0.1], dims="distance", coords={"distance": [0, 1, 2]})
    line = figures.shapes_in_training({"start": profile}).axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [1, 0.5, np.nan])


def test_models_and_splits_are_drawn_over_the_same_epochs():
    curve = three()[1]
    above, below = models_over_epochs({"network": curve, "law": 2 * curve}, {"law": 0.1 * curve}).axes
    np.testing.assert_allclose(above.lines[1].get_ydata(), 2 * curve[1:])
    assert above.lines[1].get_color() == below.lines[0].get_color() and below.get_xscale() == "log"
    above, below = splits_over_epochs({"n": three()}, {"n": three(0.1)}, {"random": (50, 0.5)}).axes
    assert above.lines[-1].get_ydata()[0] == 50 and below.lines[-1].get_ydata()[0] == 0.5
    np.testing.assert_allclose(below.lines[0].get_ydata(), 0.1 * three()[1][1:])


def test_on_a_map_points_stand_on_their_cells():
    outputs = xr.DataArray(np.arange(32.0)[None] / 31, dims=("epoch", "point"), coords={"epoch": [5]})
    axes = maps_of_inputs({"net": outputs}, np.array([13, 30]), np.array([1, 0])).axes[0]
    drawn = axes.images[0].get_array()
    for line, code in zip(axes.lines, (13, 30), strict=True):
        ((across,), (down,)) = line.get_data()
        np.testing.assert_allclose(drawn[int(down), int(across)], code / 31)
    assert axes.get_title() == "epoch 5" and axes.get_ylabel() == "net"


def test_plasticity_marks_the_new_and_counts_those_that_do_not_learn():
    ages = np.array([0, 10, 1000])
    times = xr.DataArray([[5.0, 2, np.inf], [7, 3, np.inf], [9, 4, 20]], dims=("member", "age"), coords={"age": ages})
    above, below = learning_anew({"net": times}, 50).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), [7, 3, np.nan])
    np.testing.assert_allclose(below.lines[0].get_ydata(), [0, 0, 2 / 3])
    assert [label.get_text() for label in below.get_xticklabels()] == ["new", "10", "1000"]
    assert (np.diff(below.lines[0].get_xdata()) > 0).all()


def test_curves_and_speeds_over_age():
    ages = np.array([0, 10, 100, 1000])
    values = xr.DataArray(np.arange(1.0, 9).reshape(2, 4), dims=("member", "age"), coords={"age": ages})
    speeds, numbers = what_ages({"a": values}, {"a": 2 * values}, -1).axes
    np.testing.assert_allclose(numbers.lines[0].get_ydata(), 2 * values.median("member"))
    guide = speeds.lines[-1].get_ydata()
    np.testing.assert_allclose(guide[0] / guide[-1], 100)
    errors = xr.DataArray(np.ones((2, 4)), dims=("age", "epoch"), coords={"age": [0, 10], "epoch": EPOCHS})
    axes = second_curves({"a": errors, "b": 0.5 * errors}).axes
    np.testing.assert_allclose(axes[1].lines[1].get_ydata(), 0.5)
    assert axes[0].get_xscale() == "log" and axes[1].get_title() == "b"
