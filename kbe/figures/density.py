"""Figures of the chapter on the data density transition: the variances, their map, what sets the onset."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullLocator

NAMES = {"squared_error": "$V$", "predicted": "$V^*$", "gap": "$|V-V^*|$"}

MARKERS = "osD^v"


def variances_over_sizes(single: xr.Dataset, quartiles: xr.Dataset, shares: xr.Dataset) -> Figure:
    """The two variances and their gap over the size of the data set, as the paper's Fig. 2.

    Parameters
    ----------
    single : xarray.Dataset
        `squared_error`, `predicted` and `gap` (points) of one network at each size, NaN where it blew up.
    quartiles : xarray.Dataset
        The same over an ensemble (quantile, points), the quantiles being three.
    shares : xarray.Dataset
        Shares of members (points): `unstable`, `left_out`.

    Returns
    -------
    Figure
        The single networks, the ensemble, and the shares, one above the other.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(5.4, 7.4), height_ratios=(3, 3, 2))
    kept = single.dropna("points")
    lost = [n for n in single.points.values if n not in kept.points]
    axes[0].plot(lost, np.full(len(lost), 1.09), "x", color="C5", clip_on=False)
    axes[0].set_title("one network at each size (crosses: not finite)")
    axes[1].set_title("ensemble: median and quartiles of the finite")
    for k, (name, label) in enumerate(NAMES.items()):
        style = {"marker": MARKERS[k], "markersize": 7 - 1.5 * k, "color": f"C{k}"}
        axes[0].plot(kept.points, kept[name], **style, label=label)
        low, middle, high = quartiles[name].transpose("quantile", "points").values
        axes[1].fill_between(quartiles.points, low, high, color=f"C{k}", alpha=0.25, linewidth=0)
        axes[1].plot(quartiles.points, middle, **style)
    for k, (name, label) in enumerate({"unstable": "unstable", "left_out": "not finite"}.items()):
        axes[2].plot(shares.points, shares[name], marker=MARKERS[k + 3], markersize=5, color=f"C{k + 3}", label=label)
    for axis, label, top in zip(axes, ("variance", "variance", "share of members"), (1.12, 1.05, 1.03), strict=True):
        axis.set(ylabel=label, ylim=(-0.03, top))
    _size_axis(axes[2])
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def gap_map(gap: xr.DataArray, onset: xr.DataArray) -> Figure:
    """The gap of the variances over size and training epoch in colour, as the paper's Fig. 3.

    Parameters
    ----------
    gap : xarray.DataArray
        The gap (points, epoch), NaN where no member is finite; epoch 0 is not drawn.
    onset : xarray.DataArray
        Epochs by which given shares of the members have had their onset (quantile, points), infinite for
        never.

    Returns
    -------
    Figure
        The map with a line for each share.
    """
    return _map(gap, onset, LogNorm(1e-4, 1), "$|V-V^*|$, median of the finite members")


def scale_map(alpha: xr.DataArray, onset: xr.DataArray) -> Figure:
    r"""The prediction scale over size and training epoch in colour.

    Parameters
    ----------
    alpha : xarray.DataArray
        :math:`\alpha` (points, epoch), per bit, NaN where there is none; epoch 0 is not drawn.
    onset : xarray.DataArray
        As for `gap_map`.

    Returns
    -------
    Figure
        The map with a line for each share.
    """
    return _map(alpha, onset, LogNorm(0.01, 1), r"$\alpha$, per bit, median before the onset")


def onset_against(onsets: xr.Dataset) -> Figure:
    """The median onset against the number of points, their density, and the points per parameter.

    Parameters
    ----------
    onsets : xarray.Dataset
        Over `ensemble`: `median`, `low`, `high` in epochs; `points`, `density`, `per_parameter`; the
        `family` of ensembles that it belongs to.

    Returns
    -------
    Figure
        A panel for each of the three, all with the same ensembles.
    """
    figure, axes = plt.subplots(3, sharey=True, figsize=(5.4, 7.8))
    names = {"points": "points $N$", "density": "density $N/2^b$", "per_parameter": "points per parameter $N/P$"}
    for axis, (name, label) in zip(axes, names.items(), strict=True):
        for k, family in enumerate(dict.fromkeys(onsets.family.values)):
            _with_interval(axis, onsets.sel(ensemble=onsets.family == family), name, k, family)
        axis.set(xscale="log", xlabel=label, ylabel="median onset, epochs")
        _plain_numbers(axis.xaxis)
    _onset_axis(axes[0], bool(np.isfinite(onsets["median"]).any()))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def onset_over_sizes(groups: dict[str, xr.Dataset], ylabel: str) -> Figure:
    """The median onset over the size of the data set for several ways to train.

    Parameters
    ----------
    groups : dict of str to xarray.Dataset
        For each, `median`, `low`, `high` over `points`.
    ylabel : str
        What they are, with its unit.

    Returns
    -------
    Figure
        One line with intervals for each.
    """
    figure, axes = plt.subplots()
    for k, (label, group) in enumerate(groups.items()):
        _with_interval(axes, group, "points", k, label)
    axes.set(ylabel=ylabel)
    _onset_axis(axes, any(bool(np.isfinite(group["median"]).any()) for group in groups.values()))
    _size_axis(axes)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _map(values: xr.DataArray, onset: xr.DataArray, norm: LogNorm, label: str) -> Figure:
    figure, axes = plt.subplots(figsize=(5.4, 4.6))
    drawn = values.sel(epoch=slice(1, None)).transpose("epoch", "points")
    edges = (_edges(drawn.points.values), _edges(drawn.epoch.values))
    image = axes.pcolormesh(*edges, drawn, norm=norm, rasterized=True)
    figure.colorbar(image, label=label, extend="both")
    stroke = [withStroke(linewidth=4, foreground=plt.rcParams["axes.facecolor"])]
    for share, style in zip(onset["quantile"].values, (":", "-", "--"), strict=True):
        line = onset.sel(quantile=share)
        axes.plot(line.points, line, style, color="C1", path_effects=stroke, label=f"{share:.0%} unstable")
    axes.set(xscale="log", yscale="log", ylabel="training epochs $e_{mx}$", ylim=(edges[1][0], edges[1][-1]))
    axes.set_xlim(edges[0][0], edges[0][-1])
    _size_axis(axes)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _with_interval(axis: Axes, data: xr.Dataset, against: str, k: int, label: str) -> None:
    ordered = data.sortby(against)
    middle = np.where(np.isfinite(ordered["median"]), ordered["median"], np.nan)
    error = np.stack([middle - ordered.low, ordered.high - middle])
    axis.errorbar(ordered[against].values, middle, np.where(np.isfinite(error), error, 0),
                  color=f"C{k}", marker=MARKERS[k], markersize=5, linewidth=1, capsize=2, label=label)  # fmt: skip


def _onset_axis(axis: Axes, any_onset: bool) -> None:
    axis.set_yscale("log")
    if not any_onset:  # a logarithmic axis cannot find its range without data
        axis.set_ylim(1, 10)
    _plain_numbers(axis.yaxis)


def _plain_numbers(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


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
