"""Figures of the chapter on the training response."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe.figures.style import STYLES

MARKERS = "os^Dv"


def step_errors(rates: np.ndarray, errors: Mapping[str, np.ndarray], orders: Mapping[str, int]) -> Figure:
    """How far a finite step is from the response to first order, over the size of the step.

    Parameters
    ----------
    rates : array, shape (rates,)
        Learning rates.
    errors : mapping of str to array, shape (members, rates)
        Errors by the name of what is wrong by so much.
    orders : mapping of str to int
        The power of the learning rate that theory gives, by the same names.

    Returns
    -------
    Figure
        Medians over members with quartiles, and lines of the theory's slope, on logarithmic axes.
    """
    figure, axes = plt.subplots()
    for k, (name, values) in enumerate(errors.items()):
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
        axes.fill_between(rates, low, high, color=f"C{k}", alpha=0.25, linewidth=0)
        axes.plot(rates, middle, MARKERS[k], color=f"C{k}", label=name)
        guide = middle[0] * (np.asarray(rates) / rates[0]) ** orders[name]
        axes.plot(rates, guide, STYLES[k + 1], color=f"C{k}", label=f"slope {orders[name]}")
    axes.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$", ylabel="relative error")
    axes.legend()
    return figure


def kernel_matrices(single: np.ndarray, average: np.ndarray) -> Figure:
    """A response kernel between all inputs, of one network and averaged over networks.

    Parameters
    ----------
    single, average : array, shape (n, n)
        The kernels; the inputs in the order of the numbers that they spell.

    Returns
    -------
    Figure
        Two images on one scale of colours.
    """
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(5.4, 3.4))
    low, high = min(np.min(single), np.min(average)), max(np.max(single), np.max(average))
    for axis, kernel, name in zip(axes, (single, average), ("one network", "average over networks"), strict=True):
        image = axis.imshow(kernel, vmin=low, vmax=high, interpolation="nearest")
        axis.set(title=name, xlabel=r"input $\mathbf{x}'$ as a number")
    axes[0].set_ylabel(r"input $\mathbf{x}$ as a number")
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, label=r"response $\Theta(\mathbf{x}, \mathbf{x}')$")
    return figure


def response_over_distance(mean: xr.DataArray, fits: xr.DataArray, names: tuple[str, ...]) -> Figure:
    """The response of each head to its own training, over the distance of the two inputs.

    Parameters
    ----------
    mean : xarray.DataArray
        Profiles (member, head, distance).
    fits : xarray.DataArray
        The exponential fitted to the median profile (head, distance).
    names : tuple of str
        The heads' names.

    Returns
    -------
    Figure
        Every member thin, the median and its exponential thick, one panel a head.
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
    return figure


def responses_in_training(profiles: Mapping[str, Mapping[str, xr.DataArray]]) -> Figure:
    """How the response over distance changes in training.

    Parameters
    ----------
    profiles : mapping of str to mapping of str to xarray.DataArray
        By panel and by stage of the training, the profile (distance).

    Returns
    -------
    Figure
        One panel for each kind of network, one line for each stage.
    """
    figure, axes = plt.subplots(1, len(profiles), sharey=True, squeeze=False, figsize=(5.4, 3.8))
    for axis, (title, stages) in zip(axes[0], profiles.items(), strict=True):
        for k, (stage, profile) in enumerate(stages.items()):
            axis.plot(profile["distance"], profile, marker=MARKERS[k % 5], markersize=4.5, color=f"C{k}", label=stage)
        axis.axhline(0, color="C5", linewidth=0.8)
        axis.set(title=title, xlabel="distance $d$ (bits)")
        axis.legend(loc="upper right")
    axes[0, 0].set_ylabel("response $K(d)$, median")
    return figure


def kernel_changes(drifts: Mapping[str, xr.Dataset], criterion: float) -> Figure:
    """The size and the shape of a kernel in training, relative to its start.

    Parameters
    ----------
    drifts : mapping of str to xarray.Dataset
        By the network's name, `size` and `shape` (quantile, epoch), three quantiles; NaN is not drawn.
    criterion : float
        The change of shape that still counts as constant.

    Returns
    -------
    Figure
        Size above, change of shape below, over epochs.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 5.2))
    for k, (name, drift) in enumerate(drifts.items()):
        for axis, quantity in zip(axes, ("size", "shape"), strict=True):
            drawn = drift[quantity].sel(epoch=slice(1, None))
            _band(axis, drawn, k, name)
    axes[0].axhline(1, color="C5", linewidth=0.8)
    axes[0].set(yscale="log", ylabel="size $|K_t|/|K_0|$")
    axes[0].legend(loc="upper left")
    axes[1].axhline(criterion, color="C5", linewidth=0.8)
    axes[1].set(xscale="log", xlabel="epoch", ylabel="change of shape $1-\\cos$")
    return figure


def shapes_by_width(shapes: Mapping[int, xr.DataArray], half: Mapping[int, tuple[float, float]]) -> Figure:
    """The change of the kernel's shape in training for networks of several widths.

    Parameters
    ----------
    shapes : mapping of int to xarray.DataArray
        By channels, quantiles of the change (quantile, epoch), three of them.
    half : mapping of int to (float, float)
        By channels, the epoch at which half is learnt, and the change there; medians.

    Returns
    -------
    Figure
        A line with quartiles for each width, and a marker where half is learnt.
    """
    figure, axes = plt.subplots(figsize=(5.4, 3.6))
    for k, (channels, shape) in enumerate(shapes.items()):
        _band(axes, shape.sel(epoch=slice(1, None)), k, f"{channels} channels")
        axes.plot(*half[channels], MARKERS[k % 5], color=f"C{k % 6}", markersize=9)
    axes.set(xscale="log", xlabel="epoch", ylabel="change of shape $1-\\cos$", ylim=(0, None))
    axes.legend(loc="upper left", title="large marker: half is learnt")
    return figure


def aging(sizes: Mapping[str, xr.DataArray], law: tuple[np.ndarray, np.ndarray], exponent: float) -> Figure:
    """The size of the response through very long training.

    Parameters
    ----------
    sizes : mapping of str to xarray.DataArray
        By name, quantiles of the size relative to the start (quantile, epoch), three of them.
    law : pair of array, shape (epochs,)
        Epochs and the fitted power law there.
    exponent : float
        The fitted exponent a.

    Returns
    -------
    Figure
        On logarithmic axes, on which a power law is a straight line.
    """
    figure, axes = plt.subplots(figsize=(5.4, 4.2))
    for k, (name, size) in enumerate(sizes.items()):
        _band(axes, size.sel(epoch=slice(1, None)), k, name)
    axes.plot(*law, color="C3", linewidth=4, alpha=0.7, label=f"$t^{{-a}}$, $a={exponent:.2f}$")
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="size $|K_t|/|K_0|$")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def loss_over_deviation(deviation: np.ndarray, losses: Mapping[float, np.ndarray]) -> Figure:
    """The loss of one point over the predicted standard deviation.

    Parameters
    ----------
    deviation : array, shape (n,)
        Standard deviations.
    losses : mapping of float to array, shape (n,)
        By the distance of mean and target, the loss in nats.

    Returns
    -------
    Figure
        A line for each distance, a marker on its lowest value if that is not at an end.
    """
    figure, axes = plt.subplots()
    for k, (error, loss) in enumerate(losses.items()):
        axes.plot(deviation, loss, STYLES[k % 4], color=f"C{k}", label=rf"$|y-\mu| = {error:g}$")
        lowest = int(np.argmin(loss))
        if 0 < lowest < len(loss) - 1:
            axes.plot(deviation[lowest], loss[lowest], "o", color=f"C{k}")
    axes.set(xscale="log", xlabel=r"standard deviation $\sigma$", ylabel="loss of the point (nats)", ylim=(-7, 9))
    axes.legend(loc="upper right")
    return figure


def _band(axes: Axes, quartiles: xr.DataArray, colour: int, name: str) -> None:
    """A median with its quartiles over epochs."""
    low, middle, high = quartiles.transpose("quantile", "epoch").values
    axes.fill_between(quartiles["epoch"], low, high, color=f"C{colour % 6}", alpha=0.25, linewidth=0)
    axes.plot(quartiles["epoch"], middle, STYLES[colour % 4], color=f"C{colour % 6}", label=name)
