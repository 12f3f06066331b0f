"""Figures of the chapter on the kernel-balanced equation: each of its steps, measured."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

WIDTH = 5.4

BAND = 0.22


def local_step(
    epochs: np.ndarray, errors: np.ndarray, scales: np.ndarray, smooth: np.ndarray, law: np.ndarray
) -> Figure:
    """The error of replacing mu_j by mu_i, in networks and on smooth outputs.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs, without the start if it is 0.
    errors : array, shape (member, epoch)
        The relative error of the rate in each network.
    scales : array, shape (scale,)
        beta of the kernel on the line.
    smooth, law : array, shape (scale,)
        The relative error on smooth outputs, and the law that it should follow.

    Returns
    -------
    Figure
        Two panels, one below the other, on logarithmic axes; a line marks an error of a half.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6.0))
    _band(above, epochs, errors, "C0", "average networks")
    above.axhline(0.5, ls=":", color="C5", label="criterion")
    above.set(xscale="symlog", yscale="log", xlabel="epoch", ylabel="relative error of the rate", xlim=(0, None))
    above.legend(loc="upper left")
    below.loglog(scales, smooth, "o", ms=4, label="smooth outputs on a line")
    below.loglog(scales, law, "--", color="C1", label=r"$\beta^{-2} |\mu''| \,/\, |y - \mu|$")
    below.set(xlabel=r"inverse width $\beta$ of the kernel", ylabel="relative error of the rate")
    below.legend(loc="lower left")
    _plain_numbers(below.xaxis)
    return figure


def expansion(profile: xr.DataArray, fitted: np.ndarray, counts: np.ndarray, misfits: dict[str, np.ndarray]) -> Figure:
    """The measured kernel over distance, and its expansion in several scales.

    Parameters
    ----------
    profile : xarray.DataArray, dims (epoch, distance)
        The kernel's profile in one network, relative to distance 0.
    fitted : array, shape (epoch, distance)
        The fits of the largest expansion.
    counts : array, shape (count,)
        Numbers of scales.
    misfits : dict
        Name to array (count,): the relative error of the expansion.

    Returns
    -------
    Figure
        Above the profiles with their fits, below the errors over the number of scales.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6.0))
    for colour, epoch in enumerate(profile.epoch.values):
        measured = profile.sel(epoch=epoch)
        above.plot(profile.distance, measured, "o", ms=4, color=f"C{colour}", label=f"epoch {epoch}")
        above.plot(profile.distance, fitted[colour], lw=1.1, color=f"C{colour}")
    above.axhline(0, lw=0.8, color="C5")
    above.set(xlabel="Hamming distance $d$", ylabel="$K(d) / K(0)$")
    above.legend(loc="center right", bbox_to_anchor=(1, 0.55))
    for colour, (name, values) in enumerate(misfits.items()):
        below.plot(counts, values, "o-", color=f"C{colour}", label=name)
    below.set(xlabel="number of scales", ylabel="misfit", ylim=(0, None))
    below.set_xticks(counts)
    below.legend(loc="best")
    return figure


def resting_places(epochs: np.ndarray, distances: dict[str, np.ndarray]) -> Figure:
    """How far the outputs of networks are from the places where they might rest.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs.
    distances : dict
        Name to array (member, epoch): root mean square distances, in the unit of y.

    Returns
    -------
    Figure
        Medians and bands that hold two thirds of the members, on logarithmic axes.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    for colour, (name, values) in enumerate(distances.items()):
        _band(axes, epochs, values, f"C{colour}", name)
    axes.set(xscale="symlog", yscale="log", xlabel="epoch", ylabel="distance of the outputs", xlim=(0, None))
    axes.legend(loc="lower left")
    return figure


def scale_in_theory(times: np.ndarray, line: np.ndarray, law: np.ndarray, explained: np.ndarray) -> Figure:
    """The scale of averaging under the exact linear dynamics on a line.

    Parameters
    ----------
    times : array, shape (time,)
        Times.
    line, law : array, shape (time,)
        The scale that fits best, and its law.
    explained : array, shape (time,)
        The share of the outputs' variation that the local average explains.

    Returns
    -------
    Figure
        The scale on logarithmic axes; below, the share.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.4), sharex=True, height_ratios=(1.6, 1))
    above.plot(times, line, "o", ms=4, label="best scale")
    above.plot(times, law, "--", color="C1", label=r"$\sqrt{2 \beta n t}$")
    above.set(xscale="log", yscale="log", ylabel=r"scale $\alpha$")
    above.legend(loc="upper left")
    _plain_numbers(above.yaxis)
    below.plot(times, explained, "o-", ms=4)
    below.set(xscale="log", xlabel="time $t$", ylabel="explained", ylim=(0, 1.05))
    return figure


def scale_in_networks(
    epochs: np.ndarray, alpha: np.ndarray, explained: np.ndarray, without_places: np.ndarray
) -> Figure:
    """The scale of averaging of average networks in training, and how well the average fits.

    Parameters
    ----------
    epochs : array, shape (epoch,)
        Epochs.
    alpha : array, shape (member, epoch)
        The scale that fits best, per bit.
    explained : array, shape (member, epoch)
        The share of the outputs' variation that the local average explains.
    without_places : array, shape (member, epoch)
        The same of a mix of the mean target and the own target.

    Returns
    -------
    Figure
        Above the scale, below the two shares, medians with bands that hold two thirds of the members.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.8), sharex=True)
    _band(above, epochs, alpha, "C0", None)
    above.set(xscale="symlog", ylabel=r"scale $\alpha$ (1 / bit)", xlim=(0, None))
    _band(below, epochs, explained, "C0", "local average")
    _band(below, epochs, without_places, "C1", "mean and own target alone")
    below.set(xlabel="epoch", ylabel="explained", ylim=(-0.55, 1.05))
    below.legend(loc="upper left")
    return figure


def _band(axes: Axes, ticks: np.ndarray, values: np.ndarray, colour: str, label: str | None) -> None:
    low, middle, high = np.nanquantile(values, (1 / 6, 0.5, 5 / 6), axis=0)
    axes.fill_between(ticks, low, high, alpha=BAND, lw=0, color=colour)
    axes.plot(ticks, middle, color=colour, label=label)


def _plain_numbers(axis: Axis) -> None:
    """Label a short logarithmic axis at 1, 2 and 5 of each decade."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
