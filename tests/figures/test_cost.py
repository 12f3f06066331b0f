"""The figures of the chapter on cost."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures.cost import cost_over_points, cost_over_settings


def found(*values: int) -> xr.Dataset:
    model = 100.0 * np.array(values)
    seconds = 1e-9 * model[:, None] * np.array([0.9, 1.0, 1.3])
    return xr.Dataset({"seconds": (("value", "repeat"), seconds), "model": ("value", model)}, {"value": list(values)})


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_cost_over_points_draws_medians_in_the_models_unit():
    loop = xr.DataArray([2e-3], coords={"points": [20]})
    figure = cost_over_points(found(1, 20), found(1, 2, 256), {"loop": loop}, 1e-9)
    (axes,) = figure.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert "$N$" in axes.get_xlabel()
    drawn = {tuple(line.get_ydata()) for line in axes.lines}
    assert (100.0, 2000.0) in drawn  # the model, and on it the medians
    assert any(np.allclose(y, [2e6]) for y in drawn)
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"loop", "every window", "distinct windows"}


def test_cost_over_settings_has_a_panel_for_each_with_shared_cost():
    figure = cost_over_settings({"members": found(1, 16, 128), "bits": found(4, 8), "layers": found(1, 2)}, 1e-9)
    assert [axes.get_xlabel() for axes in figure.axes][:3] == ["members $M$", "bits $b$", "layers"]
    assert [axes.get_xscale() for axes in figure.axes][:2] == ["log", "linear"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
