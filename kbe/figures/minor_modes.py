"""Figures of the chapter on minor modes: when dense and sparse places are learnt, and what networks disagree on."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from kbe.figures.style import STYLES

MARKERS = "osD^vP"


def learning_times(density: np.ndarray, groups: dict[str, np.ndarray], units: list[str]) -> Figure:
    """The time to learn a cluster over its density, on several clocks.

    Parameters
    ----------
    density : array, shape (densities,)
        Points of a cluster.
    groups : dict of str to array, shape (3, densities)
        For each clock, by the title of its panel, three quantiles of the time; not finite ones are left out.
    units : list of str
        What each time is, with its unit.

    Returns
    -------
    Figure
        A panel for each clock, with a line of the power -1 through the densest cluster.
    """
    figure, axes = plt.subplots(len(groups), sharex=True, figsize=(5.4, 2.6 * len(groups) + 0.6), squeeze=False)
    for axis, (title, times), unit in zip(axes[:, 0], groups.items(), units, strict=True):
        _with_quartiles(axis, density, times, "measured")
        theory = times[1][-1] * density[-1] / density
        if np.isfinite(theory).all():
            axis.plot(density, theory, "--", color="C1", label="power $-1$")
        axis.set(xscale="log", yscale="log", ylabel=unit, title=title)
        axis.set_xticks(density, [f"{n:g}" for n in density])
        axis.minorticks_off()
        if not np.isfinite(times).any():  # a logarithmic axis cannot find its range without data
            axis.set_ylim(1, 10)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
    axes[-1, 0].set_xlabel("points of the cluster")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def growth_and_modes(
    epochs: np.ndarray, strength: np.ndarray, eigenvalue: np.ndarray, measured: np.ndarray, forecast: np.ndarray
) -> Figure:
    """The strength of the local response in training, and the time to learn each mode.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs from 0; the start is drawn at the left border.
    strength : array, shape (3, epoch)
        Three quantiles of the local strength of the response.
    eigenvalue, measured, forecast : array, shape (modes,)
        Eigenvalues, and the epochs by which half of each mode's error is gone, measured and with a constant kernel.

    Returns
    -------
    Figure
        The two, one above the other.
    """
    figure, (above, below) = plt.subplots(2, figsize=(5.4, 6.0))
    shown = np.maximum(epochs, 0.7)
    above.fill_between(shown, strength[0], strength[2], color="C0", alpha=0.25, linewidth=0)
    above.plot(shown, strength[1], color="C0")
    above.set(xscale="log", yscale="log", xlabel="epoch", ylabel="local strength $k$")
    above.set_xlim(shown[0], shown[-1])
    kept = np.isfinite(measured)
    below.plot(eigenvalue, forecast, "--", color="C1", label="constant kernel: power $-1$")
    below.plot(eigenvalue[kept], measured[kept], "o", color="C0", label="measured")
    below.set(xscale="log", yscale="log", xlabel=r"eigenvalue $\lambda$ at the start", ylabel="epochs to learn a mode")
    below.legend(loc="upper right")
    return figure


def designs(epochs: np.ndarray, learnt: dict[str, np.ndarray], error: dict[str, np.ndarray]) -> Figure:
    """What a distribution of the same number of points does for all clusters, and for the test error.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs from 0; the start is not drawn.
    learnt : dict of str to array, shape (epoch,)
        For each design, the share of networks that have learnt every cluster.
    error : dict of str to array, shape (epoch,)
        For each design, the mean squared error over the test density.

    Returns
    -------
    Figure
        The two, one above the other.
    """
    figure, axes = plt.subplots(2, sharex=True, figsize=(5.4, 5.8))
    for k, name in enumerate(learnt):
        for axis, values in zip(axes, (learnt[name], error[name]), strict=True):
            axis.plot(epochs[1:], values[1:], color=f"C{k}", linestyle=STYLES[k], label=name)
    axes[0].set(xscale="log", ylabel="share with all clusters learnt", ylim=(-0.03, 1.03))
    axes[1].set(yscale="log", ylabel="error at the test density", xlabel="epoch")
    axes[1].set_xlim(max(1, epochs[-1] / 100), epochs[-1])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def variability(epochs: np.ndarray, spread: np.ndarray, density: np.ndarray) -> Figure:
    """The standard deviation of outputs over initial conditions, by the density of the data.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs from 0; the start is drawn at the left border.
    spread : array, shape (epoch, densities)
        The standard deviation over networks with the same data.
    density : array, shape (densities,)
        Points of a cluster; 0 for a place without data.

    Returns
    -------
    Figure
        One line a density.
    """
    figure, axes = plt.subplots(figsize=(5.4, 3.9))
    shown, every = np.maximum(epochs, 0.7), max(1, len(epochs) // 8)
    for k, n in enumerate(density):
        label = "no data" if n == 0 else "1 point" if n == 1 else f"{n:g} points"
        (line,) = axes.plot(shown, spread[:, k], color=f"C{k % 6}", linestyle=STYLES[k % 6], label=label)
        line.set(marker=MARKERS[k % 6], markersize=4, markevery=(k % every, every))
    axes.set(xscale="log", xlabel="epoch", ylabel="deviation over networks", ylim=(0, None))
    axes.set_xlim(shown[0] / 1.1, max(1, shown[-1]) * 1.1)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _with_quartiles(axis: Axes, across: np.ndarray, quantiles: np.ndarray, label: str) -> None:
    low, middle, high = np.where(np.isfinite(quantiles), quantiles, np.nan)
    error = np.nan_to_num(np.stack([middle - low, high - middle]))
    axis.errorbar(across, middle, error, marker="o", linestyle="", color="C0", capsize=2, label=label)
