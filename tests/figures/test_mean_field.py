"""The figures on the mean-field model: the maps of all inputs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe.figures import mean_field as figures


def test_neighbouring_cells_of_a_map_differ_by_one_bit():
    numbers = xr.DataArray(np.arange(32.0)[None], dims=("epoch", "point"), coords={"epoch": [1]})
    axis = figures.maps_of_inputs({"all": numbers}, np.array([5]), np.array([1])).axes[0]
    cells = np.asarray(axis.images[0].get_array()).astype(int)
    for first, second in ((cells[1:], cells[:-1]), (cells[:, 1:], cells[:, :-1])):
        assert (np.bitwise_count(first ^ second) == 1).all()
    ((across, down),) = axis.lines[0].get_xydata().astype(int)
    assert sorted(cells.ravel()) == list(range(32)) and cells[down, across] == 5
