"""Figures on the dimension of the feature space and on fragility."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kbe.figures.one_hidden_layer import on_logarithms
from kbe.figures.style import STYLES

MARKERS = "osD^vP"

QUANTITIES = {
    "dimension": "dimension",
    "distance": "distance",
    "flip_response": "flip response",
}


def dimension_in_training(runs: dict[str, xr.Dataset]) -> Figure:
    """The dimension of the feature space against three clocks: epochs, steps, and the loss.

    Parameters
    ----------
    runs : dict of str to xarray.Dataset
        For each method over `epoch`: `dimension`, `loss` and the number of `step`s so far; epoch 0 is drawn
        only against the loss.

    Returns
    -------
    Figure
        Three panels, one above the other.
    """
    figure, axes = plt.subplots(3, sharey=True, figsize=(5.4, 7.6))
    for k, (name, run) in enumerate(runs.items()):
        style = {"linestyle": STYLES[k % 6], "color": f"C{k % 6}", "label": name}
        later = run.sel(epoch=slice(1, None))
        axes[0].plot(later.epoch, later.dimension, **style)
        axes[1].plot(later.step, later.dimension, **style)
        axes[2].plot(on_logarithms(run.loss), run.dimension, **style)
    for axis, label in zip(axes, ("epochs", "steps of the training", "loss, falling to the right"), strict=True):
        axis.set(xscale="log", xlabel=label, ylabel="dimension")
    axes[2].invert_xaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def fragility_over_dimension(groups: dict[str, xr.Dataset]) -> Figure:
    """Each member's fragility against the dimension of its feature space.

    Parameters
    ----------
    groups : dict of str to xarray.Dataset
        For each method over `member`: `dimension`, `distance` and `flip_response`.

    Returns
    -------
    Figure
        The distance to the boundary above, the answer to a flipped bit below.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 6.2))
    labels = {"distance": "distance to the boundary", "flip_response": "response to the worst flip"}
    for axis, (quantity, label) in zip(axes, labels.items(), strict=True):
        for k, (name, group) in enumerate(groups.items()):
            style = {"marker": MARKERS[k % 6], "color": f"C{k % 6}", "label": name}
            axis.plot(group.dimension, group[quantity], linestyle="none", markersize=4, alpha=0.8, **style)
        axis.set(ylabel=label)
    axes[1].set_xlabel("dimension of the feature space")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def ratios_at_equal_loss(groups: dict[str, xr.Dataset]) -> Figure:
    """Dimension and fragility relative to full-batch training of the same member, at equal loss.

    Parameters
    ----------
    groups : dict of str to xarray.Dataset
        For each way to train over (`quantity`, `level`): `estimate`, `low`, `high` of the ratio, `level` being
        the loss and the quantities `dimension`, `distance`, `flip_response`.

    Returns
    -------
    Figure
        A panel for each quantity.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(5.4, 7.6))
    for axis, (quantity, label) in zip(axes, QUANTITIES.items(), strict=True):
        axis.axhline(1, color=plt.rcParams["text.color"], linewidth=0.6)
        for k, (name, group) in enumerate(groups.items()):
            chosen = group.sel(quantity=quantity)
            error = np.abs(np.stack([chosen.low.values, chosen.high.values]) - chosen.estimate.values)
            shifted = chosen.level.values * 1.04 ** (k - (len(groups) - 1) / 2)  # side by side
            look = (k + 1) % 6  # the first belongs to the full batch
            middle = np.where(np.isfinite(chosen.estimate), chosen.estimate, np.nan)
            error = np.where(np.isfinite(error), error, 0)
            axis.errorbar(shifted, middle, error, color=f"C{look}", marker=MARKERS[look],
                          linestyle=STYLES[look], linewidth=1, markersize=5, capsize=2, label=name)  # fmt: skip
        axis.set(xscale="log", ylabel=f"{label}, ratio")
        ticks = np.unique(np.concatenate([group.level.values for group in groups.values()]))
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.xaxis.set_minor_locator(NullLocator())
    axes[2].set_xlabel("loss at which the networks are compared, falling to the right")
    axes[2].invert_xaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
