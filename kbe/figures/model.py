"""Figures of the chapter on the model."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kbe.figures.style import STYLES

MARKERS = "os^Dv"


def bit_encoding(inputs: np.ndarray, targets: np.ndarray) -> Figure:
    """A data set as a picture: one row a pair, its bits and, apart from them, its target.

    Parameters
    ----------
    inputs : array, shape (points, bits)
        Zeros and ones.
    targets : array, shape (points,)
        Zeros and ones.

    Returns
    -------
    Figure
        Filled squares for ones.
    """
    points, bits = np.shape(inputs)
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(4.2, 4.2), width_ratios=(bits, 1.6))
    for axis, values in zip(axes, (np.asarray(inputs), np.asarray(targets)[:, None]), strict=True):
        rows, columns = np.nonzero(values)
        axis.scatter(columns + 1, rows + 1, marker="s", color="C0", s=min(60, 1400 / points))
        rows, columns = np.nonzero(values == 0)
        axis.scatter(columns + 1, rows + 1, marker="s", color="C5", s=min(6, 140 / points))
        axis.set_xlim(0.4, values.shape[1] + 0.6)
    axes[0].set(xlabel=r"bit of $\mathbf{x}_i$", ylabel="pair $i$", xticks=range(1, bits + 1), ylim=(points + 0.7, 0.3))
    axes[0].yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].set(xlabel="$y_i$", xticks=[])
    return figure


def starts(points: Mapping[str, np.ndarray]) -> Figure:
    """Where networks stand before training, for several activations of their heads.

    Parameters
    ----------
    points : mapping of str to array, shape (members, 2)
        By activation, the mean and the standard deviation of each member.

    Returns
    -------
    Figure
        One point a member, and the centre.
    """
    figure, axes = plt.subplots(figsize=(5.4, 4.6))
    for k, (name, values) in enumerate(points.items()):
        axes.scatter(values[:, 0], values[:, 1], s=14, marker=MARKERS[k % 5], color=f"C{k}", alpha=0.8, label=name)
    axes.plot([0.5], [0.5], "+", color="C5", markersize=16, markeredgewidth=2.5, label="(0.5, 0.5)")
    axes.axhline(0, color="C5", linewidth=0.8)
    axes.set(xlabel=r"$\mu$", ylabel=r"$\sigma$")
    axes.legend(loc="upper left")
    return figure


def prediction(mean: xr.DataArray, predicted: xr.DataArray, leading: float) -> Figure:
    """One average network in training, and what the response kernel of its start predicts.

    Parameters
    ----------
    mean, predicted : xarray.DataArray
        mu (epoch, point) of the network and of the prediction.
    leading : float
        The epoch by which the kernel's first mode has decayed by a factor e.

    Returns
    -------
    Figure
        One line a point, over epochs.
    """
    figure, axes = plt.subplots(2, sharex=True, sharey=True, figsize=(5.4, 5.2))
    names = ("the network", "its first kernel, kept constant")
    for axis, values, title in zip(axes, (mean, predicted), names, strict=True):
        drawn = values.sel(epoch=slice(1, None)).transpose("epoch", "point")
        axis.plot(drawn["epoch"], drawn, color="C0", alpha=0.7, linewidth=1)
        axis.axvline(leading, color="C1", linestyle="--")
        axis.set(title=title, ylabel=r"mean $\mu_i$")
    axes[1].set(xscale="log", xlabel="epoch")
    return figure


def prediction_errors(errors: Mapping[int, xr.DataArray], leading: Mapping[int, float], criterion: float) -> Figure:
    """How far the constant kernel's prediction is off, through training, for several widths.

    Parameters
    ----------
    errors : mapping of int to xarray.DataArray
        By channels, quantiles of the relative error (quantile, epoch), three of them.
    leading : mapping of int to float
        By channels, the epoch by which the first mode has decayed by a factor e.
    criterion : float
        The error that still counts as a prediction.

    Returns
    -------
    Figure
        A line with quartiles for each width, and a marker at its leading epoch.
    """
    figure, axes = plt.subplots(figsize=(5.4, 3.8))
    for k, (channels, error) in enumerate(errors.items()):
        low, middle, high = error.sel(epoch=slice(1, None)).transpose("quantile", "epoch").values
        epochs = error.sel(epoch=slice(1, None))["epoch"]
        axes.fill_between(epochs, low, high, color=f"C{k % 6}", alpha=0.25, linewidth=0)
        axes.plot(epochs, middle, STYLES[k % 4], color=f"C{k % 6}", label=f"{channels} channels")
        at = np.interp(np.log(leading[channels]), np.log(epochs), middle)
        axes.plot(leading[channels], at, MARKERS[k % 5], color=f"C{k % 6}", markersize=9)
    axes.axhline(criterion, color="C5", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="relative error of the prediction")
    axes.legend(loc="upper left", title="large marker: first mode learnt")
    return figure
