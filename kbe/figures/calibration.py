"""Figures of the chapter on calibration: predicted intervals, their coverage and score over training."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import plain_numbers
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import all_last, described, first, last, rounded

QUANTITIES = {
    "own": "coverage, own targets",
    "held_out": "coverage, held-out inputs",
    "score": "log score minus true, nats",
}


def intervals(truth: xr.Dataset, predicted: Mapping[str, xr.Dataset], reach: float) -> Figure:
    """True and predicted central intervals of one network at inputs in the order of their true mean.

    The `truth` has `mean`, `deviation` and `y` (point); for each panel, one above the other, what is `predicted`
    has `mu` and `sigma` (point). The `reach` is half the width of an interval in units of the deviation.
    """
    order = np.argsort(truth["mean"].values)
    sorted_truth = truth.isel(point=order)
    low, high = (sorted_truth["mean"] + side * reach * sorted_truth.deviation for side in (-1, 1))
    places = np.arange(len(order))
    size = (WIDTH, 0.6 + 2.4 * len(predicted))
    figure, axes = plt.subplots(len(predicted), sharex=True, sharey=True, squeeze=False, figsize=size)
    for axis, (title, group) in zip(axes[:, 0], predicted.items(), strict=True):
        one = group.isel(point=order)
        axis.fill_between(places, low, high, color="C0", alpha=0.25, linewidth=0, label="true interval")
        axis.plot(places, sorted_truth.y, ".", color="C5", markersize=3, label="new target")
        axis.errorbar(
            places, one.mu, reach * one.sigma, color="C1", fmt="none", linewidth=1, label="predicted interval"
        )
        axis.set(title=title, ylabel="$y$")
    axes[-1, 0].set_xlabel("held-out inputs, in the order of their true mean")
    axes[0, 0].set_ylim(-0.2, 1.2)
    legend_below(figure, 3)
    true_width = float((2 * reach * sorted_truth.deviation).median())
    widths = [f"at {name} {rounded((2 * reach * one.sigma).median())}" for name, one in predicted.items()]
    return described(
        figure,
        f"{len(order)} inputs, true means from {first(sorted_truth['mean'])} to {last(sorted_truth['mean'])}. The "
        f"median width of an interval is {rounded(true_width)} in truth; predicted, {', '.join(widths)}.",
    )


def over_training(curves: Mapping[str, xr.Dataset], level: float) -> Figure:
    """The coverage where targets were seen and where not, and the score short of the true one, over training.

    For each loss the `curves` (epoch) are `own` and `held_out`, coverages, and `score`, in nats relative to the
    truth; a thin line stands at the coverage that there should be, the `level`.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(WIDTH, 7.6))
    for axis, (variable, label) in zip(axes, QUANTITIES.items(), strict=True):
        for k, (name, curve) in enumerate(curves.items()):
            axis.plot(curve.epoch, curve[variable], **look(k), label=name)
        axis.set(xscale="log", ylabel=label)
    for axis in axes[:2]:
        axis.axhline(level, color=plt.rcParams["text.color"], linewidth=0.8)
        axis.set_ylim(0.45, 1.02)
    axes[2].set(xlabel="epochs", ylim=(-2.5, 0.1))
    legend_below(figure, 2)
    own, held_out, score = ({name: curve[variable] for name, curve in curves.items()} for variable in QUANTITIES)
    return described(
        figure,
        f"Over the epochs, on a logarithmic axis, three panels. The coverage of own targets ends at {all_last(own)}; "
        f"that of held-out inputs at {all_last(held_out)}; it should be {rounded(level)}. The log score minus that of "
        f"the truth ends at {all_last(score)} nats.",
    )


def against_error(curves: Mapping[str, xr.Dataset], level: float, truth: float) -> Figure:
    """The coverage on held-out inputs against how closely the network follows its own targets.

    For each loss the `curves` (epoch) are `held_out`, and `squared_error`, V on the own targets; training goes to
    the right. Thin lines stand at the coverage that there should be, the `level`, and at the variance of the
    targets about their true mean, the `truth`.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for k, (name, curve) in enumerate(curves.items()):
        axes.plot(curve.squared_error, curve.held_out, **look(k), label=name)
    axes.axhline(level, color=plt.rcParams["text.color"], linewidth=0.8)
    axes.axvline(truth, color=plt.rcParams["text.color"], linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="squared error $V$ on the own targets", ylabel="coverage, held-out inputs")
    axes.invert_xaxis()
    plain_numbers(axes.xaxis, (1, 1.5, 2, 3, 4, 6, 8))
    legend_below(figure, 2)
    ends = [f"{name}, {last(curve.held_out)} at {last(curve.squared_error)}" for name, curve in curves.items()]
    return described(
        figure,
        f"The coverage against V, which falls to the right, where each loss ends: {'; '.join(ends)}. The dotted line "
        f"stands at V = {rounded(truth)}, the level line at {rounded(level)}.",
    )
