"""Figures of the chapter on drop-out: the shares of diverged members, and the spread over masks within its bounds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import where_positive
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import all_last, described, rounded

MARKERS = "o^sD"
ERRORS, SPREADS = (1e-5, 1.5), (1e-4, 1)  # what the axes show


def shares_diverged(panels: dict[str, dict[str, xr.DataArray]], xlabel: str = "epochs") -> Figure:
    """The share of diverged members in time, one panel above the other.

    Each of the `panels` has lines by name, shares along their only dimension, whose coordinate is the place on the
    axis; the `xlabel` says what it is, with its unit.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, figsize=(WIDTH, 1.6 + 2 * len(panels)), squeeze=False)
    for axis, (title, lines) in zip(axes[:, 0], panels.items(), strict=True):
        for k, (name, share) in enumerate(lines.items()):
            (dim,) = share.dims
            axis.plot(share[dim], share, **look(k), label=name)
        axis.set(title=title, ylabel="share diverged", ylim=(-0.03, 1.03))
    axes[-1, 0].set_xlabel(xlabel)
    legend_below(figure, 2)
    ends = "; ".join(f"{title}, {all_last(lines)}" for title, lines in panels.items())
    return described(figure, f"The share of networks that have diverged, over {xlabel}. It ends at: {ends}.")


def spread_against_error(groups: dict[str, xr.Dataset], greatest: xr.DataArray, floor: float) -> Figure:
    """The spread over masks against the error of the mean output, a marker for each point of each network.

    Each of the `groups` has `error` and `spread` of the same dimensions. The lines are the `greatest` spread behind a
    sigmoid, over its coordinate `error`, and the least of a linear head whose bias is half way between the two
    targets, the `floor`, unless it is 0.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.2))
    words = []
    for k, (name, moments) in enumerate(groups.items()):
        error, spread = (where_positive(moments[quantity]).values.ravel() for quantity in ("error", "spread"))
        axes.plot(error, spread, MARKERS[k % 4], color=f"C{k}", alpha=0.35, markersize=4, label=name)
        seen = (error > ERRORS[0]) & (error < ERRORS[1]) & (spread > SPREADS[0]) & (spread < SPREADS[1])
        ends = np.quantile(spread[seen], [0.05, 0.5, 0.95]) if seen.any() else np.full(3, np.nan)
        words.append(
            f"{name}: {seen.sum()} points are drawn and {(~seen).sum()} are beyond the axes or zero; the spread is "
            f"{rounded(ends[1])} in the middle, and nine in ten are between {rounded(ends[0])} and {rounded(ends[2])}"
        )
    axes.plot(greatest.error, greatest, color="C2", label=r"$s^2 = e\,(1 - e)$")
    if floor > 0:
        axes.axhline(floor, color="C3", linestyle="--", label="floor of a linear head")
        words.append(f"the floor is at {rounded(floor)}")
    axes.set(xscale="log", yscale="log", xlabel="error $e$ of the mean output", ylabel="spread $s$ over masks")
    axes.set(xlim=ERRORS, ylim=SPREADS)
    for handle in legend_below(figure, 2).legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return described(figure, f"Spread over masks against the error, both axes logarithmic. {'; '.join(words)}.")
