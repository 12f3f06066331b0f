"""How good a predicted distribution is: the coverage of its central interval, and its log score.

Every prediction has a location and a scale, and a shape: one of SciPy's distributions, symmetric about 0. An
interval that should hold nine tenths of the targets can be judged by targets, or exactly where their true
distribution is known. Targets, locations and scales are arrays or DataArrays that broadcast, and what is returned
is NaN where one of them is not finite, or a scale negative. A scale of 0 is the prediction of a single value.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import xarray as xr
from scipy import stats

from kbe.checks import Confidence, Shaped, checked
from kbe.labels import same_labels
from kbe.refusals import shown

GAUSSIAN = stats.norm()


def _labelled_or_array(name: str, value: Any, sizes: dict[str, Any]) -> xr.DataArray | np.ndarray:
    is_labelled = isinstance(value, xr.DataArray)
    numbers = Shaped(finite=False)(name, value, {} if is_labelled else sizes)
    other, owner = sizes.setdefault("labelled", (is_labelled, name)) if numbers.ndim else (is_labelled, name)
    if other != is_labelled:
        raise ValueError(f"{name} and {owner} are an array and a DataArray: they must be of one kind.")
    return same_labels(name, value, sizes) if is_labelled else numbers


def _symmetric(name: str, value: Any, sizes: dict[str, Any]) -> Any:
    if not hasattr(value, "ppf") or not np.isscalar(value.ppf(0.75)):
        raise ValueError(f"{name} is {shown(value)}: it must be a frozen one of scipy.stats.")
    low, high = value.ppf([0.05, 0.95])
    if not abs(low + high) <= 1e-9 * (high - low):
        raise ValueError(f"{name} has the central interval {low:g} to {high:g}: it must be symmetric about 0.")
    return value


Values = Annotated[Any, _labelled_or_array]
Distribution = Annotated[Any, _symmetric]  # a frozen distribution of SciPy, such as scipy.stats.t(3)


@checked
def half_width(distribution: Distribution = GAUSSIAN, level: Confidence = 0.9) -> float:
    """Half the width of the central interval that holds a share `level`, in units of the scale."""
    return float(distribution.ppf(0.5 + level / 2))


@checked
def covered(
    target: Values, location: Values, scale: Values, distribution: Distribution = GAUSSIAN, level: Confidence = 0.9
) -> xr.DataArray | np.ndarray:
    """Whether each target lies within the central interval of its prediction, 1 or 0; its mean is the coverage."""
    reach = half_width(distribution, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = abs(target - location) / scale
    return _known((distance <= reach) | (target == location), scale, target, location)


@checked
def log_score(
    target: Values, location: Values, scale: Values, distribution: Distribution = GAUSSIAN
) -> xr.DataArray | np.ndarray:
    """The log density that a prediction gives to its target, in nats, the higher the better.

    For the Gaussian it is the negative of the loss, equation 8. With a scale of 0 it is infinite, negative unless the
    target is the value predicted.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        score = xr.apply_ufunc(distribution.logpdf, (target - location) / scale) - np.log(scale)
    single = xr.where(target == location, np.inf, -np.inf)
    return _known(xr.where(scale == 0, single, score), scale, target, location)


@checked
def expected_coverage(
    mean: Values,
    deviation: Values,
    location: Values,
    scale: Values,
    distribution: Distribution = GAUSSIAN,
    level: Confidence = 0.9,
) -> xr.DataArray | np.ndarray:
    r"""The coverage of fresh targets that are Gaussian about a known mean with a known deviation, exactly.

    .. math:: \Phi\Big(\frac{\mu + h \sigma - m}{d}\Big) - \Phi\Big(\frac{\mu - h \sigma - m}{d}\Big)

    with m and d the targets' `mean` and `deviation`, mu and sigma the prediction's `location` and `scale`, and h the
    half width of its interval. With a deviation of 0 it is 1 or 0: whether the mean lies within.
    """
    reach = half_width(distribution, level) * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        upper, lower = (location + reach - mean) / deviation, (location - reach - mean) / deviation
    share = xr.apply_ufunc(lambda high, low: GAUSSIAN.cdf(high) - GAUSSIAN.cdf(low), upper, lower)
    within = abs(location - mean) <= reach
    return _known(_known(xr.where(deviation == 0, within, share), scale, location), deviation, mean)


def _known(found: Any, scale: Any, *others: Any) -> xr.DataArray | np.ndarray:
    """What was found, where it means something; else NaN."""
    means = scale >= 0
    for number in (scale, *others):
        means = means & np.isfinite(number)
    return xr.apply_ufunc(lambda values, known: np.where(known, values, np.nan), found, means)
