"""Figures of the chapter on the training response: its first order, its distances, its change and aging."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import band
from kbe.figures.style import MARKERS, STYLES, WIDTH, legend_below, look
from kbe.figures.words import all_last, described, last, rounded


def step_errors(rates: np.ndarray, errors: Mapping[str, np.ndarray], orders: Mapping[str, int]) -> Figure:
    """How far a finite step is from the response to first order, over the size of the step.

    By the name of what is wrong by so much, the `errors` (member, rate), drawn as medians with quartiles over the
    learning `rates`, and the `orders`, the powers of the learning rate that theory gives, drawn as lines of that
    slope.
    """
    figure, axes = plt.subplots()
    for k, (name, values) in enumerate(errors.items()):
        quartiles = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
        band(axes, rates, quartiles, color=f"C{k}", marker=MARKERS[k], linestyle="none", label=name)
        guide = quartiles[1, 0] * (np.asarray(rates) / rates[0]) ** orders[name]
        label = f"slope {orders[name]}" if orders[name] not in list(orders.values())[:k] else None
        axes.plot(rates, guide, linestyle=STYLES[1], color="C5", linewidth=1, label=label)
    axes.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$", ylabel="relative error")
    axes.legend()
    courses = "; ".join(
        f"{name}, from {rounded(np.median(values[:, 0]))} to {rounded(np.median(values[:, -1]))}"
        for name, values in errors.items()
    )
    return described(
        figure,
        f"Median relative errors between the learning rates {rates[0]:g} and {rates[-1]:g}, both axes logarithmic: "
        f"{courses}.",
    )


def kernel_matrices(single: np.ndarray, average: np.ndarray) -> Figure:
    """A response kernel between all inputs, of one network and averaged over networks, on one scale of colours.

    `single` and `average` (n, n) have the inputs in the order of the numbers that they spell.
    """
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(WIDTH, 3.4))
    low, high = min(np.min(single), np.min(average)), max(np.max(single), np.max(average))
    for axis, kernel, name in zip(axes, (single, average), ("one network", "average over networks"), strict=True):
        image = axis.imshow(kernel, vmin=low, vmax=high, interpolation="nearest")
        axis.set(title=name, xlabel=r"input $\mathbf{x}'$ as a number")
    axes[0].set_ylabel(r"input $\mathbf{x}$ as a number")
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, label=r"response $\Theta(\mathbf{x}, \mathbf{x}')$")
    ranges = ", ".join(
        f"{rounded(np.min(kernel), '.3f')} to {rounded(np.max(kernel), '.3f')} {name}"
        for kernel, name in ((single, "in one network"), (average, "on average over networks"))
    )
    return described(figure, f"Two matrices of {len(single)} by {len(single)} responses: {ranges}.")


def response_over_distance(mean: xr.DataArray, fits: xr.DataArray, names: tuple[str, ...]) -> Figure:
    """The response of each head to its own training, over the distance of the two inputs, one panel a head.

    The `mean` (member, head, distance), every member thin, the median thick, with the exponential fitted to the
    median, the `fits` (head, distance); the `names` are the heads'.
    """
    figure, axes = plt.subplots(1, len(names), sharey=True, squeeze=False)
    for head, (axis, name) in enumerate(zip(axes[0], names, strict=True)):
        profiles = mean.isel(head=head).transpose("distance", "member")
        axis.plot(mean["distance"], profiles, color="C5", alpha=0.2, linewidth=0.7)
        axis.plot(mean["distance"], profiles.median("member"), "o", color="C0", label="median")
        axis.plot(mean["distance"], fits.isel(head=head), color="C1", label="exponential")
        axis.set(title=name, xlabel="distance $d$ (bits)")
        axis.set_ylim(0, 1.05 * float(mean.max()))
    axes[0, 0].set_ylabel("response $K(d)$")
    axes[0, -1].legend(loc="lower right")
    courses = []
    for head, name in enumerate(names):
        near, far = mean.isel(head=head, distance=0), mean.isel(head=head, distance=-1)
        courses.append(
            f"{name}, {rounded(near.median(), '.3f')} and {rounded(far.median(), '.3f')}, and in single networks "
            f"{rounded(mean.isel(head=head).min())} to {rounded(mean.isel(head=head).max())} over all distances"
        )
    return described(figure, f"The median response at the least and the greatest distance: {'; '.join(courses)}.")


def responses_in_training(profiles: Mapping[str, Mapping[str, xr.DataArray]]) -> Figure:
    """How the response over distance changes in training: a panel for each kind of network, a line for each stage.

    The `profiles` (distance) are given by panel and by stage.
    """
    figure, axes = plt.subplots(1, len(profiles), sharey=True, squeeze=False, figsize=(WIDTH, 3.8))
    for axis, (title, stages) in zip(axes[0], profiles.items(), strict=True):
        for k, (stage, profile) in enumerate(stages.items()):
            axis.plot(profile["distance"], profile, marker=MARKERS[k % 5], markersize=4.5, color=f"C{k}", label=stage)
        axis.axhline(0, color="C5", linewidth=0.8)
        axis.set(title=title, xlabel="distance $d$ (bits)")
        axis.legend(loc="upper right")
    axes[0, 0].set_ylabel("response $K(d)$, median")
    courses = "; ".join(
        f"{title}, "
        + ", ".join(f"{rounded(profile[0])} and {rounded(profile[-1])} ({stage})" for stage, profile in stages.items())
        for title, stages in profiles.items()
    )
    return described(figure, f"The median response at the least and the greatest distance: {courses}.")


def kernel_changes(drifts: Mapping[str, xr.Dataset], criterion: float) -> Figure:
    """The size and the shape of a kernel in training, relative to its start, one above the other.

    By the network's name the `drifts` hold `size` and `shape` (quantile, epoch), NaN and epoch 0 not drawn; a thin
    line stands at the change of shape that still counts as constant, the `criterion`.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 5.2))
    for axis, quantity in zip(axes, ("size", "shape"), strict=True):
        for k, (name, drift) in enumerate(drifts.items()):
            drawn = drift[quantity].sel(epoch=slice(1, None))
            band(axis, drawn["epoch"], drawn, **look(k), label=name)
    axes[0].axhline(1, color="C5", linewidth=0.8)
    axes[0].set(yscale="log", ylabel="size $|K_t|/|K_0|$")
    axes[0].legend(loc="upper left")
    axes[1].axhline(criterion, color="C5", linewidth=0.8)
    axes[1].set(xscale="log", xlabel="epoch", ylabel="change of shape $1-\\cos$")
    sizes, shapes = (all_last({name: one[part] for name, one in drifts.items()}) for part in ("size", "shape"))
    return described(
        figure,
        f"Median size and change of shape of the kernel where each curve ends. Size: {sizes}. Change of shape: "
        f"{shapes}; the criterion is {criterion:g}.",
    )


def shapes_by_width(shapes: Mapping[int, xr.DataArray], half: Mapping[int, tuple[float, float]]) -> Figure:
    """The change of the kernel's shape in training for networks of several widths.

    By channels the `shapes`, quantiles of the change (quantile, epoch), and where `half` is learnt, marked: the
    epoch, and the change there.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    for k, (channels, shape) in enumerate(shapes.items()):
        drawn = shape.sel(epoch=slice(1, None))
        band(axes, drawn["epoch"], drawn, **look(k), label=f"{channels} channels")
        axes.plot(*half[channels], MARKERS[k % 5], color=f"C{k % 6}", markersize=9)
    axes.set(xscale="log", xlabel="epoch", ylabel="change of shape $1-\\cos$", ylim=(0, None))
    axes.legend(loc="upper left", title="large marker: half is learnt")
    courses = "; ".join(
        f"{channels} channels, {rounded(half[channels][1])} at epoch {rounded(half[channels][0], '.0f')}, where half "
        f"is learnt, and {last(shape)} at the end"
        for channels, shape in shapes.items()
    )
    return described(figure, f"The median change of shape: {courses}.")


def aging(sizes: Mapping[str, xr.DataArray], law: tuple[np.ndarray, np.ndarray], exponent: float) -> Figure:
    """The size of the response through very long training; on logarithmic axes a power law is a straight line.

    By name the `sizes` (quantile, epoch) are relative to the start. The `law` is epochs, and the power law there
    whose fitted `exponent` is a.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.2))
    for k, (name, size) in enumerate(sizes.items()):
        drawn = size.sel(epoch=slice(1, None))
        band(axes, drawn["epoch"], drawn, **look(k), label=name)
    axes.plot(*law, color="C3", linewidth=4, alpha=0.7, label=f"$t^{{-a}}$, $a={exponent:.2f}$")
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="size $|K_t|/|K_0|$")
    legend_below(figure, 2)
    ends = all_last(sizes)
    return described(
        figure,
        f"The median size of the response, relative to the start, where each curve ends: {ends}. The power law fitted "
        f"to the late part of one of them has the exponent {rounded(exponent)}.",
    )


def loss_over_deviation(deviation: np.ndarray, losses: Mapping[float, np.ndarray]) -> Figure:
    """The loss of one point over the predicted standard `deviation`, a line for each distance of mean and target.

    By that distance the `losses`, in nats, with a marker on the lowest value if that is not at an end.
    """
    figure, axes = plt.subplots()
    for k, (error, loss) in enumerate(losses.items()):
        axes.plot(deviation, loss, **look(k), label=rf"$|y-\mu| = {error:g}$")
        lowest = int(np.argmin(loss))
        if 0 < lowest < len(loss) - 1:
            axes.plot(deviation[lowest], loss[lowest], "o", color=f"C{k}")
    axes.set(xscale="log", xlabel=r"standard deviation $\sigma$", ylabel="loss of the point (nats)", ylim=(-7, 9))
    axes.legend(loc="upper right")
    lows = ", ".join(
        f"{rounded(np.min(loss))} at {rounded(deviation[np.argmin(loss)])} for {error:g}"
        for error, loss in losses.items()
    )
    return described(figure, f"The least loss drawn, the deviation where it is, and the error: {lows}.")
