"""Figures of the chapter on cost: over the points of a data set, and over the other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe.figures.bands import bars
from kbe.figures.style import WIDTH
from kbe.figures.words import described, rounded

NAMES = {
    "members": "members $M$",
    "points": "points $N$",
    "bits": "bits $b$",
    "layers": "layers",
    "channels": "channels",
    "kernel_size": "kernel size",
}

WIDE = 40  # a setting beyond it has a logarithmic axis


def cost_over_points(plain: xr.Dataset, merged: xr.Dataset, others: Mapping[str, xr.DataArray], unit: float) -> Figure:
    """The cost of an epoch of one member over the points of a data set, with the model of it, on logarithmic axes.

    `plain` and `merged` are from `timing.over("points", ...)`, without and with windows merged; `others` are
    seconds (points) by the name of other ways. The `unit` is the seconds of one multiplication and addition of the
    model.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for row, (name, seconds) in enumerate(others.items()):
        axes.loglog(seconds.points, seconds / unit, "s^"[row % 2], color=f"C{2 + row}", ms=6, label=name)
    _measured(axes, plain, unit, color="C1", marker="o", style="-", label="every window")
    _measured(axes, merged, unit, color="C0", marker="D", style="--", label="distinct windows")
    axes.set(xlabel=NAMES["points"], ylabel="cost of an epoch of one member\n(multiplications and additions)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    courses = [
        f"{name}, {_ends(found, unit)}" for name, found in (("every window", plain), ("distinct windows", merged))
    ]
    for name, seconds in others.items():
        places = zip(seconds.points.values, seconds.values, strict=True)
        courses.append(f"{name}, " + ", ".join(f"{rounded(one / unit)} at {points:g}" for points, one in places))
    return described(figure, f"The cost of an epoch of one member over the points: {'; '.join(courses)}.")


def cost_over_settings(sweeps: Mapping[str, xr.Dataset], unit: float) -> Figure:
    """The cost of an epoch over each of several settings, with the model of it: two panels in a row, one axis of cost.

    The `sweeps` are from `timing.over`, by the name of the setting, an even number of them; the `unit` is the seconds
    of one multiplication and addition of the model.
    """
    rows = -(-len(sweeps) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(WIDTH, 2.4 * rows), sharey=True, squeeze=False)
    for axes, (name, found) in zip(grid.flat, sweeps.items(), strict=False):
        wide = found.value.max() > WIDE
        axes.set(xscale="log" if wide else "linear", yscale="log", xlabel=NAMES[name])
        _measured(axes, found, unit, color="C0", marker="D", style="-", label="measured")
        ticks = np.array([1, 10, 100]) if wide else found.value.values
        axes.set_xticks(ticks, [str(value) for value in ticks])
    for axes in grid[:, 0]:
        axes.set_ylabel("cost of an epoch")
    courses = "; ".join(f"{NAMES[name].replace('$', '')}, {_ends(found, unit)}" for name, found in sweeps.items())
    return described(figure, f"The cost of an epoch of one member over each setting: {courses}.")


def _measured(axes: Axes, found: xr.Dataset, unit: float, *, style: str, **line: Any) -> None:
    """Medians with their range over the repeats, and the model as a line."""
    cost = found.seconds.values / unit
    quantiles = cost.min(1), np.median(cost, axis=1), cost.max(1)
    bars(axes, found.value, quantiles, linestyle="none", markersize=4.5, linewidth=1, **line)
    axes.plot(found.value, found.model, style, color=line["color"], lw=1.2)


def _ends(found: xr.Dataset, unit: float) -> str:
    cost = np.median(found.seconds.values, axis=1) / unit
    return ", ".join(f"{rounded(cost[place])} at {found.value.values[place]:g}" for place in (0, -1))
