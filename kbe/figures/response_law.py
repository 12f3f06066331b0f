"""Figures of the chapter on the training response law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import band, where_positive
from kbe.figures.style import MARKERS, WIDTH, legend_below, look
from kbe.figures.words import described, first, last, rounded


def sizes_of_pairs(quartiles: xr.DataArray, exponents: Sequence[float], start: float) -> Figure:
    """The size of the response through training, for each kind of pairs of inputs, and power laws beside it.

    The `quartiles` (pairs, quantile, epoch) of the sizes are drawn from epoch 1 on; the `exponents` a are those of
    the power laws fitted from the epoch `start` on.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.4))
    courses = []
    for k, (name, exponent) in enumerate(zip(quartiles["pairs"].values, exponents, strict=True)):
        drawn = quartiles.sel(pairs=name, epoch=slice(1, None))
        band(axes, drawn["epoch"], drawn, alpha=0.2, **look(k), label=f"{name}, $a={exponent:.2f}$")
        times = drawn["epoch"].values[drawn["epoch"].values >= start]
        guide = (times / times[-1]) ** -exponent * drawn.isel(quantile=1).values[-1] * 1.35
        axes.plot(times, guide, color=f"C{k}", linewidth=4, alpha=0.45)
        courses.append(f"{name}, {first(drawn)} to {last(drawn)}, with the exponent {rounded(exponent)} beside its end")
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="size of the response $|\\Theta|$")
    legend_below(figure, 1, title="pairs of inputs, and the power $t^{-a}$ beside them")
    return described(
        figure,
        f"The median size of the response over the epochs, on logarithmic axes, from its first value to its last: "
        f"{'; '.join(courses)}.",
    )


def predictions_of_laws(found: Mapping[str, xr.Dataset]) -> Figure:
    """What each law of time, fitted to the first half of a range, predicts for the second half.

    By the name of the range, a panel each, `found` is what `laws.compare_extrapolations` returns: data as markers, the
    laws as lines, a vertical line between the halves.
    """
    figure, rows = plt.subplots(len(found), squeeze=False, figsize=(WIDTH, 1.0 + 3.0 * len(found)))
    words = []
    for axes, (name, laws) in zip(rows[:, 0], found.items(), strict=True):
        low, high = laws.attrs["window"]
        for k, law in enumerate(laws["law"].values):
            axes.plot(laws["epoch"], laws["predicted"].sel(law=law), **look(k), label=law)
        axes.plot(laws["epoch"], laws["median"], "o", color="C5", markersize=5, label="measured")
        axes.axvline(np.sqrt(low * high), color="C5", linewidth=0.8)
        least, most = laws["median"].values.min(), laws["median"].values.max()
        axes.set(xscale="log", yscale="log", title=name, ylabel="$|\\Theta|$", ylim=(least / 2, most * 2))
        seen = laws["predicted"].where((laws["predicted"] > least / 2) & (laws["predicted"] < most * 2))[:, -1]
        ends = ", ".join(f"{law} {rounded(end)}" for law, end in zip(laws["law"].values, seen.values, strict=True))
        words.append(f"{name}, measured {last(laws['median'])}, predicted {ends}")
    rows[-1, 0].set_xlabel("epoch")
    legend_below(figure, 2)
    return described(
        figure,
        f"The size of the response at the last epoch, and what each law predicts for it from the first half of the "
        f"range (no number if it is beyond the panel): {'; '.join(words)}.",
    )


def exponents_of_settings(exponents: xr.Dataset, predicted: Sequence[float]) -> Figure:
    """The exponent of aging for each setting and kind of pairs, one row a setting.

    `exponents` holds `exponent`, `low` and `high` (setting, pairs); lines stand at what the saturation of the head
    `predicted` for each kind of pairs.
    """
    settings = exponents["setting"].values
    figure, axes = plt.subplots(figsize=(WIDTH, 1.6 + 0.34 * len(settings)))
    ends = []
    for k, name in enumerate(exponents["pairs"].values):
        one = exponents.sel(pairs=name)
        places = np.arange(len(settings)) + 0.18 * (k - 1)
        error = np.abs(np.stack([one["exponent"] - one["low"], one["high"] - one["exponent"]]))
        axes.errorbar(one["exponent"], places, xerr=error, fmt=MARKERS[k], color=f"C{k}", capsize=2, label=name)
        axes.axvline(predicted[k], **look(k), linewidth=1)
        low, high = (rounded(end(one["exponent"])) for end in (np.min, np.max))
        ends.append(f"{name}, {low} to {high} (predicted {rounded(predicted[k])})")
    axes.set_yticks(range(len(settings)), settings)
    axes.invert_yaxis()
    axes.set_xlabel("exponent $a$ of $t^{-a}$")
    legend_below(figure, 2, title="pairs of inputs; lines: predicted")
    return described(
        figure, f"Exponents of {len(settings)} settings, the least and the greatest of each kind: {'; '.join(ends)}."
    )


def exponents_of_inputs(groups: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """How fast the slope of the head falls at single inputs, against the prediction from the largest margin.

    By name, each of the `groups` has the predicted exponents and the measured ones, a marker for each input; on the
    thin line the two are equal.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    words = []
    for k, (name, (predicted, measured)) in enumerate(groups.items()):
        axes.plot(predicted, measured, MARKERS[k], color=f"C{k}", markersize=4, alpha=0.4, label=name)
        middle = (rounded(np.nanmedian(one)) for one in (predicted, measured))
        words.append("{}, {} inputs, predicted {} and measured {}".format(name, len(measured), *middle))
    axes.axline((0, 0), slope=1, color=plt.rcParams["axes.edgecolor"], linewidth=0.8)
    axes.set(xlabel="predicted exponent, $|g(\\mathbf{x})|/2$", ylabel="measured exponent of $\\mu'$")
    for handle in axes.legend(loc="upper left").legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return described(figure, f"Exponents of single inputs, in the middle of each group: {'; '.join(words)}.")


def shapes_in_training(profiles: Mapping[str, xr.DataArray]) -> Figure:
    """The response over distance at stages of the training, each brought to one size; an exponential would be straight.

    By stage the `profiles` are the response (distance).
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    drawn = {name: where_positive(profile) for name, profile in profiles.items()}
    for k, (name, profile) in enumerate(drawn.items()):
        axes.plot(profile["distance"], profile, **look(k), marker=MARKERS[k % 5], label=name)
    axes.set(yscale="log", xlabel="distance $d$ (bits)", ylabel="response over its size")
    axes.legend(loc="lower left")
    courses = [
        f"{name}, from {first(profile)} to {last(profile)}" + _not_drawn(int(profile.isnull().sum()))
        for name, profile in drawn.items()
    ]
    return described(
        figure,
        f"The response over the distance on a logarithmic axis, at its least distance and its greatest: "
        f"{'; '.join(courses)}.",
    )


def _not_drawn(values: int) -> str:
    return f" ({values} of its values, not positive, cannot be drawn)" if values else ""
