"""What labelled data may be: the variables of a Dataset, the dimensions of a DataArray, and the labels along them.

Like those of `kbe.refusals`, each function refuses what is not as it must be in one sentence.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import xarray as xr

from kbe.refusals import shown

ORDERED = ("epoch", "step", "time")  # dimensions along which labels are numbers that increase


def labelled(name: str, value: Any, wanted: str, source: str) -> xr.Dataset | xr.DataArray:
    """Return a Dataset that holds variables, or a DataArray, each with its dimensions, in the order that is wanted.

    Parameters
    ----------
    name, value
        Of the parameter.
    wanted
        `mu(member epoch point) x(... bit) stage`: variables with their dimensions, or one whose dimensions may be
        any. With dots there may be others: `(member point ...)` has them last, `(... bit)` in any order, in which all
        stay. Dimensions alone, `(member epoch)`, are those of a DataArray.
    source
        What makes one, for the message.

    Raises
    ------
    ValueError
        If the value is another thing.
    """
    if wanted.startswith("("):
        array = value if isinstance(value, xr.DataArray) else xr.DataArray(np.nan)
        return _in_order(name, array, wanted[1:-1], source)
    parts = dict(re.findall(r"(\w+)(?:\((.*?)\))?", wanted))
    if missing := [one for one in parts if not isinstance(value, xr.Dataset) or one not in value]:
        raise ValueError(f"{name} lacks {', '.join(missing)}: it must be {source}.")
    found = {one: _in_order(f"{name}.{one}", value[one], dims, source) for one, dims in parts.items() if dims}
    changed = {one: array for one, array in found.items() if array.dims != value[one].dims}
    return value.assign(changed) if changed else value


def _in_order(name: str, value: xr.DataArray, wanted: str, source: str) -> xr.DataArray:
    dims = [... if dim == "..." else dim for dim in wanted.split()]
    named = [dim for dim in dims if dim is not ...]
    if missing := [dim for dim in named if dim not in value.dims]:
        raise ValueError(f"{name} lacks {', '.join(missing)}: it must be {source}.")
    if len(named) == len(dims) < value.ndim:
        raise ValueError(f"{name} has the dimensions ({' '.join(map(str, value.dims))}): it must have ({wanted}).")
    if value.dtype.kind not in "biuf" or not value.size:
        given = f"shape {value.shape} and type {value.dtype}"
        raise ValueError(f"{name} has {given}: it must hold real numbers, one at least.")
    for dim in set(ORDERED) & set(named):
        if value[dim].dtype.kind not in "iuf" or not (np.diff(value[dim]) > 0).all():
            raise ValueError(f"{name} has the {dim}s {shown(value[dim].values)}: they must be numbers that increase.")
    return value if dims[0] is ... else value.transpose(*dims)


def same_labels(name: str, value: Any, known: dict[str, Any]) -> Any:
    """Return labelled data whose sizes and labels are those that `known` collects from the arguments of a call.

    xarray would cut what is not in both of two.

    Raises
    ------
    ValueError
        If they are others.
    """
    for dim, size in value.sizes.items():
        others, owner = known.setdefault(f"{dim}s", (size, name))
        if size != others:
            raise ValueError(f"{name} has {size} along {dim}: it must have {others} as {owner} has.")
    for dim, labels in value.indexes.items():
        others, owner = known.setdefault(f"labels of {dim}", (labels, name))
        if not labels.equals(others):
            raise ValueError(f"{name} has other labels along {dim} than {owner}: they must be the same.")
    return value
