"""Figures that a slider moves: frames computed beforehand, drawn in the page from their numbers, in print as a row.

A chapter's cell shows a `MovingFigure` as it shows any other figure. The page draws the frame that the reader chooses
(`book/_static/moving.js`); where no script runs, in print and in any Jupyter, some frames stand in a row.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from kbe import refusals
from kbe.figures.panels import Panel
from kbe.figures.style import WIDTH, legend_below, show
from kbe.figures.words import described

LARGEST_FRAME = 20_000  # bytes of a page
STILLS = 3


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
        If there is no frame, the numbers of frames differ, or a frame needs more than 20 kB.

    Examples
    --------
    >>> from kbe.figures.panels import Curve
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
        if not count:
            raise ValueError("values has no frames: it must have one at least.")
        curves = [curve for panel in self.panels for curve in panel.curves]
        counts = {f"{name} of {curve.label!r}": len(array) for curve in curves
                  for name, array in (("x", curve.x), ("y", curve.y)) if np.ndim(array) == 2}  # fmt: skip
        counts |= {f"follows of {one.title!r}": len(one.follows) for one in self.panels if one.follows is not None}
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
        panels = [panel.numbers(self._looks(panel)) for panel in self.panels]
        return {"values": list(self.values), "said": list(self.said), "panels": panels}

    def _row(self) -> Figure:
        """The frames for print, side by side; panels one above the other."""
        stills = self._stills()
        size = (WIDTH * max(1.0, len(stills) / STILLS), 2.3 * len(self.panels) + 0.5)
        figure, grid = plt.subplots(len(self.panels), len(stills), figsize=size, sharey="row", squeeze=False)
        for panel, row in zip(self.panels, grid, strict=True):
            for frame, axes in zip(stills, row, strict=True):
                panel.draw(axes, self._looks(panel), frame)
            row[0].set_ylabel(f"{panel.title}\n{panel.ylabel}", fontsize=9)
            row[len(stills) // 2].set_xlabel(panel.xlabel, fontsize=9)  # the same for all, and often longer than one
            if panel.cells:
                bar = figure.colorbar(panel.cells.colours(), ax=list(row), extend="both")
                bar.set_label(panel.cells.label, fontsize=9)
        for frame, axes in zip(stills, grid[0], strict=True):
            axes.set_title(self.values[frame], fontsize=9)
        legend_below(figure, 2, fontsize=9)
        return described(figure, repr(self))

    def _looks(self, panel: Panel) -> list[int | None]:
        """For each curve of a panel the number of its name among all names."""
        names = list(dict.fromkeys(curve.label for one in self.panels for curve in one.curves if curve.label))
        return [names.index(curve.label) if curve.label else None for curve in panel.curves]
