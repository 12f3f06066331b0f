"""Figures of the chapter on the spectrum: Fig. 5, its ensemble, and how errors fall mode by mode."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 5.4

BAND = 0.22


def spectrum_of_one_draw(draw: xr.Dataset, closed_form: np.ndarray, shown: Sequence[int]) -> Figure:
    """Eigenvalues and some eigenvectors of one draw of points (Fig. 5).

    Parameters
    ----------
    draw : xarray.Dataset
        One member of `modes.line_draws`: `x` (point), `eigenvalue` (mode), `eigenvector` (mode, point).
    closed_form : array, shape (mode,)
        The eigenvalues that the points would have in the limit of many.
    shown : sequence of int
        The ranks of the eigenvectors to draw, counted from 1.

    Returns
    -------
    Figure
        Eigenvalues over rank on logarithmic axes; below, the eigenvectors over position, one above the other.
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
    return figure


def spectrum_of_draws(
    random: xr.Dataset, even: xr.Dataset, closed_form: np.ndarray, localised: np.ndarray, sine: float = 2 / 3
) -> Figure:
    """How typical one draw is: eigenvalues and participation over many draws, beside evenly spaced points.

    Parameters
    ----------
    random, even : xarray.Dataset
        `modes.line_draws` with random and with even spacing.
    closed_form : array, shape (mode,)
        The eigenvalues in the limit of many points.
    localised : array, shape (mode,)
        The participation ratio of localised modes in theory.
    sine : float
        The participation ratio of a sine.

    Returns
    -------
    Figure
        Two panels over rank on logarithmic axes, with medians and bands that hold 95 % of the draws.
    """
    figure, (values, shares) = plt.subplots(2, 1, figsize=(WIDTH, 6.2), sharex=True)
    _band(values, random.eigenvalue, "random points")
    values.plot(even.mode, even.eigenvalue[0], ":", color="C2", label="even points")
    values.plot(random.mode, closed_form, "--", color="C1", label="closed form")
    values.set(xscale="log", yscale="log", ylabel="eigenvalue")
    values.legend(loc="lower left")
    _band(shares, random.participation, "random points")
    shares.plot(even.mode, even.participation[0], ":", color="C2", label="even points")
    small = localised < sine
    shares.plot(random.mode[small], localised[small], "--", color="C1", label="localised, in theory")
    shares.set(xscale="log", yscale="log", xlabel="rank", ylabel="share of points that take part", ylim=(0.01, 1.1))
    shares.legend(loc="lower left")
    return figure


def mode_decay(epochs: np.ndarray, measured: np.ndarray, forecast: np.ndarray, shown: Sequence[int]) -> Figure:
    """What is left of the error along the modes of the initial kernel, in training.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs, the start included.
    measured, forecast : array, shape (epoch, mode)
        The share that is left in the networks, and with the initial kernel kept constant.
    shown : sequence of int
        The ranks to draw, counted from 1.

    Returns
    -------
    Figure
        One colour a rank; solid what was measured, dashed the forecast.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    later = epochs > 0
    for colour, rank in enumerate(shown):
        axes.plot(epochs[later], measured[later, rank - 1], color=f"C{colour}", label=f"rank {rank}")
        axes.plot(epochs[later], forecast[later, rank - 1], "--", lw=1.1, color=f"C{colour}")
    axes.plot([], [], "--", lw=1.1, color="C5", label="constant kernel")
    axes.set(xscale="log", xlabel="epoch", ylabel="error left along the mode", ylim=(0, 1.08))
    axes.legend(loc="lower left")
    return figure


def order_decay(
    strength: np.ndarray, closed_form: np.ndarray, epochs: np.ndarray, left: np.ndarray, orders: Sequence[int]
) -> Figure:
    """The kernel on all bit strings by Walsh order, and the error left at each order in training.

    Parameters
    ----------
    strength : array, shape (member, order)
        The kernel's strength at each order.
    closed_form : array, shape (order,)
        The eigenvalues of the exponential kernel.
    epochs : array, shape (epoch,)
        Epochs, the start included.
    left : array, shape (epoch, order)
        The share of the error that is left.
    orders : sequence of int
        The orders to draw below.

    Returns
    -------
    Figure
        Above the strengths on a logarithmic axis, below the shares over epochs.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6.2))
    low, middle, high = np.quantile(strength, (0.025, 0.5, 0.975), axis=0)
    number = np.arange(strength.shape[1])
    above.errorbar(number, middle, (middle - low, high - middle), fmt="o", ms=4, capsize=3, label="networks at start")
    above.plot(number, closed_form, "x--", color="C1", label="exponential kernel")
    above.set(yscale="log", xlabel="Walsh order", ylabel="strength of the kernel", ylim=(1e-18, None))
    above.legend(loc="lower left")
    for colour, order in enumerate(orders):
        below.plot(epochs[epochs > 0], left[epochs > 0, order], color=f"C{colour}", label=f"order {order}")
    below.set(xscale="log", xlabel="epoch", ylabel="error left at the order", ylim=(0, 1.08))
    below.legend(loc="lower left")
    return figure


def _band(axes: Axes, values: xr.DataArray, label: str) -> None:
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975), axis=0)
    axes.fill_between(values.mode, low, high, alpha=BAND, lw=0, color="C0")
    axes.plot(values.mode, middle, color="C0", label=label)
