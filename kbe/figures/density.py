"""Figures of the chapter on the data density transition: the variances, their map, what sets the onset."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from kbe.figures.bands import band, bars, plain_logarithms, plain_numbers
from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Cells, Curve, Panel
from kbe.figures.style import WIDTH, legend_below
from kbe.figures.words import described, first, last, rounded

VARIANCES = {"squared_error": "$V$", "predicted": "$V^*$", "gap": "$|V-V^*|$"}

SHARES = {"unstable": "unstable", "left_out": "not finite"}

AGAINST = {"points": "points $N$", "density": "density $N/2^b$", "per_parameter": "points per parameter $N/P$"}

MARKERS = "osD^v"


def variances_over_sizes(single: xr.Dataset, quartiles: xr.Dataset, shares: xr.Dataset) -> Figure:
    """The two variances and their gap over the size of the data set, as the paper's Fig. 2.

    One above the other: `squared_error`, `predicted` and `gap` (points) of a `single` network at each size, NaN
    where it blew up; the same of an ensemble, its `quartiles` (quantile, points); and the `shares` of members
    (points) that are `unstable` and `left_out`.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(WIDTH, 7.4), height_ratios=(3, 3, 2))
    kept = single.dropna("points")
    lost = [n for n in single.points.values if n not in kept.points]
    axes[0].plot(lost, np.full(len(lost), 1.09), "x", color="C5", clip_on=False)
    axes[0].set_title("one network at each size (crosses: not finite)")
    axes[1].set_title("ensemble: median and quartiles of the finite")
    for k, (name, label) in enumerate(VARIANCES.items()):
        style: dict[str, Any] = {"marker": MARKERS[k], "markersize": 7 - 1.5 * k, "color": f"C{k}"}
        axes[0].plot(kept.points, kept[name], **style, label=label)
        band(axes[1], quartiles.points, quartiles[name], **style)
    for k, (name, label) in enumerate(SHARES.items(), len(VARIANCES)):
        axes[2].plot(shares.points, shares[name], marker=MARKERS[k], markersize=5, color=f"C{k}", label=label)
    for axis, label, top in zip(axes, ("variance", "variance", "share of members"), (1.12, 1.05, 1.03), strict=True):
        axis.set(ylabel=label, ylim=(-0.03, top))
    _size_axis(axes[2])
    legend_below(figure, 3)
    medians = ", ".join(
        f"{label} from {first(quartiles[name])} to {last(quartiles[name])}"
        for name, label in (("squared_error", "V"), ("predicted", "V*"), ("gap", "their gap"))
    )
    return described(
        figure,
        f"Over the size N from {rounded(shares.points[0], 'g')} to {rounded(shares.points[-1], 'g')}, medians of the "
        f"ensemble: {medians}. The share of members that are unstable goes from {first(shares.unstable)} to "
        f"{last(shares.unstable)}, and not finite from {first(shares.left_out)} to {last(shares.left_out)}.",
    )


def gap_map(gap: xr.DataArray, onset: xr.DataArray) -> Figure:
    """The gap of the variances over size and training epoch in colour, as the paper's Fig. 3.

    The `gap` (points, epoch) is NaN where no member is finite; epoch 0 is not drawn. The lines of `onset`
    (quantile, points) are epochs by which given shares of the members have had their onset, infinite for never.
    """
    return _map(gap, onset, LogNorm(1e-4, 1), "$|V-V^*|$, median of the finite members")


def scale_map(alpha: xr.DataArray, onset: xr.DataArray) -> Figure:
    """The prediction scale over size and training epoch in colour.

    `alpha` (points, epoch), per bit, is NaN where there is none; epoch 0 is not drawn. The `onset` is as for
    `gap_map`.
    """
    return _map(alpha, onset, LogNorm(0.01, 1), r"$\alpha$, per bit, median before the onset")


def onsets_by_size(gap: xr.DataArray, onset: xr.DataArray) -> MovingFigure:
    """The map of `gap_map` with the onsets of all members of one size, which is to be moved.

    The `gap` (points, epoch) is NaN where no member is finite; epoch 0 is not drawn. The `onset` (points, member) is
    infinite for a member that has none; onsets are spread sideways. Beside the map: the gap, and the share of members
    whose onset is over.
    """
    drawn = gap.sel(epoch=slice(1, None)).transpose("points", "epoch")
    sizes, epochs = drawn.points.values, drawn.epoch.values
    each = np.sort(onset.transpose("points", "member").values, -1)
    over = (each[:, None] <= epochs[:, None]).mean(-1)
    finite, half = (np.where(np.isfinite(values), values, np.nan) for values in (each, np.median(each, -1)))
    aside = 1.25 ** (np.arange(each.shape[1]) * 0.618 % 1 - 0.5)  # neighbours in time stand apart
    middle = Curve("half of the members unstable", sizes, half, gaps=True)
    members = Curve("onset of a member", sizes[:, None] * aside, finite, markers=True, gaps=True)
    cells = Cells("|V − V*|", sizes, epochs, drawn.T, (1e-4, 1))
    across, upward = (0.85 * sizes[0], 1.2 * sizes[-1]), (1, epochs[-1])
    by_size = Panel(
        "All sizes", "size N", "training epochs", [middle, members], across, upward, "xy", cells, follows=sizes
    )
    courses = [
        Curve("share of members past their onset", epochs, over),
        Curve("median |V − V*| of the finite", epochs, drawn.values, gaps=True),
    ]
    one_size = Panel("This size", "training epochs", "share, variance", courses, upward, (-0.02, 1.05), "x")
    said = []
    for ones, median in zip(each, half, strict=True):
        known = ones[np.isfinite(ones)]
        by = f", half of all by {median:.0f}" if np.isfinite(median) else ""
        course = f": the first at {known[0]:.0f}{by}, the last at {known[-1]:.0f}" if known.size else ""
        said.append(f"{known.size} of {ones.size} members have their onset by epoch {epochs[-1]}{course}.")
    count = len(sizes)
    return MovingFigure("data set", [f"N = {size}" for size in sizes], said, [by_size, one_size], count // 2)


def onset_against(onsets: xr.Dataset) -> Figure:
    """The median onset against the number of points, their density, and the points per parameter.

    Each of the three panels has the same `onsets` (ensemble): `median`, `low`, `high` in epochs, over `points`,
    `density`, `per_parameter`; ensembles of one `family` are joined.
    """
    figure, axes = plt.subplots(3, sharey=True, figsize=(WIDTH, 7.8))
    for axis, (name, label) in zip(axes, AGAINST.items(), strict=True):
        for k, family in enumerate(dict.fromkeys(onsets.family.values)):
            _with_interval(axis, onsets.sel(ensemble=onsets.family == family), name, k, family)
        axis.set(xscale="log", xlabel=label, ylabel="median onset, epochs")
        plain_numbers(axis.xaxis)
    plain_logarithms(axes[0], onsets["median"])
    legend_below(figure, 2)
    ranges = []
    for family in dict.fromkeys(onsets.family.values):
        one = onsets.sel(ensemble=onsets.family == family)
        kinds = {"N": one.points, "the density": one.density, "the median onset": one["median"]}
        ranges.append(f"{family}: " + ", ".join(f"{name} {_range(values)}" for name, values in kinds.items()))
    return described(figure, f"Median onsets against three quantities. {'. '.join(ranges)}.")


def onset_over_sizes(groups: dict[str, xr.Dataset], ylabel: str) -> Figure:
    """The median onset over the size of the data set for several ways to train.

    Each of the `groups` has `median`, `low` and `high` (points); `ylabel` says what they are, with its unit.
    """
    figure, axes = plt.subplots()
    for k, (label, group) in enumerate(groups.items()):
        _with_interval(axes, group, "points", k, label)
    axes.set_ylabel(ylabel)
    plain_logarithms(axes, np.concatenate([group["median"] for group in groups.values()]))
    _size_axis(axes)
    legend_below(figure, 2)
    ends = [f"{label}: from {_at(one['median'], 0)} to {_at(one['median'], -1)}" for label, one in groups.items()]
    return described(figure, f"Over the size N, {ylabel}. {'; '.join(ends)}.")


def _map(values: xr.DataArray, onset: xr.DataArray, norm: LogNorm, label: str) -> Figure:
    figure, axes = plt.subplots(figsize=(WIDTH, 4.6))
    drawn = values.sel(epoch=slice(1, None)).transpose("epoch", "points")
    across, upward = _edges(drawn.points.values), _edges(drawn.epoch.values)
    image = axes.pcolormesh(across, upward, drawn, norm=norm, rasterized=True)
    figure.colorbar(image, label=label, extend="both")
    stroke = [withStroke(linewidth=4, foreground=plt.rcParams["axes.facecolor"])]
    for share, style in zip(onset["quantile"].values, (":", "-", "--"), strict=True):
        line = onset.sel(quantile=share)
        axes.plot(line.points, line, style, color="C1", path_effects=stroke, label=f"{share:.0%} unstable")
    axes.set(yscale="log", ylabel="training epochs $e_{mx}$", ylim=(upward[0], upward[-1]))
    _size_axis(axes)
    axes.set_xlim(across[0], across[-1])
    legend_below(figure, 3)
    middle = onset.isel(quantile=onset.sizes["quantile"] // 2)
    stable = drawn.epoch < middle
    return described(
        figure,
        f"A map over the size N and the training epochs of {label.replace('$', '')}. Half of the networks are unstable "
        f"by epoch {_at(middle, 0)} and epoch {_at(middle, -1)}. Before that the values are "
        f"{_range(drawn.where(stable))}, after it {_range(drawn.where(~stable))}.",
    )


def _range(values: xr.DataArray) -> str:
    """The least and the greatest of some values in words, as far as they are finite."""
    finite = values.values[np.isfinite(values)]
    return f"{rounded(finite.min(), '.3g')} to {rounded(finite.max(), '.3g')}" if finite.size else rounded(np.nan)


def _at(medians: xr.DataArray, place: int) -> str:
    """A median onset in words, with its size N."""
    return f"{rounded(medians[place], 'g')} (N = {rounded(medians.points[place], 'g')})"


def _with_interval(axis: Axes, data: xr.Dataset, against: str, k: int, label: str) -> None:
    ordered = data.sortby(against)
    quantiles = ordered.low, ordered["median"], ordered.high
    style: dict[str, Any] = {"color": f"C{k}", "marker": MARKERS[k], "markersize": 5, "linewidth": 1}
    bars(axis, ordered[against].values, quantiles, **style, label=label)


def _size_axis(axis: Axes) -> None:
    axis.set(xscale="log", xlabel="size of the data set $N$")
    ticks = [1, 2, 5, 10, 20, 50, 100, 256]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()


def _edges(centres: np.ndarray) -> np.ndarray:
    """The borders of cells around centres on a logarithmic axis."""
    logs = np.log(centres.astype(float))
    if len(logs) == 1:
        return np.exp(logs[0] + np.array([-0.5, 0.5]))
    inner = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - inner[0]], inner, [2 * logs[-1] - inner[-1]]]))
