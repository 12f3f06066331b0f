"""Figures of the chapter on the model: the data, the start of networks, and what their first kernel predicts."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kbe.figures.bands import band
from kbe.figures.style import MARKERS, WIDTH, look
from kbe.figures.words import described, last, rounded


def bit_encoding(inputs: np.ndarray, targets: np.ndarray) -> Figure:
    """A data set as a picture: one row a pair, its bits and, apart from them, its target; filled squares for ones.

    The `inputs` (point, bit) and the `targets` (point) are zeros and ones.
    """
    points, bits = np.shape(inputs)
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(4.2, 4.2), width_ratios=(bits, 1.6))
    for axis, values in zip(axes, (np.asarray(inputs), np.asarray(targets)[:, None]), strict=True):
        for digit, colour, area in ((1, "C0", min(60, 1400 / points)), (0, "C5", min(6, 140 / points))):
            rows, columns = np.nonzero(values == digit)
            axis.scatter(columns + 1, rows + 1, marker="s", color=colour, s=area)
        axis.set_xlim(0.4, values.shape[1] + 0.6)
    axes[0].set(xlabel=r"bit of $\mathbf{x}_i$", ylabel="pair $i$", xticks=range(1, bits + 1), ylim=(points + 0.7, 0.3))
    axes[0].yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].set(xlabel="$y_i$", xticks=[])
    ones, high = int(np.sum(np.asarray(inputs) == 1)), int(np.sum(np.asarray(targets) == 1))
    return described(
        figure,
        f"A data set of {points} pairs, one a row: {bits} bits and, apart from them, the target. Large squares stand "
        f"for ones, small ones for zeros. {ones} of {points * bits} bits and {high} of {points} targets are ones.",
    )


def starts(points: Mapping[str, np.ndarray]) -> Figure:
    """Where networks stand before training, for several activations of their heads, and the centre.

    By activation the `points` (member, 2) are the mean and the standard deviation.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.6))
    for k, (name, values) in enumerate(points.items()):
        axes.scatter(values[:, 0], values[:, 1], s=14, marker=MARKERS[k % 5], color=f"C{k}", alpha=0.8, label=name)
    axes.plot([0.5], [0.5], "+", color="C5", markersize=16, markeredgewidth=2.5, label="(0.5, 0.5)")
    axes.axhline(0, color="C5", linewidth=0.8)
    axes.set(xlabel=r"$\mu$", ylabel=r"$\sigma$")
    axes.legend(loc="upper left")
    medians = [
        f"{name} ({', '.join(map(rounded, np.median(values, 0)))}), {np.mean(values[:, 1] < 0):.0%}"
        for name, values in points.items()
    ]
    return described(
        figure,
        "Means and standard deviations of untrained networks, one point a network, and a cross at (0.5, 0.5). Their "
        f"median, and the share of networks whose standard deviation is negative: {'; '.join(medians)}.",
    )


def prediction(mean: xr.DataArray, predicted: xr.DataArray, leading: float) -> Figure:
    """One average network in training, and what the response kernel of its start predicts, a line for each point.

    `mean` and `predicted` are mu (epoch, point) of the network and of the prediction; a dashed line stands at the
    epoch by which the kernel's first mode has decayed by a factor e, the `leading` one.
    """
    figure, axes = plt.subplots(2, sharex=True, sharey=True, figsize=(WIDTH, 5.2))
    names = ("the network", "its first kernel, kept constant")
    for axis, values, title in zip(axes, (mean, predicted), names, strict=True):
        drawn = values.sel(epoch=slice(1, None)).transpose("epoch", "point")
        axis.plot(drawn["epoch"], drawn, color="C0", alpha=0.7, linewidth=1)
        axis.axvline(leading, color="C1", linestyle="--")
        axis.set(title=title, ylabel=r"mean $\mu_i$")
    axes[1].set(xscale="log", xlabel="epoch")
    ends = [f"{rounded(one[-1].min(), '.2f')} and {rounded(one[-1].max(), '.2f')}" for one in (mean, predicted)]
    return described(
        figure,
        f"The means at {mean.sizes['point']} points over the epochs, on a logarithmic axis. At the last epoch those of "
        f"the network, above, lie between {ends[0]}, the predicted ones, below, between {ends[1]}. The dashed line of "
        f"the first mode stands at epoch {rounded(leading, '.0f')}.",
    )


def prediction_errors(errors: Mapping[int, xr.DataArray], leading: Mapping[int, float], criterion: float) -> Figure:
    """How far the constant kernel's prediction is off, through training, for several widths.

    By channels the `errors` (quantile, epoch) are relative ones, with a marker at the epoch by which the first mode
    has decayed by a factor e, the `leading` one; a thin line stands at the error that still counts as a prediction,
    the `criterion`.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    said = []
    for k, (channels, error) in enumerate(errors.items()):
        drawn = error.sel(epoch=slice(1, None))
        band(axes, drawn["epoch"], drawn, **look(k), label=f"{channels} channels")
        at = np.interp(np.log(leading[channels]), np.log(drawn["epoch"]), drawn.isel(quantile=1))
        axes.plot(leading[channels], at, MARKERS[k % 5], color=f"C{k % 6}", markersize=9)
        start = f"{rounded(at)} at epoch {rounded(leading[channels], '.0f')}, where the first mode is learnt"
        said.append(f"with {channels} channels it is {start}, and {last(error)} at the end")
    axes.axhline(criterion, color="C5", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="relative error of the prediction")
    axes.legend(loc="upper left", title="large marker: first mode learnt")
    return described(
        figure, f"The median relative error of the prediction over the epochs, on logarithmic axes: {'; '.join(said)}."
    )
