"""Figures of the chapter on drop-out: the shares of lost members, and the spread over masks within its bounds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import STYLES

MARKERS = "o^sD"


def shares_lost(panels: dict[str, dict[str, xr.DataArray]], xlabel: str = "epochs") -> Figure:
    """The share of lost members in time, one panel above the other.

    Parameters
    ----------
    panels : dict of str to dict of str to xarray.DataArray
        For each panel its title, and for each line its name and the share along its only dimension, whose
        coordinate is the place on the axis.
    xlabel : str
        What that coordinate is, with its unit.

    Returns
    -------
    Figure
        The panels, with one legend.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, figsize=(5.4, 1.6 + 2 * len(panels)), squeeze=False)
    for axis, (title, lines) in zip(axes[:, 0], panels.items(), strict=True):
        for k, (name, share) in enumerate(lines.items()):
            (dim,) = share.dims
            axis.plot(share[dim], share, linestyle=STYLES[k % 6], color=f"C{k % 6}", label=name)
        axis.set(title=title, ylabel="share lost", ylim=(-0.03, 1.03))
    axes[-1, 0].set_xlabel(xlabel)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def spread_against_error(groups: dict[str, xr.Dataset], greatest: xr.DataArray, floor: float) -> Figure:
    """The spread over masks against the error of the mean output, a marker for each point of each network.

    Parameters
    ----------
    groups : dict of str to xarray.Dataset
        For each, `error` and `spread` of the same dimensions.
    greatest : xarray.DataArray
        The greatest spread behind a sigmoid (error), its coordinate the error of the mean output.
    floor : float
        The least spread of a linear head whose bias is half way between the two targets.

    Returns
    -------
    Figure
        Logarithmic axes, with the greatest spread and the floor as lines.
    """
    figure, axes = plt.subplots(figsize=(5.4, 4.2))
    for k, (name, moments) in enumerate(groups.items()):
        error, spread = moments.error.values.ravel(), moments.spread.values.ravel()
        drawn = np.where(error > 0, error, np.nan), np.where(spread > 0, spread, np.nan)
        axes.plot(*drawn, MARKERS[k % 4], color=f"C{k}", alpha=0.35, markersize=4, label=name)
    axes.plot(greatest.error, greatest, color="C2", label=r"$s^2 = e\,(1 - e)$")
    if floor > 0:
        axes.axhline(floor, color="C3", linestyle="--", label="floor of a linear head")
    axes.set(xscale="log", yscale="log", xlabel="error $e$ of the mean output", ylabel="spread $s$ over masks")
    axes.set(xlim=(1e-5, 1.5), ylim=(1e-4, 1))
    legend = figure.legend(loc="outside lower center", ncols=2)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return figure
