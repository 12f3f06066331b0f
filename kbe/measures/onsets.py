"""The onset of the instability: when it comes, how sharply, and on what it depends (section III.B)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import special

from kbe import checks


def last_before(values: xr.DataArray, limit: xr.DataArray) -> xr.DataArray:
    """Each member's value at the last recorded epoch before a limit of its own, such as a share of its onset.

    Parameters
    ----------
    values : xarray.DataArray
        Over member, epoch and whatever else.
    limit : xarray.DataArray, shape (member,)
        Epochs; a member without a recorded epoch before its limit, or whose limit is later than the epoch after
        the last recorded one, or NaN, gives NaN.

    Returns
    -------
    xarray.DataArray
        The values, without the dimension epoch.

    Raises
    ------
    ValueError
        If the dimensions are not as described.
    """
    if not {"member", "epoch"} <= set(values.dims) or limit.dims != ("member",):
        raise ValueError(
            f"values has dimensions {values.dims} and limit {limit.dims}: they must be member, epoch, ... and member."
        )
    before = (values["epoch"] < limit).sum("epoch")
    chosen = values.isel(epoch=(before - 1).clip(0))
    return chosen.where((limit <= float(values["epoch"][-1]) + 1) & (before > 0)).drop_vars("epoch")


def lagged(run: xr.Dataset, lags: Sequence[int]) -> xr.Dataset:
    """A run counted back from each member's onset.

    Parameters
    ----------
    run : xarray.Dataset
        With `onset` (member) and variables with dims (member, epoch, ...).
    lags : sequence of int
        Epochs before the onset; 0 is the onset itself, negative ones come after.

    Returns
    -------
    xarray.Dataset
        The variables that have an epoch, with `lag` in its place; NaN where a member has no onset or the
        epoch was not recorded. `onset` and what has no epoch stay.

    Raises
    ------
    ValueError
        If the run has no onset or no epochs.
    """
    if not {"member", "epoch"} <= set(getattr(run, "dims", ())) or "onset" not in run:
        raise ValueError("run must have dimensions member and epoch, and the variable onset.")
    back = checks.array("lags", lags, 1)
    wanted = run.onset - xr.DataArray(back, dims="lag", coords={"lag": back})
    recorded = run.epoch.values
    place = np.clip(np.searchsorted(recorded, wanted.values), 0, len(recorded) - 1)
    found = xr.DataArray(recorded[place] == wanted.values, dims=wanted.dims, coords=wanted.coords)
    moving = [name for name, value in run.data_vars.items() if "epoch" in value.dims]
    picked = run[moving].isel(epoch=xr.DataArray(place, dims=wanted.dims, coords=wanted.coords))
    return run.drop_vars(moving).drop_vars("epoch").merge(picked.where(found).drop_vars("epoch"))


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


def unstable(onset: xr.DataArray, epochs: Sequence[float]) -> xr.DataArray:
    """Which members have had their onset by given epochs.

    The onset of the instability is the first epoch in which an output at one of a member's points
    changes by more than the run's attribute `jump`, or is not finite. Outputs of bounded heads jump
    across their range and stick, those of unbounded heads diverge: both within a step or two of far
    smaller changes. With bounded heads the onset hardly depends on the threshold; an unbounded head may
    pass a small one early on, without any instability.

    Parameters
    ----------
    onset : xarray.DataArray
        Onset epochs, infinite for none, with a dimension `member`.
    epochs : sequence of float
        Epochs at which to look.

    Returns
    -------
    xarray.DataArray of bool
        The onset's dimensions and `epoch`.

    Raises
    ------
    ValueError
        If `onset` has no dimension `member`, or the epochs are not a sequence of finite numbers.
    """
    _check_onset(onset)
    times = checks.array("epochs", epochs, 1)
    return onset <= xr.DataArray(times, dims="epoch", coords={"epoch": times})


def fraction_unstable(onset: xr.DataArray, epochs: Sequence[float], confidence: float = 0.95) -> xr.Dataset:
    """The fraction of members that have had their onset, with its Wilson interval.

    Parameters
    ----------
    onset : xarray.DataArray
        Onset epochs, infinite for none, with a dimension `member`.
    epochs : sequence of float
        Epochs at which to look.
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    xarray.Dataset
        `fraction`, `low`, `high`; the onset's dimensions but `member`, and `epoch`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.number("confidence", confidence, above=0, high=0.9999)
    fallen = unstable(onset, epochs)
    members, count = fallen.sizes["member"], fallen.sum("member")
    z = special.ndtri(0.5 + confidence / 2)
    centre = (count + z**2 / 2) / (members + z**2)
    half = z / (members + z**2) * np.sqrt(count * (members - count) / members + z**2 / 4)
    low, high = (centre - half).clip(0, 1), (centre + half).clip(0, 1)  # rounding leads beyond
    return xr.Dataset({"fraction": count / members, "low": low, "high": high})


def median_onset(onset: xr.DataArray) -> xr.DataArray:
    """The median onset over members; infinite where fewer than half have had it.

    Parameters
    ----------
    onset : xarray.DataArray
        Onset epochs, infinite for none, with a dimension `member`.

    Returns
    -------
    xarray.DataArray
        The onset's dimensions but `member`.

    Raises
    ------
    ValueError
        If `onset` has no dimension `member`.
    """
    _check_onset(onset)
    # the lower median: an average of a number and infinity would tell nothing
    return onset.quantile(0.5, "member", method="lower").drop_vars("quantile")


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


def _check_onset(onset: xr.DataArray) -> None:
    if "member" not in getattr(onset, "dims", ()):
        raise ValueError("onset has no dimension 'member': it must be the onset of an ensemble.")
