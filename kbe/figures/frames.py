"""The figures that a slider moves, one function a figure: panels, and a sentence for each frame."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from kbe.figures.moving import Curve, MovingFigure, Panel
from kbe.figures.words import rounded

PER_DISTANCE = "per unit of distance"


def averages_over_scales(sets: Mapping[str, xr.Dataset]) -> MovingFigure:
    """The local averages of some data sets, from the mean of all targets to each point's own.

    Each of the `sets` has targets `y` (point) at `x`, the `average` at each `place` (alpha, place), drawn between the
    points where there are more places than these, and `own`, a point's share of the weight in its average
    (alpha, point).
    """
    panels, courses = [], []
    for name, one in sets.items():
        between = one.sizes["place"] > one.sizes["point"]
        average = Curve("average" if between else "average, at the points alone", one.place, one.average, not between)
        targets = Curve("target", one.x, one.y, markers=True)
        ends = float(one.x.min()), float(one.x.max())
        margin = 0.03 * (ends[1] - ends[0])
        axis = "position" if between else "point, in order of the targets"
        across = (ends[0] - margin, ends[1] + margin)
        panels.append(Panel(name.capitalize(), axis, "target y, average a", [average, targets], across, (-0.08, 1.08)))
        quantities = one.own.mean("point"), one.average.min("place"), one.average.max("place")
        courses.append([
            f"{100 * float(own):.0f}\N{NO-BREAK SPACE}% {name} (averages from {float(low):.2f} to {float(high):.2f})"
            for own, low, high in zip(*quantities, strict=True)
        ])  # fmt: skip
    said = [f"A point's own target weighs {' and '.join(both)}." for both in zip(*courses, strict=True)]
    alphas = next(iter(sets.values())).alpha
    return MovingFigure(
        "scale α", [f"{rounded(a)} per unit of distance" for a in alphas], said, panels, len(alphas) // 3
    )
