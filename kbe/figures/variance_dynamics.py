"""Figures of the chapter on the variance dynamics: flows, the instability, and its fore-runners (Fig. 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

LINES = ("C1", "C3", "C0", "C4")
ARROWS = LinearSegmentedColormap.from_list("arrows", plt.get_cmap("viridis")(np.linspace(0.33, 0.85, 32)))


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


def toward_onset(lagged: xr.Dataset, *, mark: Mapping[str, float] | None = None) -> Figure:
    """Quantities over the epochs before each member's onset: median and the middle 80 % of members.

    Parameters
    ----------
    lagged : xarray.Dataset
        Variables (member, lag); the attribute `long_name` of each labels its axis.
    mark : mapping of str to float
        A level to mark, by the variable's name.

    Returns
    -------
    Figure
        One panel a variable, side by side.
    """
    figure, row = plt.subplots(1, len(lagged.data_vars), figsize=(5.4, 3.0), squeeze=False)
    for axes, (name, values) in zip(row[0], lagged.data_vars.items(), strict=True):
        low, middle, high = values.quantile([0.1, 0.5, 0.9], "member").values
        axes.fill_between(values.lag, low, high, alpha=0.25, linewidth=0)
        axes.plot(values.lag, middle, marker="o", markersize=3.5)
        if mark and name in mark:
            axes.axhline(mark[str(name)], color="C1", linestyle="--")
        axes.set(xlabel="epochs before the onset", title=values.attrs["long_name"], yscale="log")
        axes.invert_xaxis()
    return figure


def groups(run: xr.Dataset, convergent: np.ndarray, jumping: np.ndarray, pairs: str) -> Figure:
    r"""Convergent and unstable points of one network, and all of them, over epochs, as Fig. 7.

    Parameters
    ----------
    run : xarray.Dataset
        One member: `mu` and `sigma` (epoch, point), `onset` ().
    convergent, jumping : array of bool, shape (points,)
        The points of panel (a) and of panel (b).
    pairs : str
        What stands in the box of panel (a).

    Returns
    -------
    Figure
        Four panels; the onset is dashed.
    """
    figure, grid = plt.subplots(2, 2, figsize=(5.4, 5.2), sharex=True, sharey=True)
    everything = np.ones_like(convergent)
    shown = [("(a) convergent", run.sigma, convergent), ("(b) first to jump", run.sigma, jumping)]
    shown += [("(c) all", run.sigma, everything), ("(d) all", run.mu, everything)]
    for axes, (title, values, points) in zip(grid.flat, shown, strict=True):
        axes.plot(run.epoch, values.transpose("epoch", "point").values[:, points], linewidth=1.0)
        if np.isfinite(run.onset):
            axes.axvline(
                float(run.onset), linestyle="--", linewidth=0.8, alpha=0.6, color=plt.rcParams["axes.edgecolor"]
            )
        label = r"$\mu$" if values.name == "mu" else r"$\sigma$"
        axes.set(title=title, ylabel=label, ylim=(-0.04, 1.04), xlim=(0, float(run.epoch[-1])))
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    if pairs:
        _box(grid[0, 0], pairs)
    return figure


def _arrows(axes: Axes, field: xr.Dataset, colours: Normalize) -> Quiver:
    return axes.quiver(
        field.error,
        field.deviation,
        field.to_error,
        field.to_deviation,
        field.steepness,
        norm=colours,
        cmap=ARROWS,
        angles="xy",
        pivot="mid",
        scale=1.15 * len(field.error),
        width=0.007,
        alpha=0.85,
    )


def _lines(axes: Axes, path: xr.Dataset, few: int, jumps: bool) -> None:
    shown = path if jumps else path.where(path.stable)
    curves = shown[["error", "sigma"]].transpose("epoch", "member", "point").stack(curve=["member", "point"])
    apart = curves.sizes["curve"] <= few
    outline = [patheffects.withStroke(linewidth=3.4, foreground=plt.rcParams["axes.facecolor"])]
    for number, (error, sigma) in enumerate(zip(curves.error.values.T, curves.sigma.values.T, strict=True)):
        if apart:
            axes.plot(error, sigma, color=LINES[number % len(LINES)], path_effects=outline)
            axes.plot(error[:1], sigma[:1], "o", color=LINES[number % len(LINES)], markersize=5)
        else:
            colour = f"C{number % 6}" if jumps else "C1"
            axes.plot(error, sigma, color=colour, linewidth=0.6, alpha=min(0.7, max(0.1, 60 / curves.sizes["curve"])))


def _box(axes: Axes, text: str) -> None:
    frame = {"facecolor": plt.rcParams["axes.facecolor"], "edgecolor": plt.rcParams["axes.edgecolor"], "alpha": 0.85}
    axes.text(
        0.97,
        0.95,
        text,
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=7.5,
        family="monospace",
        bbox={**frame, "boxstyle": "round", "linewidth": 0.6},
    )
