"""Figures of the chapter on cost: over the points of a data set, and over the other sizes."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 5.4

NAMES = {
    "members": "members $M$",
    "points": "points $N$",
    "bits": "bits $b$",
    "layers": "layers",
    "channels": "channels",
    "kernel_size": "kernel size",
}


def cost_over_points(plain: xr.Dataset, merged: xr.Dataset, others: Mapping[str, xr.DataArray], unit: float) -> Figure:
    """The cost of an epoch over the points of a data set, with the model of it.

    Parameters
    ----------
    plain, merged : xarray.Dataset
        From `timing.over("points", ...)`, without and with windows merged.
    others : mapping of str to DataArray
        Seconds an epoch of one member for other ways, by name, with a coordinate `points`.
    unit : float
        Seconds of one multiplication and addition of the model.

    Returns
    -------
    Figure
        Logarithmic axes, in the model's units.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for row, (name, seconds) in enumerate(others.items()):
        axes.loglog(seconds.points, seconds / unit, "s^"[row % 2], color=f"C{2 + row}", ms=6, label=name)
    for colour, marker, name, found in (("C1", "o", "every window", plain), ("C0", "D", "distinct windows", merged)):
        _measured(axes, found, unit, colour, marker, name)
    axes.set(xlabel=NAMES["points"], ylabel="cost of an epoch of one member\n(multiplications and additions)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return figure


def cost_over_settings(sweeps: Mapping[str, xr.Dataset], unit: float) -> Figure:
    """The cost of an epoch over each of several settings, with the model of it.

    Parameters
    ----------
    sweeps : mapping of str to Dataset
        From `timing.over`, by the name of the setting; an even number of them.
    unit : float
        Seconds of one multiplication and addition of the model.

    Returns
    -------
    Figure
        A panel for each setting, two in a row, with one axis of cost.
    """
    rows = -(-len(sweeps) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(WIDTH, 2.4 * rows), sharey=True, squeeze=False)
    for axes, (name, found) in zip(grid.flat, sweeps.items(), strict=False):
        axes.set_yscale("log")
        if found.value.max() > 40:
            axes.set_xscale("log")
        _measured(axes, found, unit, "C0", "D", "measured")
        ticks = found.value.values if found.value.max() <= 40 else np.array([1, 10, 100])
        axes.set_xticks(ticks, [str(value) for value in ticks])
        axes.set(xlabel=NAMES[name])
    for axes in grid[:, 0]:
        axes.set_ylabel("cost of an epoch")
    return figure


def _measured(axes: Axes, found: xr.Dataset, unit: float, colour: str, marker: str, name: str) -> None:
    """Medians with their range over the repeats, and the model as a line."""
    cost = found.seconds.values / unit
    middle = np.median(cost, axis=1)
    spread = np.abs(np.stack([cost.min(1), cost.max(1)]) - middle)
    axes.errorbar(found.value, middle, spread, fmt=marker, color=colour, ms=4.5, capsize=2, lw=1, label=name)
    axes.plot(found.value, found.model, "-", color=colour, lw=1.2)
