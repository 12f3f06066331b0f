"""Figures of the chapter on one point: trajectories on the gradient field, and falls of sigma (Fig. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from kbe.figures.variance_dynamics import LINES, _arrows, _lines


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
