"""Figures of the chapter on the shrinking scale: the variances and the prediction scale over the training."""

from __future__ import annotations

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import band
from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Curve, Panel
from kbe.figures.style import WIDTH, legend_below
from kbe.figures.words import all_last, described, first, last, rounded


def scale_over_epochs(single: xr.Dataset, quartiles: xr.Dataset, onset: float) -> Figure:
    """The two variances and the prediction scale over the epochs, as the paper's Fig. 4.

    A `single` network above: `squared_error`, `predicted`, `alpha`, and alpha by the average as section III.B has
    it, `printed` (epoch); the `quartiles` (quantile, epoch) of the same over an ensemble below; variances left,
    alpha right. A line stands at the single network's `onset`, infinite for none.
    """
    figure, axes = plt.subplots(2, 2, sharex=True, sharey="col", figsize=(WIDTH, 5.6))
    columns = ({"squared_error": "$V$", "predicted": "$V^*$"}, {"alpha": "Eq. (20)", "printed": "as printed"})
    for (above, below), names, colours in zip(axes.T, columns, (("C0", "C1"), ("C2", "C3")), strict=True):
        for (name, label), colour, style in zip(names.items(), colours, ("-", "--"), strict=True):
            above.plot(single.epoch, single[name], style, color=colour, label=label)
            band(below, quartiles.epoch, quartiles[name], alpha=0.2, color=colour, linestyle=style)
        above.legend(loc="upper left")
        above.axvline(onset, color="C5", linewidth=1, linestyle=":")
        below.set(xlabel="epochs", xscale="log")
    for (left, right), text in zip(axes, ("one network", "ensemble"), strict=True):
        left.set(ylabel="variance", title=f"(a) {text}", ylim=(-0.03, 1.45))
        right.set(ylabel=r"$\alpha$, per bit", title=f"(b) {text}", ylim=(-0.04, 1.2))
    return described(
        figure,
        "Over the epochs, on a logarithmic axis: one network above, the ensemble below. Left, V and V*: in the network "
        f"they begin at {first(single.squared_error)} and {first(single.predicted)} and end at "
        f"{last(single.squared_error)} and {last(single.predicted)}, after its onset at epoch {rounded(onset, '.0f')}. "
        f"Right, alpha: the ensemble's median goes from {first(quartiles.alpha)} to {last(quartiles.alpha)} per bit "
        f"before the onset; by the formula as printed it ends at {last(quartiles.printed)}.",
    )


def on_the_way(scales: dict[str, xr.DataArray], fits: dict[str, xr.DataArray]) -> Figure:
    """The prediction scale and its fit on each member's way to its onset.

    Above the `scales`, alpha by name (quantile, fraction); below the `fits`, the shares of the outputs' spread that
    the local average explains, likewise.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 5.8))
    for axis, group in zip(axes, (scales, fits), strict=True):
        for k, (label, data) in enumerate(group.items()):
            style = {"color": f"C{k}", "linestyle": ("-", "--", ":")[k]}
            band(axis, data.fraction, data, alpha=0.2, **style, label=label)
        axis.legend(loc="upper left")
    axes[0].set(ylabel=r"$\alpha$, per unit of distance", ylim=(-0.05, None))
    axes[1].set(ylabel="share explained, $R^2$", ylim=(-1, 1.5), xlabel="epochs in units of the member's onset")
    return described(
        figure,
        f"Towards the onset. Above, the median of alpha ends at {all_last(scales)}. Below, the median share of the "
        f"outputs' spread that the average explains ends at {all_last(fits)}.",
    )


def both_networks(networks: dict[str, xr.Dataset]) -> Figure:
    """The prediction scale of several kinds of network over the epochs, with its fit.

    Each of the `networks` has `squared_error`, `alpha` and `explained` (quantile, epoch), drawn one above the
    other.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(WIDTH, 6.6))
    for axis, name in zip(axes, ("squared_error", "alpha", "explained"), strict=True):
        for k, (label, data) in enumerate(networks.items()):
            style = {"color": f"C{k}", "linestyle": ("-", "--")[k % 2]}
            band(axis, data.epoch, data[name], alpha=0.2, **style, label=label)
    axes[0].set(ylabel="$V$", ylim=(0, None))
    axes[1].set(ylabel=r"$\alpha$, per bit", ylim=(0, None))
    axes[2].set(ylabel="share explained, $R^2$", ylim=(-1, 1.02), xlabel="epochs", xscale="log")
    legend_below(figure, 2)
    ends = [
        f"{label}: the median of V ends at {last(one.squared_error)}, that of alpha at {last(one.alpha)} per bit, "
        f"that of the share explained at {last(one.explained)}"
        for label, one in networks.items()
    ]
    return described(figure, f"Over the epochs, on a logarithmic axis. {'; '.join(ends)}.")


def averages_over_scales(sets: dict[str, xr.Dataset]) -> MovingFigure:
    """The local averages of some data sets, from the mean of all targets to each point's own.

    Each of the `sets` has targets `y` (point) at `x`, the `average` at each `place` (alpha, place), drawn between the
    points where there are more places than these, and `own`, a point's share of the weight in its average
    (alpha, point).
    """
    panels, courses = [], []
    for name, one in sets.items():
        between = one.sizes["place"] > one.sizes["point"]
        average = Curve("average" if between else "average, at the points alone", one.place, one.average, not between)
        targets = Curve("target", one.x, one.y, markers=True)
        ends = float(one.x.min()), float(one.x.max())
        margin = 0.03 * (ends[1] - ends[0])
        axis = "position" if between else "point, in order of the targets"
        across = (ends[0] - margin, ends[1] + margin)
        panels.append(Panel(name.capitalize(), axis, "target y, average a", [average, targets], across, (-0.08, 1.08)))
        quantities = one.own.mean("point"), one.average.min("place"), one.average.max("place")
        courses.append([
            f"{100 * float(own):.0f}\N{NO-BREAK SPACE}% {name} (averages from {float(low):.2f} to {float(high):.2f})"
            for own, low, high in zip(*quantities, strict=True)
        ])  # fmt: skip
    said = [f"A point's own target weighs {' and '.join(both)}." for both in zip(*courses, strict=True)]
    alphas = next(iter(sets.values())).alpha
    return MovingFigure(
        "scale α", [f"{rounded(a)} per unit of distance" for a in alphas], said, panels, len(alphas) // 3
    )
