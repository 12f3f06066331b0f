"""Figures of the variance dynamics with a constant kernel (equations 21 to 24)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure


def conserved(flows: Sequence[xr.Dataset]) -> Figure:
    """The bracket that falls at a rate of its own, and the loss, along the flow.

    Parameters
    ----------
    flows : sequence of xarray.Dataset
        `bound`, the time left by the bracket, and `loss`, each (time), with `collapse_time`.

    Returns
    -------
    Figure
        Two panels over time: the time left, a dot where sigma reaches 0; and the loss.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.4, 3.0), sharex=True)
    for flow in flows:
        (line,) = left.plot(flow.time, flow.bound, linewidth=1.0)
        left.plot(flow.time[-1:], flow.bound[-1:], "o", markersize=4, color=line.get_color())
        right.plot(flow.time, flow.loss, linewidth=1.0, color=line.get_color())
    left.set(xlabel="time", title="time left at most", ylim=(0, None))
    right.set(xlabel="time", title="loss (nats)")
    return figure


def closeness(errors: xr.Dataset) -> Figure:
    """How far the local rates are from the exact ones, over the course of the flow.

    Parameters
    ----------
    errors : xarray.Dataset
        `mean` and `deviation` (member, share): relative errors over the share of the time to collapse.

    Returns
    -------
    Figure
        Medians over members with the middle 80 %, and the level at which nothing is left.
    """
    figure, axes = plt.subplots()
    for colour, (name, label) in enumerate([("mean", "Eq. (22) for (21)"), ("deviation", "Eq. (24) for (23)")]):
        low, middle, high = errors[name].quantile([0.1, 0.5, 0.9], "member").values
        axes.fill_between(errors.share, low, high, color=f"C{colour}", alpha=0.25, linewidth=0)
        axes.plot(errors.share, middle, "o-" if colour == 0 else "s--", color=f"C{colour}", markersize=4, label=label)
    axes.axhline(1, linestyle=":", color=plt.rcParams["axes.edgecolor"], linewidth=1.0)
    axes.set(xlabel="share of the time to collapse", ylabel="relative error of the rates", yscale="log")
    axes.legend(loc="lower right")
    return figure
