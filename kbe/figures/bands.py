"""What figures of several chapters draw alike: bands and bars of quantiles, and axes that are logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike


def band(axes: Axes, ticks: ArrayLike, quantiles: ArrayLike, *, alpha: float = 0.25, **line: Any) -> None:
    """Draw a line over the `ticks`, and about it a band in its colour, as opaque as `alpha`.

    The `quantiles` (3, ticks), or with a dimension `quantile`, are the band's lower edge, the line and the upper
    edge. What is in `line` goes to `Axes.plot`: its `color` at least.
    """
    if isinstance(quantiles, xr.DataArray):
        quantiles = quantiles.transpose("quantile", ...)
    low, middle, high = np.asarray(quantiles)
    axes.fill_between(ticks, low, high, color=line["color"], alpha=alpha, linewidth=0)
    axes.plot(ticks, middle, **line)


def bars(axes: Axes, ticks: ArrayLike, quantiles: ArrayLike, *, capsize: float = 2, **line: Any) -> None:
    """Draw points over the `ticks`, each with a bar between two quantiles; what is not finite is left out.

    The `quantiles` (3, ticks) are the bars' lower ends, the points and the upper ends. What is in `line` goes to
    `Axes.errorbar`.
    """
    low, middle, high = np.where(np.isfinite(quantiles), quantiles, np.nan)
    lengths = np.nan_to_num(np.abs(np.stack([middle - low, high - middle])))
    axes.errorbar(ticks, middle, lengths, capsize=capsize, **line)


def where_positive(values: xr.DataArray) -> xr.DataArray:
    """Values that a logarithmic axis can hold, and NaN in place of those not positive or beyond all measure."""
    return values.where((values > 1e-100) & (values < 1e100))


def plain_logarithms(axes: Axes, values: ArrayLike) -> None:
    """Make the upward axis logarithmic and label it in plain numbers, even if it can show no one of the `values`."""
    axes.set_yscale("log")
    drawn = np.isfinite(values) & (np.asarray(values) > 0)
    if not drawn.any():  # a logarithmic axis cannot find its range without data
        axes.set_ylim(1, 10)
    plain_numbers(axes.yaxis)


def plain_numbers(axis: Axis, of_decade: Sequence[float] = (1, 2, 5), *, minor: bool = False) -> None:
    """Label a short logarithmic axis in plain numbers, at these places of a decade; with `minor` ticks or without."""
    axis.set_major_locator(LogLocator(subs=of_decade))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
    if not minor:
        axis.set_minor_locator(NullLocator())
