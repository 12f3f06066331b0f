"""Figures of the chapter on one hidden layer: the size of the response, its factors, and the methods' factors."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kbe.figures.bands import plain_logarithms, where_positive
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import all_last, described, first, last, rounded

FACTORS = {
    "size": "size",
    "head": "head $P$",
    "features": "features $F$",
    "readout": "read-out $A$",
    "slope": "slopes $S$",
}


def response_sizes(panels: dict[str, xr.Dataset], steep: float | None = None) -> Figure:
    """The size of the response over training for several activations, a panel for each head.

    By title the `panels` hold the curves (epoch), one variable an activation; epoch 0 is not drawn. A straight guide
    falls with the exponent `steep` in the first panel, to half of where its lowest curve ends.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, squeeze=False, figsize=(WIDTH, 2.6 * len(panels) + 0.9))
    for axis, (title, curves) in zip(axes[:, 0], panels.items(), strict=True):
        drawn = where_positive(curves.sel(epoch=slice(1, None)).to_array("activation"))
        for k, name in enumerate(curves):
            axis.plot(drawn.epoch, drawn.sel(activation=name), **look(k), label=str(name))
        axis.set(xscale="log", ylabel=r"response $\langle\Theta(x,x)\rangle$", title=title)
        plain_logarithms(axis, drawn)
    if steep is not None:
        _guide(axes[0, 0], next(iter(panels.values())), steep)
    axes[-1, 0].set_xlabel("training epochs")
    legend_below(figure, 3)
    ends = [
        ", ".join(f"{name} from {first(curve)} to {last(curve)}" for name, curve in curves.items())
        for curves in panels.values()
    ]
    told = "; ".join(f"{title}: {words}" for title, words in zip(panels, ends, strict=True))
    return described(figure, f"The size of the response over the epochs, on logarithmic axes. {told}.")


def factors_in_training(panels: dict[str, xr.Dataset]) -> Figure:
    """The factors of the response over training, each relative to its start, one panel above the other.

    By title the `panels` (epoch) hold `size`, `head`, `features`, `readout`, `slope`, and the name of the `stage`,
    marked where it begins; epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(len(panels), sharex=True, squeeze=False, figsize=(WIDTH, 2.8 * len(panels) + 0.9))
    for axis, (title, factors) in zip(axes[:, 0], panels.items(), strict=True):
        drawn = factors.sel(epoch=slice(1, None))
        for k, (name, label) in enumerate(FACTORS.items()):
            relative = where_positive(drawn[name] / factors[name].values[0])
            axis.plot(drawn.epoch, relative, **look(k), label=label)
        axis.set(xscale="log", yscale="log", ylabel="factor, start = 1", title=title)
        axis.margins(y=0.15)
        _mark_stages(axis, drawn)
    axes[-1, 0].set_xlabel("training epochs")
    legend_below(figure, 3)
    plain = {name: label.replace("$", "") for name, label in FACTORS.items()}
    told = [
        f"{title}: {all_last({label: one[name] / one[name].values[0] for name, label in plain.items()})}"
        for title, one in panels.items()
    ]
    words = f"The factors relative to their start, over the epochs, on logarithmic axes. At the end: {'; '.join(told)}."
    return described(figure, words)


def method_factors(factors: xr.Dataset, expected: dict[str, float]) -> Figure:
    """The methods' factors over training, above, and how well one number describes each method, below.

    `factors` holds `factor` and `cosine` (way, epoch), drawn over the epoch's number from 1; the axis of factors is
    logarithmic above 1 and linear below, so that negative ones are seen. The `expected` levels are marked by name.
    """
    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(WIDTH, 5.6), height_ratios=(5, 2))
    finite = factors.factor.where(np.isfinite(factors.factor))
    smallest = finite.min()
    for k, method in enumerate(factors.way.values):
        top.plot(factors.epoch + 1, finite.sel(way=method), **look(k), label=str(method))
        bottom.plot(factors.epoch + 1, factors.cosine.sel(way=method), **look(k))
    ink = plt.rcParams["text.color"]
    for label, level in expected.items():
        top.axhline(level, color=ink, linewidth=0.6)
        top.annotate(label, (1.01, level), xycoords=("axes fraction", "data"), va="center", fontsize=9, color=ink)
    top.axhline(0, color=ink, linewidth=0.6, linestyle=(0, (1, 2)))
    top.set(xscale="log", ylabel="factor $G$ of an epoch")
    top.set_yscale("symlog", linthresh=1, linscale=0.5)
    top.set_ylim(bottom=1.3 * np.nanmin([0.0, smallest]) - 0.3)
    top.yaxis.set_major_formatter("{x:g}")
    lowest = np.nanmin([0.0, *factors.cosine.values.ravel()])
    bottom.set(xlabel="training epoch", ylabel="cosine", ylim=(lowest - 0.05, 1.05))
    legend_below(figure, 3)
    ends = all_last({str(method): factors.factor.sel(way=method) for method in factors.way.values})
    return described(
        figure,
        f"The factor G over the epochs, which ends at {ends}; the smallest is {rounded(smallest)}. Below, the cosines: "
        f"the smallest is {rounded(factors.cosine.min())}.",
    )


def _guide(axis: Axes, curves: xr.Dataset, steep: float) -> None:
    end = curves.isel(epoch=-1)
    epochs = np.array([float(end.epoch) / 10, float(end.epoch)])
    level = float(where_positive(end.to_array()).min()) / 2
    if not np.isfinite(level):
        return
    ink = plt.rcParams["text.color"]
    axis.plot(epochs, level * (epochs / epochs[-1]) ** -steep, color=ink, linewidth=0.8)
    axis.annotate(f"slope $-{steep:g}$", (epochs[0], level * 10**steep), ha="right", va="top", fontsize=9, color=ink)


def _mark_stages(axis: Axes, drawn: xr.Dataset) -> None:
    ink = plt.rcParams["text.color"]
    for name in dict.fromkeys(drawn.stage.values):
        first = drawn.epoch.values[drawn.stage.values == name][0]
        axis.axvline(first, color=ink, linewidth=0.6, linestyle=(0, (1, 2)))
        axis.annotate(str(name), (first, 0.99), xycoords=("data", "axes fraction"), va="top", fontsize=9,
                      xytext=(3, 0), textcoords="offset points", color=ink)  # fmt: skip
    axis.xaxis.set_minor_locator(NullLocator())
