"""Figures on the density and the scale: the given data on the paper's axes, with gaps where some is lost."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import density as figures
from kbe.figures.scale import both_networks, on_the_way, scale_over_epochs

SIZES = [1, 20, 256]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def three(dim: str, places: list, *names: str) -> xr.Dataset:
    values = np.arange(3 * len(places)).reshape(3, -1) / 10.0
    variables = {name: (("quantile", dim), values + k) for k, name in enumerate(names)}
    return xr.Dataset(variables, coords={dim: places, "quantile": [0.25, 0.5, 0.75]})


def test_fig2_draws_the_single_networks_and_marks_the_lost_one():
    both = three("points", SIZES, "squared_error", "predicted", "gap")
    single = both.isel(quantile=0).where(both.points != 20)
    shares = xr.Dataset({n: ("points", [1.0, 0.5, 0.0]) for n in ("unstable", "left_out")}, coords={"points": SIZES})
    top, middle, bottom = figures.variances_over_sizes(single, both, shares).axes
    crosses, squared = top.lines[0], top.lines[1]
    assert list(crosses.get_xdata()) == [20] and list(squared.get_xdata()) == [1, 256]
    np.testing.assert_allclose(squared.get_ydata(), single.squared_error.dropna("points"))
    np.testing.assert_allclose(middle.lines[0].get_ydata(), both.squared_error.sel(quantile=0.5))
    assert bottom.get_xscale() == "log" and bottom.get_xlabel().endswith("$N$")


def test_fig3_puts_sizes_across_and_epochs_upwards_without_the_start():
    gap = xr.DataArray(np.linspace(1e-3, 0.5, 9).reshape(3, 3), dims=("points", "epoch"),
                       coords={"points": SIZES, "epoch": [0, 10, 100]})  # fmt: skip
    onset = xr.DataArray(np.outer([1, 2, 3], [5.0, 50, np.inf]), dims=("quantile", "points"),
                         coords={"quantile": [0.1, 0.5, 0.9], "points": SIZES})  # fmt: skip
    axes = figures.gap_map(gap, onset).axes[0]
    drawn = axes.collections[0].get_array()
    np.testing.assert_allclose(drawn, gap.sel(epoch=[10, 100]).T)
    assert axes.get_xscale() == axes.get_yscale() == "log" and "e_{mx}" in axes.get_ylabel()
    np.testing.assert_allclose(axes.lines[1].get_ydata(), onset.sel(quantile=0.5))
    assert (np.diff(axes.collections[0].get_coordinates()[0, :, 0]) > 0).all()


def test_the_map_of_the_scale_leaves_out_what_has_none():
    alpha = xr.DataArray(
        [[0.1, 0.2, np.nan]] * 3, dims=("points", "epoch"), coords={"points": SIZES, "epoch": [0, 10, 100]}
    )
    onset = xr.DataArray(
        np.ones((3, 3)), dims=("quantile", "points"), coords={"quantile": [0.1, 0.5, 0.9], "points": SIZES}
    )
    mesh = figures.scale_map(alpha, onset).axes[0].collections[0]
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan), [[0.2] * 3, [np.nan] * 3])


def onsets(medians: list[float]) -> xr.Dataset:
    names = {"median": medians, "low": np.array(medians) / 2, "high": np.array(medians) * 2}
    return xr.Dataset({k: ("ensemble", v) for k, v in names.items()}).assign(
        points=("ensemble", [5, 20, 80]),
        density=("ensemble", [0.1] * 3),
        per_parameter=("ensemble", [0.2, 0.3, 0.4]),
        family=("ensemble", ["a", "a", "b"]),
    )


@pytest.mark.parametrize("medians", [[30.0, 200, 800], [30.0, np.inf, 800], [np.inf] * 3])
def test_onsets_are_drawn_against_all_three_and_infinite_ones_left_out(medians):
    figure = figures.onset_against(onsets(medians))
    figure.draw_without_rendering()
    assert [axis.get_xlabel().split()[-1] for axis in figure.axes] == ["$N$", "$N/2^b$", "$N/P$"]
    line = figure.axes[0].containers[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), np.where(np.isfinite(medians[:2]), medians[:2], np.nan))
    single = onsets(medians).swap_dims(ensemble="points")
    figures.onset_over_sizes({"mean": single, "sum": single}, "median onset, epochs").draw_without_rendering()


def test_sizes_are_where_they_belong_on_the_axis():
    data = onsets([30.0, 200, 800]).swap_dims(ensemble="points")
    axes = figures.onset_over_sizes({"mean": data}, "median onset, epochs").axes[0]
    assert list(axes.containers[0].lines[0].get_xdata()) == [5, 20, 80]
    assert axes.get_xscale() == axes.get_yscale() == "log" and axes.get_ylabel().endswith("epochs")


def test_fig4_has_the_variances_left_alpha_right_and_the_onset():
    ensemble = three("epoch", [1, 10, 100], "squared_error", "predicted", "alpha", "printed")
    single = ensemble.isel(quantile=1, drop=True)
    axes = np.array(scale_over_epochs(single, ensemble, 50.0).axes).reshape(2, 2)
    np.testing.assert_allclose(axes[0, 1].lines[1].get_ydata(), single.printed)
    np.testing.assert_allclose(axes[1, 0].lines[1].get_ydata(), ensemble.predicted.sel(quantile=0.5))
    assert axes[0, 0].lines[-1].get_xdata()[0] == 50 and r"\alpha" in axes[1, 1].get_ylabel()
    assert axes[1, 0].get_xlabel() == "epochs"


def test_way_to_the_onset_and_both_networks_draw_their_medians():
    way = three("fraction", [0.1, 0.5], "alpha")
    above, below = on_the_way({"a": way.alpha}, {"b": way.alpha + 1}).axes
    np.testing.assert_allclose(below.lines[0].get_ydata() - above.lines[0].get_ydata(), 1)
    both = three("epoch", [1, 10], "squared_error", "alpha", "explained")
    drawn = both_networks({"variance": both, "average": both}).axes
    np.testing.assert_allclose(drawn[1].lines[0].get_ydata(), both.alpha.sel(quantile=0.5))
    assert [axis.get_ylabel() for axis in drawn] == ["$V$", r"$\alpha$, per bit", "share explained, $R^2$"]
