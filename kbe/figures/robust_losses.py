"""Figures of the chapter on losses against the instability: what they do at zero error, and how long they train."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import MARKERS, STYLES, WIDTH, legend_below, look
from kbe.figures.words import all_last, described, rounded

# a colour and a mark for each of seven losses; a palette has six colours
LOOKS = tuple(zip((*(f"C{k}" for k in range(6)), "#999933"), MARKERS + "PX", strict=True))

QUANTITIES = {
    "squared_error": "squared error $V$",
    "predicted": "predicted variance $V^*$",
    "unstable": "share unstable",
}


def at_zero_error(curvature: Mapping[str, np.ndarray], rule: Mapping[str, np.ndarray], deviation: np.ndarray) -> Figure:
    """The curvature in mu, above, and what error and deviation do together, below, of several losses over sigma.

    By loss, `curvature` and `rule` are from `zero_error.curvature_in_mean` and `zero_error.scale_rule`, at each sigma,
    the `deviation`, falling or rising. A curvature that is infinite is drawn along the upper edge. The marks of
    curves that coincide alternate.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(WIDTH, 6.4))
    names = list({**rule, **curvature})
    largest = max((values[np.isfinite(values)].max(initial=1.0) for values in curvature.values()), default=1.0)
    bounded = {name: np.where(np.isposinf(values), 30 * largest, values) for name, values in curvature.items()}
    step = max(1, len(deviation) // 3)
    for axis, lines in zip(axes, (bounded, rule), strict=True):
        for name, values in lines.items():
            k = names.index(name)
            marks = {"marker": LOOKS[k % 7][1], "markevery": (k * step // len(names), step), "markersize": 5}
            axis.plot(deviation, values, color=LOOKS[k % 7][0], linestyle=STYLES[k % 6], label=name, **marks)
    axes[0].set(xscale="log", yscale="log", ylabel=r"curvature in $\mu$", ylim=(None, 100 * largest))
    axes[1].set(ylabel=r"$r g_\mu + \sigma g_\sigma$", xlabel=r"deviation $\sigma$")
    axes[1].invert_xaxis()
    legend_below(figure, 2)
    least = int(np.argmin(deviation))

    def there(lines: Mapping[str, np.ndarray]) -> str:
        at_least = {name: values[least] for name, values in lines.items()}
        return ", ".join(f"{name} {'infinite' if x == np.inf else rounded(x)}" for name, x in at_least.items())

    return described(
        figure,
        f"Towards a small sigma, to the right. Above, the curvature in mu at zero error, at a sigma of "
        f"{rounded(deviation[least])}: {there(curvature)}. Below, the pull on error and deviation together, there: "
        f"{there(rule)}.",
    )


def onset_ranges(onsets: Mapping[str, Mapping[str, np.ndarray]], ends: Mapping[str, Mapping[str, int]]) -> Figure:
    """From when to when the members of an ensemble have their onset, a row for each loss.

    By panel and loss the `onsets` are the members' epochs, infinite for none, and the `ends` are how long each was
    trained: a bar from the first tenth to nine tenths, a dot at half of the members, an arrow where training ended
    before, open where it ended before the first tenth.
    """
    heights = [len(group) + 1 for group in onsets.values()]
    size = (WIDTH, 0.6 + 0.26 * sum(heights))
    figure, axes = plt.subplots(len(onsets), sharex=True, squeeze=False, figsize=size, height_ratios=heights)
    said = []
    for axis, (title, group) in zip(axes[:, 0], onsets.items(), strict=True):
        medians = {}
        for row, (name, onset) in enumerate(group.items()):
            end = ends[title][name]
            low, medians[name], high = np.quantile(onset, [0.1, 0.5, 0.9], method="lower")
            axis.plot([min(low, end), min(high, end)], [row, row], color="C0", linewidth=3)
            if np.isfinite(medians[name]):
                axis.plot(medians[name], row, "o", color="C0")
            if not np.isfinite(high):
                inside = "C0" if np.isfinite(low) else plt.rcParams["axes.facecolor"]
                axis.plot(end, row, ">", color="C0", markerfacecolor=inside, clip_on=False)
        rows = len(group)
        axis.set(title=title, xscale="log", ylim=(rows - 0.5, -0.5), yticks=range(rows), yticklabels=list(group))
        axis.grid(axis="x")
        known = ", ".join(f"{name} {rounded(x, '.0f')}" for name, x in medians.items() if np.isfinite(x))
        never = ", ".join(name for name, x in medians.items() if not np.isfinite(x))
        said.append(f"{title}: {known or 'no number'}" + (f"; not in half of the members: {never}" if never else ""))
    axes[-1, 0].set_xlabel("epochs")
    return described(figure, f"Median epoch of the onset, by loss. {'. '.join(said)}.")


def learning_of_losses(curves: Mapping[str, xr.Dataset]) -> Figure:
    """The two variances and the share of unstable members over training, for several losses, one above the other.

    By loss the `curves` (epoch) are the medians `squared_error` (V) and `predicted` (V*), and the share `unstable`;
    epoch 0 is not drawn.
    """
    figure, axes = plt.subplots(3, sharex=True, figsize=(WIDTH, 7.4))
    for axis, (variable, label) in zip(axes, QUANTITIES.items(), strict=True):
        for k, (name, curve) in enumerate(curves.items()):
            late = curve[variable].sel(epoch=slice(1, None))
            axis.plot(late.epoch, late, **look(k), label=name)
        axis.set(xscale="log", ylabel=label)
    axes[0].set_ylim(0, None)
    axes[1].set(yscale="log", ylim=(1e-4, 5))
    axes[2].set(xlabel="epochs", ylim=(-0.03, 1.03))
    legend_below(figure, 2)
    return described(
        figure,
        f"Over the epochs, on a logarithmic axis, three panels. V ends at {_ends(curves, 'squared_error')}; V* at "
        f"{_ends(curves, 'predicted')}; the share that is unstable at {_ends(curves, 'unstable')}.",
    )


def _ends(curves: Mapping[str, xr.Dataset], variable: str) -> str:
    return all_last({name: curve[variable] for name, curve in curves.items()})
