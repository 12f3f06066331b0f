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
from kbe.figures.words import described, first, last, rounded


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
    ages = next(iter(times.values()))["age"]
    _age_axis(axes[1], ages)
    legend_below(figure, 1)
    courses = "; ".join(
        f"{name}, {_epochs(epochs.isel(age=0))} at age {ages.values[0]:g} and {_epochs(epochs.isel(age=-1))} at age "
        f"{ages.values[-1]:g}, where the share that does not is {rounded((epochs.isel(age=-1) == np.inf).mean())}"
        for name, epochs in times.items()
    )
    return described(
        figure,
        f"The median epochs to learn half of B in a training of {horizon:g}, over the age: {courses}.",
    )


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
    courses = "; ".join(
        f"{name}: "
        + ", ".join(f"{first(one)} to {last(one)} at age {int(one['age'])}" for one in errors.transpose("age", ...))
        for name, errors in curves.items()
    )
    return described(figure, f"The median squared error on B, from epoch 0 to the last. {courses}.")


def what_ages(speeds: Mapping[str, xr.DataArray], numbers: Mapping[str, xr.DataArray], slope: float) -> Figure:
    """The first speed on a second task, above, and the number of sub-spaces, below, over the age.

    `speeds` and `numbers` (member, age) by name, drawn as medians with quartiles; if a quartile of a speed is not
    positive, the axis is linear about zero. The `slope` is the power of the age that theory gives for the speeds,
    drawn over the last three ages.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.0))
    groups = [{name: _quartiles(values) for name, values in curves.items()} for curves in (speeds, numbers)]
    for axis, curves in zip(axes, groups, strict=True):
        for k, (name, quantiles) in enumerate(curves.items()):
            style = {**look(k), "marker": MARKERS[k % 5]}
            band(axis, _places(quantiles["age"]), quantiles, alpha=0.15, **style, label=name)
    middle = next(iter(groups[0].values())).isel(quantile=1)
    ages = _places(middle["age"])[-3:]
    guide = 2 * middle.values[-1] * (ages / ages[-1]) ** slope
    axes[0].plot(ages, guide, color="C5", linewidth=4, alpha=0.4, label=f"slope {slope:g}")
    drawn = np.concatenate([quantiles.values.ravel() for quantiles in groups[0].values()])
    positive = drawn[drawn > 0]
    if (drawn <= 0).any() and positive.size:
        axes[0].set_yscale("symlog", linthresh=positive.min())
    elif positive.size:  # a logarithmic axis needs some
        axes[0].set_yscale("log")
    axes[0].set(ylabel="first speed on B")
    axes[1].set(ylabel="number of sub-spaces", ylim=(0, None), xlabel="age: epochs on task A")
    _age_axis(axes[1], middle["age"])
    legend_below(figure, 2)
    return described(
        figure,
        f"Above, the median first speed on B: {_courses(groups[0])}. Below, the median number of sub-spaces: "
        f"{_courses(groups[1])}.",
    )


def _quartiles(values: xr.DataArray) -> xr.DataArray:
    return values.quantile([0.25, 0.5, 0.75], "member").transpose("quantile", "age")


def _courses(curves: Mapping[str, xr.DataArray]) -> str:
    """Where the medians begin and end, and their extremes, in words."""
    return "; ".join(f"{name}, {_course(curve.isel(quantile=1))}" for name, curve in curves.items())


def _course(middle: xr.DataArray) -> str:
    drawn = middle[np.isfinite(middle.values)]
    if not drawn.size:
        return "no number"
    ordered = drawn.sortby(drawn)
    places = {"begins": drawn[0], "least": ordered[0], "greatest": ordered[-1], "ends": drawn[-1]}
    return ", ".join(f"{word} {rounded(one)} at age {one['age'].item():g}" for word, one in places.items())


def _epochs(times: xr.DataArray) -> str:
    """The lower median, in words."""
    middle = np.quantile(times, 0.5, method="lower")
    return rounded(middle, ".0f") if np.isfinite(middle) else "not within the training"


def _places(ages: xr.DataArray) -> np.ndarray:
    """Where ages stand on a logarithmic axis: the new networks half a decade before the youngest others."""
    values = ages.to_numpy().astype(float)
    return np.where(values > 0, values, min(values[values > 0], default=3.0) / 3)


def _age_axis(axis: Axes, ages: xr.DataArray) -> None:
    names = ["new" if age == 0 else f"{age:g}" for age in ages.to_numpy()]
    axis.set_xscale("log")
    axis.set_xticks(_places(ages), names)
    axis.minorticks_off()
