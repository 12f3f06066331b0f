"""Two estimates of one variance, and the instability that parts them (section III.B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import special
from tqdm.auto import tqdm

from kbe import checks, encoding, ensemble
from kbe.networks import VarianceNetwork


def variances(run: xr.Dataset) -> xr.Dataset:
    r"""The two variances of section III.B and their gap.

    .. math:: V = \langle (y_i - \mu_i)^2 \rangle, \qquad V^* = \langle \sigma_i^2 \rangle, \qquad |V - V^*|

    Parameters
    ----------
    run : xarray.Dataset
        `mu`, `sigma` (member, epoch, point) and `y` (member, point), as `ensemble.train` returns.

    Returns
    -------
    xarray.Dataset
        `squared_error` (V), `predicted` (V*) and `gap`, each (member, epoch), NaN where an output
        is not finite, and `onset` (member) if the run has it.

    Raises
    ------
    ValueError
        If the run lacks one of the variables.
    """
    _require(run, "mu", "sigma", "y")
    squared_error = ((run.y - run.mu) ** 2).mean("point", skipna=False)
    predicted = (run.sigma**2).mean("point", skipna=False)
    finite = np.isfinite(squared_error) & np.isfinite(predicted)
    result = xr.Dataset(
        {"squared_error": squared_error.where(finite), "predicted": predicted.where(finite)}, attrs=run.attrs
    )
    result["gap"] = abs(result.squared_error - result.predicted)
    return result.assign(onset=run.onset) if "onset" in run else result


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


def over_sizes(
    sizes: Sequence[int],
    measure: Callable[[xr.Dataset], xr.Dataset] = variances,
    *,
    members: int = 100,
    bits: int = 8,
    repeat: bool = False,
    seed: int = 0,
    network: Callable = VarianceNetwork,
    progress: bool = False,
    **settings: Any,
) -> xr.Dataset:
    """Train an ensemble for each size of the data set and keep a measurement of each.

    Parameters
    ----------
    sizes : sequence of int
        N, the points of a data set, increasing.
    measure : callable
        From a run to the Dataset to keep; a run itself would fill the memory.
    members : int
        Networks for each size.
    bits : int
        b, the length of an input.
    repeat : bool
        Whether an input may be drawn more than once.
    seed : int
        Start of all random draws, data and weights.
    network : callable
        Makes a member's network.
    progress : bool
        Show a progress bar over the sizes on stderr.
    **settings : int, float or str
        Further arguments of `ensemble.train`.

    Returns
    -------
    xarray.Dataset
        The measurements along a new first dimension `points`.

    Raises
    ------
    ValueError
        If a size is out of range, or the sizes do not increase.
    """
    wanted = checks.array("sizes", sizes, 1)
    if (np.diff(wanted) <= 0).any():
        raise ValueError(f"sizes is {checks.shown(sizes)}: it must increase.")
    data = [encoding.random_encoding(n, bits, members, repeat=repeat, seed=seed) for n in sizes]
    rows = [
        measure(ensemble.train(network, one, seed=seed, **settings))
        for one in tqdm(data, disable=not progress, unit="size")
    ]
    # what differs between the sizes is no attribute of them all
    attributes = {k: v for k, v in rows[0].attrs.items() if all(row.attrs.get(k) == v for row in rows)}
    result = xr.concat(rows, xr.DataArray(np.array(sizes), dims="points", name="points"), combine_attrs="drop")
    return result.assign_attrs(attributes)


def _check_onset(onset: xr.DataArray) -> None:
    if "member" not in getattr(onset, "dims", ()):
        raise ValueError("onset has no dimension 'member': it must be the onset of an ensemble.")


def _require(run: xr.Dataset, *names: str) -> None:
    missing = [name for name in names if not isinstance(run, xr.Dataset) or name not in run]
    if missing:
        raise ValueError(f"run lacks {', '.join(missing)}: it must be what ensemble.train returns for two heads.")
