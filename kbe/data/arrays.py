"""Data of one's own: arrays x, y of one data set, as `ensemble.train` takes them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr

from kbe.checks import Count, PointVector, Shaped, checked


@checked
def repeated(x: Annotated[np.ndarray, Shaped("points features ...")], y: PointVector, members: Count = 1) -> xr.Dataset:
    """One data set for all members, which then differ by their initial weights alone.

    Parameters
    ----------
    x
        Inputs, a row for each target.
    y
        Targets.
    members
        How many networks are to be trained on it.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, ...) and `y` (member, point).

    Examples
    --------
    >>> repeated([[0, 1], [1, 0], [1, 1]], [0.5, 1.5, 2.0], members=20).x.shape
    (20, 3, 2)
    """
    dims = ("member", "point", *(f"feature_{k}" if x.ndim > 2 else "feature" for k in range(1, x.ndim)))
    inputs, targets = (np.repeat(values[None], members, 0) for values in (x, y))
    return xr.Dataset({"x": (dims, inputs), "y": (dims[:2], targets)}, coords={"member": np.arange(members)})
