"""Figures of the chapter on the shrinking scale: the variances and the prediction scale over the training."""

from __future__ import annotations

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def scale_over_epochs(single: xr.Dataset, quartiles: xr.Dataset, onset: float) -> Figure:
    """The two variances and the prediction scale over the epochs, as the paper's Fig. 4.

    Parameters
    ----------
    single : xarray.Dataset
        `squared_error`, `predicted`, `alpha` and `printed` (epoch) of one network; `printed` is alpha by
        the average as section III.B prints it.
    quartiles : xarray.Dataset
        The same over an ensemble (quantile, epoch), the quantiles being three.
    onset : float
        The single network's onset, infinite for none.

    Returns
    -------
    Figure
        The single network above, the ensemble below; the variances left, alpha right.
    """
    figure, axes = plt.subplots(2, 2, sharex=True, sharey="col", figsize=(5.4, 5.6))
    columns = ({"squared_error": "$V$", "predicted": "$V^*$"}, {"alpha": "Eq. (20)", "printed": "as printed"})
    for column, (names, colours) in enumerate(zip(columns, (("C0", "C1"), ("C2", "C3")), strict=True)):
        for (name, label), colour, style in zip(names.items(), colours, ("-", "--"), strict=True):
            axes[0, column].plot(single.epoch, single[name], style, color=colour, label=label)
            _band(axes[1, column], quartiles[name], colour, style)
        axes[0, column].legend(loc="upper left")
        axes[0, column].axvline(onset, color="C5", linewidth=1, linestyle=":")
        axes[1, column].set(xlabel="epochs", xscale="log")
    for row, text in enumerate(("one network", "ensemble")):
        axes[row, 0].set(ylabel="variance", title=f"(a) {text}", ylim=(-0.03, 1.45))
        axes[row, 1].set(ylabel=r"$\alpha$, per bit", title=f"(b) {text}", ylim=(-0.04, 1.2))
    return figure


def on_the_way(scales: dict[str, xr.DataArray], fits: dict[str, xr.DataArray]) -> Figure:
    """The prediction scale and its fit on each member's way to its onset.

    Parameters
    ----------
    scales : dict of str to xarray.DataArray
        alpha (quantile, fraction) by name, the quantiles being three.
    fits : dict of str to xarray.DataArray
        The share of the outputs' spread that the local average explains, likewise.

    Returns
    -------
    Figure
        alpha above, the fits below.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 5.8))
    for axis, group in zip(axes, (scales, fits), strict=True):
        for k, (label, data) in enumerate(group.items()):
            _band(axis, data, f"C{k}", ("-", "--", ":")[k], label)
        axis.legend(loc="upper left")
    axes[0].set(ylabel=r"$\alpha$, per unit of distance", ylim=(-0.05, None))
    axes[1].set(ylabel="share explained, $R^2$", ylim=(-1, 1.5), xlabel="epochs in units of the member's onset")
    return figure


def both_networks(networks: dict[str, xr.Dataset]) -> Figure:
    """The prediction scale of several kinds of network over the epochs, with its fit.

    Parameters
    ----------
    networks : dict of str to xarray.Dataset
        For each, `alpha`, `explained` and `squared_error` (quantile, epoch), the quantiles being three.

    Returns
    -------
    Figure
        V, alpha and the share explained, one above the other.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(5.4, 6.6))
    for k, (label, data) in enumerate(networks.items()):
        for axis, name in zip(axes, ("squared_error", "alpha", "explained"), strict=True):
            _band(axis, data[name], f"C{k}", ("-", "--")[k % 2], label)
    for axis, label, limits in zip(
        axes, ("$V$", r"$\alpha$, per bit", "share explained, $R^2$"), ((0, None), (0, None), (-1, 1.02)), strict=True
    ):
        axis.set(ylabel=label, ylim=limits)
    axes[2].set(xlabel="epochs", xscale="log")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _band(axis: Axes, data: xr.DataArray, colour: str, style: str, label: str | None = None) -> None:
    ordered = data.transpose("quantile", ...)
    low, middle, high = ordered.values
    along = ordered[ordered.dims[1]]
    axis.fill_between(along, low, high, color=colour, alpha=0.2, linewidth=0)
    axis.plot(along, middle, style, color=colour, label=label)
