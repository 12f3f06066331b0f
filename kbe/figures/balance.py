"""Figures of the chapter on the kernel-balanced equation: each of its steps, measured."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from kbe.figures.bands import band, plain_numbers
from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Curve, Panel
from kbe.figures.style import MARKERS, WIDTH, look
from kbe.figures.words import described, rounded


def local_step(
    epochs: np.ndarray, errors: np.ndarray, scales: np.ndarray, smooth: np.ndarray, law: np.ndarray
) -> Figure:
    """The error of replacing mu_j by mu_i, in networks above and on smooth outputs below; a line marks a half.

    Above the relative `errors` (member, epoch) of the rate over the `epochs`, from 1 on; below those on `smooth`
    outputs and the `law` that they should follow (scale), over the inverse width beta of the kernel, the `scales`.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6.0))
    middle = _median(above, epochs, errors, color="C0", label="average networks")
    above.axhline(0.5, ls=":", color="C5", label="criterion")
    above.set(xscale="symlog", yscale="log", xlabel="epoch", ylabel="relative error of the rate", xlim=(0, None))
    above.legend(loc="upper left")
    below.loglog(scales, smooth, "o", ms=4, label="smooth outputs on a line")
    below.loglog(scales, law, "--", color="C1", label=r"$\beta^{-2} |\mu''| \,/\, |y - \mu|$")
    below.set(xlabel=r"inverse width $\beta$ of the kernel", ylabel="relative error of the rate")
    below.legend(loc="lower left")
    plain_numbers(below.xaxis, minor=True)
    return described(
        figure,
        f"Relative error of the rate. Above, networks over the epochs: the median goes from {_course(epochs, middle)}. "
        f"Below, smooth outputs over the kernel's inverse width: it falls from {rounded(smooth[0])} at "
        f"{rounded(scales[0])} to {rounded(smooth[-1])} at {rounded(scales[-1], '.3g')}; the law from "
        f"{rounded(law[0])} to {rounded(law[-1])}.",
    )


def expansion(profile: xr.DataArray, fitted: np.ndarray, counts: np.ndarray, misfits: dict[str, np.ndarray]) -> Figure:
    """The measured kernel over distance, and its expansion in several scales.

    Above one network's `profile` (epoch, distance) relative to distance 0, and the `fitted` one (epoch, distance)
    of the largest expansion; below the relative errors of expansions, the `misfits` (count) by name, over their
    numbers of scales, the `counts`.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6.0))
    for k, epoch in enumerate(profile.epoch.values):
        measured = profile.sel(epoch=epoch)
        above.plot(profile.distance, measured, MARKERS[k], ms=4, color=f"C{k}", label=f"epoch {epoch}")
        above.plot(profile.distance, fitted[k], lw=1.1, **look(k))
    above.axhline(0, lw=0.8, color="C5")
    above.set(xlabel="Hamming distance $d$", ylabel="$K(d) / K(0)$")
    above.legend(loc="center right", bbox_to_anchor=(1, 0.55))
    for k, (name, values) in enumerate(misfits.items()):
        below.plot(counts, values, marker=MARKERS[k], **look(k), label=name)
    below.set(xlabel="number of scales", ylabel="misfit", ylim=(0, None))
    below.set_xticks(counts)
    below.legend(loc="best")
    courses = (
        f"at epoch {epoch}, it falls to {rounded(one[1:2].min())} at distance {rounded(profile.distance[1])} and is "
        f"{rounded(one[-1])} at {rounded(profile.distance[-1])}"
        for epoch, one in zip(profile.epoch.values, profile.values, strict=True)
        if len(one) > 1
    )
    left = (f"{rounded(values[0])} to {rounded(values[-1])} ({name})" for name, values in misfits.items())
    return described(
        figure,
        f"Above, the kernel of one network relative to distance 0: {'; '.join(courses)}. Below, the misfit with "
        f"{counts[0]} to {counts[-1]} scales: {', '.join(left)}.",
    )


def resting_places(epochs: np.ndarray, distances: dict[str, np.ndarray]) -> Figure:
    """How far the outputs of networks are from the places where they might rest, over the `epochs`.

    The `distances` (member, epoch) by name are root mean squares, in the unit of y.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    courses = [
        f"from {name}, {_course(epochs, _median(axes, epochs, values, **look(k), label=name))}"
        for k, (name, values) in enumerate(distances.items())
    ]
    axes.set(xscale="symlog", yscale="log", xlabel="epoch", ylabel="distance of the outputs", xlim=(0, None))
    axes.legend(loc="lower left")
    return described(figure, f"Median distances of the outputs over the epochs: {'; '.join(courses)}.")


def scale_in_theory(
    times: np.ndarray, line: np.ndarray, law: np.ndarray, prefactor: float, explained: np.ndarray
) -> Figure:
    """The scale of averaging under the exact linear dynamics on a line, over the `times`.

    Above the scale that fits best, the `line`, its `law`, and the law times a `prefactor`; below the share of the
    outputs' variation `explained` by the local average; each (time).
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.4), sharex=True, height_ratios=(1.6, 1))
    above.plot(times, line, "o", ms=4, label="best scale")
    above.plot(times, law, "--", color="C1", label=r"$\sqrt{2 \beta n t}$")
    above.plot(times, prefactor * law, ":", color="C2", label=rf"${prefactor:.2f} \sqrt{{2 \beta n t}}$")
    above.set(xscale="log", yscale="log", ylabel=r"scale $\alpha$")
    above.legend(loc="upper left")
    plain_numbers(above.yaxis, minor=True)
    below.plot(times, explained, "o-", ms=4)
    below.set(xscale="log", xlabel="time $t$", ylabel="explained", ylim=(None, 1))
    return described(
        figure,
        f"From time {rounded(times[0])} to {rounded(times[-1])}, logarithmic. Above, the best scale goes from "
        f"{rounded(line[0])} to {rounded(line[-1])}, and the law from {rounded(law[0])} to {rounded(law[-1])}. Below, "
        f"the share explained: {rounded(explained[0])} at first, {rounded(explained[-1])} in the end.",
    )


def scale_in_networks(
    epochs: np.ndarray, alpha: np.ndarray, explained: np.ndarray, without_places: np.ndarray
) -> Figure:
    """The scale of averaging of average networks over the `epochs`, and how well the average fits.

    Above the scale `alpha` per bit that fits best; below the share of the outputs' variation `explained` by the
    local average, and that by a mix of the mean target and the own target, `without_places`; each (member, epoch),
    NaN for a member without a scale.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.8), sharex=True)
    scale = _median(above, epochs, alpha, color="C0")
    above.set(xscale="symlog", ylabel=r"scale $\alpha$ (1 / bit)", xlim=(0, None))
    near = _median(below, epochs, explained, **look(0), label="local average")
    far = _median(below, epochs, without_places, **look(1), label="mean and own target alone")
    below.set(xlabel="epoch", ylabel="explained", ylim=(-0.55, 1.05))
    below.legend(loc="upper left")
    return described(
        figure,
        f"Over the epochs, medians. Above, the scale per bit: {_course(epochs, scale)}. Below, the share explained by "
        f"the local average: {_course(epochs, near)}; by the mix without distance: {_course(epochs, far)}.",
    )


def weights_over_times(weights: xr.Dataset, apart: xr.Dataset, unit: str) -> MovingFigure:
    """The weights that the targets have in the outputs, over training time, on their way past an average.

    Of the `weights`, the `row` of one output (time, point) and that of the `average` (point) are drawn over the
    positions of the points; `total` (time) is what a row sums to. How far all weights are `apart` from some others is
    a variable each (time), the first from the average; where that is least is marked. The `unit` names the time.
    """
    first, *_ = names = [str(name) for name in apart]
    drawn = [Curve("W(t)", weights.point, weights.row), Curve(first, weights.point, weights.average)]
    upward = float(min(weights.row.min(), 0)) - 0.03, float(weights.row.max()) + 0.03
    row = Panel("The weights in one output", "position x", "weight", drawn, ylim=upward)
    nearest, times = int(apart[first].values.argmin()), apart.time.values
    curves = [Curve(name, times, apart[name]) for name in names]
    curves.append(Curve(f"passage of {first}", [times[nearest]] * 2, [0, 2]))
    curves += [Curve("this time", times[:, None], apart[name].values[:, None], markers=True) for name in names]
    ends = (times[0] / 1.3, times[-1] * 1.3), (-0.05, 2)
    distances = Panel("How far W(t) is from others", unit, "sum of differences", curves, *ends, logarithmic="x")
    said = []
    for k, total in enumerate(weights.total):
        far = ", ".join(f"{_plain(apart[name][k])} from {name}" for name in names)
        passing = f", and in no other frame nearer to {first}" if k == nearest else ""
        said.append(f"The weights in an output sum to {float(total):.2f}; they are {far}{passing}.")
    values = [f"{unit} = {_plain(one)}" for one in times]
    return MovingFigure("time", values, said, [row, distances], nearest, sorted({0, nearest, len(times) - 1}))


def _plain(value: ArrayLike) -> str:
    """Two digits, without an exponent."""
    return f"{float(rounded(value)):g}"


def _median(axes: Axes, epochs: np.ndarray, values: np.ndarray, **line: Any) -> np.ndarray:
    """The median of the members, which is drawn with a band that holds two thirds of them."""
    quantiles = np.nanquantile(values, (1 / 6, 0.5, 5 / 6), axis=0)
    band(axes, epochs, quantiles, alpha=0.22, **line)
    return quantiles[1]


def _course(epochs: np.ndarray, curve: np.ndarray) -> str:
    """A curve over the epochs in words: its start, its middle and its end."""
    places = (0, len(epochs) // 2, len(epochs) * 3 // 4, -1)
    return ", ".join(f"{rounded(curve[k])} at epoch {epochs[k]}" for k in places)
