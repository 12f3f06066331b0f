"""Figures of the chapter on the Bayesian approach: floors of sigma, what becomes of networks, held-out scores."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import where_positive
from kbe.figures.style import WIDTH, legend_below, look

OUTCOMES = {
    "cured": ("kept, has learned", "C0", ""),
    "kept": ("kept, has not", "C3", "//"),
    "lost": ("lost", "C1", "xx"),
}


def deviations_to_floor(groups: dict[str, xr.Dataset]) -> Figure:
    """Two variances over the epochs, the predicted one with the value that a prior lets it end at.

    Each of the `groups` has `squared_error`, above, and `predicted`, below (epoch), medians over members, and its
    `floor`, a number, for a thin line unless it is 0.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 5.2))
    for k, (name, group) in enumerate(groups.items()):
        for axis, variable in zip(axes, ("squared_error", "predicted"), strict=True):
            axis.plot(group.epoch, where_positive(group[variable]), **look(k), label=name)
        if float(group.floor) > 0:
            axes[1].axhline(float(group.floor), color=f"C{k}", linewidth=0.8)
    axes[0].set(ylabel="$V$", yscale="log", ylim=(1e-4, 1))
    axes[1].set(ylabel="$V^*$", yscale="log", ylim=(1e-2, 1), xlabel="epochs")
    legend_below(figure, 2)
    return figure


def what_becomes(shares: dict[str, dict[str, float]]) -> Figure:
    """The `shares` of networks that are `cured`, `kept` without having learned, and `lost`, a bar for each approach.

    The three sum to one; the first approach stands on top.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.3 * len(shares)))
    start, paper = np.zeros(len(shares)), plt.rcParams["axes.facecolor"]
    for outcome, (name, colour, hatch) in OUTCOMES.items():
        width = np.array([share[outcome] for share in shares.values()])
        axes.barh(list(shares), width, left=start, height=0.7, color=colour, hatch=hatch, edgecolor=paper, label=name)
        start += width
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of networks")
    legend_below(figure, 3)
    return figure


def scores_over_epochs(groups: dict[str, xr.DataArray], truth: float) -> Figure:
    """The log score on held-out inputs over the epochs.

    Each of the `groups` is a score (epoch), the median over members, minus infinity not drawn; a thin line stands
    at the score of the distribution that the data come from, the `truth`.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    for k, (name, score) in enumerate(groups.items()):
        axes.plot(score.epoch, score.where(np.isfinite(score)), **look(k), label=name)
    axes.axhline(truth, color=plt.rcParams["text.color"], linewidth=0.8)
    axes.annotate(
        "truth", (0.02, truth), xycoords=("axes fraction", "data"), xytext=(0, -12), textcoords="offset points"
    )
    axes.set(xlabel="epochs", ylabel="log score, nats a point", ylim=(-2, truth + 0.25))
    legend_below(figure, 2)
    return figure
