"""Curves and cells: what they take, and that the page and the print get the same of it."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import LogNorm

from kbe.figures import panels, style
from kbe.figures.panels import Cells, Curve, Panel

TRAIL = Curve("way", [[0.0, 1], [0.5, 0.5], [1, 0]], [[0.0, 0], [1, 2], [2, 4]], trail=True)
VALUES = np.array([[1e-5, 1e-2], [np.nan, 1], [1e-3, 10]])
CELLS = Cells("gap", [1, 100], [1, 10, 1000], VALUES, (1e-4, 1))
MAP = Panel("Map", "N", "epochs", [Curve("c", [1, 100], [1, 1000])], (0.5, 200), (0.5, 2000), "xy", CELLS)


def drawn(draw, *arguments):
    figure, axes = plt.subplots()
    draw(axes, *arguments)
    plt.close(figure)
    return axes


def picture(address: str) -> np.ndarray:
    return plt.imread(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"))))


def test_the_ends_of_an_axis_hold_what_can_be_drawn():
    panel = Panel("a panel", "x", "y", [Curve("c", [0.0, 1, 10], [[3.0, 2, 1], [0, 9, 5]])], logarithmic="xy")
    assert panel.ends("x") == (1, 10) and panel.ends("y") == (1, 9)
    assert replace(panel, logarithmic="").ends("y") == (0, 9)


def test_a_trail_is_drawn_up_to_its_frame_with_a_marker_where_it_stands():
    lines = drawn(TRAIL.draw, 1, 1).lines
    np.testing.assert_array_equal([line.get_data() for line in lines[:2]], [[[0, 0.5], [0, 1]], [[1, 0.5], [0, 2]]])
    np.testing.assert_array_equal(lines[2].get_data(), [[0.5, 0.5], [1, 2]])
    assert lines[2].get_marker() == style.MARKERS[1] and lines[2].get_label() == "way"
    numbers = TRAIL.numbers(1)
    assert numbers["trail"] and numbers["marker"] == style.MARKERS[1] and numbers["y"] == [[0, 0], [1, 2], [2, 4]]


def test_cells_have_the_colour_of_their_values_in_the_page_and_in_print():
    wanted = plt.get_cmap("viridis")(LogNorm(1e-4, 1, clip=True)(np.ma.masked_invalid(VALUES)))
    pixels = picture(CELLS.picture(MAP))[::-1]
    ends = np.log([MAP.ends(name) for name in "xy"])
    for row, y in enumerate(CELLS.y):
        for column, x in enumerate(CELLS.x):
            shares = (np.log([x, y]) - ends[:, 0]) / np.ptp(ends, 1)
            across, upward = (shares * panels.PIXELS).astype(int)
            np.testing.assert_allclose(pixels[upward, across], wanted[row, column], atol=0.01)
    mesh = drawn(CELLS.draw).collections[0]
    np.testing.assert_allclose(mesh.get_array(), wanted, atol=0.01)


def test_the_legend_of_cells_has_their_colours_and_ends():
    numbers = MAP.numbers([0])["cells"]
    assert numbers["label"] == "gap, 0.0001 to 1"
    np.testing.assert_allclose(picture(numbers["bar"])[0, [0, -1]], plt.get_cmap("viridis")([0.0, 1.0]), atol=0.01)


def test_a_panel_has_cells_behind_its_curves_and_logarithmic_axes():
    axes = drawn(MAP.draw, [0], 0)
    assert len(axes.collections) == len(axes.lines) == 1
    assert axes.collections[0].get_zorder() < axes.lines[0].get_zorder()
    assert axes.get_xscale() == axes.get_yscale() == "log" and axes.get_xlim() == (0.5, 200)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curve("c", [0, 1], [0, 1, 2]), "x has 2 points and y 3: they must have the same number."),
        (lambda: Curve("c", [0, 1], [0, np.nan]), "y holds NaN or infinity: every element must be finite."),
        (lambda: Curve("c", [[[0.0]]], [0]), r"x has shape \(1, 1, 1\): it must have 1 or 2 dimensions."),
        (
            lambda: Curve("c", [0.0], [[0.0]], trail=True),
            "trail is True: x and y must then have a row for each frame.",
        ),
        (lambda: replace(CELLS, x=[1, 2, 3]), r"values has shape \(3, 2\): it must be \(y, x\) with x = 3 as in x."),
        (lambda: replace(CELLS, y=[1, np.inf, 3]), "y holds NaN or infinity: every element must be finite."),
    ],
)
def test_bad_input_is_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_every_line_style_of_print_has_one_in_the_page():
    assert len(panels.DASHES) == len(style.STYLES) == len({str(dash) for dash in panels.DASHES})
