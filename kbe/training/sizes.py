"""Ensembles over sizes of the data set, each measured as it is trained (section III.B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from kbe import refusals
from kbe.checks import Count, Seed, Whole, checked
from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.refusals import shown
from kbe.training import ensemble
from kbe.training.weights import Network


def _increasing(name: str, value: Any, sizes: dict[str, Any]) -> list[int]:
    """Whole numbers that increase, as a check of an argument."""
    found = [Whole(1)(f"{name}[{k}]", one, sizes) for k, one in enumerate(refusals.several(name, value))]
    if not found or (np.diff(found) <= 0).any():
        raise ValueError(f"{name} is {shown(value)}: it must be whole numbers that increase.")
    return found


@checked
def over_sizes(
    sizes: Annotated[Sequence[int], _increasing],
    measure: Callable[[xr.Dataset], xr.Dataset],
    *,
    members: Count = 100,
    bits: encoding.Bits = 8,
    repeat: bool = False,
    seed: Seed = 0,
    network: Network = VarianceNetwork,
    progress: bool = False,
    **settings: Any,
) -> xr.Dataset:
    """Train an ensemble for each size of the data set and keep a measurement of each.

    Parameters
    ----------
    sizes
        N, the points of a data set.
    measure
        From a run to the Dataset to keep; a run itself would fill the memory.
    members
        Networks for each size.
    bits
        b, the length of an input.
    repeat
        Whether an input may be drawn more than once.
    seed
        Start of all random draws, data and weights.
    network
        Makes a member's network.
    progress
        Show a progress bar over the sizes on stderr.
    **settings
        Further arguments of `ensemble.train`.

    Returns
    -------
    xarray.Dataset
        The measurements along a new first dimension `points`; an onset that never came is infinite.
    """
    data = [encoding.random_encoding(n, bits, members, repeat=repeat, seed=seed) for n in sizes]
    runs = (ensemble.train(network, one, seed=seed, **settings) for one in data)
    rows = [
        refusals.instance("what measure gives", measure(run), (xr.Dataset,))
        for run in tqdm(runs, total=len(data), disable=not progress, unit="size")
    ]
    # what differs between the sizes is no attribute of them all
    attributes = {k: v for k, v in rows[0].attrs.items() if all(row.attrs.get(k) == v for row in rows)}
    result = xr.concat(rows, xr.DataArray(np.array(sizes), dims="points", name="points"), combine_attrs="drop")
    return result.assign_attrs(attributes)
