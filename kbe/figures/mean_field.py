"""Figures of the chapter on the mean-field model and the splitting of the input space."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import band
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import all_last, described, first, last, rounded


def models_over_epochs(errors: Mapping[str, xr.DataArray], shares: Mapping[str, xr.DataArray]) -> Figure:
    """The squared error of a network and of models of it, and how much of the network each model explains.

    By name the `errors` (epoch), above, the network's first, and the `shares` of the network's outputs that the
    models explain (epoch), below, on an axis that is logarithmic below -1; epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.6))
    looks = {name: look(k) for k, name in enumerate(errors)}
    for axis, curves in zip(axes, (errors, shares), strict=True):
        for name, curve in curves.items():
            drawn = curve.sel(epoch=slice(1, None))
            axis.plot(drawn["epoch"], drawn, **looks[name], label=name)
    axes[0].set(ylabel="mean squared error", ylim=(0, None))
    axes[1].axhline(0.9, color="C5", linewidth=0.8)
    axes[1].axhline(0, color="C5", linewidth=0.8, alpha=0.4)
    axes[1].set_yscale("symlog", linthresh=1, linscale=2)
    least = {name: _least(curve.sel(epoch=slice(1, None))) for name, curve in shares.items()}
    lowest = np.nanmin([0, *least.values()])
    axes[1].set_yticks([*(-(10.0**k) for k in range(20) if 10**k <= -lowest), -0.5, 0, 0.5, 0.9])
    axes[1].yaxis.set_major_formatter("{x:g}")
    axes[1].yaxis.minorticks_off()
    axes[1].set(xscale="log", xlabel="epoch", ylabel="share explained", ylim=(min(-1, 1.6 * lowest), 1.1))
    legend_below(figure, 2)
    courses = ", ".join(
        f"{rounded(least[name], '.3g')} at its least and {last(curve)} at the end ({name})"
        for name, curve in shares.items()
    )
    return described(
        figure,
        "Over the epochs, on a logarithmic axis. Above, the mean squared error begins at "
        f"{first(next(iter(errors.values())))} and ends at {all_last(errors)}. "
        f"Below, the share explained is {courses}.",
    )


def maps_of_inputs(outputs: Mapping[str, xr.DataArray], trained: np.ndarray, targets: np.ndarray) -> Figure:
    """The outputs at all bit strings at some epochs, as maps on which neighbours differ by one bit.

    Each of the `outputs` (epoch, point), in the order of `encoding.all_inputs`, is a row by its name, each epoch a
    column. The numbers of the `trained` inputs (n) are marked with a circle for a target of 1 and a cross for 0, as
    the `targets` (n) say.
    """
    epochs = next(iter(outputs.values()))["epoch"].values
    bits = int(next(iter(outputs.values())).sizes["point"]).bit_length() - 1
    rows, columns = _gray_order(bits // 2), _gray_order(bits - bits // 2)
    place = {row * len(columns) + column: (j, i) for i, row in enumerate(rows) for j, column in enumerate(columns)}
    across, down = np.array([place[int(code)] for code in trained]).T
    size = (WIDTH, 1.1 + 1.35 * len(outputs))
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
    shares = "; ".join(
        f"{', '.join(rounded((values.sel(epoch=epoch) >= 0.5).mean()) for epoch in epochs)} ({name})"
        for name, values in outputs.items()
    )
    return described(
        figure,
        f"Maps of {len(rows)} by {len(columns)} inputs at the epochs {', '.join(f'{epoch:.0f}' for epoch in epochs)}. "
        f"The share of inputs with an output of one half or more is {shares}.",
    )


def splits_over_epochs(
    numbers: Mapping[str, xr.DataArray], densities: Mapping[str, xr.DataArray], nulls: Mapping[str, tuple[float, float]]
) -> Figure:
    """The number of sub-spaces and the density of their boundary through training; epoch 0 is not drawn.

    By name the `numbers`, above, and the `densities`, below, are quantiles (quantile, epoch), of which the first
    name has a band. The `nulls`, a number and a density each, are drawn as lines to compare with.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.2))
    for which, (axis, curves) in enumerate(zip(axes, (numbers, densities), strict=True)):
        for k, (name, curve) in enumerate(curves.items()):
            drawn = curve.sel(epoch=slice(1, None))
            if k == 0:
                band(axis, drawn["epoch"], drawn, alpha=0.2, **look(k), label=name)
            else:
                axis.plot(drawn["epoch"], drawn.isel(quantile=1), **look(k), label=name)
        for k, (name, values) in enumerate(nulls.items()):
            axis.axhline(values[which], **look(3 + k), label=name)
    axes[0].set(ylabel="number of sub-spaces", ylim=(0, None))
    axes[1].set(xscale="log", xlabel="epoch", ylabel="density of the boundary", ylim=(0, None))
    legend_below(figure, 2)
    lines = ", ".join(
        f"{rounded(number, '.3g')} and {rounded(border)} ({name})" for name, (number, border) in nulls.items()
    )
    return described(
        figure,
        f"Over the epochs, on a logarithmic axis. Above, the median number of sub-spaces ends at {all_last(numbers)}. "
        f"Below, the density of the boundary ends at {all_last(densities)}. Lines to compare with, number and density: "
        f"{lines}.",
    )


def _gray_order(bits: int) -> np.ndarray:
    """The numbers of that many bits in an order in which neighbours differ by one bit."""
    numbers = np.arange(2**bits)
    return numbers ^ (numbers >> 1)


def _least(curve: xr.DataArray) -> float:
    """The least finite value of a curve; NaN if there is none."""
    values = curve.values[np.isfinite(curve)]
    return float(values.min()) if values.size else np.nan
