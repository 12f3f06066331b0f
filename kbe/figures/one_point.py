"""Figures of the chapter on one point: trajectories on the gradient field, and falls of sigma (Fig. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Curve, Panel
from kbe.figures.style import WIDTH, legend_below, look
from kbe.figures.words import described, rounded

LINES = ("C1", "C3", "C0", "C4")
ARROWS = LinearSegmentedColormap.from_list("arrows", plt.get_cmap("viridis")(np.linspace(0.33, 0.85, 32)))


def on_gradient_field(
    panels: Mapping[str, xr.Dataset],
    fields: xr.Dataset | Sequence[xr.Dataset],
    *,
    few: int = 4,
    jumps: Sequence[str] = (),
) -> Figure:
    """Trajectories on the gradient field, its steepness in colour on a log scale, as Fig. 1 and 6.

    By title the `panels`, side by side, hold the trajectories, as `trajectories.paths` returns them: `error` and
    `sigma` (member, epoch, point), with `stable` (member, epoch). The `fields`, one for all or one a panel, are as
    `trajectories.gradient_field` returns them. Up to `few` trajectories are drawn apart, each with its own colour;
    more as one cloud of thin lines. The panels whose titles `jumps` holds show also what comes after the onset.
    """
    each = [fields] * len(panels) if isinstance(fields, xr.Dataset) else list(fields)
    figure, row = plt.subplots(1, len(panels), figsize=(WIDTH, 3.6), sharex=True, sharey=True, squeeze=False)
    steepest = max(float(field.steepness.max()) for field in each)
    colours = LogNorm(max(min(float(field.steepness.min()) for field in each), steepest / 1e4), steepest)
    ways = []
    for axes, (title, path), field in zip(row[0], panels.items(), each, strict=True):
        arrows = _arrows(axes, field, colours)
        ways.append(f"{title}: {_trajectories(axes, path, few, title in jumps)}")
        axes.set(title=title, xlabel=r"$|y - \mu|$", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    row[0, 0].set_ylabel(r"$\sigma$")
    figure.colorbar(arrows, ax=list(row[0]), location="bottom", aspect=40, label="steepness of the loss (per unit)")
    return described(
        figure,
        "Trajectories of error and sigma on the gradient field of the loss, whose steepness grows from "
        f"{rounded(colours.vmin or 0)} to {rounded(steepest)}. {'. '.join(ways)}.",
    )


def falls(curves: Mapping[str, xr.DataArray], *, lowest: float = 1e-8) -> Figure:
    """The fall of the standard deviation of one point, measured and by models, a thin line for each member.

    By the name of what gave it, the `curves` are sigma (member, epoch) of the same members. The axis ends at the
    `lowest`; a sigma of 0 goes below it.
    """
    figure, axes = plt.subplots()
    words = []
    for (name, sigma), colour, style in zip(curves.items(), LINES, ("-", "--", ":", "-."), strict=False):
        drawn = np.maximum(sigma.transpose("epoch", "member").values, lowest / 1e3)
        lines = axes.plot(np.arange(len(drawn)), drawn, style, color=colour, linewidth=1.2, alpha=0.8)
        lines[0].set_label(name)
        collapsed = (sigma < 1e-3).transpose("epoch", "member").values
        times = collapsed.argmax(0)[collapsed.any(0)]
        at = f", at epoch {rounded(np.median(times), 'g')} in the median" if times.size else ""
        words.append(f"{name}: {times.size} of {sigma.sizes['member']} fall below 0.001 by epoch {len(drawn) - 1}{at}")
    axes.set(xlabel="epoch", ylabel=r"$\sigma$", yscale="log", ylim=(lowest, 2))
    legend_below(figure, 1)
    return described(figure, f"Sigma over the epochs, on a logarithmic axis. {'. '.join(words)}.")


def instability_over_epochs(curves: Mapping[str, xr.DataArray]) -> Figure:
    """The share of networks that have turned unstable, over epochs, for `curves` (epoch) by name.

    Each is drawn narrower than the one before: where they coincide, the earlier ones show on both sides.
    """
    figure, axes = plt.subplots()
    words = []
    for k, (name, share) in enumerate(curves.items()):
        width = 1.4 + 0.8 * (len(curves) - 1 - k)
        axes.step(share.epoch, share, where="post", label=name, linewidth=width, **look(k))
        half = f", a half at epoch {share.epoch[share >= 0.5].values[0]:g}" if (share >= 0.5).any() else ""
        words.append(f"{name}: {rounded(share[-1])} in the end{half}")
    axes.set(xlabel="epoch", ylabel="share unstable", xscale="log", ylim=(-0.03, 1.03))
    legend_below(figure, 2)
    return described(figure, f"The share of unstable networks over the epochs. {'; '.join(words)}.")


def trajectories_by_epoch(
    panels: Mapping[str, xr.Dataset], field: xr.Dataset, epochs: Sequence[int], *, jumps: bool = False
) -> MovingFigure:
    """Trajectories on the gradient field of the loss of one point, with the epoch to be moved.

    By title the `panels` hold trajectories as `trajectories.paths` returns them, recorded at the `epochs` at least:
    all are drawn, up to their onsets or, with `jumps`, beyond. The `field` is as `trajectories.gradient_field` returns
    it.
    """
    drawn: list[Panel] = []
    said: list[list[str]] = [[] for _ in epochs]
    for title, path in panels.items():
        kept = path.sel(epoch=list(epochs)).transpose("epoch", "member", "point")
        at = (kept if jumps else kept.where(kept.stable))[["error", "sigma"]].stack(curve=["member", "point"])
        trails = Curve("a point, and its way so far", at.error, at.sigma, gaps=True, trail=True)
        ends = (-0.02, 1.02), (-0.02, max(1.0, float(at.sigma.max())) + 0.02)
        drawn.append(Panel(title, "|y − μ|", "σ", [_arrow_lines(field), trails], *ends))
        for sentence, one, stable in zip(said, at.sigma.values, kept.stable.values, strict=True):
            middle = f" with the median σ {rounded(np.nanmedian(one))}" if stable.any() else ""
            sentence.append(f"{stable.sum()} of {len(stable)} networks ({title}){middle}")
    sentences = [f"Before the onset: {', '.join(one)}." for one in said]
    last = len(epochs) - 1
    values = [f"epoch {epoch}" for epoch in epochs]
    return MovingFigure("training", values, sentences, drawn, last // 4, sorted({0, last // 8, last // 3}))


def _arrow_lines(field: xr.Dataset) -> Curve:
    """Arrows along the field, as one line with gaps."""
    size = 0.7 * float(np.diff(field.error).mean())
    head, tail = np.stack([field.to_error, field.to_deviation]) * size / 2, np.full((2, *field.steepness.shape), np.nan)
    middle = np.stack(np.meshgrid(field.error, field.deviation))
    aside = np.stack([-head[1], head[0]])
    barbs = [middle + 0.3 * head + 0.5 * sign * aside for sign in (1, -1)]
    x, y = np.stack([middle - head, middle + head, barbs[0], middle + head, barbs[1], tail], -1).reshape(2, -1)
    return Curve("", x, y, gaps=True)


def _arrows(axes: Axes, field: xr.Dataset, colours: LogNorm) -> Quiver:
    places = field.error, field.deviation, field.to_error, field.to_deviation
    style: dict[str, Any] = {"angles": "xy", "pivot": "mid", "scale": 1.15 * len(field.error), "width": 0.007}
    return axes.quiver(*places, field.steepness, norm=colours, cmap=ARROWS, alpha=0.85, **style)


def _trajectories(axes: Axes, path: xr.Dataset, few: int, jumps: bool) -> str:
    """Draw trajectories; where they begin and end in words."""
    shown = path if jumps else path.where(path.stable)
    curves = shown[["error", "sigma"]].transpose("epoch", "member", "point").stack(curve=["member", "point"])
    apart = curves.sizes["curve"] <= few
    outline = [patheffects.withStroke(linewidth=3.4, foreground=plt.rcParams["axes.facecolor"])]
    for number, (error, sigma) in enumerate(zip(curves.error.values.T, curves.sigma.values.T, strict=True)):
        if apart:
            axes.plot(error, sigma, color=LINES[number % len(LINES)], path_effects=outline)
            axes.plot(error[:1], sigma[:1], "o", color=LINES[number % len(LINES)], markersize=5)
        else:
            colour = f"C{number % 6}" if jumps else "C1"
            axes.plot(error, sigma, color=colour, linewidth=0.6, alpha=min(0.7, max(0.1, 60 / curves.sizes["curve"])))
    begin, end = zip(*map(_ends, (curves.error.values, curves.sigma.values)), strict=True)
    return f"{curves.sizes['curve']} from about ({', '.join(begin)}) to ({', '.join(end)})"


def _ends(values: np.ndarray) -> tuple[str, str]:
    """Where curves (epoch, curve) begin and end as far as they are drawn, the medians."""
    drawn = values[:, np.isfinite(values).any(0)]
    if not drawn.size:
        return rounded(np.nan), rounded(np.nan)
    first, last = np.isfinite(drawn).argmax(0), len(drawn) - 1 - np.isfinite(drawn[::-1]).argmax(0)
    each = np.arange(drawn.shape[1])
    return rounded(np.median(drawn[first, each])), rounded(np.median(drawn[last, each]))
