"""The onset of the instability: when it comes, how sharply, and on what it depends (section III.B).

The onset is the first epoch in which an output at one of a member's points is not finite, or changes by more than the
run's attribute `jump` times the spread of the member's targets: the range of the middle 98 % of them, at least 1, as
for targets of 0 and 1. Outputs of bounded heads jump across their range and stick, those of unbounded heads diverge:
both within a step or two of far smaller changes. With bounded heads the onset hardly depends on the threshold; an
unbounded head may pass a small one early on, without any instability.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr

from kbe.checks import Holds, Onsets, PerMember, Shaped, Share, Vector, checked
from kbe.statistics import median_onset

OverEpochs = Annotated[xr.DataArray, Holds("(... member epoch)", "a quantity of each member over the epochs")]
WithOnsets = Annotated[xr.Dataset, Holds("onset(member) epoch(epoch)", "what ensemble.train returns")]


@checked
def last_before(values: OverEpochs, limit: Onsets) -> xr.DataArray:
    """Each member's value at the last recorded epoch before a limit of its own, such as a share of its onset.

    The dimension epoch gives way to those of the `limit`, in epochs. NaN for a member without a recorded epoch before
    its limit, or whose limit is NaN or later than the epoch after the last recorded one. Without
    labels, epochs count from 0.
    """
    limit = limit.drop_vars("epoch", errors="ignore")  # of the epoch that it was taken from, if it was
    before = (values["epoch"] < limit).sum("epoch")
    chosen = values.isel(epoch=(before - 1).clip(0))
    return chosen.where((limit <= float(values["epoch"][-1]) + 1) & (before > 0)).drop_vars("epoch", errors="ignore")


@checked
def at_fractions(
    values: OverEpochs, onset: Onsets, fractions: Annotated[np.ndarray, Shaped("fractions", low=0)]
) -> xr.DataArray:
    """A quantity on each member's own way to its onset, at the last epoch recorded by then.

    Parameters
    ----------
    fractions
        Where to look, from 0 at the start to 1 at the last epoch before the onset.

    Returns
    -------
    xarray.DataArray
        With `fraction` in place of `epoch`; NaN for a member without onset.

    Raises
    ------
    ValueError
        If a fraction is greater than 1.
    """
    if fractions.max() > 1:
        raise ValueError(f"fractions holds {fractions.max():g}: they must lie from 0 to 1.")
    way = (onset.where(np.isfinite(onset)) - 1).clip(0)
    passed = (way * xr.DataArray(fractions, [("fraction", fractions)])).round(9) // 1  # 0.29 of 100 is 29, not 28
    return last_before(values, passed + 1)


@checked
def at_lags(run: WithOnsets, lags: Vector) -> xr.Dataset:
    """A run counted back from each member's onset, so many epochs: 0 is the onset itself, -1 the epoch after it.

    Returns
    -------
    xarray.Dataset
        The variables that have an epoch, with `lag` in its place; NaN where a member has no onset or the
        epoch was not recorded. `onset` and what has no epoch stay.
    """
    wanted = run.onset - xr.DataArray(lags, [("lag", lags)])
    moving = [name for name, value in run.data_vars.items() if "epoch" in value.dims]
    there = run[moving].reindex(epoch=np.unique(wanted)).sel(epoch=wanted).drop_vars("epoch")
    return run.drop_vars([*moving, "epoch"]).merge(there)


@checked
def share_unstable(onset: Onsets, epochs: Vector) -> xr.DataArray:
    """The share of members that have had their onset by given epochs."""
    return (onset <= xr.DataArray(epochs, [("epoch", epochs)])).mean("member")


@checked
def scaling_exponents(
    onset: Annotated[np.ndarray, Shaped("members ensembles", finite=False)],
    **factors: Annotated[np.ndarray, Shaped("ensembles", above=0)],
) -> np.ndarray:
    r"""The powers with which the median onset grows with the factors, by least squares on logarithms.

    .. math:: \log \mathrm{onset} = c + \sum_f p_f \log f

    Parameters
    ----------
    onset
        Onset epochs, infinite for none.
    **factors
        What distinguishes the ensembles, such as the number of points.

    Returns
    -------
    numpy.ndarray
        p_f; all NaN where a median onset is infinite, or where the ensembles do not tell the factors apart.

    Raises
    ------
    ValueError
        If there is no factor.
    """
    if not factors:
        raise ValueError("factors is empty: it must name what distinguishes the ensembles.")
    medians = median_onset(onset)
    design = np.column_stack([np.ones(len(medians)), *map(np.log, factors.values())])
    if not np.isfinite(medians).all() or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.full(len(factors), np.nan)
    return np.linalg.lstsq(design, np.log(medians), rcond=None)[0][1:]


@checked
def width_in_epochs(onset: PerMember, low: Share = 0.1, high: Share = 0.9) -> float:
    """The factor in epochs within which most members have their onset.

    It is the epoch at which the share `high` of them is unstable over that of the share `low`, at least 1; NaN where
    the training ended before.
    """
    first, last = np.quantile(onset, _in_order(low, high), method="lower")
    return float(last / first) if np.isfinite(last) else np.nan


@checked
def width_in_sizes(
    unstable: Annotated[np.ndarray, Shaped("members sizes")],
    sizes: Annotated[np.ndarray, Shaped("sizes", above=0, increasing=True)],
    low: Share = 0.1,
    high: Share = 0.9,
) -> float:
    """The factor in N, the size of the data set, over which the share of unstable members falls, at one epoch.

    It is N at the share `low` over N at the share `high`, each by interpolation of the share over log N between the
    last size above it and the next; NaN where the sizes do not reach both.
    """
    at_low, at_high = (_crossing(unstable.mean(0), np.log(sizes), level) for level in _in_order(low, high))
    return float(np.exp(at_low - at_high))


def _in_order(low: float, high: float) -> tuple[float, float]:
    if low >= high:
        raise ValueError(f"low is {low} and high {high}: low must be the smaller.")
    return low, high


def _crossing(share: np.ndarray, grid: np.ndarray, level: float) -> float:
    """Where a falling share passes a level for the last time."""
    above = np.flatnonzero(share >= level)
    if len(above) == 0 or above[-1] == len(share) - 1:
        return np.nan
    k = above[-1]
    return float(grid[k] + (share[k] - level) / (share[k] - share[k + 1]) * (grid[k + 1] - grid[k]))
