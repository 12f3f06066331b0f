"""Figures of trajectories, onsets and flows: the axes as in the paper, and the data that were given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.quiver import Quiver

from kbe.figures import one_point as figures
from kbe.figures.variance_dynamics import closeness, conserved, groups, toward_onset
from kbe.measures import trajectories


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def some_paths(members=2):
    error = np.linspace(0.5, 0, 4) * np.ones((members, 1))
    dims = ("member", "epoch", "point")
    return xr.Dataset(
        {"error": (dims, error[..., None]), "sigma": (dims, error[..., None] + 0.1),
         "stable": (("member", "epoch"), np.arange(4) < 3 * np.ones((members, 1)))},
        coords={"epoch": np.arange(4)},
    )  # fmt: skip


def test_fig1_has_the_papers_axes_and_steepness_on_a_log_scale():
    field = trajectories.gradient_field([0.1, 0.9], [0.1, 0.9])
    figure = figures.on_gradient_field({"some": some_paths()}, field)
    axes = figure.axes[0]
    arrows = next(c for c in axes.collections if isinstance(c, Quiver))
    assert axes.get_xlabel() == r"$|y - \mu|$" and axes.get_ylabel() == r"$\sigma$"
    assert isinstance(arrows.norm, LogNorm)
    np.testing.assert_allclose(arrows.get_array(), field.steepness.values.ravel())
    np.testing.assert_allclose(np.hypot(arrows.U, arrows.V), 1)


@pytest.mark.parametrize(("jumps", "drawn"), [((), 3), (("some",), 4)])
def test_fig1_and_fig6_end_trajectories_at_the_onset_unless_jumps_are_wanted(jumps, drawn):
    field = trajectories.gradient_field([0.1, 0.9], [0.1, 0.9])
    figure = figures.on_gradient_field({"some": some_paths(1)}, field, jumps=jumps)
    line = figure.axes[0].lines[0]
    assert np.isfinite(line.get_xdata().astype(float)).sum() == drawn


def test_falls_draw_sigma_on_a_log_axis_one_line_a_member():
    sigma = xr.DataArray([[0.5, 0.1], [0.4, 0.0]], dims=("member", "epoch"))
    axes = figures.falls({"measured": sigma, "model": sigma}).axes[0]
    assert axes.get_yscale() == "log" and len(axes.lines) == 4
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 0.1])


def test_instability_is_drawn_over_epochs_with_dashed_partners_in_the_same_colour():
    share = xr.DataArray([0.0, 1.0], dims="epoch", coords={"epoch": [1, 10]})
    axes = figures.instability_over_epochs({"a": share, "b": share, "c": share}, dashed=["b"]).axes[0]
    first, second, third = (line.get_color() for line in axes.lines)
    assert first == second != third and axes.get_xlabel() == "epoch"


def test_fig7_has_four_panels_with_the_given_groups_and_the_onset():
    values = np.random.default_rng(0).random((5, 3))
    run = xr.Dataset(
        {"mu": (("epoch", "point"), values), "sigma": (("epoch", "point"), values / 2), "onset": 3.0},
        coords={"epoch": np.arange(5)},
    )
    figure = groups(run, np.array([True, True, False]), np.array([False, False, True]), "00000000 1")
    assert [len(axes.lines) - 1 for axes in figure.axes] == [2, 1, 3, 3]
    assert [axes.get_ylabel() for axes in figure.axes] == [r"$\sigma$"] * 3 + [r"$\mu$"]
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), values[:, 2] / 2)
    assert figure.axes[0].texts[0].get_text() == "00000000 1"


def test_toward_onset_counts_down_and_marks_the_bound():
    lagged = xr.Dataset({"x": (("member", "lag"), np.full((3, 2), 5.0), {"long_name": "some"})}, {"lag": [2, 1]})
    axes = toward_onset(lagged, mark={"x": 2.0}).axes[0]
    assert axes.get_xlim()[0] > axes.get_xlim()[1] and axes.get_title() == "some"
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 2)


def test_conserved_draws_the_time_left_and_the_loss():
    flow = xr.Dataset({"bound": ("time", [2.0, 1.0]), "loss": ("time", [1.0, 0.5])}, {"time": [0.0, 1.0]})
    left, right = conserved([flow]).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [2, 1])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [1, 0.5])


def test_closeness_draws_the_medians_of_both_errors():
    errors = xr.Dataset(
        {"mean": (("member", "share"), [[0.1, 1.0], [0.3, 3.0]]), "deviation": (("member", "share"), np.ones((2, 2)))},
        {"share": [0.0, 0.5]},
    )
    axes = closeness(errors).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 2.0])
