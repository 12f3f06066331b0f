"""What a figure says in words: its alternative text, made of the numbers that it draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike


def described(figure: Figure, words: str) -> Figure:
    """The figure with its alternative text: what it shows, with the numbers that matter, for who cannot see it."""
    figure.set_label(words)
    return figure


def rounded(value: ArrayLike, form: str = ".2g") -> str:
    """A number in words; one that is missing or infinite is no number."""
    return f"{float(np.asarray(value)):{form}}" if np.isfinite(value) else "no number"


def first(curve: xr.DataArray) -> str:
    """Where a curve, or the middle one of several quantiles, begins, as far as it is drawn."""
    return _end(curve, 0)


def last(curve: xr.DataArray) -> str:
    """Where a curve, or the middle one of several quantiles, ends, as far as it is drawn."""
    return _end(curve, -1)


def all_last(curves: Mapping[str, xr.DataArray]) -> str:
    """Where each of some curves ends, with its name."""
    return ", ".join(f"{last(curve)} ({name})" for name, curve in curves.items())


def _end(curve: xr.DataArray, place: int) -> str:
    drawn = np.asarray(curve.isel(quantile=curve.sizes["quantile"] // 2) if "quantile" in curve.dims else curve)
    drawn = drawn[np.isfinite(drawn)]
    return rounded(drawn[place] if drawn.size else np.nan)
