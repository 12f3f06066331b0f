"""The interval of a statistic over members, by drawing them again; members without onset stay in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from kbe import checks


def bootstrap(
    samples: np.ndarray,
    statistic: Callable[[np.ndarray], Any],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """A statistic over members and its percentile interval, infinite onsets allowed.

    Parameters
    ----------
    samples : array, shape (members, ...)
        One value or row a member; a member without onset counts as infinite, it is not left out.
    statistic : callable
        From samples to a number or an array of numbers; NaN where the samples do not tell.
    resamples : int
        How many times the members are drawn again, with replacement.
    confidence : float
        Of the interval, between 0 and 1.
    seed : int
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        `estimate`, `low` and `high`, in the statistic's shape. The interval is NaN where a resample
        gives NaN: then the run is too short or too small to tell.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    values = np.atleast_1d(checks.array("samples", samples, finite=False))
    checks.integer("resamples", resamples, 1)
    checks.number("confidence", confidence, above=0, high=1 - 1e-9)
    checks.integer("seed", seed, 0)
    draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    spread = np.array([statistic(values[draw]) for draw in draws], dtype=float)
    low, high = np.quantile(spread, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    dims = [f"axis_{k}" for k in range(spread.ndim - 1)]
    estimate = np.asarray(statistic(values), dtype=float)
    return xr.Dataset({"estimate": (dims, estimate), "low": (dims, low), "high": (dims, high)})
