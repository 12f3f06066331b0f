"""The figures that a slider moves: what they draw is what they are given, and the sentences hold its numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe.figures import frames

ALPHAS = [0.0, 0.5, 20]


def averages(places: int) -> xr.Dataset:
    own = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.9]])
    average = np.linspace(0, 1, 3 * places).reshape(3, places)
    values = {"y": ("point", [0.0, 1]), "own": (("alpha", "point"), own), "average": (("alpha", "place"), average)}
    return xr.Dataset(values, {"x": ("point", [0.0, 8]), "alpha": ALPHAS, "place": np.linspace(0, 8, places)})


def test_eq20_averages_are_a_line_between_points_and_markers_at_the_points_alone():
    line, strings = averages(5), averages(2)
    figure = frames.averages_over_scales({"on a line": line, "on bit strings": strings})
    assert list(figure.values) == [f"{alpha:g} per unit of distance" for alpha in ALPHAS]
    for panel, one, markers in zip(figure.panels, (line, strings), (False, True), strict=True):
        average, targets = panel.curves
        np.testing.assert_array_equal(average.y, one.average)
        np.testing.assert_array_equal(average.x, one.place)
        np.testing.assert_array_equal(targets.at(1), [one.x, one.y])
        assert average.markers is markers and targets.markers


def test_a_points_own_weight_is_said_with_the_range_of_the_averages():
    said = frames.averages_over_scales({"on a line": averages(5), "on bit strings": averages(2)}).said
    assert said[0].replace("\N{NO-BREAK SPACE}", " ") == (
        "A point's own target weighs 50 % on a line (averages from 0.00 to 0.29) and 50 % on bit strings "
        "(averages from 0.00 to 0.20)."
    )
    assert "95" in said[2]
