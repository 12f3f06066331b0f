"""Figures of the chapter on the dimension of the feature space and on fragility."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kbe.figures.bands import bars, where_positive
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import described, first, last, rounded

MARKERS = "osD^vP"

FRAGILITY = {"distance": "distance to the boundary", "flip_response": "response to the worst flip"}

RATIOS = {"dimension": "dimension", "distance": "distance", "flip_response": "flip response"}


def dimension_in_training(runs: dict[str, xr.Dataset]) -> Figure:
    """The dimension of the feature space against three clocks, one above the other: epochs, steps, and the loss.

    By method the `runs` (epoch) hold `dimension`, `loss` and the number of `step`s so far; epoch 0 is drawn only
    against the loss.
    """
    figure, axes = plt.subplots(3, sharey=True, figsize=(WIDTH, 7.6))
    for k, (name, run) in enumerate(runs.items()):
        style = {**look(k), "label": name}
        later = run.sel(epoch=slice(1, None))
        axes[0].plot(later.epoch, later.dimension, **style)
        axes[1].plot(later.step, later.dimension, **style)
        axes[2].plot(where_positive(run.loss), run.dimension, **style)
    for axis, label in zip(axes, ("epochs", "steps of the training", "loss, falling to the right"), strict=True):
        axis.set(xscale="log", xlabel=label, ylabel="dimension")
    axes[2].invert_xaxis()
    legend_below(figure, 3)
    told = [
        f"{name}: from {first(run.dimension)} to {last(run.dimension)}, in {rounded(run.step[-1], '.0f')} steps"
        for name, run in runs.items()
    ]
    return described(figure, f"The median dimension over the epochs, the steps and the loss. {'; '.join(told)}.")


def fragility_over_dimension(groups: dict[str, xr.Dataset]) -> Figure:
    """Each member's fragility against the dimension of its feature space.

    By method the `groups` (member) hold `dimension`, and `distance` to the boundary, above, and the answer to a
    flipped bit, `flip_response`, below.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.2))
    for axis, (quantity, label) in zip(axes, FRAGILITY.items(), strict=True):
        for k, (name, group) in enumerate(groups.items()):
            style = {"marker": MARKERS[k % 6], "color": f"C{k % 6}", "label": name}
            axis.plot(group.dimension, group[quantity], linestyle="none", markersize=4, alpha=0.8, **style)
        axis.set(ylabel=label)
    axes[1].set_xlabel("dimension of the feature space")
    legend_below(figure, 3)
    told = [
        f"{name}: " + ", ".join(f"{label} {_range(group[quantity])}" for quantity, label in RATIOS.items())
        for name, group in groups.items()
    ]
    return described(figure, f"Two clouds of points, one a member, over the dimension. {'; '.join(told)}.")


def ratios_at_equal_loss(groups: dict[str, xr.Dataset]) -> Figure:
    """Dimension and fragility relative to full-batch training of the same member, at equal loss.

    By the way to train the `groups` (quantity, level) hold `estimate`, `low` and `high` of the ratio, the level
    being the loss; a panel each for the quantities `dimension`, `distance` and `flip_response`.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(WIDTH, 7.6))
    for axis, (quantity, label) in zip(axes, RATIOS.items(), strict=True):
        axis.axhline(1, color=plt.rcParams["text.color"], linewidth=0.6)
        for k, (name, group) in enumerate(groups.items(), 1):  # the first look belongs to the full batch
            chosen = group.sel(quantity=quantity)
            quantiles = chosen.low, chosen.estimate, chosen.high
            shifted = chosen.level.values * 1.04 ** (k - (len(groups) + 1) / 2)  # side by side
            style = {**look(k), "marker": MARKERS[k % 6], "markersize": 5, "linewidth": 1}
            bars(axis, shifted, quantiles, **style, label=name)
        axis.set(xscale="log", ylabel=f"{label}, ratio")
        ticks = np.unique(np.concatenate([group.level.values for group in groups.values()]))
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.xaxis.set_minor_locator(NullLocator())
    axes[2].set_xlabel("loss at which the networks are compared, falling to the right")
    axes[2].invert_xaxis()
    legend_below(figure, 3)
    told = [
        f"{label}: " + ", ".join(f"{name} {first(one)} to {last(one)}" for name, one in _estimates(groups, quantity))
        for quantity, label in RATIOS.items()
    ]
    return described(figure, f"Ratios to the full batch, from the first loss to the last. {'; '.join(told)}.")


def _estimates(groups: dict[str, xr.Dataset], quantity: str) -> list[tuple[str, xr.DataArray]]:
    return [(name, group.estimate.sel(quantity=quantity)) for name, group in groups.items()]


def _range(values: xr.DataArray) -> str:
    finite = values.where(np.isfinite(values))
    return f"{rounded(finite.min())} to {rounded(finite.max())}"
