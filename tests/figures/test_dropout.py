"""Figures on drop-out: the given shares and spreads on the right axes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import dropout as figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_each_line_is_a_share_at_its_own_places():
    first = xr.DataArray([0.0, 0.5, 1.0], coords={"epoch": [0, 10, 20]})
    second = xr.DataArray([0.0, 0.1], coords={"time": [0.0, 2.5]})
    above, below = figures.shares_lost({"a": {"x": first, "y": second}, "b": {"x": second}}, "epochs").axes
    assert list(above.lines[0].get_xdata()) == [0, 10, 20] and list(above.lines[1].get_ydata()) == [0, 0.1]
    assert above.lines[0].get_linestyle() != above.lines[1].get_linestyle()
    assert below.get_title() == "b" and below.get_xlabel() == "epochs" and below.get_ylabel() == "share lost"


def test_spreads_stand_over_errors_with_both_bounds():
    moments = xr.Dataset({"error": ("point", [0.5, 0.01, np.nan]), "spread": ("point", [0.4, 0.0, 0.1])})
    greatest = xr.DataArray([0.3, 0.5, 0.0], coords={"error": [0.1, 0.5, 1.0]})
    axes = figures.spread_against_error({"sigmoid": moments}, greatest, 0.05).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.4, np.nan, 0.1])
    assert list(axes.lines[1].get_xdata()) == [0.1, 0.5, 1] and list(axes.lines[1].get_ydata()) == [0.3, 0.5, 0]
    assert axes.lines[2].get_ydata()[0] == 0.05 and axes.get_xscale() == axes.get_yscale() == "log"
    figures.spread_against_error({}, greatest, 0).draw_without_rendering()
