"""Figures of the chapter on minor modes: when dense and sparse places are learnt, and what networks disagree on."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from kbe.figures.bands import band, bars, plain_logarithms
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import described, rounded

MARKERS = "osD^vP"

LEFT = 0.7  # where the start stands, epoch 0, on a logarithmic axis


def learning_times(density: np.ndarray, groups: dict[str, np.ndarray], units: list[str]) -> Figure:
    """The time to learn a cluster over its `density`, its points, on several clocks, a panel for each.

    By the clock's title the `groups` (3, densities) are quantiles of the time, not finite ones left out, with a
    line of the power -1 through the densest cluster; the `units` say what each time is, with its unit.
    """
    figure, axes = plt.subplots(len(groups), sharex=True, figsize=(WIDTH, 2.6 * len(groups) + 0.6), squeeze=False)
    for axis, (title, times), unit in zip(axes[:, 0], groups.items(), units, strict=True):
        bars(axis, density, times, color="C0", marker="o", linestyle="none", label="measured")
        theory = times[1][-1] * density[-1] / density
        if np.isfinite(theory).all():
            axis.plot(density, theory, "--", color="C1", label="power $-1$")
        axis.set(xscale="log", ylabel=unit, title=title)
        axis.set_xticks(density, [f"{n:g}" for n in density])
        plain_logarithms(axis, times)
        axis.minorticks_off()
    axes[-1, 0].set_xlabel("points of the cluster")
    legend_below(figure, 2)
    courses = "; ".join(
        f"{title}, {rounded(times[1][0])} with {density[0]:g} and {rounded(times[1][-1])} with {density[-1]:g}, where "
        f"the power -1 through the latter gives {rounded(times[1][-1] * density[-1] / density[0])} with {density[0]:g}"
        for title, times in groups.items()
    )
    return described(figure, f"The median time to learn a cluster over the number of its points: {courses}.")


def growth_and_modes(
    epochs: np.ndarray, strength: np.ndarray, eigenvalue: np.ndarray, measured: np.ndarray, forecast: np.ndarray
) -> Figure:
    """The strength of the local response in training, and the time to learn each mode.

    Above three quantiles of the `strength` (3, epoch) over the `epochs` from 0, the start at the left border;
    below, over the `eigenvalue`, the epochs by which half of each mode's error is gone, `measured` and as
    `forecast` with a constant kernel; each (mode).
    """
    figure, (above, below) = plt.subplots(2, figsize=(WIDTH, 6.0))
    shown = np.maximum(epochs, LEFT)
    band(above, shown, strength, color="C0")
    above.set(xscale="log", yscale="log", xlabel="epoch", ylabel="local strength $k$", xlim=(shown[0], shown[-1]))
    kept = np.isfinite(measured)
    below.plot(eigenvalue, forecast, "--", color="C1", label="constant kernel: power $-1$")
    below.plot(eigenvalue[kept], measured[kept], "o", color="C0", label="measured")
    below.set(xscale="log", yscale="log", xlabel=r"eigenvalue $\lambda$ at the start", ylabel="epochs to learn a mode")
    below.legend(loc="upper right")
    middle = strength[1]
    peak = int(np.argmax(np.nan_to_num(middle, nan=-np.inf, posinf=-np.inf)))
    last = np.flatnonzero(kept)[-1:]
    ends = "".join(
        f" Below, mode {mode + 1} of {len(kept)}, with the eigenvalue {rounded(eigenvalue[mode])}, is learnt at epoch "
        f"{rounded(measured[mode])}, forecast for {rounded(forecast[mode])}."
        for mode in (*np.flatnonzero(kept)[:1], *last)
    )
    return described(
        figure,
        f"Above, the median local strength is {rounded(middle[0])} at the start, {rounded(middle[peak])} at epoch "
        f"{rounded(epochs[peak], '.0f')}, where it is greatest, and {rounded(middle[-1])} at epoch "
        f"{rounded(epochs[-1], '.0f')}.{ends}",
    )


def designs(epochs: np.ndarray, learnt: dict[str, np.ndarray], error: dict[str, np.ndarray]) -> Figure:
    """What a distribution of the same number of points does for all clusters, and for the test error.

    By design, over the `epochs` from 0, the start not drawn: above the share of networks that have `learnt` every
    cluster (epoch); below the mean squared `error` over the test density (epoch).
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 5.8))
    for axis, lines in zip(axes, (learnt, error), strict=True):
        for k, (name, values) in enumerate(lines.items()):
            axis.plot(epochs[1:], values[1:], **look(k), label=name)
    axes[0].set(xscale="log", ylabel="share with all clusters learnt", ylim=(-0.03, 1.03))
    axes[1].set(yscale="log", ylabel="error at the test density", xlabel="epoch")
    axes[1].set_xlim(max(1, epochs[-1] / 100), epochs[-1])
    legend_below(figure, 2)
    halves = ", ".join(
        f"{rounded(epochs[(values >= 0.5).argmax()], '.0f') if (values >= 0.5).any() else 'never'} ({name})"
        for name, values in learnt.items()
    )
    tenth = int(np.abs(epochs - epochs[-1] / 10).argmin())
    errors = (
        f"at epoch {epochs[place]:.0f} "
        + ", ".join(f"{rounded(values[place])} ({name})" for name, values in error.items())
        for place in (tenth, -1)
    )
    return described(
        figure,
        f"Above, the epoch at which half of the networks have learnt every cluster: {halves}. Below, the error at the "
        f"test density: {'; '.join(errors)}.",
    )


def variability(epochs: np.ndarray, spread: np.ndarray, density: np.ndarray) -> Figure:
    """The standard deviation of outputs over initial conditions, by the density of the data.

    The `spread` (epoch, densities) over networks with the same data, a line for each `density`, the points of a
    cluster, 0 for a place without data; over the `epochs` from 0, the start at the left border.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    shown, every = np.maximum(epochs, LEFT), max(1, len(epochs) // 8)
    for k, n in enumerate(density):
        label = "no data" if n == 0 else "1 point" if n == 1 else f"{n:g} points"
        style = {**look(k), "marker": MARKERS[k % 6], "markersize": 4, "markevery": (k % every, every)}
        axes.plot(shown, spread[:, k], **style, label=label)
    axes.set(xscale="log", xlabel="epoch", ylabel="deviation over networks", ylim=(0, None))
    axes.set_xlim(shown[0] / 1.1, max(1, shown[-1]) * 1.1)
    legend_below(figure, 3)
    courses = []
    for k, n in enumerate(density):
        peak = int(np.argmax(np.nan_to_num(spread[:, k], nan=-np.inf, posinf=-np.inf)))
        courses.append(
            f"with {n:g} points it is greatest, {rounded(spread[peak, k])}, at epoch {rounded(epochs[peak], '.0f')} "
            f"and {rounded(spread[-1, k])} at the end"
        )
    return described(figure, f"The deviation over networks in training: {'; '.join(courses)}.")
