"""How good a predicted distribution is: the coverage of its central interval, and its log score.

Every prediction has a location and a scale, and a shape: one of SciPy's distributions, symmetric about 0. An
interval that should hold nine tenths of the targets can be judged by targets, or exactly where their true
distribution is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from kbe import checks

GAUSSIAN = stats.norm()


def half_width(distribution: Any = GAUSSIAN, level: float = 0.9) -> float:
    """Half the width of the central interval, in units of the scale.

    Parameters
    ----------
    distribution : SciPy distribution
        Frozen, such as `scipy.stats.t(3)`; symmetric about 0.
    level : float
        The share that the interval should hold, between 0 and 1.

    Returns
    -------
    float
        For the Gaussian and nine tenths, 1.645.

    Raises
    ------
    ValueError
        If the distribution is none, or not symmetric about 0, or the level is out of range.
    """
    checks.number("level", level, above=0, high=1 - 1e-9)
    if not hasattr(distribution, "ppf") or not np.isscalar(distribution.ppf(0.75)):
        raise ValueError(f"distribution is {checks.shown(distribution)}: it must be a frozen one of scipy.stats.")
    low, high = distribution.ppf([0.5 - level / 2, 0.5 + level / 2])
    if not abs(low + high) <= 1e-9 * (high - low):
        raise ValueError(f"distribution has the interval {low:g} to {high:g}: it must be symmetric about 0.")
    return float(high)


def covered(target: Any, location: Any, scale: Any, distribution: Any = GAUSSIAN, level: float = 0.9) -> Any:
    """Whether each target lies within the central interval of its prediction; the mean of this is the coverage.

    Parameters
    ----------
    target, location, scale : array or xarray.DataArray
        y, mu and sigma; they broadcast.
    distribution : SciPy distribution
        The prediction's shape.
    level : float
        The share that the interval should hold.

    Returns
    -------
    array or xarray.DataArray
        1 or 0, NaN where the prediction is not finite.

    Raises
    ------
    ValueError
        If the distribution or the level is not allowed.
    """
    distance = abs(target - location) / scale
    return _like(distance, np.where(np.isfinite(distance), distance <= half_width(distribution, level), np.nan))


def log_score(target: Any, location: Any, scale: Any, distribution: Any = GAUSSIAN) -> Any:
    """The log density that a prediction gives to its target, in nats; for the Gaussian the negative of Eq. (8).

    Parameters
    ----------
    target, location, scale : array or xarray.DataArray
        y, mu and sigma; they broadcast.
    distribution : SciPy distribution
        The prediction's shape.

    Returns
    -------
    array or xarray.DataArray
        The score, the higher the better; NaN where the prediction is not finite.

    Raises
    ------
    ValueError
        If the distribution is none.
    """
    half_width(distribution)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (target - location) / scale
        return _like(ratio, distribution.logpdf(np.asarray(ratio))) - np.log(scale)


def expected_coverage(
    mean: Any, deviation: Any, location: Any, scale: Any, distribution: Any = GAUSSIAN, level: float = 0.9
) -> Any:
    r"""The coverage of fresh targets that are Gaussian about a known mean with a known deviation, exactly.

    .. math:: \Phi\Big(\frac{\mu + h \sigma - m}{d}\Big) - \Phi\Big(\frac{\mu - h \sigma - m}{d}\Big)

    Parameters
    ----------
    mean, deviation : array or xarray.DataArray
        m and d, those of the targets.
    location, scale : array or xarray.DataArray
        mu and sigma, those of the prediction; all broadcast.
    distribution : SciPy distribution
        The prediction's shape, with half width h.
    level : float
        The share that the interval should hold.

    Returns
    -------
    array or xarray.DataArray
        The probability that the interval holds a target; NaN where the prediction is not finite.

    Raises
    ------
    ValueError
        If the distribution or the level is not allowed.
    """
    reach = half_width(distribution, level) * scale
    upper, lower = (location + reach - mean) / deviation, (location - reach - mean) / deviation
    return _like(upper, GAUSSIAN.cdf(np.asarray(upper)) - GAUSSIAN.cdf(np.asarray(lower)))


def _like(shape: Any, values: np.ndarray) -> Any:
    return shape.copy(data=values) if isinstance(shape, xr.DataArray) else values
