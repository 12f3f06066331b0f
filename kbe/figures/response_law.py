"""Figures of the chapter on the training response law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import band, where_positive
from kbe.figures.style import MARKERS, WIDTH, legend_below, look


def sizes_of_pairs(quartiles: xr.DataArray, exponents: Sequence[float], start: float) -> Figure:
    """The size of the response through training, for each kind of pairs of inputs, and power laws beside it.

    The `quartiles` (pairs, quantile, epoch) of the sizes are drawn from epoch 1 on; the `exponents` a are those of
    the power laws fitted from the epoch `start` on.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.4))
    for k, (name, exponent) in enumerate(zip(quartiles["pairs"].values, exponents, strict=True)):
        drawn = quartiles.sel(pairs=name, epoch=slice(1, None))
        band(axes, drawn["epoch"], drawn, alpha=0.2, **look(k), label=f"{name}, $a={exponent:.2f}$")
        times = drawn["epoch"].values[drawn["epoch"].values >= start]
        guide = (times / times[-1]) ** -exponent * drawn.isel(quantile=1).values[-1] * 1.35
        axes.plot(times, guide, color=f"C{k}", linewidth=4, alpha=0.45)
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="size of the response $|\\Theta|$")
    legend_below(figure, 1, title="pairs of inputs, and the power $t^{-a}$ beside them")
    return figure


def predictions_of_laws(found: Mapping[str, xr.Dataset]) -> Figure:
    """What each law of time, fitted to the first half of a range, predicts for the second half.

    By the name of the range, a panel each, `found` is what `laws.compare_extrapolations` returns: data as markers, the
    laws as lines, a vertical line between the halves.
    """
    figure, rows = plt.subplots(len(found), squeeze=False, figsize=(WIDTH, 1.0 + 3.0 * len(found)))
    for axes, (name, laws) in zip(rows[:, 0], found.items(), strict=True):
        low, high = laws.attrs["window"]
        for k, law in enumerate(laws["law"].values):
            axes.plot(laws["epoch"], laws["predicted"].sel(law=law), **look(k), label=law)
        axes.plot(laws["epoch"], laws["median"], "o", color="C5", markersize=5, label="measured")
        axes.axvline(np.sqrt(low * high), color="C5", linewidth=0.8)
        least, most = laws["median"].values.min(), laws["median"].values.max()
        axes.set(xscale="log", yscale="log", title=name, ylabel="$|\\Theta|$", ylim=(least / 2, most * 2))
    rows[-1, 0].set_xlabel("epoch")
    legend_below(figure, 2)
    return figure


def exponents_of_settings(exponents: xr.Dataset, predicted: Sequence[float]) -> Figure:
    """The exponent of aging for each setting and kind of pairs, one row a setting.

    `exponents` holds `exponent`, `low` and `high` (setting, pairs); lines stand at what the saturation of the head
    `predicted` for each kind of pairs.
    """
    settings = exponents["setting"].values
    figure, axes = plt.subplots(figsize=(WIDTH, 1.6 + 0.34 * len(settings)))
    for k, name in enumerate(exponents["pairs"].values):
        one = exponents.sel(pairs=name)
        places = np.arange(len(settings)) + 0.18 * (k - 1)
        error = np.abs(np.stack([one["exponent"] - one["low"], one["high"] - one["exponent"]]))
        axes.errorbar(one["exponent"], places, xerr=error, fmt=MARKERS[k], color=f"C{k}", capsize=2, label=name)
        axes.axvline(predicted[k], **look(k), linewidth=1)
    axes.set_yticks(range(len(settings)), settings)
    axes.invert_yaxis()
    axes.set_xlabel("exponent $a$ of $t^{-a}$")
    legend_below(figure, 2, title="pairs of inputs; lines: predicted")
    return figure


def shapes_in_training(profiles: Mapping[str, xr.DataArray]) -> Figure:
    """The response over distance at stages of the training, each brought to one size; an exponential would be straight.

    By stage the `profiles` are the response (distance).
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    for k, (name, profile) in enumerate(profiles.items()):
        axes.plot(profile["distance"], where_positive(profile), **look(k), marker=MARKERS[k % 5], label=name)
    axes.set(yscale="log", xlabel="distance $d$ (bits)", ylabel="response over its size")
    axes.legend(loc="lower left")
    return figure
