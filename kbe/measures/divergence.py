"""What has become of a member at an epoch: diverged, or stable, and whether it has learned anything."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe.checks import Positive, TwoHeads, checked
from kbe.measures.variances import variances


@checked
def diverged(run: TwoHeads, limit: Positive = 0.5) -> xr.DataArray:
    r"""Which members have diverged: not finite, or with a variance that targets of 0 and 1 cannot have.

    .. math:: V > 2 \, \text{limit} \quad \text{or} \quad V^* > \text{limit}

    An onset tells of a jump, from which a member may come back, above all if its training is noisy. This
    looks at each epoch alone, and serves bounded heads and unbounded ones. A linear head that has not yet
    learned anything may have an error somewhat above the limit.

    Parameters
    ----------
    run
        With the dimensions member, epoch and point.
    limit
        By default twice the variance of a fair coin; half the squared distance of the targets.

    Returns
    -------
    xarray.DataArray of bool
        (member, epoch).
    """
    both = variances(run)
    return ~((both.squared_error <= 2 * limit) & (both.predicted <= limit))  # NaN has diverged


@checked
def stable_and_trained(run: TwoHeads, learned: Positive = 0.125, limit: Positive = 0.5) -> xr.DataArray:
    """Which members have learned and not `diverged`: a remedy has to leave something to be learned.

    Parameters
    ----------
    learned
        The mean squared error V below which a member has learned; by default half the variance of a fair coin.
    limit
        As for `diverged`.

    Returns
    -------
    xarray.DataArray of bool
        (member, epoch).
    """
    return ~diverged(run, limit) & (variances(run).squared_error < learned)


@checked
def least_deviation_reached(run: TwoHeads, limit: Positive = 0.5) -> xr.DataArray:
    """The least sigma that each member has given at any point while it had not `diverged`.

    Parameters
    ----------
    run
        Kept often enough to see a fall within a few epochs.
    limit
        As for `diverged`.

    Returns
    -------
    xarray.DataArray
        (member); NaN if it had diverged always.
    """
    return run.sigma.where(~diverged(run, limit)).min("point").min("epoch")


@checked
def before_divergence(run: TwoHeads, limit: Positive = 0.5) -> xr.Dataset:
    """Each member at the last epoch at which it had not `diverged`; one that always had is as it started.

    Returns
    -------
    xarray.Dataset
        What the run holds, with a single `epoch`, numbered 0.
    """
    stable = ~diverged(run, limit).drop_vars(("member", "epoch"), errors="ignore")
    last = (stable * xr.DataArray(np.arange(stable.sizes["epoch"]), dims="epoch")).max("epoch")
    at = run.isel(epoch=last).drop_vars("epoch", errors="ignore")
    timed = [name for name in run.data_vars if "epoch" in run[name].dims]
    return at.assign({name: at[name].expand_dims(epoch=[0], axis=1) for name in timed})
