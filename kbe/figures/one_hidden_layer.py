"""Figures on networks with one hidden layer: the size of the response, its factors, and the methods' factors."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from kbe.figures.style import STYLES

FACTORS = {
    "size": "size",
    "head": "head $P$",
    "features": "features $F$",
    "readout": "read-out $A$",
    "slope": "slopes $S$",
}


def response_sizes(panels: dict[str, xr.Dataset], steep: float | None = None) -> Figure:
    """The size of the response over training for several activations, a panel for each head.

    Parameters
    ----------
    panels : dict of str to xarray.Dataset
        For each panel's title the curves (epoch), one variable an activation; epoch 0 is not drawn.
    steep : float or None
        The exponent of a straight guide line in the first panel, through the end of its last curve.

    Returns
    -------
    Figure
        One panel above the other, both axes logarithmic.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, squeeze=False, figsize=(5.4, 2.6 * len(panels) + 0.9))
    for axis, (title, curves) in zip(axes[:, 0], panels.items(), strict=True):
        drawn = curves.sel(epoch=slice(1, None))
        for k, (name, curve) in enumerate(drawn.items()):
            axis.plot(drawn.epoch, on_logarithms(curve), linestyle=STYLES[k % 6], color=f"C{k % 6}", label=str(name))
        axis.set(xscale="log", yscale="log", ylabel=r"response $\langle\Theta(x,x)\rangle$", title=title)
        if not on_logarithms(drawn.to_array()).notnull().any():  # a logarithmic axis cannot find its range without data
            axis.set_ylim(1, 10)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_locator(NullLocator())
    if steep is not None:
        _guide(axes[0, 0], next(iter(panels.values())), steep)
    axes[-1, 0].set_xlabel("training epochs")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def factors_in_training(panels: dict[str, xr.Dataset]) -> Figure:
    """The factors of the response over training, each relative to its start.

    Parameters
    ----------
    panels : dict of str to xarray.Dataset
        For each panel's title: `size`, `head`, `features`, `readout`, `slope` and the name of the `stage` (epoch).

    Returns
    -------
    Figure
        One panel above the other, with the stages marked.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, squeeze=False, figsize=(5.4, 2.8 * len(panels) + 0.9))
    for axis, (title, factors) in zip(axes[:, 0], panels.items(), strict=True):
        drawn = factors.sel(epoch=slice(1, None))
        for k, (name, label) in enumerate(FACTORS.items()):
            relative = on_logarithms(drawn[name] / factors[name].values[0])
            axis.plot(drawn.epoch, relative, linestyle=STYLES[k], color=f"C{k}", label=label)
        axis.set(xscale="log", yscale="log", ylabel="factor, start = 1", title=title)
        axis.margins(y=0.15)
        _mark_stages(axis, drawn)
    axes[-1, 0].set_xlabel("training epochs")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def method_factors(factors: xr.Dataset, expected: dict[str, float]) -> Figure:
    """The methods' factors over training, and how well one number describes each method.

    Parameters
    ----------
    factors : xarray.Dataset
        `factor` and `cosine` (way, epoch), drawn over the epoch's number from 1; a negative factor leaves a gap.
    expected : dict of str to float
        Levels to mark, by their labels.

    Returns
    -------
    Figure
        The factors above, the cosines below.
    """
    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(5.4, 5.6), height_ratios=(5, 2))
    for k, method in enumerate(factors.way.values):
        style = {"linestyle": STYLES[k % 6], "color": f"C{k % 6}", "label": str(method)}
        for axis, name in ((top, "factor"), (bottom, "cosine")):
            values = factors[name].sel(way=method)
            axis.plot(factors.epoch + 1, on_logarithms(values) if name == "factor" else values, **style)
    for label, level in expected.items():
        top.axhline(level, color=plt.rcParams["text.color"], linewidth=0.6)
        top.annotate(label, (1.01, level), xycoords=("axes fraction", "data"), va="center", fontsize=9,
                     color=plt.rcParams["text.color"])  # fmt: skip
    top.set(xscale="log", yscale="log", ylabel="factor $G$ of an epoch")
    lowest = np.nanmin([0.0, *factors.cosine.values.ravel()])
    bottom.set(xlabel="training epoch", ylabel="cosine", ylim=(lowest - 0.05, 1.05))
    figure.legend(*top.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def on_logarithms(values: xr.DataArray) -> xr.DataArray:
    """Values that a logarithmic axis can hold; what is not positive, or beyond all measure, leaves a gap.

    Parameters
    ----------
    values : xarray.DataArray
        What is to be drawn.

    Returns
    -------
    xarray.DataArray
        The same with NaN in the gaps.
    """
    return values.where((values > 1e-100) & (values < 1e100))


def _guide(axis: Axes, curves: xr.Dataset, steep: float) -> None:
    end = curves.isel(epoch=-1)
    epochs = np.array([float(end.epoch) / 10, float(end.epoch)])
    level = min([float(value) for value in on_logarithms(end.to_array()) if value > 0], default=np.nan) / 2
    if not np.isfinite(level):
        return
    axis.plot(epochs, level * (epochs / epochs[-1]) ** -steep, color=plt.rcParams["text.color"], linewidth=0.8)
    axis.annotate(f"slope $-{steep:g}$", (epochs[0], level * 10**steep), ha="right", va="top", fontsize=9,
                  color=plt.rcParams["text.color"])  # fmt: skip


def _mark_stages(axis: Axes, drawn: xr.Dataset) -> None:
    for name in dict.fromkeys(drawn.stage.values):
        inside = drawn.epoch.values[drawn.stage.values == name]
        axis.axvline(inside[0], color=plt.rcParams["text.color"], linewidth=0.6, linestyle=(0, (1, 2)))
        axis.annotate(str(name), (inside[0], 0.99), xycoords=("data", "axes fraction"), va="top", fontsize=9,
                      xytext=(3, 0), textcoords="offset points", color=plt.rcParams["text.color"])  # fmt: skip
    axis.xaxis.set_minor_locator(NullLocator())
