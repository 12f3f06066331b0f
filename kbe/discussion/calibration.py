"""How good a predicted distribution is: the coverage of its central interval, its log score, and its CRPS.

Every prediction has a location and a scale, and a shape: one of SciPy's distributions, symmetric about 0. An
interval that should hold nine tenths of the targets can be judged by targets, or exactly where their true
distribution is known. Targets, locations and scales are arrays or DataArrays that broadcast, and what is returned
is NaN where one of them is not finite, or a scale negative. A scale of 0 is the prediction of a single value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import xarray as xr
from scipy import special, stats

from kbe.checks import Confidence, Shaped, checked
from kbe.labels import same_labels
from kbe.refusals import is_finite_number, shown

GAUSSIAN = stats.norm()


def _labelled_or_array(name: str, value: Any, sizes: dict[str, Any]) -> xr.DataArray | np.ndarray:
    is_labelled = isinstance(value, xr.DataArray)
    numbers = Shaped(finite=False)(name, value, {} if is_labelled else sizes)
    other, owner = sizes.setdefault("labelled", (is_labelled, name)) if numbers.ndim else (is_labelled, name)
    if other != is_labelled:
        raise ValueError(f"{name} and {owner} are an array and a DataArray: they must be of one kind.")
    return same_labels(name, value, sizes) if is_labelled else numbers


def _labelled(name: str, value: Any, sizes: dict[str, Any]) -> xr.DataArray:
    if not isinstance(value, xr.DataArray):
        raise ValueError(f"{name} is {shown(value)}: it must be a DataArray.")
    return same_labels(name, value, sizes)


def _symmetric(name: str, value: Any, sizes: dict[str, Any]) -> Any:
    if not hasattr(value, "ppf") or not np.isscalar(value.ppf(0.75)):
        raise ValueError(f"{name} is {shown(value)}: it must be a frozen one of scipy.stats.")
    low, high = value.ppf([0.05, 0.95])
    if not abs(low + high) <= 1e-9 * (high - low):
        raise ValueError(f"{name} has the central interval {low:g} to {high:g}: it must be symmetric about 0.")
    return value


def _with_mean(name: str, value: Any, sizes: dict[str, Any]) -> Any:
    kind = getattr(getattr(value, "dist", None), "name", None)
    numbers = _numbers(value) if kind else ()
    if (kind, len(numbers)) not in {("norm", 0), ("laplace", 0), ("t", 1)}:
        raise ValueError(f"{name} is {shown(value)}: it must be norm(), laplace() or t(degrees) of scipy.stats.")
    if numbers and not (is_finite_number(numbers[0]) and numbers[0] > 1):
        raise ValueError(f"{name} has {shown(numbers[0])} degrees of freedom: it must have a number greater than 1.")
    return value


def _numbers(distribution: Any) -> tuple:
    """The numbers that a frozen distribution of SciPy was made with."""
    return (*distribution.args, *distribution.kwds.values())


Values = Annotated[Any, _labelled_or_array]
Labelled = Annotated[xr.DataArray, _labelled]
Distribution = Annotated[Any, _symmetric]  # a frozen distribution of SciPy, such as scipy.stats.t(3)
Standard = Annotated[Any, _with_mean]  # one of SciPy's norm(), laplace() and t(degrees), with a mean


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

    For the Gaussian it is the negative of the loss, equation 8. It is finite where the density itself underflows. With
    a scale of 0 it is infinite, negative unless the target is the value predicted.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        score = xr.apply_ufunc(_log_density(distribution), (target - location) / scale) - np.log(scale)
    single = xr.where(target == location, np.inf, -np.inf)
    return _known(xr.where(scale == 0, single, score), scale, target, location)


@checked
def crps(
    target: Values, location: Values, scale: Values, distribution: Standard = GAUSSIAN
) -> xr.DataArray | np.ndarray:
    r"""The continuous ranked probability score (Gneiting and Raftery 2007), the lower the better.

    .. math:: \int (F(x) - [x \ge y])^2 dx = \mathrm E |X - y| - \tfrac12 \mathrm E |X - X'|

    with F the predicted distribution function, and X and X' drawn from it. It is in the unit of the target: the
    absolute error where the scale is small or 0, so that one bad miss does not decide it, as it does a log score. Where
    a target or a prediction is not finite, as of an unstable network, it is NaN.

    Examples
    --------
    >>> crps(np.array([0.0, 3.0]), 0.0, np.array([1.0, 0.0])).round(3)
    array([0.234, 3.   ])
    """
    return _scaled(_score_at_unit_scale(distribution), target - location, scale)


@checked
def mixture_log_score(target: Values, location: Labelled, scale: Labelled, dim: str) -> xr.DataArray:
    r"""`log_score` of an equal mixture of Gaussians along a dimension, such as networks or epochs.

    .. math:: \log \frac1K \sum_k N(y; \mu_k, \sigma_k^2)

    `bayes.mixture` has the one Gaussian of the same mean and variance.

    Raises
    ------
    ValueError
        If neither location nor scale has the dimension.

    Examples
    --------
    >>> means = xr.DataArray([0.0, 1.0], dims="network")
    >>> float(mixture_log_score(1e4, means, xr.ones_like(means), "network").round(3))
    -49990002.112
    """
    location, scale = _along(dim, location, scale)
    each = log_score(target, location, scale)
    whole = xr.apply_ufunc(special.logsumexp, each, input_core_dims=[[dim]], kwargs={"axis": -1})
    return whole - np.log(location.sizes[dim])


@checked
def mixture_crps(target: Values, location: Labelled, scale: Labelled, dim: str) -> xr.DataArray:
    r"""`crps` of an equal mixture of Gaussians along a dimension (Grimit et al. 2006).

    .. math:: \frac1K \sum_k A(y - \mu_k, \sigma_k)
        - \frac1{2 K^2} \sum_{kl} A\big(\mu_k - \mu_l, (\sigma_k^2 + \sigma_l^2)^{1/2}\big)

    with A(m, s) the mean magnitude of a Gaussian of mean m and deviation s.

    Raises
    ------
    ValueError
        If neither location nor scale has the dimension.

    Examples
    --------
    >>> means = xr.DataArray([-1.0, 1.0], dims="network")
    >>> float(mixture_crps(0.0, means, xr.zeros_like(means), "network").round(3))  # two points
    0.5
    """
    location, scale = _along(dim, location, scale)
    others = {dim: f"other {dim}"}
    missed = _scaled(_magnitude, target - location, scale)
    apart = _scaled(_magnitude, location - location.rename(others), np.hypot(scale, scale.rename(others)))
    return missed.mean(dim, skipna=False) - apart.mean((dim, others[dim]), skipna=False) / 2


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


def _along(dim: str, location: xr.DataArray, scale: xr.DataArray) -> tuple[xr.DataArray, ...]:
    both = xr.broadcast(location, scale)
    if dim not in both[0].dims:
        raise ValueError(f"dim is {dim!r}: it must be one of the dimensions of location, {shown(location.dims)}.")
    return both


def _log_density(distribution: Any) -> Callable:
    """SciPy's own, but for the Laplace distribution, of which SciPy takes the logarithm of the density."""
    if distribution.dist.name != "laplace":
        return distribution.logpdf
    scale = distribution.std() / math.sqrt(2)
    return lambda z: -abs(z) / scale - math.log(2 * scale)


def _scaled(at_unit_scale: Callable, error: Any, scale: Any) -> Any:
    """What a function of the error over the scale gives in the unit of both; the magnitude at scale 0."""

    def one(error: np.ndarray, scale: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            score = np.where(scale == 0, abs(error), scale * at_unit_scale(error / scale))
            return np.where((scale >= 0) & np.isfinite(scale) & np.isfinite(error), score, np.nan)

    return xr.apply_ufunc(one, error, scale)


def _magnitude(z: Any) -> Any:
    """E|X| of a Gaussian of mean z and deviation 1."""
    return z * special.erf(z / math.sqrt(2)) + math.sqrt(2 / math.pi) * np.exp(-(z**2) / 2)


def _score_at_unit_scale(distribution: Any) -> Callable:
    """The CRPS of a target at z."""
    if distribution.dist.name == "norm":
        return lambda z: _magnitude(z) - 1 / math.sqrt(math.pi)
    if distribution.dist.name == "laplace":
        return lambda z: abs(z) + np.exp(-abs(z)) - 0.75
    (nu,) = _numbers(distribution)
    half_spread = math.sqrt(nu) * special.beta(0.5, nu - 0.5) / special.beta(0.5, nu / 2) ** 2
    return lambda z: (
        z * (2 * distribution.cdf(z) - 1) + 2 * ((nu + z**2) * distribution.pdf(z) - half_spread) / (nu - 1)
    )


def _known(found: Any, scale: Any, *others: Any) -> xr.DataArray | np.ndarray:
    """What was found, where it means something; else NaN."""
    means = scale >= 0
    for number in (scale, *others):
        means = means & np.isfinite(number)
    return xr.apply_ufunc(lambda values, known: np.where(known, values, np.nan), found, means)
