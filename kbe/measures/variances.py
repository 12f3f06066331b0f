"""Two estimates of one variance, which the instability parts (section III.B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from kbe import checks
from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.training import ensemble


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


def _require(run: xr.Dataset, *names: str) -> None:
    missing = [name for name in names if not isinstance(run, xr.Dataset) or name not in run]
    if missing:
        raise ValueError(f"run lacks {', '.join(missing)}: it must be what ensemble.train returns for two heads.")
