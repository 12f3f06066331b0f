"""Figures of the chapter on the training response law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import STYLES

MARKERS = "os^Dv"


def sizes_of_pairs(quartiles: xr.DataArray, exponents: Sequence[float], start: float) -> Figure:
    """The size of the response through training, for each kind of pairs of inputs.

    Parameters
    ----------
    quartiles : xarray.DataArray
        Sizes (pairs, quantile, epoch), three quantiles; epoch 0 is not drawn.
    exponents : sequence of float
        The exponent a of the power law fitted to each.
    start : float
        The epoch from which it was fitted.

    Returns
    -------
    Figure
        Medians with quartiles on logarithmic axes, and the power laws beside them.
    """
    figure, axes = plt.subplots(figsize=(5.4, 4.4))
    for k, (name, exponent) in enumerate(zip(quartiles["pairs"].values, exponents, strict=True)):
        drawn = quartiles.sel(pairs=name, epoch=slice(1, None)).transpose("quantile", "epoch")
        low, middle, high = drawn.values
        axes.fill_between(drawn["epoch"], low, high, color=f"C{k}", alpha=0.2, linewidth=0)
        axes.plot(drawn["epoch"], middle, STYLES[k], color=f"C{k}", label=f"{name}, $a={exponent:.2f}$")
        times = drawn["epoch"].values[drawn["epoch"].values >= start]
        guide = (times / times[-1]) ** -exponent * middle[-1] * 1.35
        axes.plot(times, guide, color=f"C{k}", linewidth=4, alpha=0.45)
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="size of the response $|\\Theta|$")
    figure.legend(loc="outside lower center", ncols=1, title="pairs of inputs, and the power $t^{-a}$ beside them")
    return figure


def predictions_of_laws(found: Mapping[str, xr.Dataset]) -> Figure:
    """What each law of time, fitted to the first half of a range, predicts for the second half.

    Parameters
    ----------
    found : mapping of str to xarray.Dataset
        By the name of the range, what `laws.compare_extrapolations` returns.

    Returns
    -------
    Figure
        A panel a range: the data as markers, the laws as lines, a vertical line between the halves.
    """
    figure, rows = plt.subplots(len(found), squeeze=False, figsize=(5.4, 1.0 + 3.0 * len(found)))
    for axes, (name, laws) in zip(rows[:, 0], found.items(), strict=True):
        low, high = laws.attrs["window"]
        for k, law in enumerate(laws["law"].values):
            axes.plot(laws["epoch"], laws["predicted"].sel(law=law), linestyle=STYLES[k], color=f"C{k}", label=law)
        axes.plot(laws["epoch"], laws["median"], "o", color="C5", markersize=5, label="measured")
        axes.axvline(np.sqrt(low * high), color="C5", linewidth=0.8)
        least, most = laws["median"].values.min(), laws["median"].values.max()
        axes.set(xscale="log", yscale="log", title=name, ylabel="$|\\Theta|$", ylim=(least / 2, most * 2))
    rows[-1, 0].set_xlabel("epoch")
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def exponents_of_settings(exponents: xr.Dataset, predicted: Sequence[float]) -> Figure:
    """The exponent of aging for each setting and kind of pairs.

    Parameters
    ----------
    exponents : xarray.Dataset
        `exponent`, `low`, `high` (setting, pairs).
    predicted : sequence of float
        What the saturation of the head predicts for each kind of pairs, drawn as lines.

    Returns
    -------
    Figure
        One row a setting, the exponents across.
    """
    settings = exponents["setting"].values
    figure, axes = plt.subplots(figsize=(5.4, 1.6 + 0.34 * len(settings)))
    for k, name in enumerate(exponents["pairs"].values):
        one = exponents.sel(pairs=name)
        places = np.arange(len(settings)) + 0.18 * (k - 1)
        error = np.abs(np.stack([one["exponent"] - one["low"], one["high"] - one["exponent"]]))
        axes.errorbar(one["exponent"], places, xerr=error, fmt=MARKERS[k], color=f"C{k}", capsize=2, label=name)
        axes.axvline(predicted[k], linestyle=STYLES[k], color=f"C{k}", linewidth=1)
    axes.set_yticks(range(len(settings)), settings)
    axes.invert_yaxis()
    axes.set_xlabel("exponent $a$ of $t^{-a}$")
    figure.legend(loc="outside lower center", ncols=2, title="pairs of inputs; lines: predicted")
    return figure


def shapes_in_training(profiles: Mapping[str, xr.DataArray]) -> Figure:
    """The response over distance at stages of the training, each brought to one size.

    Parameters
    ----------
    profiles : mapping of str to xarray.DataArray
        By the name of a stage, the response (distance).

    Returns
    -------
    Figure
        A line for each stage; an exponential would be straight.
    """
    figure, axes = plt.subplots(figsize=(5.4, 3.8))
    for k, (name, profile) in enumerate(profiles.items()):
        kept = profile.where(profile > 0)
        axes.plot(kept["distance"], kept, STYLES[k % 5], marker=MARKERS[k % 5], color=f"C{k % 6}", label=name)
    axes.set(yscale="log", xlabel="distance $d$ (bits)", ylabel="response over its size")
    axes.legend(loc="lower left")
    return figure
