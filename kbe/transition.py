"""How sharp the instability sets in, and on what its onset depends (section III.B)."""

from __future__ import annotations

import numpy as np
import scipy
import xarray as xr

from kbe import checks
from kbe.resampling import bootstrap as bootstrap


def exponents(onset: np.ndarray, **factors: np.ndarray) -> np.ndarray:
    r"""The powers with which the median onset grows with the factors, by least squares on logarithms.

    .. math:: \log \mathrm{onset} = c + \sum_f p_f \log f

    Parameters
    ----------
    onset : array, shape (members, ensembles)
        Onset epochs, infinite for none.
    **factors : array, shape (ensembles,)
        What distinguishes the ensembles, such as the number of points, each greater than 0.

    Returns
    -------
    numpy.ndarray, shape (factors,)
        p_f; all NaN where a median onset is infinite, where there are not more ensembles than factors, or
        where the ensembles do not tell the factors apart.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no factor, or one is not greater than 0.
    """
    values = checks.array("onset", onset, 2, finite=False)
    columns = [checks.array(name, factor, 1) for name, factor in factors.items()]
    if not columns or any(len(c) != values.shape[1] or c.min() <= 0 for c in columns):
        raise ValueError(f"factors must be named arrays of {values.shape[1]} numbers above 0, one for each ensemble.")
    medians = np.quantile(values, 0.5, axis=0, method="lower")
    design = np.column_stack([np.ones(len(medians)), *map(np.log, columns)])
    if not np.isfinite(medians).all() or np.linalg.matrix_rank(design) < design.shape[1] or len(design) <= len(columns):
        return np.full(len(columns), np.nan)
    return np.linalg.lstsq(design, np.log(medians), rcond=None)[0][1:]


def width_in_epochs(onset: np.ndarray, low: float = 0.1, high: float = 0.9) -> float:
    """The factor in epochs within which most members have their onset.

    Parameters
    ----------
    onset : array, shape (members,)
        Onset epochs, infinite for none.
    low, high : float
        The shares of unstable members between which the width is taken.

    Returns
    -------
    float
        The epoch at which the greater share is unstable over that of the lesser, at least 1; NaN where
        the training ended before.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    values = checks.array("onset", onset, 1, finite=False)
    first, last = np.quantile(values, _shares(low, high), method="lower")
    return float(last / first) if np.isfinite(last) else np.nan


def width_in_sizes(fallen: np.ndarray, sizes: np.ndarray, low: float = 0.1, high: float = 0.9) -> float:
    """The factor in N over which the share of unstable members falls, at one epoch.

    Parameters
    ----------
    fallen : array of bool, shape (members, sizes)
        Which members are unstable.
    sizes : array, shape (sizes,)
        N, increasing.
    low, high : float
        The shares between which the width is taken.

    Returns
    -------
    float
        N at the lesser share over N at the greater one, each by interpolation of the share over log N
        between the last size above it and the next; NaN where the sizes do not reach both.

    Raises
    ------
    ValueError
        If an argument is out of range or the shapes do not fit.
    """
    share = checks.array("fallen", fallen, 2).mean(0)
    grid = np.log(checks.array("sizes", sizes, 1))
    if grid.shape != share.shape or (np.diff(grid) <= 0).any():
        raise ValueError(f"sizes must be {len(share)} increasing numbers above 0, one for each column of fallen.")
    lesser, greater = _shares(low, high)
    return float(np.exp(_crossing(share, grid, lesser) - _crossing(share, grid, greater)))


def rank_correlation(values: xr.DataArray, dim: str) -> xr.DataArray:
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


def before_onset(values: xr.DataArray, onset: xr.DataArray, fractions: np.ndarray) -> xr.DataArray:
    """A measured quantity on each member's own way to its onset.

    Parameters
    ----------
    values : xarray.DataArray
        The quantity (member, epoch), its epochs increasing from 0.
    onset : xarray.DataArray
        Onset epochs (member), infinite for none.
    fractions : array, shape (n,)
        Where to look, from 0 at the start to 1 at the last epoch before the onset.

    Returns
    -------
    xarray.DataArray
        (member, fraction): the value at the last epoch kept by then; NaN for a member without onset.

    Raises
    ------
    ValueError
        If a dimension is missing or a fraction is not from 0 to 1.
    """
    where = checks.array("fractions", fractions, 1)
    if where.min() < 0 or where.max() > 1:
        raise ValueError(f"fractions holds {where.min():g} to {where.max():g}: they must lie from 0 to 1.")
    have, wanted = getattr(values, "dims", ()), getattr(onset, "dims", ())
    if set(have) != {"member", "epoch"} or wanted != ("member",):
        raise ValueError(f"values has dimensions {have}, onset {wanted}: they must be member, epoch; member.")
    last = np.where(np.isfinite(onset), onset - 1, 0).clip(0)
    place = np.searchsorted(values.epoch.values, last[:, None] * where, side="right") - 1
    found = np.take_along_axis(values.transpose("member", "epoch").values, place.clip(0), 1)
    kept = np.where(np.isfinite(onset.values)[:, None], found, np.nan)
    return xr.DataArray(kept, dims=("member", "fraction"), coords={"fraction": where})


def onset_interval(onset: xr.DataArray, confidence: float = 0.95) -> xr.Dataset:
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


def _shares(low: float, high: float) -> tuple[float, float]:
    checks.number("low", low, above=0, high=1 - 1e-9)
    checks.number("high", high, above=0, high=1 - 1e-9)
    if low >= high:
        raise ValueError(f"low is {low} and high {high}: low must be the smaller.")
    return low, high


def _crossing(share: np.ndarray, grid: np.ndarray, level: float) -> float:
    above = np.flatnonzero(share >= level)
    if len(above) == 0 or above[-1] == len(share) - 1:
        return np.nan
    k = above[-1]
    return float(grid[k] + (share[k] - level) / (share[k] - share[k + 1]) * (grid[k + 1] - grid[k]))
