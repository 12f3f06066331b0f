"""Figures of the chapter on the Bayesian approach: floors of sigma, what becomes of networks, held-out scores."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import where_positive
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import described, first, last, rounded

OUTCOMES = {
    "trained": ("stable and trained", "C0", ""),
    "untrained": ("stable, not trained", "C3", "//"),
    "diverged": ("diverged", "C1", "xx"),
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
    ends = [
        f"{name}, V {first(where_positive(group.squared_error))} and {last(where_positive(group.squared_error))}, "
        f"V* {first(where_positive(group.predicted))} and {last(where_positive(group.predicted))}"
        + (f" above the thin line at {rounded(group.floor)}" if float(group.floor) > 0 else "")
        for name, group in groups.items()
    ]
    return described(
        figure,
        f"Medians of V, above, and V*, below, over the epochs on logarithmic axes, at the beginning and at the end of "
        f"each curve: {'; '.join(ends)}.",
    )


def what_becomes(shares: dict[str, dict[str, float]]) -> Figure:
    """The `shares` of networks `trained` and stable, `untrained` but stable, and `diverged`, a bar for each approach.

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
    legend_below(figure, 2)
    ends = [f"{name} {rounded(one['trained'])} and {rounded(one['diverged'])}" for name, one in shares.items()]
    return described(
        figure,
        f"A bar for each approach. The share of networks that are stable and trained, and of those that have diverged: "
        f"{'; '.join(ends)}.",
    )


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
    courses = [f"{name}, {_best(score)} at best and {last(score)} at its end" for name, score in groups.items()]
    return described(
        figure,
        f"The log score over the epochs, in nats a point, as long as it is finite: {'; '.join(courses)}. A thin line "
        f"marks the truth, {rounded(truth, '.3g')}.",
    )


def _best(score: xr.DataArray) -> str:
    """The greatest score that is finite, with its epoch."""
    finite = score[np.isfinite(score.values)]
    if not finite.size:
        return "no number"
    best = finite[int(np.argmax(finite.values))]
    return f"{rounded(best)} (epoch {int(best.epoch)})"
