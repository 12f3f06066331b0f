"""Figures of the chapter on the variance dynamics: flows, the instability, and its fore-runners (Fig. 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe.figures.bands import band
from kbe.figures.style import WIDTH
from kbe.figures.words import described, first, last, rounded

MIDDLE = [0.1, 0.5, 0.9]  # bands hold 80 %


def conserved(flows: Sequence[xr.Dataset]) -> Figure:
    """The bracket that falls at a rate of its own, and the loss, along each of the `flows`.

    A flow has `bound`, the time left by the bracket, with a dot where sigma reaches 0, and `loss` (time).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.0), sharex=True)
    for flow in flows:
        (line,) = left.plot(flow.time, flow.bound, linewidth=1.0)
        left.plot(flow.time[-1:], flow.bound[-1:], "o", markersize=4, color=line.get_color())
        right.plot(flow.time, flow.loss, linewidth=1.0, color=line.get_color())
    left.set(xlabel="time", title="time left at most", ylim=(0, None))
    right.set(xlabel="time", title="loss (nats)")
    starts, ends = ([float(flow.bound[place]) for flow in flows] for place in (0, -1))
    return described(
        figure,
        f"{len(flows)} flows over time. Left, the time left at most: it starts between {rounded(min(starts))} and "
        f"{rounded(max(starts))}, falls steadily, and is between {rounded(min(ends))} and {rounded(max(ends))} at the "
        f"dots, where the first sigma reaches 0. Right, the loss: in the first flow it goes from "
        f"{first(flows[0].loss)} to {last(flows[0].loss)}.",
    )


def closeness(errors: xr.Dataset) -> Figure:
    """How far the local rates are from the exact ones, over the course of the flow.

    The `errors` are `mean` and `deviation` (member, share), relative ones over the share of the time to collapse,
    drawn as medians with the middle 80 %; at the level 1 nothing is left.
    """
    figure, axes = plt.subplots()
    bands = {name: errors[name].quantile(MIDDLE, "member") for name in ("mean", "deviation")}
    looks: dict[str, dict[str, Any]] = {
        "mean": {"color": "C0", "marker": "o", "linestyle": "-", "label": "Eq. (22) for (21)"},
        "deviation": {"color": "C1", "marker": "s", "linestyle": "--", "label": "Eq. (24) for (23)"},
    }
    for name, values in bands.items():
        band(axes, errors.share, values, **looks[name], markersize=4)
    axes.axhline(1, linestyle=":", color=plt.rcParams["axes.edgecolor"], linewidth=1.0)
    axes.set(xlabel="share of the time to collapse", ylabel="relative error of the rates", yscale="log")
    axes.legend(loc="lower right")
    courses = "; ".join(
        f"that of Eq. ({number}) is {first(bands[name])} at the start, "
        f"{rounded(bands[name][1].sel(share=0.5, method='nearest'))} half way and {last(bands[name])} at the end"
        for name, number in (("mean", 22), ("deviation", 24))
    )
    return described(figure, f"The median relative error of the rates, up to the collapse: {courses}.")


def toward_onset(lagged: xr.Dataset, *, mark: Mapping[str, float] | None = None) -> Figure:
    """Quantities over the epochs before each member's onset: median and the middle 80 % of members, a panel each.

    The variables of `lagged` (member, lag) have a `long_name`; `mark` has a level to mark, by the variable's name.
    """
    figure, row = plt.subplots(1, len(lagged.data_vars), figsize=(WIDTH, 3.0), squeeze=False)
    courses = []
    for axes, (name, values) in zip(row[0], lagged.data_vars.items(), strict=True):
        quantiles = values.quantile(MIDDLE, "member")
        band(axes, values.lag, quantiles, color="C0", marker="o", markersize=3.5)
        courses.append(f"{values.attrs['long_name']} goes from {first(quantiles)} to {last(quantiles)}")
        if mark and name in mark:
            axes.axhline(mark[str(name)], color="C1", linestyle="--")
            passed = values.lag.values[quantiles[1] > mark[str(name)]]
            courses[-1] += (
                f" and is above {mark[str(name)]:g} on the last {len(passed)} of {values.lag.size} epochs drawn"
            )
        axes.set(xlabel="epochs before the onset", title=values.attrs["long_name"], yscale="log")
        axes.invert_xaxis()
    ends = " to ".join(f"{float(lag):.0f}" for lag in lagged.lag.values[[0, -1]])
    return described(figure, f"From {ends} epochs before the onset, medians: {'; '.join(courses)}.")


def groups(run: xr.Dataset, convergent: np.ndarray, jumping: np.ndarray, pairs: str) -> Figure:
    """Convergent and unstable points of one network, and all of them, over epochs, as Fig. 7.

    The `run` is one member: `mu` and `sigma` (epoch, point), and `onset`, dashed. The `convergent` and the
    `jumping` points are those of panels (a) and (b); the text `pairs` stands in the box of panel (a).
    """
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 5.2), sharex=True, sharey=True)
    everything = np.ones_like(convergent)
    shown = [("(a) convergent", run.sigma, convergent), ("(b) first to jump", run.sigma, jumping)]
    shown += [("(c) all", run.sigma, everything), ("(d) all", run.mu, everything)]
    for axes, (title, values, points) in zip(grid.flat, shown, strict=True):
        axes.plot(run.epoch, values.transpose("epoch", "point").values[:, points], linewidth=1.0)
        if np.isfinite(run.onset):
            axes.axvline(
                float(run.onset), linestyle="--", linewidth=0.8, alpha=0.6, color=plt.rcParams["axes.edgecolor"]
            )
        label = r"$\mu$" if values.name == "mu" else r"$\sigma$"
        axes.set(title=title, ylabel=label, ylim=(-0.04, 1.04), xlim=(0, float(run.epoch[-1])))
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    if pairs:
        _box(grid[0, 0], pairs)
    return described(
        figure,
        f"One network of {len(everything)} points over {rounded(run.epoch[-1], '.0f')} epochs, with its onset at epoch "
        f"{rounded(run.onset, '.0f')}. (a) {_ends(run, convergent, 'converged')}. "
        f"(b) {_ends(run, jumping, 'jumping first')}. (c) and (d): all sigma and all mu.",
    )


def _ends(run: xr.Dataset, points: np.ndarray, what: str) -> str:
    """How many points these are, and how far their sigma reach one epoch before the onset."""
    before = run.sigma.transpose("epoch", "point").values[(run.epoch < run.onset).values][-1:, points]
    lowest, highest = (rounded(end(before)) if before.size else "no number" for end in (np.min, np.max))
    return (
        f"{int(points.sum())} points {what}; in the epoch before the onset, their sigma is from {lowest} to {highest}"
    )


def _box(axes: Axes, text: str) -> None:
    frame = {"facecolor": plt.rcParams["axes.facecolor"], "edgecolor": plt.rcParams["axes.edgecolor"]}
    frame |= {"alpha": 0.85, "boxstyle": "round", "linewidth": 0.6}
    style: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 7.5, "family": "monospace", "bbox": frame}
    axes.text(0.97, 0.95, text, transform=axes.transAxes, **style)
