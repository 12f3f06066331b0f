"""Figures of the chapter on losses against the instability: what they do at zero error, and how long they train."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import STYLES


def at_zero_error(curvature: Mapping[str, np.ndarray], rule: Mapping[str, np.ndarray], deviation: np.ndarray) -> Figure:
    """The curvature in mu, and what error and deviation do together, of several losses over sigma.

    Parameters
    ----------
    curvature, rule : dict of str to array
        For each loss, from `zero_error.curvature_in_mean` and `zero_error.scale_rule`, at each sigma.
    deviation : array
        sigma, falling or rising.

    Returns
    -------
    Figure
        One panel above the other.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 5.8))
    styles = {
        name: (f"C{k % 6}", STYLES[(k + k // 6) % 6]) for k, name in enumerate(dict.fromkeys([*rule, *curvature]))
    }
    for axis, lines in zip(axes, (curvature, rule), strict=True):
        for name, values in lines.items():
            colour, style = styles[name]
            axis.plot(deviation, values, color=colour, linestyle=style, label=name)
    axes[0].set(xscale="log", yscale="log", ylabel=r"curvature in $\mu$")
    axes[1].set(ylabel=r"$r g_\mu + \sigma g_\sigma$", xlabel=r"deviation $\sigma$")
    axes[1].invert_xaxis()
    named = dict(zip(*(axes[0].get_legend_handles_labels()[k] for k in (1, 0)), strict=True))
    named |= dict(zip(*(axes[1].get_legend_handles_labels()[k] for k in (1, 0)), strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=2)
    return figure


def onset_ranges(onsets: Mapping[str, Mapping[str, np.ndarray]], ends: Mapping[str, Mapping[str, int]]) -> Figure:
    """From when to when the members of an ensemble have their onset, a row for each loss.

    Parameters
    ----------
    onsets : dict of str to dict of str to array
        For each panel and loss, the members' onset epochs, infinite for none.
    ends : dict of str to dict of str to int
        How long each was trained.

    Returns
    -------
    Figure
        A panel for each key: a bar from the first tenth to nine tenths, a dot at half of the members; an arrow where
        training ended before.
    """
    heights = [len(group) + 1 for group in onsets.values()]
    size = (5.4, 0.6 + 0.26 * sum(heights))
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
    """The two variances and the share of unstable members over training, for several losses.

    Parameters
    ----------
    curves : dict of str to xarray.Dataset
        For each loss, over `epoch`: the medians `squared_error` (V) and `predicted` (V*), and the share `unstable`.

    Returns
    -------
    Figure
        Three panels, one above the other; epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(5.4, 7.4))
    labels = {
        "squared_error": "squared error $V$",
        "predicted": "predicted variance $V^*$",
        "unstable": "share unstable",
    }
    for k, (name, curve) in enumerate(curves.items()):
        late = curve.sel(epoch=slice(1, None))
        for axis, variable in zip(axes, labels, strict=True):
            axis.plot(late.epoch, late[variable], color=f"C{k % 6}", linestyle=STYLES[k % 6], label=name)
    for axis, label in zip(axes, labels.values(), strict=True):
        axis.set(xscale="log", ylabel=label)
    axes[0].set_ylim(0, None)
    axes[1].set(yscale="log", ylim=(1e-4, 5))
    axes[2].set(xlabel="epochs", ylim=(-0.03, 1.03))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
