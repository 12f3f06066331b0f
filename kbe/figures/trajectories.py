"""Figures of trajectories and of their instability (Fig. 1, 6 and 7 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

LINES = ("C1", "C3", "C0", "C4")
ARROWS = LinearSegmentedColormap.from_list("arrows", plt.get_cmap("viridis")(np.linspace(0.33, 0.85, 32)))


def on_gradient_field(
    panels: Mapping[str, xr.Dataset],
    fields: xr.Dataset | Sequence[xr.Dataset],
    *,
    few: int = 4,
    jumps: Sequence[str] = (),
) -> Figure:
    """Trajectories on the gradient field, its steepness in colour on a log scale, as Fig. 1 and 6.

    Parameters
    ----------
    panels : mapping of str to xarray.Dataset
        A title and the trajectories of a panel each, as `trajectories.paths` returns: `error` and
        `sigma` (member, epoch, point), with `stable` (member, epoch).
    fields : xarray.Dataset, or one a panel
        As `trajectories.gradient_field` returns.
    few : int
        Up to so many trajectories are drawn apart, each with its own colour; more as one cloud of thin lines.
    jumps : sequence of str
        Titles of the panels that show also what comes after the onset.

    Returns
    -------
    Figure
        One panel each, side by side.
    """
    each = [fields] * len(panels) if isinstance(fields, xr.Dataset) else list(fields)
    figure, row = plt.subplots(1, len(panels), figsize=(5.4, 3.6), sharex=True, sharey=True, squeeze=False)
    steepest = max(float(field.steepness.max()) for field in each)
    colours = LogNorm(max(min(float(field.steepness.min()) for field in each), steepest / 1e4), steepest)
    for axes, (title, path), field in zip(row[0], panels.items(), each, strict=True):
        arrows = _arrows(axes, field, colours)
        _lines(axes, path, few, title in jumps)
        axes.set(title=title, xlabel=r"$|y - \mu|$", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    row[0, 0].set_ylabel(r"$\sigma$")
    figure.colorbar(arrows, ax=list(row[0]), location="bottom", aspect=40, label="steepness of the loss (per unit)")
    return figure


def falls(curves: Mapping[str, xr.DataArray], *, lowest: float = 1e-8) -> Figure:
    r"""The fall of the standard deviation of one point, measured and by models.

    Parameters
    ----------
    curves : mapping of str to xarray.DataArray
        Sigma of the same members, dims (member, epoch), by the name of what gave it; 0 goes below the axis.
    lowest : float
        The lower end of the axis.

    Returns
    -------
    Figure
        One thin line a member, one colour and style a name.
    """
    figure, axes = plt.subplots()
    for (name, sigma), colour, style in zip(curves.items(), LINES, ("-", "--", ":", "-."), strict=False):
        drawn = np.maximum(sigma.transpose("epoch", "member").values, lowest / 1e3)
        lines = axes.plot(np.arange(len(drawn)), drawn, style, color=colour, linewidth=1.2, alpha=0.8)
        lines[0].set_label(name)
    axes.set(xlabel="epoch", ylabel=r"$\sigma$", yscale="log", ylim=(lowest, 2))
    figure.legend(loc="outside lower center", ncols=1)
    return figure


def instability_over_epochs(curves: Mapping[str, xr.DataArray], *, dashed: Sequence[str] = ()) -> Figure:
    """The share of networks that have turned unstable, over epochs.

    Parameters
    ----------
    curves : mapping of str to xarray.DataArray
        A share, dims (epoch), by its name.
    dashed : sequence of str
        Names of curves to dash; each takes the colour of the one before it.

    Returns
    -------
    Figure
        One line each.
    """
    figure, axes = plt.subplots()
    colour = -1
    for name, share in curves.items():
        colour += name not in dashed
        axes.step(
            share.epoch, share, "--" if name in dashed else "-", where="post", color=f"C{max(colour, 0)}", label=name
        )
    axes.set(xlabel="epoch", ylabel="share unstable", xscale="log", ylim=(-0.03, 1.03))
    figure.legend(loc="outside lower center", ncols=2)
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
