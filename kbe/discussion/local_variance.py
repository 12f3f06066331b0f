"""The variance without a variance head: the square of what training has still to fit (section IV).

The paper proposes (f_t(x) - f_T(x))^2, T large, as an estimate of the local variance: f_t is a local average and
f_T goes through the targets. Here are what theory expects of it, its parts, and what tells how good it is.
"""

from __future__ import annotations

import numpy as np
import scipy
import xarray as xr

from kbe import checks
from kbe.theory import average_network


def expected_square(gram: np.ndarray, time: float, variance: np.ndarray, offset: np.ndarray) -> xr.Dataset:
    r"""What the squared residual is on average over the noise, with a constant kernel, from Eq. (17).

    With the weights :math:`W = 1 - e^{-Kt}` the output is :math:`W y + (1 - W) f_0`, and with targets of
    mean m and independent noise

    .. math:: \langle (y_i - f_{t,i})^2 \rangle =
        (1 - w_{ii})^2 \sigma_i^2 + \sum_{j \ne i} w_{ij}^2 \sigma_j^2 + \Big(\sum_j (1 - W)_{ij} (m_j - f_{0,j})\Big)^2

    Parameters
    ----------
    gram : array, shape (n, n)
        K, symmetric.
    time : float
        t, at least 0.
    variance : array, shape (n,)
        sigma squared, at least 0.
    offset : array, shape (n,)
        m - f_0.

    Returns
    -------
    xarray.Dataset
        Over `point`: `square`, the sum above; `error`, the part of it that is the squared error of f_t about m;
        `covariance`, that of f_t and y, so that square = variance + error - 2 covariance.

    Raises
    ------
    ValueError
        If the shapes do not fit or a variance is negative.
    """
    variance, offset = checks.array("variance", variance, 1), checks.array("offset", offset, 1)
    checks.same_shape(variance=variance, offset=offset)
    if variance.min() < 0:
        raise ValueError(f"variance holds {variance.min():g}: every variance must be at least 0.")
    gram = checks.symmetric("gram", checks.array("gram", gram, 2), len(variance))
    weights = average_network.effective_weights(gram, time)
    error = weights**2 @ variance + (offset - weights @ offset) ** 2
    covariance = np.diagonal(weights) * variance
    parts = {"square": variance + error - 2 * covariance, "error": error, "covariance": covariance}
    return xr.Dataset({name: ("point", part) for name, part in parts.items()})


def measured_parts(output: np.ndarray, targets: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> xr.Dataset:
    """The mean squared residual and its parts where the true mean is known, in units of the mean variance.

    Parameters
    ----------
    output : array, shape (member, epoch, point)
        f_t at the data points.
    targets, mean, variance : array, shape (member, point)
        y, and the mean and variance that it was drawn with.

    Returns
    -------
    xarray.Dataset
        Over (member, epoch), averages over points: `square` of y - f_t, `error` of f_t about the mean, and
        `covariance` of f_t and the noise; square = noise + error - 2 covariance, `noise` (member) being the
        mean square of the noise that was drawn.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    output = checks.array("output", output, 3, finite=False)
    targets, mean, variance = (checks.array(n, v, 2) for n, v in zip("ymv", (targets, mean, variance), strict=True))
    checks.same_shape(targets=targets, mean=mean, variance=variance)
    if (output.shape[0], output.shape[2]) != targets.shape:
        raise ValueError(f"output has shape {output.shape}: it must be (member, epoch, point) for {targets.shape}.")
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


def scores(estimate: np.ndarray, variance: np.ndarray) -> xr.Dataset:
    r"""How good an estimate of a variance is over the points of each data set.

    Parameters
    ----------
    estimate : array, shape (..., point)
        The estimate.
    variance : array, shape (..., point), to which `estimate` broadcasts
        The true variance, greater than 0; NaN where a point does not count.

    Returns
    -------
    xarray.Dataset
        Over the leading dimensions, named axis_0, axis_1 and so on: `rank`, Spearman's correlation of the two;
        `ratio`, the mean estimate over the mean truth, 1 without bias; `slope` of the regression of the
        estimate on the truth; `skill`, :math:`1 - \langle (e - v)^2 \rangle / \mathrm{var}(v)`, 1 if exact and
        0 for the best constant; `factor`, by which the estimate is typically off, the exponential of the median
        absolute log ratio. NaN where the estimate is not finite.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    estimate, truth = (checks.array(n, v, finite=False) for n, v in (("estimate", estimate), ("variance", variance)))
    if estimate.ndim < 2 or truth.shape[-1:] != estimate.shape[-1:]:
        raise ValueError(f"estimate has shape {estimate.shape}: it must be (..., points) like variance, {truth.shape}.")
    try:
        counting = np.isfinite(truth := np.broadcast_to(truth, estimate.shape))
    except ValueError as error:
        raise ValueError(f"variance has shape {truth.shape}: it must fit estimate's, {estimate.shape}.") from error
    lead, count = estimate.shape[:-1], int(counting.sum(-1).flat[0])
    if count < 3 or (counting.sum(-1) != count).any():
        raise ValueError("variance must hold the same number of finite values, three at least, for every data set.")
    e, v = (values[counting].reshape(*lead, count) for values in (estimate, truth))
    e = np.where(np.isfinite(e).all(-1, keepdims=True), e, np.nan)
    around_e, around_v = e - e.mean(-1, keepdims=True), v - v.mean(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "rank": _correlation(scipy.stats.rankdata(e, axis=-1), scipy.stats.rankdata(v, axis=-1)),
            "ratio": e.mean(-1) / v.mean(-1),
            "slope": (around_e * around_v).sum(-1) / (around_v**2).sum(-1),
            "skill": 1 - ((e - v) ** 2).mean(-1) / v.var(-1),
            "factor": np.exp(np.median(np.abs(np.log(np.maximum(e, np.finfo(float).tiny) / v)), -1)),
        }
    columns["rank"] = np.where(np.isfinite(e).all(-1), columns["rank"], np.nan)
    return xr.Dataset({name: ([f"axis_{k}" for k in range(len(lead))], each) for name, each in columns.items()})


def ceiling(variance: np.ndarray, draws: int = 20, seed: int = 0) -> xr.Dataset:
    """The scores of the squared noise itself, the best that one squared residual a point can be.

    It is the variance times a chi-squared variable of one degree of freedom, whose own relative standard
    deviation is the root of 2.

    Parameters
    ----------
    variance : array, shape (member, point)
        The true variance; NaN where a point does not count.
    draws : int
        How many times the noise is drawn.
    seed : int
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        As from `scores`, over member (axis_0), means over the draws.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    variance = checks.array("variance", variance, 2, finite=False)
    checks.integer("draws", draws, 1)
    noise = np.random.default_rng(checks.integer("seed", seed, 0)).standard_normal((draws, *variance.shape))
    return scores(variance * noise**2, variance).mean("axis_0").rename(axis_1="axis_0")


def chosen_elsewhere(score: np.ndarray) -> np.ndarray:
    """For each member the place along the last axis where the median of the other half of the members is largest.

    What is chosen with the truth in hand is thus judged on members that had no part in the choice.

    Parameters
    ----------
    score : array, shape (member, n)
        A score, the larger the better; NaN counts as the worst.

    Returns
    -------
    numpy.ndarray of int, shape (member,)
        Members of even number get the choice of the odd ones, and the reverse; a single member gets its own.

    Raises
    ------
    ValueError
        If the array is not two-dimensional.
    """
    score = np.nan_to_num(checks.array("score", score, 2, finite=False), nan=-np.inf, neginf=-np.inf)
    odd = np.arange(len(score)) % 2 == 1
    best = [int(np.median(score[half] if half.any() else score, 0).argmax()) for half in (odd, ~odd)]
    return np.where(odd, best[1], best[0])


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = (values - values.mean(-1, keepdims=True) for values in (first, second))
    size = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    return np.divide((first * second).sum(-1), size, out=np.zeros_like(size), where=size > 0)
