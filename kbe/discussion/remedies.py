"""What has become of a member in the end: lost to the instability, or kept, and whether it has learned anything."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks
from kbe.measures import variances


def lost(run: xr.Dataset, limit: float = 0.5) -> xr.DataArray:
    r"""Which members are lost: not finite, or with a variance that targets of 0 and 1 cannot have.

    .. math:: V > 2 \, \text{limit} \quad \text{or} \quad V^* > \text{limit}

    An onset tells of a jump, from which a member may come back, above all if its training is noisy. This
    looks at one epoch alone, and serves bounded heads and unbounded ones. A linear head that has not yet
    learned anything may have an error somewhat above the limit.

    Parameters
    ----------
    run : xarray.Dataset
        `mu`, `sigma` (member, epoch, point) and `y` (member, point), as `ensemble.train` returns.
    limit : float
        By default twice the variance of a fair coin; half the squared distance of the targets.

    Returns
    -------
    xarray.DataArray of bool
        (member, epoch).

    Raises
    ------
    ValueError
        If the run lacks a variable or the limit is not positive.
    """
    largest = checks.number("limit", limit, above=0)
    both = variances.variances(run)
    return ~((both.squared_error <= 2 * largest) & (both.predicted <= largest))  # NaN is lost


def cured(run: xr.Dataset, learned: float = 0.125, limit: float = 0.5) -> xr.DataArray:
    """Which members are kept and have learned: a cure of the instability has to leave something to be learned.

    Parameters
    ----------
    run : xarray.Dataset
        As for `lost`.
    learned : float
        The mean squared error V below which a member has learned; by default half the variance of a fair coin.
    limit : float
        As for `lost`.

    Returns
    -------
    xarray.DataArray of bool
        (member, epoch).

    Raises
    ------
    ValueError
        If the run lacks a variable or a number is not positive.
    """
    least = checks.number("learned", learned, above=0)
    return ~lost(run, limit) & (variances.variances(run).squared_error < least)


def least_deviation(run: xr.Dataset, limit: float = 0.5) -> xr.DataArray:
    """The least deviation that a member has given while it was not lost.

    Parameters
    ----------
    run : xarray.Dataset
        As for `lost`, kept often enough to see a fall within a few epochs.
    limit : float
        As for `lost`.

    Returns
    -------
    xarray.DataArray
        (member): over its points and those epochs; NaN if it was lost always.

    Raises
    ------
    ValueError
        If the run lacks a variable or the limit is not positive.
    """
    kept = ~lost(run, limit)
    return run.sigma.where(kept).min("point").min("epoch")


def before_loss(run: xr.Dataset, limit: float = 0.5) -> xr.Dataset:
    """Each member at the last epoch at which it was not lost.

    Parameters
    ----------
    run : xarray.Dataset
        As for `lost`.
    limit : float
        As for `lost`.

    Returns
    -------
    xarray.Dataset
        What the run holds, with a single `epoch`, numbered 0; a member that was always lost is as it started.

    Raises
    ------
    ValueError
        If the run lacks a variable or the limit is not positive.
    """
    kept = ~lost(run, limit).drop_vars(("member", "epoch"), errors="ignore")
    last = (kept * xr.DataArray(np.arange(kept.sizes["epoch"]), dims="epoch")).max("epoch")
    at = run.isel(epoch=last).drop_vars("epoch", errors="ignore")
    timed = [name for name in run.data_vars if "epoch" in run[name].dims]
    return at.assign({name: at[name].expand_dims(epoch=[0], axis=1) for name in timed})
