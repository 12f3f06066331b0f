"""Statistics over members: intervals, shares, medians and rank correlations; members without onset stay in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
import xarray as xr
from numpy.typing import ArrayLike
from scipy import special

from kbe import checks


def partial_rank_correlation(first: ArrayLike, second: ArrayLike, *controls: ArrayLike) -> float:
    """Spearman's rank correlation of two quantities, with others held fixed.

    What the ranks of the controls explain linearly of the other two's ranks is taken off before they are correlated.

    Parameters
    ----------
    first, second : array, shape (members,)
        The two quantities. A member with a NaN or an infinity anywhere is left out.
    *controls : array, shape (members,)
        What is held fixed; without any it is the plain rank correlation.

    Returns
    -------
    float
        From -1 to 1; NaN with fewer than three members more than controls, or where nothing varies.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    rows = [checks.array(f"argument {k}", row, 1, finite=False) for k, row in enumerate((first, second, *controls))]
    checks.same_shape(**{f"argument {k}": row for k, row in enumerate(rows)})
    values = np.stack(rows)
    ranks = scipy.stats.rankdata(values[:, np.isfinite(values).all(0)], axis=1)
    if ranks.shape[1] < len(rows) + 1:
        return np.nan
    ranks -= ranks.mean(1, keepdims=True)
    fitted = np.linalg.lstsq(ranks[2:].T, ranks[:2].T, rcond=None)[0] if controls else np.zeros((0, 2))
    left, right = ranks[:2] - fitted.T @ ranks[2:]
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size > 1e-9 * len(left) else np.nan


def share_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share: it needs no spread, so it works for none and for all.

    Parameters
    ----------
    successes : int
        How many of them.
    total : int
        Out of how many, at least 1.
    confidence : float
        The interval's coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        The lower and the upper end of the share.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.integer("total", total, 1)
    checks.integer("successes", successes, 0, total)
    checks.number("confidence", confidence, high=1 - 1e-9, above=0)
    share, z = successes / total, float(special.ndtri(0.5 + confidence / 2))
    middle = (2 * total * share + z**2) / (2 * (total + z**2))
    half = z / (2 * (total + z**2)) * math.sqrt(4 * total * share * (1 - share) + z**2)
    return 0.0 if successes == 0 else middle - half, 1.0 if successes == total else middle + half


def rank_correlation(values: np.ndarray) -> float:
    """Spearman's correlation of values with their place in the row: 1 where they only rise.

    Parameters
    ----------
    values : array, shape (n,)
        Values in order.

    Returns
    -------
    float
        From -1 to 1; NaN for fewer than three values, equal values, or one that is not finite.

    Raises
    ------
    ValueError
        If the array is not one-dimensional.
    """
    values = checks.array("values", values, 1, finite=False)
    if len(values) < 3 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return float("nan")
    return float(scipy.stats.spearmanr(np.arange(len(values)), values).statistic)


@checks.checked
def draws(members: checks.Count, resamples: checks.Count, seed: checks.Seed = 0) -> np.ndarray:
    """Members drawn with replacement for the bootstrap: the indices of each resample, shape (resample, member)."""
    return np.random.default_rng(seed).integers(members, size=(resamples, members))


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
    spread = np.array([statistic(values[draw]) for draw in draws(len(values), resamples, seed)], dtype=float)
    low, high = np.quantile(spread, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    dims = [f"axis_{k}" for k in range(spread.ndim - 1)]
    estimate = np.asarray(statistic(values), dtype=float)
    return xr.Dataset({"estimate": (dims, estimate), "low": (dims, low), "high": (dims, high)})


def rank_correlation_along(values: xr.DataArray, dim: str) -> xr.DataArray:
    """Spearman's rank correlation of a quantity with its place along a dimension.

    Parameters
    ----------
    values : xarray.DataArray
        The quantity; NaN counts as larger than every number, as a run that has blown up does.
    dim : str
        The dimension, its coordinate increasing.

    Returns
    -------
    xarray.DataArray
        The other dimensions: 1 where the quantity always grows along `dim`, -1 where it always falls; 0
        where it never changes.

    Raises
    ------
    ValueError
        If the quantity lacks the dimension.
    """
    if not isinstance(dim, str) or dim not in getattr(values, "dims", ()):
        raise ValueError(f"values has no dimension {checks.shown(dim)}: it must be a DataArray along it.")
    ordered = values.transpose(..., dim)
    ranks = scipy.stats.rankdata(np.nan_to_num(ordered.values, nan=np.inf, posinf=np.inf), axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    place = np.arange(ranks.shape[-1]) - (ranks.shape[-1] - 1) / 2
    scale = np.sqrt((ranks**2).sum(-1) * (place**2).sum())
    correlation = np.divide(ranks @ place, scale, out=np.zeros_like(scale), where=scale > 0)
    return xr.DataArray(correlation, dims=ordered.dims[:-1])


def median_interval(onset: xr.DataArray, confidence: float = 0.95) -> xr.Dataset:
    """The median onset and an interval for it from the order of the members alone.

    Parameters
    ----------
    onset : xarray.DataArray
        Onset epochs, infinite for none, with a dimension `member`.
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    xarray.Dataset
        `median`, `low` and `high` over the other dimensions; infinite where too few have had their onset.

    Raises
    ------
    ValueError
        If there is no dimension `member` or the confidence is out of range.
    """
    if "member" not in getattr(onset, "dims", ()):
        raise ValueError("onset has no dimension 'member': it must be the onset of an ensemble.")
    checks.number("confidence", confidence, above=0, high=0.9999)
    ordered = onset.transpose(..., "member")
    ranked = ordered.drop_vars("member", errors="ignore").copy(data=np.sort(ordered.values, -1))
    members = onset.sizes["member"]
    # how many of the members lie below the true median is a fair coin tossed once for each
    below, above = scipy.stats.binom.ppf([0.5 - confidence / 2, 0.5 + confidence / 2], members, 0.5)
    places = {"median": (members - 1) // 2, "low": max(int(below) - 1, 0), "high": min(int(above), members - 1)}
    return xr.Dataset({name: ranked.isel(member=place) for name, place in places.items()})
