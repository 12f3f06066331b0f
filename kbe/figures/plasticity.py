"""Figures of the chapter on complexity and plasticity: learning a second task at every age, and what ages."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe.figures.bands import band
from kbe.figures.style import MARKERS, WIDTH, legend_below, look


def learning_anew(times: Mapping[str, xr.DataArray], horizon: float) -> Figure:
    """How long networks of every age need to learn a second task, and which of them do not learn it.

    By name the `times` are epochs (member, age), infinite for a member that does not get there: median with
    quartiles above, as long as they are finite, the share that has not learnt below. A line stands at the epochs
    after which training ended, the `horizon`.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.4), height_ratios=(3, 2))
    for k, (name, epochs) in enumerate(times.items()):
        style = {**look(k), "marker": MARKERS[k % 5]}
        ordered = np.quantile(epochs.transpose("member", "age"), (0.25, 0.5, 0.75), axis=0, method="lower")
        low, middle, high = np.minimum(ordered, 1.25 * horizon)
        finite = np.where(np.isfinite(ordered[1]), middle, np.nan)
        band(axes[0], _places(epochs["age"]), (low, finite, high), alpha=0.12, **style, label=name)
        axes[1].plot(_places(epochs["age"]), (epochs == np.inf).mean("member"), **style)
    axes[0].set(yscale="log", ylabel="epochs to learn half of B", ylim=(None, 1.25 * horizon))
    axes[0].axhline(horizon, color="C5", linewidth=0.8)
    axes[1].set(ylabel="share that does not", ylim=(-0.03, 1.03), xlabel="age: epochs on task A")
    _age_axis(axes[1], next(iter(times.values()))["age"])
    legend_below(figure, 1)
    return figure


def second_curves(curves: Mapping[str, xr.DataArray]) -> Figure:
    """The squared error on a second task, a panel for each network, a line for each age.

    By the name of the network the `curves` are median errors (age, epoch); epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(1, len(curves), sharey=True, squeeze=False, figsize=(WIDTH, 4.0))
    for axis, (name, errors) in zip(axes[0], curves.items(), strict=True):
        for k, age in enumerate(errors["age"].values):
            drawn = errors.sel(age=age, epoch=slice(1, None))
            axis.plot(drawn["epoch"], drawn, **look(k), label=f"age {int(age)}")
        axis.set(xscale="log", xlabel="epoch on task B", title=name, ylim=(0, 0.55))
    axes[0, 0].set_ylabel("mean squared error on B")
    legend_below(figure, 3)
    return figure


def what_ages(speeds: Mapping[str, xr.DataArray], numbers: Mapping[str, xr.DataArray], slope: float) -> Figure:
    """The first speed on a second task, above, and the number of sub-spaces, below, over the age.

    `speeds` and `numbers` (member, age) by name, drawn as medians with quartiles. The `slope` is the power of the
    age that theory gives for the speeds, drawn over the last three ages.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.0))
    for axis, curves in zip(axes, (speeds, numbers), strict=True):
        for k, (name, values) in enumerate(curves.items()):
            quantiles = np.nanquantile(values.transpose("member", "age"), (0.25, 0.5, 0.75), axis=0)
            style = {**look(k), "marker": MARKERS[k % 5]}
            band(axis, _places(values["age"]), quantiles, alpha=0.15, **style, label=name)
    first = next(iter(speeds.values()))
    ages = _places(first["age"])[-3:]
    guide = 2 * float(first.isel(age=-1).median()) * (ages / ages[-1]) ** slope
    axes[0].plot(ages, guide, color="C5", linewidth=4, alpha=0.4, label=f"slope {slope:g}")
    axes[0].set(yscale="log", ylabel="first speed on B")
    axes[1].set(ylabel="number of sub-spaces", ylim=(0, None), xlabel="age: epochs on task A")
    _age_axis(axes[1], first["age"])
    legend_below(figure, 2)
    return figure


def _places(ages: xr.DataArray) -> np.ndarray:
    """Where ages stand on a logarithmic axis: the new networks half a decade before the youngest others."""
    values = ages.to_numpy().astype(float)
    return np.where(values > 0, values, min(values[values > 0], default=3.0) / 3)


def _age_axis(axis: Axes, ages: xr.DataArray) -> None:
    names = ["new" if age == 0 else f"{age:g}" for age in ages.to_numpy()]
    axis.set_xscale("log")
    axis.set_xticks(_places(ages), names)
    axis.minorticks_off()
