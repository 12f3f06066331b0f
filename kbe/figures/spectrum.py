"""Figures of the chapter on the spectrum: Fig. 5, its ensemble, and how errors fall mode by mode."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe.figures.bands import band, bars
from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Curve, Panel
from kbe.figures.style import WIDTH, look
from kbe.figures.words import described, rounded

MIDDLE = (0.025, 0.5, 0.975)  # bands and bars hold 95 %


def spectrum_of_one_draw(draw: xr.Dataset, closed_form: np.ndarray, shown: Sequence[int]) -> Figure:
    """Eigenvalues and some eigenvectors of one draw of points (Fig. 5).

    The `draw` is a member of `modes.line_draws`: `x` (point), `eigenvalue` (mode) over rank, `eigenvector` (mode,
    point) over position, those of the ranks `shown`, counted from 1. The `closed_form` (mode) is the eigenvalues
    that the points would have in the limit of many.
    """
    figure, (values, vectors) = plt.subplots(2, 1, figsize=(WIDTH, 6.4), height_ratios=(1, 1.35))
    values.loglog(draw.mode, draw.eigenvalue, "o", ms=3.5, label="one draw")
    values.loglog(draw.mode, closed_form, "--", color="C1", label="closed form, many points")
    values.set(xlabel="rank", ylabel="eigenvalue")
    values.legend(loc="lower left")
    for row, rank in enumerate(shown):
        vector = draw.eigenvector.sel(mode=rank).values
        vectors.plot(draw.x, 0.45 * vector / np.abs(vector).max() - row, lw=1.2, color="C0")
    vectors.set(xlabel="position $x$", ylabel="rank of the eigenvector", xlim=(0, 1))
    vectors.set_yticks(-np.arange(len(shown)), [str(rank) for rank in shown])
    shares = [f"{rounded(draw.participation.sel(mode=rank))} at rank {rank}" for rank in shown]
    return described(
        figure,
        f"Eigenvalues over rank, on logarithmic axes, from {rounded(draw.eigenvalue[0])} down to "
        f"{rounded(draw.eigenvalue[-1])}, where the closed form has {rounded(closed_form[-1])}. Below, eigenvectors "
        f"over position; the share of the points that take part in each is {', '.join(shares)}.",
    )


def spectrum_of_draws(
    random: xr.Dataset, even: xr.Dataset, closed_form: np.ndarray, localised: np.ndarray, sine: float = 2 / 3
) -> Figure:
    """How typical one draw is: eigenvalues and participation over rank, with bands that hold 95 % of the draws.

    `random` and `even` are `modes.line_draws` with such spacing; the `closed_form` (mode) is the eigenvalues in the
    limit of many points; `localised` (mode) and `sine` are the participation ratios of localised modes and of a
    sine in theory.
    """
    figure, (values, shares) = plt.subplots(2, 1, figsize=(WIDTH, 6.2), sharex=True)
    _draws(values, random.eigenvalue, even.eigenvalue)
    values.plot(random.mode, closed_form, "--", color="C1", label="closed form")
    values.set(xscale="log", yscale="log", ylabel="eigenvalue")
    values.legend(loc="lower left")
    _draws(shares, random.participation, even.participation)
    small = localised < sine
    shares.plot(random.mode[small], localised[small], "--", color="C1", label="localised, in theory")
    shares.set(xscale="log", yscale="log", xlabel="rank", ylabel="share of points that take part", ylim=(0.01, 1.1))
    shares.legend(loc="lower left")
    said = []
    for rank in sorted({1, round(random.sizes["mode"] ** 0.5), random.sizes["mode"] // 2, random.sizes["mode"]}):
        value, share = (float(random[name].sel(mode=rank).median()) for name in ("eigenvalue", "participation"))
        even_share = rounded(even.participation.sel(mode=rank)[0])
        said.append(f"at rank {rank} {rounded(value)} and {rounded(share)} ({even_share})")
    return described(
        figure,
        "Over the rank, on logarithmic axes, the median eigenvalue and the share of random points that take part in "
        f"the eigenvector (in brackets, of even points): {'; '.join(said)}.",
    )


def mode_decay(epochs: np.ndarray, measured: np.ndarray, forecast: np.ndarray, shown: Sequence[int]) -> Figure:
    """What is left of the error along the modes of the initial kernel, in training; one colour a rank.

    Over the `epochs`, the start not drawn: the share left in the networks, `measured`, and, dashed, the `forecast`
    with the initial kernel kept constant (epoch, mode), of the ranks `shown`, counted from 1.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    later = epochs > 0
    for colour, rank in enumerate(shown):
        axes.plot(epochs[later], measured[later, rank - 1], color=f"C{colour}", label=f"rank {rank}")
        axes.plot(epochs[later], forecast[later, rank - 1], "--", lw=1.1, color=f"C{colour}")
    axes.plot([], [], "--", lw=1.1, color="C5", label="constant kernel")
    axes.set(xscale="log", xlabel="epoch", ylabel="error left along the mode", ylim=(0, 1.08))
    axes.legend(loc="lower left")
    ends = [f"{rounded(measured[-1, k - 1])} of rank {k} ({rounded(forecast[-1, k - 1])})" for k in shown]
    return described(
        figure,
        "The share of the error that is left along the modes, over the epochs, on a logarithmic axis. At the end, in "
        f"the networks (in the forecast with a constant kernel), it is {', '.join(ends)}.",
    )


def order_decay(
    strength: np.ndarray, closed_form: np.ndarray, epochs: np.ndarray, left: np.ndarray, orders: Sequence[int]
) -> Figure:
    """The kernel on all bit strings by Walsh order, above, and the error left at each order in training, below.

    The `strength` (member, order) of networks' kernels, and the `closed_form` (order) for the exponential kernel;
    the share of the error that is `left` (epoch, order) over the `epochs`, the start not drawn, for some `orders`.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6.2))
    number = np.arange(strength.shape[1])
    quantiles = np.quantile(strength, MIDDLE, axis=0)
    bars(above, number, quantiles, capsize=3, marker="o", linestyle="none", markersize=4, label="networks at start")
    above.plot(number, closed_form, "x--", color="C1", label="exponential kernel")
    above.set(yscale="log", xlabel="Walsh order", ylabel="strength of the kernel", ylim=(1e-18, None))
    above.legend(loc="lower left")
    for colour, order in enumerate(orders):
        below.plot(epochs[epochs > 0], left[epochs > 0, order], **look(colour), label=f"order {order}")
    below.set(xscale="log", xlabel="epoch", ylabel="error left at the order", ylim=(0, 1.08))
    below.legend(loc="lower left")
    strengths = [f"{rounded(quantiles[1, k])} ({rounded(closed_form[k])})" for k in number]
    ends = [f"{rounded(left[-1, order])} at order {order}" for order in orders]
    return described(
        figure,
        "Above, the median strength of the kernel by Walsh order, on a logarithmic axis (in brackets that of the "
        f"exponential kernel): {', '.join(strengths)}. Below, the error left in training ends at {', '.join(ends)}.",
    )


def modes_of_a_kernel(draw: xr.Dataset, targets: xr.DataArray, ranks: Sequence[int]) -> MovingFigure:
    """The modes of a kernel on a line, from global to local, and what is left of the targets once they are learnt.

    The `draw` has the points `x` (point) and, over `mode`, the `eigenvalue`, the `eigenvector` (mode, point), the
    `participation`, the outputs with all modes up to this one `learnt` (mode, point), and the share of the squared
    squares that is `left`. A frame shows one of the `ranks`, counted from 1.
    """
    modes = draw.sel(mode=list(ranks))
    height = 1.05 * float(np.abs(modes.eigenvector).max())
    vectors = Panel(
        "The mode",
        "position x",
        "eigenvector",
        [Curve("", [0, 1], [0, 0]), Curve("mode", draw.x, modes.eigenvector)],
        (0, 1),
        (-height, height),
    )
    ends = float(draw.learnt.min()) - 0.1, float(draw.learnt.max()) + 0.1
    outputs = Panel(
        "All modes up to it learnt",
        "position x",
        "target y, output μ",
        [Curve("output", draw.x, modes.learnt), Curve("target", draw.x, targets, markers=True)],
        (0, 1),
        ends,
    )
    said = [
        f"Of {draw.sizes['mode']} modes this one has the eigenvalue {rounded(one.eigenvalue)}, and "
        f"{100 * float(one.participation):.0f}\N{NO-BREAK SPACE}% of the points take part in it; once it and all "
        f"before it are learnt, {100 * float(one.left):.0f}\N{NO-BREAK SPACE}% of the squared error is left."
        for one in (draw.sel(mode=rank) for rank in ranks)
    ]
    return MovingFigure("mode", [f"rank {rank}" for rank in ranks], said, [vectors, outputs], len(ranks) // 4)


def _draws(axes: Axes, random: xr.DataArray, even: xr.DataArray) -> None:
    quantiles = np.quantile(random, MIDDLE, axis=0)
    band(axes, random.mode, quantiles, alpha=0.22, color="C0", label="random points")
    axes.plot(even.mode, even[0], ":", color="C2", label="even points")
