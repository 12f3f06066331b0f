"""What figures draw alike: bands, bars, and logarithmic axes, also where data are missing."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kbe.figures import bands

TICKS = [1, 10, 100]
QUANTILES = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


@pytest.mark.parametrize("quantiles", [QUANTILES, xr.DataArray(QUANTILES.T, dims=("epoch", "quantile"))])
def test_a_band_lies_between_the_outer_quantiles_about_the_line(axes, quantiles):
    bands.band(axes, TICKS, quantiles, alpha=0.5, color="C1", linestyle="--", label="some")
    (line,), (area,) = axes.lines, axes.collections
    np.testing.assert_array_equal(line.get_data(), [TICKS, QUANTILES[1]])
    assert (line.get_label(), line.get_linestyle(), line.get_color()) == ("some", "--", "C1")
    corners = area.get_paths()[0].vertices
    for tick, low, high in zip(TICKS, QUANTILES[0], QUANTILES[2], strict=True):
        assert set(corners[corners[:, 0] == tick, 1]) == {low, high}
    np.testing.assert_allclose(area.get_facecolor(), [(*plt.matplotlib.colors.to_rgb("C1"), 0.5)])


def test_bars_leave_out_what_is_not_finite(axes):
    quantiles = QUANTILES.copy()
    quantiles[1:, 1] = np.inf  # a point that is nowhere
    quantiles[2, 2] = np.inf  # a bar without an end
    bands.bars(axes, TICKS, quantiles, color="C0", marker="o")
    (bars,) = axes.containers
    np.testing.assert_allclose(bars.lines[0].get_ydata(), [4, np.nan, 6])
    ends = [segment[:, 1].tolist() for segment in bars.lines[2][0].get_segments() if len(segment)]
    assert ends == [[1, 7], [3, 6]]


def test_a_logarithmic_axis_is_given_what_it_can_hold():
    values = bands.where_positive(xr.DataArray([-1.0, 0, 1e-300, 1, np.inf, np.nan]))
    np.testing.assert_array_equal(values, [np.nan, np.nan, np.nan, 1, np.nan, np.nan])


@pytest.mark.parametrize("values", [[20.0, 600], [np.nan, np.inf]])
def test_a_logarithmic_axis_reads_in_plain_numbers_even_without_data(axes, values):
    axes.plot(values)
    bands.plain_logarithms(axes, values)
    axes.figure.draw_without_rendering()
    labels = {text.get_text() for text in axes.get_yticklabels()}
    assert {"50", "200"} <= labels if np.isfinite(values).any() else {"1", "2", "5", "10"} <= labels
    assert len(axes.yaxis.get_minorticklocs()) == 0


@pytest.mark.parametrize("minor", [False, True])
def test_minor_ticks_have_no_numbers(axes, minor):
    axes.loglog([1, 30], [1, 30])
    bands.plain_numbers(axes.xaxis, (1, 3), minor=minor)
    axes.figure.draw_without_rendering()
    assert {"1", "3", "10", "30"} <= {text.get_text() for text in axes.get_xticklabels()}
    assert bool(len(axes.xaxis.get_minorticklocs())) == minor
    assert {text.get_text() for text in axes.get_xticklabels(minor=True)} <= {""}
