"""Figures of the chapter on the local variance: the parts of a residual, and how good it is as an estimate."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import described, rounded

LOWEST = 0.003  # the least deviation on the axis of estimates


def residual_parts(panels: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]], labels: list[str]) -> Figure:
    """The mean squared residual and its parts over time, in theory and in networks, one panel below the other.

    Each of the `panels` is an array of times or epochs, greater than 0, and lines over them by name, in units of
    the mean variance: at the level 1 an estimate has no bias. The `labels` say what runs across in each panel.
    """
    figure, axes = plt.subplots(len(panels), figsize=(WIDTH, 2.7 * len(panels) + 0.6), squeeze=False)
    for axis, (title, (times, lines)), label in zip(axes[:, 0], panels.items(), labels, strict=True):
        axis.axhline(1, color=plt.rcParams["text.color"], linewidth=0.8, alpha=0.6)
        for k, (name, values) in enumerate(lines.items()):
            axis.plot(times, values, **look(k), label=name)
        axis.set(xscale="log", xlabel=label, ylabel="over the mean variance", ylim=(-0.1, 3), title=title)
        axis.set_xlim(times[0] / 1.1, times[-1] * 1.1)
    legend_below(figure, 3)
    courses = (
        f"{title}: "
        + ", ".join(f"{name} from {rounded(values[0])} to {rounded(values[-1])}" for name, values in lines.items())
        for title, (_, lines) in panels.items()
    )
    return described(figure, f"From the first time to the last, in units of the mean variance. {'; '.join(courses)}.")


def rank_over_epochs(panels: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]], ceiling: dict[str, float]) -> Figure:
    """How well estimates order the points by their variance, over the epoch t at which they are taken.

    Each of the `panels`, one below the other, is an array of epochs, greater than 0, and the rank correlation over
    them by the name of the estimate; its `ceiling` is the rank correlation of the squared noise itself. The first half
    of the lines is broad and pale, so that those of the second half show where they coincide.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, figsize=(WIDTH, 2.7 * len(panels) + 0.8), squeeze=False)
    for axis, (title, (epochs, lines)) in zip(axes[:, 0], panels.items(), strict=True):
        axis.axhline(ceiling[title], color=plt.rcParams["text.color"], linewidth=0.8, alpha=0.6)
        for k, (name, values) in enumerate(lines.items()):
            broad = {"linewidth": 5, "alpha": 0.35, "linestyle": "-"} if k < len(lines) // 2 else {}
            axis.plot(epochs, values, **look(k) | broad, label=name)
        axis.set(xscale="log", ylabel="rank correlation", ylim=(-0.2, 1), title=title)
    axes[-1, 0].set_xlabel("epoch $t$ at which the estimate is taken")
    legend_below(figure, 2)
    courses = (
        f"{title}, the squared noise has {rounded(ceiling[title])}, and the highest of each estimate is "
        + ", ".join(
            f"{rounded(values[best])} at epoch {rounded(epochs[best], '.0f')} ({name})"
            for name, values in lines.items()
            for best in [int(np.argmax(np.nan_to_num(values, nan=-np.inf)))]
        )
        for title, (epochs, lines) in panels.items()
    )
    return described(figure, f"Rank correlations over the epoch: {'; '.join(courses)}.")


def against_truth(truth: np.ndarray, estimates: dict[str, np.ndarray]) -> Figure:
    """Estimates of the deviation against the true one, point by point; on the line an estimate is exact.

    The `estimates`, each with a panel by its title, and the `truth` are standard deviations (point). Estimates below
    the axis are triangles at its lower border.
    """
    figure, axes = plt.subplots(1, len(estimates), sharex=True, sharey=True, figsize=(WIDTH, 3.1), squeeze=False)
    ends = np.array([truth.min(), truth.max()])
    below = {title: values < LOWEST for title, values in estimates.items()}
    for k, (axis, (title, values)) in enumerate(zip(axes[0], estimates.items(), strict=True)):
        small = below[title]
        axis.plot(
            truth, np.where(small, np.nan, values), ".", markersize=2.5, alpha=0.5, color=f"C{k}", rasterized=True
        )
        if small.any():  # an empty line that may leave its axes has no place in the layout
            axis.plot(truth[small], np.full(small.sum(), LOWEST), "v", markersize=4, color=f"C{k}", clip_on=False)
        axis.plot(ends, ends, color=plt.rcParams["text.color"], linewidth=1)
        axis.set(xscale="log", yscale="log", xlabel=r"true $\sigma$", title=title)
        axis.set_xticks([0.05, 0.1, 0.2], ["0.05", "0.1", "0.2"])
        axis.minorticks_off()
    axes[0, 0].set(ylabel=r"estimated $\sigma$", ylim=(LOWEST, 0.7))
    axes[0, 0].set_yticks([0.01, 0.1], ["0.01", "0.1"])
    courses = (
        f"{title}, the middle 80 % of the ratios of estimate and truth are from {rounded(low)} to {rounded(high)}, and "
        f"{below[title].sum()} of {len(truth)} points are below the axis"
        for title, values in estimates.items()
        for low, high in [np.quantile(values / truth, [0.1, 0.9])]
    )
    return described(figure, f"Estimates over the true standard deviation: {'; '.join(courses)}.")
