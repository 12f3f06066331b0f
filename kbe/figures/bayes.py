"""Figures of the chapter on the Bayesian approach: floors of sigma, what becomes of networks, held-out scores."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import STYLES

OUTCOMES = {"cured": ("C0", ""), "kept": ("C3", "//"), "lost": ("C1", "xx")}

NAMES = {"cured": "kept, has learned", "kept": "kept, has not", "lost": "lost"}


def deviations_to_floor(groups: dict[str, xr.Dataset]) -> Figure:
    """Two variances over the epochs, the predicted one with the value that a prior lets it end at.

    Parameters
    ----------
    groups : dict of str to xarray.Dataset
        For each, `squared_error` and `predicted` (epoch), medians over members, and `floor`, a number.

    Returns
    -------
    Figure
        The mean squared error above, the predicted variance with its floor as a thin line below.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 5.2))
    for k, (name, group) in enumerate(groups.items()):
        style = {"color": f"C{k}", "linestyle": STYLES[k % 4], "label": name}
        for axis, variable in zip(axes, ("squared_error", "predicted"), strict=True):
            values = group[variable].where(group[variable] > 0)
            axis.plot(group.epoch, values, **style)
        if float(group.floor) > 0:
            axes[1].axhline(float(group.floor), color=f"C{k}", linewidth=0.8)
    axes[0].set(ylabel="$V$", yscale="log", ylim=(1e-4, 1))
    axes[1].set(ylabel="$V^*$", yscale="log", ylim=(1e-2, 1), xlabel="epochs")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def what_becomes(shares: dict[str, dict[str, float]]) -> Figure:
    """The shares of networks that are cured, kept without having learned, and lost, a bar for each approach.

    Parameters
    ----------
    shares : dict of str to dict of str to float
        For each approach `cured`, `kept` and `lost`, which sum to one.

    Returns
    -------
    Figure
        Horizontal bars, the first approach on top.
    """
    figure, axes = plt.subplots(figsize=(5.4, 1.3 + 0.3 * len(shares)))
    start = np.zeros(len(shares))
    for name, (colour, hatch) in OUTCOMES.items():
        width = np.array([share[name] for share in shares.values()])
        face = plt.rcParams["axes.facecolor"]
        axes.barh(
            list(shares), width, left=start, height=0.7, color=colour, hatch=hatch, edgecolor=face, label=NAMES[name]
        )
        start += width
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of networks")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def scores_over_epochs(groups: dict[str, xr.DataArray], truth: float) -> Figure:
    """The log score on held-out inputs over the epochs.

    Parameters
    ----------
    groups : dict of str to xarray.DataArray
        For each, the score (epoch), the median over members; minus infinity is not drawn.
    truth : float
        The score of the distribution that the data come from.

    Returns
    -------
    Figure
        A line for each, and the truth as a thin one.
    """
    figure, axes = plt.subplots(figsize=(5.4, 3.9))
    for k, (name, score) in enumerate(groups.items()):
        drawn = score.where(np.isfinite(score))
        axes.plot(score.epoch, drawn, color=f"C{k}", linestyle=STYLES[k % 4], label=name)
    axes.axhline(truth, color=plt.rcParams["text.color"], linewidth=0.8)
    axes.annotate(
        "truth", (0.02, truth), xycoords=("axes fraction", "data"), xytext=(0, -12), textcoords="offset points"
    )
    axes.set(xlabel="epochs", ylabel="log score, nats a point", ylim=(-2, truth + 0.25))
    figure.legend(loc="outside lower center", ncols=2)
    return figure
