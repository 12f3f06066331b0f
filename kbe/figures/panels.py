"""What a figure that a slider moves draws: panels of curves and, behind them, cells in colour.

Each part draws itself for print, in one frame, and hands all its numbers to the page.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

from kbe import refusals
from kbe.figures.style import MARKERS, STYLES

DIGITS = 4  # of a number in the page; a screen has fewer points
DASHES: tuple[list[int], ...] = ([], [7, 4], [8, 3, 2, 3], [2, 3], [8, 2, 2, 2, 2, 2], [1, 4])  # `STYLES` in pixels
PIXELS = 240  # of cells in the page, each way


@dataclass(frozen=True)
class Curve:
    """A line or markers, the same in every frame or another in each; or what moves, with its way behind it.

    Parameters
    ----------
    label
        Its name in the legend. What has none is drawn faint.
    x, y
        Of shape (n,), or (frames, n) for another in each frame. Both are arrays afterwards.
    markers
        Whether the points are drawn, and no line.
    gaps
        Whether NaN may interrupt it.
    trail
        Whether each of n points is drawn where it stands in the frame, with the line of its way through the frames
        before.

    Raises
    ------
    ValueError
        If lengths differ, or a number is missing.
    """

    label: str
    x: Any
    y: Any
    markers: bool = False
    gaps: bool = False
    trail: bool = False

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            values = refusals.array(name, getattr(self, name), (1, 2), finite=not self.gaps)
            object.__setattr__(self, name, values)
        if self.x.shape[-1] != self.y.shape[-1]:
            lengths = f"x has {self.x.shape[-1]} points and y {self.y.shape[-1]}"
            raise ValueError(f"{lengths}: they must have the same number.")
        if self.trail and self.x.ndim + self.y.ndim < 4:
            raise ValueError("trail is True: x and y must then have a row for each frame.")

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Its points in a frame."""
        x, y = (values[frame] if values.ndim == 2 else values for values in (self.x, self.y))
        return x, y

    def ways(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """The ways of its points up to a frame, a column each."""
        return self.x[: frame + 1], self.y[: frame + 1]

    def numbers(self, look: int | None) -> dict[str, Any]:
        """All that the page needs to draw it; the `look` is the number of its colour and style, None for none."""
        marker = {"marker": MARKERS[(look or 0) % len(MARKERS)]} if self.markers or self.trail else {}
        style = {"label": self.label, "look": look, "dash": DASHES[(look or 0) % len(DASHES)], "trail": self.trail}
        return style | marker | {"x": short(self.x), "y": short(self.y)}

    def draw(self, axes: Axes, look: int | None, frame: int) -> None:
        """Draw a frame of it."""
        style: dict[str, Any] = {"color": plt.rcParams["axes.edgecolor"], "alpha": 0.3, "linewidth": 0.7}
        if look is not None:
            style = {"color": f"C{look % 6}", "linestyle": STYLES[look % 6], "label": self.label, "linewidth": 1.2}
        if self.trail:
            axes.plot(*self.ways(frame), **style | {"label": None, "linewidth": 0.8})
        if self.markers or self.trail:
            style |= {"linestyle": "None", "marker": MARKERS[(look or 0) % len(MARKERS)], "markersize": 3.5}
        axes.plot(*self.at(frame), **style)


@dataclass(frozen=True)
class Cells:
    """Cells in colour on a logarithmic scale, the same in every frame; one that is missing stays empty.

    Parameters
    ----------
    label
        What is shown.
    x, y
        Where their centres are.
    values
        Shape (y, x).
    ends
        Of the colours; what lies beyond them has their colour.
    """

    label: str
    x: Any
    y: Any
    values: Any
    ends: tuple[float, float]

    def __post_init__(self) -> None:
        for name, ndim in (("x", 1), ("y", 1), ("values", 2)):
            array = refusals.array(name, getattr(self, name), ndim, finite=name != "values")
            object.__setattr__(self, name, array)
        refusals.shape("values", self.values.shape, "y x", {"y": (len(self.y), "y"), "x": (len(self.x), "x")})

    def colours(self) -> ScalarMappable:
        """What makes colours of values."""
        return ScalarMappable(LogNorm(*self.ends, clip=True), "viridis")

    def picture(self, panel: Panel) -> str:
        """A small picture that fills the panel, as an address: its points have the colours of the nearest cells."""
        nearest = []
        for name, centres in (("x", self.x), ("y", self.y)):
            scale = np.log if name in panel.logarithmic else np.asarray
            low, high = scale(np.array(panel.ends(name)))
            middles = low + (high - low) * (np.arange(PIXELS) + 0.5) / PIXELS
            nearest.append(np.abs(scale(centres)[:, None] - middles).argmin(0))
        return _address(self.colours().to_rgba(np.ma.masked_invalid(self.values[nearest[1][::-1]][:, nearest[0]])))

    def numbers(self, panel: Panel) -> dict[str, Any]:
        """All that the page needs to draw them."""
        low, high = self.ends
        bar = _address(self.colours().to_rgba(np.geomspace(low, high, 64)[None]))
        return {"picture": self.picture(panel), "bar": bar, "label": f"{self.label}, {low:g} to {high:g}"}

    def draw(self, axes: Axes) -> None:
        """Draw them for print."""
        colours = self.colours().to_rgba(np.ma.masked_invalid(self.values))
        axes.pcolormesh(self.x, self.y, colours, shading="nearest", rasterized=True)


@dataclass(frozen=True)
class Panel:
    """One pair of axes, whose ends are the same in all frames.

    Parameters
    ----------
    title, xlabel, ylabel
        In plain characters.
    curves
        From the lowest to the topmost.
    xlim, ylim
        The ends of the axes; None takes those of the curves.
    logarithmic
        The axes that are: "", "x", "y" or "xy".
    cells
        What lies behind the curves.
    follows
        Where on the x axis each frame belongs, if the frame is to follow the pointer.
    """

    title: str
    xlabel: str
    ylabel: str
    curves: Sequence[Curve]
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    logarithmic: str = ""
    cells: Cells | None = None
    follows: Sequence[float] | None = None

    def ends(self, name: str) -> tuple[float, float]:
        """The ends of an axis, "x" or "y"."""
        given = self.xlim if name == "x" else self.ylim
        if given:
            return given
        values = np.concatenate([np.ravel(getattr(curve, name)) for curve in self.curves])
        values = values[np.isfinite(values) & ((values > 0) | (name not in self.logarithmic))]
        return float(values.min()), float(values.max())

    def numbers(self, looks: Sequence[int | None]) -> dict[str, Any]:
        """All that the page needs to draw it, with the looks of its curves."""
        return {
            "title": self.title,
            "labels": [self.xlabel, self.ylabel],
            "ends": [short(np.array(self.ends(name))) for name in "xy"],
            "logarithmic": [name in self.logarithmic for name in "xy"],
            "cells": self.cells.numbers(self) if self.cells else None,
            "follows": None if self.follows is None else short(np.asarray(self.follows, float)),
            "curves": [curve.numbers(look) for curve, look in zip(self.curves, looks, strict=True)],
        }

    def draw(self, axes: Axes, looks: Sequence[int | None], frame: int) -> None:
        """Draw a frame of it."""
        if self.cells:
            self.cells.draw(axes)
        for curve, look in zip(self.curves, looks, strict=True):
            curve.draw(axes, look, frame)
        scales = {f"{name}scale": "log" for name in self.logarithmic}
        axes.set(xlim=self.ends("x"), ylim=self.ends("y"), **scales)
        axes.tick_params(labelsize=8)


def short(values: np.ndarray) -> list:
    """Numbers with as many digits as a screen can show, a missing one as JSON has it.

    >>> short(np.array([[1.0, 2 / 3], [np.nan, 12345]]))
    [[1, 0.6667], [None, 12340]]
    """
    if values.ndim == 2:
        return [short(row) for row in values]
    rounded = (float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values)
    return [int(value) if value is not None and value.is_integer() else value for value in rounded]


def _address(colours: np.ndarray) -> str:
    file = io.BytesIO()
    plt.imsave(file, colours, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
