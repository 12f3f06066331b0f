"""Figures of the chapter on the mean-field model and the splitting of the input space."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import STYLES


def models_over_epochs(errors: Mapping[str, xr.DataArray], shares: Mapping[str, xr.DataArray]) -> Figure:
    """The squared error of a network and of models of it, and how much of the network each model explains.

    Parameters
    ----------
    errors : mapping of str to xarray.DataArray
        By name, the squared error (epoch); the network's first.
    shares : mapping of str to xarray.DataArray
        By the models' names, the share explained (epoch), drawn down to -1.

    Returns
    -------
    Figure
        Errors above, shares below; epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 6.6))
    styles = {name: (STYLES[k % 6], f"C{k % 6}") for k, name in enumerate(errors)}
    for axis, curves in zip(axes, (errors, shares), strict=True):
        for name, curve in curves.items():
            drawn = curve.sel(epoch=slice(1, None))
            axis.plot(drawn["epoch"], drawn, linestyle=styles[name][0], color=styles[name][1], label=name)
    axes[0].set(ylabel="mean squared error", ylim=(0, None))
    axes[1].axhline(0.9, color="C5", linewidth=0.8)
    axes[1].set(xscale="log", xlabel="epoch", ylabel="share explained", ylim=(-1.05, 1.05))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def maps_of_inputs(outputs: Mapping[str, xr.DataArray], trained: np.ndarray, targets: np.ndarray) -> Figure:
    """The outputs at all bit strings at some epochs, as maps on which neighbours differ by one bit.

    Parameters
    ----------
    outputs : mapping of str to xarray.DataArray
        By the name of the row, outputs (epoch, point) in the order of `encoding.all_inputs`.
    trained : array of int, shape (n,)
        The numbers of the trained inputs, marked with a circle for the target 1 and a cross for 0.
    targets : array, shape (n,)
        Their targets.

    Returns
    -------
    Figure
        One row for each mapping's entry, one column an epoch; the border of the two sides as a line.
    """
    epochs = next(iter(outputs.values()))["epoch"].values
    bits = int(next(iter(outputs.values())).sizes["point"]).bit_length() - 1
    rows, columns = _gray_order(bits // 2), _gray_order(bits - bits // 2)
    place = {row * len(columns) + column: (j, i) for i, row in enumerate(rows) for j, column in enumerate(columns)}
    across, down = np.array([place[int(code)] for code in trained]).T
    size = (5.4, 1.1 + 1.35 * len(outputs))
    figure, axes = plt.subplots(len(outputs), len(epochs), squeeze=False, figsize=size, sharex=True, sharey=True)
    for number, (name, values) in enumerate(outputs.items()):
        for axis, epoch in zip(axes[number], epochs, strict=True):
            cells = values.sel(epoch=epoch).to_numpy().reshape(2 ** (bits // 2), -1)[np.ix_(rows, columns)]
            image = axis.imshow(cells, vmin=0, vmax=1, interpolation="nearest")
            for marker, side in (("o", 1), ("x", 0)):
                chosen = np.asarray(targets) == side
                axis.plot(across[chosen], down[chosen], marker, color="white", markersize=4, markeredgecolor="white",
                          markerfacecolor="black", markeredgewidth=1)  # fmt: skip
            axis.set(xticks=[], yticks=[])
            if number == 0:
                axis.set_title(f"epoch {int(epoch)}")
        axes[number, 0].set_ylabel(name)
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.7, aspect=30, label=r"output $\mu$")
    return figure


def splits_over_epochs(
    numbers: Mapping[str, xr.DataArray], densities: Mapping[str, xr.DataArray], nulls: Mapping[str, tuple[float, float]]
) -> Figure:
    """The number of sub-spaces and the density of their boundary through training.

    Parameters
    ----------
    numbers, densities : mapping of str to xarray.DataArray
        By name, quantiles (quantile, epoch), three of them.
    nulls : mapping of str to (float, float)
        By name, a number and a density to compare with, drawn as lines.

    Returns
    -------
    Figure
        The numbers above, the densities below; epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 6.2))
    for which, (axis, curves) in enumerate(zip(axes, (numbers, densities), strict=True)):
        for k, (name, curve) in enumerate(curves.items()):
            low, middle, high = curve.sel(epoch=slice(1, None)).transpose("quantile", "epoch").values
            epochs = curve["epoch"].sel(epoch=slice(1, None))
            if k == 0:
                axis.fill_between(epochs, low, high, color=f"C{k}", alpha=0.2, linewidth=0)
            axis.plot(epochs, middle, linestyle=STYLES[k], color=f"C{k}", label=name)
        for k, (name, values) in enumerate(nulls.items()):
            axis.axhline(values[which], linestyle=STYLES[3 + k], color=f"C{3 + k}", label=name)
    axes[0].set(ylabel="number of sub-spaces", ylim=(0, None))
    axes[1].set(xscale="log", xlabel="epoch", ylabel="density of the boundary", ylim=(0, None))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _gray_order(bits: int) -> np.ndarray:
    """The numbers of that many bits in an order in which neighbours differ by one bit."""
    numbers = np.arange(2**bits)
    return numbers ^ (numbers >> 1)
