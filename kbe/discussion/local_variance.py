"""The variance without a variance head: the square of what training has still to fit (section IV).

The paper proposes (f_t(x) - f_T(x))^2, T large, as an estimate of the local variance: f_t is a local average and
f_T goes through the targets. Here are what theory expects of it, its parts, and what tells how good it is.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy
import xarray as xr

from kbe.checks import Count, NonNegative, Seed, Shaped, SymmetricGram, checked
from kbe.theory import average_network

OfMembers = Annotated[np.ndarray, Shaped("members points")]


@checked
def expected_square(
    gram: SymmetricGram,
    time: NonNegative,
    variance: Annotated[np.ndarray, Shaped("points", low=0)],
    offset: Annotated[np.ndarray, Shaped("points")],
) -> xr.Dataset:
    r"""What the squared residual is on average over the noise, with a constant kernel.

    With the weights :math:`W = 1 - e^{-Kt}` of equation 17 the output is :math:`W y + (1 - W) f_0`, and with targets
    of mean m and independent noise of `variance` sigma squared

    .. math:: \langle (y_i - f_{t,i})^2 \rangle =
        (1 - w_{ii})^2 \sigma_i^2 + \sum_{j \ne i} w_{ij}^2 \sigma_j^2 + \Big(\sum_j (1 - W)_{ij} (m_j - f_{0,j})\Big)^2

    where m - f_0 is the `offset`.

    Returns
    -------
    xarray.Dataset
        Over `point`: `square`, the sum above; `error`, the part of it that is the squared error of f_t about m;
        `covariance`, that of f_t and y, so that square = variance + error - 2 covariance.
    """
    weights = average_network.effective_weights(gram, time)
    error = weights**2 @ variance + (offset - weights @ offset) ** 2
    covariance = np.diagonal(weights) * variance
    parts = {"square": variance + error - 2 * covariance, "error": error, "covariance": covariance}
    return xr.Dataset({name: ("point", part) for name, part in parts.items()})


@checked
def measured_parts(
    output: Annotated[np.ndarray, Shaped("members epochs points", finite=False)],
    targets: OfMembers,
    mean: OfMembers,
    variance: OfMembers,
) -> xr.Dataset:
    """The mean squared residual and its parts where the true mean is known, in units of the mean variance.

    Parameters
    ----------
    output
        f_t at the data points.
    targets
        y.
    mean, variance
        Those of the distribution that y was drawn from.

    Returns
    -------
    xarray.Dataset
        Over (member, epoch), averages over points: `square` of y - f_t, `error` of f_t about the mean, and
        `covariance` of f_t and the noise; square = noise + error - 2 covariance, `noise` (member) being the
        mean square of the noise that was drawn.
    """
    noise, error, unit = targets - mean, output - mean[:, None], variance.mean(-1)
    dims = ("member", "epoch")
    return xr.Dataset(
        {
            "square": (dims, ((noise[:, None] - error) ** 2).mean(-1) / unit[:, None]),
            "error": (dims, (error**2).mean(-1) / unit[:, None]),
            "covariance": (dims, (noise[:, None] * error).mean(-1) / unit[:, None]),
            "noise": ("member", (noise**2).mean(-1) / unit),
        }
    )


@checked
def scores(
    estimate: Annotated[np.ndarray, Shaped("... points", finite=False, broadcast=True)],
    variance: Annotated[np.ndarray, Shaped("... points", above=0, finite=False, broadcast=True)],
) -> xr.Dataset:
    r"""How good an estimate of a variance is over the points of each data set.

    Parameters
    ----------
    estimate
        One row a data set.
    variance
        The true variance, greater than 0, which broadcasts to the estimate; NaN where a point does not count.

    Returns
    -------
    xarray.Dataset
        Over the leading dimensions, named axis_0, axis_1 and so on: `rank`, Spearman's correlation of the two;
        `ratio`, the mean estimate over the mean truth, 1 without bias; `slope` of the regression of the
        estimate on the truth; `skill`, :math:`1 - \langle (e - v)^2 \rangle / \mathrm{var}(v)`, 1 if exact and
        0 for the best constant; `factor`, by which the estimate is typically off, the exponential of the median
        absolute log ratio. NaN where the estimate is not finite; `slope` and `skill` also where the truth is constant.

    Raises
    ------
    ValueError
        If the variance does not broadcast to the estimate, or a data set has too few points that count, or more
        of them than another.
    """
    try:
        counting = np.isfinite(truth := np.broadcast_to(variance, estimate.shape))
    except ValueError as error:
        raise ValueError(f"variance has shape {variance.shape}: it must fit estimate's, {estimate.shape}.") from error
    count = int(counting.sum(-1).flat[0])
    if count < 3 or (counting.sum(-1) != count).any():
        raise ValueError("variance must hold the same number of finite values, three at least, for every data set.")
    e, v = (values[counting].reshape(*estimate.shape[:-1], count) for values in (estimate, truth))
    whole = np.isfinite(e).all(-1)
    e = np.where(whole[..., None], e, np.nan)
    around_e, around_v = e - e.mean(-1, keepdims=True), v - v.mean(-1, keepdims=True)
    ranks = (scipy.stats.rankdata(values, axis=-1) for values in (e, v))
    spread = np.where(np.ptp(v, axis=-1) > 0, v.var(-1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "rank": np.where(whole, _correlation(*ranks), np.nan),
            "ratio": e.mean(-1) / v.mean(-1),
            "slope": np.where(np.isnan(spread), np.nan, (around_e * around_v).sum(-1) / (around_v**2).sum(-1)),
            "skill": 1 - ((e - v) ** 2).mean(-1) / spread,
            "factor": np.exp(np.median(np.abs(np.log(np.maximum(e, np.finfo(float).tiny) / v)), -1)),
        }
    return xr.Dataset({name: ([f"axis_{k}" for k in range(whole.ndim)], each) for name, each in columns.items()})


@checked
def noise_ceiling(
    variance: Annotated[np.ndarray, Shaped("members points", above=0, finite=False)], draws: Count = 20, seed: Seed = 0
) -> xr.Dataset:
    """The scores of the squared noise itself, the best that one squared residual a point can be.

    It is the variance times a chi-squared variable of one degree of freedom, whose own relative standard
    deviation is the root of 2.

    Parameters
    ----------
    variance
        The true one; NaN where a point does not count.
    draws
        How many times the noise is drawn.
    seed
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        As from `scores`, over member (axis_0), means over the draws.
    """
    noise = np.random.default_rng(seed).standard_normal((draws, *variance.shape))
    return scores(variance * noise**2, variance).mean("axis_0").rename(axis_1="axis_0")


@checked
def cross_validated_choice(score: Annotated[np.ndarray, Shaped("members choices", finite=False)]) -> np.ndarray:
    """For each member the choice whose median score over the other half of the members is largest.

    What is chosen with the truth in hand is thus judged on members that had no part in the choice. NaN counts as the
    worst score.

    Returns
    -------
    numpy.ndarray of int
        Members of even number get the choice of the odd ones, and the reverse; a single member gets its own.
    """
    score = np.nan_to_num(score, nan=-np.inf, neginf=-np.inf)
    odd = np.arange(len(score)) % 2 == 1
    best = [int(np.median(score[half] if half.any() else score, 0).argmax()) for half in (odd, ~odd)]
    return np.where(odd, best[1], best[0])


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = (values - values.mean(-1, keepdims=True) for values in (first, second))
    size = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    return np.divide((first * second).sum(-1), size, out=np.zeros_like(size), where=size > 0)
