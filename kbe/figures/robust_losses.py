"""Figures of the chapter on losses against the instability: what they do at zero error, and how long they train."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import STYLES, WIDTH, legend_below, look

QUANTITIES = {
    "squared_error": "squared error $V$",
    "predicted": "predicted variance $V^*$",
    "unstable": "share unstable",
}


def at_zero_error(curvature: Mapping[str, np.ndarray], rule: Mapping[str, np.ndarray], deviation: np.ndarray) -> Figure:
    """The curvature in mu, above, and what error and deviation do together, below, of several losses over sigma.

    By loss, `curvature` and `rule` are from `zero_error.curvature_in_mean` and `zero_error.scale_rule`, at each sigma,
    the `deviation`, falling or rising.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 5.8))
    # a second round through the colours has other styles
    looks = {name: look(k) | {"linestyle": STYLES[(k + k // 6) % 6]} for k, name in enumerate({**rule, **curvature})}
    for axis, lines in zip(axes, (curvature, rule), strict=True):
        for name, values in lines.items():
            axis.plot(deviation, values, **looks[name], label=name)
    axes[0].set(xscale="log", yscale="log", ylabel=r"curvature in $\mu$")
    axes[1].set(ylabel=r"$r g_\mu + \sigma g_\sigma$", xlabel=r"deviation $\sigma$")
    axes[1].invert_xaxis()
    legend_below(figure, 2)
    return figure


def onset_ranges(onsets: Mapping[str, Mapping[str, np.ndarray]], ends: Mapping[str, Mapping[str, int]]) -> Figure:
    """From when to when the members of an ensemble have their onset, a row for each loss.

    By panel and loss the `onsets` are the members' epochs, infinite for none, and the `ends` are how long each was
    trained: a bar from the first tenth to nine tenths, a dot at half of the members, an arrow where training ended
    before.
    """
    heights = [len(group) + 1 for group in onsets.values()]
    size = (WIDTH, 0.6 + 0.26 * sum(heights))
    figure, axes = plt.subplots(len(onsets), sharex=True, squeeze=False, figsize=size, height_ratios=heights)
    for axis, (title, group) in zip(axes[:, 0], onsets.items(), strict=True):
        for row, (name, onset) in enumerate(group.items()):
            end = ends[title][name]
            low, middle, high = np.quantile(onset, [0.1, 0.5, 0.9], method="lower")
            colour = f"C{int(not np.isfinite(low))}"
            axis.plot([min(low, end), min(high, end)], [row, row], color=colour, linewidth=3)
            if np.isfinite(middle):
                axis.plot(middle, row, "o", color=colour)
            if not np.isfinite(high):
                axis.plot(end, row, ">", color=colour, clip_on=False)
        rows = len(group)
        axis.set(title=title, xscale="log", ylim=(rows - 0.5, -0.5), yticks=range(rows), yticklabels=list(group))
        axis.grid(axis="x")
    axes[-1, 0].set_xlabel("epochs")
    return figure


def learning_of_losses(curves: Mapping[str, xr.Dataset]) -> Figure:
    """The two variances and the share of unstable members over training, for several losses, one above the other.

    By loss the `curves` (epoch) are the medians `squared_error` (V) and `predicted` (V*), and the share `unstable`;
    epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(WIDTH, 7.4))
    for axis, (variable, label) in zip(axes, QUANTITIES.items(), strict=True):
        for k, (name, curve) in enumerate(curves.items()):
            late = curve[variable].sel(epoch=slice(1, None))
            axis.plot(late.epoch, late, **look(k), label=name)
        axis.set(xscale="log", ylabel=label)
    axes[0].set_ylim(0, None)
    axes[1].set(yscale="log", ylim=(1e-4, 5))
    axes[2].set(xlabel="epochs", ylim=(-0.03, 1.03))
    legend_below(figure, 2)
    return figure
