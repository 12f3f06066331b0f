"""Two estimates of one variance, which the instability parts (section III.B)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe.checks import TwoHeads, checked


@checked
def variances(run: TwoHeads) -> xr.Dataset:
    r"""The two variances of section III.B and their gap.

    .. math:: V = \langle (y_i - \mu_i)^2 \rangle, \qquad V^* = \langle \sigma_i^2 \rangle, \qquad |V - V^*|

    Returns
    -------
    xarray.Dataset
        `squared_error` (V), `predicted` (V*) and `gap`, each (member, epoch), NaN where an output
        is not finite or a sigma is negative, and `onset` (member) if the run has it, infinite where there was none.
    """
    squared_error = ((run.y - run.mu) ** 2).mean("point", skipna=False)
    predicted = (run.sigma**2).mean("point", skipna=False)
    both = xr.Dataset({"squared_error": squared_error, "predicted": predicted}, attrs=run.attrs)
    both = both.where(np.isfinite(squared_error) & np.isfinite(predicted) & (run.sigma >= 0).all("point"))
    result = both.assign(gap=abs(both.squared_error - both.predicted))
    return result.assign(onset=run.onset) if "onset" in run else result
