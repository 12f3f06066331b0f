"""Figures of the chapter on calibration: predicted intervals, their coverage and score over training."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from kbe.figures.style import STYLES


def intervals(truth: xr.Dataset, predicted: Mapping[str, xr.Dataset], reach: float) -> Figure:
    """True and predicted central intervals of one network at inputs in the order of their true mean.

    Parameters
    ----------
    truth : xarray.Dataset
        `mean`, `deviation` and `y` (point).
    predicted : dict of str to xarray.Dataset
        For each panel, `mu` and `sigma` (point).
    reach : float
        Half the width of the interval in units of the deviation.

    Returns
    -------
    Figure
        A panel for each prediction, one above the other.
    """
    order = np.argsort(truth["mean"].values)
    sorted_truth = truth.isel(point=order)
    places = np.arange(len(order))
    figure, axes = plt.subplots(
        len(predicted), sharex=True, sharey=True, squeeze=False, figsize=(5.4, 0.6 + 2.4 * len(predicted))
    )
    for axis, (title, group) in zip(axes[:, 0], predicted.items(), strict=True):
        one = group.isel(point=order)
        low, high = (sorted_truth["mean"] + side * reach * sorted_truth.deviation for side in (-1, 1))
        axis.fill_between(places, low, high, color="C0", alpha=0.25, linewidth=0, label="true interval")
        axis.plot(places, sorted_truth.y, ".", color="C5", markersize=3, label="new target")
        axis.errorbar(
            places, one.mu, reach * one.sigma, color="C1", fmt="none", linewidth=1, label="predicted interval"
        )
        axis.set(title=title, ylabel="$y$")
    axes[-1, 0].set_xlabel("held-out inputs, in the order of their true mean")
    axes[0, 0].set_ylim(-0.2, 1.2)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def over_training(curves: Mapping[str, xr.Dataset], level: float) -> Figure:
    """The coverage where targets were seen and where not, and the score short of the true one, over training.

    Parameters
    ----------
    curves : dict of str to xarray.Dataset
        For each loss, over `epoch`: `own` and `held_out`, coverages, and `score`, in nats relative to the truth.
    level : float
        The coverage that there should be.

    Returns
    -------
    Figure
        Three panels, one above the other.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(5.4, 7.6))
    labels = {
        "own": "coverage, own targets",
        "held_out": "coverage, held-out inputs",
        "score": "log score minus true, nats",
    }
    for k, (name, curve) in enumerate(curves.items()):
        for axis, variable in zip(axes, labels, strict=True):
            axis.plot(curve.epoch, curve[variable], color=f"C{k % 6}", linestyle=STYLES[k % 6], label=name)
    for axis, label in zip(axes, labels.values(), strict=True):
        axis.set(xscale="log", ylabel=label)
    for axis in axes[:2]:
        axis.axhline(level, color=plt.rcParams["text.color"], linewidth=0.8)
        axis.set_ylim(0.45, 1.02)
    axes[2].set(xlabel="epochs", ylim=(-2.5, 0.1))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def against_error(curves: Mapping[str, xr.Dataset], level: float, truth: float) -> Figure:
    """The coverage on held-out inputs against how closely the network follows its own targets.

    Parameters
    ----------
    curves : dict of str to xarray.Dataset
        For each loss, over `epoch`: `held_out`, and `squared_error`, V on the own targets.
    level : float
        The coverage that there should be.
    truth : float
        The variance of the targets about their true mean.

    Returns
    -------
    Figure
        One line for each loss; training goes to the right.
    """
    figure, axes = plt.subplots(figsize=(5.4, 4.0))
    for k, (name, curve) in enumerate(curves.items()):
        axes.plot(curve.squared_error, curve.held_out, color=f"C{k % 6}", linestyle=STYLES[k % 6], label=name)
    axes.axhline(level, color=plt.rcParams["text.color"], linewidth=0.8)
    axes.axvline(truth, color=plt.rcParams["text.color"], linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="squared error $V$ on the own targets", ylabel="coverage, held-out inputs")
    axes.invert_xaxis()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6, 8)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
