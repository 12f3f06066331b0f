"""Figures that a slider moves: frames computed beforehand, drawn in the page from their numbers, in print as a row.

A chapter's cell shows a `MovingFigure` as it shows any other figure. The page draws the frame that the reader chooses
(`book/_static/moving.js`); where no script runs, in print and in any Jupyter, some frames stand in a row.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe import refusals
from kbe.figures.style import MARKERS, STYLES, WIDTH, legend_below, show
from kbe.figures.words import described

LARGEST_FRAME = 20_000  # bytes of a page
STILLS = 3
DIGITS = 4  # of a number in the page; a screen has fewer points
DASHES: tuple[list[int], ...] = ([], [7, 4], [8, 3, 2, 3], [2, 3], [8, 2, 2, 2, 2, 2], [1, 4])  # `STYLES` in pixels


@dataclass(frozen=True)
class Curve:
    """A line or markers, the same in every frame or another in each.

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

    Raises
    ------
    ValueError
        If lengths differ, or a number is missing.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    markers: bool = False
    gaps: bool = False

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            values = refusals.array(name, getattr(self, name), (1, 2), finite=not self.gaps)
            object.__setattr__(self, name, values)
        if self.x.shape[-1] != self.y.shape[-1]:
            lengths = f"x has {self.x.shape[-1]} points and y {self.y.shape[-1]}"
            raise ValueError(f"{lengths}: they must have the same number.")

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Its points in a frame."""
        x, y = (values[frame] if values.ndim == 2 else values for values in (self.x, self.y))
        return x, y


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
    """

    title: str
    xlabel: str
    ylabel: str
    curves: Sequence[Curve]
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    logarithmic: str = ""

    def ends(self, name: str) -> tuple[float, float]:
        """The ends of an axis, "x" or "y"."""
        given = self.xlim if name == "x" else self.ylim
        if given:
            return given
        values = np.concatenate([np.ravel(getattr(curve, name)) for curve in self.curves])
        values = values[np.isfinite(values) & ((values > 0) | (name not in self.logarithmic))]
        return float(values.min()), float(values.max())


@dataclass(frozen=True)
class MovingFigure:
    """A figure with a slider over its frames.

    Parameters
    ----------
    quantity
        What the slider sets.
    values
        What it is in each frame, with its unit.
    said
        What each frame shows, in one sentence: it is read aloud.
    panels
        Side by side, below each other on a narrow page.
    start
        The frame that is shown first.
    stills
        The frames for print; None takes the first, the last and the one between.

    Raises
    ------
    ValueError
        If there is no second frame, the numbers of frames differ, or a frame needs more than 20 kB.

    Examples
    --------
    >>> times = np.linspace(0, 1, 11)
    >>> fall = Curve("exp(-kt)", times, [np.exp(-times), np.exp(-2 * times)])
    >>> panel = Panel("A fall", "t", "what is left", [fall], ylim=(0, 1))
    >>> MovingFigure("rate k", ["1 per s", "2 per s"], ["0.37 is left.", "0.14 is left."], [panel])
    A fall. rate k, 1 per s: 0.37 is left. 2 per s: 0.14 is left.
    """

    quantity: str
    values: Sequence[str]
    said: Sequence[str]
    panels: Sequence[Panel]
    start: int = 0
    stills: Sequence[int] | None = None
    _page: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.values)
        if count < 2:
            raise ValueError(f"values has {count} frames: a slider needs two at least.")
        curves = [curve for panel in self.panels for curve in panel.curves]
        counts = {f"{name} of {curve.label!r}": len(array) for curve in curves
                  for name, array in (("x", curve.x), ("y", curve.y)) if np.ndim(array) == 2}  # fmt: skip
        for name, other in ({"said": len(self.said)} | counts).items():
            if other != count:
                raise ValueError(f"{name} has {other} frames: it must have {count} as values has.")
        for place in (self.start, *self._stills()):
            refusals.integer("start or a still", place, 0, count - 1)
        page = json.dumps(self._numbers(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        object.__setattr__(self, "_page", page.replace("<", "\\u003c"))  # no end of a script among the words
        if (size := len(self._page.encode()) // count) > LARGEST_FRAME:
            raise ValueError(f"A frame has {size} bytes: it must have at most {LARGEST_FRAME}.")

    def __repr__(self) -> str:
        """What the frames in print show: all that a stored notebook keeps of it."""
        titles = "; ".join(panel.title for panel in self.panels)
        said = " ".join(f"{self.values[k]}: {self.said[k]}" for k in self._stills())
        return f"{titles}. {self.quantity}, {said}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        still = show(self._row)._repr_mimebundle_()
        name, first = html.escape(self.quantity), html.escape(self.values[self.start])
        slider = (
            f'<div class="kbe-live" hidden><div class="kbe-panels"></div>'
            f'<label>{name} <input type="range" min="0" max="{len(self.values) - 1}" value="{self.start}" step="1" '
            f'autocomplete="off" aria-valuetext="{first}"></label> <output aria-live="off">{first}</output>'
            f'<p role="status" aria-live="polite">{html.escape(self.said[self.start])}</p></div>'
        )
        page = (
            f'<div class="kbe-moving" role="group" aria-label="A figure to move: {name}">{slider}'
            f'<div class="kbe-still">{still["text/html"]}</div>'
            f'<script type="application/json">{self._page}</script></div>'
        )
        return still | {"text/html": page}

    def _stills(self) -> Sequence[int]:
        last = len(self.values) - 1
        return self.stills or sorted({round(k * last / (STILLS - 1)) for k in range(STILLS)})

    def _numbers(self) -> dict[str, Any]:
        """All that the page needs to draw."""
        return {
            "values": list(self.values),
            "said": list(self.said),
            "panels": [
                {
                    "title": panel.title,
                    "labels": [panel.xlabel, panel.ylabel],
                    "ends": [_short(np.array(panel.ends(name))) for name in "xy"],
                    "logarithmic": [name in panel.logarithmic for name in "xy"],
                    "curves": [
                        {"label": curve.label, "look": look, "x": _short(curve.x), "y": _short(curve.y)}
                        | ({"marker": MARKERS[(look or 0) % 5]} if curve.markers else {"dash": DASHES[(look or 0) % 6]})
                        for curve, look in self._looks(panel)
                    ],
                }
                for panel in self.panels
            ],
        }

    def _row(self) -> Figure:
        """The frames for print, side by side; panels one above the other."""
        stills = self._stills()
        size = (WIDTH * max(1.0, len(stills) / STILLS), 2.3 * len(self.panels) + 0.5)
        figure, grid = plt.subplots(len(self.panels), len(stills), figsize=size, sharey="row", squeeze=False)
        for panel, row in zip(self.panels, grid, strict=True):
            for frame, axes in zip(stills, row, strict=True):
                self._draw(axes, panel, frame)
            row[0].set_ylabel(f"{panel.title}\n{panel.ylabel}", fontsize=9)
            row[len(stills) // 2].set_xlabel(panel.xlabel, fontsize=9)  # the same for all, and often longer than one
        for frame, axes in zip(stills, grid[0], strict=True):
            axes.set_title(self.values[frame], fontsize=9)
        legend_below(figure, 2, fontsize=9)
        return described(figure, repr(self))

    def _draw(self, axes: Axes, panel: Panel, frame: int) -> None:
        for curve, look in self._looks(panel):
            style: dict[str, Any] = {"color": plt.rcParams["axes.edgecolor"], "alpha": 0.3, "linewidth": 0.7}
            if look is not None:
                style = {"color": f"C{look % 6}", "linestyle": STYLES[look % 6], "label": curve.label, "linewidth": 1.2}
            if curve.markers:
                style |= {"linestyle": "None", "marker": MARKERS[(look or 0) % 5], "markersize": 3.5}
            axes.plot(*curve.at(frame), **style)
        scales = {f"{name}scale": "log" for name in panel.logarithmic}
        axes.set(xlim=panel.ends("x"), ylim=panel.ends("y"), **scales)
        axes.tick_params(labelsize=8)

    def _looks(self, panel: Panel) -> list[tuple[Curve, int | None]]:
        """A panel's curves, each with the number of its name among all names."""
        names = list(dict.fromkeys(curve.label for one in self.panels for curve in one.curves if curve.label))
        return [(curve, names.index(curve.label) if curve.label else None) for curve in panel.curves]


def _short(values: Any) -> list:
    """Numbers with as many digits as a screen can show, a missing one as JSON has it."""
    if values.ndim == 2:
        return [_short(row) for row in values]
    short = (float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values)
    return [int(value) if value is not None and value.is_integer() else value for value in short]
